/**
 * The questions that a lab has: from each endpoint to each other one a ping, every port that it declares, and one port that
 * nobody listens on, at its private addresses and at its Elastic IPs.
 */

import type { Ipv4 } from '../base/ip.ts';
import type { Cloud, Thing } from '../cloud.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import { plainPorts, podsIn } from '../judge/listen.ts';
import { placeOf } from '../judge/places.ts';
import type { Place, Protocol } from '../judge/traveller.ts';

export interface MatrixQuestion {
  readonly from: Thing;
  readonly to: Thing;
  readonly address: Ipv4;
  readonly protocol: Protocol;
  /** 0 for ICMP. */
  readonly port: number;
  /** How much later than others the server answers on purpose. */
  readonly delayMs: number;
}

export interface MatrixFilter {
  readonly from?: Thing | undefined;
  readonly to?: Thing | undefined;
  /** This port alone, of everybody, whether declared or not. */
  readonly port?: number | undefined;
}

interface DeclaredPort {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly delayMs: number;
}

/** From here downwards the first port is taken that the target does not declare. */
const NOBODY_LISTENS = 9999;

export function matrixQuestions(cloud: Cloud, filter: MatrixFilter = {}): MatrixQuestion[] {
  const all = endpoints(cloud);
  const isMeant = (thing: Thing, wanted: Thing | undefined): boolean =>
    wanted === undefined || wanted.netns === thing.netns;
  const targets = all
    .filter((thing) => isMeant(thing, filter.to))
    .map((thing) => ({ to: thing, asked: questionsTo(placeOf(cloud, thing), filter.port) }));
  return all
    .filter((thing) => isMeant(thing, filter.from))
    .flatMap((from) =>
      targets
        .filter(({ to }) => to !== from)
        .flatMap(({ to, asked }) => asked.map((one) => ({ from, to, ...one }))),
    );
}

/** A pod on its node's network is its node, and is not asked twice. */
function endpoints(cloud: Cloud): Thing[] {
  const things = [...cloud.things.values()].filter((thing) => thing.isEndpoint);
  return things.filter((one) => things.find(({ netns }) => netns === one.netns) === one);
}

function questionsTo(
  place: Place,
  port: number | undefined,
): Pick<MatrixQuestion, 'address' | 'protocol' | 'port' | 'delayMs'>[] {
  const declared = declaredPorts(place);
  const ports = port === undefined ? [...declared, closedPort(declared)] : only(port, declared);
  const ping = { protocol: 'icmp', port: 0, delayMs: 0 } as const;
  const asked = [...(port === undefined ? [ping] : []), ...ports];
  return addresses(place).flatMap((address) => asked.map((one) => ({ address, ...one })));
}

function only(port: number, declared: readonly DeclaredPort[]): DeclaredPort[] {
  const found = declared.filter((one) => one.port === port);
  return found.length > 0 ? found : [{ protocol: 'tcp', port, delayMs: 0 }];
}

function closedPort(declared: readonly DeclaredPort[]): DeclaredPort {
  let port = NOBODY_LISTENS;
  while (declared.some((one) => one.port === port)) port -= 1;
  return { protocol: 'tcp', port, delayMs: 0 };
}

/** The private ones first. Of a node only the one it is known by: its further ENIs are there for its pods. */
function addresses(place: Place): Ipv4[] {
  switch (place.kind) {
    case 'pod': {
      const { address, eni } = place.pod;
      const elastic = eni?.interface.addresses.find((one) => one.address === address)?.elastic;
      return elastic === undefined ? [address] : [address, elastic];
    }
    case 'node': {
      const { address, elastic } = place.node.interfaces[0].addresses[0];
      return elastic === undefined ? [address] : [address, elastic];
    }
    case 'instance': {
      const all = place.instance.interfaces.flatMap((eni) => eni.addresses);
      return [...all.map(({ address }) => address), ...all.flatMap(({ elastic }) => elastic ?? [])];
    }
    case 'host':
      return [place.host.address];
    case 'nat':
    case 'resolver':
      return [];
  }
}

function declaredPorts(place: Place): DeclaredPort[] {
  return [...portsOf(podsIn(place)), ...plainPorts(place).map(plain)];
}

function portsOf(pods: readonly Pod[]): DeclaredPort[] {
  return pods.flatMap(({ spec }) =>
    spec.ports.map(({ protocol, containerPort }) => ({
      protocol,
      port: containerPort,
      delayMs: spec.behaviour.delayMs ?? 0,
    })),
  );
}

function plain(port: number): DeclaredPort {
  return { protocol: 'tcp', port, delayMs: 0 };
}

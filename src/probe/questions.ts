/**
 * The questions that a lab has: from each endpoint to each other one a ping, every port that it declares, and one port that
 * nobody listens on, at its private addresses and at its Elastic IPs; and to each Service its ports and one that it has not.
 *
 * What every cluster has, CoreDNS and the control plane, asks and is asked only where it is named.
 */

import type { Ipv4 } from '../base/ip.ts';
import type { Cloud, Thing } from '../cloud.ts';
import { isKubeDns } from '../eks/coredns.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import type { Service } from '../k8s/cluster-services.ts';
import { plainPorts, podsIn } from '../judge/listen.ts';
import { placeOf } from '../judge/places.ts';
import type { Place, Protocol } from '../judge/traveller.ts';

export interface MatrixQuestion {
  readonly from: Thing;
  readonly to: Target;
  readonly address: Ipv4;
  readonly protocol: Protocol;
  /** 0 for ICMP. */
  readonly port: number;
  /** How much later than others the server answers on purpose. */
  readonly delayMs: number;
}

/** A thing, or a Service, which has an address and is nowhere. */
export type Target = Thing | Pick<Service, 'reference'>;

export interface MatrixFilter {
  readonly from?: Thing | undefined;
  readonly to?: Target | undefined;
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
  const isMeant = (thing: Thing, wanted: Target | undefined): boolean =>
    wanted === undefined ? !thing.isSystem : 'netns' in wanted && wanted.netns === thing.netns;
  const things = all
    .filter((thing) => isMeant(thing, filter.to))
    .map((to) => ({
      to,
      asked: questionsTo(cloud, placeOf(cloud, to), nodePorts(cloud, to), filter.port),
    }));
  const services = servicesOf(cloud)
    .filter(({ reference }) => filter.to === undefined || filter.to.reference === reference)
    .map((to) => ({ to, asked: questionsToService(to, filter.port) }));
  const targets: { to: Target; asked: Asked[] }[] = [...things, ...services];
  return all
    .filter((thing) => isMeant(thing, filter.from))
    .flatMap((from) =>
      targets
        .filter(({ to }) => to !== from)
        .flatMap(({ to, asked }) => asked.map((one) => ({ from, to, ...one }))),
    );
}

type Asked = Pick<MatrixQuestion, 'address' | 'protocol' | 'port' | 'delayMs'>;

/** Those with an address of their own that manifests declare. */
function servicesOf(cloud: Cloud): Service[] {
  return (cloud.cluster?.services ?? []).filter(
    (service) =>
      service.clusterIp !== undefined &&
      service.clusterIp !== 'None' &&
      !(service.namespace === 'default' && service.name === 'kubernetes') &&
      !isKubeDns(service),
  );
}

function questionsToService(service: Service, port: number | undefined): Asked[] {
  const { clusterIp: address } = service;
  if (address === undefined || address === 'None') return [];
  const declared = service.ports.map((one) => ({
    protocol: one.protocol,
    port: one.port,
    delayMs: 0,
  }));
  const ports = port === undefined ? [...declared, closedPort(declared)] : only(port, declared);
  return ports.map((one) => ({ address, ...one }));
}

/** What every node answers for the Services. */
function nodePorts(cloud: Cloud, { kind }: Thing): DeclaredPort[] {
  if (kind !== 'node') return [];
  return (cloud.cluster?.services ?? []).flatMap(({ ports }) =>
    ports.flatMap(({ nodePort: port, protocol }) =>
      port === undefined ? [] : [{ protocol, port, delayMs: 0 }],
    ),
  );
}

/** A pod on its node's network is its node, and is not asked twice. */
function endpoints(cloud: Cloud): Thing[] {
  const things = [...cloud.things.values()].filter((thing) => thing.isEndpoint);
  return things.filter((one) => things.find(({ netns }) => netns === one.netns) === one);
}

function questionsTo(
  cloud: Cloud,
  place: Place,
  ofServices: readonly DeclaredPort[],
  port: number | undefined,
): Asked[] {
  const declared = [...declaredPorts(cloud, place), ...ofServices];
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
    case 'alb':
    case 'nlb': {
      const { address, elastic } = place.node.eni.addresses[0];
      return elastic === undefined ? [address] : [address, elastic];
    }
    case 'rds': {
      const { address, elastic } = place.server.eni.addresses[0];
      return elastic === undefined ? [address] : [address, elastic];
    }
    case 'host':
      return [place.host.address];
    case 'nat':
    case 'resolver':
      return [];
  }
}

function declaredPorts(cloud: Cloud, place: Place): DeclaredPort[] {
  if (place.kind === 'nlb') {
    return place.balancer.listeners.map(({ protocol, port }) => ({ protocol, port, delayMs: 0 }));
  }
  return [...portsOf(podsIn(place)), ...plainPorts(cloud, place).map(plain)];
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

/**
 * The links that a conversation crosses, where one listens to see all of it: each thing's own, towards the one before and
 * the one behind, and between two ENIs the ports of both at the VPC's router. So a router shows what came and what went,
 * and a translation stands between the two.
 *
 * The internet's router is left out: nothing is translated there, and its neighbours show what reaches them.
 */

import { UPLINK } from '../aws/internet-gateway.ts';
import { type NetworkInterface, portName } from '../aws/network-interface.ts';
import { renderReference } from '../base/reference.ts';
import type { NetnsName } from '../base/names.ts';
import type { Cloud, Thing } from '../cloud.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import { known, reference, vpcOf } from './places.ts';

export interface Crossing {
  /** As the user names it: `node/node-1`, `vpc/main`. */
  readonly place: string;
  readonly netns: NetnsName;
  readonly link: string;
}

/** A row of things that packets pass; `isOpen` where they go on from an end to somewhere that is not said. */
export interface Way {
  readonly things: readonly string[];
  readonly isOpen: { readonly atStart: boolean; readonly atEnd: boolean };
}

/** In the order in which the first packet comes by, each link once. */
export function crossings(cloud: Cloud, ways: readonly Way[]): Crossing[] {
  const onWay = new Set(ways.flatMap(({ things }) => things));
  const found = ways.flatMap((way) => crossingsOf(cloud, way, onWay));
  return [...new Map(found.map((one) => [`${one.netns}/${one.link}`, one])).values()];
}

function crossingsOf(cloud: Cloud, way: Way, onWay: ReadonlySet<string>): Crossing[] {
  // A pod on its node's network is its node.
  const stops = way.things.map((one) => stopOf(cloud, one, onWay));
  const things = stops.filter((stop, index) => stop.reference !== stops[index - 1]?.reference);
  const [first] = things;
  const last = things.at(-1);
  const found: Crossing[] = [];
  if (way.isOpen.atStart && first !== undefined) {
    found.push(...ports(cloud, first, undefined), ...own(first, undefined));
  }
  things.forEach((one, index) => {
    const next = things[index + 1];
    if (next === undefined) return;
    found.push(...own(one, next), ...ports(cloud, one, next));
    found.push(...ports(cloud, next, one), ...own(next, one));
  });
  if (way.isOpen.atEnd && last !== undefined) {
    found.push(...own(last, undefined), ...ports(cloud, last, undefined));
  }
  return found;
}

/** A thing on the way, with what one needs to know of its links. */
interface Stop {
  readonly reference: string;
  readonly thing: Thing;
  /** Those by which the conversation may pass. */
  readonly interfaces: readonly NetworkInterface[];
  /** Of a node: those with a network of their own. */
  readonly pods: readonly Pod[];
}

function stopOf(cloud: Cloud, word: string, onWay: ReadonlySet<string>): Stop {
  const pod = cloud.pods.find((one) => one.eni === undefined && reference(one) === word);
  const thing = known(
    cloud.things.get(pod === undefined ? word : renderReference('node', pod.node)),
    word,
  );
  const pods = cloud.pods.filter(
    (one) => one.eni !== undefined && renderReference('node', one.node) === thing.reference,
  );
  const enis = [...cloud.vpcs.values()]
    .flatMap((vpc) => vpc.interfaces)
    .filter((eni) => eni.netns === thing.netns);
  // A node sends with its primary ENI, for its pods too where it translates; else a pod's packets take the pod's own.
  const used = pods.filter((one) => onWay.has(reference(one))).map((one) => one.eni?.interface);
  const interfaces =
    thing.kind === 'node' ? enis.filter((eni, at) => at === 0 || used.includes(eni)) : enis;
  return { reference: thing.reference, thing, interfaces, pods };
}

/** The links of a thing itself, on the side where the other one is. */
function own(stop: Stop, other: Stop | undefined): Crossing[] {
  const at = (link: string): Crossing => ({
    place: stop.reference,
    netns: stop.thing.netns,
    link,
  });
  switch (stop.thing.kind) {
    case 'pod':
    case 'internet':
      return [at('eth0')];
    case 'igw':
      return [at(isOutside(other) ? 'internet' : 'vpc')];
    case 'node': {
      const veth = podBehind(stop, other)?.hostVeth;
      return veth === undefined ? stop.interfaces.map(({ link }) => at(link)) : [at(veth)];
    }
    case 'instance':
    case 'nat':
    case 'eks':
    case 'alb':
    case 'nlb':
    case 'rds':
      return stop.interfaces.map(({ link }) => at(link));
    case 'vpc':
      return [];
  }
}

/** The links of the VPC's router towards a thing. */
function ports(cloud: Cloud, stop: Stop, other: Stop | undefined): Crossing[] {
  if (podBehind(stop, other) !== undefined) return [];
  if (stop.thing.kind === 'igw') {
    const vpc = [...cloud.vpcs.values()].find(
      ({ internetGateway }) => internetGateway?.netns === stop.thing.netns,
    );
    if (vpc === undefined || isOutside(other)) return [];
    return [{ place: renderReference('vpc', vpc.name), netns: vpc.netns, link: UPLINK }];
  }
  return stop.interfaces.map((eni) => {
    const vpc = vpcOf(cloud, eni);
    return { place: renderReference('vpc', vpc.name), netns: vpc.netns, link: portName(eni) };
  });
}

function podBehind(stop: Stop, other: Stop | undefined): Pod | undefined {
  return stop.pods.find((one) => reference(one) === other?.reference);
}

function isOutside(other: Stop | undefined): boolean {
  return other === undefined || other.thing.kind === 'internet' || other.thing.kind === 'igw';
}

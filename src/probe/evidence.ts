/** What the captures say of a probe: the things that its request passed, and the source that the receiver was shown. */

import { targetGroupsOf } from '../aws/application-load-balancer.ts';
import { internetLink, UPLINK } from '../aws/internet-gateway.ts';
import { portName } from '../aws/network-interface.ts';
import type { Ipv4 } from '../base/ip.ts';
import { renderReference } from '../base/reference.ts';
import { type Cloud, findThing, type Thing } from '../cloud.ts';
import { linkKey } from '../kernel/state.ts';
import { hostLink, INTERNET_NETNS } from '../internet/host.ts';
import { podReference } from '../k8s/pod.ts';
import type { Drop } from '../observe/drop.ts';
import {
  answers,
  type Capture,
  firstCarrier,
  firstOwnPacket,
  firstPacket,
  type Sighting,
  sightings,
} from '../observe/journey.ts';
import type { Packet } from '../observe/pcap.ts';
import { protocolOf } from './request.ts';
import type { Ask } from './script.ts';

export interface Evidence {
  readonly path: readonly string[];
  /** The packet as it was last seen; its source is what the receiver sees. */
  readonly last: Packet | undefined;
  readonly first: Packet | undefined;
  /** From the request to its answer, both seen where the request was first seen. */
  readonly roundTripMs: number | undefined;
  /** Its packets, and those of its answers, that somebody denied; one that was sent again is there again. */
  readonly denied: readonly Drop[];
}

/** What stands at a link that a capture saw, by netns and link: an ENI's owner, a pod, a gateway, an internet host. */
export function landmarks(cloud: Cloud): Map<string, string> {
  const marks = new Map<string, string>();
  for (const vpc of cloud.vpcs.values()) {
    for (const eni of vpc.interfaces) {
      const reference = findThing(cloud, eni.thing)?.reference ?? eni.thing;
      marks.set(linkKey(vpc.netns, portName(eni)), reference);
    }
    const igw = vpc.internetGateway;
    if (igw === undefined) continue;
    const reference = renderReference('igw', igw.name);
    marks.set(linkKey(vpc.netns, UPLINK), reference);
    marks.set(linkKey(INTERNET_NETNS, internetLink(igw)), reference);
  }
  for (const pod of cloud.pods) {
    const node = cloud.cluster?.nodes.get(pod.node);
    if (node === undefined || pod.hostVeth === undefined) continue;
    const reference = podReference(pod.spec.namespace, pod.spec.name);
    marks.set(linkKey(node.netns, pod.hostVeth), reference);
  }
  for (const host of cloud.internetHosts) {
    marks.set(linkKey(INTERNET_NETNS, hostLink(host)), `internet/${host.name}`);
  }
  return marks;
}

/** Where to listen: the VPCs' routers see every ENI, the internet's router every host; pods show on their nodes. */
export function capturePlaces(cloud: Cloud, asks: readonly Ask[]): Thing['netns'][] {
  const places = new Set<Thing['netns']>([...cloud.vpcs.values()].map((vpc) => vpc.netns));
  if (cloud.internetHosts.length > 0) places.add(INTERNET_NETNS);
  const nodeOf = (address: Ipv4 | undefined): void => {
    const pod = cloud.pods.find((one) => one.address === address && one.eni !== undefined);
    const node = pod === undefined ? undefined : cloud.cluster?.nodes.get(pod.node);
    if (node !== undefined) places.add(node.netns);
  };
  for (const { request, probe } of asks) {
    nodeOf(request.fromAddress);
    for (const destination of request.destinations) {
      nodeOf(destination);
      for (const { address } of endpointsAt(cloud, destination, request.port)) nodeOf(address);
    }
    if (isForBalancer(cloud, request)) {
      for (const { address } of targetsOf(cloud)) nodeOf(address);
    }
    for (const text of probe.expect.silent) nodeOf(cloud.things.get(text)?.address);
  }
  return [...places];
}

export function readEvidence(
  cloud: Cloud,
  marks: ReadonlyMap<string, string>,
  captures: readonly Capture[],
  drops: readonly Drop[],
  { request, ports, token }: Ask,
): Evidence {
  const protocol = protocolOf(request.kind);
  // A thing with several cards sends with the address of the one that its routes choose.
  const payloadContains = request.kind === 'dns' ? longestLabel(request.text) : token;
  const find = (
    sourcePorts: typeof ports | undefined,
    targets: readonly Target[],
    first = firstPacket,
  ): Packet | undefined =>
    sourceAddresses(cloud, request)
      .flatMap((source) => targets.map((target) => ({ source, ...target })))
      .map(({ source, address, port }) =>
        first(captures, {
          protocol,
          source,
          destination: address,
          ...(protocol === 'icmp' ? {} : { destinationPort: port }),
          ...(protocol === 'icmp' || sourcePorts === undefined ? {} : { sourcePorts }),
          ...(protocol === 'tcp' ? {} : { payloadContains }),
        }),
      )
      .find((packet) => packet !== undefined);
  const asked = request.destinations.map((address) => ({ address, port: request.port }));
  // What a node sends to a Service has been sent on before any capture sees it.
  const sentOn = asked.flatMap(({ address, port }) => endpointsAt(cloud, address, port));
  // A node translates its own packets too, to its own address and another port, before any capture sees them.
  const nodes = new Map(
    [...(cloud.cluster?.nodes.values() ?? [])].map((node) => [String(node.netns), node.name]),
  );
  const home = nodes.get(request.from.netns);
  // dig and psql take the port that the kernel gives them.
  const own = request.kind === 'dns' || request.kind === 'psql' ? undefined : ports;
  // Only what comes in by a Service's outer door is given another source, and with it another port.
  const isOuter = request.destinations.some((one) => isOuterAddress(cloud, one));
  const first =
    find(own, asked) ??
    (home === undefined
      ? undefined
      : (find(undefined, asked) ??
        // What it forwards for others and masquerades bears its address, and by chance a port of this probe's.
        find(own, sentOn, firstOwnPacket) ??
        (isOuter ? find(undefined, sentOn, firstOwnPacket) : undefined)));
  const path: string[] = [request.from.reference];
  if (first === undefined) {
    return { path, first: undefined, last: undefined, roundTripMs: undefined, denied: [] };
  }
  const seen = sightings(captures, first);
  const pass = (reference: string | undefined): void => {
    // A pod on its node's own network is the node, as far as packets go.
    const isHome = path.length === 1 && home !== undefined && reference === `node/${home}`;
    if (reference !== undefined && path.at(-1) !== reference && !isHome) path.push(reference);
  };
  const show = ({ place, link, packet }: Sighting): void => {
    const mark = marks.get(`${place}:${link}`);
    const node = nodes.get(place);
    if (node === undefined) pass(mark);
    else if (mark !== undefined) {
      // On a node a pod's link says both: the pod, and the node that forwards for it.
      const [one, other] =
        packet.direction === 'out' ? [`node/${node}`, mark] : [mark, `node/${node}`];
      pass(one);
      pass(other);
    }
  };
  for (const sighting of seen) show(sighting);
  // A load balancer asks by a connection of its own, in which the request is known by its header.
  const onward =
    path.at(-1)?.startsWith('alb/') === true ? sentOnBy(cloud, path.at(-1), captures, token) : [];
  for (const sighting of onward) show(sighting);
  const start = seen[0];
  const back = answers(captures, first).find(
    (sighting) => sighting.place === start?.place && sighting.link === start.link,
  );
  return {
    path,
    first,
    last: (onward.at(-1) ?? seen.at(-1))?.packet,
    roundTripMs:
      back === undefined || start === undefined
        ? undefined
        : back.packet.timeMs - start.packet.timeMs,
    denied: deniedOf(
      [...seen, ...onward].map(({ packet }) => packet),
      drops,
    ),
  };
}

/**
 * The denials of a conversation, by its addresses and ports wherever it was seen: each NAT on the way has shown it with
 * others. What comes back has them the other way round. An ICMP error about it is none of its packets.
 *
 * A node's network policies deny what a Service has just given another destination, and nobody has seen with it: such a
 * packet is known by who sent it.
 */
export function deniedOf(seen: readonly Packet[], drops: readonly Drop[]): Drop[] {
  const keys = new Set(
    seen.flatMap(({ protocol, icmp, source, sourcePort, destination, destinationPort }) => {
      const id = icmp?.identifier ?? 0;
      return [
        [protocol, id, source, sourcePort, destination, destinationPort].join(' '),
        [protocol, id, destination, destinationPort, source, sourcePort].join(' '),
      ];
    }),
  );
  const senders = new Set(
    seen.map(({ protocol, icmp, source, sourcePort }) =>
      [protocol, icmp?.identifier ?? 0, source, sourcePort].join(' '),
    ),
  );
  return drops.filter((drop) => {
    const { protocol, icmpId, source, sourcePort, destination, destinationPort } = drop;
    const sender = [protocol, icmpId ?? 0, source, sourcePort ?? 0].join(' ');
    if (drop.decision.kind === 'netpol' && senders.has(sender)) return true;
    const ends = [source, sourcePort ?? 0, destination, destinationPort ?? 0];
    return keys.has([protocol, icmpId ?? 0, ...ends].join(' '));
  });
}

/** The first data of the connection that carries the request on, wherever it was seen. */
function sentOnBy(
  cloud: Cloud,
  balancer: string | undefined,
  captures: readonly Capture[],
  token: string,
): Sighting[] {
  const address = cloud.things.get(balancer ?? '')?.address;
  const packet = address === undefined ? undefined : firstCarrier(captures, address, token);
  return packet === undefined ? [] : sightings(captures, packet);
}

function isForBalancer(cloud: Cloud, { destinations }: Ask['request']): boolean {
  return [...cloud.loadBalancers, ...cloud.networkLoadBalancers].some(({ nodes }) =>
    nodes.some(({ eni }) =>
      eni.addresses.some(
        ({ address, elastic }) =>
          destinations.includes(address) ||
          (elastic !== undefined && destinations.includes(elastic)),
      ),
    ),
  );
}

/** Targets that are nodes lead to pods on any of them. */
function targetsOf(cloud: Cloud): Target[] {
  const groups: { readonly targets: readonly Target[] }[] = [
    ...cloud.loadBalancers.flatMap(targetGroupsOf),
    ...cloud.networkLoadBalancers.flatMap(({ listeners }) =>
      listeners.map(({ targetGroup }) => targetGroup),
    ),
  ];
  return groups.flatMap(({ targets }) =>
    targets.flatMap(({ address, port }) => {
      const behind = endpointsAt(cloud, address, port);
      return behind.length > 0 ? behind : [{ address, port }];
    }),
  );
}

interface Target {
  readonly address: Ipv4;
  readonly port: number;
}

/** A node's own address, or one of a Service's but its ClusterIP. */
function isOuterAddress(cloud: Cloud, address: Ipv4): boolean {
  return !(cloud.cluster?.services ?? []).some(({ clusterIp }) => clusterIp === address);
}

/** The endpoints of a Service that is reached at this address and port, or of one whose node port it is. */
function endpointsAt(cloud: Cloud, address: Ipv4, port: number): Target[] {
  const isOfNode = [...(cloud.cluster?.nodes.values() ?? [])].some((node) =>
    node.interfaces.some((eni) => eni.addresses[0].address === address),
  );
  return (cloud.cluster?.services ?? []).flatMap((service) =>
    service.ports
      .filter((one) =>
        isOfNode
          ? one.nodePort === port
          : one.port === port &&
            [service.clusterIp, ...service.externalIps, ...service.loadBalancerIps].includes(
              address,
            ),
      )
      .flatMap(({ endpoints }) => endpoints),
  );
}

/** As it stands in a DNS message, where each label comes by itself. */
function longestLabel(name: string): string {
  return name.split('.').reduce((one, other) => (other.length > one.length ? other : one), '');
}

function sourceAddresses(cloud: Cloud, { from, fromAddress }: Ask['request']): Ipv4[] {
  const cards = [...cloud.vpcs.values()]
    .flatMap((vpc) => vpc.interfaces)
    .filter((eni) => eni.netns === from.netns)
    .map((eni) => eni.addresses[0].address);
  return [...new Set([fromAddress, ...cards])];
}

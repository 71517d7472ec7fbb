/**
 * How a packet leaves who made it, and how a node and an instance send on what is not theirs.
 *
 * @see src/eks/snat.ts: whose address a pod's packets bear outside the VPC
 */

import type { Instance } from '../aws/instance.ts';
import { INTERNET_MTU_BYTES } from '../aws/internet-gateway.ts';
import { type NetworkInterface, VPC_MTU_BYTES } from '../aws/network-interface.ts';
import { contains, type Ipv4 } from '../base/ip.ts';
import { isTrunk, type Node } from '../eks/node.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import { clusterCidrs, hasAddress, isOwn, known, nodePlace, podAt, podPlace } from './places.ts';
import { passPolicies } from './policy.ts';
import { isLoopback, type Origin, passService } from './service.ts';
import { lost, type Place, type Stage, TRANSLATED_PORTS, type Traveller } from './traveller.ts';

export function leave(traveller: Traveller, place: Place): Stage {
  if (place.kind === 'node') {
    traveller.passReset(place.reference);
    const stopped = translateAt(traveller, place.node, 'node');
    if (stopped !== undefined) return stopped;
  }
  const { destination } = traveller.packet;
  if (isOwn(place, destination) || isLoopback(destination)) return { at: 'arrived', place };
  const own = `${place.reference}'s own link`;
  switch (place.kind) {
    case 'pod': {
      const tooBig = traveller.setOut(podMtu(traveller), own);
      if (tooBig !== undefined) return tooBig;
      const node = nodePlace(place.node);
      traveller.pass(node.reference);
      traveller.passReset(node.reference);
      const stopped = translateAt(traveller, place.node, 'pod');
      // What nobody answers at a Service's address is refused or dropped behind the pod's gate, and may not come so far.
      if (stopped !== undefined) {
        return passPolicies(traveller, place.pod, place.node, 'egress') ?? stopped;
      }
      if (isStrict(place.pod)) return byBranch(traveller, place.pod, place.node);
      if (isOwn(node, traveller.packet.destination)) {
        const stays = passPolicies(traveller, place.pod, place.node, 'egress');
        return stays ?? { at: 'arrived', place: node };
      }
      const neighbour = toNeighbour(traveller, place.node, place.pod);
      return neighbour ?? outOfNode(traveller, place.pod, place.node);
    }
    case 'node': {
      const neighbour = toNeighbour(traveller, place.node, undefined);
      if (neighbour !== undefined) return neighbour;
      masquerade(traveller, place.node, undefined);
      const { interfaces } = place.node;
      // A trunk has no rule that would lead its own address's packets to it.
      const cards = interfaces.filter((_, device) => !isTrunk(place.node, device));
      const eni = cards.find((one) => hasAddress(one, traveller.packet.source));
      return traveller.setOut(VPC_MTU_BYTES, own) ?? { at: 'router', eni: eni ?? interfaces[0] };
    }
    case 'instance': {
      const tooBig = traveller.setOut(VPC_MTU_BYTES, own);
      return tooBig ?? { at: 'router', eni: cardOf(place.instance, traveller.packet) };
    }
    case 'alb':
    case 'nlb': {
      const tooBig = traveller.setOut(VPC_MTU_BYTES, own);
      return tooBig ?? { at: 'router', eni: place.node.eni };
    }
    case 'rds': {
      const tooBig = traveller.setOut(VPC_MTU_BYTES, own);
      return tooBig ?? { at: 'router', eni: place.server.eni };
    }
    case 'nat':
      throw new Error(`${place.reference} sends nothing of its own`);
    case 'resolver':
      traveller.isBeforeTheGates = true;
      return { at: 'local', vpc: place.vpc, from: undefined };
    case 'host':
      return traveller.setOut(INTERNET_MTU_BYTES, own) ?? { at: 'internet' };
  }
}

/** The address that a program gets that asks for none: that of the card its packet leaves by. */
export function sourceAddress(place: Place, destination: Ipv4): Ipv4 {
  switch (place.kind) {
    case 'pod':
      return place.pod.address;
    case 'node':
      return isLoopback(destination) ? destination : place.node.interfaces[0].addresses[0].address;
    case 'instance': {
      if (isOwn(place, destination)) return destination;
      return cardOf(place.instance, { source: undefined, destination }).addresses[0].address;
    }
    case 'alb':
    case 'nlb':
      return place.node.eni.addresses[0].address;
    case 'rds':
      return place.server.eni.addresses[0].address;
    case 'nat':
      return place.gateway.eni.addresses[0].address;
    case 'resolver':
      throw new Error(`${place.reference} asks nobody`);
    case 'host':
      return place.host.address;
  }
}

/** What a node's connection tracking and its Services do before it is asked where a packet goes. */
export function translateAt(traveller: Traveller, node: Node, origin: Origin): Stage | undefined {
  const where = nodePlace(node).reference;
  traveller.restore(where);
  traveller.restoreSource(where);
  traveller.passAgain(where);
  return passService(traveller, node, origin);
}

/** Whoever sends a packet on that must come back this way gives it the address of the card that it leaves by. */
export function masquerade(
  traveller: Traveller,
  node: Node,
  card: NetworkInterface | undefined,
): void {
  const where = nodePlace(node).reference;
  if (traveller.masqueradedBy !== where) return;
  traveller.masqueradedBy = undefined;
  const { address } = (card ?? node.interfaces[0]).addresses[0];
  const clause = `${where} puts its address ${address} in the place of the source, so that the answer comes back this way`;
  traveller.translate(where, address, clause, TRANSLATED_PORTS);
}

/** From a node to a pod on it: the VPC sees nothing of it. */
function toNeighbour(traveller: Traveller, node: Node, sender: Pod | undefined): Stage | undefined {
  const pod = podAt(node, traveller.packet.destination);
  // What is for a pod behind an ENI of its own goes out, and comes in by that ENI.
  if (pod === undefined || isStrict(pod)) return undefined;
  return toPod(traveller, pod, node, sender ?? 'node');
}

/** Linux believes nobody who bears its own address, and says nothing: a target that asks for itself by a load balancer. */
export function hairpin(reference: string, address: Ipv4): Stage {
  return lost(
    'NLB_HAIRPIN',
    `${reference} is handed a packet with its own address ${address} as the source, and drops it`,
    undefined,
    { by: reference },
  );
}

/** By the link between a node and a pod on it; from another pod on it, from the node itself, or from the VPC. */
export function toPod(
  traveller: Traveller,
  pod: Pod,
  node: Node,
  sender: Pod | 'node' | 'vpc',
): Stage {
  const place = podPlace(pod, node);
  const tooBig = traveller.squeeze(podMtu(traveller), `the link to ${place.reference}`);
  if (tooBig !== undefined) return tooBig;
  // Behind a Service's translation of whom it is for, and before any of whom it is from.
  const denied =
    (typeof sender === 'string' ? undefined : passPolicies(traveller, sender, node, 'egress')) ??
    passPolicies(traveller, pod, node, 'ingress');
  if (denied !== undefined) return denied;
  masquerade(traveller, node, undefined);
  if (traveller.packet.source === traveller.packet.destination) {
    traveller.pass(place.reference);
    return hairpin(place.reference, traveller.packet.source);
  }
  if (sender !== 'node') traveller.forward();
  traveller.tell(`node/${node.name} has ${place.reference} on a link of its own`);
  traveller.pass(place.reference);
  return { at: 'arrived', place };
}

/**
 * By which of an instance's cards: a further card's own table for packets that bear its address, else the card whose
 * subnet holds the destination, else eth0 with the default route.
 */
export function cardOf(
  instance: Instance,
  packet: { readonly source: Ipv4 | undefined; readonly destination: Ipv4 },
): NetworkInterface {
  const [primary, ...others] = instance.interfaces;
  const { source, destination } = packet;
  return (
    others.find((eni) => source !== undefined && hasAddress(eni, source)) ??
    instance.interfaces.find((eni) => contains(eni.subnet.cidr, destination)) ??
    primary
  );
}

/** Whatever it is, and whoever it is for: the branch's own table is asked before anything else. */
function byBranch(traveller: Traveller, pod: Pod, node: Node): Stage {
  const place = nodePlace(node);
  const { packet, cloud } = traveller;
  // That table knows the pod itself, too: a Service of its own sends it back at once.
  if (packet.destination === pod.address) return toPod(traveller, pod, node, pod);
  const isLookedUp =
    packet.protocol === 'udp' ||
    (packet.protocol === 'tcp' && cloud.cluster?.settings.DISABLE_TCP_EARLY_DEMUX !== true);
  // The socket of who asked a Service is one with the Service, and not found by the endpoint's address.
  const isAsked = traveller.isReply && !traveller.isOfService;
  if (isAsked && isLookedUp && isOwn(place, packet.destination)) {
    return lost(
      'EARLY_DEMUX',
      `${place.reference} takes the answer for its own socket's before it has gone round by the VPC, and drops it (early demux)`,
      undefined,
      { by: place.reference },
    );
  }
  traveller.forward();
  const tooBig = traveller.squeeze(VPC_MTU_BYTES, `node/${node.name}'s branch ENI`);
  if (tooBig !== undefined) return tooBig;
  const denied = passPolicies(traveller, pod, node, 'egress');
  if (denied !== undefined) return denied;
  masquerade(traveller, node, addressedCard(pod));
  return { at: 'router', eni: eniOf(pod) };
}

export function isStrict({ branch }: Pod): boolean {
  return branch?.mode === 'strict';
}

function eniOf(pod: Pod): NetworkInterface {
  return known(pod.eni, `the ENI of ${pod.address}`).interface;
}

/** Whose address the node puts in the source's place: of a branch it has none, and takes that of its first card. */
function addressedCard(pod: Pod): NetworkInterface | undefined {
  return pod.branch === undefined ? eniOf(pod) : undefined;
}

function outOfNode(traveller: Traveller, pod: Pod, node: Node): Stage {
  const [primary] = node.interfaces;
  traveller.forward();
  const tooBig = traveller.squeeze(VPC_MTU_BYTES, `node/${node.name}'s ENI`);
  if (tooBig !== undefined) return tooBig;
  const denied = passPolicies(traveller, pod, node, 'egress');
  if (denied !== undefined) return denied;
  if (traveller.isReply && !isOwnAddress(pod, traveller.packet.source)) {
    // An answer of a Service's, by the card that the question came by; without its mark by the pod's own.
    const isMarked = traveller.cloud.cluster?.settings.AWS_VPC_CNI_NODE_PORT_SUPPORT === true;
    return { at: 'router', eni: isMarked ? primary : eniOf(pod) };
  }
  if (traveller.masqueradedBy !== undefined) {
    masquerade(traveller, node, addressedCard(pod));
    return { at: 'router', eni: eniOf(pod) };
  }
  // What leaves by a branch keeps its address (`! -o vlan+`).
  const isByBranch = traveller.isSentOn && pod.branch !== undefined;
  if (isTranslated(traveller) && !isByBranch) {
    const { address } = primary.addresses[0];
    const clause = `node/${node.name} puts its primary address ${address} in the place of the pod's (SNAT of the VPC CNI)`;
    traveller.translate(`node/${node.name}`, address, clause, TRANSLATED_PORTS);
    // What a Service has sent on never meets the rule that would mark it for the primary ENI.
    return { at: 'router', eni: traveller.isSentOn ? eniOf(pod) : primary };
  }
  return { at: 'router', eni: eniOf(pod) };
}

function isOwnAddress(pod: Pod, address: Ipv4): boolean {
  return pod.address === address;
}

/** A reply belongs to a connection that NAT was asked for once, at its beginning. */
function isTranslated({ cloud, packet, isReply }: Traveller): boolean {
  if (isReply || cloud.cluster === undefined) return false;
  if (cloud.cluster.settings.AWS_VPC_K8S_CNI_EXTERNALSNAT) return false;
  const kept = [...clusterCidrs(cloud), ...cloud.cluster.excludedCidrs];
  return !kept.some((block) => contains(block, packet.destination));
}

function podMtu({ cloud }: Traveller): number {
  return cloud.cluster?.settings.AWS_VPC_ENI_MTU ?? VPC_MTU_BYTES;
}

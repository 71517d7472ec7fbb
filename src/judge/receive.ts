/** What an ENI's owner does with a packet that the VPC hands to it: take it, forward it, translate it. */

import type { Instance } from '../aws/instance.ts';
import type { NatGateway } from '../aws/nat-gateway.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import type { Node } from '../eks/node.ts';
import { cardOf, hairpin, isStrict, masquerade, toPod, translateAt } from './leave.ts';
import { onNetworkLoadBalancer } from './network-balancer.ts';
import { hasAddress, isOwn, ownerOf, podAt } from './places.ts';
import { card } from './router.ts';
import { lost, type Place, type Stage, TRANSLATED_PORTS, type Traveller } from './traveller.ts';

export function receive(traveller: Traveller, eni: NetworkInterface): Stage {
  const { destination } = traveller.packet;
  if (eni.sourceDestCheck && !hasAddress(eni, destination)) {
    return lost(
      'SOURCE_DEST_CHECK',
      `${card(eni)} is handed a packet for ${destination}, which is not its own, and its source/destination check is on`,
      eni.at,
      { by: card(eni) },
    );
  }
  const place = ownerOf(traveller.cloud, eni.netns);
  traveller.pass(place.reference);
  switch (place.kind) {
    case 'node':
      return onNode(traveller, place, place.node, eni);
    case 'instance':
      return onInstance(traveller, place, place.instance);
    case 'nat':
      return onNatGateway(traveller, place.reference, place.gateway);
    case 'alb':
    case 'rds':
      // The check of its ENI is always on.
      return { at: 'arrived', place };
    case 'nlb':
      return onNetworkLoadBalancer(traveller, place);
    case 'pod':
    case 'resolver':
    case 'host':
      throw new Error(`${place.reference} has no ENI`);
  }
}

function onNode(traveller: Traveller, place: Place, node: Node, eni: NetworkInterface): Stage {
  const isForgotten = traveller.passReset(place.reference);
  const { source } = traveller.packet;
  // What a node sends to its own pod behind an ENI of its own comes in that way too, and is believed there.
  if (traveller.isHandedOn && isOwn(place, source)) return hairpin(place.reference, source);
  const stopped = translateAt(traveller, node, 'outside');
  if (stopped !== undefined) return stopped;
  const { destination } = traveller.packet;
  if (isOwn(place, destination)) {
    traveller.masqueradedBy = undefined;
    return { at: 'arrived', place };
  }
  // The first time it ended the connection: now it belongs to none, and kube-proxy drops what does not (KUBE-FORWARD).
  if (isForgotten && traveller.cloud.cluster?.addons['kube-proxy'] === true) {
    return lost(
      'CONNTRACK_INVALID',
      `${place.reference} has forgotten the connection when its refusal passes a second time, and kube-proxy drops what belongs to none`,
      undefined,
      { by: place.reference },
    );
  }
  // Only what a node says to its own pod behind an ENI of its own comes back to it.
  if (traveller.isOfRefusalBy(place.reference)) {
    return lost(
      'CONNTRACK_INVALID',
      `${place.reference} keeps no connection that it refused, and kube-proxy drops what belongs to none`,
      undefined,
      { by: place.reference },
    );
  }
  const pod = podAt(node, destination);
  if (pod !== undefined && !isStrict(pod)) return toPod(traveller, pod, node, 'vpc');
  // The check of a node's ENI is always on: what is for somebody else now was a Service's, or the answer to it.
  if (pod !== undefined && eni === pod.eni?.interface) return toPod(traveller, pod, node, 'vpc');
  const [primary] = node.interfaces;
  traveller.forward();
  masquerade(traveller, node, primary);
  return { at: 'router', eni: primary };
}

function onInstance(traveller: Traveller, place: Place, instance: Instance): Stage {
  const { packet } = traveller;
  if (isOwn(place, packet.destination)) return { at: 'arrived', place };
  if (isOwn(place, packet.source)) return inCircle(traveller, place.reference);
  traveller.forward();
  traveller.tell(`${place.reference} forwards it`);
  return { at: 'router', eni: cardOf(instance, packet) };
}

/** It translates what comes from the VPC, gives replies to whom they are for, and takes nothing else. */
function onNatGateway(traveller: Traveller, reference: string, gateway: NatGateway): Stage {
  const { packet, isReply } = traveller;
  const { address, elastic } = gateway.eni.addresses[0];
  if (packet.isFragmented && packet.protocol !== 'udp') {
    const what = `${reference} takes no fragments of ${packet.protocol.toUpperCase()}`;
    return lost('NAT_FRAGMENTS', what, gateway.at);
  }
  if (traveller.restore(reference)) traveller.tell(`${reference} knows the connection`);
  else if (packet.destination === address) {
    const public_ = elastic === undefined ? '' : ` and ${elastic}`;
    return lost(
      'NAT_INBOUND',
      `${reference} lets nobody open a connection inwards: ${address}${public_} takes replies alone`,
      gateway.at,
      { by: reference },
    );
  } else if (isReply) {
    const what = `${reference} knows no connection that this packet belongs to`;
    return lost('NAT_NO_CONNECTION', what, gateway.at);
  } else if (packet.source === address) {
    return inCircle(traveller, reference);
  } else {
    const clause = `${reference} makes ${address} its source`;
    traveller.translate(reference, address, clause, TRANSLATED_PORTS);
  }
  traveller.forward();
  return { at: 'router', eni: gateway.eni };
}

/** Linux believes nobody who bears its own address (a "martian source"), and says nothing. */
function inCircle({ route }: Traveller, reference: string): Stage {
  return lost('ROUTING_LOOP', `a route leads what ${reference} sends back to ${reference}`, route);
}

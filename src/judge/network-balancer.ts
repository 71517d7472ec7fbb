/**
 * What a node of a Network Load Balancer does with a packet: the listener of its port, a target of its zone that is well, and
 * the way back for what the target answers.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/network/introduction.html
 */

import { usableTargets } from '../aws/network-load-balancer.ts';
import { hasAddress } from './places.ts';
import { lost, type Place, type Stage, TRANSLATED_PORTS, type Traveller } from './traveller.ts';

type BalancerPlace = Extract<Place, { kind: 'nlb' }>;

export function onNetworkLoadBalancer(traveller: Traveller, place: BalancerPlace): Stage {
  const { reference, balancer, node } = place;
  const { eni } = node;
  if (traveller.isReply) {
    traveller.restore(reference);
    const isKnown = traveller.restoreSource(reference);
    // What a health check is answered.
    if (!isKnown && hasAddress(eni, traveller.packet.destination)) return { at: 'arrived', place };
    traveller.forward();
    return { at: 'router', eni };
  }
  const { protocol, destinationPort } = traveller.packet;
  const listener = balancer.listeners.find(
    (one) => one.protocol === protocol && one.port === destinationPort.from,
  );
  if (listener === undefined) {
    const what =
      protocol === 'icmp' ? 'answers no ping' : `has no listener at ${destinationPort.from}`;
    return lost('NLB_NO_LISTENER', `${reference} ${what}, and drops it`, balancer.at, {
      by: reference,
    });
  }
  const { targetGroup: group } = listener;
  const all = usableTargets(balancer, node, group);
  const well = all.filter((target) => traveller.isWell(reference, target, group.healthCheck));
  const candidates = well.length > 0 ? well : all;
  if (candidates.length === 0) {
    const where = balancer.crossZone ? '' : ` in its zone, ${node.az}`;
    return lost(
      'NLB_NO_TARGETS',
      `target group ${group.name} of ${reference} has no targets${where}`,
      balancer.at,
      { by: reference },
    );
  }
  const target = traveller.pick(candidates);
  const many =
    candidates.length === 1
      ? 'its one target'
      : `one of ${candidates.length} targets, by flow hash,`;
  const state = well.length > 0 ? '' : ' of which none is healthy,';
  traveller.sendOn(reference, target.address, target.port, {
    clause: `${reference} hands it to ${target.who} (${target.address}:${target.port}), ${many}${state} of target group ${group.name}`,
    at: balancer.at,
    isMasqueraded: false,
  });
  if (group.proxyProtocol) {
    traveller.depends ??= `${reference} sends a header of proxy protocol first, and not every server knows it`;
  }
  if (group.preservesClient) traveller.handOn(eni);
  else {
    const { address } = eni.addresses[0];
    const clause = `${reference} makes its address ${address} the source`;
    traveller.translate(reference, address, clause, TRANSLATED_PORTS);
  }
  traveller.forward();
  return { at: 'router', eni };
}

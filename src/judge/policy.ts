/**
 * The two gates of a pod on its node: what NetworkPolicies let out of it, and what into it. Said in Kubernetes' words, from
 * an address to whoever has it and to the rules; that rules become sets of addresses is planned elsewhere
 * (src/eks/network-policy-agent.ts).
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation
 */

import type { Ipv4 } from '../base/ip.ts';
import type { Cloud } from '../cloud.ts';
import type { Node } from '../eks/node.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import type { NetworkPolicySpec, PolicyDirection, PolicyPeer } from '../k8s/network-policy.ts';
import { isInBlock } from '../k8s/network-policy-match.ts';
import type { PolicyPort } from '../k8s/network-policy-port.ts';
import { describePeers, describePorts } from '../k8s/network-policy-words.ts';
import { type Labels, matchesSelector } from '../k8s/selector.ts';
import { nodePlace, reference } from './places.ts';
import { isLoopback } from './service.ts';
import { lost, type Lost, type Packet, type Traveller } from './traveller.ts';

const WORD = { ingress: 'from', egress: 'to' } as const;

/** Answers pass, for they belong to a connection; so does what a node and a pod on it have with each other. */
export function passPolicies(
  traveller: Traveller,
  pod: Pod,
  node: Node,
  direction: PolicyDirection,
): Lost | undefined {
  const { cloud, packet } = traveller;
  const peer = direction === 'egress' ? packet.destination : packet.source;
  const policies = (cloud.cluster?.networkPolicies ?? [])
    .map(({ spec }) => spec)
    .filter((spec) => spec[direction] !== undefined && selects(spec, pod));
  if (policies.length === 0 || traveller.isReply || packet.isError) return undefined;
  const where = reference(pod);
  const isOfNode = peer === node.interfaces[0].addresses[0].address || isLoopback(peer);
  if (isOfNode || peer === pod.address) {
    const who = isOfNode ? `${nodePlace(node).reference} and a pod on it` : 'a pod and itself';
    traveller.note(`network policies say nothing of what ${who} have with each other`);
    return undefined;
  }
  for (const policy of policies) {
    const rule = policy[direction]?.find(
      (one) =>
        (one.peers === undefined || one.peers.some((who) => isMeant(cloud, policy, who, peer))) &&
        (one.ports === undefined ||
          one.ports.some((port) => isThatPort(port, packet, ownersOf(cloud, packet.destination)))),
    );
    if (rule === undefined) continue;
    const words = `${describePorts(rule)} ${WORD[direction]} ${describePeers(rule, policy)}`;
    traveller.note(`${policy.reference} ${direction} of ${where}: a rule allows ${words}`, rule.at);
    return undefined;
  }
  const [first] = policies;
  const all = policies.map((one) => one.reference);
  const subject =
    all.length === 1 ? `${all.join('')}, which selects` : `${all.join(', ')}, which all select`;
  const whom = nameOf(cloud, peer);
  return lost(
    'NETWORK_POLICY',
    `no ${direction} rule of ${subject} ${where}, allows ${renderHeader(packet)} ${WORD[direction]} ${whom}`,
    first?.at,
    {
      by: `${all.join(',')} ${direction}`,
      remedy: `add to spec.${direction} of ${all[0] ?? ''}: ${ruleFor(cloud, pod, packet, direction, peer)}`,
    },
  );
}

function selects({ namespace, selector }: NetworkPolicySpec, { spec }: Pod): boolean {
  return spec.namespace === namespace && matchesSelector(selector, spec.labels);
}

/** All that have the address: on a node's own network that may be several. */
function ownersOf({ pods }: Cloud, address: Ipv4): Pod[] {
  return pods.filter((pod) => pod.address === address);
}

function isMeant(cloud: Cloud, policy: NetworkPolicySpec, peer: PolicyPeer, who: Ipv4): boolean {
  if (peer.kind === 'block') return isInBlock(peer, who);
  return ownersOf(cloud, who).some(({ spec }) => {
    const labels = cloud.cluster?.namespaces.get(spec.namespace) ?? {};
    const isThere =
      peer.namespaces === undefined
        ? spec.namespace === policy.namespace
        : matchesSelector(peer.namespaces, labels);
    return isThere && (peer.pods === undefined || matchesSelector(peer.pods, spec.labels));
  });
}

function isThatPort(
  { protocol, port }: PolicyPort,
  packet: Packet,
  receivers: readonly Pod[],
): boolean {
  if (packet.protocol !== protocol) return false;
  if (port === undefined) return true;
  const { from } = packet.destinationPort;
  if (port.kind === 'range') return port.from <= from && from <= port.to;
  return receivers.some(({ spec }) =>
    spec.ports.some(
      (one) => one.name === port.name && one.protocol === protocol && one.containerPort === from,
    ),
  );
}

function nameOf(cloud: Cloud, address: Ipv4): string {
  const [owner] = ownersOf(cloud, address);
  return owner === undefined ? address : `${reference(owner)} (${address})`;
}

function renderHeader({ protocol, destinationPort }: Packet): string {
  return protocol === 'icmp' ? 'icmp' : `${protocol} ${destinationPort.from}`;
}

/** A rule that lets the packet pass, on one line. */
function ruleFor(
  cloud: Cloud,
  { spec: { namespace } }: Pod,
  packet: Packet,
  direction: PolicyDirection,
  peer: Ipv4,
): string {
  const [owner] = ownersOf(cloud, peer);
  const ofNamespace =
    owner === undefined || owner.spec.namespace === namespace
      ? ''
      : `namespaceSelector: ${selectorFor({ 'kubernetes.io/metadata.name': owner.spec.namespace })}, `;
  const whom =
    owner === undefined
      ? `{ ipBlock: { cidr: ${peer}/32 } }`
      : `{ ${ofNamespace}podSelector: ${selectorFor(owner.spec.labels)} }`;
  const { protocol, destinationPort } = packet;
  const ports =
    protocol === 'icmp'
      ? ''
      : `, ports: [{ protocol: ${protocol.toUpperCase()}, port: ${destinationPort.from} }]`;
  return `{ ${WORD[direction]}: [${whom}]${ports} }`;
}

function selectorFor(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}: ${value}`);
  return pairs.length === 0 ? '{}' : `{ matchLabels: { ${pairs.join(', ')} } }`;
}

/**
 * The network policy agent: what enforces NetworkPolicies on a node.
 *
 * Kernel: rules in filter of the node. What comes from a pod's link meets NETPOL-EGRESS (FORWARD and INPUT), what goes to
 * one NETPOL-INGRESS (FORWARD and OUTPUT). Both know each pod by address and link (`eni…`; `vlan…` of a pod with a branch
 * ENI in mode strict), from sets: for each policy the pods that it selects, for each of its peers the addresses. A policy
 * has a chain for what it allows in a direction and one for what becomes of the rest: a line in the log of denied packets,
 * and a silent drop. A policy stands on each node that runs pods of its namespace, whether it selects them or not, so that
 * another label changes members of sets alone.
 *
 * Packet's story: new connection -> the gate's own exceptions (answers, the node itself, the pod itself) -> the chain of
 * each policy that selects the pod, one of which may mark it as allowed -> on its way, or the first policy drops it.
 *
 * The rules stand before kube-proxy's, which accept in FORWARD what they have marked. Both of a pod's gates see the
 * packet behind a Service's DNAT and before any SNAT. A branch ENI's security groups are asked as well, on the VPC's side.
 *
 * @fidelity invented - the real agent attaches eBPF programs to each pod's link. On the way out they see a Service's
 *   address and port, before DNAT (so the controller adds the ClusterIPs of Services whose selector the rule matches, and
 *   port and targetPort must be equal), and on the way in the source that a node has put into its place; an `except` of
 *   one rule denies for all; at most 24 ports for each peer; a named port of a rule without pods in it allows nothing;
 *   pods are open for a moment until their policies arrive. Here it is as the API says, from the first packet on.
 * @see aws-network-policy-agent pkg/ebpf/bpf_client.go; amazon-vpc-cni-k8s docs/network-policy-faq.md
 */

import { logIptables } from '../aws/drop-log.ts';
import { type Because, because } from '../base/because.ts';
import { DIRECTIONS, type NetworkPolicySpec, type PolicyDirection } from '../k8s/network-policy.ts';
import type { NetworkPolicy } from '../k8s/network-policy-match.ts';
import { podReference } from '../k8s/pod.ts';
import { Fragment, IPTABLES_ORDER } from '../kernel/fragment.ts';
import type { IpSet } from '../kernel/state.ts';
import {
  allowChain,
  denyChain,
  GATE_CHAIN,
  LOCAL_PODS_SET,
  selectedSet,
} from './network-policy-names.ts';
import { ALLOWED_MARK, allowRules, comment, memberComment } from './network-policy-rules.ts';
import type { Node } from './node.ts';
import type { Pod } from './vpc-cni.ts';

/** Where each gate hangs. A node's own programs are behind INPUT and OUTPUT, and have no gate themselves. */
const HOOKS: readonly (readonly [chain: string, direction: PolicyDirection])[] = [
  ['FORWARD', 'egress'],
  ['FORWARD', 'ingress'],
  ['INPUT', 'egress'],
  ['OUTPUT', 'ingress'],
];

/** For a gate: which side of a packet the pod is on, for its address and its link; and which the peer is on. */
const SIDE = { egress: 'src', ingress: 'dst' } as const;
const PEER_OPTION = { egress: '-d', ingress: '-s' } as const;
/** Whose link it comes from is who it is for, and the other way round. */
const SELF = { egress: 'dst,src', ingress: 'src,dst' } as const;

/** The policies that stand on a node. */
export function policiesOn<Policy extends { readonly spec: NetworkPolicySpec }>(
  node: Node,
  policies: readonly Policy[],
): Policy[] {
  const namespaces = new Set(podsWithLinks(node).map(({ spec }) => spec.namespace));
  return policies.filter(({ spec }) => namespaces.has(spec.namespace));
}

function podsWithLinks({ pods }: Node): Pod[] {
  return pods.filter(({ hostVeth }) => hostVeth !== undefined);
}

export function planNetworkPolicies(
  node: Node,
  all: readonly NetworkPolicy<Pod>[],
  allPods: readonly Pod[],
): Fragment {
  const fragment = new Fragment();
  const here = policiesOn(node, all);
  if (here.length === 0) return fragment;
  const { netns } = node;
  const why = because('network-policy-agent', `node/${node.name}`, node.at);
  const isolating = (direction: PolicyDirection): NetworkPolicy<Pod>[] =>
    here.filter((policy) => policy[direction] !== undefined);
  for (const [chain, direction] of HOOKS) {
    if (isolating(direction).length === 0) continue;
    fragment.add(why, {
      kind: 'iptables-rule',
      netns,
      table: 'filter',
      chain,
      order: IPTABLES_ORDER.networkPolicy,
      rule: `${comment(`network policies, ${direction} of pods`)} -j ${GATE_CHAIN[direction]}`,
    });
  }
  fragment.add(why, linkedPods(node, LOCAL_PODS_SET, podsWithLinks(node)));
  for (const direction of DIRECTIONS) {
    const policies = isolating(direction);
    if (policies.length === 0) continue;
    const rules = gateRules(node, policies, direction);
    const chain = GATE_CHAIN[direction];
    fragment.add(why, { kind: 'iptables-chain', netns, table: 'filter', chain, rules });
  }
  for (const policy of here) fragment.addAll(planPolicy(node, policy, allPods));
  return fragment;
}

function gateRules(
  node: Node,
  policies: readonly NetworkPolicy<Pod>[],
  direction: PolicyDirection,
): string[] {
  const side = SIDE[direction];
  const { address } = node.interfaces[0].addresses[0];
  const jumps = (chainOf: typeof allowChain): string[] =>
    policies.map(({ spec: { reference } }) => {
      const isSelected = `-m set --match-set ${selectedSet(reference)} ${side},${side}`;
      return `${isSelected} ${comment(`${reference} ${direction}`)} -j ${chainOf(reference, direction)}`;
    });
  const itself = `${comment('the node itself')} -j RETURN`;
  return [
    // What belongs to no connection (INVALID) opens none, and is kube-proxy's to drop.
    `-m conntrack --ctstate INVALID,RELATED,ESTABLISHED ${comment('of a connection that was let pass')} -j RETURN`,
    `${PEER_OPTION[direction]} ${address}/32 ${itself}`,
    `${PEER_OPTION[direction]} 127.0.0.0/8 ${itself}`,
    `-m set --match-set ${LOCAL_PODS_SET} ${SELF[direction]} ${comment('the pod itself')} -j RETURN`,
    `-j MARK --set-xmark 0x0/0x10000`,
    ...jumps(allowChain),
    `-m mark --mark ${ALLOWED_MARK} ${comment('a policy allows it')} -j RETURN`,
    ...jumps(denyChain),
  ];
}

function planPolicy(node: Node, policy: NetworkPolicy<Pod>, allPods: readonly Pod[]): Fragment {
  const { spec } = policy;
  const { netns } = node;
  const why: Because = because('network-policy', spec.reference, spec.at);
  const selected = policy.selected.filter((pod) => pod.node === node.name);
  const fragment = new Fragment().add(why, linkedPods(node, selectedSet(spec.reference), selected));
  for (const direction of DIRECTIONS) {
    if (policy[direction] === undefined) continue;
    const { rules, sets } = allowRules(netns, node.name, policy, direction, allPods);
    const chain = { kind: 'iptables-chain', netns, table: 'filter' } as const;
    fragment.add(
      why,
      ...sets,
      { ...chain, chain: allowChain(spec.reference, direction), rules },
      {
        ...chain,
        chain: denyChain(spec.reference, direction),
        rules: [
          `${comment(`${spec.reference} ${direction}: no policy allows it`)} ${logIptables(denialReason(spec, direction))}`,
          '-j DROP',
        ],
      },
    );
  }
  return fragment;
}

/** Each pod by its address and its link, so that nobody passes for another. */
function linkedPods({ netns }: Node, set: string, pods: readonly Pod[]): IpSet {
  const members = pods.map(({ address, hostVeth = '', spec }) => {
    const said = memberComment(podReference(spec.namespace, spec.name));
    return `${address},${hostVeth} ${said}`;
  });
  return { kind: 'ipset', netns, set, type: 'hash:net,iface', members: members.sort() };
}

/** What is left of the log's 63 bytes for a policy's name. */
const MAX_NAME_BYTES = 48;

/** As the log of denied packets says it: `NETPOL shop/api-allow ingress`. */
function denialReason(
  { namespace, name }: Pick<NetworkPolicySpec, 'namespace' | 'name'>,
  direction: PolicyDirection,
): string {
  const full = `${namespace}/${name}`;
  const said = full.length > MAX_NAME_BYTES ? `${full.slice(0, MAX_NAME_BYTES - 1)}~` : full;
  return `NETPOL ${said} ${direction}`;
}

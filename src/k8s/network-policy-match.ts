/**
 * Whom a NetworkPolicy means: its selectors as the pods that they find, at the addresses that these have.
 *
 * A pod with hostNetwork is selected by no policy, for it has no link of its own where one could be enforced; as a peer it
 * stands for its node's address, which lets in all that speaks from there.
 *
 * @see amazon-network-policy-controller-k8s@03e22b50 pkg/resolvers/endpoints.go getMatchingPodAddresses
 */

import type { Diagnostics } from '../base/diagnostic.ts';
import { type Cidr, contains, type Ipv4 } from '../base/ip.ts';
import type { NetworkPolicySpec, PolicyPeer, PolicyRule } from './network-policy.ts';
import type { PolicyPort } from './network-policy-port.ts';
import { describeSelected } from './network-policy-words.ts';
import type { PodSpec } from './pod.ts';
import { type Labels, matchesSelector } from './selector.ts';

/** What one needs to know of a pod. */
export interface PolicyPod {
  readonly spec: PodSpec;
  readonly address: Ipv4;
}

export interface NetworkPolicy<Pod extends PolicyPod = PolicyPod> {
  readonly spec: NetworkPolicySpec;
  readonly selected: readonly Pod[];
  readonly ingress: readonly MatchedRule<Pod>[] | undefined;
  readonly egress: readonly MatchedRule<Pod>[] | undefined;
}

export interface MatchedRule<Pod extends PolicyPod = PolicyPod> {
  readonly spec: PolicyRule;
  /** Undefined: everybody. */
  readonly peers: readonly MatchedPeer<Pod>[] | undefined;
}

export interface MatchedPeer<Pod extends PolicyPod = PolicyPod> {
  readonly spec: PolicyPeer;
  /** Of a block: the pods that have an address of it. */
  readonly pods: readonly Pod[];
}

/** Binds all policies; by their references' order, which is that of the rules on the nodes. */
export function matchPolicies<Pod extends PolicyPod>(
  policies: readonly NetworkPolicySpec[],
  pods: readonly Pod[],
  namespaces: ReadonlyMap<string, Labels>,
): NetworkPolicy<Pod>[] {
  return policies
    .map((spec): NetworkPolicy<Pod> => {
      const match = (rules: readonly PolicyRule[] | undefined): MatchedRule<Pod>[] | undefined =>
        rules?.map((rule) => ({
          spec: rule,
          peers: rule.peers?.map((peer) => ({
            spec: peer,
            pods: pods.filter((pod) => isPeer(spec, peer, pod, namespaces)),
          })),
        }));
      return {
        spec,
        selected: pods.filter(({ spec: pod }) => isSelected(spec, pod)),
        ingress: match(spec.ingress),
        egress: match(spec.egress),
      };
    })
    .sort((one, other) => (one.spec.reference < other.spec.reference ? -1 : 1));
}

/** A policy that selects nothing is right, and mostly a mistake: reports `policy-selects-nothing`. */
export function warnOfIdle(policies: readonly NetworkPolicy[], diagnostics: Diagnostics): void {
  for (const { spec, selected } of policies) {
    if (selected.length > 0) continue;
    const { name, namespace, selector, at } = spec;
    diagnostics.warning(
      'policy-selects-nothing',
      at,
      `NetworkPolicy "${name}" selects no pod: there are no ${describeSelected(selector, 'pods').replace(/^all /, '')} in namespace "${namespace}"`,
      'pods with hostNetwork are not counted: no policy is enforced for them',
    );
  }
}

function isSelected({ namespace, selector }: NetworkPolicySpec, pod: PodSpec): boolean {
  return pod.namespace === namespace && !pod.hostNetwork && matchesSelector(selector, pod.labels);
}

function isPeer(
  policy: NetworkPolicySpec,
  peer: PolicyPeer,
  { spec: pod, address }: PolicyPod,
  namespaces: ReadonlyMap<string, Labels>,
): boolean {
  if (peer.kind === 'block') return isInBlock(peer, address);
  const isThere =
    peer.namespaces === undefined
      ? pod.namespace === policy.namespace
      : matchesSelector(peer.namespaces, namespaces.get(pod.namespace) ?? {});
  return isThere && (peer.pods === undefined || matchesSelector(peer.pods, pod.labels));
}

export function isInBlock(
  { cidr, except }: { readonly cidr: Cidr; readonly except: readonly Cidr[] },
  address: Ipv4,
): boolean {
  return contains(cidr, address) && !except.some((one) => contains(one, address));
}

/** The ports of a pod that a named port of a rule means: none where it has no port of that name and protocol. */
export function portsNamed(
  { spec }: PolicyPod,
  { protocol }: Pick<PolicyPort, 'protocol'>,
  name: string,
): number[] {
  return spec.ports
    .filter((one) => one.name === name && one.protocol === protocol)
    .map(({ containerPort }) => containerPort);
}

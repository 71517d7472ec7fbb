/** One NetworkPolicy: whom it selects, whom its rules mean and at which ports, and commands that show it on a node. */

import { renderSourceRef } from '../base/diagnostic.ts';
import { renderReference } from '../base/reference.ts';
import type { Cloud } from '../cloud.ts';
import { allowChain, GATE_CHAIN, selectedSet } from '../eks/network-policy-names.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import type { PolicyDirection } from '../k8s/network-policy.ts';
import type { NetworkPolicy } from '../k8s/network-policy-match.ts';
import { describePeer, describePorts, describeSelected } from '../k8s/network-policy-words.ts';
import { podReference } from '../k8s/pod.ts';
import type { Section } from './section.ts';
import type { ThingDescription } from './thing.ts';

/** In the order in which Kubernetes names them. */
const DIRECTIONS = ['ingress', 'egress'] as const;

export function describePolicy(policy: NetworkPolicy<Pod>): ThingDescription {
  const { spec, selected } = policy;
  const isolates = DIRECTIONS.filter((direction) => spec[direction] !== undefined);
  return {
    thing: spec.reference,
    facts: [
      ['selects', `${describeSelected(spec.selector, 'pods')} of ${spec.namespace}`],
      ['isolates for', isolates.join(' and ')],
      ['declared', renderSourceRef(spec.at)],
    ],
    sections: [
      {
        title: 'pods',
        headers: ['POD', 'ADDRESS', 'NODE', 'NODE SIDE'],
        rows: selected.map((pod) => [nameOf(pod), pod.address, pod.node, pod.hostVeth ?? '']),
      },
      {
        title: 'rules',
        headers: ['DIRECTION', 'RULE', 'PEER', 'PORTS', 'WHO THAT IS', 'WRITTEN'],
        saidOnce: ['DIRECTION'],
        rows: isolates.flatMap((direction) => ruleRows(policy, direction)),
      },
    ],
    lookInside: lookInside(policy, isolates),
  };
}

function ruleRows(policy: NetworkPolicy<Pod>, direction: PolicyDirection): Section['rows'] {
  const rules = policy[direction] ?? [];
  if (rules.length === 0) return [[direction, '', 'nobody', '', '', '']];
  return rules.flatMap(({ spec: rule, peers }, index) => {
    const [ports, written] = [describePorts(rule), renderSourceRef(rule.at)];
    if (peers === undefined) return [[direction, index + 1, 'everybody', ports, '', written]];
    return peers.map(({ spec: peer, pods }) => {
      const whom = describePeer(peer, policy.spec);
      return [direction, index + 1, whom, ports, pods.map(nameOf).join(', '), written];
    });
  });
}

/** All policies of a cluster. */
export function policySections(cloud: Cloud): Section[] {
  return [
    {
      title: 'network policies',
      headers: ['POLICY', 'SELECTS', 'INGRESS', 'EGRESS'],
      rows: (cloud.cluster?.networkPolicies ?? []).map(({ spec, selected }) => [
        spec.reference,
        selected.map(nameOf).join(', ') || 'nobody',
        ...DIRECTIONS.map((direction) => {
          const rules = spec[direction];
          if (rules === undefined) return 'open';
          return rules.length === 0 ? 'closed' : `closed but for ${rules.length}`;
        }),
      ]),
    },
  ];
}

function nameOf({ spec }: Pod): string {
  return podReference(spec.namespace, spec.name);
}

function lookInside(
  { spec, selected }: NetworkPolicy<Pod>,
  isolates: readonly PolicyDirection[],
): ThingDescription['lookInside'] {
  const [pod] = selected;
  if (pod === undefined) return [];
  const where = renderReference('node', pod.node);
  return [
    ...isolates.flatMap((direction): [string, string][] => [
      [where, `iptables -L ${GATE_CHAIN[direction]} -n -v`],
      [where, `iptables -L ${allowChain(spec.reference, direction)} -n -v`],
    ]),
    [where, `ipset list ${selectedSet(spec.reference)}`],
  ];
}

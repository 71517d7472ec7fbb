/**
 * Security groups for pods: a pod that a SecurityGroupPolicy selects has a branch ENI of its own, on a trunk of its node,
 * and its groups stand there instead of the node's.
 *
 * Kernel: `vlan.eth.1` on the node is the branch, with a table of its own (101). Enforcing mode `strict`: whatever comes
 * from the pod or from the branch is routed by that table before anything else is asked (rule 10; the rule of local
 * addresses moves from 0 to 20, behind it), so that all of it meets the VPC, what is for a neighbour on the same node too.
 * Mode `standard`: the pod is its node's neighbour like any other (rules 512 and 1536), and only what leaves for the VPC
 * takes the branch; what leaves for outside bears the node's address and meets the node's groups.
 *
 * A connection from the node itself to a strict pod (a probe of the kubelet) fails while the node looks up sockets early:
 * the answer is taken for one of the node's own before it is forwarded. `DISABLE_TCP_EARLY_DEMUX` is for that.
 *
 * A branch has no address on the node. What the node masquerades on its way out by a branch (the pod asks a node port)
 * bears the node's own address, which the source/destination check of the branch's ENI drops.
 *
 * @fidelity same - names, rules, tables, priorities, limits; simplified - the branch is a cable of its own, where EC2 tags
 *   its frames on the trunk's; the trunk stands, and carries nothing
 * @see amazon-vpc-cni-k8s@b5218838 cmd/routed-eni-cni-plugin/driver/driver.go SetupBranchENIPodNetwork
 * @see https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html
 */

import type { NetworkInterface } from '../aws/network-interface.ts';
import { resolveGroupsOfEni } from '../aws/security-group.ts';
import type { VpcGround } from '../aws/vpc.ts';
import type { Because } from '../base/because.ts';
import type { Diagnostics } from '../base/diagnostic.ts';
import { type PodSpec, podReference } from '../k8s/pod.ts';
import { type SecurityGroupPolicySpec, selectsPod } from '../k8s/security-group-policy.ts';
import { Fragment } from '../kernel/fragment.ts';
import { eniTable } from './eni-table.ts';

/** How a branch ENI enforces. @see amazon-vpc-cni-k8s README.md POD_SECURITY_GROUP_ENFORCING_MODE */
export const ENFORCING_MODES = ['strict', 'standard'] as const;
export type EnforcingMode = (typeof ENFORCING_MODES)[number];

/** What makes a pod's ENI one that the pod has for itself. */
export interface BranchEni {
  /** The tag on the trunk, and what the names of link and table are made of: 1, 2, … */
  readonly vlanId: number;
  readonly mode: EnforcingMode;
}

/** @see driver.go vlanRulePriority, cmd/aws-vpc-cni/main.go; pkg/networkutils/network.go localRulePriority */
const VLAN_RULE_PRIORITY = 10;
export const LOCAL_RULE_PRIORITY = 20;
/** The host side of a strict pod, instead of `eni`. */
export const STRICT_VETH_PREFIX = 'vlan';

export function branchLink({ vlanId }: BranchEni): string {
  return `vlan.eth.${vlanId}`;
}

export function branchTable({ vlanId }: BranchEni): number {
  return 100 + vlanId;
}

/** The groups of each pod that a policy selects, by its reference; of several policies all are meant. */
export function resolvePodGroups(
  policies: readonly SecurityGroupPolicySpec[],
  pods: readonly PodSpec[],
  vpc: VpcGround,
  isOn: boolean,
  diagnostics: Diagnostics,
): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const names = new Map([...vpc.securityGroups.values()].map(({ id, name }) => [id, name]));
  for (const policy of policies) {
    const written = policy.groupIds.map((word) => names.get(word) ?? word);
    const groups = resolveGroupsOfEni(vpc, written, policy.groupsWhere, diagnostics);
    const selected = pods.filter((pod) => !pod.hostNetwork && selectsPod(policy, pod));
    if (!isOn) {
      diagnostics.warning(
        'pod-eni-is-off',
        policy.where.at('metadata', 'name'),
        `SecurityGroupPolicy "${policy.name}" has no effect: ENABLE_POD_ENI is not true`,
        'set cluster.cni.ENABLE_POD_ENI: true',
      );
      continue;
    }
    if (selected.length === 0) {
      diagnostics.warning(
        'policy-selects-nothing',
        policy.where.at('metadata', 'name'),
        `SecurityGroupPolicy "${policy.name}" selects no pod of namespace "${policy.namespace}"`,
      );
    }
    for (const pod of selected) {
      const reference = podReference(pod.namespace, pod.name);
      found.set(reference, [...new Set([...(found.get(reference) ?? []), ...groups])]);
    }
  }
  return found;
}

/** The branch on the node; in mode strict it and its pod are heard before anything else. */
export function planBranchEni(
  eni: NetworkInterface,
  branch: BranchEni,
  hostVeth: string,
  why: Because,
): Fragment {
  const table = branchTable(branch);
  const fragment = new Fragment().add(why, ...eniTable(eni, table));
  if (branch.mode === 'standard') return fragment;
  const rule = { kind: 'rule', netns: eni.netns, priority: VLAN_RULE_PRIORITY, table } as const;
  return fragment.add(why, { ...rule, incoming: eni.link }, { ...rule, incoming: hostVeth });
}

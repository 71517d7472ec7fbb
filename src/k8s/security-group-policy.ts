/**
 * SecurityGroupPolicy: which pods get an ENI of their own, with which security groups.
 *
 * It selects pods of its own namespace by their labels. What becomes of them is in src/eks/pod-eni.ts.
 *
 * @fidelity simplified - `groupIds` may hold names of the lab's groups beside ids; a serviceAccountSelector is refused,
 *   for service accounts are not read
 * @see https://docs.aws.amazon.com/eks/latest/userguide/sg-pods-example-deployment.html
 * @see amazon-vpc-resource-controller-k8s apis/vpcresources/v1beta1/securitygrouppolicy_types.go
 */

import * as z from 'zod';

import type { Diagnostics } from '../base/diagnostic.ts';
import type { Where } from '../source/yaml.ts';
import { type KubernetesObject, readSpec } from './object.ts';
import type { PodSpec } from './pod.ts';
import { type LabelSelector, labelSelectorSchema, matchesSelector } from './selector.ts';

export interface SecurityGroupPolicySpec {
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector;
  readonly groupIds: readonly string[];
  /** Where the list of groups stands. */
  readonly groupsWhere: Where;
  readonly where: Where;
}

export const securityGroupPolicySchema = z.looseObject({
  spec: z.looseObject({
    podSelector: labelSelectorSchema.nullish(),
    serviceAccountSelector: z.looseObject({}).nullish(),
    securityGroups: z.looseObject({ groupIds: z.array(z.string()).min(1) }),
  }),
});

/** Reports `service-account-selector` and `missing-selector`. */
export function readSecurityGroupPolicy(
  object: KubernetesObject,
  diagnostics: Diagnostics,
): SecurityGroupPolicySpec | undefined {
  const written = readSpec(securityGroupPolicySchema, object, diagnostics);
  const { tree, path, namespace, name } = object;
  if (written === undefined) return undefined;
  const { podSelector, serviceAccountSelector, securityGroups } = written.spec;
  if (serviceAccountSelector !== null && serviceAccountSelector !== undefined) {
    diagnostics.error(
      'service-account-selector',
      tree.keyAt([...path, 'spec', 'serviceAccountSelector']),
      `SecurityGroupPolicy "${name}" selects by service account, which Hoplab does not read`,
      'select by "podSelector:"',
    );
    return undefined;
  }
  if (podSelector === null || podSelector === undefined) {
    diagnostics.error(
      'missing-selector',
      object.at,
      `SecurityGroupPolicy "${name}" selects nothing`,
      'add "podSelector: { matchLabels: { … } }"; an empty one, {}, selects every pod of the namespace',
    );
    return undefined;
  }
  const where = tree.where().in(...path);
  return {
    namespace,
    name,
    selector: podSelector,
    groupIds: securityGroups.groupIds,
    groupsWhere: where.in('spec', 'securityGroups', 'groupIds'),
    where,
  };
}

export function selectsPod(policy: SecurityGroupPolicySpec, pod: PodSpec): boolean {
  return policy.namespace === pod.namespace && matchesSelector(policy.selector, pod.labels);
}

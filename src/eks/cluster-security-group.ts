/**
 * The cluster security group, which EKS makes with the cluster and gives to every node: its members reach each other on
 * all ports, and everybody outside. So pods of different nodes reach each other without a rule of anybody's.
 *
 * A lab that declares a group of this name in the cluster's VPC says itself what is in it.
 *
 * @fidelity same - rules and members; simplified - the name is EKS's without the cluster's name and a random end
 * @see https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html "Default cluster security group"
 */

import { DEFAULT_SECURITY_GROUP_SPEC, type SecurityGroupSpec } from '../aws/security-group.ts';

export const CLUSTER_SECURITY_GROUP = 'eks-cluster-sg';

/** The rules that AWS's own default group has too. */
export const CLUSTER_SECURITY_GROUPS: Readonly<Record<string, SecurityGroupSpec>> = {
  [CLUSTER_SECURITY_GROUP]: DEFAULT_SECURITY_GROUP_SPEC,
};

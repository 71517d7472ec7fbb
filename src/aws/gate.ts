/**
 * A gate by its name: `sg/web` is a security group, `acl/private` a network ACL. Names are a VPC's own, and every VPC has
 * a `default` of both, so where two VPCs have one of the same name the VPC's stands between: `sg/main/web`.
 */

import type { NetworkAcl } from './network-acl.ts';
import type { NetworkInterface } from './network-interface.ts';
import { membersOf, type SecurityGroup } from './security-group.ts';
import type { Subnet } from './subnet.ts';
import type { Vpc } from './vpc.ts';

interface GateIn<Kind, What> {
  readonly kind: Kind;
  /** The shortest word that means it alone. */
  readonly reference: string;
  readonly vpc: Vpc;
  readonly is: What;
}

export type GroupGate = GateIn<'sg', SecurityGroup> & {
  /** The ENIs that carry it. */
  readonly members: readonly NetworkInterface[];
};
export type AclGate = GateIn<'acl', NetworkAcl> & { readonly subnets: readonly Subnet[] };
export type Gate = GroupGate | AclGate;

/** All that there are, also those that AWS makes unasked. */
export function gatesOf(vpcs: Iterable<Vpc>): Gate[] {
  const all = [...vpcs];
  const name = (kind: Gate['kind'], vpc: Vpc, one: string): string => {
    const having = all.filter(({ securityGroups, networkAcls }) =>
      (kind === 'sg' ? securityGroups : networkAcls).has(one),
    );
    return having.length > 1 ? `${kind}/${vpc.name}/${one}` : `${kind}/${one}`;
  };
  return all.flatMap((vpc): Gate[] => [
    ...[...vpc.securityGroups.values()].map((is): GroupGate => ({
      kind: 'sg',
      reference: name('sg', vpc, is.name),
      vpc,
      is,
      members: membersOf(vpc.interfaces, is.name),
    })),
    ...[...vpc.networkAcls.values()].map((is): AclGate => ({
      kind: 'acl',
      reference: name('acl', vpc, is.name),
      vpc,
      is,
      subnets: [...vpc.subnets.values()].filter(({ networkAcl }) => networkAcl === is.name),
    })),
  ]);
}

/** Whether anybody would miss it: what nobody declared and nothing carries is there, and says nothing. */
export function isOfInterest(gate: Gate): boolean {
  const carriers = gate.kind === 'sg' ? gate.members : gate.subnets;
  return gate.is.isDeclared || carriers.length > 0;
}

/** By the words of a person, with the VPC or without it; several where the word leaves open which. */
export function findGates(vpcs: Iterable<Vpc>, word: string): Gate[] {
  return gatesOf(vpcs).filter(
    ({ kind, vpc, is }) =>
      word === `${kind}/${is.name}` || word === `${kind}/${vpc.name}/${is.name}`,
  );
}

/** The security groups and network ACLs of a VPC, as they stand in the tables of a whole lab. */

import { gatesOf, isOfInterest } from '../aws/gate.ts';
import type { Vpc } from '../aws/vpc.ts';
import type { Cloud } from '../cloud.ts';
import { aclRules, groupRules, memberNames } from './gate-rules.ts';
import type { Section } from './section.ts';

/** More than these are counted: the gate itself, when asked for, names them all. */
const NAMES_SHOWN = 4;

export function gateSections(cloud: Cloud, vpc: Vpc): Section[] {
  const gates = gatesOf(cloud.vpcs.values()).filter((one) => one.vpc === vpc && isOfInterest(one));
  const nameOf = memberNames(cloud);
  return [
    {
      title: 'network ACLs',
      headers: ['ACL', 'SUBNETS', 'DIRECTION', 'RULE', 'ACTION', 'WHAT'],
      saidOnce: ['ACL', 'SUBNETS'],
      rows: gates.flatMap((gate) => {
        if (gate.kind !== 'acl') return [];
        const subnets = few(gate.subnets.map(({ name }) => name));
        return aclRules(gate).map(({ direction, number, action, what }) => {
          return [gate.reference, subnets, direction, number, action, what];
        });
      }),
    },
    {
      title: 'security groups',
      headers: ['GROUP', 'DIRECTION', 'RULE', 'MEMBERS'],
      saidOnce: ['GROUP', 'MEMBERS'],
      rows: gates.flatMap((gate) => {
        if (gate.kind !== 'sg') return [];
        const members = few(gate.members.map(nameOf));
        return groupRules(gate).map(({ direction, what }) => {
          return [gate.reference, direction, what, members];
        });
      }),
    },
  ];
}

function few(names: readonly string[]): string {
  if (names.length <= NAMES_SHOWN) return names.join(', ');
  const shown = names.slice(0, NAMES_SHOWN - 1).join(', ');
  return `${shown} and ${names.length - NAMES_SHOWN + 1} more`;
}

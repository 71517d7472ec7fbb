/** One security group or network ACL: its rules, who is behind it, and commands that show it in the kernel. */

import type { AclGate, Gate, GroupGate } from '../aws/gate.ts';
import { aclChain } from '../aws/network-acl.ts';
import { groupChain, groupSet, renderPeer } from '../aws/security-group.ts';
import { renderSourceRef } from '../base/diagnostic.ts';
import { renderReference } from '../base/reference.ts';
import type { Cloud } from '../cloud.ts';
import { aclRules, groupRules, memberNames } from './gate-rules.ts';
import type { ThingDescription } from './thing.ts';

export function describeGate(cloud: Cloud, gate: Gate): ThingDescription {
  return gate.kind === 'sg' ? describeGroup(cloud, gate) : describeAcl(gate);
}

function describeGroup(cloud: Cloud, gate: GroupGate): ThingDescription {
  const { vpc, is: group, members } = gate;
  const nameOf = memberNames(cloud);
  const referring = [...vpc.securityGroups.values()].filter(
    (other) =>
      other !== group &&
      [...other.ingress, ...other.egress].some(
        ({ peer }) => renderPeer(peer) === `sg/${group.name}`,
      ),
  );
  return {
    thing: gate.reference,
    facts: [
      ...factsOf(gate),
      ['named by rules of', referring.map(({ name }) => `sg/${name}`).join(', ') || undefined],
    ],
    sections: [
      {
        title: 'rules',
        headers: ['DIRECTION', 'RULE', 'WRITTEN'],
        rows: groupRules(gate).map(({ direction, what, at }) => [direction, what, at]),
      },
      {
        title: 'members',
        headers: ['ENI', 'SUBNET', 'ADDRESSES'],
        rows: members.map((eni) => [
          nameOf(eni),
          eni.subnet.name,
          eni.addresses.map(({ address }) => address).join(', '),
        ]),
      },
    ],
    lookInside: inside(
      gate,
      `chain inet vpc ${groupChain(group.name, 'ingress')}`,
      `chain inet vpc ${groupChain(group.name, 'egress')}`,
      `set inet vpc ${groupSet(group.name)}`,
    ),
  };
}

function describeAcl(gate: AclGate): ThingDescription {
  const { is: acl, subnets } = gate;
  return {
    thing: gate.reference,
    facts: factsOf(gate),
    sections: [
      {
        title: 'rules',
        headers: ['DIRECTION', 'RULE', 'ACTION', 'WHAT', 'WRITTEN'],
        rows: aclRules(gate).map(({ direction, number, action, what, at }) => {
          return [direction, number, action, what, at];
        }),
      },
      {
        title: 'subnets',
        headers: ['SUBNET', 'CIDR', 'AZ'],
        rows: subnets.map(({ name, cidr, az }) => [name, cidr, az]),
      },
    ],
    lookInside: inside(
      gate,
      `chain inet vpc ${aclChain(acl.name, 'ingress')}`,
      `chain inet vpc ${aclChain(acl.name, 'egress')}`,
    ),
  };
}

function factsOf({ vpc, is }: Gate): ThingDescription['facts'] {
  return [
    ['id', is.id],
    ['vpc', vpc.name],
    ['declared', is.isDeclared ? renderSourceRef(is.at) : 'nowhere: AWS makes it'],
  ];
}

function inside({ vpc }: Gate, ...what: string[]): ThingDescription['lookInside'] {
  const place = renderReference('vpc', vpc.name);
  return what.map((one) => [place, `nft list ${one}`] as const);
}

/**
 * Network ACLs: numbered rules at a subnet's edge, in ascending order, of which the first that matches decides. They know
 * no connections: the answer needs a rule of its own, for the ephemeral port that the asker chose.
 *
 * Kernel: a chain for each direction of each ACL in the VPC's netns. A packet meets the egress rules of the subnet it
 * leaves and the ingress rules of the one it enters, and neither within a subnet. "Allow" is `return`, never `accept`,
 * which would spare it the other subnet's rules. Nothing here looks at the state of a connection, so that a rule's change
 * also ends what was open.
 *
 * @fidelity same - order, first match, stateless, default and custom ACLs; simplified - IPv4 only
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
 */

import * as z from 'zod';

import { as, because, type Because } from '../base/because.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { type Cidr, contains, type Ipv4 } from '../base/ip.ts';
import { awsId, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { cidrSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import { deny, gates } from './connection-tracking.ts';
import {
  covers,
  type Direction,
  type IpPermission,
  EVERYBODY,
  nftMatch,
  nftPeer,
  type PermissionHeader,
  permissionKeys,
  resolvePermission,
} from './ip-permission.ts';
import { DEFAULT_NETWORK_ACL, type Subnet } from './subnet.ts';

const action = z.enum(['allow', 'deny']).describe('What becomes of a packet that it matches');

const numbered = <Rule extends z.ZodType>(rule: Rule): z.ZodRecord<z.ZodString, Rule> =>
  z.record(z.string(), rule);

/** @see EC2 API CreateNetworkAclEntry, RuleNumber */
const LAST_RULE = 32_766;

export const NetworkAclSpec = z.strictObject({
  ingress: numbered(
    z.strictObject({
      action,
      ...permissionKeys,
      from: cidrSchema.describe('Source addresses').default(EVERYBODY),
    }),
  )
    .describe('Rules by number for what enters the subnet; what none matches is denied')
    .default({}),
  egress: numbered(
    z.strictObject({
      action,
      ...permissionKeys,
      to: cidrSchema.describe('Destination addresses').default(EVERYBODY),
    }),
  )
    .describe('Rules by number for what leaves the subnet; what none matches is denied')
    .default({}),
});

export type NetworkAclSpec = z.output<typeof NetworkAclSpec>;

type RuleSpec = NetworkAclSpec['ingress'][string] | NetworkAclSpec['egress'][string];

interface NetworkAclRule {
  readonly number: number;
  readonly action: 'allow' | 'deny';
  readonly permission: IpPermission;
  readonly peer: Cidr;
  readonly at: SourceRef;
}

export interface NetworkAcl extends Readonly<Record<Direction, readonly NetworkAclRule[]>> {
  readonly name: string;
  readonly id: string;
  /** False for the one that AWS makes with the VPC; then the place is that of the VPC. */
  readonly isDeclared: boolean;
  readonly at: SourceRef;
}

/** As AWS makes it with the VPC: everything passes. */
const DEFAULT_NETWORK_ACL_SPEC: NetworkAclSpec = {
  ingress: { '100': { action: 'allow', from: EVERYBODY } },
  egress: { '100': { action: 'allow', to: EVERYBODY } },
};

/** Can be raised to 40. @see VPC User Guide, amazon-vpc-limits.html "Network ACLs" */
const MAX_RULES = 40;

export function resolveNetworkAcls(
  vpc: string,
  specs: Readonly<Record<string, NetworkAclSpec>>,
  where: Where,
  vpcAt: SourceRef,
  diagnostics: Diagnostics,
): Map<string, NetworkAcl> {
  const all = { [DEFAULT_NETWORK_ACL]: DEFAULT_NETWORK_ACL_SPEC, ...specs };
  const acls = new Map<string, NetworkAcl>();
  for (const [name, spec] of Object.entries(all)) {
    const isDeclared = name in specs;
    const at = where.in(name);
    const rules = (direction: Direction): NetworkAclRule[] => {
      const entries = Object.entries<RuleSpec>(spec[direction]);
      if (entries.length > MAX_RULES) {
        diagnostics.error(
          'network-acl-quota',
          at.keyAt(direction),
          `network ACL "${name}" has ${entries.length} ${direction} rules, and AWS takes at most ${MAX_RULES}`,
          'put rules for neighbouring blocks together',
        );
      }
      return entries
        .map(([number, rule]): NetworkAclRule => {
          const ruleAt = at.in(direction, number);
          if (!/^[1-9]\d*$/.test(number) || Number(number) > LAST_RULE) {
            diagnostics.error(
              'acl-rule-number',
              ruleAt.keyAt(),
              `"${number}" is no number of a rule of a network ACL`,
              `number it from 1 to ${LAST_RULE}; 100, 110, 120 leave room between`,
            );
          }
          return {
            number: Number(number),
            action: rule.action,
            permission: resolvePermission(rule, ruleAt, diagnostics),
            peer: 'from' in rule ? rule.from : rule.to,
            at: isDeclared ? ruleAt.keyAt() : vpcAt,
          };
        })
        .sort((a, b) => a.number - b.number);
    };
    acls.set(name, {
      name,
      id: awsId('acl', `${vpc}/${name}`),
      ingress: rules('ingress'),
      egress: rules('egress'),
      isDeclared,
      at: isDeclared ? at.keyAt() : vpcAt,
    });
  }
  return acls;
}

/** Reports `unknown-network-acl`. */
export function checkNetworkAcl(
  acls: ReadonlyMap<string, NetworkAcl>,
  subnet: string,
  acl: string,
  at: SourceRef,
  diagnostics: Diagnostics,
): void {
  if (acls.has(acl)) return;
  diagnostics.error(
    'unknown-network-acl',
    at,
    `subnet "${subnet}" names network ACL "${acl}", which is not declared`,
    suggest(acl, acls.keys()),
  );
}

/** The rule that decides; `none` for the one with the number `*`, `partly` where it hangs on a port not known yet. */
export function decidingRule(
  acl: NetworkAcl,
  direction: Direction,
  header: PermissionHeader,
  peer: Ipv4,
): NetworkAclRule | 'none' | { readonly partly: NetworkAclRule } {
  for (const rule of acl[direction]) {
    if (!contains(rule.peer, peer)) continue;
    const covered = covers(rule.permission, header);
    if (covered === 'yes') return rule;
    if (covered === 'partly') return { partly: rule };
  }
  return 'none';
}

const EGRESS_OF = 'acl-egress-of';
const INGRESS_OF = 'acl-ingress-of';
const WITHIN_SUBNET = 'within-subnet';

/** Between the gates of the security groups (forward -30 and -10): behind the sender's, before the receiver's. */
const PRIORITY = -20;

export function planNetworkAcls(
  netns: NetnsName,
  acls: ReadonlyMap<string, NetworkAcl>,
  subnets: readonly Subnet[],
  why: Because,
): Fragment {
  const { set, chain, element } = gates(netns);
  const fragment = new Fragment().add(
    why,
    set('map', EGRESS_OF, 'type ifname : verdict;'),
    set('map', INGRESS_OF, 'type ifname : verdict;'),
    set('set', WITHIN_SUBNET, 'type ifname . ifname;'),
    chain(
      'acls',
      [
        `iifname . oifname @${WITHIN_SUBNET} accept`,
        `iifname vmap @${EGRESS_OF}`,
        `oifname vmap @${INGRESS_OF}`,
      ],
      `type filter hook forward priority ${PRIORITY}; policy accept;`,
    ),
  );
  for (const acl of acls.values()) {
    const aclWhy = because('network-acl', `acl/${acl.name}`, acl.at);
    for (const direction of ['egress', 'ingress'] as const) {
      fragment.add(aclWhy, chain(aclChain(acl.name, direction), renderRules(acl, direction)));
    }
  }
  for (const { name, bridge, networkAcl, at } of subnets) {
    const subnetWhy = as(because('subnet', `subnet/${name}`, at), `its network ACL ${networkAcl}`);
    const link = `"${bridge}"`;
    const jump = (direction: Direction): string => `jump ${aclChain(networkAcl, direction)}`;
    fragment.add(
      subnetWhy,
      element(EGRESS_OF, link, jump('egress')),
      element(INGRESS_OF, link, jump('ingress')),
      element(WITHIN_SUBNET, `${link} . ${link}`),
    );
  }
  return fragment;
}

function renderRules(acl: NetworkAcl, direction: Direction): string[] {
  const because = (number: number | '*'): string =>
    deny(`NACL ${acl.name} ${direction} (rule ${number})`);
  const rules = acl[direction].map(({ number, action: what, permission, peer }) =>
    [nftPeer(direction, peer), nftMatch(permission), what === 'allow' ? 'return' : because(number)]
      .filter((word) => word !== '')
      .join(' '),
  );
  return [...rules, because('*')];
}

export function aclChain(name: string, direction: Direction): string {
  return `acl-${name}-${direction}`;
}

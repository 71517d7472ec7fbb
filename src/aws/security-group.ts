/**
 * Security groups: who may open a connection to an ENI, and from it. They allow, and deny nothing by name: what no rule
 * of any of an ENI's groups allows is dropped in silence. The answer to what was allowed passes by itself.
 *
 * Kernel: two independent gates in the VPC's netns, each a verdict map, so that a packet meets the rules of two ENIs
 * whatever their number: the sender's egress by its MAC, the receiver's ingress by the address the packet is handed to
 * (the next hop, which is right for appliances too). A packet must pass both, also between two ENIs of one subnet. A
 * group is a chain for each direction (`sg-web-ingress`) and the set of its members' private addresses (`sg-web`), which
 * other groups' rules refer to; ENIs with the same groups share a chain that calls each in turn and denies at its end.
 * Traffic to and from the internet gateway has an ENI on one side only. Two pods of one node never come here.
 *
 * @fidelity same - allow rules, union of groups, references, self, default group, egress default; simplified - a
 *   reference reaches within the VPC, and protocols other than TCP, UDP and ICMP are matched by "all" alone
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
 */

import * as z from 'zod';

import { as, because, type Because } from '../base/because.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { assignNumbers, sha256Hex } from '../base/hash.ts';
import { type Cidr, contains, type Ipv4, parseCidr, parseIpv4 } from '../base/ip.ts';
import { awsId, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import type { Where } from '../source/yaml.ts';
import {
  ALWAYS_TRACKED,
  type ConnectionTracking,
  deny,
  gates,
  OPEN_TO_ALL,
  planConnectionTracking,
  TRACK,
  TRACK_UNLESS_OPEN,
} from './connection-tracking.ts';
import { MAX_REASON_BYTES } from './drop-log.ts';
import {
  covers,
  type Direction,
  type IpPermission,
  EVERYBODY,
  isEveryPort,
  nftMatch,
  nftPeer,
  nftSide,
  type PermissionHeader,
  permissionKeys,
  resolvePermission,
} from './ip-permission.ts';
import type { NetworkInterface } from './network-interface.ts';
import { type PrefixList, prefixListSet } from './prefix-list.ts';

const PEER = 'a block, sg/NAME, pl/NAME or self';

export const SecurityGroupSpec = z.strictObject({
  ingress: z
    .array(z.strictObject({ ...permissionKeys, from: z.string().describe(`From whom: ${PEER}`) }))
    .describe('What may come in; nothing without a rule')
    .default([]),
  egress: z
    .array(z.strictObject({ ...permissionKeys, to: z.string().describe(`To whom: ${PEER}`) }))
    .describe('What may go out; without this key everything, as a new group of AWS has it')
    .default([{ to: '0.0.0.0/0' }]),
});

export type SecurityGroupSpec = z.output<typeof SecurityGroupSpec>;

type Peer =
  | { readonly kind: 'cidr'; readonly cidr: Cidr }
  | { readonly kind: 'group'; readonly name: string }
  | { readonly kind: 'prefix-list'; readonly name: string };

interface SecurityGroupRule {
  readonly permission: IpPermission;
  readonly peer: Peer;
  readonly at: SourceRef;
}

export interface SecurityGroup extends Readonly<Record<Direction, readonly SecurityGroupRule[]>> {
  readonly name: string;
  readonly id: string;
  /** False for what AWS makes unasked; then the place is that of the VPC. */
  readonly isDeclared: boolean;
  readonly at: SourceRef;
}

/** What an ENI carries that names no group. */
export const DEFAULT_SECURITY_GROUP = 'default';

/** As AWS makes it with the VPC: its members reach each other, and everybody outside. */
export const DEFAULT_SECURITY_GROUP_SPEC: SecurityGroupSpec = {
  ingress: [{ from: 'self' }],
  egress: [{ to: '0.0.0.0/0' }],
};

/** @see VPC User Guide, amazon-vpc-limits.html "Security groups" */
const MAX_RULES = 60;
const MAX_GROUPS_PER_ENI = 5;

/** The key of whatever has ENIs: its groups by name. */
export const securityGroupsSchema = z
  .array(z.string())
  .min(1)
  .describe('The security groups of its network interfaces, by name');

/** All groups of a VPC; `implied` are those that exist without being declared. */
export function resolveSecurityGroups(
  vpc: string,
  specs: Readonly<Record<string, SecurityGroupSpec>>,
  implied: Readonly<Record<string, SecurityGroupSpec>>,
  prefixLists: ReadonlyMap<string, PrefixList>,
  where: Where,
  vpcAt: SourceRef,
  diagnostics: Diagnostics,
): Map<string, SecurityGroup> {
  const all = { [DEFAULT_SECURITY_GROUP]: DEFAULT_SECURITY_GROUP_SPEC, ...implied, ...specs };
  const names = Object.keys(all);
  const groups = new Map<string, SecurityGroup>();
  for (const [name, spec] of Object.entries(all)) {
    const isDeclared = name in specs;
    const at = where.in(name);
    const rules = (direction: Direction): SecurityGroupRule[] => {
      const list = spec[direction];
      if (list.length > MAX_RULES) {
        diagnostics.error(
          'security-group-quota',
          at.keyAt(direction),
          `security group "${name}" has ${list.length} ${direction} rules, and AWS takes ${MAX_RULES}`,
          'put blocks into a prefix list, or rules into a second group',
        );
      }
      return list.map((rule, index): SecurityGroupRule => {
        const ruleAt = at.in(direction, index);
        const peer = 'from' in rule ? rule.from : rule.to;
        const peerAt = isDeclared ? ruleAt.at(direction === 'ingress' ? 'from' : 'to') : vpcAt;
        return {
          permission: resolvePermission(rule, ruleAt, diagnostics),
          peer: resolvePeer(name, peer, names, prefixLists, peerAt, diagnostics),
          at: isDeclared ? ruleAt.at() : vpcAt,
        };
      });
    };
    groups.set(name, {
      name,
      id: awsId('sg', `${vpc}/${name}`),
      ingress: rules('ingress'),
      egress: rules('egress'),
      isDeclared,
      at: isDeclared ? at.keyAt() : vpcAt,
    });
  }
  return groups;
}

/** Reports `rule-peer`, `unknown-security-group` and `unknown-prefix-list`. */
function resolvePeer(
  self: string,
  text: string,
  groups: readonly string[],
  prefixLists: ReadonlyMap<string, PrefixList>,
  at: SourceRef,
  diagnostics: Diagnostics,
): Peer {
  if (text === 'self') return { kind: 'group', name: self };
  const [, kind, name = ''] = /^(sg|pl)\/(.+)$/.exec(text) ?? [];
  if (kind === 'sg') {
    if (!groups.includes(name)) reportUnknownGroup(name, groups, at, diagnostics);
    return { kind: 'group', name };
  }
  if (kind === 'pl') {
    if (!prefixLists.has(name)) {
      diagnostics.error(
        'unknown-prefix-list',
        at,
        `prefix list "${name}" is not declared`,
        suggest(name, prefixLists.keys()) ?? 'declare it under "prefixLists:" of the VPC',
      );
    }
    return { kind: 'prefix-list', name };
  }
  const address = parseIpv4(text);
  const block = address === undefined ? parseCidr(text) : parseCidr(`${address}/32`);
  if (block !== undefined) return { kind: 'cidr', cidr: block };
  const isGroup = groups.includes(text);
  diagnostics.error(
    'rule-peer',
    at,
    `"${text}" is not ${PEER}`,
    isGroup ? `write it like sg/${text}` : 'write it like 10.0.3.0/24, sg/web, pl/offices or self',
  );
  return { kind: 'cidr', cidr: EVERYBODY };
}

function reportUnknownGroup(
  name: string,
  groups: readonly string[],
  at: SourceRef,
  diagnostics: Diagnostics,
): void {
  diagnostics.error(
    'unknown-security-group',
    at,
    `security group "${name}" is not declared`,
    suggest(name, groups) ?? 'declare it under "securityGroups:" of the VPC',
  );
}

/** The groups of an ENI, each once; what is not declared is reported and left out. */
export function resolveGroupsOfEni(
  vpc: { readonly securityGroups: ReadonlyMap<string, SecurityGroup> },
  names: readonly string[],
  where: Where,
  diagnostics: Diagnostics,
): string[] {
  if (names.length > MAX_GROUPS_PER_ENI) {
    diagnostics.error(
      'security-group-quota',
      where.at(),
      `an ENI carries at most ${MAX_GROUPS_PER_ENI} security groups, and this one has ${names.length}`,
      'put the rules of some into one group',
    );
  }
  const known = [...vpc.securityGroups.keys()];
  names.forEach((name, index) => {
    if (known.includes(name)) return;
    reportUnknownGroup(name, known, where.at(index), diagnostics);
  });
  return [...new Set(names.filter((name) => known.includes(name)))];
}

/** The ENIs that carry a group. */
export function membersOf(
  interfaces: readonly NetworkInterface[],
  group: string,
): NetworkInterface[] {
  return interfaces.filter((eni) => eni.securityGroups?.includes(group) === true);
}

/** What security groups are looked up in: a VPC's groups, prefix lists and ENIs. */
export interface GroupedVpc {
  readonly securityGroups: ReadonlyMap<string, SecurityGroup>;
  readonly prefixLists: ReadonlyMap<string, PrefixList>;
  readonly interfaces: readonly NetworkInterface[];
}

/**
 * The rule that lets a packet pass; without one `undefined`, or `partly` where it hangs on a port not known yet. `sender` is
 * the ENI that it comes from, whose groups count too where it hands on what others send.
 */
export function permittingRule(
  vpc: GroupedVpc,
  groups: readonly string[],
  direction: Direction,
  header: PermissionHeader,
  peer: Ipv4,
  sender?: NetworkInterface,
): SecurityGroupRule | 'partly' | undefined {
  let partly = false;
  for (const name of groups) {
    for (const rule of vpc.securityGroups.get(name)?.[direction] ?? []) {
      const isSender = rule.peer.kind === 'group' && isHandedOnBy(sender, rule.peer.name);
      if (!isSender && !peerIncludes(vpc, rule.peer, peer)) continue;
      const covered = covers(rule.permission, header);
      if (covered === 'yes') return rule;
      partly ||= covered === 'partly';
    }
  }
  return partly ? 'partly' : undefined;
}

/** @see NLB user guide, load-balancer-security-groups.html: a target's rule may name the load balancer's group */
function isHandedOnBy(sender: NetworkInterface | undefined, group: string): boolean {
  return sender?.preservesClients === true && sender.securityGroups?.includes(group) === true;
}

function peerIncludes(vpc: GroupedVpc, peer: Peer, address: Ipv4): boolean {
  switch (peer.kind) {
    case 'cidr':
      return contains(peer.cidr, address);
    case 'prefix-list':
      return (vpc.prefixLists.get(peer.name)?.cidrs ?? []).some((one) => contains(one, address));
    case 'group':
      return membersOf(vpc.interfaces, peer.name).some((eni) =>
        eni.addresses.some((one) => one.address === address),
      );
  }
}

/** Whether a direction lets everybody through, on all ports of the protocol: then the other one need not track. */
function isOpenToAll(
  vpc: GroupedVpc,
  groups: readonly string[],
  direction: Direction,
  protocol: 'tcp' | 'udp',
): boolean {
  return groups.some((name) =>
    (vpc.securityGroups.get(name)?.[direction] ?? []).some(
      ({ peer, permission }) =>
        isEverybody(peer) &&
        (permission.protocol === 'all' ||
          (permission.protocol === protocol && isEveryPort(permission.ports))),
    ),
  );
}

function isEverybody(peer: Peer): boolean {
  return peer.kind === 'cidr' && peer.cidr === EVERYBODY;
}

export function renderPeer(peer: Peer): string {
  switch (peer.kind) {
    case 'cidr':
      return peer.cidr;
    case 'group':
      return `sg/${peer.name}`;
    case 'prefix-list':
      return `pl/${peer.name}`;
  }
}

const EGRESS_OF = 'egress-of';
const INGRESS_OF = 'ingress-of';
const NUMBER_OF_MAC = 'number-of-mac';
const NUMBER_OF_ADDRESS = 'number-of-address';

/** Around the network ACLs (forward -20), in the order in which AWS asks: out of the ENI first, into the ENI last. */
const EGRESS_PRIORITY = -30;
const INGRESS_PRIORITY = -10;

/** ENIs are numbered for the packet's mark in the gates; a mark is cleared where the packet leaves the netns. */
const ENI_NUMBERS = 0xff_ffff;

export function planSecurityGroups(
  netns: NetnsName,
  vpc: GroupedVpc & { readonly connectionTracking: ConnectionTracking },
  uplink: string,
  why: Because,
): Fragment {
  const { table, set, chain } = gates(netns);
  const fragment = new Fragment()
    .add(why, table)
    .addAll(planConnectionTracking(netns, vpc.connectionTracking, why))
    .add(
      why,
      set('map', NUMBER_OF_MAC, 'type ether_addr : mark;'),
      set('map', NUMBER_OF_ADDRESS, 'type ipv4_addr : mark;'),
      set('map', EGRESS_OF, 'type ether_addr : verdict;'),
      set('map', INGRESS_OF, 'type ipv4_addr : verdict;'),
      chain(
        'egress',
        [
          `iifname "${uplink}" accept`,
          `meta mark set ether saddr map @${NUMBER_OF_MAC}`,
          'jump known',
          `ether saddr vmap @${EGRESS_OF}`,
          'counter comment "no such ENI"',
        ],
        `type filter hook forward priority ${EGRESS_PRIORITY}; policy drop;`,
      ),
      chain(
        'ingress',
        [
          `oifname "${uplink}" accept`,
          `meta mark set rt ip nexthop map @${NUMBER_OF_ADDRESS}`,
          'jump known',
          `rt ip nexthop vmap @${INGRESS_OF}`,
          'counter comment "no such ENI"',
        ],
        `type filter hook forward priority ${INGRESS_PRIORITY}; policy drop;`,
      ),
    );
  for (const group of vpc.securityGroups.values()) {
    fragment.addAll(planSecurityGroup(netns, group, vpc.interfaces));
  }
  const combinations = new Map<string, readonly string[]>();
  for (const { securityGroups } of vpc.interfaces) {
    if (securityGroups !== undefined) {
      combinations.set(gateChain(securityGroups, 'ingress'), securityGroups);
    }
  }
  for (const groups of combinations.values()) {
    for (const direction of ['egress', 'ingress'] as const) {
      const rules = groups.map((name) => `jump ${groupChain(name, direction)}`);
      fragment.add(
        as(
          why,
          `the gate (${direction}) of ENIs with ${groups.map((one) => `sg/${one}`).join(', ')}`,
        ),
        chain(gateChain(groups, direction), [...rules, deny(reason(groups, direction))]),
      );
    }
  }
  const numbers = assignNumbers(
    vpc.interfaces.map(({ id }) => id),
    1,
    ENI_NUMBERS,
  );
  for (const eni of vpc.interfaces) {
    fragment.addAll(planGate(netns, vpc, eni, numbers.get(eni.id) ?? 0));
  }
  return fragment;
}

function planSecurityGroup(
  netns: NetnsName,
  group: SecurityGroup,
  interfaces: readonly NetworkInterface[],
): Fragment {
  const why = because('security-group', `sg/${group.name}`, group.at);
  const { set, chain, element } = gates(netns);
  const fragment = new Fragment().add(
    as(why, 'the set of its members'),
    set('set', groupSet(group.name), 'type ipv4_addr;'),
  );
  const handsOn = (name: string): boolean =>
    membersOf(interfaces, name).some((eni) => isHandedOnBy(eni, name));
  fragment.add(
    why,
    chain(
      groupChain(group.name, 'egress'),
      group.egress.map((rule) => renderRule(rule, 'egress')),
    ),
    chain(
      groupChain(group.name, 'ingress'),
      group.ingress.flatMap((rule) => {
        const { peer } = rule;
        const text = renderRule(rule, 'ingress');
        return peer.kind === 'group' && handsOn(peer.name)
          ? [text, renderRule(rule, 'ingress', `ether saddr @${senderSet(peer.name)}`)]
          : [text];
      }),
    ),
  );
  const senders = membersOf(interfaces, group.name).filter((eni) => isHandedOnBy(eni, group.name));
  if (senders.length > 0) {
    const of = as(why, 'the load balancers of it that leave the client’s address in a packet');
    fragment.add(of, set('set', senderSet(group.name), 'type ether_addr;'));
    for (const { mac } of senders) fragment.add(of, element(senderSet(group.name), mac));
  }
  for (const eni of membersOf(interfaces, group.name)) {
    for (const { address } of eni.addresses) {
      fragment.add(
        as(
          because('security-group', `sg/${group.name}`, eni.at),
          `its member ${address} (${eni.thing})`,
        ),
        element(groupSet(group.name), address),
      );
    }
  }
  return fragment;
}

function renderRule(
  { permission, peer }: SecurityGroupRule,
  direction: Direction,
  match = renderPeerMatch(peer, direction),
): string {
  const mayBeOpen = isEverybody(peer) && permission.protocol !== 'icmp';
  return [match, nftMatch(permission), `goto ${mayBeOpen ? TRACK_UNLESS_OPEN[direction] : TRACK}`]
    .filter((word) => word !== '')
    .join(' ');
}

function renderPeerMatch(peer: Peer, direction: Direction): string {
  switch (peer.kind) {
    case 'cidr':
      return nftPeer(direction, peer.cidr);
    case 'group':
      return `${nftSide(direction)} @${groupSet(peer.name)}`;
    case 'prefix-list':
      return `${nftSide(direction)} @${prefixListSet(peer.name)}`;
  }
}

/** What the gates know of one ENI. One that can have no groups (a NAT gateway's) passes, and its peers track. */
function planGate(
  netns: NetnsName,
  vpc: GroupedVpc,
  eni: NetworkInterface,
  number: number,
): Fragment {
  const why = because('network-interface', `${eni.thing}:${eni.link}`, eni.at);
  const { securityGroups: groups } = eni;
  const { element } = gates(netns);
  const mark = `0x${number.toString(16).padStart(8, '0')}`;
  const verdict = (direction: Direction): string =>
    groups === undefined ? 'accept' : `jump ${gateChain(groups, direction)}`;
  const fragment = new Fragment().add(
    as(why, 'its gate of the security groups (egress)'),
    element(NUMBER_OF_MAC, eni.mac, mark),
    element(EGRESS_OF, eni.mac, verdict('egress')),
  );
  for (const { address } of eni.addresses) {
    fragment.add(
      as(why, `the gate of the security groups for ${address} (ingress)`),
      element(NUMBER_OF_ADDRESS, address, mark),
      element(INGRESS_OF, address, verdict('ingress')),
    );
  }
  if (groups === undefined || eni.isAlwaysTracked === true) {
    fragment.add(
      as(why, 'that its connections are always tracked'),
      element(ALWAYS_TRACKED.mac, eni.mac),
      ...eni.addresses.map(({ address }) => element(ALWAYS_TRACKED.address, address)),
    );
  }
  if (groups === undefined) return fragment;
  for (const direction of ['ingress', 'egress'] as const) {
    for (const protocol of ['tcp', 'udp'] as const) {
      if (!isOpenToAll(vpc, groups, direction, protocol)) continue;
      fragment.add(
        as(why, `that its ${direction} is open to all of ${protocol}`),
        element(OPEN_TO_ALL[direction], `${mark} . ${protocol}`),
      );
    }
  }
  return fragment;
}

/** Where there is no room for all names, the first one and how many more: no name has a space in it. */
function reason(groups: readonly string[], direction: Direction): string {
  const text = (names: string): string => `SG ${names} ${direction} (no rule)`;
  const whole = text(groups.join(','));
  if (whole.length <= MAX_REASON_BYTES) return whole;
  return text(`${groups[0] ?? ''} and ${groups.length - 1} more`);
}

/** The set of the MACs of its members that hand on what others send. */
function senderSet(name: string): string {
  return `sg-${name}-senders`;
}

/** The set of the private addresses of a group's members. */
export function groupSet(name: string): string {
  return `sg-${name}`;
}

export function groupChain(name: string, direction: Direction): string {
  return `sg-${name}-${direction}`;
}

/** @see linux/netfilter/nf_tables.h NFT_NAME_MAXLEN (256), less what stands around the names */
const MAX_CHAIN_NAME = 200;

function gateChain(groups: readonly string[], direction: Direction): string {
  const names = groups.join('/');
  const short = names.length > MAX_CHAIN_NAME ? sha256Hex(names).slice(0, 16) : names;
  return `eni-${short}-${direction}`;
}

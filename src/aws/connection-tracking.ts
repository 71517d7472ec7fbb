/**
 * Connection tracking of security groups: what one side was allowed to open, the other side may answer.
 *
 * AWS tracks per ENI: the sender's ENI and the receiver's each know the connection for themselves, and a way that leads
 * through an appliance is known to the appliance's ENI too. The kernel's one conntrack table can't say that, so the state
 * is kept in nftables' dynamic sets, whose keys begin with the ENI's number (the packet's mark in the gates).
 *
 * - A tracked connection lives on when its rule is taken away; an untracked one ends at once. Untracked is what a rule
 *   for everybody allows (TCP or UDP, 0.0.0.0/0), where the other direction allows everybody too, on all ports.
 * - ICMP is always tracked, and so is what comes from or goes to a NAT gateway.
 * - A full table drops new connections.
 *
 * @fidelity same - per ENI, time-outs, tracked and untracked; simplified - an entry whose connection has ended by FIN or
 *   RST lives for two minutes more (a TIME_WAIT); ICMP errors that belong to a connection pass, as Linux relates them,
 *   while AWS's guide wants a rule for them (Path MTU Discovery)
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
 */

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { nftTable, type NftTableWords } from '../kernel/nft.ts';
import { logged } from './drop-log.ts';

/** The table in the VPC's netns that holds security groups and network ACLs. */
export function gates(netns: NetnsName): NftTableWords {
  return nftTable(netns, { family: 'inet', table: 'vpc' });
}

/** Where a rule leads that allows: `goto track`. */
export const TRACK = 'track';
/** The same for a rule that allows everybody, by the gate that it stands in. */
export const TRACK_UNLESS_OPEN = {
  ingress: 'track-unless-egress-is-open',
  egress: 'track-unless-ingress-is-open',
} as const;
/** ENIs whose groups let everybody through in a direction, on all ports of a protocol. */
export const OPEN_TO_ALL = { ingress: 'ingress-is-open', egress: 'egress-is-open' } as const;
/** Neighbours whose connections are always tracked, by the address and the MAC of their ENI. */
export const ALWAYS_TRACKED = { address: 'always-tracked-address', mac: 'always-tracked-mac' };

/** The statements that deny: the reason goes to the log of drops, and the packet nowhere. */
export function deny(reason: string): string {
  return `${logged(reason)} counter drop`;
}

/** More than any lab opens; AWS's own depends on the instance type and is not published. */
const MAX_ENTRIES = 65_536;

const FLOW_KEY = 'type mark . ipv4_addr . inet_service . ipv4_addr . inet_service';

/**
 * Idle time-outs, as `nft list` writes them: an established TCP connection 432,000 s; UDP 30 s, and 180 s once there was
 * an answer; all else 600 s.
 * @see EC2 User Guide, security-group-connection-tracking.html "Idle connection tracking timeout"
 */
const TIMEOUT = { tcp: '5d', udp: '30s', udpStream: '3m', other: '10m', closed: '2m' } as const;

/** Chains and sets that all gates of a VPC share; `jump known` comes before any rule is looked at. */
export function planConnectionTracking(netns: NetnsName, why: Because): Fragment {
  const { set, chain } = gates(netns);
  const dynamic = (key: string, timeout: string): string =>
    `${key}; size ${MAX_ENTRIES}; flags dynamic,timeout; timeout ${timeout};`;
  return new Fragment().add(
    why,
    set('set', 'tcp-flows', dynamic(FLOW_KEY, TIMEOUT.tcp)),
    set('set', 'udp-flows', dynamic(FLOW_KEY, TIMEOUT.udp)),
    set(
      'set',
      'icmp-flows',
      dynamic('typeof meta mark . ip saddr . ip daddr . icmp id', TIMEOUT.udp),
    ),
    set('set', OPEN_TO_ALL.ingress, 'type mark . inet_proto;'),
    set('set', OPEN_TO_ALL.egress, 'type mark . inet_proto;'),
    set('set', ALWAYS_TRACKED.address, 'type ipv4_addr;'),
    set('set', ALWAYS_TRACKED.mac, 'type ether_addr;'),
    chain('known', [
      'ct state related accept',
      'meta l4proto vmap { icmp : goto known-icmp, tcp : goto known-tcp, udp : goto known-udp }',
    ]),
    chain('known-tcp', [
      ...known('tcp', 'tcp flags fin,rst ', ` timeout ${TIMEOUT.closed}`),
      ...known('tcp', '', ''),
    ]),
    chain('known-udp', [
      ...known('udp', '', '').slice(0, 1),
      ...known('udp', '', ` timeout ${TIMEOUT.udpStream}`).slice(1),
    ]),
    chain('known-icmp', [
      `icmp type echo-request ${ICMP.sent} @icmp-flows update @icmp-flows { ${ICMP.sent} } accept`,
      `icmp type echo-reply ${ICMP.answered} @icmp-flows accept`,
    ]),
    chain(TRACK, [
      // The answer to something that is not tracked: it was judged by the rules, and will be again.
      'ct direction reply accept',
      'meta l4proto vmap { icmp : goto track-icmp, tcp : goto track-tcp, udp : goto track-udp }',
      'accept',
    ]),
    chain('track-tcp', [
      `add @tcp-flows { ${sent('tcp')} } accept`,
      deny('SG tracking allowance exceeded'),
    ]),
    chain('track-udp', [
      `add @udp-flows { ${sent('udp')} } accept`,
      deny('SG tracking allowance exceeded'),
    ]),
    chain('track-icmp', [
      'icmp type != echo-request accept',
      `icmp type echo-request add @icmp-flows { ${ICMP.sent} } accept`,
      deny('SG tracking allowance exceeded'),
    ]),
    chain('track-unless-open', [
      `rt ip nexthop @${ALWAYS_TRACKED.address} goto ${TRACK}`,
      `ether saddr @${ALWAYS_TRACKED.mac} goto ${TRACK}`,
      'accept',
    ]),
    ...(['ingress', 'egress'] as const).map((direction) =>
      chain(TRACK_UNLESS_OPEN[direction], [
        `meta mark . meta l4proto @${OPEN_TO_ALL[direction === 'ingress' ? 'egress' : 'ingress']} goto track-unless-open`,
        `goto ${TRACK}`,
      ]),
    ),
  );
}

const ICMP = {
  sent: 'meta mark . ip saddr . ip daddr . icmp id',
  answered: 'meta mark . ip daddr . ip saddr . icmp id',
} as const;

function sent(protocol: 'tcp' | 'udp'): string {
  return `meta mark . ip saddr . ${protocol} sport . ip daddr . ${protocol} dport`;
}

function answered(protocol: 'tcp' | 'udp'): string {
  return `meta mark . ip daddr . ${protocol} dport . ip saddr . ${protocol} sport`;
}

/** Each packet of a known connection, in either direction, keeps the entry alive. */
function known(protocol: 'tcp' | 'udp', only: string, timeout: string): string[] {
  return [sent(protocol), answered(protocol)].map(
    (key) =>
      `${only}${key} @${protocol}-flows update @${protocol}-flows { ${key}${timeout} } accept`,
  );
}

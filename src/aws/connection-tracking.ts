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
 * @fidelity same - per ENI, time-outs, tracked and untracked; simplified - time-outs and the number of entries are set for
 *   a VPC, not for an ENI; an ENI that let a connection in lets an appliance send it on, whatever its egress rules say; an
 *   entry whose connection has ended by FIN or RST lives for two minutes more (a TIME_WAIT); ICMP errors that belong to a
 *   connection pass, as Linux relates them, while AWS's guide wants a rule for them (Path MTU Discovery)
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
 */

import * as z from 'zod';

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { nftTable, type NftTableWords } from '../kernel/nft.ts';
import { durationSchema } from '../source/scalar.ts';
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

const FLOW_KEY = 'type mark . ipv4_addr . inet_service . ipv4_addr . inet_service';

/** How long one that has ended by FIN or RST is remembered. */
const CLOSED = '2m';

/** Between two ends, in milliseconds as durations are read. */
function timeout(fromSeconds: number, toSeconds: number): z.ZodType<number> {
  return durationSchema.refine(
    (milliseconds) => milliseconds >= fromSeconds * 1000 && milliseconds <= toSeconds * 1000,
    { error: `AWS takes ${fromSeconds}s to ${toSeconds}s`, params: { code: 'out-of-range' } },
  );
}

/**
 * @see EC2 User Guide, security-group-connection-tracking.html "Idle connection tracking timeout"
 * @see EC2 API, ConnectionTrackingSpecificationRequest
 */
export const ConnectionTrackingSpec = z.strictObject({
  tcpEstablishedTimeout: timeout(60, 432_000)
    .describe('How long a silent TCP connection is remembered: 60s to 432000s')
    .default(432_000_000),
  udpStreamTimeout: timeout(60, 180)
    .describe('The same for UDP that was answered: 60s to 180s')
    .default(180_000),
  udpTimeout: timeout(30, 60)
    .describe('The same for UDP that was not answered: 30s to 60s')
    .default(30_000),
  maxEntries: z
    .int()
    .min(1)
    .max(1_000_000)
    .describe('How many connections of a protocol are tracked at a time; the next is denied')
    // More than any lab opens; AWS's own depends on the instance type and is not published.
    .default(65_536),
});

export type ConnectionTracking = z.output<typeof ConnectionTrackingSpec>;

/** As `nft list` writes a time: `5d`, `1m30s`. */
function nftTime(milliseconds: number): string {
  let rest = Math.round(milliseconds / 1000);
  const parts = (
    [
      ['d', 86_400],
      ['h', 3_600],
      ['m', 60],
      ['s', 1],
    ] as const
  ).map(([unit, seconds]) => {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    return count === 0 ? '' : `${count}${unit}`;
  });
  return parts.join('');
}

/** Chains and sets that all gates of a VPC share; `jump known` comes before any rule is looked at. */
export function planConnectionTracking(
  netns: NetnsName,
  { tcpEstablishedTimeout, udpStreamTimeout, udpTimeout, maxEntries }: ConnectionTracking,
  why: Because,
): Fragment {
  const { set, chain } = gates(netns);
  const dynamic = (key: string, milliseconds: number): string =>
    `${key}; size ${maxEntries}; flags dynamic,timeout; timeout ${nftTime(milliseconds)};`;
  return new Fragment().add(
    why,
    set('set', 'tcp-flows', dynamic(FLOW_KEY, tcpEstablishedTimeout)),
    set('set', 'udp-flows', dynamic(FLOW_KEY, udpTimeout)),
    set(
      'set',
      'icmp-flows',
      dynamic('typeof meta mark . ip saddr . ip daddr . icmp id', udpTimeout),
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
      ...known('tcp', 'tcp flags fin,rst ', ` timeout ${CLOSED}`),
      ...known('tcp', '', ''),
    ]),
    chain('known-udp', [
      ...known('udp', '', '').slice(0, 1),
      ...known('udp', '', ` timeout ${nftTime(udpStreamTimeout)}`).slice(1),
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

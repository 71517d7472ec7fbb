/**
 * Denied packets, as the log of them says (`host/drop-log.pl`): a line becomes a value, with the decision that denied it.
 *
 *     1764000000.123456 vpc-main tcp 10.0.3.50:33366 -> 10.0.5.20:5432 60 SG db ingress (no rule)
 */

import { type Ipv4, parseIpv4 } from '../base/ip.ts';

/** What denied a packet, taken apart. */
export type Decision =
  /** None of the groups that an ENI carries has a rule that allows it. */
  | {
      readonly kind: 'sg';
      readonly groups: readonly string[];
      /** How many groups more the ENI carries, whose names the log has no room for. */
      readonly leftOut: number;
      readonly direction: 'ingress' | 'egress';
    }
  | {
      readonly kind: 'acl';
      readonly acl: string;
      readonly direction: 'ingress' | 'egress';
      /** `*` is the last entry of every ACL, which denies what no other one has matched. */
      readonly rule: number | '*';
    }
  /** None of the network policies that select a pod allows it; the first of them says so. */
  | {
      readonly kind: 'netpol';
      /** `shop/api-allow`; `shop/an-even-longer~` where the log has no room for all of it. */
      readonly policy: string;
      readonly direction: 'ingress' | 'egress';
    }
  | { readonly kind: 'source-dest-check' }
  /** The ENI tracks as many connections as its instance type may. */
  | { readonly kind: 'allowance' }
  | { readonly kind: 'other' };

export interface Drop {
  /** Seconds since the epoch, with fraction. */
  readonly time: number;
  readonly netns: string;
  /** `tcp`, `udp`, `icmp`, or the number that the IP header bears. */
  readonly protocol: string;
  readonly source: Ipv4;
  /** Undefined where there are no ports: in ICMP, and in fragments after the first. */
  readonly sourcePort: number | undefined;
  readonly destination: Ipv4;
  readonly destinationPort: number | undefined;
  /** `echo-request`, `destination-unreachable`, `type-13`. */
  readonly icmpType?: string;
  readonly icmpCode?: number;
  /** Of an echo request and its reply, which have it in common. */
  readonly icmpId?: number;
  /** Of a TCP segment: `S` opens a connection, `SA` answers, then `A`, `PA`, `FA`, `R`. */
  readonly flags?: string;
  readonly lengthBytes: number;
  /** As the rule says it. */
  readonly reason: string;
  readonly decision: Decision;
}

export interface DropLog {
  readonly drops: readonly Drop[];
  /** How many denied packets the log could not keep up with. */
  readonly lost: number;
}

/** A line that is cut off, at the beginning or at the end of what was read, says nothing. */
export function parseDropLog(text: string): DropLog {
  const drops: Drop[] = [];
  let lost = 0;
  for (const line of text.split('\n')) {
    const drop = parseDrop(line);
    if (drop === undefined) lost += parseLoss(line);
    else drops.push(drop);
  }
  return { drops, lost };
}

const END = String.raw`(\d+(?:\.\d+){3})(?::(\d+))?`;
const LINE = new RegExp(
  [
    String.raw`^(\d{9,}\.\d{6}) (\S+) ([a-z]+|\d+)(?:\[([A-Z]*)\])?`,
    String.raw`(?: ([a-z][a-z0-9-]*))?(?: id (\d+))?(?: code (\d+))?`,
    ` ${END} -> ${END} (\\d+) (.*)$`,
  ].join(''),
);

/** Undefined for a line that is about no packet. */
export function parseDrop(line: string): Drop | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, time, netns = '', protocol = '', flags, icmpType, icmpId, icmpCode, ...rest] = match;
  const [from = '', fromPort, to = '', toPort, length, reason = ''] = rest;
  const source = parseIpv4(from);
  const destination = parseIpv4(to);
  if (source === undefined || destination === undefined) return undefined;
  const hasPorts = fromPort !== undefined && toPort !== undefined;
  return {
    time: Number(time),
    netns,
    protocol,
    source,
    sourcePort: hasPorts ? Number(fromPort) : undefined,
    destination,
    destinationPort: hasPorts ? Number(toPort) : undefined,
    ...(icmpType === undefined ? {} : { icmpType }),
    ...(icmpCode === undefined ? {} : { icmpCode: Number(icmpCode) }),
    ...(icmpId === undefined ? {} : { icmpId: Number(icmpId) }),
    // What has ports and says no flags is a SYN; a fragment has neither.
    ...(protocol === 'tcp' && hasPorts ? { flags: flags ?? 'S' } : {}),
    lengthBytes: Number(length),
    reason,
    decision: parseReason(reason),
  };
}

/** `1764000000.123456 vpc-main lost 12`. */
function parseLoss(line: string): number {
  return Number(/^\d{9,}\.\d{6} \S+ lost (\d+)$/.exec(line)?.[1] ?? 0);
}

export function parseReason(reason: string): Decision {
  const sg = /^SG (\S+)(?: and (\d+) more)? (ingress|egress) \(no rule\)$/.exec(reason);
  if (sg !== null) {
    const [, names = '', leftOut = 0, direction] = sg;
    return {
      kind: 'sg',
      groups: names.split(','),
      leftOut: Number(leftOut),
      direction: directionOf(direction),
    };
  }
  const acl = /^NACL (\S+) (ingress|egress) \(rule (\d+|\*)\)$/.exec(reason);
  if (acl !== null) {
    const rule = acl[3] === '*' ? '*' : Number(acl[3]);
    return { kind: 'acl', acl: acl[1] ?? '', direction: directionOf(acl[2]), rule };
  }
  const policy = /^NETPOL (\S+) (ingress|egress)$/.exec(reason);
  if (policy !== null) {
    return { kind: 'netpol', policy: policy[1] ?? '', direction: directionOf(policy[2]) };
  }
  if (reason === 'ENI source/destination check') return { kind: 'source-dest-check' };
  if (reason === 'SG tracking allowance exceeded') return { kind: 'allowance' };
  return { kind: 'other' };
}

function directionOf(word: string | undefined): 'ingress' | 'egress' {
  return word === 'egress' ? 'egress' : 'ingress';
}

/**
 * What denied it, as things are named everywhere: `sg/web ingress`, `acl/private egress rule 90`, and where the log has no
 * room for all groups of an ENI `sg/web and 4 more egress`.
 */
export function renderDecision({ decision, reason }: Pick<Drop, 'decision' | 'reason'>): string {
  switch (decision.kind) {
    case 'sg': {
      const { groups, leftOut, direction } = decision;
      const more = leftOut === 0 ? '' : ` and ${leftOut} more`;
      return `${groups.map((group) => `sg/${group}`).join(',')}${more} ${direction}`;
    }
    case 'acl':
      return `acl/${decision.acl} ${decision.direction} rule ${decision.rule}`;
    case 'netpol':
      return `netpol/${decision.policy} ${decision.direction}`;
    case 'source-dest-check':
      return 'source/destination check';
    case 'allowance':
      return 'tracking allowance';
    case 'other':
      return reason;
  }
}

/** Equal packets that were denied for the same reason, a retransmission for one. */
export interface FoldedDrop {
  readonly first: Drop;
  readonly last: Drop;
  readonly count: number;
}

/** In the order in which the first of each was denied. */
export function foldDrops(drops: readonly Drop[]): FoldedDrop[] {
  const folded = new Map<string, FoldedDrop>();
  for (const drop of drops) {
    const key = keyOf(drop);
    const there = folded.get(key);
    folded.set(key, { first: there?.first ?? drop, last: drop, count: (there?.count ?? 0) + 1 });
  }
  return [...folded.values()];
}

function keyOf(drop: Drop): string {
  const { netns, protocol, flags, icmpType, icmpCode, icmpId, reason } = drop;
  const { source, sourcePort, destination, destinationPort } = drop;
  return JSON.stringify([
    ...[netns, protocol, flags, icmpType, icmpCode, icmpId, reason],
    ...[source, sourcePort, destination, destinationPort],
  ]);
}

/**
 * What a rule of a security group or of a network ACL is about: a protocol, its ports or ICMP type, and whose address.
 * EC2 calls this an IpPermission; both kinds of rules share it.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
 */

import * as z from 'zod';

import { type Diagnostics } from '../base/diagnostic.ts';
import { type Cidr, cidr } from '../base/ip.ts';
import type { Where } from '../source/yaml.ts';

/** Seen from the ENI or the subnet: what comes in, what goes out. */
export type Direction = 'ingress' | 'egress';

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'all'] as const;

/** Both ends included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

const ALL_PORTS: PortRange = { from: 0, to: 65_535 };

export interface IpPermission {
  readonly protocol: (typeof PROTOCOLS)[number];
  /** Of TCP and UDP; all of them where none was given. */
  readonly ports: PortRange;
  /** Of ICMP; every type where none was given. */
  readonly icmp: { readonly type: number; readonly code: number | undefined } | undefined;
}

/** The part of a packet's header that such a rule looks at; a port that is not known yet is a range. */
export interface PermissionHeader {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly destinationPort: PortRange;
  readonly icmpType: number;
  readonly icmpCode: number;
}

/** The keys that a rule of either kind has beside its peer. */
export const permissionKeys = {
  protocol: z
    .enum(PROTOCOLS)
    .describe('tcp, udp, icmp or all; without it tcp where ports are given, else all')
    .optional(),
  ports: z
    .union([z.int().min(0).max(65_535), z.string()])
    .describe('A port, or a range like 1024-65535; of tcp and udp only')
    .optional(),
  icmpType: z.int().min(0).max(255).describe('Of icmp: the type, like 8 for a request').optional(),
  icmpCode: z
    .int()
    .min(0)
    .max(15)
    .describe('Of icmp type 3 (destination unreachable): the code, like 4')
    .optional(),
};

type PermissionSpec = z.output<z.ZodObject<typeof permissionKeys>>;

/** ICMP's name for "destination unreachable", whose codes say why. @see RFC 792 */
const ICMP_UNREACHABLE = 3;

/** Reports `rule-ports` and `rule-icmp`. */
export function resolvePermission(
  spec: PermissionSpec,
  where: Where,
  diagnostics: Diagnostics,
): IpPermission {
  const protocol = spec.protocol ?? (spec.ports === undefined ? 'all' : 'tcp');
  const ports = spec.ports === undefined ? ALL_PORTS : parsePorts(spec.ports);
  if (ports === undefined) {
    diagnostics.error(
      'rule-ports',
      where.at('ports'),
      `"${String(spec.ports)}" is neither a port nor a range of ports`,
      'write it like 443 or 1024-65535',
    );
  } else if (spec.ports !== undefined && (protocol === 'icmp' || protocol === 'all')) {
    diagnostics.error(
      'rule-ports',
      where.at('ports'),
      `a rule for ${protocol === 'all' ? 'all protocols' : 'icmp'} has no ports`,
      protocol === 'icmp' ? 'give an icmpType, or leave "ports" out' : 'say protocol: tcp or udp',
    );
  }
  if (spec.icmpType !== undefined && protocol !== 'icmp') {
    diagnostics.error(
      'rule-icmp',
      where.at('icmpType'),
      `a rule for ${protocol === 'all' ? 'all protocols' : protocol} has no ICMP type`,
      'say protocol: icmp',
    );
  }
  if (spec.icmpCode !== undefined && spec.icmpType !== ICMP_UNREACHABLE) {
    diagnostics.error(
      'rule-icmp',
      where.at('icmpCode'),
      'Hoplab tells the codes of ICMP type 3 (destination unreachable) apart, and no others',
      'say icmpType: 3, or leave "icmpCode" out',
    );
  }
  return {
    protocol,
    ports: ports ?? ALL_PORTS,
    icmp: spec.icmpType === undefined ? undefined : { type: spec.icmpType, code: spec.icmpCode },
  };
}

function parsePorts(text: number | string): PortRange | undefined {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(text)) ?? [];
  if (first === undefined || last === undefined) return undefined;
  const range = { from: Number(first), to: Number(last) };
  return range.from <= range.to && range.to <= ALL_PORTS.to ? range : undefined;
}

/** Whether a permission covers a header: for sure, not, or only some of the ports that it may turn out to have. */
export function covers(
  { protocol, ports, icmp }: IpPermission,
  header: PermissionHeader,
): 'yes' | 'no' | 'partly' {
  if (protocol === 'all') return 'yes';
  if (protocol !== header.protocol) return 'no';
  if (protocol === 'icmp') {
    if (icmp === undefined) return 'yes';
    const isIt =
      icmp.type === header.icmpType && (icmp.code === undefined || icmp.code === header.icmpCode);
    return isIt ? 'yes' : 'no';
  }
  const { from, to } = header.destinationPort;
  if (ports.from <= from && to <= ports.to) return 'yes';
  return to < ports.from || ports.to < from ? 'no' : 'partly';
}

/** `tcp 443`, `udp 1024-65535`, `icmp type 3 code 4`, `all traffic`: as a console shows it. */
export function renderPermission({ protocol, ports, icmp }: IpPermission): string {
  switch (protocol) {
    case 'all':
      return 'all traffic';
    case 'icmp': {
      if (icmp === undefined) return 'icmp';
      return `icmp type ${icmp.type}${icmp.code === undefined ? '' : ` code ${icmp.code}`}`;
    }
    case 'tcp':
    case 'udp':
      return isEveryPort(ports) ? protocol : `${protocol} ${renderPorts(ports)}`;
  }
}

export function renderPorts({ from, to }: PortRange): string {
  return from === to ? String(from) : `${from}-${to}`;
}

export function isEveryPort({ from, to }: PortRange): boolean {
  return from <= 0 && to >= ALL_PORTS.to;
}

/** Every address. */
export const EVERYBODY = cidr('0.0.0.0/0');

/** Whose packets, in nftables' words: by the source of what comes in, by the destination of what goes out. */
export function nftPeer(direction: Direction, block: Cidr): string {
  return block === EVERYBODY ? '' : `${nftSide(direction)} ${block.replace(/\/32$/, '')}`;
}

export function nftSide(direction: Direction): 'ip saddr' | 'ip daddr' {
  return direction === 'ingress' ? 'ip saddr' : 'ip daddr';
}

/** The match in nftables' words, as `nft list` prints it; empty for all traffic. */
export function nftMatch({ protocol, ports, icmp }: IpPermission): string {
  switch (protocol) {
    case 'all':
      return '';
    case 'icmp': {
      if (icmp === undefined) return 'meta l4proto icmp';
      const type = `icmp type ${ICMP_TYPES[icmp.type] ?? icmp.type}`;
      if (icmp.code === undefined) return type;
      return `${type} icmp code ${UNREACHABLE_CODES[icmp.code] ?? icmp.code}`;
    }
    case 'tcp':
    case 'udp':
      return isEveryPort(ports)
        ? `meta l4proto ${protocol}`
        : `${protocol} dport ${renderPorts(ports)}`;
  }
}

/** nftables' names for ICMP types. @see nft(8) "ICMP TYPE" */
const ICMP_TYPES: Readonly<Record<number, string>> = {
  0: 'echo-reply',
  3: 'destination-unreachable',
  4: 'source-quench',
  5: 'redirect',
  8: 'echo-request',
  9: 'router-advertisement',
  10: 'router-solicitation',
  11: 'time-exceeded',
  12: 'parameter-problem',
  13: 'timestamp-request',
  14: 'timestamp-reply',
  15: 'info-request',
  16: 'info-reply',
  17: 'address-mask-request',
  18: 'address-mask-reply',
};

/** nftables' names for the codes of "destination unreachable". @see nft(8) "ICMP CODE" */
const UNREACHABLE_CODES: Readonly<Record<number, string>> = {
  0: 'net-unreachable',
  1: 'host-unreachable',
  2: 'prot-unreachable',
  3: 'port-unreachable',
  4: 'frag-needed',
  9: 'net-prohibited',
  10: 'host-prohibited',
  13: 'admin-prohibited',
};

/**
 * A name server in a network namespace: a dnsmasq that knows a list of names and nothing else, and the file that makes
 * the programs of a namespace ask one.
 *
 * It listens on every address of its namespace, so that it neither waits for an address nor is lost with one; whom it
 * answers is the firewall's business. It reads no file of the machine's and asks nobody.
 *
 * @see dnsmasq(8)
 */

import type { Cidr, Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { inNetns } from './command.ts';
import { killAndWait, restartedDaemon } from './daemon.ts';
import type { KernelObject, ListeningSocket, SandboxFile } from './state.ts';

export interface NameRecord {
  /** `*.example.com` stands for every name below example.com that has no address of its own. */
  readonly name: string;
  /** The first name of an address is the one that the address leads back to. */
  readonly address: Ipv4;
  /** Another address that leads back to the name. */
  readonly alsoOf?: Ipv4;
  /** How long an answer may be kept; LOCAL_TTL_SECONDS where none is given, and always for a wildcard. */
  readonly ttlSeconds?: number;
  /** What it leads to is a load balancer's node that may be withdrawn: the record is kept in a file beside (`hostsFile`). */
  readonly node?: NetnsName;
  /** Another name that leads to this one, and how long whoever asks may keep that (CNAME). */
  readonly alias?: { readonly name: string; readonly ttlSeconds: number };
}

export interface CanonicalName {
  readonly name: string;
  readonly target: string;
  readonly ttlSeconds: number;
}

/** dnsmasq keeps no time to live for it: it has LOCAL_TTL_SECONDS. */
export interface TextRecord {
  readonly name: string;
  readonly text: string;
}

export type DnsRecord = NameRecord | CanonicalName | TextRecord;

/** A name for each address of a block, made of its four numbers: `ip-10-0-3-10.ec2.internal`, and back. */
export interface NamedBlock {
  readonly block: Cidr;
  readonly prefix: string;
  readonly domain: string;
}

/** @see RFC 1035 4.2 */
export const DNS_PORT = 53;

/** Of what has none of its own. The addresses of a load balancer have 60 s, and they may come from elsewhere than here. */
export const LOCAL_TTL_SECONDS = 60;

export function nameServer(
  netns: NetnsName,
  records: readonly DnsRecord[],
  {
    blocks = [],
    domains = [],
  }: {
    readonly blocks?: readonly NamedBlock[];
    /** Whose names are these records and no others, also where a wildcard above would fit. */
    readonly domains?: readonly string[];
  } = {},
): KernelObject[] {
  const name = `dnsmasq-${netns}`;
  const path = `/run/hoplab/${name}.conf`;
  const pidFile = pidFileOf(netns);
  const changing = changingRecords(records);
  const content = [
    // An unprivileged lab has no other user whom it could become; the sandbox is what holds it.
    'user=root',
    'group=root',
    `pid-file=${pidFile}`,
    // Else the machine's own syslog would have it.
    `log-facility=/run/hoplab/${name}.log`,
    'no-hosts',
    'no-resolv',
    // Every domain is its own: what it does not know is NXDOMAIN; without, it would be REFUSED.
    'local=/#/',
    ...domains.map((domain) => `local=/${domain}/`),
    `local-ttl=${LOCAL_TTL_SECONDS}`,
    ...blocks.map(({ block, prefix, domain }) => `synth-domain=${domain},${block},${prefix}`),
    ...(changing.length === 0 ? [] : [`addn-hosts=${hostsFile(netns)}`]),
    ...records.filter((one) => !isChanging(one)).map(recordLine),
    ...records.flatMap((record) =>
      'alias' in record
        ? [`cname=${record.alias.name},${record.name},${record.alias.ttlSeconds}`]
        : [],
    ),
    ...records.flatMap((record) =>
      'alsoOf' in record ? [`ptr-record=${reverseName(record.alsoOf)},${record.name}`] : [],
    ),
    '',
  ].join('\n');
  return [
    { kind: 'file', path, content },
    restartedDaemon({
      name,
      pidFile,
      command: `${inNetns(netns)} dnsmasq -C ${path}`,
      reads: content,
      stop: killAndWait(pidFile),
      sockets: dnsSockets(netns),
    }),
  ];
}

function recordLine(record: DnsRecord): string {
  const { name } = record;
  if ('text' in record) return `txt-record=${name},"${record.text}"`;
  if ('target' in record) return `cname=${name},${record.target},${record.ttlSeconds}`;
  const { address, ttlSeconds } = record;
  if (name.startsWith('*')) return `address=/${name}/${address}`;
  return `host-record=${name},${address}${ttlSeconds === undefined ? '' : `,${ttlSeconds}`}`;
}

/** Those that come and go while the server runs: somebody else writes them into `hostsFile` and sends it SIGHUP. */
export function changingRecords(records: readonly DnsRecord[]): ChangingRecord[] {
  return records.filter(isChanging);
}

type ChangingRecord = NameRecord & { readonly node: NetnsName };

function isChanging(record: DnsRecord): record is ChangingRecord {
  // What stands for many names fits into no such file.
  return 'node' in record && !record.name.startsWith('*');
}

/** As hosts(5). */
export function hostsFile(netns: NetnsName): string {
  return `/run/hoplab/dnsmasq-${netns}.hosts`;
}

export function pidFileOf(netns: NetnsName): string {
  return `/run/hoplab/dnsmasq-${netns}.pid`;
}

/** @see RFC 7766: both are a must. */
export function dnsSockets(netns: NetnsName): ListeningSocket[] {
  return [
    { netns, protocol: 'udp', port: DNS_PORT },
    { netns, protocol: 'tcp', port: DNS_PORT },
  ];
}

function reverseName(address: Ipv4): string {
  return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
}

/** `ip netns exec` shows it to what runs in the namespace as /etc/resolv.conf. @see ip-netns(8) */
export function resolvConf(
  netns: NetnsName,
  {
    servers,
    search = [],
    options = [],
  }: {
    readonly servers: readonly Ipv4[];
    readonly search?: readonly string[];
    readonly options?: readonly string[];
  },
): SandboxFile {
  const lines = [
    ...(search.length === 0 ? [] : [`search ${search.join(' ')}`]),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
  ];
  return {
    kind: 'file',
    path: `${BOUND_FILES}${netns}/resolv.conf`,
    content: `${lines.join('\n')}\n`,
  };
}

/** Where a namespace's own files of /etc lie. */
export const BOUND_FILES = '/etc/netns/';

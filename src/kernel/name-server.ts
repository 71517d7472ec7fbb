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
  readonly name: string;
  /** The first name of an address is the one that the address leads back to. */
  readonly address: Ipv4;
  /** Another address that leads back to the name. */
  readonly alsoOf?: Ipv4;
  /** Another name that leads to this one, and how long whoever asks may keep that (CNAME). */
  readonly alias?: { readonly name: string; readonly ttlSeconds: number };
}

/** A name for each address of a block, made of its four numbers: `ip-10-0-3-10.ec2.internal`, and back. */
export interface NamedBlock {
  readonly block: Cidr;
  readonly prefix: string;
  readonly domain: string;
}

/** @see RFC 1035 4.2 */
export const DNS_PORT = 53;

export function nameServer(
  netns: NetnsName,
  records: readonly NameRecord[],
  blocks: readonly NamedBlock[] = [],
): KernelObject[] {
  const name = `dnsmasq-${netns}`;
  const path = `/run/hoplab/${name}.conf`;
  const pidFile = `/run/hoplab/${name}.pid`;
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
    ...blocks.map(({ block, prefix, domain }) => `synth-domain=${domain},${block},${prefix}`),
    ...records.map((record) => `host-record=${record.name},${record.address}`),
    ...records.flatMap(({ alias, name: target }) =>
      alias === undefined ? [] : [`cname=${alias.name},${target},${alias.ttlSeconds}`],
    ),
    ...records.flatMap(({ alsoOf, name: target }) =>
      alsoOf === undefined ? [] : [`ptr-record=${reverseName(alsoOf)},${target}`],
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

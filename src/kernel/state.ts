/**
 * The vocabulary of kernel state: every kind of object that Hoplab puts into the kernel, named with iproute2's words,
 * and the state itself, a map from an object's key to the object and why it is there.
 *
 * A state is a plain value: it is planned from a lab, compared with another, rendered as text and kept as JSON. The
 * empty state is a state like any other, so that up, change and down are one function (`diff.ts`).
 */

import type { Because } from '../base/because.ts';
import type { Cidr, Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';

/** A network namespace; what it is born with is planned beside it (`netns.ts`). */
export interface Netns {
  readonly kind: 'netns';
  readonly netns: NetnsName;
}

/**
 * Some kinds are made with settings that are always the same, which are therefore no fields of theirs (`render.ts`).
 * What was read from the kernel says here which of them are otherwise; what is planned never does.
 */
interface AsRead {
  readonly unlike?: string;
}

/** One of the sysctls below `net`, all of them per network namespace; `path` as under /proc/sys. */
export interface Sysctl {
  readonly kind: 'sysctl';
  readonly netns: NetnsName;
  readonly path: string;
  readonly value: string;
  /** The link that the sysctl belongs to: it is written after the link is there. */
  readonly link?: string;
  /** Written only where the kernel has it: some come with a module, some only with a newer kernel. */
  readonly ifThere?: boolean;
}

export interface VethEnd {
  readonly netns: NetnsName;
  readonly link: string;
  readonly mac: string;
}

/** Two ends in two namespaces (or one), always created together. */
export interface Veth extends AsRead {
  readonly kind: 'veth';
  readonly ends: readonly [VethEnd, VethEnd];
  readonly mtuBytes: number;
}

export interface Bridge extends AsRead {
  readonly kind: 'bridge';
  readonly netns: NetnsName;
  readonly link: string;
  readonly mac: string;
  readonly mtuBytes: number;
}

/** That a link is up. With it the kernel takes the link's routes and neighbours away. */
export interface LinkUp {
  readonly kind: 'link-up';
  readonly netns: NetnsName;
  readonly link: string;
}

/** A link that no plan of ours makes; only ever read from the kernel, and taken away. */
export interface ForeignLink {
  readonly kind: 'foreign-link';
  readonly netns: NetnsName;
  readonly link: string;
  /** As `ip -d link` calls it: `dummy`, `veth`, … */
  readonly type: string;
}

/** What every bridge of ours is made with. */
export const FIXED_BRIDGE_SETTINGS = { mcast_snooping: 0, forward_delay: 0 } as const;

/**
 * A port of a subnet: it talks to no other port, teaches the bridge no MAC, is never flooded to, and has ARP answered
 * for it by the bridge, for assigned addresses only and with the peer's own MAC. (Linux bridge(8), `proxy_arp on`.)
 */
export const FIXED_PORT_FLAGS = {
  isolated: true,
  learning: false,
  flood: false,
  mcast_flood: false,
  bcast_flood: false,
  proxy_arp: true,
} as const;

/**
 * Keeps the kernel from handing whole 64 kB segments across a link: a capture then shows frames as large as the link's
 * MTU, as on a wire. In bytes.
 */
export function gsoMaxSize(mtuBytes: number): number {
  return Math.max(mtuBytes, 2048);
}

/** A link's place on a bridge, always with the flags that make the bridge behave like a VPC subnet. */
export interface BridgePort extends AsRead {
  readonly kind: 'bridge-port';
  readonly netns: NetnsName;
  readonly link: string;
  readonly bridge: string;
}

/** A static, sticky entry of a bridge's forwarding table. */
export interface FdbEntry {
  readonly kind: 'fdb-entry';
  readonly netns: NetnsName;
  readonly link: string;
  readonly mac: string;
}

export interface InterfaceAddress {
  readonly kind: 'address';
  readonly netns: NetnsName;
  readonly link: string;
  readonly address: Ipv4;
  readonly prefixLength: number;
  readonly broadcast?: Ipv4;
  /** False where the connected route that the kernel adds by itself is to be taken out again. */
  readonly connectedRoute: boolean;
}

export interface KernelRoute {
  readonly kind: 'route';
  readonly netns: NetnsName;
  readonly table: number;
  readonly type: 'unicast' | 'blackhole' | 'throw';
  readonly destination: Cidr | 'default';
  readonly via?: Ipv4;
  readonly link?: string;
  readonly source?: Ipv4;
  readonly scopeLink?: boolean;
  readonly onlink?: boolean;
  readonly metric?: number;
}

export interface RoutingRule {
  readonly kind: 'rule';
  readonly netns: NetnsName;
  readonly priority: number;
  readonly table: number;
  readonly from?: Ipv4;
  readonly to?: Ipv4 | Cidr;
  readonly incoming?: string;
  readonly fwmark?: string;
}

export interface Neighbour {
  readonly kind: 'neighbour';
  readonly netns: NetnsName;
  readonly link: string;
  readonly address: Ipv4;
  readonly mac: string;
}

/** A chain with all of its rules, each as iptables-save prints it after `-A CHAIN `. */
export interface IptablesChain {
  readonly kind: 'iptables-chain';
  readonly netns: NetnsName;
  readonly table: IptablesTable;
  readonly chain: string;
  /** Set for the kernel's own chains; a user chain has none. */
  readonly policy?: 'ACCEPT' | 'DROP';
  readonly rules: readonly string[];
}

export type IptablesTable = 'raw' | 'mangle' | 'nat' | 'filter' | 'security';

/**
 * A set of addresses that rules of iptables look up (`-m set --match-set`), with all of its members, sorted, each as
 * `ipset save` prints it behind the set's name. What every set of ours is made with is in `render-ipset.ts`.
 */
export interface IpSet extends AsRead {
  readonly kind: 'ipset';
  readonly netns: NetnsName;
  readonly set: string;
  /** `hash:ip`, `hash:net`, `hash:ip,port`, `hash:net,iface`. */
  readonly type: string;
  readonly members: readonly string[];
}

export type NftFamily = 'inet' | 'ip' | 'ip6' | 'arp' | 'bridge' | 'netdev';

export interface NftTable {
  readonly kind: 'nft-table';
  readonly netns: NetnsName;
  readonly family: NftFamily;
  readonly table: string;
}

/** A set, map or counter without its elements; `body` as `nft list` prints it, in one line. */
export interface NftSet {
  readonly kind: 'nft-set';
  readonly netns: NetnsName;
  readonly family: NftFamily;
  readonly table: string;
  readonly type: 'set' | 'map' | 'counter';
  readonly set: string;
  readonly body: string;
}

export interface NftElement {
  readonly kind: 'nft-element';
  readonly netns: NetnsName;
  readonly family: NftFamily;
  readonly table: string;
  readonly set: string;
  readonly element: string;
  /** A map's value: a verdict, a mark. */
  readonly data?: string;
}

export interface NftChain {
  readonly kind: 'nft-chain';
  readonly netns: NetnsName;
  readonly family: NftFamily;
  readonly table: string;
  readonly chain: string;
  /** `type filter hook forward priority -20; policy drop;` for a base chain. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

/** A file on the sandbox's own tmpfs, at the top level of its private /etc, or a namespace's own below /etc/netns. */
export interface SandboxFile {
  readonly kind: 'file';
  readonly path: string;
  readonly content: string;
}

/** A process that goes on while the lab is up; each line is shell, run inside the sandbox. */
export interface Daemon extends AsRead {
  readonly kind: 'daemon';
  readonly name: string;
  readonly pidFile: string;
  readonly start: string;
  /** Takes over from the running one without a gap where the program can. */
  readonly reload: string;
  readonly stop: string;
  /** What the process has read at its start: another digest means a reload. */
  readonly digest: string;
  /** It asks others at once, and would take their silence for an answer: it starts when all else is there. */
  readonly asksOthers?: boolean;
  /** Where it listens. It must be started anew where one of these namespaces was made anew. */
  readonly sockets: readonly ListeningSocket[];
}

/** `nflog` takes what rules log to a group, which is its `port`. */
export interface ListeningSocket {
  readonly netns: NetnsName;
  readonly protocol: 'tcp' | 'udp' | 'nflog';
  readonly port: number;
}

/** A key and its certificate in one PEM file, signed by an authority of the lab's that is made with the first of them. */
export interface Certificate {
  readonly kind: 'certificate';
  readonly path: string;
  readonly authority: { readonly certificate: string; readonly key: string };
  /** Whom it names, the first one as its common name: `DNS:…`, `IP:…`. */
  readonly names: readonly string[];
}

/**
 * How a flow of datagrams is translated that goes to an address and a port, or to a port at any of the namespace's own.
 * The kernel remembers what it decided for the first one: where this changes, it is made to forget.
 */
export interface UdpFlow {
  readonly kind: 'udp-flow';
  readonly netns: NetnsName;
  readonly address?: Ipv4;
  readonly port: number;
  /** `address:port` each. */
  readonly endpoints: readonly string[];
}

export type KernelObject =
  | Netns
  | Sysctl
  | Veth
  | Bridge
  | LinkUp
  | ForeignLink
  | BridgePort
  | FdbEntry
  | InterfaceAddress
  | KernelRoute
  | RoutingRule
  | Neighbour
  | IptablesChain
  | IpSet
  | NftTable
  | NftSet
  | NftElement
  | NftChain
  | SandboxFile
  | Certificate
  | UdpFlow
  | Daemon;

export interface Planned {
  readonly object: KernelObject;
  readonly because: Because;
}

export type KernelState = ReadonlyMap<string, Planned>;

export const EMPTY: KernelState = new Map();

/** Kernel routing tables that every Linux has. @see iproute2 etc/iproute2/rt_tables */
export const MAIN_TABLE = 254;
export const LOCAL_TABLE = 255;
export const DEFAULT_TABLE = 253;

/** What tells one object from another; two objects with one key can't stand side by side in the kernel. */
export function objectKey(object: KernelObject): string {
  switch (object.kind) {
    case 'netns':
      return `netns ${object.netns}`;
    case 'sysctl':
      return `${object.netns} sysctl ${object.path}`;
    case 'veth':
      return `veth ${object.ends.map((end) => `${end.netns}:${end.link}`).join(' ')}`;
    case 'bridge':
    case 'foreign-link':
      return `${object.netns} link ${object.link}`;
    case 'link-up':
      return `${object.netns} up ${object.link}`;
    case 'bridge-port':
      return `${object.netns} port ${object.link}`;
    case 'fdb-entry':
      return `${object.netns} fdb ${object.link} ${object.mac}`;
    case 'address':
      return `${object.netns} address ${object.link} ${object.address}/${object.prefixLength}`;
    case 'route':
      return `${object.netns} route ${object.table} ${object.destination} ${object.metric ?? 0}`;
    case 'rule':
      return `${object.netns} rule ${renderRule(object)}`;
    case 'neighbour':
      return `${object.netns} neighbour ${object.link} ${object.address}`;
    case 'iptables-chain':
      return `${object.netns} iptables ${object.table} ${object.chain}`;
    case 'ipset':
      return `${object.netns} ipset ${object.set}`;
    case 'nft-table':
      return `${object.netns} nft ${object.family} ${object.table}`;
    case 'nft-set':
      return `${object.netns} nft ${object.family} ${object.table} ${object.type} ${object.set}`;
    case 'nft-element':
      return `${object.netns} nft ${object.family} ${object.table} element ${object.set} ${object.element}`;
    case 'nft-chain':
      return `${object.netns} nft ${object.family} ${object.table} chain ${object.chain}`;
    case 'file':
      return `file ${object.path}`;
    case 'certificate':
      return `certificate ${object.path}`;
    case 'udp-flow':
      return `${object.netns} udp-flow ${object.address ?? 'any'} ${object.port}`;
    case 'daemon':
      return `daemon ${object.name}`;
  }
}

/** A rule's arguments after `ip rule add`, in iproute2's order. */
export function renderRule(rule: RoutingRule): string {
  const words = [`priority ${rule.priority}`];
  if (rule.from !== undefined) words.push(`from ${rule.from}`);
  if (rule.to !== undefined) words.push(`to ${rule.to}`);
  if (rule.incoming !== undefined) words.push(`iif ${rule.incoming}`);
  if (rule.fwmark !== undefined) words.push(`fwmark ${rule.fwmark}`);
  words.push(`lookup ${tableWord(rule.table)}`);
  return words.join(' ');
}

const TABLE_WORDS = new Map([
  [DEFAULT_TABLE, 'default'],
  [MAIN_TABLE, 'main'],
  [LOCAL_TABLE, 'local'],
]);

export function tableWord(table: number): string {
  return TABLE_WORDS.get(table) ?? String(table);
}

/** The links an object lives on, as keys of `linkKey`; they vanish together. */
export function linksOf(object: KernelObject): string[] {
  switch (object.kind) {
    case 'bridge-port':
      return [linkKey(object.netns, object.link), linkKey(object.netns, object.bridge)];
    case 'fdb-entry':
    case 'address':
    case 'neighbour':
    case 'link-up':
      return [linkKey(object.netns, object.link)];
    case 'route':
    case 'sysctl':
      return object.link === undefined ? [] : [linkKey(object.netns, object.link)];
    default:
      return [];
  }
}

export function linkKey(netns: NetnsName, link: string): string {
  return `${netns}:${link}`;
}

/** The namespaces an object lives in: one, none (a file), or a veth's two. */
export function netnsOf(object: KernelObject): NetnsName[] {
  switch (object.kind) {
    case 'veth':
      return object.ends.map((end) => end.netns);
    case 'file':
    case 'certificate':
    case 'daemon':
      return [];
    default:
      return [object.netns];
  }
}

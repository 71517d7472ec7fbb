/** What `ip -j -d` and `bridge -j fdb` print, as kernel objects. Only IPv4; what the kernel adds by itself is left out. */

import { blockOf, type Cidr, cidr, type Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import {
  DEFAULT_TABLE,
  FIXED_BRIDGE_SETTINGS,
  FIXED_PORT_FLAGS,
  gsoMaxSize,
  type KernelObject,
  type KernelRoute,
  LOCAL_TABLE,
  MAIN_TABLE,
  type RoutingRule,
} from './state.ts';

/** One link as `ip -d addr show` tells of it. */
export interface LinkRead {
  readonly netns: NetnsName;
  readonly link: string;
  /** Its number in its namespace, and the number of a cable's other end in that one's (or its name, in the same one). */
  readonly index: number;
  readonly peerIndex: number | undefined;
  readonly peerName: string | undefined;
  readonly type: string;
  readonly mac: string;
  readonly mtuBytes: number;
  readonly gsoMaxSizeBytes: number;
  /** Of a bridge: which of its settings are not as they always are. */
  readonly unlike: string | undefined;
}

interface AddrJson {
  readonly ifindex: number;
  readonly link?: string;
  readonly link_index?: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly master?: string;
  readonly link_type: string;
  readonly address?: string;
  readonly gso_max_size?: number;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: Readonly<Record<string, unknown>>;
    readonly info_slave_data?: Readonly<Record<string, unknown>>;
  };
  readonly addr_info: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
    readonly broadcast?: string;
  }[];
}

interface RouteJson {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly table?: string;
  readonly protocol?: string;
  readonly scope?: string;
  readonly prefsrc?: string;
  readonly metric?: number;
  readonly flags: readonly string[];
}

interface RuleJson {
  readonly priority: number;
  readonly src: string;
  readonly srclen?: number;
  readonly dst?: string;
  readonly dstlen?: number;
  readonly iif?: string;
  readonly fwmark?: string;
  readonly fwmask?: string;
  readonly table?: string;
}

interface NeighbourJson {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
}

interface FdbJson {
  readonly mac: string;
  readonly vlan?: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly master?: string;
  readonly state?: string;
}

/** `text` holds four JSON documents, a line each (see `read-script.ts`); links come apart from everything on them. */
export function parseIp(
  netns: NetnsName,
  text: string,
  fdbText: string,
): { links: LinkRead[]; objects: KernelObject[] } {
  const documents = text
    .split('\n')
    .filter((line) => line.startsWith('['))
    .map((line) => JSON.parse(line) as unknown);
  const [addrs = [], routes = [], rules = [], neighbours = []] = documents as [
    AddrJson[]?,
    RouteJson[]?,
    RuleJson[]?,
    NeighbourJson[]?,
  ];
  const fdb = fdbText.trim() === '' ? [] : (JSON.parse(fdbText) as FdbJson[]);
  const ipv4Routes = routes.filter(({ dst, table }) => table !== 'local' && !dst.includes(':'));
  const connected = new Set(
    ipv4Routes
      .filter(({ protocol }) => protocol === 'kernel')
      .map(({ dst, dev }) => `${dst} ${dev ?? ''}`),
  );
  return {
    links: addrs.flatMap((addr) => toLink(netns, addr) ?? []),
    objects: [
      ...addrs.flatMap((addr) => onLink(netns, addr, connected)),
      ...ipv4Routes
        .filter(({ protocol }) => protocol !== 'kernel')
        .map((route) => toRoute(netns, route)),
      ...rules.map((rule) => toRule(netns, rule)),
      ...neighbours.flatMap(({ dst, dev, lladdr }): KernelObject[] =>
        lladdr === undefined || dst.includes(':')
          ? []
          : [{ kind: 'neighbour', netns, link: dev, address: dst as Ipv4, mac: lladdr }],
      ),
      // A kernel with VLANs says each entry once more, for the port's default VLAN.
      ...fdb.flatMap(({ mac, vlan, ifname, flags, master, state }): KernelObject[] =>
        master !== undefined && vlan === undefined && state === 'static' && flags.includes('sticky')
          ? [{ kind: 'fdb-entry', netns, link: ifname, mac }]
          : [],
      ),
    ],
  };
}

/**
 * Devices that the kernel puts into every new namespace once the module of a tunnel is loaded.
 * @see linux Documentation/admin-guide/sysctl/net.rst fb_tunnels_only_for_init_net
 */
const FALLBACK_TUNNELS = new Set(
  'tunl0 gre0 gretap0 erspan0 ip_vti0 ip6_vti0 sit0 ip6tnl0 ip6gre0'.split(' '),
);

function toLink(netns: NetnsName, addr: AddrJson): LinkRead | undefined {
  const { ifname: link, linkinfo } = addr;
  if (addr.link_type === 'loopback' || FALLBACK_TUNNELS.has(link)) return undefined;
  const type = linkinfo?.info_kind ?? addr.link_type;
  return {
    netns,
    link,
    index: addr.ifindex,
    peerIndex: addr.link_index,
    peerName: addr.link,
    type,
    mac: addr.address ?? '',
    mtuBytes: addr.mtu,
    // An older iproute2 does not say.
    gsoMaxSizeBytes: addr.gso_max_size ?? gsoMaxSize(addr.mtu),
    unlike:
      type === 'bridge'
        ? deviations(FIXED_BRIDGE_SETTINGS, linkinfo?.info_data ?? {}, String)
        : undefined,
  };
}

/** A link's addresses, that it is up, its place on a bridge. */
function onLink(netns: NetnsName, addr: AddrJson, connected: ReadonlySet<string>): KernelObject[] {
  const link = addr.ifname;
  const objects: KernelObject[] = [];
  if (addr.flags.includes('UP') && !FALLBACK_TUNNELS.has(link)) {
    objects.push({ kind: 'link-up', netns, link });
  }
  if (addr.master !== undefined) {
    const flags = addr.linkinfo?.info_slave_data ?? {};
    const unlike = deviations(FIXED_PORT_FLAGS, flags, (isOn) => (isOn === true ? 'on' : 'off'));
    const port = { kind: 'bridge-port', netns, link, bridge: addr.master } as const;
    objects.push(unlike === undefined ? port : { ...port, unlike });
  }
  for (const { family, local, prefixlen, broadcast } of addr.addr_info) {
    // The one that `lo` has as soon as it is up.
    if (family !== 'inet' || local === '127.0.0.1') continue;
    const address = local as Ipv4;
    objects.push({
      kind: 'address',
      netns,
      link,
      address,
      prefixLength: prefixlen,
      ...(broadcast === undefined ? {} : { broadcast: broadcast as Ipv4 }),
      // A /32 has none to lose.
      connectedRoute: prefixlen === 32 || connected.has(`${blockOf(address, prefixlen)} ${link}`),
    });
  }
  return objects;
}

/** `flood on, isolated off`: what is not as it always is; undefined when all is. */
function deviations(
  fixed: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
  say: (value: unknown) => string,
): string | undefined {
  const list = Object.entries(fixed)
    .filter(([name, value]) => found[name] !== value)
    .map(([name]) => `${name} ${say(found[name])}`);
  return list.length === 0 ? undefined : list.join(', ');
}

const ROUTE_TYPES = ['unicast', 'blackhole', 'throw'] as const;

function toRoute(netns: NetnsName, route: RouteJson): KernelRoute {
  const { dst, gateway, dev, scope, prefsrc, metric, flags } = route;
  // A type that no plan has (unreachable, prohibit) is another way of leading nowhere.
  const type = ROUTE_TYPES.find((one) => one === (route.type ?? 'unicast')) ?? 'blackhole';
  return {
    kind: 'route',
    netns,
    table: tableId(route.table),
    type,
    destination: dst === 'default' ? 'default' : asCidr(dst),
    ...(gateway === undefined ? {} : { via: gateway as Ipv4 }),
    ...(dev === undefined || type !== 'unicast' ? {} : { link: dev }),
    ...(prefsrc === undefined ? {} : { source: prefsrc as Ipv4 }),
    ...(scope === 'link' && type === 'unicast' ? { scopeLink: true } : {}),
    ...(flags.includes('onlink') ? { onlink: true } : {}),
    ...(metric === undefined ? {} : { metric }),
  };
}

function tableId(word: string | undefined): number {
  switch (word) {
    case undefined:
    case 'main':
      return MAIN_TABLE;
    case 'local':
      return LOCAL_TABLE;
    case 'default':
      return DEFAULT_TABLE;
    default:
      return Number(word);
  }
}

function asCidr(text: string): Cidr {
  return cidr(text.includes('/') ? text : `${text}/32`);
}

function toRule(netns: NetnsName, rule: RuleJson): RoutingRule {
  const { priority, src, srclen, dst, dstlen, iif, fwmark, fwmask } = rule;
  const end = (address: string, length: number | undefined): Ipv4 =>
    (length === undefined ? address : `${address}/${length}`) as Ipv4;
  return {
    kind: 'rule',
    netns,
    priority,
    table: tableId(rule.table),
    ...(src === 'all' ? {} : { from: end(src, srclen) }),
    ...(dst === undefined ? {} : { to: end(dst, dstlen) }),
    ...(iif === undefined ? {} : { incoming: iif }),
    ...(fwmark === undefined
      ? {}
      : { fwmark: fwmask === undefined ? fwmark : `${fwmark}/${fwmask}` }),
  };
}

/** What a probe asks, resolved: from which thing, to which address and port, by which of ping, TCP, UDP, HTTP, DNS and psql. */

import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { type Ipv4, parseIpv4 } from '../base/ip.ts';
import { type Cloud, findService, findThing, type Thing } from '../cloud.ts';
import type { AskedUrl } from '../judge/judge.ts';
import { nameServerOf } from '../judge/name-server.ts';
import { DNS_PORT } from '../kernel/name-server.ts';
import type { Service } from '../k8s/cluster-services.ts';
import { type ProbeSpec, REQUEST_KINDS, type RequestKind } from '../observe/probe-spec.ts';
import type { Where } from '../source/yaml.ts';
import { HOW_TO_WRITE_DATABASE, parseDatabase } from './database-target.ts';
import { resolveName } from './resolve-name.ts';

export interface Request {
  readonly kind: RequestKind;
  readonly from: Thing;
  readonly fromAddress: Ipv4;
  readonly destination: Ipv4;
  /** Where a name leads to several addresses: all of them, the one above first. */
  readonly destinations: readonly Ipv4[];
  /** 0 for ping. */
  readonly port: number;
  /** What curl or psql is given; for the others `address:port`. */
  readonly text: string;
  /** The tool is given a name, and asks a DNS server first. */
  readonly isByName: boolean;
  /** What of a URL a load balancer looks at. */
  readonly url?: AskedUrl;
}

/** How a target is written, of each kind. */
const HOW_TO_WRITE: Readonly<Record<RequestKind, string>> = {
  http: 'write it like http://10.0.4.50:8080/, svc/web/ or pod/web:8080/',
  ping: 'write it like 10.0.4.50 or pod/web',
  tcp: 'write it like 10.0.4.50:8080, svc/web:80 or pod/web:8080',
  udp: 'write it like 10.0.4.50:8080, svc/web:80 or pod/web:8080',
  dns: 'write a name, like web.default.svc.cluster.local',
  psql: HOW_TO_WRITE_DATABASE,
};

/** The port of a URL that names none. */
const PORT_OF = { http: 80, https: 443 } as const;

/** What a request is on the wire. */
export function protocolOf(kind: RequestKind): 'tcp' | 'udp' | 'icmp' {
  if (kind === 'http' || kind === 'psql') return 'tcp';
  if (kind === 'dns') return 'udp';
  return kind === 'ping' ? 'icmp' : kind;
}

/** Reports `unknown-endpoint` and `probe-target`. */
export function resolveRequest(
  probe: ProbeSpec,
  cloud: Cloud,
  where: Where,
  diagnostics: Diagnostics,
): Request | undefined {
  const from = findEndpoint(probe.from, cloud, where.at('from'), diagnostics);
  const kind = REQUEST_KINDS.find((one) => probe[one] !== undefined);
  if (kind === undefined) return undefined;
  const text = probe[kind] ?? '';
  const target =
    kind === 'dns'
      ? parseName(text, from, cloud, where.at(kind), diagnostics)
      : kind === 'psql'
        ? parseDatabase(text, from, cloud, where.at(kind), diagnostics)
        : parseTarget(kind, text, from, cloud, where.at(kind), diagnostics);
  if (from?.address === undefined || target === undefined) return undefined;
  const { url } = target;
  const asked =
    url === undefined || probe.headers === undefined
      ? {}
      : { url: { ...url, headers: probe.headers } };
  return { kind, from, fromAddress: from.address, ...target, ...asked };
}

function findEndpoint(
  text: string,
  cloud: Cloud,
  at: SourceRef | undefined,
  diagnostics: Diagnostics,
): Thing | undefined {
  const thing = findThing(cloud, text);
  if (thing?.isEndpoint === true) return thing;
  const endpoints = [...cloud.things.values()].filter((one) => one.isEndpoint);
  diagnostics.error(
    'unknown-endpoint',
    at,
    thing === undefined ? `"${text}" is nothing in this lab` : `"${text}" sends nothing of its own`,
    suggest(
      text,
      endpoints.map((one) => one.reference),
    ) ?? 'endpoints are pod/NAME, node/NAME, instance/NAME and internet/NAME',
  );
  return undefined;
}

type Target = Pick<Request, 'destination' | 'destinations' | 'port' | 'text' | 'isByName' | 'url'>;

/** A name alone: the sender's DNS server is asked. */
function parseName(
  text: string,
  from: Thing | undefined,
  cloud: Cloud,
  at: SourceRef,
  diagnostics: Diagnostics,
): Target | undefined {
  if (!/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9.])?$/.test(text)) {
    diagnostics.error('probe-target', at, `"${text}" is no name`, HOW_TO_WRITE.dns);
    return undefined;
  }
  const server = from === undefined ? undefined : nameServerOf(cloud, from);
  if (server === undefined) return undefined;
  const { address: destination } = server;
  return { destination, destinations: [destination], port: DNS_PORT, text, isByName: false };
}

/** `host`, `host:port`, `kind/name:port`, and for HTTP also a URL or a path behind. */
function parseTarget(
  kind: Exclude<RequestKind, 'dns' | 'psql'>,
  text: string,
  from: Thing | undefined,
  cloud: Cloud,
  at: SourceRef,
  diagnostics: Diagnostics,
): Target | undefined {
  const fail = (what: string, hint: string | undefined): undefined => {
    diagnostics.error('probe-target', at, what, hint);
    return undefined;
  };
  const scheme = kind === 'http' && text.startsWith('https://') ? 'https' : 'http';
  const bare = kind === 'http' ? text.replace(/^https?:\/\//, '') : text;
  // Before a colon everything is the host; without one a reference and a path have to be told apart.
  const match = /^(?<whole>[^:'"\\\s]+)(?::(?<port>\d+)(?<path>\/[^'"\\\s]*)?)?$/.exec(bare);
  const { whole = '', port: portText, path: behindPort = '' } = match?.groups ?? {};
  const written =
    portText === undefined ? splitReference(whole, cloud) : { host: whole, path: behindPort };
  const { path } = written;
  const host = dnsNameOf(cloud, written.host) ?? written.host;
  const port = portText === undefined ? (kind === 'http' ? PORT_OF[scheme] : 0) : Number(portText);
  if (match === null || host === '' || port > 65535 || (path !== '' && kind !== 'http')) {
    fail(`"${text}" is no target of ${kind}`, HOW_TO_WRITE[kind]);
    return;
  }
  if (port === 0 && kind !== 'ping') {
    fail(`"${text}" names no port`, 'add one, like :8080');
    return;
  }
  const address = parseIpv4(host) ?? addressFor(cloud, from, host);
  const service = address === undefined ? findService(cloud, host) : undefined;
  const destinations =
    address !== undefined
      ? [address]
      : service !== undefined
        ? addressesOf(service)
        : resolveName(cloud, from, host);
  const [destination] = destinations;
  if (destination === undefined && service !== undefined) {
    fail(`${service.reference} has no address`, 'ask it by its name: its endpoints may come');
    return;
  }
  if (destination === undefined) {
    const known = [
      ...[...cloud.things.values()].filter((one) => one.address).map((one) => one.reference),
      ...(cloud.cluster?.services ?? []).map((one) => one.reference),
      ...cloud.internetHosts.map((one) => one.name),
      ...cloud.hostedZones.flatMap((zone) => zone.records.map((one) => one.name)),
    ];
    fail(
      `"${host}" is neither an address nor anything that has one in this lab`,
      suggest(host, known),
    );
    return;
  }
  const isName = address !== host && findThing(cloud, host) === undefined && service === undefined;
  const authority = `${isName ? host : destination}${portText === undefined ? '' : `:${port}`}`;
  return {
    destination,
    destinations,
    port,
    isByName: kind === 'http' && isName,
    ...(kind === 'http'
      ? { url: { host: isName ? host : destination, path: path === '' ? '/' : path } }
      : {}),
    text:
      kind === 'http'
        ? `${scheme}://${authority}${path === '' ? '/' : path}`
        : kind === 'ping'
          ? isName
            ? host
            : destination
          : `${destination}:${port}`,
  };
}

/** A load balancer is asked by its name: `nlb/web`. */
function dnsNameOf(cloud: Cloud, host: string): string | undefined {
  const [, kind, name] = /^([an]lb)\/(.+)$/.exec(host) ?? [];
  const all = kind === 'alb' ? cloud.loadBalancers : cloud.networkLoadBalancers;
  return kind === undefined ? undefined : all.find((one) => one.name === name)?.dnsName;
}

/** A load balancer's node is asked from the internet at its public address. */
function addressFor(cloud: Cloud, from: Thing | undefined, host: string): Ipv4 | undefined {
  const thing = findThing(cloud, host);
  if (thing === undefined || from?.kind !== 'internet') return thing?.address;
  const node = [...cloud.loadBalancers, ...cloud.networkLoadBalancers]
    .flatMap(({ nodes }) => nodes)
    .find(({ netns }) => netns === thing.netns);
  return node?.eni.addresses[0].elastic ?? thing.address;
}

/** A headless Service is where its endpoints are. */
function addressesOf(service: Service): readonly Ipv4[] {
  const { clusterIp, slices } = service;
  if (clusterIp === undefined) return [];
  if (clusterIp !== 'None') return [clusterIp];
  const ready = slices.flatMap(({ endpoints }) => endpoints.filter((one) => one.ready));
  return [...new Set(ready.map((one) => one.address))];
}

/** What a reference begins with; everything else before a slash is a name. */
const KINDS = [
  'pod',
  'node',
  'instance',
  'internet',
  'nat',
  'igw',
  'vpc',
  'eks',
  'svc',
  'alb',
  'nlb',
  'rds',
] as const;

/** `pod/web/path` may be pod "web" and a path, or pod "path" in namespace "web": what is there wins. */
function splitReference(text: string, cloud: Cloud): { host: string; path: string } {
  const words = text.split('/');
  const join = (from: number, to?: number): string => words.slice(from, to).join('/');
  const isReference = words.length > 1 && (KINDS as readonly string[]).includes(words[0] ?? '');
  let length = words.length;
  const isKnown = (word: string): boolean =>
    findThing(cloud, word) !== undefined ||
    findService(cloud, word) !== undefined ||
    dnsNameOf(cloud, word) !== undefined;
  while (length > 1 && !isKnown(join(0, length))) length -= 1;
  // A reference to nothing is reported whole, as far as one can tell.
  if (length === 1 && isReference && !cloud.internetHosts.some((one) => one.name === words[0])) {
    length = Math.min(2, words.length);
  }
  return { host: join(0, length), path: length < words.length ? `/${join(length)}` : '' };
}

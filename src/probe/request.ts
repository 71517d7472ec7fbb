/** What a probe asks, resolved: from which thing, to which address and port, by which of ping, TCP, UDP and HTTP. */

import { lookUpEc2Name } from '../aws/route53-resolver.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { type Ipv4, parseIpv4 } from '../base/ip.ts';
import { type Cloud, findThing, type Thing, vpcOfThing } from '../cloud.ts';
import { type ProbeSpec, REQUEST_KINDS, type RequestKind } from '../observe/probe-spec.ts';
import type { Where } from '../source/yaml.ts';

export interface Request {
  readonly kind: RequestKind;
  readonly from: Thing;
  readonly fromAddress: Ipv4;
  readonly destination: Ipv4;
  /** 0 for ping. */
  readonly port: number;
  /** What curl is given; for the others `address:port`. */
  readonly text: string;
  /** The tool is given a name, and asks a DNS server first. */
  readonly isByName: boolean;
}

/** What a request is on the wire. */
export function protocolOf(kind: RequestKind): 'tcp' | 'udp' | 'icmp' {
  if (kind === 'http') return 'tcp';
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
  const target = parseTarget(kind, probe[kind] ?? '', from, cloud, where.at(kind), diagnostics);
  if (from?.address === undefined || target === undefined) return undefined;
  return { kind, from, fromAddress: from.address, ...target };
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

/** `host`, `host:port`, `kind/name:port`, and for HTTP also a URL or a path behind. */
function parseTarget(
  kind: RequestKind,
  text: string,
  from: Thing | undefined,
  cloud: Cloud,
  at: SourceRef,
  diagnostics: Diagnostics,
): Pick<Request, 'destination' | 'port' | 'text' | 'isByName'> | undefined {
  const fail = (what: string, hint: string | undefined): undefined => {
    diagnostics.error('probe-target', at, what, hint);
    return undefined;
  };
  const bare = kind === 'http' ? text.replace(/^http:\/\//, '') : text;
  // Before a colon everything is the host; without one a reference and a path have to be told apart.
  const match = /^(?<whole>[^:'"\\\s]+)(?::(?<port>\d+)(?<path>\/[^'"\\\s]*)?)?$/.exec(bare);
  const { whole = '', port: portText, path: behindPort = '' } = match?.groups ?? {};
  const { host, path } =
    portText === undefined ? splitReference(whole, cloud) : { host: whole, path: behindPort };
  const port = portText === undefined ? (kind === 'http' ? 80 : 0) : Number(portText);
  if (match === null || host === '' || port > 65535 || (path !== '' && kind !== 'http')) {
    fail(
      `"${text}" is no target of ${kind}`,
      kind === 'http'
        ? 'write it like http://10.0.4.50:8080/ or pod/web:8080/'
        : kind === 'ping'
          ? 'write it like 10.0.4.50 or pod/web'
          : 'write it like 10.0.4.50:8080 or pod/web:8080',
    );
    return;
  }
  if (port === 0 && kind !== 'ping') {
    fail(`"${text}" names no port`, 'add one, like :8080');
    return;
  }
  const thing = findThing(cloud, host);
  const destination =
    parseIpv4(host) ??
    thing?.address ??
    cloud.internetHosts.find((one) => one.name === host)?.address ??
    lookUpEc2Name(host, from && vpcOfThing(cloud, from), [...cloud.vpcs.values()]);
  if (destination === undefined) {
    const known = [
      ...[...cloud.things.values()].filter((one) => one.address).map((one) => one.reference),
      ...cloud.internetHosts.map((one) => one.name),
    ];
    fail(
      `"${host}" is neither an address nor anything that has one in this lab`,
      suggest(host, known),
    );
    return;
  }
  const isName = thing === undefined;
  const authority = `${isName ? host : destination}${portText === undefined ? '' : `:${port}`}`;
  return {
    destination,
    port,
    isByName: kind === 'http' && isName && host !== destination,
    text:
      kind === 'http'
        ? `http://${authority}${path === '' ? '/' : path}`
        : kind === 'ping'
          ? isName
            ? host
            : destination
          : `${destination}:${port}`,
  };
}

/** `pod/web/path` may be pod "web" and a path, or pod "path" in namespace "web": what is there wins. */
function splitReference(text: string, cloud: Cloud): { host: string; path: string } {
  const words = text.split('/');
  const join = (from: number, to?: number): string => words.slice(from, to).join('/');
  const isReference = words.length > 1 && /^[a-z]+$/.test(words[0] ?? '');
  let length = words.length;
  while (length > 1 && findThing(cloud, join(0, length)) === undefined) length -= 1;
  // A reference to nothing is reported whole, as far as one can tell.
  if (length === 1 && isReference && !cloud.internetHosts.some((one) => one.name === words[0])) {
    length = Math.min(2, words.length);
  }
  return { host: join(0, length), path: length < words.length ? `/${join(length)}` : '' };
}

/**
 * What an object tells ExternalDNS: which names it wants, and where they are to lead, in annotations that begin with
 * `external-dns.alpha.kubernetes.io/`.
 *
 * ExternalDNS reads an annotation of a misspelt name as if it were not there, and a value that it can't take as none; it says
 * so in its log at most. Hoplab warns.
 *
 * @fidelity same - hostname, ingress-hostname-source, target, ttl, alias, controller; simplified - those of routing policies
 *   and of other sources and providers have no effect
 * @see https://kubernetes-sigs.github.io/external-dns/latest/docs/annotations/annotations/
 * @see external-dns source/ingress.go endpointsFromIngress, source/annotations/annotations.go
 */

import { isName } from '../aws/zone-record.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import type { IngressSpec } from '../k8s/ingress.ts';
import { type Annotated, whereAnnotations } from '../k8s/object.ts';
import { parseDurationMs } from '../source/scalar.ts';

export interface DnsSource {
  /** `ingress/default/web` */
  readonly resource: string;
  readonly hostnames: readonly Hostname[];
  /** The load balancer that was made for the object, as an alias names it: `alb/web`. */
  readonly loadBalancer: string;
  /** Addresses and names that are to be led to instead. */
  readonly targets: readonly string[];
  readonly ttlSeconds: number | undefined;
  /** Also where Route 53 could have an alias. */
  readonly prefersCname: boolean;
}

export interface Hostname {
  readonly name: string;
  readonly at: SourceRef;
}

const PREFIX = 'external-dns.alpha.kubernetes.io/';
const HEEDED = ['hostname', 'ingress-hostname-source', 'target', 'ttl', 'alias', 'controller'];
const WITHOUT_EFFECT = ['set-identifier', 'access', 'endpoints-type', 'internal-hostname'];
const OF_PROVIDERS = /^(aws|cloudflare|scw|webhook|google|azure|oci|ibmcloud|akamai|coredns)-/;

/** The value of the annotation `controller` with which ExternalDNS feels responsible. */
const CONTROLLER = 'dns-controller';
const HOSTNAME_SOURCES = ['annotation-only', 'defined-hosts-only'];
/** @see source/annotations/annotations.go ttlMinimum, ttlMaximum */
const TTL_SECONDS = { least: 1, most: 2_147_483_647 } as const;

type Source = Annotated & { readonly namespace: string; readonly name: string };

/**
 * `own` are the names that the object's spec holds. Undefined where the object is another controller's. Reports
 * `external-dns-annotation`.
 */
export function readDnsSource(
  kind: 'ingress' | 'service',
  object: Source,
  own: readonly Hostname[],
  loadBalancer: string,
  diagnostics: Diagnostics,
): DnsSource | undefined {
  const { annotations } = object;
  const where = whereAnnotations(object);
  const text = (word: string): string | undefined => annotations[PREFIX + word];
  const warn = (word: string, what: string, hint: string | undefined): undefined => {
    const at = where.at(PREFIX + word);
    diagnostics.warning('external-dns-annotation', at, `${PREFIX}${word}: ${what}`, hint);
  };
  if ((text('controller') ?? CONTROLLER) !== CONTROLLER) return undefined;
  for (const name of Object.keys(annotations)) {
    if (!name.startsWith(PREFIX)) continue;
    const word = name.slice(PREFIX.length);
    if (HEEDED.includes(word)) continue;
    if (WITHOUT_EFFECT.includes(word) || OF_PROVIDERS.test(word)) {
      warn(word, 'this has no effect in Hoplab', undefined);
    } else warn(word, 'ExternalDNS knows no such annotation', suggest(word, HEEDED));
  }
  const list = (word: string): string[] =>
    (text(word) ?? '')
      .split(',')
      .map((one) => one.trim().toLowerCase().replace(/\.$/, ''))
      .filter((one) => one !== '');
  const hostnames = list('hostname').flatMap((name): Hostname[] => {
    if (isName(name.replace(/^\*\./, ''))) return [{ name, at: where.at(`${PREFIX}hostname`) }];
    warn('hostname', `"${name}" is no name`, 'write it like www.example.com, several with commas');
    return [];
  });
  const source = text('ingress-hostname-source');
  if (source !== undefined && !HOSTNAME_SOURCES.includes(source)) {
    warn('ingress-hostname-source', `"${source}" is neither`, suggest(source, HOSTNAME_SOURCES));
  }
  return {
    resource: `${kind}/${object.namespace}/${object.name}`,
    hostnames: [
      ...(source === 'annotation-only' ? [] : own),
      ...(source === 'defined-hosts-only' ? [] : hostnames),
    ],
    loadBalancer,
    targets: list('target').filter((target) => {
      if (isName(target)) return true;
      warn('target', `"${target}" is neither an address nor a name`, undefined);
      return false;
    }),
    ttlSeconds: readTtl(text('ttl'), warn),
    prefersCname: text('alias') === 'false',
  };
}

function readTtl(
  text: string | undefined,
  warn: (word: string, what: string, hint: string) => void,
): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (parseDurationMs(text) ?? NaN) / 1000;
  if (seconds >= TTL_SECONDS.least && seconds <= TTL_SECONDS.most) return Math.trunc(seconds);
  warn(
    'ttl',
    `"${text}" is no time that a record can have: it has the usual one`,
    'write it like "60" or 1m',
  );
  return undefined;
}

/** The hosts of its rules and of its TLS. */
export function hostsOf({ rules, tls, where }: IngressSpec): Hostname[] {
  const at = where.in('spec');
  return [
    ...rules.flatMap(({ host, where: here }) =>
      host === undefined ? [] : [{ name: host.toLowerCase(), at: here.at('host') }],
    ),
    ...tls.flatMap(({ hosts }, index) =>
      hosts.map((host, place) => ({
        name: host.toLowerCase(),
        at: at.at('tls', index, 'hosts', place),
      })),
    ),
  ];
}

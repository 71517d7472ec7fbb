/**
 * A record of a hosted zone: what a name answers to a question of one type.
 *
 * Held to the rules of Route 53: a CNAME stands alone and never at the apex, an alias has no TTL of its own.
 *
 * @fidelity same - A, CNAME, TXT, alias to a load balancer, wildcards; simplified - no wildcard has a CNAME, an alias leads
 *   to a load balancer and to nothing else, a TXT and a wildcard have a TTL of 60 s whatever is written
 * @see https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
 * @see https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
 */

import * as z from 'zod';

import { type Diagnostics, renderSourceRef, type SourceRef, suggest } from '../base/diagnostic.ts';
import type { Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { LOCAL_TTL_SECONDS } from '../kernel/name-server.ts';
import { ipv4Schema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';

/** @see https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-shared.html "TTL (seconds)" */
export const USUAL_TTL_SECONDS = 300;
const MAX_TTL_SECONDS = 2_147_483_647;

/** "the TTL for the alias target"; a load balancer's is 60 s. @see resource-record-sets-choosing-alias-non-alias.html */
export const ALIAS_TTL_SECONDS = 60;

/** A text is split where it is longer. @see RFC 1035 3.3.14 */
const TEXT_BYTES = 255;

export const RecordSpec = z.strictObject({
  a: z.array(ipv4Schema).min(1).describe('The addresses that the name leads to').optional(),
  cname: z.string().describe('Another name, whole, that this one stands for').optional(),
  txt: z
    .union([z.string(), z.array(z.string())])
    .describe('A text, or several')
    .optional(),
  alias: z
    .string()
    .describe('A load balancer, alb/NAME or nlb/NAME, whose addresses are answered')
    .optional(),
  ttl: z
    .int()
    .min(0)
    .max(MAX_TTL_SECONDS)
    .describe(`Seconds; ${USUAL_TTL_SECONDS} is the default. An alias has none of its own`)
    .optional(),
});

type RecordSpec = z.output<typeof RecordSpec>;

export type RecordData =
  | { readonly type: 'A'; readonly addresses: readonly Ipv4[] }
  | { readonly type: 'CNAME'; readonly target: string }
  | { readonly type: 'TXT'; readonly texts: readonly string[] }
  /** `alb/web`: an AliasTarget's reference. */
  | { readonly type: 'alias'; readonly target: string };

export interface ZoneRecord {
  /** Whole, in lower case, without a dot at the end; it may begin with `*.`. */
  readonly name: string;
  readonly data: RecordData;
  readonly ttlSeconds: number;
  /** What made it, `ingress/default/web`; undefined for what the lab declares. */
  readonly owner: string | undefined;
  readonly at: SourceRef;
}

/** What an alias may lead to. */
export interface AliasTarget {
  readonly reference: string;
  readonly dnsName: string;
  readonly addresses: readonly Ipv4[];
  /** Whose addresses they are, one by one, where a name server is to leave out those whose targets are unwell. */
  readonly nodes?: readonly NetnsName[];
}

export function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

const LABEL = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?';
const NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
/** What may stand left of a zone's name. */
const OWNER_NAME = new RegExp(`^(\\*|${LABEL})(\\.${LABEL})*$`);

export function isName(text: string): boolean {
  return NAME.test(text) && text.length <= 253;
}

/** What a record is held against. */
export interface RecordNeeds {
  readonly targets: readonly AliasTarget[];
  /** Names that somebody outside of Route 53 has, and where. */
  readonly hosts: ReadonlyMap<string, SourceRef>;
}

/** One record a type. Reports `zone-record` and `unknown-alias`. */
export function resolveRecord(
  word: string,
  spec: RecordSpec,
  zone: { readonly name: string; readonly vpcs: readonly string[] | undefined },
  needs: RecordNeeds,
  where: Where,
  diagnostics: Diagnostics,
): ZoneRecord[] {
  const name = word === '@' ? zone.name : `${word}.${zone.name}`;
  const wrong = (at: SourceRef, what: string, hint: string): void => {
    diagnostics.error('zone-record', at, what, hint);
  };
  if (word !== '@' && (!OWNER_NAME.test(word) || isWithin(word, zone.name))) {
    const bare = word.replace(/\.$/, '').toLowerCase();
    const inside = bare === zone.name ? '@' : bare.slice(0, -zone.name.length - 1);
    wrong(
      where.keyAt(),
      `"${word}" is no name below ${zone.name}`,
      isWithin(bare, zone.name)
        ? `write it without the zone: "${inside}"`
        : 'write it like www, "*" or "@"',
    );
    return [];
  }
  const { a, cname, txt, alias, ttl } = spec;
  const texts = txt === undefined ? undefined : typeof txt === 'string' ? [txt] : txt;
  const kinds = Object.entries({ a, cname, txt, alias }).flatMap(([key, value]) =>
    value === undefined ? [] : [key],
  );
  if (kinds.length === 0) {
    wrong(where.keyAt(), `the record ${name} says nothing`, 'give it a, cname, txt or alias');
  }
  if (cname !== undefined) {
    const others = kinds.filter((kind) => kind !== 'cname');
    if (word === '@') {
      wrong(
        where.at('cname'),
        `a CNAME at the apex: ${name} has the zone's NS and SOA, and a CNAME stands alone`,
        'take an alias, which may stand there, or a',
      );
    } else if (others.length > 0) {
      wrong(
        where.at('cname'),
        `${name} has ${others.join(' and ')} beside its cname, which has to stand alone`,
        'take one of them out',
      );
    }
    if (!isName(bareName(cname))) {
      wrong(where.at('cname'), `"${cname}" is no name`, 'write it whole, like www.example.com');
    }
    if (word.startsWith('*')) {
      wrong(where.at('cname'), 'a CNAME for every name is not built', 'take a or alias');
    }
  }
  if (a !== undefined && alias !== undefined) {
    wrong(
      where.at('alias'),
      `${name} has both a and alias, and both answer its A`,
      'take one of them out',
    );
  }
  if (alias !== undefined && ttl !== undefined) {
    wrong(
      where.at('ttl'),
      `${name} is an alias, and an alias has no TTL of its own: it is its target's, ${ALIAS_TTL_SECONDS} s`,
      'take "ttl" out',
    );
  }
  if (alias !== undefined && !needs.targets.some(({ reference }) => reference === alias)) {
    diagnostics.error(
      'unknown-alias',
      where.at('alias'),
      `${name} is an alias of "${alias}", which is no load balancer`,
      suggest(
        alias,
        needs.targets.map(({ reference }) => reference),
      ) ?? 'an alias is alb/NAME or nlb/NAME, the name as inspect shows it',
    );
  }
  for (const text of texts ?? []) {
    if (text.length <= TEXT_BYTES && /^[ !#-[\]-~]+$/.test(text)) continue;
    wrong(
      where.at('txt'),
      `the text of ${name} is no text of 1 to ${TEXT_BYTES} printable ASCII characters without " and \\`,
      'give a list of shorter ones',
    );
  }
  const host = zone.vpcs === undefined ? needs.hosts.get(name) : undefined;
  if (host !== undefined) {
    wrong(
      where.keyAt(),
      `${name} is the name of an internet host, at ${renderSourceRef(host)}`,
      'rename one of the two',
    );
  }
  const asked = ttl ?? USUAL_TTL_SECONDS;
  const record = (data: RecordData): ZoneRecord => {
    const ttlSeconds = answeredTtl(name, data, asked);
    return { name, data, ttlSeconds, owner: undefined, at: where.keyAt() };
  };
  if (
    ttl !== undefined &&
    ttl !== LOCAL_TTL_SECONDS &&
    (txt !== undefined || word.startsWith('*'))
  ) {
    diagnostics.warning(
      'record-ttl',
      where.at('ttl'),
      `${txt === undefined ? 'a wildcard' : 'a TXT'} has a TTL of ${LOCAL_TTL_SECONDS} s in Hoplab, whatever is written`,
    );
  }
  return [
    ...(a === undefined ? [] : [record({ type: 'A', addresses: a })]),
    ...(cname === undefined ? [] : [record({ type: 'CNAME', target: bareName(cname) })]),
    ...(alias === undefined ? [] : [record({ type: 'alias', target: alias })]),
    ...(texts === undefined ? [] : [record({ type: 'TXT', texts })]),
  ];
}

/** What dnsmasq answers: it keeps no TTL for a TXT, nor for a wildcard. */
export function answeredTtl(name: string, data: RecordData, seconds: number): number {
  if (data.type === 'alias') return ALIAS_TTL_SECONDS;
  return data.type === 'TXT' || name.startsWith('*') ? LOCAL_TTL_SECONDS : seconds;
}

function bareName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

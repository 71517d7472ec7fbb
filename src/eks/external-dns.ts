/**
 * ExternalDNS: makes the names that Ingresses and Services want records of Route 53, each with a TXT beside it that says
 * whose it is.
 *
 * A name is entered into the public zone that fits best and into every private one that fits. What leads to a load balancer
 * becomes an alias. A record that somebody else made is left as it is. Where a lab declares no zone at all, a public one is
 * implied for each name, of its last two labels.
 *
 * @fidelity same - zones, aliases, ownership (the names of its TXT records are those of version 0.16: the name itself, and
 *   one that begins with the type), what it leaves alone; simplified - records are made before the lab is up, not within the
 *   minute that is its usual interval; no AAAA beside an A; invented - zones that are implied
 * @see https://kubernetes-sigs.github.io/external-dns/latest/docs/tutorials/aws/
 * @see external-dns provider/aws/aws.go suitableZones, registry/txt.go generateTXTRecord, plan/conflict.go
 */

import type { HostedZone } from '../aws/hosted-zone.ts';
import {
  type AliasTarget,
  answeredTtl,
  isWithin,
  type RecordData,
  USUAL_TTL_SECONDS,
  type ZoneRecord,
} from '../aws/zone-record.ts';
import { type Diagnostics, renderSourceRef, type SourceRef } from '../base/diagnostic.ts';
import { parseIpv4 } from '../base/ip.ts';
import type { DnsSource, Hostname } from './external-dns-source.ts';

/** The usual value of --txt-owner-id. @see external-dns pkg/apis/externaldns/types.go */
const OWNER = 'default';

interface Needs {
  readonly targets: readonly AliasTarget[];
  /** Names that somebody outside of Route 53 has, and where. */
  readonly hosts: ReadonlyMap<string, SourceRef>;
}

/** The zones with what the sources want in them. Reports `no-hosted-zone` and `record-not-owned`. */
export function withExternalDns(
  declared: readonly HostedZone[],
  sources: readonly DnsSource[],
  { targets, hosts }: Needs,
  diagnostics: Diagnostics,
): HostedZone[] {
  const zones = declared.length > 0 ? declared : impliedZones(sources);
  const records = new Map(zones.map((zone) => [zone, [...zone.records]]));
  for (const { source, host, data } of wishes(sources, targets, diagnostics)) {
    const { name, at } = host;
    const warn = (what: string, hint: string): void => {
      diagnostics.warning(
        'record-not-owned',
        at,
        `ExternalDNS makes no record of ${name}${what}`,
        hint,
      );
    };
    const suitable = suitableZones(name, zones);
    if (suitable.length === 0) {
      diagnostics.warning(
        'no-hosted-zone',
        at,
        `no hosted zone holds ${name}: ExternalDNS makes no record of it`,
        `declare one in lab.yaml; the lab has ${[...new Set(zones.map((zone) => zone.name))].join(', ')}`,
      );
    }
    for (const zone of suitable) {
      const all = records.get(zone) ?? [];
      const stranger = zone.vpcs === undefined ? hosts.get(name) : undefined;
      const wanted = ownedRecords(source, host, data, zone);
      const names = new Set(wanted.map((one) => one.name));
      const foreign = all.find((one) => names.has(one.name) && !isOurs(one, all));
      if (stranger !== undefined) {
        warn(`: an internet host has it, at ${renderSourceRef(stranger)}`, 'rename one of the two');
        continue;
      }
      if (foreign !== undefined) {
        warn(
          ` in zone/${zone.key}: there is one that is not its own, at ${renderSourceRef(foreign.at)}`,
          'take that out, or leave it to it with a TXT that says so',
        );
        continue;
      }
      if (data.type === 'CNAME' && name === zone.name) {
        warn(` in zone/${zone.key}: it would be a CNAME at the apex`, 'lead it to an address');
        continue;
      }
      records.set(zone, [...all.filter((one) => !names.has(one.name)), ...wanted]);
    }
  }
  return zones.map((zone) => ({ ...zone, records: records.get(zone) ?? [] }));
}

/** All private zones that fit, and of the public ones the most specific. */
function suitableZones(name: string, zones: readonly HostedZone[]): HostedZone[] {
  const fitting = zones
    .filter((zone) => isWithin(name, zone.name))
    .sort((a, b) => b.name.length - a.name.length);
  const open = fitting.find(({ vpcs }) => vpcs === undefined);
  return [
    ...fitting.filter(({ vpcs }) => vpcs !== undefined),
    ...(open === undefined ? [] : [open]),
  ];
}

/** Where the name has a TXT of its owner, as from an earlier life of the cluster. */
function isOurs({ name, owner }: ZoneRecord, all: readonly ZoneRecord[]): boolean {
  if (owner !== undefined) return true;
  const names = [name, ...['a', 'cname'].map((type) => `${type}-${name}`)];
  return all.some(
    (one) =>
      names.includes(one.name) &&
      one.data.type === 'TXT' &&
      one.data.texts.some((text) => {
        const labels = text.split(',');
        return (
          labels.includes('heritage=external-dns') && labels.includes(`external-dns/owner=${OWNER}`)
        );
      }),
  );
}

function ownedRecords(
  { resource, ttlSeconds }: DnsSource,
  { name, at }: Hostname,
  data: RecordData,
  zone: HostedZone,
): ZoneRecord[] {
  const ttl = ttlSeconds ?? USUAL_TTL_SECONDS;
  const record = { owner: resource, at };
  const text = `heritage=external-dns,external-dns/owner=${OWNER},external-dns/resource=${resource}`;
  // An alias counts as a CNAME. Beside a real one no TXT may stand, and above the zone is none of its names.
  const type = data.type === 'A' ? 'a' : 'cname';
  const names = [...(data.type === 'CNAME' ? [] : [name]), `${type}-${name}`];
  return [
    { ...record, name, data },
    ...names
      .filter((one) => isWithin(one, zone.name))
      .map((one) => ({
        ...record,
        name: one,
        data: { type: 'TXT', texts: [text] } as const,
      })),
  ].map((one) => ({ ...one, ttlSeconds: answeredTtl(one.name, one.data, ttl) }));
}

interface Wish {
  readonly source: DnsSource;
  readonly host: Hostname;
  readonly data: RecordData;
}

/** Each name once: of several that want it, the one whose target is first in the alphabet has it. */
function wishes(
  sources: readonly DnsSource[],
  targets: readonly AliasTarget[],
  diagnostics: Diagnostics,
): Wish[] {
  const found = new Map<string, Wish>();
  const all = sources
    .flatMap((source) => {
      const to = dataOf(source, targets);
      return to === undefined
        ? []
        : source.hostnames.map((host) => ({ source, host, data: to.data, key: to.key }));
    })
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (const wish of all) {
    const { name, at } = wish.host;
    const before = found.get(name);
    if (before === undefined) found.set(name, wish);
    else if (JSON.stringify(before.data) !== JSON.stringify(wish.data)) {
      diagnostics.warning(
        'record-not-owned',
        at,
        `ExternalDNS makes no record of ${name} for ${wish.source.resource}: ${before.source.resource} has it, at ${renderSourceRef(before.host.at)}`,
        'let one load balancer serve both, or take another name',
      );
    }
  }
  return [...found.values()];
}

/** What the names of a source lead to, and the target's own text, by which ExternalDNS orders. */
function dataOf(
  { targets: written, loadBalancer, prefersCname }: DnsSource,
  targets: readonly AliasTarget[],
): { readonly data: RecordData; readonly key: string } | undefined {
  const addresses = written.flatMap((one) => parseIpv4(one) ?? []);
  if (addresses.length > 0) return { data: { type: 'A', addresses }, key: addresses.join() };
  const [name] = written;
  const target = targets.find((one) =>
    name === undefined ? one.reference === loadBalancer : one.dnsName === name,
  );
  const key = name ?? target?.dnsName;
  if (key === undefined) return undefined;
  return {
    key,
    data:
      target === undefined || prefersCname
        ? { type: 'CNAME', target: key }
        : { type: 'alias', target: target.reference },
  };
}

function impliedZones(sources: readonly DnsSource[]): HostedZone[] {
  const zones = new Map<string, HostedZone>();
  for (const { name, at } of sources.flatMap(({ hostnames }) => hostnames)) {
    const zone = name.split('.').slice(-2).join('.').replace(/^\*\./, '');
    if (zones.has(zone)) continue;
    zones.set(zone, { key: zone, name: zone, vpcs: undefined, isImplied: true, records: [], at });
  }
  return [...zones.values()];
}

/**
 * Who is answered what: the hosted zones as one name server has them. The internet's has the public ones. A VPC's looks
 * first into the private zones that are there for it, the longest name first; a zone that fits and lacks the name says
 * NXDOMAIN, and nobody is asked beyond it.
 *
 * Kernel: the records of a dnsmasq's configuration. An alias becomes the addresses of its target, each a record.
 *
 * @fidelity same - split view, the most specific zone, no way round a private zone; simplified - a wildcard also stands for
 *   names below one that is there
 * @see https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html "Split-view DNS",
 *   "Public and private hosted zones that have overlapping namespaces"
 * @see RFC 4592 (wildcards)
 */

import type { Ipv4 } from '../base/ip.ts';
import type { DnsRecord } from '../kernel/name-server.ts';
import { type HostedZone, usesPrivateZones, type ZoneVpc } from './hosted-zone.ts';
import { type AliasTarget, isWithin, type RecordData, type ZoneRecord } from './zone-record.ts';

/** Who asks: a VPC's name server, or the internet's where it is undefined. */
export type Asker = ZoneVpc | undefined;

function seesPrivately(zone: HostedZone, asker: Asker): boolean {
  return asker !== undefined && usesPrivateZones(asker) && zone.vpcs?.includes(asker.name) === true;
}

/** The zone that decides over a name; undefined where no zone holds it. */
export function decidingZone(
  name: string,
  zones: readonly HostedZone[],
  asker: Asker,
): HostedZone | undefined {
  const fitting = zones
    .filter((zone) => isWithin(name, zone.name))
    .sort((a, b) => b.name.length - a.name.length);
  return (
    fitting.find((zone) => seesPrivately(zone, asker)) ??
    fitting.find(({ vpcs }) => vpcs === undefined)
  );
}

/** Whether a name that is public, and of no zone, is hidden by a private one. */
export function isHidden(name: string, zones: readonly HostedZone[], asker: Asker): boolean {
  return decidingZone(name.toLowerCase(), zones, asker)?.vpcs !== undefined;
}

/** The records that a name server has of the zones. */
export function zoneAnswers(
  zones: readonly HostedZone[],
  targets: readonly AliasTarget[],
  asker: Asker,
): DnsRecord[] {
  return zones.flatMap((zone) =>
    zone.records
      .filter(({ name }) => decidingZone(withoutStar(name), zones, asker) === zone)
      .flatMap((record) => linesOf(record, targets)),
  );
}

/** The names of the private zones that it looks into: what they lack is nowhere. */
export function privateDomains(zones: readonly HostedZone[], asker: Asker): string[] {
  return zones.filter((zone) => seesPrivately(zone, asker)).map(({ name }) => name);
}

function withoutStar(name: string): string {
  return name.replace(/^\*\./, '');
}

function linesOf(
  { name, data, ttlSeconds }: ZoneRecord,
  targets: readonly AliasTarget[],
): DnsRecord[] {
  switch (data.type) {
    case 'A':
      return data.addresses.map((address) => ({ name, address, ttlSeconds }));
    case 'alias': {
      const target = targets.find(({ reference }) => reference === data.target);
      return (target?.addresses ?? []).map((address, index) => {
        const node = target?.nodes?.[index];
        return { name, address, ttlSeconds, ...(node === undefined ? {} : { node }) };
      });
    }
    case 'CNAME':
      return [{ name, target: data.target, ttlSeconds }];
    case 'TXT':
      return data.texts.map((text) => ({ name, text }));
  }
}

function addressesOf(data: RecordData, targets: readonly AliasTarget[]): readonly Ipv4[] {
  if (data.type === 'A') return data.addresses;
  if (data.type !== 'alias') return [];
  return targets.find(({ reference }) => reference === data.target)?.addresses ?? [];
}

/**
 * What the zones say of a name's addresses: those, another name to ask for, or `nothing`, which is final; undefined where
 * somebody else may know it.
 */
export function lookUpInZones(
  name: string,
  zones: readonly HostedZone[],
  targets: readonly AliasTarget[],
  asker: Asker,
): { readonly addresses: readonly Ipv4[] } | { readonly cname: string } | undefined {
  const zone = decidingZone(name, zones, asker);
  if (zone === undefined) return undefined;
  const found = fittingName(name, zone);
  const records = zone.records.filter((record) => record.name === found);
  for (const { data } of records) {
    if (data.type === 'CNAME') return { cname: data.target };
  }
  if (records.length === 0 && zone.vpcs === undefined) return undefined;
  return { addresses: records.flatMap(({ data }) => addressesOf(data, targets)) };
}

/** The name itself, or the nearest wildcard above it. */
function fittingName(name: string, { name: apex, records }: HostedZone): string | undefined {
  const names = new Set(records.map((record) => record.name));
  if (names.has(name) || name === apex) return name;
  const labels = name.slice(0, -apex.length - 1).split('.');
  return labels
    .map((_, index) => ['*', ...labels.slice(index + 1), apex].join('.'))
    .find((one) => names.has(one));
}

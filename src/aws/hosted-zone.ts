/**
 * A hosted zone of Route 53: a part of the tree of names and its records. A public one is everybody's; a private one is
 * there only for the VPCs that it is associated with.
 *
 * A record is an A, a CNAME, a TXT, or an alias: Route 53's own kind, which answers with the addresses of a load balancer
 * as if they were its own, so that it may stand at the zone's apex, too. Kernel: the name servers of the internet and of
 * the VPCs hold the records (dns-view.ts says which of them whose).
 *
 * @fidelity same - public and private zones, split view, aliases, TTLs, what may stand beside what; simplified - a public
 *   zone is delegated to Route 53 as soon as it is there, NS and SOA are not answered; not built - AAAA, MX and other types, routing policies, health checks, DNSSEC
 * @see https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-choosing-alias-non-alias.html
 * @see https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html
 */

import * as z from 'zod';

import { type Diagnostics, renderSourceRef, type SourceRef, suggest } from '../base/diagnostic.ts';
import type { Where } from '../source/yaml.ts';
import {
  isName,
  type RecordNeeds,
  RecordSpec,
  resolveRecord,
  type ZoneRecord,
} from './zone-record.ts';

export const HostedZoneSpec = z.strictObject({
  name: z
    .string()
    .describe(
      "The zone's name where that is not its key: a public and a private zone may share one",
    )
    .optional(),
  vpcs: z
    .array(z.string())
    .describe('Makes it private: the VPCs, by name, that it is there for')
    .optional(),
  records: z
    .record(z.string(), RecordSpec)
    .describe('By name below the zone: www, "*", or "@" for the zone itself')
    .default({}),
});

export type HostedZoneSpec = z.output<typeof HostedZoneSpec>;

export interface HostedZone {
  /** As the lab names it: the key. */
  readonly key: string;
  readonly name: string;
  /** Undefined of a public one. */
  readonly vpcs: readonly string[] | undefined;
  /** Nobody declared it: it is there because a host of an Ingress needs one. */
  readonly isImplied: boolean;
  readonly records: readonly ZoneRecord[];
  readonly at: SourceRef;
}

/** What a private zone asks of a VPC: without both attributes its DNS server does not look into it. */
export interface ZoneVpc {
  readonly name: string;
  readonly enableDnsSupport: boolean;
  readonly enableDnsHostnames: boolean;
}

export function usesPrivateZones({ enableDnsSupport, enableDnsHostnames }: ZoneVpc): boolean {
  return enableDnsSupport && enableDnsHostnames;
}

export function zoneReference({ key }: Pick<HostedZone, 'key'>): string {
  return `zone/${key}`;
}

interface ZoneNeeds extends RecordNeeds {
  readonly vpcs: ReadonlyMap<string, ZoneVpc>;
}

/** Reports `hosted-zone`, `hosted-zone-off`, `unknown-vpc`, and what the records do. */
export function resolveHostedZones(
  specs: Readonly<Record<string, HostedZoneSpec>>,
  needs: ZoneNeeds,
  where: Where,
  diagnostics: Diagnostics,
): HostedZone[] {
  const zones: HostedZone[] = [];
  for (const [key, spec] of Object.entries(specs)) {
    const at = where.in(key);
    const name = (spec.name ?? key).toLowerCase().replace(/\.$/, '');
    const place = spec.name === undefined ? at.keyAt() : at.at('name');
    if (!isName(name)) {
      diagnostics.error(
        'hosted-zone',
        place,
        `"${name}" is no name that a hosted zone can have`,
        'write it like example.com; the key may be any word where "name" says the name',
      );
      continue;
    }
    const vpcs = spec.vpcs;
    if (vpcs !== undefined) checkVpcs(key, vpcs, needs.vpcs, at, diagnostics);
    const rival = zones.find((one) => one.name === name && areRivals(one.vpcs, vpcs));
    if (rival !== undefined) {
      const who = vpcs === undefined ? 'everybody' : `VPC "${shared(rival.vpcs, vpcs) ?? ''}"`;
      diagnostics.error(
        'hosted-zone',
        place,
        `two zones are called ${name} for ${who}: this one and ${zoneReference(rival)} at ${renderSourceRef(rival.at)}`,
        'put the records of both into one',
      );
    }
    const zone = { key, name, vpcs, isImplied: false, at: at.keyAt() };
    const records = Object.entries(spec.records).flatMap(([word, record]) =>
      resolveRecord(word, record, zone, needs, at.in('records', word), diagnostics),
    );
    zones.push({ ...zone, records });
  }
  return zones;
}

function areRivals(a: HostedZone['vpcs'], b: HostedZone['vpcs']): boolean {
  if (a === undefined || b === undefined) return a === b;
  return shared(a, b) !== undefined;
}

function shared(a: HostedZone['vpcs'], b: HostedZone['vpcs']): string | undefined {
  return a?.find((vpc) => b?.includes(vpc));
}

function checkVpcs(
  key: string,
  vpcs: readonly string[],
  known: ZoneNeeds['vpcs'],
  where: Where,
  diagnostics: Diagnostics,
): void {
  if (vpcs.length === 0) {
    diagnostics.error(
      'hosted-zone',
      where.at('vpcs'),
      `the private zone "${key}" is there for no VPC, so for nobody`,
      'name a VPC; leave "vpcs" out for a public zone',
    );
  }
  vpcs.forEach((name, index) => {
    const at = where.at('vpcs', index);
    const vpc = known.get(name);
    if (vpc === undefined) {
      const what = `the private zone "${key}" is for VPC "${name}", which is not declared`;
      diagnostics.error('unknown-vpc', at, what, suggest(name, known.keys()));
    } else if (!usesPrivateZones(vpc)) {
      diagnostics.warning(
        'hosted-zone-off',
        at,
        `the DNS server of VPC "${name}" does not look into private zones`,
        'that takes both enableDnsSupport and enableDnsHostnames',
      );
    }
  });
}

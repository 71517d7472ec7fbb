/** The hosted zones of a lab: each record, what it leads to, and what made it. */

import { aliasTarget } from '../aws/application-load-balancer.ts';
import { type HostedZone, zoneReference } from '../aws/hosted-zone.ts';
import type { ZoneRecord } from '../aws/zone-record.ts';
import { renderSourceRef } from '../base/diagnostic.ts';
import type { Cloud } from '../cloud.ts';
import type { Section } from './section.ts';
import type { ThingDescription } from './thing.ts';

export function describeZone(cloud: Cloud, zone: HostedZone): ThingDescription {
  const { name, vpcs, isImplied, at } = zone;
  return {
    thing: zoneReference(zone),
    facts: [
      ['name', name],
      ['kind', vpcs === undefined ? 'public' : 'private'],
      ['for', vpcs?.map((vpc) => `vpc/${vpc}`).join(', ')],
      [isImplied ? 'implied by' : 'declared', renderSourceRef(at)],
    ],
    sections: [
      {
        title: 'records',
        headers: ['NAME', 'TYPE', 'TTL', 'VALUE', 'OWNER', 'WRITTEN'],
        rows: zone.records.map((record) => rowOf(cloud, record)),
      },
    ],
    lookInside: [],
  };
}

/** `zone/example.com` */
export function findZone({ hostedZones }: Cloud, word: string): HostedZone | undefined {
  return hostedZones.find((zone) => zoneReference(zone) === word);
}

/** All zones and all records. */
export function zoneSections(cloud: Cloud): Section[] {
  return [
    {
      title: 'hosted zones',
      headers: ['ZONE', 'FOR', 'NAME', 'TYPE', 'TTL', 'VALUE', 'OWNER', 'WRITTEN'],
      rows: cloud.hostedZones.flatMap((zone) => {
        const audience = zone.vpcs?.map((vpc) => `vpc/${vpc}`).join(', ') ?? 'everybody';
        const rows = zone.records.map((record) => rowOf(cloud, record));
        const all = rows.length === 0 ? [['', '', '', '', '', '']] : rows;
        return all.map((row) => [zoneReference(zone), audience, ...row]);
      }),
    },
  ];
}

function rowOf(cloud: Cloud, record: ZoneRecord): Section['rows'][number] {
  const { name, data, ttlSeconds, owner, at } = record;
  const type = data.type === 'alias' ? 'A (alias)' : data.type;
  return [name, type, ttlSeconds, valueOf(cloud, record), owner ?? '', renderSourceRef(at)];
}

function valueOf({ loadBalancers }: Cloud, { data }: ZoneRecord): string {
  switch (data.type) {
    case 'A':
      return data.addresses.join(', ');
    case 'CNAME':
      return data.target;
    case 'TXT':
      return data.texts.map((text) => `"${text}"`).join(', ');
    case 'alias': {
      const target = loadBalancers.map(aliasTarget).find((one) => one.reference === data.target);
      return `${data.target}: ${target?.addresses.join(', ') ?? ''}`;
    }
  }
}

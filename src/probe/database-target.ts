/** What psql is to ask: a database of the lab by reference, by name or by address, and how one signs in to it. */

import { serversOf } from '../aws/db-instance.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { type Ipv4, parseIpv4 } from '../base/ip.ts';
import { type Cloud, databasesOf, findDatabase, findThing, type Thing } from '../cloud.ts';
import { nameServerOf } from '../judge/name-server.ts';
import { resolveName } from './resolve-name.ts';

interface DatabaseTarget {
  readonly url?: never;
  readonly destination: Ipv4;
  readonly destinations: readonly Ipv4[];
  readonly port: number;
  /** A connection URI, with the password. */
  readonly text: string;
  readonly isByName: boolean;
}

export const HOW_TO_WRITE_DATABASE =
  'write it like rds/app, or as its endpoint or an address of it';

/** `rds/app` is its endpoint, for whoever asks a DNS server. Reports `probe-target`. */
export function parseDatabase(
  word: string,
  from: Thing | undefined,
  cloud: Cloud,
  at: SourceRef,
  diagnostics: Diagnostics,
): DatabaseTarget | undefined {
  const { host = '', port } = /^(?<host>[^:'"\\\s]+)(?::(?<port>\d+))?$/.exec(word)?.groups ?? {};
  const thing = findThing(cloud, host);
  const named = thing && findDatabase(cloud, thing.netns);
  const hasNames = from !== undefined && nameServerOf(cloud, from) !== undefined;
  const isEndpoint = named !== undefined && named.server === named.database.primary && hasNames;
  const asked = isEndpoint ? named.database.endpoint : (thing?.address ?? host);
  const address = parseIpv4(asked);
  const destinations = address === undefined ? resolveName(cloud, from, asked) : [address];
  const [destination] = destinations;
  const database = databasesOf(cloud).find((one) =>
    serversOf(one).some(({ eni }) =>
      eni.addresses.some(
        (has) =>
          destination !== undefined && (has.address === destination || has.elastic === destination),
      ),
    ),
  );
  if (destination === undefined || database === undefined) {
    const known = databasesOf(cloud).map(({ name }) => `rds/${name}`);
    diagnostics.error(
      'probe-target',
      at,
      `"${word}" is no database of this lab`,
      suggest(host, known) ?? HOW_TO_WRITE_DATABASE,
    );
    return undefined;
  }
  const { masterUsername, masterUserPassword, databaseName } = database;
  const password = encodeURIComponent(masterUserPassword).replaceAll("'", '%27');
  const number = port === undefined ? database.port : Number(port);
  const authority = `${masterUsername}:${password}@${asked}${number === POSTGRES_PORT ? '' : `:${number}`}`;
  return {
    destination,
    destinations,
    port: number,
    text: `postgresql://${authority}/${databaseName}`,
    isByName: address === undefined,
  };
}

/** Of a URI without a port. @see libpq "Connection URIs" */
const POSTGRES_PORT = 5432;

/**
 * A DB instance of RDS: a PostgreSQL behind a name. Of a Multi-AZ one a standby in another zone has every write that was
 * confirmed; at a failover it becomes the primary, and the name leads to it.
 *
 * Kernel: for each of the one or two servers a netns `rds-<name>-<zone>` with its ENI in a subnet of the DB subnet group,
 * and a real PostgreSQL in it (kernel/postgres.ts). The two of a Multi-AZ one have a link of their own, `replication`,
 * which is none of the VPC's: no security group stands in its way. The endpoint is a CNAME to the primary's host name.
 *
 * Packet's story: pod 10.0.3.50 -> node -> VPC router, `local` -> gates: the sender's egress, the database's ingress ->
 * ENI 10.0.5.20 -> PostgreSQL, which sees 10.0.3.50.
 *
 * @fidelity same - DB subnet group of two zones, endpoint with a TTL of 5 s, private address wherever one asks unless
 *   publicly accessible, security groups, no synchronous write without the standby, a standby that takes no connections,
 *   a failover that ends every connection and changes neither the endpoint nor the data; simplified - PostgreSQL alone,
 *   the standby is PostgreSQL's own synchronous streaming replication where RDS copies the storage, a failover takes less
 *   than a second and not 60 to 120, is asked for (`availabilityZone`) and never happens by itself, and without its
 *   standby the primary waits for ever; another name, user or password makes the database anew, and so does another zone of
 *   one that stays in one zone; not built - TLS (`rds.force_ssl`), read replicas, clusters of several instances, RDS Proxy,
 *   IAM authentication; invented - the servers' own host names
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZSingleStandby.html
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
 */

import * as z from 'zod';

import { because } from '../base/because.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { sha256Hex } from '../base/hash.ts';
import { contains, type Ipv4, ipv4 } from '../base/ip.ts';
import { macAddress, netnsName, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import type { NameRecord } from '../kernel/name-server.ts';
import { hostNetns } from '../kernel/netns.ts';
import { postgresServer } from '../kernel/postgres.ts';
import { hostSysctls } from '../kernel/sysctl.ts';
import { ipv4Schema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import { type DbSubnetGroup, zonesOf } from './db-subnet-group.ts';
import {
  networkInterface,
  type NetworkInterface,
  planPrimaryLink,
  VPC_MTU_BYTES,
} from './network-interface.ts';
import { privateName } from './route53-resolver.ts';
import {
  DEFAULT_SECURITY_GROUP,
  resolveGroupsOfEni,
  type SecurityGroup,
  securityGroupsSchema,
} from './security-group.ts';
import type { AddressBook, AddressSources, Subnet } from './subnet.ts';

/** @see API_CreateDBInstance.html DBInstanceIdentifier; RDS makes it lower-case. */
const IDENTIFIER = /^(?=.{1,63}$)[a-z](-?[a-z0-9])*$/;
/** @see API_CreateDBInstance.html DBName, MasterUsername "RDS for PostgreSQL"; in PostgreSQL's own spelling. */
const SQL_NAME = /^(?!pg_|rdsadmin$|rdsrepladmin$)[a-z_][a-z0-9_]{0,62}$/;
const sqlName = z.string().regex(SQL_NAME, {
  error:
    'a name is small letters, digits and "_", at most 63, begins with no digit, and is none of RDS’s own',
});

const DbInstanceSpec = z.strictObject({
  engine: z.literal('postgres').describe('What it runs').default('postgres'),
  subnetGroup: z.string().describe('Its DB subnet group'),
  securityGroups: securityGroupsSchema.default([DEFAULT_SECURITY_GROUP]),
  // 1150 to 65535. @see API_CreateDBInstance.html Port
  port: z.int().min(1150).max(65_535).describe('The port that it listens on').default(5432),
  multiAz: z.boolean().describe('true: with a standby in another zone').default(false),
  availabilityZone: z
    .string()
    .describe(
      'The zone that it is in, of a Multi-AZ one the zone of its primary: another one is a failover',
    )
    .optional(),
  addresses: z
    .record(z.string(), ipv4Schema)
    .describe('Its private addresses by zone; without them one of the subnet’s')
    .default({}),
  databaseName: sqlName.describe('The database that it is made with').default('postgres'),
  masterUsername: sqlName.describe('The user that owns it').default('postgres'),
  // @see API_CreateDBInstance.html MasterUserPassword "RDS for PostgreSQL"
  masterUserPassword: z
    .string()
    .regex(/^[!#-.0-?A-~]{8,128}$/, {
      error: 'a password is 8 to 128 printable characters without "/", "@", a quote and a space',
    })
    .describe('Its password; what is in a lab is no secret')
    .default('hoplab-secret'),
  publiclyAccessible: z
    .boolean()
    .describe('true: with a public address, to which its name leads outside of the VPC')
    .default(false),
});

type DbInstanceSpec = z.output<typeof DbInstanceSpec>;

export const DbInstancesSpec = z
  .record(
    z.string().regex(IDENTIFIER, {
      error:
        'the name of a DB instance is small letters, digits and single "-", at most 63, and begins with a letter',
    }),
    DbInstanceSpec,
  )
  .describe('RDS DB instances by name')
  .default({});

/** One of the one or two. */
export interface DbServer {
  readonly az: string;
  readonly netns: NetnsName;
  readonly eni: NetworkInterface;
  readonly hostName: string;
}

export interface DbInstance {
  readonly name: string;
  /** What clients are given. */
  readonly endpoint: string;
  readonly port: number;
  readonly databaseName: string;
  readonly masterUsername: string;
  readonly masterUserPassword: string;
  readonly subnetGroup: string;
  readonly primary: DbServer;
  readonly standby: DbServer | undefined;
  readonly at: SourceRef;
}

export function serversOf({ primary, standby }: DbInstance): readonly DbServer[] {
  return standby === undefined ? [primary] : [primary, standby];
}

/** `app.c0123456789a.us-east-1.rds.amazonaws.com`: the word in the middle is an account's own in a region. */
function domainOf(name: string): string {
  return `${name}.c${sha256Hex('rds/us-east-1').slice(0, 11)}.us-east-1.rds.amazonaws.com`;
}

/**
 * Not documented; what dig shows of any endpoint. It is why a client that keeps to it finds the new primary soon.
 * @see CHAP_BestPractices.html "cache the DNS data … less than 30 seconds"
 */
const ENDPOINT_TTL_SECONDS = 5;

/** What its names lead to inside its VPC, or everywhere else. */
export function databaseRecords(database: DbInstance, where: 'inside' | 'outside'): NameRecord[] {
  return serversOf(database).flatMap((server): NameRecord[] => {
    const { hostName: name } = server;
    const { address, elastic } = server.eni.addresses[0];
    const alias =
      server === database.primary
        ? { alias: { name: database.endpoint, ttlSeconds: ENDPOINT_TTL_SECONDS } }
        : {};
    return where === 'inside'
      ? // First, so that the address leads back to it.
        [
          { name: privateName(address), address },
          { name, address, ...alias },
        ]
      : [{ name, address: elastic ?? address, ...alias }];
  });
}

interface DbVpc {
  readonly name: string;
  readonly securityGroups: ReadonlyMap<string, SecurityGroup>;
  readonly dbSubnetGroups: ReadonlyMap<string, DbSubnetGroup>;
}

/** The addresses that the instance pins, before anybody is given one. */
export function pinDbInstance(
  vpc: DbVpc,
  name: string,
  spec: DbInstanceSpec,
  book: AddressBook,
  where: Where,
): void {
  const group = vpc.dbSubnetGroups.get(spec.subnetGroup);
  for (const [az, address] of Object.entries(spec.addresses)) {
    const subnet = subnetIn(group, az, address);
    if (subnet === undefined) continue;
    book.pin(subnet, address, claimant(name, az), where.at('addresses', az));
  }
}

/** The same at any time: what is the standby now may be the primary later. */
function claimant(name: string, az: string): string {
  return `rds/${name} in ${az}`;
}

function subnetIn(
  group: DbSubnetGroup | undefined,
  az: string,
  address: Ipv4 | undefined,
): Subnet | undefined {
  const subnets = group?.subnets.filter((subnet) => subnet.az === az) ?? [];
  return subnets.find(({ cidr }) => address !== undefined && contains(cidr, address)) ?? subnets[0];
}

/** Reports `unknown-db-subnet-group` and `db-zone`. */
export function resolveDbInstance(
  vpc: DbVpc,
  name: string,
  spec: DbInstanceSpec,
  needs: AddressSources,
  where: Where,
  diagnostics: Diagnostics,
): DbInstance | undefined {
  const group = vpc.dbSubnetGroups.get(spec.subnetGroup);
  if (group === undefined) {
    diagnostics.error(
      'unknown-db-subnet-group',
      where.at('subnetGroup'),
      `rds/${name} names DB subnet group "${spec.subnetGroup}", which is not declared`,
      suggest(spec.subnetGroup, vpc.dbSubnetGroups.keys()) ??
        'declare it under "dbSubnetGroups:" of the VPC',
    );
    return undefined;
  }
  const zones = zonesOf(group);
  const checkZone = (az: string, at: SourceRef): void => {
    if (zones.includes(az)) return;
    diagnostics.error(
      'db-zone',
      at,
      `rds/${name} is to be in "${az}", and DB subnet group "${group.name}" has no subnet there`,
      suggest(az, zones) ?? `its zones are ${zones.join(' and ')}`,
    );
  };
  for (const az of Object.keys(spec.addresses)) checkZone(az, where.keyAt('addresses', az));
  const az = spec.availabilityZone ?? zones[0] ?? '';
  if (spec.availabilityZone !== undefined) checkZone(az, where.at('availabilityZone'));
  const domain = domainOf(name);
  const securityGroups = resolveGroupsOfEni(
    vpc,
    spec.securityGroups,
    where.in('securityGroups'),
    diagnostics,
  );
  const server = (zone: string, thing: string): DbServer | undefined => {
    const pinned = spec.addresses[zone];
    const subnet = subnetIn(group, zone, pinned);
    if (subnet === undefined) return undefined;
    const whose = claimant(name, zone);
    const address = pinned ?? needs.book.take(subnet, whose, where.keyAt());
    const elastic = spec.publiclyAccessible
      ? needs.elastic(whose, undefined, where.at('publiclyAccessible'))
      : undefined;
    const netns = netnsName(`rds-${name}-${zone}`);
    return {
      az: zone,
      netns,
      hostName: `${zone.toLowerCase()}.${domain}`,
      eni: networkInterface(
        {
          thing,
          netns,
          link: 'eth0',
          subnet,
          addresses: [{ address, elastic }],
          sourceDestCheck: true,
          securityGroups,
          at: where.keyAt(),
        },
        whose,
      ),
    };
  };
  const primary = server(az, `rds/${name}`);
  const other = zones.find((zone) => zone !== az);
  const standby =
    spec.multiAz && other !== undefined ? server(other, `rds/${name}/standby`) : undefined;
  if (primary === undefined) return undefined;
  const { port, databaseName, masterUsername, masterUserPassword, subnetGroup } = spec;
  return {
    ...{ name, endpoint: domain, port, databaseName, masterUsername, masterUserPassword },
    ...{ subnetGroup, primary, standby, at: where.keyAt() },
  };
}

/** Between the servers of a Multi-AZ instance, and known to nobody else. @see RFC 3927 */
const REPLICATION_LINK = 'replication';
const REPLICATION_ADDRESSES = [ipv4('169.254.254.1'), ipv4('169.254.254.2')] as const;
const REPLICATION_PREFIX_LENGTH = 30;

/** `script` is the text of host/postgres.sh. */
export function planDbInstance(database: DbInstance, script: string): Fragment {
  const fragment = new Fragment();
  // By zone and not by role, so that a failover moves no address.
  const servers = [...serversOf(database)].sort((a, b) => (a.az < b.az ? -1 : 1));
  const isAlone = servers.length === 1;
  servers.forEach((server, index) => {
    const { netns, eni } = server;
    const why = because('db-instance', eni.thing, database.at);
    const peer = servers[1 - index];
    const [own, address] =
      index === 0 ? REPLICATION_ADDRESSES : ([...REPLICATION_ADDRESSES].reverse() as [Ipv4, Ipv4]);
    const links = isAlone ? [eni.link] : [eni.link, REPLICATION_LINK];
    fragment
      .add(why, ...hostNetns(netns), ...hostSysctls(netns, links))
      .addAll(planPrimaryLink(eni, why));
    if (peer !== undefined) {
      fragment.add(why, {
        kind: 'address',
        netns,
        link: REPLICATION_LINK,
        address: own,
        prefixLength: REPLICATION_PREFIX_LENGTH,
        connectedRoute: true,
      });
    }
    fragment.add(
      why,
      ...postgresServer(
        {
          netns,
          database: database.name,
          port: database.port,
          statements: statementsOf(database),
          ...(peer === undefined
            ? {}
            : {
                peer: {
                  role: server === database.primary ? 'primary' : 'standby',
                  netns: peer.netns,
                  own,
                  address,
                },
              }),
        },
        script,
      ),
    );
  });
  const [one, other] = servers;
  if (one !== undefined && other !== undefined) {
    const end = ({ netns, az }: DbServer) => ({
      netns,
      link: REPLICATION_LINK,
      mac: macAddress(`${REPLICATION_LINK}/${database.name}/${az}`),
    });
    fragment.add(because('db-instance', `rds/${database.name}`, database.at), {
      kind: 'veth',
      ends: [end(one), end(other)],
      mtuBytes: VPC_MTU_BYTES,
    });
  }
  return fragment;
}

/**
 * RDS keeps the superuser for itself; the master user may make databases and roles.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.html
 */
function statementsOf({
  databaseName,
  masterUsername,
  masterUserPassword,
}: DbInstance): readonly string[] {
  const password = masterUserPassword.replaceAll("'", "''");
  return [
    'create role rdsrepladmin login replication',
    `create role "${masterUsername}" login createdb createrole password '${password}'`,
    databaseName === 'postgres'
      ? `alter database postgres owner to "${masterUsername}"`
      : `create database "${databaseName}" owner "${masterUsername}" strategy file_copy`,
  ];
}

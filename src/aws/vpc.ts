/**
 * A VPC: blocks of private addresses, divided into subnets, with one implicit router between all of them.
 *
 * Kernel: a netns `vpc-<name>` that is the router, the mapping service and the place of the security groups. Traffic
 * between any two ENIs passes it once, also within a subnet. It is no hop (the TTL stays), answers no ping, and drops in
 * silence what has no route; only "fragmentation needed" comes from it, from the address of the sender's subnet's router.
 *
 * Packet's story: port of the sender's ENI -> bridge of its subnet -> table of that subnet -> `local`: the /32 of the
 * receiver -> gates -> bridge of the receiver's subnet -> port.
 *
 * @fidelity same - addressing, local routes, implicit router, MTU; simplified - IPv4 only, one region
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
 */

import * as z from 'zod';

import { because } from '../base/because.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { type Cidr, overlaps } from '../base/ip.ts';
import { assignNumbers } from '../base/hash.ts';
import { macAddress, netnsName, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { bareNetns } from '../kernel/netns.ts';
import { MAIN_TABLE } from '../kernel/state.ts';
import { routerSysctls, sysctl } from '../kernel/sysctl.ts';
import { cidrSchema, named, nameSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import { type ConnectionTracking, ConnectionTrackingSpec } from './connection-tracking.ts';
import {
  type DbInstance,
  DbInstancesSpec,
  pinDbInstance,
  resolveDbInstance,
  serversOf,
} from './db-instance.ts';
import { type DbSubnetGroup, DbSubnetGroupSpec, resolveDbSubnetGroup } from './db-subnet-group.ts';
import { type Instance, InstanceSpec, pinInstance, resolveInstance } from './instance.ts';
import { type InternetGateway, UPLINK } from './internet-gateway.ts';
import {
  type NatGateway,
  NatGatewaySpec,
  pinNatGateway,
  resolveNatGateway,
} from './nat-gateway.ts';
import {
  checkNetworkAcl,
  type NetworkAcl,
  NetworkAclSpec,
  planNetworkAcls,
  resolveNetworkAcls,
} from './network-acl.ts';
import {
  type NetworkInterface,
  planFabric,
  planNetworkInterface,
  VPC_MTU_BYTES,
} from './network-interface.ts';
import { resolverInput } from './route53-resolver.ts';
import {
  planPrefixList,
  type PrefixList,
  PrefixListSpec,
  resolvePrefixList,
} from './prefix-list.ts';
import {
  planRouteTable,
  resolveRouteTable,
  type RouteTable,
  RouteTableSpec,
  type Targets,
} from './route-table.ts';
import {
  planSecurityGroups,
  resolveSecurityGroups,
  type SecurityGroup,
  SecurityGroupSpec,
} from './security-group.ts';
import {
  type AddressBook,
  type AddressSources,
  checkBlockSize,
  checkOverlaps,
  planSubnet,
  resolveSubnet,
  type Subnet,
  SubnetSpec,
} from './subnet.ts';

export const VpcSpec = z.strictObject({
  cidr: cidrSchema.describe("The VPC's primary block, /16 to /28"),
  secondaryCidrs: z.array(cidrSchema).describe('Further blocks of the VPC').default([]),
  subnets: named(SubnetSpec).describe('Subnets by name'),
  internetGateway: nameSchema
    .describe("The name of the VPC's one internet gateway; igw is the usual one")
    .optional(),
  securityGroups: named(SecurityGroupSpec).describe(
    'Security groups by name; "default" is there without being declared',
  ),
  prefixLists: named(PrefixListSpec).describe('Prefix lists by name: blocks for rules to refer to'),
  networkAcls: named(NetworkAclSpec).describe(
    'Network ACLs by name; "default", which allows all, is there without being declared',
  ),
  connectionTracking: ConnectionTrackingSpec.describe(
    'How security groups remember connections',
  ).prefault({}),
  natGateways: named(NatGatewaySpec).describe('NAT gateways by name'),
  routeTables: named(RouteTableSpec).describe('Route tables by name; the local routes are implied'),
  enableDnsSupport: z
    .boolean()
    .describe('false: the Amazon DNS server of the VPC does not answer')
    .default(true),
  enableDnsHostnames: z
    .boolean()
    .describe('false: public addresses have no DNS names')
    .default(true),
  instances: named(InstanceSpec).describe('EC2 instances that are no worker nodes, by name'),
  dbSubnetGroups: named(DbSubnetGroupSpec).describe(
    'DB subnet groups by name: where databases may be',
  ),
  databases: DbInstancesSpec,
});

export type VpcSpec = z.output<typeof VpcSpec>;

/** What a VPC is before anything in it has an address. */
export interface VpcGround {
  readonly name: string;
  readonly netns: NetnsName;
  readonly cidrs: readonly Cidr[];
  readonly subnets: ReadonlyMap<string, Subnet>;
  readonly internetGateway: InternetGateway | undefined;
  readonly mainRouteTable: string;
  readonly securityGroups: ReadonlyMap<string, SecurityGroup>;
  readonly prefixLists: ReadonlyMap<string, PrefixList>;
  readonly networkAcls: ReadonlyMap<string, NetworkAcl>;
  readonly dbSubnetGroups: ReadonlyMap<string, DbSubnetGroup>;
  readonly connectionTracking: ConnectionTracking;
  /** @see route53-resolver.ts, for both. */
  readonly enableDnsSupport: boolean;
  readonly enableDnsHostnames: boolean;
  readonly at: SourceRef;
}

export interface Vpc extends VpcGround {
  readonly routeTables: ReadonlyMap<string, RouteTable>;
  readonly natGateways: ReadonlyMap<string, NatGateway>;
  readonly instances: ReadonlyMap<string, Instance>;
  readonly databases: ReadonlyMap<string, DbInstance>;
  /** Every ENI in the VPC, the nodes' too. */
  readonly interfaces: readonly NetworkInterface[];
}

/** The name of the table that a VPC has without anybody declaring it. */
const IMPLICIT_MAIN = 'main';

export function resolveVpcGround(
  name: string,
  spec: VpcSpec,
  impliedGroups: Readonly<Record<string, SecurityGroupSpec>>,
  where: Where,
  diagnostics: Diagnostics,
): VpcGround {
  const cidrs = [spec.cidr, ...spec.secondaryCidrs];
  checkBlockSize(`VPC "${name}"`, spec.cidr, where.at('cidr'), diagnostics);
  spec.secondaryCidrs.forEach((block, index) => {
    const at = where.at('secondaryCidrs', index);
    checkBlockSize(`VPC "${name}"`, block, at, diagnostics);
    const other = cidrs.slice(0, index + 1).find((one) => overlaps(one, block));
    if (other !== undefined) {
      diagnostics.error(
        'cidrs-overlap',
        at,
        `${block} overlaps ${other} of the same VPC "${name}"`,
        'take a block of its own',
      );
    }
  });

  const mains = Object.entries(spec.routeTables).filter(([, table]) => table.main);
  if (mains.length > 1) {
    const second = mains[1]?.[0] ?? '';
    diagnostics.error(
      'two-main-tables',
      where.keyAt('routeTables', second),
      `VPC "${name}" has two main route tables: ${mains.map(([table]) => table).join(', ')}`,
      'a VPC has one main table; take "main: true" from the others',
    );
  }
  const mainRouteTable = mains[0]?.[0] ?? IMPLICIT_MAIN;

  const networkAcls = resolveNetworkAcls(
    name,
    spec.networkAcls,
    where.in('networkAcls'),
    where.keyAt(),
    diagnostics,
  );
  const subnets = new Map<string, Subnet>();
  for (const [subnetName, subnetSpec] of Object.entries(spec.subnets)) {
    const at = where.in('subnets', subnetName);
    const { routeTable } = subnetSpec;
    if (
      routeTable !== undefined &&
      routeTable !== mainRouteTable &&
      !(routeTable in spec.routeTables)
    ) {
      diagnostics.error(
        'unknown-route-table',
        at.at('routeTable'),
        `subnet "${subnetName}" names route table "${routeTable}", which is not declared`,
        suggest(routeTable, Object.keys(spec.routeTables)),
      );
    }
    checkNetworkAcl(
      networkAcls,
      subnetName,
      subnetSpec.networkAcl,
      at.at('networkAcl'),
      diagnostics,
    );
    const subnet = resolveSubnet(
      { name, cidrs },
      subnetName,
      subnetSpec,
      mainRouteTable,
      at,
      diagnostics,
    );
    subnets.set(subnetName, subnet);
  }
  checkOverlaps([...subnets.values()], where.in('subnets'), diagnostics);

  const prefixLists = new Map(
    Object.entries(spec.prefixLists).map(([list, cidrs]) => [
      list,
      resolvePrefixList(list, cidrs, where.in('prefixLists', list)),
    ]),
  );
  const securityGroups = resolveSecurityGroups(
    name,
    spec.securityGroups,
    impliedGroups,
    prefixLists,
    where.in('securityGroups'),
    where.keyAt(),
    diagnostics,
  );

  const dbSubnetGroups = new Map(
    Object.entries(spec.dbSubnetGroups).map(([group, { subnets: names }]) => [
      group,
      resolveDbSubnetGroup(
        { name, subnets },
        group,
        { subnets: names },
        where.in('dbSubnetGroups', group),
        diagnostics,
      ),
    ]),
  );

  const igw = spec.internetGateway;
  return {
    name,
    netns: netnsName(`vpc-${name}`),
    cidrs,
    subnets,
    internetGateway:
      igw === undefined
        ? undefined
        : { name: igw, netns: netnsName(igw), vpc: name, at: where.at('internetGateway') },
    mainRouteTable,
    securityGroups,
    prefixLists,
    networkAcls,
    dbSubnetGroups,
    connectionTracking: spec.connectionTracking,
    enableDnsSupport: spec.enableDnsSupport,
    enableDnsHostnames: spec.enableDnsHostnames,
    at: where.keyAt(),
  };
}

/** The addresses that the VPC's own things pin, before anybody is given one. */
export function pinAddresses(
  ground: VpcGround,
  spec: VpcSpec,
  book: AddressBook,
  where: Where,
): void {
  for (const [name, nat] of Object.entries(spec.natGateways)) {
    pinNatGateway(ground, name, nat, book, where.in('natGateways', name));
  }
  for (const [name, instance] of Object.entries(spec.instances)) {
    pinInstance(ground, name, instance, book, where.in('instances', name));
  }
  for (const [name, database] of Object.entries(spec.databases)) {
    pinDbInstance(ground, name, database, book, where.in('databases', name));
  }
}

export function resolveVpc(
  ground: VpcGround,
  spec: VpcSpec,
  needs: AddressSources & { nodeInterfaces: readonly NetworkInterface[] },
  where: Where,
  diagnostics: Diagnostics,
): Vpc {
  const natGateways = new Map<string, NatGateway>();
  const targetsOfNat = new Map<string, { eni: NetworkInterface } | 'deleted'>();
  for (const [name, nat] of Object.entries(spec.natGateways)) {
    const at = where.in('natGateways', name);
    const resolved = resolveNatGateway(ground, name, nat, needs, at, diagnostics);
    if (resolved === undefined) continue;
    targetsOfNat.set(name, resolved);
    if (resolved !== 'deleted') natGateways.set(name, resolved);
  }

  const instances = new Map<string, Instance>();
  for (const [name, instance] of Object.entries(spec.instances)) {
    const at = where.in('instances', name);
    const resolved = resolveInstance(ground, name, instance, needs, at, diagnostics);
    if (resolved !== undefined) instances.set(name, resolved);
  }

  const databases = new Map<string, DbInstance>();
  for (const [name, database] of Object.entries(spec.databases)) {
    const at = where.in('databases', name);
    const resolved = resolveDbInstance(ground, name, database, needs, at, diagnostics);
    if (resolved !== undefined) databases.set(name, resolved);
  }

  const interfaces = [
    ...[...natGateways.values()].map((nat) => nat.eni),
    ...[...instances.values()].flatMap((instance) => instance.interfaces),
    ...[...databases.values()].flatMap((database) => serversOf(database).map(({ eni }) => eni)),
    ...needs.nodeInterfaces,
  ];
  const targets: Targets = {
    internetGateway: ground.internetGateway?.name,
    natGateways: targetsOfNat,
    interfaces: new Map(
      interfaces
        .filter((eni) => !eni.thing.startsWith('nat/'))
        .map((eni) => [`${eni.thing}:${eni.link}`, eni]),
    ),
  };
  const routeTables = new Map<string, RouteTable>();
  for (const [name, table] of Object.entries(spec.routeTables)) {
    const tableNeeds = { cidrs: ground.cidrs, subnets: [...ground.subnets.values()], targets };
    const at = where.in('routeTables', name);
    routeTables.set(name, resolveRouteTable(name, table, tableNeeds, at, diagnostics));
  }
  if (!routeTables.has(ground.mainRouteTable)) {
    routeTables.set(ground.mainRouteTable, {
      name: ground.mainRouteTable,
      isMain: true,
      routes: [],
      at: ground.at,
    });
  }
  return { ...ground, routeTables, natGateways, instances, databases, interfaces };
}

/** Numbers of the kernel's tables for a VPC's route tables; 253 to 255 are the kernel's own. */
const FIRST_TABLE = 1000;
const TABLES = 9000;

export function planVpc(vpc: Vpc): Fragment {
  const { netns } = vpc;
  const why = because('vpc', `vpc/${vpc.name}`, vpc.at);
  const routerMac = macAddress(`router/${vpc.name}`);
  const tableIds = assignNumbers(vpc.routeTables.keys(), FIRST_TABLE, TABLES);
  const fragment = new Fragment()
    .add(
      why,
      ...bareNetns(netns),
      // A new namespace may inherit that bridged frames also meet iptables; then each packet would pass it twice.
      ...['iptables', 'ip6tables', 'arptables'].map((table) => ({
        ...sysctl(netns, `net/bridge/bridge-nf-call-${table}`, 0),
        ifThere: true,
      })),
      ...routerSysctls(netns, []),
      { kind: 'rule', netns, priority: LOCAL_RULE_PRIORITY, table: MAIN_TABLE },
      ...vpc.cidrs.map(
        (block) =>
          ({
            kind: 'route',
            netns,
            table: MAIN_TABLE,
            type: 'blackhole',
            destination: block,
          }) as const,
      ),
      {
        kind: 'iptables-chain',
        netns,
        table: 'mangle',
        chain: 'PREROUTING',
        policy: 'ACCEPT',
        // The router takes one off; on AWS it is no hop.
        rules: ['-j TTL --ttl-inc 1'],
      },
      // Nobody talks to the router itself but to its DNS server: no ping, no refusal. What it says on its own is ICMP errors.
      {
        kind: 'iptables-chain',
        netns,
        table: 'filter',
        chain: 'INPUT',
        policy: 'DROP',
        rules: ['-i lo -j ACCEPT', ...resolverInput(vpc, UPLINK)],
      },
    )
    .addAll(planFabric(netns, routerMac, why))
    .addAll(planSecurityGroups(netns, vpc, UPLINK, why))
    .addAll(planNetworkAcls(netns, vpc.networkAcls, [...vpc.subnets.values()], why));
  for (const list of vpc.prefixLists.values()) fragment.addAll(planPrefixList(netns, list));
  for (const subnet of vpc.subnets.values()) {
    const tableId = tableIds.get(subnet.routeTable) ?? 0;
    fragment.addAll(planSubnet(netns, subnet, { routerMac, tableId, mtuBytes: VPC_MTU_BYTES }));
  }
  for (const table of vpc.routeTables.values()) {
    const tableId = tableIds.get(table.name) ?? 0;
    fragment.addAll(planRouteTable(netns, table, { tableId, cidrs: vpc.cidrs, uplink: UPLINK }));
  }
  for (const eni of vpc.interfaces) fragment.addAll(planNetworkInterface(netns, eni));
  return fragment;
}

/** In a VPC's router, after the subnets' own tables: where a `local` route leads. */
const LOCAL_RULE_PRIORITY = 30_000;

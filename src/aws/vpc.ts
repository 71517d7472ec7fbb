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
import { type Cidr, type Ipv4, overlaps } from '../base/ip.ts';
import { assignNumbers } from '../base/hash.ts';
import { macAddress, netnsName, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { MAIN_TABLE } from '../kernel/state.ts';
import { routerSysctls, sysctl } from '../kernel/sysctl.ts';
import { cidrSchema, named, nameSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import { type Instance, InstanceSpec, type InterfaceSpec } from './instance.ts';
import { type InternetGateway, UPLINK } from './internet-gateway.ts';
import { type NatGateway, NatGatewaySpec } from './nat-gateway.ts';
import {
  networkInterface,
  type NetworkInterface,
  planFabric,
  planNetworkInterface,
  VPC_MTU_BYTES,
} from './network-interface.ts';
import {
  planRouteTable,
  resolveRouteTable,
  type RouteTable,
  RouteTableSpec,
  type Targets,
} from './route-table.ts';
import { DEFAULT_SECURITY_GROUP, planSecurityGroups } from './security-group.ts';
import {
  type AddressBook,
  checkBlockSize,
  checkOverlaps,
  planSubnet,
  resolveSubnet,
  type Subnet,
  SubnetSpec,
} from './subnet.ts';

export const VpcSpec = z.strictObject({
  cidr: cidrSchema,
  secondaryCidrs: z.array(cidrSchema).default([]),
  subnets: named(SubnetSpec),
  internetGateway: nameSchema.optional(),
  natGateways: named(NatGatewaySpec),
  routeTables: named(RouteTableSpec),
  instances: named(InstanceSpec),
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
  readonly at: SourceRef;
}

export interface Vpc extends VpcGround {
  readonly routeTables: ReadonlyMap<string, RouteTable>;
  readonly natGateways: ReadonlyMap<string, NatGateway>;
  readonly instances: ReadonlyMap<string, Instance>;
  /** Every ENI in the VPC, the nodes' too. */
  readonly interfaces: readonly NetworkInterface[];
}

/** The name of the table that a VPC has without anybody declaring it. */
const IMPLICIT_MAIN = 'main';

export function resolveVpcGround(
  name: string,
  spec: VpcSpec,
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
  const pin = (
    subnetName: string,
    address: Ipv4 | undefined,
    claimant: string,
    at: SourceRef,
  ): void => {
    const subnet = ground.subnets.get(subnetName);
    if (subnet !== undefined && address !== undefined) book.pin(subnet, address, claimant, at);
  };
  for (const [name, nat] of Object.entries(spec.natGateways)) {
    if (nat.deleted) continue;
    pin(nat.subnet, nat.address, `nat/${name}`, where.at('natGateways', name, 'address'));
  }
  for (const [name, instance] of Object.entries(spec.instances)) {
    const at = where.in('instances', name);
    pinInterface(instance, `instance/${name}`, at, pin);
    instance.interfaces.forEach((one, index) => {
      pinInterface(one, `instance/${name}:eth${index + 1}`, at.in('interfaces', index), pin);
    });
  }
}

function pinInterface(
  spec: z.output<typeof InterfaceSpec>,
  claimant: string,
  where: Where,
  pin: (subnet: string, address: Ipv4 | undefined, claimant: string, at: SourceRef) => void,
): void {
  pin(spec.subnet, spec.address, claimant, where.at('address'));
  spec.secondaryAddresses.forEach((address, index) => {
    pin(spec.subnet, address, claimant, where.at('secondaryAddresses', index));
  });
}

export function resolveVpc(
  ground: VpcGround,
  spec: VpcSpec,
  needs: {
    book: AddressBook;
    elastic: (claimant: string, pinned: Ipv4 | undefined, at: SourceRef) => Ipv4;
    nodeInterfaces: readonly NetworkInterface[];
  },
  where: Where,
  diagnostics: Diagnostics,
): Vpc {
  const { book } = needs;
  const natGateways = new Map<string, NatGateway>();
  const targetsOfNat = new Map<string, { eni: NetworkInterface } | 'deleted'>();
  for (const [name, nat] of Object.entries(spec.natGateways)) {
    const at = where.in('natGateways', name);
    const subnet = findSubnet(ground, nat.subnet, at.at('subnet'), diagnostics);
    if (nat.connectivity === 'private' && nat.elasticIp !== undefined) {
      diagnostics.error(
        'private-nat-elastic-ip',
        at.at('elasticIp'),
        `nat/${name} is private and has an Elastic IP`,
        'take one of the two away: a private NAT gateway has none',
      );
    }
    if (nat.deleted) {
      targetsOfNat.set(name, 'deleted');
      continue;
    }
    if (subnet === undefined) continue;
    const address = nat.address ?? book.take(subnet, `nat/${name}`, at.keyAt());
    const elastic =
      nat.connectivity === 'private'
        ? undefined
        : needs.elastic(`nat/${name}`, nat.elasticIp, at.at('elasticIp'));
    const netns = netnsName(name);
    const eni = networkInterface({
      thing: `nat/${name}`,
      netns,
      link: 'eth0',
      subnet,
      addresses: [{ address, elastic }],
      // It forwards for others, so the check can't be on; and it takes no security group.
      sourceDestCheck: false,
      securityGroups: undefined,
      at: at.keyAt(),
    });
    natGateways.set(name, {
      name,
      netns,
      eni,
      idleTimeoutSeconds: nat.idleTimeout / 1000,
      connectionsPerDestination: nat.connectionsPerDestination,
      at: at.keyAt(),
    });
    targetsOfNat.set(name, { eni });
  }

  const instances = new Map<string, Instance>();
  for (const [name, instance] of Object.entries(spec.instances)) {
    const resolved = resolveInstance(ground, name, instance, needs, where, diagnostics);
    if (resolved !== undefined) instances.set(name, resolved);
  }

  const interfaces = [
    ...[...natGateways.values()].map((nat) => nat.eni),
    ...[...instances.values()].flatMap((instance) => instance.interfaces),
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
  return { ...ground, routeTables, natGateways, instances, interfaces };
}

function resolveInstance(
  ground: VpcGround,
  name: string,
  spec: z.output<typeof InstanceSpec>,
  needs: {
    book: AddressBook;
    elastic: (claimant: string, pinned: Ipv4 | undefined, at: SourceRef) => Ipv4;
  },
  where: Where,
  diagnostics: Diagnostics,
): Instance | undefined {
  const base = where.in('instances', name);
  const netns = netnsName(name);
  const thing = `instance/${name}`;
  const interfaces: NetworkInterface[] = [];
  [spec, ...spec.interfaces].forEach((one, device) => {
    const at = device === 0 ? base : base.in('interfaces', device - 1);
    const claimant = device === 0 ? thing : `${thing}:eth${device}`;
    const subnet = findSubnet(ground, one.subnet, at.at('subnet'), diagnostics);
    if (subnet === undefined) return;
    const first = interfaces[0];
    if (first !== undefined && first.subnet.az !== subnet.az) {
      diagnostics.error(
        'eni-other-az',
        at.at('subnet'),
        `${claimant} is in subnet "${subnet.name}" of ${subnet.az}, but the instance is in ${first.subnet.az}`,
        'an ENI is attached within its availability zone; take a subnet of the same zone',
      );
    }
    const address = one.address ?? needs.book.take(subnet, claimant, at.at());
    const elastic =
      one.elasticIp === undefined
        ? undefined
        : needs.elastic(claimant, one.elasticIp, at.at('elasticIp'));
    interfaces.push(
      networkInterface({
        thing,
        netns,
        link: `eth${device}`,
        subnet,
        addresses: [
          { address, elastic },
          ...one.secondaryAddresses.map((other) => ({ address: other, elastic: undefined })),
        ],
        sourceDestCheck: one.sourceDestCheck,
        securityGroups: [DEFAULT_SECURITY_GROUP],
        at: base.keyAt(),
      }),
    );
  });
  const [first, ...others] = interfaces;
  if (first === undefined) return undefined;
  return { name, netns, interfaces: [first, ...others], ports: spec.ports, at: base.keyAt() };
}

export function findSubnet(
  ground: VpcGround,
  name: string,
  at: SourceRef,
  diagnostics: Diagnostics,
): Subnet | undefined {
  const subnet = ground.subnets.get(name);
  if (subnet === undefined) {
    diagnostics.error(
      'unknown-subnet',
      at,
      `subnet "${name}" is not declared in VPC "${ground.name}"`,
      suggest(name, ground.subnets.keys()),
    );
  }
  return subnet;
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
      { kind: 'netns', netns, defaultRules: false },
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
      // Nobody talks to the router itself: no ping, no refusal. What it says on its own is ICMP errors.
      {
        kind: 'iptables-chain',
        netns,
        table: 'filter',
        chain: 'INPUT',
        policy: 'DROP',
        rules: ['-i lo -j ACCEPT'],
      },
    )
    .addAll(planFabric(netns, routerMac, why))
    .addAll(planSecurityGroups(netns, UPLINK, why));
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

/**
 * A subnet: a block of a VPC's addresses in one availability zone.
 *
 * Kernel: a bridge in the VPC's netns, which carries the router's address (base + 1) as a /32. Its ports are isolated
 * from each other and learn nothing, so that even traffic between two neighbours goes up to the VPC's router.
 *
 * Five addresses of each subnet are not to be had: network, router, DNS, one for future use, broadcast.
 *
 * @fidelity same - addressing, one zone a subnet, no broadcast and no multicast
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html "Subnet sizing for IPv4"
 */

import * as z from 'zod';

import { because } from '../base/because.ts';
import { type Diagnostics, renderSourceRef, type SourceRef, suggest } from '../base/diagnostic.ts';
import {
  baseAddress,
  type Cidr,
  compareIpv4,
  contains,
  containsCidr,
  type Ipv4,
  nth,
  overlaps,
  prefixLength,
  size,
} from '../base/ip.ts';
import { hashModulo } from '../base/hash.ts';
import { awsId, linkName, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { linkSysctl, sysctl } from '../kernel/sysctl.ts';
import { cidrSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';

/** The network ACL of a subnet that names none. */
export const DEFAULT_NETWORK_ACL = 'default';

export const SubnetSpec = z.strictObject({
  cidr: cidrSchema.describe("A block of the VPC's, /16 to /28"),
  az: z.string().describe('The availability zone, like az-1'),
  routeTable: z
    .string()
    .describe("The route table's name; without it the VPC's main table")
    .optional(),
  networkAcl: z
    .string()
    .describe("The network ACL's name; without it the VPC's default one")
    .default(DEFAULT_NETWORK_ACL),
});

export interface Subnet {
  readonly name: string;
  readonly id: string;
  readonly vpc: string;
  readonly cidr: Cidr;
  readonly az: string;
  /** The explicitly associated route table; the VPC's main one otherwise. */
  readonly routeTable: string;
  readonly networkAcl: string;
  readonly router: Ipv4;
  readonly bridge: string;
  readonly at: SourceRef;
}

/** The largest and the smallest block that EC2 takes for a VPC or a subnet, as prefix lengths. */
const LARGEST_BLOCK = 16;
const SMALLEST_BLOCK = 28;

export function resolveSubnet(
  vpc: { name: string; cidrs: readonly Cidr[] },
  name: string,
  spec: z.output<typeof SubnetSpec>,
  mainRouteTable: string,
  where: Where,
  diagnostics: Diagnostics,
): Subnet {
  const { cidr } = spec;
  if (!vpc.cidrs.some((block) => containsCidr(block, cidr))) {
    diagnostics.error(
      'subnet-outside-vpc',
      where.at('cidr'),
      `subnet "${name}" ${cidr} is not inside VPC "${vpc.name}" ${vpc.cidrs.join(', ')}`,
      `take a block of ${vpc.cidrs.join(' or ')}, or add one to secondaryCidrs`,
    );
  }
  checkBlockSize(`subnet "${name}"`, cidr, where.at('cidr'), diagnostics);
  return {
    name,
    id: awsId('subnet', `${vpc.name}/${name}`),
    vpc: vpc.name,
    cidr,
    az: spec.az,
    routeTable: spec.routeTable ?? mainRouteTable,
    networkAcl: spec.networkAcl,
    router: nth(cidr, 1),
    bridge: linkName(name),
    at: where.keyAt(),
  };
}

export function checkBlockSize(
  what: string,
  block: Cidr,
  at: SourceRef,
  diagnostics: Diagnostics,
): void {
  const length = prefixLength(block);
  if (length >= LARGEST_BLOCK && length <= SMALLEST_BLOCK) return;
  diagnostics.error(
    'block-size',
    at,
    `${what} is a /${length}, and AWS takes /${LARGEST_BLOCK} to /${SMALLEST_BLOCK}`,
    length < LARGEST_BLOCK ? 'take a smaller block' : 'take a larger block',
  );
}

export function checkOverlaps(
  subnets: readonly Subnet[],
  where: Where,
  diagnostics: Diagnostics,
): void {
  subnets.forEach((subnet, index) => {
    const other = subnets.slice(0, index).find((one) => overlaps(one.cidr, subnet.cidr));
    if (other === undefined) return;
    diagnostics.error(
      'subnets-overlap',
      where.at(subnet.name, 'cidr'),
      `subnet "${subnet.name}" ${subnet.cidr} overlaps subnet "${other.name}" ${other.cidr}`,
      'give each its own block',
    );
  });
}

export function findSubnet(
  vpc: { name: string; subnets: ReadonlyMap<string, Subnet> },
  name: string,
  at: SourceRef,
  diagnostics: Diagnostics,
): Subnet | undefined {
  const subnet = vpc.subnets.get(name);
  if (subnet === undefined) {
    diagnostics.error(
      'unknown-subnet',
      at,
      `subnet "${name}" is not declared in VPC "${vpc.name}"`,
      suggest(name, vpc.subnets.keys()),
    );
  }
  return subnet;
}

/** Why an address of the subnet can't be given to an ENI, or undefined when it can. */
export function reservedFor(subnet: Subnet, address: Ipv4): string | undefined {
  const offset = compareIpv4(address, baseAddress(subnet.cidr));
  if (offset === size(subnet.cidr) - 1) return 'the broadcast address';
  return ['the network address', "the VPC router's", "the DNS server's", 'kept for future use'][
    offset
  ];
}

/** How many addresses a subnet has to give: 251 of a /24, 11 of a /28. */
export function usableAddresses(cidr: Cidr): number {
  return size(cidr) - 5;
}

/**
 * Who has which address. Pinned ones are entered first, all of them; the others take the first free one after a place
 * that their name's hash gives, so that one thing more moves nobody else.
 */
export class AddressBook {
  /** By VPC and address: two VPCs may have the same blocks. */
  readonly #taken = new Map<string, { claimant: string; at: SourceRef }>();
  readonly #count = new Map<string, number>();
  readonly #full = new Set<string>();
  readonly #diagnostics: Diagnostics;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  pin(subnet: Subnet, address: Ipv4, claimant: string, at: SourceRef): void {
    if (!contains(subnet.cidr, address)) {
      this.#diagnostics.error(
        'address-outside-subnet',
        at,
        `${claimant} wants ${address}, which is not in subnet "${subnet.name}" ${subnet.cidr}`,
        `take one of ${nth(subnet.cidr, 4)} to ${nth(subnet.cidr, -2)}`,
      );
      return;
    }
    const reserved = reservedFor(subnet, address);
    if (reserved !== undefined) {
      this.#diagnostics.error(
        'address-reserved',
        at,
        `${claimant} wants ${address}, which is ${reserved} in subnet "${subnet.name}" ${subnet.cidr}`,
        `take one of ${nth(subnet.cidr, 4)} to ${nth(subnet.cidr, -2)}`,
      );
      return;
    }
    const there = this.#taken.get(inVpc(subnet, address));
    if (there !== undefined) {
      this.#diagnostics.error(
        'address-taken',
        at,
        `${claimant} wants ${address}, which ${there.claimant} has (${renderSourceRef(there.at)})`,
        'take another, or leave it out to have one allocated',
      );
      return;
    }
    this.#enter(subnet, address, claimant, at);
  }

  /**
   * An address for whoever pinned none. A full subnet is reported once, and its first address stands in, so that
   * nothing else is reported for want of one.
   */
  take(subnet: Subnet, claimant: string, at: SourceRef): Ipv4 {
    const usable = usableAddresses(subnet.cidr);
    const start = hashModulo(`address/${subnet.name}/${claimant}`, usable);
    for (let step = 0; step < usable; step += 1) {
      const address = nth(subnet.cidr, 4 + ((start + step) % usable));
      if (this.#taken.has(inVpc(subnet, address))) continue;
      this.#enter(subnet, address, claimant, at);
      return address;
    }
    const standIn = nth(subnet.cidr, 4);
    if (this.#full.has(subnet.id)) return standIn;
    this.#full.add(subnet.id);
    this.#diagnostics.error(
      'subnet-full',
      at,
      `${claimant} gets no address: subnet "${subnet.name}" ${subnet.cidr} has ${usable} to give, and all are taken`,
      'make the subnet larger, or put fewer things into it',
    );
    return standIn;
  }

  taken(subnet: Subnet): number {
    return this.#count.get(subnet.id) ?? 0;
  }

  #enter(subnet: Subnet, address: Ipv4, claimant: string, at: SourceRef): void {
    this.#taken.set(inVpc(subnet, address), { claimant, at });
    this.#count.set(subnet.id, this.taken(subnet) + 1);
  }
}

function inVpc(subnet: Subnet, address: Ipv4): string {
  return `${subnet.vpc} ${address}`;
}

/** Where a thing's addresses come from: its subnet, and the Elastic IPs. */
export interface AddressSources {
  readonly book: AddressBook;
  readonly elastic: (claimant: string, pinned: Ipv4 | undefined, at: SourceRef) => Ipv4;
}

export function planSubnet(
  netns: NetnsName,
  subnet: Subnet,
  needs: { routerMac: string; tableId: number; mtuBytes: number },
): Fragment {
  const why = because('subnet', `subnet/${subnet.name}`, subnet.at);
  const { bridge } = subnet;
  // The router never asks who has an address: it knows, or the address is not assigned.
  const solicit = ['mcast_solicit', 'ucast_solicit', 'app_solicit'].map((key) => ({
    ...sysctl(netns, `net/ipv4/neigh/${bridge}/${key}`, 0),
    link: bridge,
    ifThere: true,
  }));
  return new Fragment().add(
    why,
    {
      kind: 'bridge',
      netns,
      link: bridge,
      mac: needs.routerMac,
      mtuBytes: needs.mtuBytes,
    },
    linkSysctl(netns, bridge, 'rp_filter', 0),
    linkSysctl(netns, bridge, 'send_redirects', 0),
    // A NAT gateway hands the router's own "fragmentation needed" on to the pod, with the router's address as its source.
    linkSysctl(netns, bridge, 'accept_local', 1),
    ...solicit,
    {
      kind: 'address',
      netns,
      link: bridge,
      address: subnet.router,
      prefixLength: 32,
      connectedRoute: true,
    },
    {
      kind: 'rule',
      netns,
      priority: SUBNET_RULE_PRIORITY,
      incoming: bridge,
      table: needs.tableId,
    },
  );
}

/** In a VPC's router: which table a packet meets is decided by the subnet it came from. */
const SUBNET_RULE_PRIORITY = 1000;

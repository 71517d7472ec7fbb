/**
 * The VPC's DNS server (Route 53 Resolver, AmazonProvidedDNS): it knows the names that EC2 gives to addresses, and for
 * the rest the public names. A public EC2 name leads to the private address inside the VPC, outside to the public one.
 *
 * Kernel: a dnsmasq in the VPC's netns, whose `lo` has the two addresses, base + 2 of the VPC's primary block and
 * 169.254.169.253. Of what is sent to the router itself, only this passes its INPUT chain, and not from the internet
 * gateway's link. Security groups and network ACLs stand in forward hooks, which it never meets. Each ENI may send it
 * 1024 packets a second; `table inet linklocal` counts and drops what is more.
 *
 * Packet's story: port of the sender's ENI -> bridge of its subnet -> rule 0: the address is the router's own -> INPUT
 * -> dnsmasq -> /32 of the sender.
 *
 * @fidelity same - addresses, out of reach of security groups and ACLs, EC2's names both ways, both VPC attributes
 *   (both default to true here; AWS's default for enableDnsHostnames in a VPC that one makes oneself is false);
 *   simplified - the names of us-east-1, IP names only, every address of the VPC's blocks has one, given to somebody or
 *   not, the limit lets 100 packets come at once; not built - Resolver endpoints and rules
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html "Amazon DNS server", "DNS hostnames for
 *   EC2 instances", "DNS attributes for your VPC", "DNS quotas"
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-naming.html "Types of EC2 hostnames"
 */

import { because } from '../base/because.ts';
import type { SourceRef } from '../base/diagnostic.ts';
import { type Cidr, contains, type Ipv4, ipv4, nth, parseIpv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import {
  DNS_PORT,
  type DnsRecord,
  type NameRecord,
  nameServer,
  resolvConf,
} from '../kernel/name-server.ts';
import { nftTable } from '../kernel/nft.ts';
import type { NetworkInterface } from './network-interface.ts';

/** What of a VPC the resolver looks at. */
interface ResolverVpc {
  readonly name: string;
  readonly netns: NetnsName;
  /** The primary one first. */
  readonly cidrs: readonly Cidr[];
  /** Off, the resolver does not answer at all. */
  readonly enableDnsSupport: boolean;
  /** Off, a public address has no name. */
  readonly enableDnsHostnames: boolean;
  readonly at: SourceRef;
}

type NamedVpc = ResolverVpc & { readonly interfaces: readonly NetworkInterface[] };

const LINK_LOCAL = ipv4('169.254.169.253');
/** Of us-east-1, which has no region in it. */
const PRIVATE_PREFIX = 'ip-';
export const PRIVATE_DOMAIN = 'ec2.internal';
const PUBLIC_DOMAIN = 'compute-1.amazonaws.com';

/** Where it answers: base + 2 of the primary block, whatever the subnets are, and the same address in every VPC. */
export function resolverAddresses(vpc: Pick<ResolverVpc, 'cidrs'>): [Ipv4, Ipv4] {
  const [primary] = vpc.cidrs;
  if (primary === undefined) throw new Error('a VPC has a primary block');
  return [nth(primary, 2), LINK_LOCAL];
}

/** The public names as the VPC's own resolver has them. */
function namesInside(vpc: NamedVpc): NameRecord[] {
  return publicAddresses(vpc).flatMap(({ elastic, address }) => [
    // First, so that the address leads back to it.
    { name: privateName(address), address },
    { name: publicName(elastic), address, alsoOf: elastic },
  ]);
}

/** An address of the VPC's leads back to EC2's name for it, whatever other names lead to it. */
function waysBack(vpc: NamedVpc, records: readonly DnsRecord[]): NameRecord[] {
  const known = new Set(publicAddresses(vpc).map(({ address }) => address));
  const addresses = records.flatMap((record) => ('address' in record ? [record.address] : []));
  return [...new Set(addresses)]
    .filter((one) => !known.has(one) && vpc.cidrs.some((block) => contains(block, one)))
    .map((address) => ({ name: privateName(address), address }));
}

/** The public names as everybody else has them. */
export function namesOutside(vpc: NamedVpc): NameRecord[] {
  return publicAddresses(vpc).map(({ elastic }) => ({
    name: publicName(elastic),
    address: elastic,
  }));
}

function publicAddresses(vpc: NamedVpc): { elastic: Ipv4; address: Ipv4 }[] {
  if (!vpc.enableDnsHostnames) return [];
  return vpc.interfaces.flatMap((eni) =>
    eni.addresses.flatMap(({ address, elastic }) =>
      elastic === undefined ? [] : [{ elastic, address }],
    ),
  );
}

/**
 * What a name of EC2's leads to: `inside` is the VPC of who asks, `others` are those whose names are public to it. The
 * private domain may be left out, as every program in a VPC searches it.
 */
export function lookUpEc2Name(
  name: string,
  inside: NamedVpc | undefined,
  others: readonly NamedVpc[],
): Ipv4 | undefined {
  const numbers = /^ip-(\d+)-(\d+)-(\d+)-(\d+)(?:\.ec2\.internal)?$/.exec(name)?.slice(1, 5);
  const address = parseIpv4(numbers?.join('.') ?? '');
  if (address !== undefined) {
    return inside?.cidrs.some((block) => contains(block, address)) === true ? address : undefined;
  }
  const names = [
    ...(inside === undefined ? [] : namesInside(inside)),
    ...others.filter((vpc) => vpc !== inside).flatMap(namesOutside),
  ];
  return names.find((one) => one.name === name)?.address;
}

/** The name that EC2 gives to an address of a VPC. */
export function privateName(address: Ipv4): string {
  return `${PRIVATE_PREFIX}${dashed(address)}.${PRIVATE_DOMAIN}`;
}

function publicName(address: Ipv4): string {
  return `ec2-${dashed(address)}.${PUBLIC_DOMAIN}`;
}

function dashed(address: Ipv4): string {
  return address.replaceAll('.', '-');
}

/** What the router's INPUT chain lets in. */
export function resolverInput(vpc: ResolverVpc, uplink: string): string[] {
  if (!vpc.enableDnsSupport) return [];
  return resolverAddresses(vpc).flatMap((address) =>
    ['udp', 'tcp'].map(
      (protocol) =>
        `-d ${address}/32 ! -i ${uplink} -p ${protocol} -m ${protocol} --dport ${DNS_PORT} -j ACCEPT`,
    ),
  );
}

/**
 * A hard limit. The burst is ours: as many as dnsmasq's socket holds while it has no turn (212,992 bytes by default,
 * net.core.rmem_default, about 770 for a query), so that what is lost is lost here, and counted.
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html "DNS quotas"
 */
const PACKETS_PER_SECOND = 1024;
const BURST_PACKETS = 100;

/** Before the INPUT chain of iptables (filter, 0). */
const LIMIT_PRIORITY = -10;

/** As `ethtool -S` of an instance calls it. @see EC2 User Guide, monitoring-network-performance-ena.html "Metrics" */
const COUNTER = 'linklocal_allowance_exceeded';

export function planResolver(
  vpc: NamedVpc,
  needs: {
    /** The namespaces of what is in the VPC and asks. */
    readonly clients: readonly NetnsName[];
    /** The names of the rest of the world, and of the VPC's private zones. */
    readonly elsewhere: readonly DnsRecord[];
    /** Whose names are there and nowhere else: the private zones. */
    readonly privateDomains: readonly string[];
  },
): Fragment {
  const { netns } = vpc;
  const why = because('route53-resolver', `vpc/${vpc.name}`, vpc.at);
  const addresses = resolverAddresses(vpc);
  const [server] = addresses;
  const fragment = new Fragment().add(
    why,
    // Also where nobody answers: the DHCP options of a VPC do not change with the attribute.
    ...needs.clients.map((client) =>
      resolvConf(client, { servers: [server], search: [PRIVATE_DOMAIN] }),
    ),
  );
  if (!vpc.enableDnsSupport) return fragment;
  const { table, set, chain } = nftTable(netns, { family: 'inet', table: 'linklocal' });
  return fragment.add(
    why,
    ...addresses.map(
      (address) =>
        ({
          kind: 'address',
          netns,
          link: 'lo',
          address,
          prefixLength: 32,
          connectedRoute: true,
        }) as const,
    ),
    ...nameServer(
      netns,
      [...namesInside(vpc), ...waysBack(vpc, needs.elsewhere), ...needs.elsewhere],
      {
        blocks: vpc.cidrs.map((block) => ({
          block,
          prefix: PRIVATE_PREFIX,
          domain: PRIVATE_DOMAIN,
        })),
        domains: needs.privateDomains,
      },
    ),
    table,
    set('counter', COUNTER, ''),
    // Who was silent for a minute has long been allowed the whole burst again.
    set('set', 'senders', 'type ether_addr; size 65535; flags dynamic,timeout; timeout 1m;'),
    chain(
      'input',
      [
        `ip daddr { ${addresses.join(', ')} } update @senders { ether saddr limit rate over ${PACKETS_PER_SECOND}/second burst ${BURST_PACKETS} packets } counter name "${COUNTER}" drop`,
      ],
      `type filter hook input priority ${LIMIT_PRIORITY}; policy accept;`,
    ),
  );
}

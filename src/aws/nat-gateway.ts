/**
 * A NAT gateway: lets private addresses open connections outwards, and nobody open one inwards.
 *
 * Kernel: a netns with one ENI in a subnet. Packets that the VPC's router hands to it leave by the same ENI with its own
 * private address as their source; where there is an Elastic IP, the internet gateway then maps that one. Conntrack is
 * its memory. A connection that was silent for longer than the idle time-out is forgotten, and its next packet from
 * inside is answered with RST.
 *
 * Packet's story: pod 10.0.3.50 -> nat eth0 (conntrack: new) -> source 10.0.1.50:1024-65535 -> VPC router -> IGW.
 *
 * @fidelity same - zonal, stateful, no security group, no answer to ping, idle RST, 55,000 connections a destination,
 *   TCP, UDP and ICMP only, no TCP or ICMP fragments; simplified - one Elastic IP a gateway
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html "NAT gateway basics"
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html "Internet connection drops after 350 seconds"
 */

import * as z from 'zod';

import { because } from '../base/because.ts';
import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import { netnsName, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { hostNetns } from '../kernel/netns.ts';
import { nftTable } from '../kernel/nft.ts';
import { routerSysctls, sysctl } from '../kernel/sysctl.ts';
import { durationSchema, ipv4Schema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import { networkInterface, type NetworkInterface, planPrimaryLink } from './network-interface.ts';
import { type AddressBook, type AddressSources, findSubnet, type Subnet } from './subnet.ts';

/** Fixed on AWS; a lab may shorten it, so that one can watch it. @see vpc-nat-gateway.html "350 seconds" */
const IDLE_TIMEOUT_MS = 350_000;
/** To each unique destination (address, port, protocol). @see vpc-nat-gateway.html "NAT gateway basics" */
const CONNECTIONS_PER_DESTINATION = 55_000;
/** @see vpc-nat-gateway.html: a NAT gateway uses ports 1024-65535 */
const SOURCE_PORTS = '1024-65535';

export const NatGatewaySpec = z.strictObject({
  subnet: z.string().describe('The subnet that its network interface is in'),
  address: ipv4Schema.describe('Its private address; without it one of the subnet’s').optional(),
  elasticIp: ipv4Schema.describe('Its public address; without it one of 203.0.113.0/24').optional(),
  connectivity: z
    .enum(['public', 'private'])
    .describe('A private one has no Elastic IP')
    .default('public'),
  idleTimeout: durationSchema
    .describe('A connection that was silent for longer is reset; 350s on AWS')
    .default(IDLE_TIMEOUT_MS),
  connectionsPerDestination: z
    .int()
    .min(1)
    .max(CONNECTIONS_PER_DESTINATION)
    .describe('Simultaneous connections to one destination')
    .default(CONNECTIONS_PER_DESTINATION),
  deleted: z
    .boolean()
    .describe('It was deleted: the routes to it are still there, in the state "blackhole"')
    .default(false),
});

export interface NatGateway {
  readonly name: string;
  readonly netns: NetnsName;
  readonly eni: NetworkInterface;
  readonly idleTimeoutSeconds: number;
  readonly connectionsPerDestination: number;
  readonly at: SourceRef;
}

/** The address that the gateway pins, before anybody is given one. */
export function pinNatGateway(
  vpc: { subnets: ReadonlyMap<string, Subnet> },
  name: string,
  spec: z.output<typeof NatGatewaySpec>,
  book: AddressBook,
  where: Where,
): void {
  const subnet = vpc.subnets.get(spec.subnet);
  if (spec.deleted || subnet === undefined || spec.address === undefined) return;
  book.pin(subnet, spec.address, `nat/${name}`, where.at('address'));
}

export function resolveNatGateway(
  vpc: { name: string; subnets: ReadonlyMap<string, Subnet> },
  name: string,
  spec: z.output<typeof NatGatewaySpec>,
  needs: AddressSources,
  where: Where,
  diagnostics: Diagnostics,
): NatGateway | 'deleted' | undefined {
  const thing = `nat/${name}`;
  const subnet = findSubnet(vpc, spec.subnet, where.at('subnet'), diagnostics);
  const isPrivate = spec.connectivity === 'private';
  if (isPrivate && spec.elasticIp !== undefined) {
    diagnostics.error(
      'private-nat-elastic-ip',
      where.at('elasticIp'),
      `${thing} is private and has an Elastic IP`,
      'take one of the two away: a private NAT gateway has none',
    );
  }
  if (spec.deleted) return 'deleted';
  if (subnet === undefined) return undefined;
  const netns = netnsName(name);
  const address = spec.address ?? needs.book.take(subnet, thing, where.keyAt());
  const elastic = isPrivate
    ? undefined
    : needs.elastic(thing, spec.elasticIp, where.at('elasticIp'));
  const eni = networkInterface({
    thing,
    netns,
    link: 'eth0',
    subnet,
    addresses: [{ address, elastic }],
    // It forwards for others, so the check can't be on; and it takes no security group.
    sourceDestCheck: false,
    securityGroups: undefined,
    at: where.keyAt(),
  });
  return {
    name,
    netns,
    eni,
    idleTimeoutSeconds: spec.idleTimeout / 1000,
    connectionsPerDestination: spec.connectionsPerDestination,
    at: where.keyAt(),
  };
}

const TABLE = { family: 'ip', table: 'nat-gateway' } as const;

export function planNatGateway(gateway: NatGateway): Fragment {
  const { netns, eni } = gateway;
  const why = because('nat-gateway', `nat/${gateway.name}`, gateway.at);
  const address = eni.addresses[0].address;
  const { table, set, chain } = nftTable(netns, TABLE);
  const seconds = Math.max(1, Math.round(gateway.idleTimeoutSeconds));
  const limit = gateway.connectionsPerDestination;
  const timeouts = ['tcp_timeout_established', 'udp_timeout', 'udp_timeout_stream', 'icmp_timeout'];
  return new Fragment()
    .add(
      why,
      ...hostNetns(netns),
      ...routerSysctls(netns, [eni.link]),
      // A forgotten connection stays forgotten: it is not picked up again in its middle.
      sysctl(netns, 'net/netfilter/nf_conntrack_tcp_loose', 0),
      sysctl(netns, 'net/netfilter/nf_conntrack_tcp_be_liberal', 1),
      ...timeouts.map((key) => sysctl(netns, `net/netfilter/nf_conntrack_${key}`, seconds)),
    )
    .addAll(planPrimaryLink(eni, why))
    .add(
      why,
      table,
      // Named like the CloudWatch metrics of a NAT gateway.
      set('counter', 'ErrorPortAllocation', ''),
      set('counter', 'IdleTimeoutCount', ''),
      set('set', 'tcp-connections', 'type ipv4_addr . inet_service; size 65535; flags dynamic;'),
      set('set', 'udp-connections', 'type ipv4_addr . inet_service; size 65535; flags dynamic;'),
      set('set', 'icmp-connections', 'type ipv4_addr; size 65535; flags dynamic;'),
      // Before conntrack puts fragments together again (priority -400).
      chain(
        'fragments',
        ['ip frag-off & 16383 != 0 meta l4proto { icmp, tcp } counter drop'],
        'type filter hook prerouting priority -450; policy accept;',
      ),
      chain(
        'forward',
        [
          'meta l4proto != { icmp, tcp, udp } counter drop',
          'ct state established,related accept',
          'ct state invalid meta l4proto tcp counter name "IdleTimeoutCount" reject with tcp reset',
          'ct state invalid counter drop',
          `add @tcp-connections { ip daddr . tcp dport ct count over ${limit} } counter name "ErrorPortAllocation" drop`,
          `add @udp-connections { ip daddr . udp dport ct count over ${limit} } counter name "ErrorPortAllocation" drop`,
          `meta l4proto icmp add @icmp-connections { ip daddr ct count over ${limit} } counter name "ErrorPortAllocation" drop`,
          'accept',
        ],
        'type filter hook forward priority 0; policy drop;',
      ),
      chain(
        'postrouting',
        [
          `meta l4proto { tcp, udp } snat to ${address}:${SOURCE_PORTS} fully-random`,
          `snat to ${address}`,
        ],
        'type nat hook postrouting priority 100; policy accept;',
      ),
      chain('input', [], 'type filter hook input priority 0; policy drop;'),
    );
}

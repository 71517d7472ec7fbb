/**
 * An elastic network interface (ENI): a card in a subnet, with one primary and any number of secondary addresses.
 *
 * Kernel: a veth pair between the owner's netns (eth0, eth1, …) and a port of the subnet's bridge. The VPC's mapping
 * service is what stands in the VPC's netns for each assigned address: a /32 route, a permanent neighbour, and a pair
 * of MAC and address that the source/destination check lets pass. An address that nobody assigned is unreachable, and
 * an ENI that sends with an address it does not have is not heard.
 *
 * @fidelity same - addresses, source/destination check both ways, ARP answered by the platform with the peer's MAC
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html "Network interface basics"
 */

import { as, because, type Because } from '../base/because.ts';
import type { SourceRef } from '../base/diagnostic.ts';
import { cidr, type Ipv4, nth, prefixLength } from '../base/ip.ts';
import { awsId, linkName, macAddress, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { nftTable } from '../kernel/nft.ts';
import { type InterfaceAddress, MAIN_TABLE } from '../kernel/state.ts';
import { logged } from './drop-log.ts';
import type { Subnet } from './subnet.ts';

/** Jumbo frames inside a VPC. @see EC2 User Guide, network_mtu.html "Jumbo frames (9001 MTU)" */
export const VPC_MTU_BYTES = 9001;

export interface AssignedAddress {
  readonly address: Ipv4;
  /** The Elastic or public address that the internet gateway maps to it. */
  readonly elastic: Ipv4 | undefined;
}

export interface NetworkInterface {
  readonly id: string;
  /** Whose it is, as the user names it: `node/node-1`, `nat/nat-1`. */
  readonly thing: string;
  readonly netns: NetnsName;
  readonly link: string;
  readonly subnet: Subnet;
  readonly mac: string;
  /** The primary one first. */
  readonly addresses: readonly [AssignedAddress, ...AssignedAddress[]];
  readonly sourceDestCheck: boolean;
  /** The security groups it carries; undefined for what can have none (a NAT gateway). */
  readonly securityGroups: readonly string[] | undefined;
  /** It hands on what clients send with their own addresses, as a Network Load Balancer does. */
  readonly preservesClients?: boolean;
  /** Its connections are tracked whatever its groups say. */
  readonly isAlwaysTracked?: boolean;
  /** The address that it may ask for its router with beside its own: a branch and a further card ask with their node's. */
  readonly asksAs?: Ipv4;
  readonly at: SourceRef;
}

/** `owner` stays the same where the owner's name says what it is at present. */
export function networkInterface(
  fields: Omit<NetworkInterface, 'id' | 'mac'>,
  owner = fields.thing,
): NetworkInterface {
  const name = `${fields.subnet.vpc}/${owner}/${fields.link}`;
  return { ...fields, id: awsId('eni', name), mac: macAddress(name) };
}

/** The port of the subnet's bridge that the ENI's cable is plugged into; nothing outside this file depends on its name. */
export function portName(eni: NetworkInterface): string {
  return linkName(`${eni.netns}-${eni.link}`);
}

/** The fabric's side: cable, port, and the mapping of each address. */
export function planNetworkInterface(vpc: NetnsName, eni: NetworkInterface): Fragment {
  const why = because('network-interface', `${eni.thing}:${eni.link}`, eni.at);
  const port = portName(eni);
  const { bridge, router } = eni.subnet;
  const { element } = nftTable(vpc, FABRIC);
  const fragment = new Fragment().add(
    why,
    {
      kind: 'veth',
      ends: [
        { netns: vpc, link: port, mac: macAddress(`port/${eni.id}`) },
        { netns: eni.netns, link: eni.link, mac: eni.mac },
      ],
      mtuBytes: VPC_MTU_BYTES,
    },
    { kind: 'bridge-port', netns: vpc, link: port, bridge },
    { kind: 'fdb-entry', netns: vpc, link: port, mac: eni.mac },
  );
  if (!eni.sourceDestCheck) {
    fragment.add(
      as(why, 'its exemption from the source/destination check'),
      element(NO_CHECK, eni.mac),
    );
  }
  if (eni.asksAs !== undefined) {
    fragment.add(
      as(why, `that it may ask for its router as ${eni.asksAs}`),
      element(ASKS_AS, `${eni.mac} . ${eni.asksAs}`),
    );
  }
  for (const { address } of eni.addresses) {
    fragment.add(
      as(why, `the mapping of ${address} (route)`),
      // The source is what a locally generated "fragmentation needed" comes from: the router's address in the subnet.
      {
        kind: 'route',
        netns: vpc,
        table: MAIN_TABLE,
        type: 'unicast',
        destination: cidr(`${address}/32`),
        link: bridge,
        scopeLink: true,
        source: router,
      },
    );
    fragment.add(as(why, `the mapping of ${address} (neighbour)`), {
      kind: 'neighbour',
      netns: vpc,
      link: bridge,
      address,
      mac: eni.mac,
    });
    fragment.add(
      as(why, `${address} in the source/destination check`),
      element(ASSIGNED, `${eni.mac} . ${address}`),
    );
  }
  return fragment;
}

/** What an operating system does with its first card: the address, the subnet on-link, the router as default. */
export function planPrimaryLink(eni: NetworkInterface, why: Because): Fragment {
  const [primary, ...others] = eni.addresses;
  return new Fragment()
    .add(why, linkAddress(eni, primary.address, true))
    .add(why, ...others.map(({ address }) => linkAddress(eni, address, true)))
    .add(why, {
      kind: 'route',
      netns: eni.netns,
      table: MAIN_TABLE,
      type: 'unicast',
      destination: 'default',
      via: eni.subnet.router,
      link: eni.link,
    });
}

export function linkAddress(
  eni: NetworkInterface,
  address: Ipv4,
  connectedRoute: boolean,
): InterfaceAddress {
  return {
    kind: 'address',
    netns: eni.netns,
    link: eni.link,
    address,
    prefixLength: prefixLength(eni.subnet.cidr),
    broadcast: nth(eni.subnet.cidr, -1),
    connectedRoute,
  };
}

const FABRIC = { family: 'bridge', table: 'fabric' } as const;
const ASSIGNED = 'assigned';
const NO_CHECK = 'nocheck';
const ASKS_AS = 'asks-as';
/** What the log of denied packets says of the check. */
const CHECK = 'ENI source/destination check';

/**
 * The bridges' own filter, shared by all subnets of a VPC: source/destination check, ARP for assigned addresses only,
 * no broadcast. A frame between two neighbours bears the neighbour's MAC; it is turned to the router, which forwards.
 */
export function planFabric(vpc: NetnsName, routerMac: string, why: Because): Fragment {
  const { table, set, chain } = nftTable(vpc, FABRIC);
  return new Fragment().add(
    why,
    table,
    set('set', ASSIGNED, 'type ether_addr . ipv4_addr;'),
    set('set', NO_CHECK, 'type ether_addr;'),
    set('set', ASKS_AS, 'type ether_addr . ipv4_addr;'),
    chain(
      'from-eni',
      [
        `ether saddr . arp saddr ip @${ASSIGNED} accept`,
        'arp saddr ip 0.0.0.0 accept',
        `ether saddr . arp saddr ip @${ASKS_AS} accept`,
        'ether type arp counter drop comment "ARP for an address that the ENI does not have"',
        'ether type != ip counter drop comment "not IPv4"',
        'meta pkttype { broadcast, multicast } counter drop comment "no broadcast, no multicast in a VPC"',
        `ether saddr . ip saddr @${ASSIGNED} goto to-router`,
        `ether saddr @${NO_CHECK} goto to-router`,
        `${logged(CHECK)} counter drop comment "source/destination check: source"`,
      ],
      'type filter hook prerouting priority -250; policy drop;',
    ),
    chain('to-router', [`ether daddr set ${routerMac} meta pkttype set host accept`]),
    chain(
      'to-eni',
      [
        'ether type != ip accept',
        `ether daddr . ip daddr @${ASSIGNED} accept`,
        `ether daddr @${NO_CHECK} accept`,
        `${logged(CHECK)} counter drop comment "source/destination check: destination"`,
      ],
      'type filter hook postrouting priority 0; policy accept;',
    ),
  );
}

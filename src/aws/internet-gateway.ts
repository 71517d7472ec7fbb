/**
 * An internet gateway: the VPC's door to the internet, which knows one private address for each public one.
 *
 * Kernel: a netns between the VPC's router and the internet's, with iptables 1:1 NAT. An address without a mapping
 * passes in neither direction: not out (FORWARD drops it), not in (the internet has no route to it). Traffic to another
 * mapped address turns around here, with both addresses translated. It is no hop: the TTL stays as it is.
 *
 * AWS calls the translation stateless. Here it is conntrack's, and made so that nobody can tell: connections are picked
 * up in their middle, and the sender's errors (fragmentation needed) are translated too, which a stateless rule can't.
 *
 * @fidelity same - 1:1 NAT, no mapping no traffic, hairpin; MTU 1500 beyond
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html "IP addresses and NAT"
 */

import { because } from '../base/because.ts';
import type { SourceRef } from '../base/diagnostic.ts';
import { type Cidr, type Ipv4, ipv4 } from '../base/ip.ts';
import { linkName, macAddress, type NetnsName } from '../base/names.ts';
import { renderReference } from '../base/reference.ts';
import { Fragment } from '../kernel/fragment.ts';
import { hostNetns } from '../kernel/netns.ts';
import { MAIN_TABLE } from '../kernel/state.ts';
import { linkSysctl, routerSysctls, sysctl } from '../kernel/sysctl.ts';

export interface InternetGateway {
  readonly name: string;
  readonly netns: NetnsName;
  readonly vpc: string;
  readonly at: SourceRef;
}

/** A public address and the private one behind it, with the thing that has both. */
export interface AddressMapping {
  readonly public: Ipv4;
  readonly private: Ipv4;
  readonly thing: string;
}

/** Beyond an internet gateway. @see EC2 User Guide, network_mtu.html "Network MTU" */
export const INTERNET_MTU_BYTES = 1500;

/** Next hops on the two cables of the gateway. They exist as permanent neighbours only; no link bears them. */
const TRANSIT_VPC = ipv4('169.254.255.1');
export const TRANSIT_IGW = ipv4('169.254.255.2');
const TRANSIT_INTERNET = ipv4('169.254.255.3');

/** The link in the VPC's netns that leads to the gateway. */
export const UPLINK = 'igw';

/** The link in the internet router's netns that leads to this gateway. */
export function internetLink(gateway: InternetGateway): string {
  return linkName(gateway.netns);
}

export function planInternetGateway(
  gateway: InternetGateway,
  needs: {
    vpc: NetnsName;
    internet: NetnsName;
    cidrs: readonly Cidr[];
    mappings: readonly AddressMapping[];
  },
): Fragment {
  const { netns } = gateway;
  const why = because('internet-gateway', renderReference('igw', gateway.name), gateway.at);
  const inside = { here: macAddress(`${netns}/inside`), there: macAddress(`${netns}/uplink`) };
  const outside = { here: macAddress(`${netns}/outside`), there: macAddress(`${netns}/isp`) };
  const route = (destination: Cidr | 'default', via: Ipv4, link: string) =>
    ({
      kind: 'route',
      netns,
      table: MAIN_TABLE,
      type: 'unicast',
      destination,
      via,
      link,
      onlink: true,
    }) as const;
  const neighbour = (where: NetnsName, link: string, address: Ipv4, mac: string) =>
    ({ kind: 'neighbour', netns: where, link, address, mac }) as const;

  const fragment = new Fragment()
    .add(
      why,
      ...hostNetns(netns),
      {
        kind: 'veth',
        ends: [
          { netns: needs.vpc, link: UPLINK, mac: inside.there },
          { netns, link: 'vpc', mac: inside.here },
        ],
        mtuBytes: INTERNET_MTU_BYTES,
      },
      {
        kind: 'veth',
        ends: [
          { netns: needs.internet, link: internetLink(gateway), mac: outside.there },
          { netns, link: 'internet', mac: outside.here },
        ],
        mtuBytes: INTERNET_MTU_BYTES,
      },
      neighbour(needs.vpc, UPLINK, TRANSIT_IGW, inside.here),
      neighbour(netns, 'vpc', TRANSIT_VPC, inside.there),
      neighbour(netns, 'internet', TRANSIT_INTERNET, outside.there),
      neighbour(needs.internet, internetLink(gateway), TRANSIT_IGW, outside.here),
      linkSysctl(needs.vpc, UPLINK, 'rp_filter', 0),
      linkSysctl(needs.vpc, UPLINK, 'send_redirects', 0),
      linkSysctl(needs.internet, internetLink(gateway), 'rp_filter', 0),
      route('default', TRANSIT_INTERNET, 'internet'),
      ...needs.cidrs.map((block) => route(block, TRANSIT_VPC, 'vpc')),
      ...routerSysctls(netns, ['vpc', 'internet']),
      // As good as stateless: a connection is picked up wherever it is, and no sequence number is held against it.
      sysctl(netns, 'net/netfilter/nf_conntrack_tcp_loose', 1),
      sysctl(netns, 'net/netfilter/nf_conntrack_tcp_be_liberal', 1),
    )
    .add(why, {
      kind: 'iptables-chain',
      netns,
      table: 'mangle',
      chain: 'PREROUTING',
      policy: 'ACCEPT',
      rules: ['-j TTL --ttl-inc 1'],
    });

  const comment = ({ thing }: AddressMapping): string => `-m comment --comment "${thing}"`;
  const chain = (
    table: 'nat' | 'filter',
    name: string,
    policy: 'ACCEPT' | 'DROP',
    rules: string[],
  ) => ({ kind: 'iptables-chain', netns, table, chain: name, policy, rules }) as const;
  const { mappings } = needs;
  return fragment.add(
    why,
    chain(
      'nat',
      'PREROUTING',
      'ACCEPT',
      mappings.map(
        (one) => `-d ${one.public}/32 ${comment(one)} -j DNAT --to-destination ${one.private}`,
      ),
    ),
    chain(
      'nat',
      'POSTROUTING',
      'ACCEPT',
      mappings.map(
        (one) => `-s ${one.private}/32 ${comment(one)} -j SNAT --to-source ${one.public}`,
      ),
    ),
    chain('filter', 'FORWARD', 'DROP', [
      '-i internet -m conntrack --ctstate SNAT,DNAT -j ACCEPT',
      ...mappings.map((one) => `-s ${one.private}/32 -i vpc ${comment(one)} -j ACCEPT`),
      // An error for a translated connection (fragmentation needed) comes from whoever reports it.
      '-i vpc -m conntrack --ctstate RELATED -j ACCEPT',
    ]),
    chain('filter', 'INPUT', 'DROP', []),
  );
}

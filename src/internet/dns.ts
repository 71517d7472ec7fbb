/**
 * The internet's DNS: the public side of every name. An EC2 name leads to the public address here.
 *
 * Kernel: a dnsmasq in the `internet` router's netns. Hosts ask it at the router's address, their only neighbour; one
 * server stands for root, top-level domains and everybody's own.
 *
 * @fidelity invented - one name server stands for all
 * @see RFC 1034
 */

import { because } from '../base/because.ts';
import { Fragment } from '../kernel/fragment.ts';
import { type DnsRecord, type NameRecord, nameServer, resolvConf } from '../kernel/name-server.ts';
import { INTERNET_NETNS, type InternetHost, ROUTER_ADDRESS } from './host.ts';

export function namesOfHosts(hosts: readonly InternetHost[]): NameRecord[] {
  return hosts.map(({ name, address }) => ({ name, address }));
}

/** Without a host nobody is there to ask. */
export function planInternetDns(
  hosts: readonly InternetHost[],
  names: readonly DnsRecord[],
): Fragment {
  const fragment = new Fragment();
  if (hosts.length === 0) return fragment;
  fragment.add(because('internet-dns', 'internet'), ...nameServer(INTERNET_NETNS, names));
  for (const host of hosts) {
    const why = because('internet-dns', `internet/${host.name}`, host.at);
    fragment.add(why, resolvConf(host.netns, { servers: [ROUTER_ADDRESS] }));
  }
  return fragment;
}

/**
 * The sysctls that Hoplab writes, all of them per network namespace.
 *
 * A new namespace copies the IPv4 settings of the machine it is made on (net.core.devconf_inherit_init_net = 0), not
 * the kernel's defaults: on a Docker host every pod would forward, and rp_filter would be the distribution's. So every
 * one that matters is written, and nothing outside of this file is.
 */

import type { NetnsName } from '../base/names.ts';
import type { Sysctl } from './state.ts';

export function sysctl(netns: NetnsName, path: string, value: number | string): Sysctl {
  return { kind: 'sysctl', netns, path, value: String(value) };
}

export function linkSysctl(
  netns: NetnsName,
  link: string,
  key: string,
  value: number | string,
): Sysctl {
  return {
    kind: 'sysctl',
    netns,
    path: `net/ipv4/conf/${link}/${key}`,
    value: String(value),
    link,
  };
}

/** An ordinary host: IPv6 off (a clean capture teaches better), no forwarding, no reverse path filter of the machine's. */
export function hostSysctls(netns: NetnsName, links: readonly string[]): Sysctl[] {
  return [...commonSysctls(netns, links), sysctl(netns, 'net/ipv4/ip_forward', 0)];
}

function commonSysctls(netns: NetnsName, links: readonly string[]): Sysctl[] {
  return [
    ...links.map((link) => linkSysctl(netns, link, 'rp_filter', 0)),
    sysctl(netns, 'net/ipv6/conf/all/disable_ipv6', 1),
    sysctl(netns, 'net/ipv4/conf/all/rp_filter', 0),
    // A refusal is an ICMP error in many a case; the kernel's limit of one a second would turn refusals to time-outs.
    sysctl(netns, 'net/ipv4/icmp_ratelimit', 0),
  ];
}

/** A host that forwards, and never tells a sender of a better way. */
export function routerSysctls(netns: NetnsName, links: readonly string[]): Sysctl[] {
  return [
    ...commonSysctls(netns, links),
    sysctl(netns, 'net/ipv4/ip_forward', 1),
    sysctl(netns, 'net/ipv4/conf/all/send_redirects', 0),
    sysctl(netns, 'net/ipv4/conf/all/accept_redirects', 0),
    ...links.map((link) => linkSysctl(netns, link, 'send_redirects', 0)),
  ];
}

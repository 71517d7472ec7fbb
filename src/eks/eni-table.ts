/**
 * The routing table that an ENI has for itself on its node: what is looked up there leaves by that ENI, whose address it
 * bears. Secondary ENIs and branch ENIs each have one; the primary ENI's routes stand in main.
 *
 * @see amazon-vpc-cni-k8s@b5218838 pkg/networkutils/network.go setupENINetwork
 */

import type { NetworkInterface } from '../aws/network-interface.ts';
import { cidr } from '../base/ip.ts';
import type { KernelObject } from '../kernel/state.ts';
import { linkSysctl } from '../kernel/sysctl.ts';

/** systemd's default for every interface (sysctl.d/50-default.conf), and what the CNI's init container sets on eth0. */
export const LOOSE_RP_FILTER = 2;

/** The way to the router and by it, and that answers may come in by another ENI. */
export function eniTable({ netns, link, subnet }: NetworkInterface, table: number): KernelObject[] {
  const route = { kind: 'route', netns, table, type: 'unicast', link } as const;
  return [
    linkSysctl(netns, link, 'rp_filter', LOOSE_RP_FILTER),
    { ...route, destination: cidr(`${subnet.router}/32`), scopeLink: true },
    { ...route, destination: 'default', via: subnet.router },
  ];
}

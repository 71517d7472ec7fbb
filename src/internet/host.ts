/**
 * The internet: hosts with public addresses, and one router between them and the internet gateways.
 *
 * Kernel: netns `internet` is the router. It forwards nothing that comes from or goes to private space, so that the
 * need for NAT shows, and knows the public addresses alone. Each host is a netns named like the host, with an HTTP
 * server on its ports; it tells whoever asks which address it saw.
 *
 * @fidelity invented - one hop stands for the whole internet
 * @see RFC 5737 (documentation prefixes, the hosts'), RFC 1918, RFC 6598
 */

import * as z from 'zod';

import { because } from '../base/because.ts';
import { type Diagnostics, type SourceRef } from '../base/diagnostic.ts';
import {
  type Cidr,
  cidr,
  contains,
  type Ipv4,
  ipv4,
  NOT_ROUTED_ON_THE_INTERNET,
} from '../base/ip.ts';
import { linkName, macAddress, netnsName, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { hostNetns } from '../kernel/netns.ts';
import { MAIN_TABLE } from '../kernel/state.ts';
import { hostSysctls, linkSysctl, routerSysctls } from '../kernel/sysctl.ts';
import { ipv4Schema, portSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';

export const InternetHostSpec = z.strictObject({
  address: ipv4Schema.describe('A public address, like those of 198.51.100.0/24'),
  ports: z.array(portSchema).describe('TCP ports on which an HTTP server answers').default([80]),
});

export interface InternetHost {
  readonly name: string;
  readonly netns: NetnsName;
  readonly address: Ipv4;
  readonly ports: readonly number[];
  /** The EKS endpoint's: nobody declared it, and it serves its port itself. */
  readonly isSystem?: boolean;
  /** Whom it takes connections from; everybody, where nothing is said. */
  readonly allowedFrom?: readonly Cidr[];
  readonly at: SourceRef;
}

export const INTERNET_NETNS = netnsName('internet');

/** What the internet's Ethernet carries. */
const MTU_BYTES = 1500;

/** The router's address towards every host; carriers' space, so that it is nobody's own. */
export const ROUTER_ADDRESS = ipv4('100.64.0.1');

export function resolveInternetHost(
  name: string,
  spec: z.output<typeof InternetHostSpec>,
  where: Where,
  diagnostics: Diagnostics,
): InternetHost {
  const block = NOT_ROUTED_ON_THE_INTERNET.find((one) => contains(one, spec.address));
  if (block !== undefined) {
    diagnostics.error(
      'not-a-public-address',
      where.at('address'),
      `internet/${name} has ${spec.address}, which lies in ${block} and is not routed on the internet`,
      'take a public one, for example of the documentation blocks 198.51.100.0/24 or 192.0.2.0/24',
    );
  }
  return {
    name,
    netns: netnsName(name),
    address: spec.address,
    ports: spec.ports,
    at: where.keyAt(),
  };
}

/** The link in the router's netns that leads to a host. */
export function hostLink(host: InternetHost): string {
  return linkName(host.name);
}

export function planInternet(
  hosts: readonly InternetHost[],
  gateways: readonly { link: string; via: Ipv4; addresses: readonly Ipv4[]; thing: string }[],
): Fragment {
  const netns = INTERNET_NETNS;
  const why = because('internet', 'internet');
  const fragment = new Fragment().add(
    why,
    ...hostNetns(netns),
    ...routerSysctls(netns, []),
    // Nobody's address is nobody's: silence, as from most of the internet, and no error that a lab would have to explain.
    { kind: 'route', netns, table: MAIN_TABLE, type: 'blackhole', destination: 'default' },
    {
      kind: 'iptables-chain',
      netns,
      table: 'filter',
      chain: 'FORWARD',
      policy: 'ACCEPT',
      rules: NOT_ROUTED_ON_THE_INTERNET.flatMap((block) => [
        `-s ${block} -m comment --comment "private sources are not routed" -j DROP`,
        `-d ${block} -m comment --comment "private destinations are not routed" -j DROP`,
      ]),
    },
  );
  for (const gateway of gateways) {
    const gatewayWhy = because('internet', gateway.thing);
    for (const address of gateway.addresses) {
      fragment.add(gatewayWhy, {
        kind: 'route',
        netns,
        table: MAIN_TABLE,
        type: 'unicast',
        destination: cidr(`${address}/32`),
        via: gateway.via,
        link: gateway.link,
        onlink: true,
      });
    }
  }
  for (const host of hosts) fragment.addAll(planInternetHost(host));
  return fragment;
}

function planInternetHost(host: InternetHost): Fragment {
  const why = because('internet', `internet/${host.name}`, host.at);
  const link = hostLink(host);
  const mac = { router: macAddress(`${host.name}/router`), host: macAddress(`${host.name}/host`) };
  const { netns, address } = host;
  const route = { kind: 'route', table: MAIN_TABLE, type: 'unicast' } as const;
  return new Fragment().add(
    why,
    ...hostNetns(netns),
    ...hostSysctls(netns, ['eth0']),
    {
      kind: 'veth',
      ends: [
        { netns: INTERNET_NETNS, link, mac: mac.router },
        { netns, link: 'eth0', mac: mac.host },
      ],
      mtuBytes: MTU_BYTES,
    },
    linkSysctl(INTERNET_NETNS, link, 'rp_filter', 0),
    {
      kind: 'address',
      netns: INTERNET_NETNS,
      link,
      address: ROUTER_ADDRESS,
      prefixLength: 32,
      connectedRoute: true,
    },
    {
      ...route,
      netns: INTERNET_NETNS,
      destination: cidr(`${address}/32`),
      link,
      scopeLink: true,
    },
    { kind: 'neighbour', netns: INTERNET_NETNS, link, address, mac: mac.host },
    { kind: 'address', netns, link: 'eth0', address, prefixLength: 32, connectedRoute: true },
    { ...route, netns, destination: cidr(`${ROUTER_ADDRESS}/32`), link: 'eth0', scopeLink: true },
    { ...route, netns, destination: 'default', via: ROUTER_ADDRESS, link: 'eth0' },
    { kind: 'neighbour', netns, link: 'eth0', address: ROUTER_ADDRESS, mac: mac.router },
    ...(host.isSystem === true ? [] : host.ports).map(
      (port) =>
        ({
          kind: 'served-port',
          netns,
          protocol: 'tcp',
          port,
          http: true,
          identity: { internet: host.name, address },
          behaviour: {},
        }) as const,
    ),
  );
}

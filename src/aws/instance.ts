/**
 * An EC2 instance that is no worker node: a bastion, an appliance, a database's client.
 *
 * Kernel: a netns named like the instance, with its ENIs as eth0, eth1, …; an HTTP server answers on its ports. An
 * instance whose source/destination check is off forwards, as a NAT or firewall instance does.
 *
 * @fidelity same - primary and further ENIs, secondary addresses, source/destination check;
 *   simplified - the second card answers by a rule for its address, as amazon-ec2-net-utils sets it up
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html
 */

import * as z from 'zod';

import { because } from '../base/because.ts';
import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import { netnsName, type NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { hostNetns } from '../kernel/netns.ts';
import { hostSysctls, linkSysctl, routerSysctls } from '../kernel/sysctl.ts';
import { ipv4Schema, portSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import {
  linkAddress,
  networkInterface,
  type NetworkInterface,
  planPrimaryLink,
} from './network-interface.ts';
import {
  DEFAULT_SECURITY_GROUP,
  resolveGroupsOfEni,
  type SecurityGroup,
  securityGroupsSchema,
} from './security-group.ts';
import { type AddressBook, type AddressSources, findSubnet, type Subnet } from './subnet.ts';

const InterfaceSpec = z.strictObject({
  subnet: z.string().describe('The subnet that the network interface is in'),
  address: ipv4Schema
    .describe('The primary private address; without it one of the subnet’s')
    .optional(),
  elasticIp: ipv4Schema.describe('The public address').optional(),
  secondaryAddresses: z.array(ipv4Schema).describe('Further private addresses').default([]),
  sourceDestCheck: z
    .boolean()
    .describe('Off for what forwards for others: a firewall, a NAT instance')
    .default(true),
  securityGroups: securityGroupsSchema.default([DEFAULT_SECURITY_GROUP]),
});

export const InstanceSpec = InterfaceSpec.extend({
  interfaces: z
    .array(InterfaceSpec)
    .describe('Further ENIs, in the same zone: eth1, eth2, …')
    .default([]),
  ports: z.array(portSchema).describe('TCP ports on which an HTTP server answers').default([80]),
});

export interface Instance {
  readonly name: string;
  readonly netns: NetnsName;
  readonly interfaces: readonly [NetworkInterface, ...NetworkInterface[]];
  readonly ports: readonly number[];
  readonly at: SourceRef;
}

/** The addresses that the instance pins, before anybody is given one. */
export function pinInstance(
  vpc: { subnets: ReadonlyMap<string, Subnet> },
  name: string,
  spec: z.output<typeof InstanceSpec>,
  book: AddressBook,
  where: Where,
): void {
  [spec, ...spec.interfaces].forEach((one, device) => {
    const at = device === 0 ? where : where.in('interfaces', device - 1);
    const claimant = device === 0 ? `instance/${name}` : `instance/${name}:eth${device}`;
    const subnet = vpc.subnets.get(one.subnet);
    if (subnet === undefined) return;
    if (one.address !== undefined) book.pin(subnet, one.address, claimant, at.at('address'));
    one.secondaryAddresses.forEach((address, index) => {
      book.pin(subnet, address, claimant, at.at('secondaryAddresses', index));
    });
  });
}

export function resolveInstance(
  vpc: {
    name: string;
    subnets: ReadonlyMap<string, Subnet>;
    securityGroups: ReadonlyMap<string, SecurityGroup>;
  },
  name: string,
  spec: z.output<typeof InstanceSpec>,
  needs: AddressSources,
  where: Where,
  diagnostics: Diagnostics,
): Instance | undefined {
  const netns = netnsName(name);
  const thing = `instance/${name}`;
  const interfaces: NetworkInterface[] = [];
  [spec, ...spec.interfaces].forEach((one, device) => {
    const at = device === 0 ? where : where.in('interfaces', device - 1);
    const claimant = device === 0 ? thing : `${thing}:eth${device}`;
    const subnet = findSubnet(vpc, one.subnet, at.at('subnet'), diagnostics);
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
        securityGroups: resolveGroupsOfEni(
          vpc,
          one.securityGroups,
          at.in('securityGroups'),
          diagnostics,
        ),
        at: where.keyAt(),
      }),
    );
  });
  const [first, ...others] = interfaces;
  if (first === undefined) return undefined;
  return { name, netns, interfaces: [first, ...others], ports: spec.ports, at: where.keyAt() };
}

/** Of the card's own addresses. @see linux/Documentation/networking/ip-sysctl.rst arp_announce */
const BEST_LOCAL_ADDRESS = 2;

/** amazon-ec2-net-utils numbers the tables of further cards from here. */
const SECOND_CARD_TABLE = 10_000;

export function planInstance(instance: Instance): Fragment {
  const { netns, interfaces } = instance;
  const [primary, ...others] = interfaces;
  const why = because('instance', `instance/${instance.name}`, instance.at);
  const forwards = interfaces.some((eni) => !eni.sourceDestCheck);
  const links = interfaces.map((eni) => eni.link);
  const fragment = new Fragment()
    .add(
      why,
      ...hostNetns(netns),
      ...(forwards ? routerSysctls(netns, links) : hostSysctls(netns, links)),
      // With several cards Linux would ask with the address of the packet that waits, which may be another card's: the
      // platform answers no such ARP, and every packet to that neighbour would wait with this one, and be lost with it.
      ...(others.length === 0
        ? []
        : links.map((link) => linkSysctl(netns, link, 'arp_announce', BEST_LOCAL_ADDRESS))),
      ...instance.ports.map(
        (port) =>
          ({
            kind: 'served-port',
            netns,
            protocol: 'tcp',
            port,
            http: true,
            identity: { instance: instance.name, address: primary.addresses[0].address },
            behaviour: {},
          }) as const,
      ),
    )
    .addAll(planPrimaryLink(primary, why));
  others.forEach((eni, index) => {
    const table = SECOND_CARD_TABLE + index + 1;
    const { router } = eni.subnet;
    const { link } = eni;
    for (const { address } of eni.addresses) {
      fragment.add(why, linkAddress(eni, address, true), {
        kind: 'rule',
        netns,
        priority: table,
        from: address,
        table,
      });
    }
    fragment.add(why, {
      kind: 'route',
      netns,
      table,
      type: 'unicast',
      destination: 'default',
      via: router,
      link,
      onlink: true,
    });
  });
  return fragment;
}

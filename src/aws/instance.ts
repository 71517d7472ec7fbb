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
import type { SourceRef } from '../base/diagnostic.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { hostSysctls, routerSysctls } from '../kernel/sysctl.ts';
import { ipv4Schema, portSchema } from '../source/scalar.ts';
import { linkAddress, type NetworkInterface, planPrimaryLink } from './network-interface.ts';

export const InterfaceSpec = z.strictObject({
  subnet: z.string(),
  address: ipv4Schema.optional(),
  elasticIp: ipv4Schema.optional(),
  secondaryAddresses: z.array(ipv4Schema).default([]),
  sourceDestCheck: z.boolean().default(true),
});

export const InstanceSpec = InterfaceSpec.extend({
  /** Further ENIs, in the same zone: eth1, eth2, … */
  interfaces: z.array(InterfaceSpec).default([]),
  ports: z.array(portSchema).default([80]),
});

export interface Instance {
  readonly name: string;
  readonly netns: NetnsName;
  readonly interfaces: readonly [NetworkInterface, ...NetworkInterface[]];
  readonly ports: readonly number[];
  readonly at: SourceRef;
}

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
      { kind: 'netns', netns, defaultRules: true },
      ...(forwards ? routerSysctls(netns, links) : hostSysctls(netns, links)),
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

/** Fold 3: the cloud to the kernel state that stands for it. Every concept contributes; nothing is ordered here. */

import { planDropLog } from './aws/drop-log.ts';
import { internetLink, planInternetGateway, TRANSIT_IGW } from './aws/internet-gateway.ts';
import { planInstance } from './aws/instance.ts';
import { planNatGateway } from './aws/nat-gateway.ts';
import { namesOutside, planResolver } from './aws/route53-resolver.ts';
import { planVpc } from './aws/vpc.ts';
import type { Diagnostics } from './base/diagnostic.ts';
import { renderReference } from './base/reference.ts';
import { addressMappings, type Cloud, vpcOfThing } from './cloud.ts';
import { planNode } from './eks/node.ts';
import { namesOfHosts, planInternetDns } from './internet/dns.ts';
import { INTERNET_NETNS, planInternet } from './internet/host.ts';
import { Fragment, mergeFragments } from './kernel/fragment.ts';
import type { Programs } from './kernel/server.ts';
import type { KernelState } from './kernel/state.ts';

export function planCloud(cloud: Cloud, programs: Programs, diagnostics: Diagnostics): KernelState {
  const fragment = new Fragment();
  const gateways = [];
  for (const vpc of cloud.vpcs.values()) {
    fragment.addAll(planVpc(vpc));
    const igw = vpc.internetGateway;
    if (igw !== undefined) {
      const mappings = addressMappings(vpc);
      const { cidrs, netns } = vpc;
      fragment.addAll(
        planInternetGateway(igw, { vpc: netns, internet: INTERNET_NETNS, cidrs, mappings }),
      );
      gateways.push({
        link: internetLink(igw),
        via: TRANSIT_IGW,
        addresses: mappings.map((mapping) => mapping.public),
        thing: renderReference('igw', igw.name),
      });
    }
    for (const nat of vpc.natGateways.values()) fragment.addAll(planNatGateway(nat));
    for (const instance of vpc.instances.values()) fragment.addAll(planInstance(instance));
  }
  if (cloud.cluster !== undefined) {
    const { vpc, settings, excludedCidrs: excluded, nodes } = cloud.cluster;
    const vpcCidrs = cloud.vpcs.get(vpc)?.cidrs ?? [];
    for (const node of nodes.values()) {
      fragment.addAll(planNode(node, { vpcCidrs, excluded, settings }));
    }
  }
  const hostNames = namesOfHosts(cloud.internetHosts);
  for (const vpc of cloud.vpcs.values()) {
    const others = [...cloud.vpcs.values()].filter((one) => one !== vpc);
    const clients = [...cloud.things.values()].filter((thing) => vpcOfThing(cloud, thing) === vpc);
    fragment.addAll(
      planResolver(vpc, {
        clients: clients.map((thing) => thing.netns),
        elsewhere: [...others.flatMap(namesOutside), ...hostNames],
      }),
    );
  }
  const names = [...[...cloud.vpcs.values()].flatMap(namesOutside), ...hostNames];
  fragment.addAll(planInternetDns(cloud.internetHosts, names));
  if (gateways.length > 0 || cloud.internetHosts.length > 0) {
    fragment.addAll(planInternet(cloud.internetHosts, gateways));
  }
  const vpcs = [...cloud.vpcs.values()].map((vpc) => vpc.netns);
  fragment.addAll(planDropLog(vpcs, programs));
  return mergeFragments(fragment, programs, diagnostics);
}

/** Fold 3: the cloud to the kernel state that stands for it. Every concept contributes; nothing is ordered here. */

import { planLoadBalancers } from './aws/alb-haproxy.ts';
import { loadBalancerRecords, planLoadBalancerNodes } from './aws/application-load-balancer.ts';
import { databaseRecords, planDbInstance } from './aws/db-instance.ts';
import { isHidden, privateDomains, zoneAnswers } from './aws/dns-view.ts';
import { planDropLog } from './aws/drop-log.ts';
import { internetLink, planInternetGateway, TRANSIT_IGW } from './aws/internet-gateway.ts';
import { planInstance } from './aws/instance.ts';
import { planNatGateway } from './aws/nat-gateway.ts';
import { nlbRecords, planNetworkLoadBalancer } from './aws/network-load-balancer.ts';
import { type AnswersOf, planNlbHealth } from './aws/nlb-health.ts';
import { planReturn } from './aws/nlb-return.ts';
import {
  namesOutside,
  planResolver,
  PRIVATE_DOMAIN,
  resolverAddresses,
} from './aws/route53-resolver.ts';
import { planVpc } from './aws/vpc.ts';
import { because } from './base/because.ts';
import type { Diagnostics } from './base/diagnostic.ts';
import { renderReference } from './base/reference.ts';
import {
  addressMappings,
  aliasTargets,
  type Cloud,
  type Cluster,
  databasesOf,
  vpcOfThing,
} from './cloud.ts';
import { CERTIFICATE_AUTHORITY, endpointNames, planControlPlane } from './eks/control-plane.ts';
import { isKubeDns } from './eks/coredns.ts';
import { planNetworkPolicies, policiesOn } from './eks/network-policy-agent.ts';
import { planNode } from './eks/node.ts';
import { planNodeServices } from './eks/node-services.ts';
import { namesOfHosts, planInternetDns } from './internet/dns.ts';
import { INTERNET_NETNS, planInternet } from './internet/host.ts';
import { planClusterDns } from './k8s/cluster-dns.ts';
import { Fragment, mergeFragments } from './kernel/fragment.ts';
import type { Programs } from './kernel/server.ts';
import type { KernelState } from './kernel/state.ts';

export function planCloud(cloud: Cloud, programs: Programs, diagnostics: Diagnostics): KernelState {
  const fragment = new Fragment();
  const gateways = [];
  for (const vpc of cloud.vpcs.values()) {
    fragment.addAll(planVpc(vpc));
    const why = because('vpc', `vpc/${vpc.name}`, vpc.at);
    fragment.addAll(planReturn(vpc.netns, vpc.interfaces, why));
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
    for (const database of vpc.databases.values()) {
      fragment.addAll(planDbInstance(database, programs.postgres));
    }
  }
  if (cloud.cluster !== undefined) {
    fragment.addAll(planCluster(cloud, cloud.cluster, programs));
  }
  const plane = cloud.cluster?.controlPlane;
  const endpoint = plane === undefined ? undefined : endpointNames(plane);
  const declared = cloud.internetHosts.filter((host) => host.isSystem !== true);
  for (const balancer of cloud.loadBalancers) {
    fragment.addAll(planLoadBalancerNodes(balancer));
    if (balancer.certificate === undefined) continue;
    const why = because('load-balancer-controller', `alb/${balancer.name}`, balancer.at);
    fragment.add(why, {
      ...balancer.certificate,
      kind: 'certificate',
      authority: CERTIFICATE_AUTHORITY,
    });
  }
  fragment.addAll(planLoadBalancers(cloud.loadBalancers));
  for (const balancer of cloud.networkLoadBalancers) {
    fragment.addAll(planNetworkLoadBalancer(balancer));
  }
  const hostNames = [
    ...namesOfHosts(declared),
    ...cloud.loadBalancers.flatMap(loadBalancerRecords),
    ...cloud.networkLoadBalancers.flatMap(nlbRecords),
  ];
  const { hostedZones } = cloud;
  const targets = aliasTargets(cloud);
  const answers: AnswersOf[] = [];
  for (const vpc of cloud.vpcs.values()) {
    const others = [...cloud.vpcs.values()].filter((one) => one !== vpc);
    // A pod's own are the kubelet's business.
    const clients = [...cloud.things.values()].filter(
      (thing) => thing.kind !== 'pod' && vpcOfThing(cloud, thing) === vpc,
    );
    const isCluster = cloud.cluster?.vpc === vpc.name;
    const ofEndpoint = isCluster ? endpoint?.inside : endpoint?.outside;
    const ofDatabases = databasesOf(cloud).flatMap((database) =>
      databaseRecords(
        database,
        vpc.databases.get(database.name) === database ? 'inside' : 'outside',
      ),
    );
    const elsewhere = [
      ...[...others.flatMap(namesOutside), ...hostNames].filter(
        ({ name }) => !isHidden(name, hostedZones, vpc),
      ),
      ...(ofEndpoint ?? []),
      ...ofDatabases,
      ...zoneAnswers(hostedZones, targets, vpc),
    ];
    if (vpc.enableDnsSupport) answers.push({ server: vpc.netns, records: elsewhere });
    fragment.addAll(
      planResolver(vpc, {
        clients: clients.map((thing) => thing.netns),
        elsewhere,
        privateDomains: privateDomains(hostedZones, vpc),
      }),
    );
  }
  const names = [
    ...[...cloud.vpcs.values()].flatMap(namesOutside),
    ...hostNames,
    ...(endpoint?.outside ?? []),
    ...zoneAnswers(hostedZones, targets, undefined),
    ...databasesOf(cloud).flatMap((database) => databaseRecords(database, 'outside')),
  ];
  fragment.addAll(planInternetDns(cloud.internetHosts, names));
  if (cloud.internetHosts.length > 0) answers.push({ server: INTERNET_NETNS, records: names });
  fragment.addAll(planNlbHealth(cloud.networkLoadBalancers, answers, programs));
  if (gateways.length > 0 || cloud.internetHosts.length > 0) {
    fragment.addAll(planInternet(cloud.internetHosts, gateways));
  }
  const guarded = [...(cloud.cluster?.nodes.values() ?? [])].filter(
    (node) => policiesOn(node, cloud.cluster?.networkPolicies ?? []).length > 0,
  );
  const places = [...cloud.vpcs.values(), ...guarded].map(({ netns }) => netns);
  fragment.addAll(planDropLog(places, programs));
  return mergeFragments(fragment, programs, diagnostics);
}

function planCluster(cloud: Cloud, cluster: Cluster, programs: Programs): Fragment {
  const { settings, excludedCidrs: excluded, nodes, services, addons, version } = cluster;
  const vpc = cloud.vpcs.get(cluster.vpc);
  if (vpc === undefined) throw new Error(`the VPC ${cluster.vpc} of the cluster is not there`);
  const [server] = resolverAddresses(vpc);
  const fragment = planControlPlane(cluster.controlPlane, version);
  const dns = services.find(isKubeDns);
  const clusterDns = dns?.clusterIp === 'None' ? undefined : dns?.clusterIp;
  for (const node of nodes.values()) {
    fragment.addAll(
      planNode(node, {
        vpcCidrs: vpc.cidrs,
        excluded,
        settings,
        services: addons['kube-proxy'] ? services : undefined,
        clusterDns,
        nodeDns: { server, search: [PRIVATE_DOMAIN] },
      }),
    );
  }
  for (const node of nodes.values()) {
    const why = because('node-services', `node/${node.name}`, node.at);
    const all = [...nodes.values()];
    fragment.addAll(planNodeServices(node.netns, all, addons['kube-proxy'], why));
    fragment.addAll(planNetworkPolicies(node, cluster.networkPolicies, cloud.pods));
  }
  const replicas = cloud.pods.flatMap(({ spec, netns }) =>
    spec.runsCoreDns ? [{ netns, upstream: server }] : [],
  );
  return fragment.addAll(
    planClusterDns(replicas, services, [...cluster.namespaces.keys()], programs.clusterDns),
  );
}

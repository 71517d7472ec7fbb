/** What a name leads to for the programs of a thing: their own resolver's search, the cluster's DNS, the VPC's, the internet's. */

import { loadBalancerRecords } from '../aws/application-load-balancer.ts';
import { databaseRecords } from '../aws/db-instance.ts';
import { lookUpInZones } from '../aws/dns-view.ts';
import { nlbRecords } from '../aws/network-load-balancer.ts';
import { lookUpEc2Name } from '../aws/route53-resolver.ts';
import type { Ipv4 } from '../base/ip.ts';
import { aliasTargets, type Cloud, databasesOf, type Thing, vpcOfThing } from '../cloud.ts';
import { endpointNames } from '../eks/control-plane.ts';
import { lookUpClusterName } from '../k8s/cluster-dns.ts';
import { answeringNodes } from '../judge/answering-nodes.ts';
import { nameServerOf } from '../judge/name-server.ts';

/** Every address that the name leads to; none where nobody knows it. */
export function resolveName(cloud: Cloud, from: Thing | undefined, name: string): readonly Ipv4[] {
  const server = from === undefined ? undefined : nameServerOf(cloud, from);
  if (server?.kind !== 'cluster') return resolvePublicName(cloud, from, name);
  const found = lookUpClusterName(name, server.namespace, cloud.cluster?.services ?? []);
  if (found === undefined) return resolvePublicName(cloud, from, name);
  return 'addresses' in found ? found.addresses : resolveName(cloud, from, found.externalName);
}

/** How many CNAMEs are followed: dnsmasq stops at a loop, and so does this. */
const MOST_CNAMES = 16;

function resolvePublicName(
  cloud: Cloud,
  from: Thing | undefined,
  name: string,
  cnames = 0,
): readonly Ipv4[] {
  const word = name.replace(/\.$/, '').toLowerCase();
  const vpc = from && vpcOfThing(cloud, from);
  const plane = cloud.cluster?.controlPlane;
  if (plane?.endpoint.toLowerCase() === word) {
    const { inside, outside } = endpointNames(plane);
    const records = vpc !== undefined && vpc.name === cloud.cluster?.vpc ? inside : outside;
    return records.map(({ address }) => address);
  }
  const answering = new Set(
    cloud.networkLoadBalancers.flatMap((balancer) => [...answeringNodes(cloud, balancer)]),
  );
  const targets = aliasTargets(cloud).map((target) => ({
    ...target,
    addresses: target.addresses.filter((_, index) => {
      const node = target.nodes?.[index];
      return node === undefined || answering.has(node);
    }),
  }));
  const own = lookUpEc2Name(word, vpc, []);
  if (own !== undefined) return [own];
  const inZones = lookUpInZones(word, cloud.hostedZones, targets, vpc);
  if (inZones !== undefined) {
    if ('addresses' in inZones) return inZones.addresses;
    return cnames < MOST_CNAMES ? resolvePublicName(cloud, from, inZones.cname, cnames + 1) : [];
  }
  const records = [
    ...cloud.loadBalancers.flatMap(loadBalancerRecords),
    ...cloud.networkLoadBalancers
      .flatMap(nlbRecords)
      .filter(({ node }) => node === undefined || answering.has(node)),
  ];
  const ofBalancer = records.filter((record) => record.name === word);
  if (ofBalancer.length > 0) return ofBalancer.map((record) => record.address);
  for (const database of databasesOf(cloud)) {
    const isInside = vpc?.databases.get(database.name) === database;
    const known = databaseRecords(database, isInside ? 'inside' : 'outside');
    const found = known.find(({ name: own, alias }) => own === word || alias?.name === word);
    if (found !== undefined) return [found.address];
  }
  const address =
    cloud.internetHosts.find((host) => host.name.toLowerCase() === word)?.address ??
    lookUpEc2Name(word, vpc, [...cloud.vpcs.values()]);
  return address === undefined ? [] : [address];
}

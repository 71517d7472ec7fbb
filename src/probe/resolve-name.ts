/** What a name leads to for the programs of a thing: their own resolver's search, the cluster's DNS, the VPC's, the internet's. */

import { loadBalancerRecords } from '../aws/application-load-balancer.ts';
import { databaseRecords } from '../aws/db-instance.ts';
import { lookUpEc2Name } from '../aws/route53-resolver.ts';
import type { Ipv4 } from '../base/ip.ts';
import { type Cloud, databasesOf, type Thing, vpcOfThing } from '../cloud.ts';
import { endpointNames } from '../eks/control-plane.ts';
import { lookUpClusterName } from '../k8s/cluster-dns.ts';
import { nameServerOf } from '../judge/name-server.ts';

/** Every address that the name leads to; none where nobody knows it. */
export function resolveName(cloud: Cloud, from: Thing | undefined, name: string): readonly Ipv4[] {
  const server = from === undefined ? undefined : nameServerOf(cloud, from);
  if (server?.kind !== 'cluster') return resolvePublicName(cloud, from, name);
  const found = lookUpClusterName(name, server.namespace, cloud.cluster?.services ?? []);
  if (found === undefined) return resolvePublicName(cloud, from, name);
  return 'addresses' in found ? found.addresses : resolveName(cloud, from, found.externalName);
}

function resolvePublicName(cloud: Cloud, from: Thing | undefined, name: string): readonly Ipv4[] {
  const word = name.replace(/\.$/, '').toLowerCase();
  const vpc = from && vpcOfThing(cloud, from);
  const plane = cloud.cluster?.controlPlane;
  if (plane?.endpoint.toLowerCase() === word) {
    const { inside, outside } = endpointNames(plane);
    const records = vpc !== undefined && vpc.name === cloud.cluster?.vpc ? inside : outside;
    return records.map(({ address }) => address);
  }
  const records = cloud.loadBalancers.flatMap(loadBalancerRecords);
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

/** Whom the programs of a thing ask for names: what stands in their /etc/resolv.conf, in the model's words. */

import { resolverAddresses } from '../aws/route53-resolver.ts';
import type { Ipv4 } from '../base/ip.ts';
import { type Cloud, type Thing, vpcOfThing } from '../cloud.ts';
import { isKubeDns } from '../eks/coredns.ts';
import { ROUTER_ADDRESS } from '../internet/host.ts';
import type { Service } from '../k8s/cluster-services.ts';
import { reference } from './places.ts';

export interface NameServer {
  readonly kind: 'cluster' | 'vpc' | 'internet' | 'other';
  readonly address: Ipv4;
  /** In which the cluster's DNS is searched first. */
  readonly namespace: string | undefined;
}

/** Undefined for what asks nobody. */
export function nameServerOf(cloud: Cloud, from: Thing): NameServer | undefined {
  const pod = cloud.pods.find((one) => one.eni !== undefined && reference(one) === from.reference);
  const dns = kubeDns(cloud);
  if (pod !== undefined && dns?.clusterIp !== undefined && dns.clusterIp !== 'None') {
    const { dnsPolicy, namespace } = pod.spec;
    if (dnsPolicy === 'ClusterFirst' || dnsPolicy === 'ClusterFirstWithHostNet') {
      return { kind: 'cluster', address: dns.clusterIp, namespace };
    }
  }
  const [declared] = pod?.spec.dnsPolicy === 'None' ? pod.spec.dnsConfig.nameservers : [];
  if (declared !== undefined) {
    const isCluster = declared === dns?.clusterIp;
    return { kind: isCluster ? 'cluster' : 'other', address: declared, namespace: undefined };
  }
  const vpc = vpcOfThing(cloud, from);
  if (vpc !== undefined) {
    return { kind: 'vpc', address: resolverAddresses(vpc)[0], namespace: undefined };
  }
  return from.kind === 'internet'
    ? { kind: 'internet', address: ROUTER_ADDRESS, namespace: undefined }
    : undefined;
}

function kubeDns(cloud: Cloud): Service | undefined {
  return cloud.cluster?.services.find(isKubeDns);
}

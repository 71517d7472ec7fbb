/** Who is who: the things of a Cloud as places that packets come from and go to. */

import { renderReference } from '../base/reference.ts';
import type { InternetGateway } from '../aws/internet-gateway.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import { resolverAddresses } from '../aws/route53-resolver.ts';
import type { Vpc } from '../aws/vpc.ts';
import type { Cidr, Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { type Cloud, findDatabase, type Thing } from '../cloud.ts';
import type { Node } from '../eks/node.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import type { InternetHost } from '../internet/host.ts';
import { podReference } from '../k8s/pod.ts';
import type { Place } from './traveller.ts';

/** The place that a thing sends from. */
export function placeOf(cloud: Cloud, thing: Thing): Place {
  switch (thing.kind) {
    case 'pod': {
      const pod = cloud.pods.find((one) => reference(one) === thing.reference);
      const node = nodeOf(cloud, known(pod, thing.reference));
      return pod?.eni === undefined ? nodePlace(node) : podPlace(pod, node);
    }
    case 'node':
    case 'instance':
    case 'nat':
    case 'eks':
    case 'alb':
    case 'nlb':
    case 'rds':
      return ownerOf(cloud, thing.netns);
    case 'internet':
      return hostPlace(
        known(
          cloud.internetHosts.find(({ netns }) => netns === thing.netns),
          thing.reference,
        ),
      );
    case 'igw':
    case 'vpc':
      throw new Error(`${thing.reference} sends nothing`);
  }
}

/** The place that has an ENI in its namespace. */
export function ownerOf(cloud: Cloud, netns: NetnsName): Place {
  for (const node of cloud.cluster?.nodes.values() ?? []) {
    if (node.netns === netns) return nodePlace(node);
  }
  for (const instance of cloud.cluster?.controlPlane.servers ?? []) {
    if (instance.netns !== netns) continue;
    return { kind: 'instance', reference: renderReference('eks', instance.name), instance };
  }
  for (const balancer of cloud.loadBalancers) {
    for (const node of balancer.nodes) {
      if (node.netns === netns) return { kind: 'alb', reference: node.eni.thing, balancer, node };
    }
  }
  for (const balancer of cloud.networkLoadBalancers) {
    for (const node of balancer.nodes) {
      if (node.netns === netns) return { kind: 'nlb', reference: node.eni.thing, balancer, node };
    }
  }
  const found = findDatabase(cloud, netns);
  if (found !== undefined) return { kind: 'rds', reference: found.server.eni.thing, ...found };
  for (const vpc of cloud.vpcs.values()) {
    for (const instance of vpc.instances.values()) {
      if (instance.netns !== netns) continue;
      return { kind: 'instance', reference: renderReference('instance', instance.name), instance };
    }
    for (const gateway of vpc.natGateways.values()) {
      if (gateway.netns !== netns) continue;
      return { kind: 'nat', reference: renderReference('nat', gateway.name), gateway };
    }
  }
  throw new Error(`no thing has the network namespace ${netns}`);
}

export function podPlace(pod: Pod, node: Node): Place {
  return { kind: 'pod', reference: reference(pod), pod, node };
}

export function nodePlace(node: Node): Place {
  return { kind: 'node', reference: renderReference('node', node.name), node };
}

export function resolverPlace(vpc: Vpc): Place {
  return { kind: 'resolver', reference: renderReference('vpc', vpc.name), vpc };
}

export function hostPlace(host: InternetHost): Place {
  return { kind: 'host', reference: renderReference('internet', host.name), host };
}

export function gatewayReference(gateway: InternetGateway): string {
  return renderReference('igw', gateway.name);
}

/** The pod of its own address, if it runs on this node. */
export function podAt(node: Node, address: Ipv4): Pod | undefined {
  return node.pods.find((pod) => pod.eni !== undefined && pod.address === address);
}

/** Of a node: the primary address of each of its ENIs; the others are its pods'. */
export function isOwn(place: Place, address: Ipv4): boolean {
  switch (place.kind) {
    case 'pod':
      return place.pod.address === address;
    case 'node':
      return place.node.interfaces.some((eni) => eni.addresses[0].address === address);
    case 'instance':
      return place.instance.interfaces.some((eni) => hasAddress(eni, address));
    case 'alb':
    case 'nlb':
      return hasAddress(place.node.eni, address);
    case 'rds':
      return hasAddress(place.server.eni, address);
    case 'nat':
      return hasAddress(place.gateway.eni, address);
    case 'resolver':
      return resolverAddresses(place.vpc).includes(address);
    case 'host':
      return place.host.address === address;
  }
}

export function hasAddress(eni: NetworkInterface, address: Ipv4): boolean {
  return eni.addresses.some((one) => one.address === address);
}

export function vpcOf(cloud: Cloud, eni: NetworkInterface): Vpc {
  return known(cloud.vpcs.get(eni.subnet.vpc), `VPC ${eni.subnet.vpc}`);
}

export function clusterCidrs(cloud: Cloud): readonly Cidr[] {
  return cloud.vpcs.get(cloud.cluster?.vpc ?? '')?.cidrs ?? [];
}

export function reference(pod: Pod): string {
  return podReference(pod.spec.namespace, pod.spec.name);
}

export function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is not in the cloud`);
  return value;
}

function nodeOf(cloud: Cloud, pod: Pod): Node {
  return known(cloud.cluster?.nodes.get(pod.node), `node ${pod.node}`);
}

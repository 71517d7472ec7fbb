/**
 * A worker node: an EC2 instance that runs pods, with the VPC CNI's links, rules and tables.
 *
 * Kernel: a netns named like the node. eth0 is its primary ENI; eth1, eth2, … are attached as pods need addresses. A
 * pod's address is a secondary address of one of these ENIs.
 *
 * @fidelity same - ENIs and addresses by instance type; simplified - no warm pool: a node has the ENIs its pods need,
 *   and those that the lab names
 * @see amazon-vpc-cni-k8s@b5218838 pkg/ipamd/ipamd.go
 */

import * as z from 'zod';

import { because } from '../base/because.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import type { Cidr, Ipv4 } from '../base/ip.ts';
import { netnsName, type NetnsName } from '../base/names.ts';
import {
  type AssignedAddress,
  networkInterface,
  type NetworkInterface,
  planPrimaryLink,
} from '../aws/network-interface.ts';
import { resolveGroupsOfEni, securityGroupsSchema } from '../aws/security-group.ts';
import { type AddressBook, type AddressSources, findSubnet, type Subnet } from '../aws/subnet.ts';
import type { VpcGround } from '../aws/vpc.ts';
import { podResolvConf } from '../k8s/cluster-dns.ts';
import type { Service } from '../k8s/cluster-services.ts';
import { planKubeProxy } from '../k8s/kube-proxy.ts';
import { type PodSpec, podNetns, podReference } from '../k8s/pod.ts';
import type { Placement } from '../k8s/scheduler.ts';
import { Fragment } from '../kernel/fragment.ts';
import { hostNetns } from '../kernel/netns.ts';
import { linkSysctl, routerSysctls, sysctl } from '../kernel/sysctl.ts';
import { ipv4Schema, named } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import { CLUSTER_SECURITY_GROUP } from './cluster-security-group.ts';
import { LOOSE_RP_FILTER } from './eni-table.ts';
import { type InstanceType, instanceType, instanceTypes } from './instance-type.ts';
import { type BranchEni, branchLink, LOCAL_RULE_PRIORITY } from './pod-eni.ts';
import { planSnat } from './snat.ts';
import {
  type CniSettings,
  planPodNetwork,
  planSecondaryEni,
  type Pod,
  podHostVeth,
} from './vpc-cni.ts';

export const NodeSpec = z.strictObject({
  subnet: z.string().describe('The subnet that all of its ENIs are in'),
  instanceType: z
    .string()
    .describe('Says how many ENIs and addresses it may have')
    .default('m5.large'),
  address: ipv4Schema
    .describe('The primary private address; without it one of the subnet’s')
    .optional(),
  elasticIp: ipv4Schema.describe('The public address').optional(),
  securityGroups: securityGroupsSchema
    .describe("The security groups of all its ENIs; without this key the cluster's own")
    .default([CLUSTER_SECURITY_GROUP]),
  labels: z
    .record(z.string(), z.string())
    .describe('Labels beside those that every node has')
    .default({}),
  interfaces: named(
    z.strictObject({ address: ipv4Schema.describe('Its primary private address').optional() }),
  ).describe('Secondary ENIs that the lab wants to number: eth1, eth2, …'),
});

export const PinSpec = z.strictObject({
  node: z.string().describe('The node that it runs on').optional(),
  address: ipv4Schema.describe("The pod's address, of its node's subnet").optional(),
  eni: z
    .string()
    .regex(/^eth\d+$/, 'name a network interface of the node, like eth0 or eth1')
    .describe('The ENI of its node that bears the address: eth0, eth1, …')
    .optional(),
});

export type PinSpec = z.output<typeof PinSpec>;

/** A node before its pods are placed. */
export interface NodeGround {
  readonly name: string;
  readonly subnet: Subnet;
  readonly instanceType: InstanceType;
  readonly maxEnis: number;
  /** Its second ENI is a trunk, for pods with ENIs of their own. */
  readonly hasTrunk: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly securityGroups: readonly string[];
  readonly spec: z.output<typeof NodeSpec>;
  readonly where: Where;
}

export interface Node {
  readonly name: string;
  readonly netns: NetnsName;
  readonly instanceType: string;
  /** By device number: eth0 first. */
  readonly interfaces: readonly [NetworkInterface, ...NetworkInterface[]];
  readonly hasTrunk: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly pods: readonly Pod[];
  readonly at: SourceRef;
}

export function resolveNodeGround(
  ground: VpcGround,
  name: string,
  spec: z.output<typeof NodeSpec>,
  settings: CniSettings,
  where: Where,
  diagnostics: Diagnostics,
): NodeGround | undefined {
  const subnet = findSubnet(ground, spec.subnet, where.at('subnet'), diagnostics);
  const type = instanceType(spec.instanceType);
  if (type === undefined) {
    diagnostics.error(
      'unknown-instance-type',
      where.at('instanceType'),
      `node "${name}": the ENI limits of "${spec.instanceType}" are not known`,
      knownTypes(spec.instanceType),
    );
  }
  if (subnet === undefined || type === undefined) return undefined;
  const maxEnis = Math.min(type.maxEnis, settings.MAX_ENI ?? type.maxEnis);
  for (const link of Object.keys(spec.interfaces)) {
    if (secondaryDevice(link) < maxEnis) continue;
    diagnostics.error(
      'eni-limit',
      where.keyAt('interfaces', link),
      `node "${name}": "${link}" is no secondary ENI of a ${type.name}, which takes ${maxEnis} ENIs`,
      maxEnis > 1 ? `take ${range(1, maxEnis)}` : 'take a larger instance type',
    );
  }
  return {
    name,
    subnet,
    instanceType: type,
    maxEnis,
    hasTrunk: settings.ENABLE_POD_ENI && type.branchEnis > 0 && maxEnis > 1,
    // What the cloud provider's node controller and kubelet put on every node.
    labels: {
      'kubernetes.io/hostname': name,
      'kubernetes.io/os': 'linux',
      'topology.kubernetes.io/zone': subnet.az,
      'node.kubernetes.io/instance-type': type.name,
      ...spec.labels,
    },
    securityGroups: resolveGroupsOfEni(
      ground,
      spec.securityGroups,
      where.in('securityGroups'),
      diagnostics,
    ),
    spec,
    where,
  };
}

/** A size of the same family, or the families. */
function knownTypes(type: string): string {
  const family = (name: string): string => name.split('.')[0] ?? '';
  const sizes = instanceTypes().filter((name) => family(name) === family(type));
  if (sizes.length > 0) return suggest(type, sizes) ?? `known here: ${sizes.join(', ')}`;
  return `the families known here: ${[...new Set(instanceTypes().map(family))].join(', ')}`;
}

/** 1 for `eth1`, and NaN for what names no secondary ENI. */
function secondaryDevice(link: string): number {
  return Number(/^eth([1-9]\d*)$/.exec(link)?.[1] ?? Number.NaN);
}

/** `eth0 to eth2`, or the one there is. */
function range(first: number, count: number): string {
  return first === count - 1 ? `eth${first}` : `eth${first} to eth${count - 1}`;
}

export function podCapacity({ maxEnis, hasTrunk, instanceType: type }: NodeGround): number {
  return (hasTrunk ? maxEnis - 1 : maxEnis) * (type.ipv4PerEni - 1);
}

/** What the node and its pods pin, before anybody is given an address. */
export function pinNodeAddresses(
  node: NodeGround,
  placements: readonly Placement[],
  pins: ReadonlyMap<string, { spec: PinSpec; where: Where }>,
  book: AddressBook,
): void {
  const { spec, subnet, where } = node;
  if (spec.address !== undefined) {
    book.pin(subnet, spec.address, `node/${node.name}`, where.at('address'));
  }
  for (const [link, { address }] of Object.entries(spec.interfaces)) {
    if (address === undefined) continue;
    const at = where.at('interfaces', link, 'address');
    book.pin(subnet, address, `node/${node.name}:${link}`, at);
  }
  for (const { pod } of placements) {
    const reference = podReference(pod.namespace, pod.name);
    const pin = pins.get(reference);
    if (pin?.spec.address === undefined || pod.hostNetwork) continue;
    book.pin(subnet, pin.spec.address, reference, pin.where.at('address'));
  }
}

export function resolveNode(
  node: NodeGround,
  placements: readonly Placement[],
  needs: AddressSources & {
    pins: ReadonlyMap<string, { spec: PinSpec; where: Where }>;
    settings: CniSettings;
    /** The security groups of pods with ENIs of their own, by reference. */
    podGroups: ReadonlyMap<string, readonly string[]>;
  },
  diagnostics: Diagnostics,
): Node | undefined {
  const { name, subnet, spec, where } = node;
  const { book, pins, settings, podGroups } = needs;
  const netns = netnsName(name);
  const thing = `node/${name}`;

  const groupsOf = (pod: PodSpec): readonly string[] | undefined =>
    podGroups.get(podReference(pod.namespace, pod.name));
  const own = placements.flatMap(({ pod }) => {
    const groups = groupsOf(pod);
    return groups === undefined ? [] : [{ pod, groups }];
  });
  checkBranches(node, own, diagnostics);
  const shared = placements.filter(({ pod }) => groupsOf(pod) === undefined);
  const devices = assignDevices(node, shared, pins, diagnostics);
  const highest = Math.max(
    node.hasTrunk ? TRUNK_DEVICE : 0,
    ...devices.values(),
    // What is no secondary ENI was reported, and counts no further.
    ...Object.keys(spec.interfaces)
      .map(secondaryDevice)
      .filter((device) => device < node.maxEnis),
  );
  const podAddress = new Map<PodSpec, Ipv4>();
  const addressOf = (pod: PodSpec): AssignedAddress => {
    const reference = podReference(pod.namespace, pod.name);
    const address = pins.get(reference)?.spec.address ?? book.take(subnet, reference, pod.at);
    podAddress.set(pod, address);
    return { address, elastic: undefined };
  };
  const interfaces: NetworkInterface[] = [];
  for (let device = 0; device <= highest; device += 1) {
    const link = `eth${device}`;
    const claimant = device === 0 ? thing : `${thing}:${link}`;
    const pinned = device === 0 ? spec.address : spec.interfaces[link]?.address;
    const primary = pinned ?? book.take(subnet, claimant, where.keyAt());
    const elastic =
      device === 0 && spec.elasticIp !== undefined
        ? needs.elastic(thing, spec.elasticIp, where.at('elasticIp'))
        : undefined;
    const addresses: [AssignedAddress, ...AssignedAddress[]] = [{ address: primary, elastic }];
    for (const { pod } of shared) {
      if (pod.hostNetwork || devices.get(pod) !== device) continue;
      addresses.push(addressOf(pod));
    }
    const ofNode = interfaces[0]?.addresses[0].address;
    interfaces.push(
      networkInterface({
        thing,
        netns,
        link,
        subnet,
        addresses,
        sourceDestCheck: true,
        securityGroups: node.securityGroups,
        // For what leaves here with the address of the first card Linux asks for the router by that address.
        ...(ofNode === undefined ? {} : { asksAs: ofNode }),
        at: where.keyAt(),
      }),
    );
  }
  const [first, ...others] = interfaces;
  if (first === undefined) return undefined;

  const mode = settings.POD_SECURITY_GROUP_ENFORCING_MODE;
  const branches = new Map(
    own.map(({ pod, groups }, index) => {
      const branch: BranchEni = { vlanId: index + 1, mode };
      const eni = networkInterface({
        thing,
        netns,
        link: branchLink(branch),
        subnet,
        addresses: [addressOf(pod)],
        sourceDestCheck: true,
        securityGroups: groups,
        asksAs: first.addresses[0].address,
        at: pod.at,
      });
      return [pod, { branch, eni }] as const;
    }),
  );

  const pods = placements.map(({ pod }): Pod => {
    const { branch, eni: own } = branches.get(pod) ?? {};
    const device = devices.get(pod) ?? 0;
    const eni = own ?? interfaces[device] ?? first;
    return pod.hostNetwork
      ? {
          spec: pod,
          node: name,
          netns,
          address: first.addresses[0].address,
          eni: undefined,
          branch: undefined,
          hostVeth: undefined,
        }
      : {
          spec: pod,
          node: name,
          netns: podNetns(pod.namespace, pod.name),
          address: podAddress.get(pod) ?? first.addresses[0].address,
          eni: { interface: eni, deviceNumber: device },
          branch,
          hostVeth: podHostVeth(settings, pod, branch),
        };
  });
  return {
    name,
    netns,
    instanceType: node.instanceType.name,
    interfaces: [first, ...others],
    hasTrunk: node.hasTrunk,
    labels: node.labels,
    pods,
    at: where.keyAt(),
  };
}

export function zoneOf(node: Pick<Node, 'labels'> | undefined): string | undefined {
  return node?.labels['topology.kubernetes.io/zone'];
}

/** The trunk is attached before any pod needs a further ENI. */
const TRUNK_DEVICE = 1;

export function isTrunk({ hasTrunk }: Pick<Node, 'hasTrunk'>, device: number): boolean {
  return hasTrunk && device === TRUNK_DEVICE;
}

/** Its own ENIs, and those that its pods have for themselves. */
export function allInterfaces({ interfaces, pods }: Node): NetworkInterface[] {
  const branches = pods.flatMap(({ branch, eni }) =>
    branch === undefined || eni === undefined ? [] : [eni.interface],
  );
  return [...interfaces, ...branches];
}

function checkBranches(
  { name, instanceType: type, hasTrunk }: NodeGround,
  placements: readonly { readonly pod: PodSpec }[],
  diagnostics: Diagnostics,
): void {
  const first = placements[hasTrunk ? type.branchEnis : 0];
  if (first === undefined) return;
  diagnostics.error(
    'branch-eni-limit',
    first.pod.at,
    hasTrunk
      ? `node/${name} has ${placements.length} pods with ENIs of their own, and a ${type.name} takes ${type.branchEnis}`
      : `pod "${first.pod.name}" is to have an ENI of its own, but node/${name} (${type.name}) has no trunk`,
    hasTrunk
      ? 'take a larger instance type, or more nodes'
      : 'take an instance type with branch ENIs, like m5.large',
  );
}

/** Which ENI a pod's address belongs to: the pinned one, else the first that has room, as ipamd fills them up. */
function assignDevices(
  node: NodeGround,
  placements: readonly Placement[],
  pins: ReadonlyMap<string, { spec: PinSpec; where: Where }>,
  diagnostics: Diagnostics,
): Map<PodSpec, number> {
  const devices = new Map<PodSpec, number>();
  const room = new Array<number>(node.maxEnis).fill(node.instanceType.ipv4PerEni - 1);
  if (node.hasTrunk) room[TRUNK_DEVICE] = 0;
  const takeRoom = (pod: PodSpec, device: number): void => {
    devices.set(pod, device);
    room[device] = (room[device] ?? 0) - 1;
  };
  const free: PodSpec[] = [];
  for (const { pod } of placements) {
    if (pod.hostNetwork) continue;
    const reference = podReference(pod.namespace, pod.name);
    const pin = pins.get(reference);
    if (pin?.spec.eni === undefined) {
      free.push(pod);
      continue;
    }
    const device = Number(pin.spec.eni.slice(3));
    if ((room[device] ?? 0) > 0) takeRoom(pod, device);
    else {
      const { name } = node.instanceType;
      diagnostics.error(
        'eni-limit',
        pin.where.at('eni'),
        device < node.maxEnis
          ? `${reference} does not fit on ${pin.spec.eni} of node/${node.name}: a ${name} has room for ${node.instanceType.ipv4PerEni - 1} on each ENI`
          : `${reference} is pinned to ${pin.spec.eni}, but node/${node.name} (${name}) takes ${node.maxEnis} ENIs`,
        `take ${range(0, node.maxEnis)}, or a larger instance type`,
      );
    }
  }
  for (const pod of free) {
    const device = room.findIndex((left) => left > 0);
    if (device >= 0) takeRoom(pod, device);
  }
  return devices;
}

export function planNode(
  node: Node,
  needs: {
    vpcCidrs: readonly Cidr[];
    excluded: readonly Cidr[];
    settings: CniSettings;
    /** What its kube-proxy knows; undefined in a cluster without kube-proxy. */
    services: readonly Service[] | undefined;
    /** Whom its pods ask for names; undefined: whom it asks itself. */
    clusterDns: Ipv4 | undefined;
    nodeDns: { readonly server: Ipv4; readonly search: readonly string[] };
  },
): Fragment {
  const { netns, interfaces } = node;
  const [primary, ...secondary] = interfaces;
  const why = because('node', `node/${node.name}`, node.at);
  const fragment = new Fragment()
    .add(
      why,
      ...hostNetns(netns, needs.settings.ENABLE_POD_ENI ? LOCAL_RULE_PRIORITY : undefined),
      ...routerSysctls(netns, []),
      // The AMI turns forwarding on; the CNI's init container sets these two.
      linkSysctl(netns, primary.link, 'rp_filter', LOOSE_RP_FILTER),
      sysctl(netns, 'net/ipv4/tcp_early_demux', needs.settings.DISABLE_TCP_EARLY_DEMUX ? 0 : 1),
    )
    .addAll(planPrimaryLink({ ...primary, addresses: [primary.addresses[0]] }, why))
    .addAll(planSnat(netns, { ...needs, primaryAddress: primary.addresses[0].address }, why));
  secondary.forEach((eni, index) => {
    fragment.addAll(planSecondaryEni(eni, index + 1, isTrunk(node, index + 1)));
  });
  if (needs.services !== undefined) {
    const { address } = primary.addresses[0];
    const proxy = { name: node.name, zone: zoneOf(node), netns, address };
    fragment.addAll(
      planKubeProxy(proxy, needs.services, because('kube-proxy', `node/${node.name}`, node.at)),
    );
  }
  for (const pod of node.pods) {
    fragment.addAll(planPodNetwork(pod, netns, needs.settings));
    const reference = podReference(pod.spec.namespace, pod.spec.name);
    const podWhy = because('pod', reference, pod.spec.at);
    if (pod.eni !== undefined) {
      const { clusterDns, nodeDns } = needs;
      fragment.add(
        podWhy,
        podResolvConf(pod.spec, pod.netns, {
          clusterDns,
          nodeServer: nodeDns.server,
          nodeSearch: nodeDns.search,
        }),
      );
    }
    for (const port of pod.spec.ports) {
      // Of CoreDNS the DNS server takes them all.
      if (pod.spec.runsCoreDns) continue;
      fragment.add(podWhy, {
        kind: 'served-port',
        netns: pod.netns,
        protocol: port.protocol,
        port: port.containerPort,
        http: port.http,
        identity: {
          pod: pod.spec.name,
          namespace: pod.spec.namespace,
          node: node.name,
          address: pod.address,
        },
        behaviour: pod.spec.behaviour,
      });
    }
  }
  return fragment;
}

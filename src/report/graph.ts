/**
 * A lab as a picture's content: what stands in what, and where each subnet's routes lead. How it is drawn is for the
 * formats: graph-mermaid.ts, graph-dot.ts, graph-svg.ts.
 *
 * An id is a thing's reference (`nat/nat-1`); zones, subnets and the internet, which are no things, have ids alike.
 */

import type { NetworkInterface } from '../aws/network-interface.ts';
import { type RouteTarget, renderTarget } from '../aws/route-table.ts';
import type { Subnet } from '../aws/subnet.ts';
import type { Vpc } from '../aws/vpc.ts';
import { renderReference } from '../base/reference.ts';
import type { Cloud } from '../cloud.ts';
import type { Node } from '../eks/node.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import { podReference } from '../k8s/pod.ts';
import { count } from './style.ts';

export interface Graph {
  readonly lab: string;
  /** The lab's question, or its name. */
  readonly title: string;
  /** The internet first, then the VPCs. */
  readonly groups: readonly GraphGroup[];
  readonly edges: readonly GraphEdge[];
}

export type GroupKind = 'internet' | 'vpc' | 'az' | 'public-subnet' | 'private-subnet' | 'node';

export interface GraphGroup {
  readonly id: string;
  readonly kind: GroupKind;
  /** The title, then what else one may want to know of it, where there is room: one line each. */
  readonly lines: readonly [string, ...string[]];
  /** What no arrow shows, and nobody may leave out: routes to nowhere. */
  readonly notes: readonly string[];
  readonly nodes: readonly GraphNode[];
  readonly groups: readonly GraphGroup[];
}

export type NodeKind = 'host' | 'igw' | 'nat' | 'instance' | 'eni' | 'pod' | 'more';

export interface GraphNode {
  readonly id: string;
  readonly kind: NodeKind;
  readonly lines: readonly [string, ...string[]];
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** The destinations that take this way; empty for a cable. */
  readonly label: string;
}

/** A node with more pods than this shows one fewer, and how many it leaves out. */
const PODS_SHOWN = 6;

const INTERNET = 'internet';

export function graphOf(cloud: Cloud, question: string | undefined): Graph {
  const nodes = [...(cloud.cluster?.nodes.values() ?? [])];
  const hosts = cloud.internetHosts.map(({ name, address }): GraphNode => ({
    id: `internet/${name}`,
    kind: 'host',
    lines: [`internet/${name}`, address],
  }));
  const internet: GraphGroup[] =
    hosts.length === 0
      ? []
      : [
          {
            id: INTERNET,
            kind: 'internet',
            lines: ['the internet'],
            notes: [],
            nodes: hosts,
            groups: [],
          },
        ];
  const vpcs = [...cloud.vpcs.values()];
  return {
    lab: cloud.name,
    title: question ?? cloud.name,
    groups: [...internet, ...vpcs.map((vpc) => vpcGroup(vpc, nodes))],
    edges: vpcs.flatMap((vpc) => [...cables(vpc, hosts.length > 0), ...routeEdges(vpc)]),
  };
}

function vpcGroup(vpc: Vpc, nodes: readonly Node[]): GraphGroup {
  const subnets = [...vpc.subnets.values()];
  const zones = [...new Set(subnets.map(({ az }) => az))].sort();
  const igw = vpc.internetGateway;
  return {
    id: `vpc/${vpc.name}`,
    kind: 'vpc',
    lines: [`vpc/${vpc.name} ${vpc.cidrs.join(', ')}`],
    notes: [],
    nodes:
      igw === undefined
        ? []
        : [{ id: igwId(igw.name), kind: 'igw', lines: [igwId(igw.name), 'internet gateway'] }],
    groups: zones.map((az) => {
      const groups = subnets
        .filter((subnet) => subnet.az === az)
        .map((subnet) => subnetGroup(vpc, subnet, nodes));
      return {
        id: `az/${vpc.name}/${az}`,
        kind: 'az',
        lines: [az],
        notes: [],
        nodes: [],
        // The public ones on top, next to the internet gateway.
        groups: [
          ...groups.filter(({ kind }) => kind === 'public-subnet'),
          ...groups.filter(({ kind }) => kind !== 'public-subnet'),
        ],
      };
    }),
  };
}

function subnetGroup(vpc: Vpc, subnet: Subnet, nodes: readonly Node[]): GraphGroup {
  const routes = vpc.routeTables.get(subnet.routeTable)?.routes ?? [];
  const isPublic = routes.some(({ target }) => target.kind === 'igw');
  const isHere = (eni: NetworkInterface): boolean =>
    eni.subnet.vpc === vpc.name && eni.subnet.name === subnet.name;
  const nats = [...vpc.natGateways.values()].filter(({ eni }) => isHere(eni));
  const instances = [...vpc.instances.values()].filter((one) => isHere(one.interfaces[0]));
  return {
    id: subnetId(subnet),
    kind: isPublic ? 'public-subnet' : 'private-subnet',
    lines: [
      `${subnet.name} ${subnet.cidr}`,
      `${isPublic ? 'public' : 'private'} subnet, route table ${subnet.routeTable}`,
    ],
    // A blackhole is no place, and an arrow from a box to what is inside it says nothing.
    notes: routes
      .filter(({ target }) => endOf(vpc, subnet, target) === undefined)
      .map(({ destination, target }) => `${destination} to ${renderTarget(target)}`),
    nodes: [
      ...nats.map(({ name, eni }): GraphNode => ({
        id: `nat/${name}`,
        kind: 'nat',
        lines: [`nat/${name}`, ...addressesOf(eni)],
      })),
      ...instances.map(({ name, interfaces }): GraphNode => ({
        id: `instance/${name}`,
        kind: 'instance',
        lines: [`instance/${name}`, ...eniLines(interfaces)],
      })),
    ],
    groups: nodes.filter(({ interfaces }) => isHere(interfaces[0])).map(nodeGroup),
  };
}

function nodeGroup(node: Node): GraphGroup {
  const id = `node/${node.name}`;
  const shown = node.pods.length > PODS_SHOWN ? PODS_SHOWN - 1 : node.pods.length;
  const left = node.pods.length - shown;
  const enis = node.interfaces.map((eni): GraphNode => {
    const [primary] = eni.addresses;
    return { id: `${id}:${eni.link}`, kind: 'eni', lines: [eni.link, renderAddress(primary)] };
  });
  const more: GraphNode[] =
    left === 0
      ? []
      : [{ id: `${id}/more`, kind: 'more', lines: [`and ${count(left, 'more pod')}`] }];
  return {
    id,
    kind: 'node',
    lines: [`${id} ${node.instanceType}`],
    notes: [],
    nodes: [...enis, ...node.pods.slice(0, shown).map(podNode), ...more],
    groups: [],
  };
}

function podNode({ spec, address, eni }: Pod): GraphNode {
  const id = podReference(spec.namespace, spec.name);
  if (eni === undefined) return { id, kind: 'pod', lines: [id, address, 'host network'] };
  const elsewhere = eni.deviceNumber === 0 ? '' : ` of ${eni.interface.link}`;
  return { id, kind: 'pod', lines: [id, `${address}${elsewhere}`] };
}

/** `eth0 10.0.3.10`, and where a further card is in another subnet than the first, which. */
function eniLines(interfaces: readonly [NetworkInterface, ...NetworkInterface[]]): string[] {
  const [{ subnet }] = interfaces;
  return interfaces.map((eni) => {
    const [primary] = eni.addresses;
    const elsewhere = eni.subnet.name === subnet.name ? '' : ` in ${eni.subnet.name}`;
    return `${eni.link} ${renderAddress(primary)}${elsewhere}`;
  });
}

/** What a NAT gateway shows: its one card needs no name. */
function addressesOf(eni: NetworkInterface): string[] {
  return eni.addresses.map(renderAddress);
}

function renderAddress({ address, elastic }: NetworkInterface['addresses'][number]): string {
  return elastic === undefined ? address : `${address} = ${elastic}`;
}

function cables(vpc: Vpc, hasInternet: boolean): GraphEdge[] {
  const igw = vpc.internetGateway;
  if (igw === undefined || !hasInternet) return [];
  return [{ from: igwId(igw.name), to: INTERNET, label: '' }];
}

/** One arrow for each target of a subnet's route table. */
function routeEdges(vpc: Vpc): GraphEdge[] {
  return [...vpc.subnets.values()].flatMap((subnet) => {
    const destinations = new Map<string, string[]>();
    for (const { destination, target } of vpc.routeTables.get(subnet.routeTable)?.routes ?? []) {
      const to = endOf(vpc, subnet, target);
      if (to === undefined) continue;
      destinations.set(to, [...(destinations.get(to) ?? []), destination]);
    }
    return [...destinations].map(([to, all]) => ({
      from: subnetId(subnet),
      to,
      label: all.join(', '),
    }));
  });
}

/** Where the arrow of a route ends, if one can be drawn. */
function endOf(vpc: Vpc, subnet: Subnet, target: RouteTarget): string | undefined {
  switch (target.kind) {
    case 'igw':
      return igwId(target.name);
    case 'nat':
    case 'eni': {
      const { thing } = target.eni;
      // A thing stands in the subnet of its first card, whichever card the route names.
      const first = vpc.interfaces.find((eni) => eni.thing === thing) ?? target.eni;
      return first.subnet.name === subnet.name ? undefined : thing;
    }
    case 'blackhole':
      return undefined;
  }
}

function igwId(name: string): string {
  return renderReference('igw', name);
}

function subnetId(subnet: Subnet): string {
  return `subnet/${subnet.vpc}/${subnet.name}`;
}

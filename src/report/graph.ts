/**
 * A lab as a picture's content: what stands in what, and where each subnet's routes lead. How it is drawn is for the
 * formats: graph-mermaid.ts, graph-dot.ts, graph-svg.ts.
 *
 * An id is a thing's reference (`nat/nat-1`); zones, subnets and the internet, which are no things, have ids alike.
 */

import { serversOf } from '../aws/db-instance.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import { type RouteTarget, renderTarget } from '../aws/route-table.ts';
import type { Subnet } from '../aws/subnet.ts';
import type { Vpc } from '../aws/vpc.ts';
import { renderReference } from '../base/reference.ts';
import type { Cloud } from '../cloud.ts';
import { isSystemPod } from '../eks/coredns.ts';
import { allInterfaces, type Node } from '../eks/node.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import { podReference } from '../k8s/pod.ts';
import type { GroupKind, NodeKind } from './graph-look.ts';
import { count } from './style.ts';

export interface Graph {
  readonly lab: string;
  /** The lab's question, or its name. */
  readonly title: string;
  /** The internet first, then the VPCs. */
  readonly groups: readonly GraphGroup[];
  readonly edges: readonly GraphEdge[];
}

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

export interface GraphNode {
  readonly id: string;
  readonly kind: NodeKind;
  readonly lines: readonly [string, ...string[]];
}

export interface GraphEdge {
  /** From a subnet to what its route table names, from an internet gateway to the internet, from a pod to its ENI. */
  readonly kind: 'route' | 'uplink' | 'eni';
  readonly from: string;
  readonly to: string;
  /** The destinations that take this way; none for what is no route. */
  readonly destinations: readonly string[];
}

/** A node with more pods than this shows one fewer, and how many it leaves out; a subnet does so with its nodes. */
const PODS_SHOWN = 6;
const IN_SUBNET_SHOWN = 8;

const INTERNET = 'internet';

export function graphOf(cloud: Cloud, question: string | undefined): Graph {
  const nodes = [...(cloud.cluster?.nodes.values() ?? [])];
  // What every cluster has is no part of what a lab shows.
  const declared = cloud.internetHosts.filter((host) => host.isSystem !== true);
  const hosts = declared.map(({ name, address }): GraphNode => ({
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
  const groups = [...internet, ...vpcs.map((vpc) => vpcGroup(vpc, nodes))];
  const drawn = new Set(groups.flatMap(idsOf));
  return {
    lab: cloud.name,
    title: question ?? cloud.name,
    groups,
    edges: [
      ...vpcs.flatMap((vpc) => [...uplinks(vpc, hosts.length > 0), ...routeEdges(vpc)]),
      ...nodes.filter((node) => drawn.has(`node/${node.name}`)).flatMap(eniEdges),
    ],
  };
}

function idsOf({ id, groups }: GraphGroup): string[] {
  return [id, ...groups.flatMap(idsOf)];
}

/** What is drawn of a long list, and how many are not: the first ones, and whatever an arrow leads to. */
function fold<Thing>(
  things: readonly Thing[],
  limit: number,
  isWanted: (thing: Thing) => boolean = () => false,
): { shown: readonly Thing[]; left: readonly Thing[] } {
  if (things.length <= limit) return { shown: things, left: [] };
  const others = things.filter((thing) => !isWanted(thing));
  const room = Math.max(0, limit - 1 - (things.length - others.length));
  const left = new Set(others.slice(room));
  return { shown: things.filter((thing) => !left.has(thing)), left: [...left] };
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
  const targets = new Set(
    [...vpc.routeTables.values()].flatMap((table) =>
      table.routes.flatMap(({ target }) => (target.kind === 'eni' ? [target.eni.thing] : [])),
    ),
  );
  const nats = [...vpc.natGateways.values()].filter(({ eni }) => isHere(eni));
  const balancers = vpc.interfaces.filter((eni) => /^[an]lb\//.test(eni.thing) && isHere(eni));
  const instances = fold(
    [...vpc.instances.values()].filter((one) => isHere(one.interfaces[0])),
    IN_SUBNET_SHOWN,
    ({ name }) => targets.has(`instance/${name}`),
  );
  const workers = fold(
    nodes.filter(({ interfaces }) => isHere(interfaces[0])),
    IN_SUBNET_SHOWN,
    ({ name }) => targets.has(`node/${name}`),
  );
  const podsLeft = workers.left.reduce((sum, { pods }) => sum + pods.length, 0);
  return {
    id: subnetId(subnet),
    kind: isPublic ? 'public-subnet' : 'private-subnet',
    lines: [
      `${subnet.name} ${subnet.cidr}`,
      `${isPublic ? 'public' : 'private'} subnet, route table ${subnet.routeTable}`,
      ...aclLines(vpc, subnet),
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
      ...balancers.map((eni): GraphNode => ({
        id: eni.thing,
        kind: 'alb',
        lines: [eni.thing, ...addressesOf(eni)],
      })),
      ...instances.shown.map(({ name, interfaces }): GraphNode => ({
        id: `instance/${name}`,
        kind: 'instance',
        lines: [`instance/${name}`, ...eniLines(interfaces), ...groupLines(vpc, interfaces)],
      })),
      ...[...vpc.databases.values()].flatMap((database) =>
        serversOf(database)
          .filter(({ eni }) => isHere(eni))
          .map(({ eni }): GraphNode => ({
            id: eni.thing,
            kind: 'rds',
            lines: [eni.thing, ...addressesOf(eni), ...groupLines(vpc, [eni])],
          })),
      ),
      ...more(subnetId(subnet), instances.left.length, 'instance'),
      ...more(subnetId(subnet), workers.left.length, 'node', `with ${count(podsLeft, 'pod')}`),
    ],
    groups: workers.shown.map((node) => nodeGroup(vpc, node)),
  };
}

/** A box that stands for the things that are left out, if any are. */
function more(where: string, left: number, noun: string, ...lines: string[]): GraphNode[] {
  if (left === 0) return [];
  const id = `${where}/more-${noun}s`;
  return [{ id, kind: 'more', lines: [`and ${count(left, `more ${noun}`)}`, ...lines] }];
}

function nodeGroup(vpc: Vpc, node: Node): GraphGroup {
  const id = `node/${node.name}`;
  const { shown, left } = fold(podsOf(node), PODS_SHOWN);
  const enis = allInterfaces(node).map((eni): GraphNode => {
    const [primary] = eni.addresses;
    return { id: `${id}:${eni.link}`, kind: 'eni', lines: [eni.link, renderAddress(primary)] };
  });
  return {
    id,
    kind: 'node',
    lines: [`${id} ${node.instanceType}`, ...groupLines(vpc, node.interfaces)],
    notes: [],
    nodes: [...enis, ...shown.map((pod) => podNode(vpc, pod)), ...more(id, left.length, 'pod')],
    groups: [],
  };
}

function podsOf({ pods }: Node): Pod[] {
  return pods.filter(({ spec }) => !isSystemPod(spec));
}

function eniEdges(node: Node): GraphEdge[] {
  return fold(podsOf(node), PODS_SHOWN).shown.flatMap(({ spec, eni }) => {
    if (eni === undefined) return [];
    const from = podReference(spec.namespace, spec.name);
    return [{ kind: 'eni', from, to: `node/${node.name}:${eni.interface.link}`, destinations: [] }];
  });
}

function podNode(vpc: Vpc, { spec, address, eni, branch }: Pod): GraphNode {
  const id = podReference(spec.namespace, spec.name);
  if (eni === undefined) return { id, kind: 'pod', lines: [id, address, 'host network'] };
  // What shares its node's card has the node's groups.
  const groups = branch === undefined ? [] : groupLines(vpc, [eni.interface]);
  return { id, kind: 'pod', lines: [id, address, ...groups] };
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

/** The network ACL of a subnet, if the lab declares it. */
function aclLines(vpc: Vpc, { networkAcl }: Subnet): string[] {
  return vpc.networkAcls.get(networkAcl)?.isDeclared === true ? [`acl ${networkAcl}`] : [];
}

/** The security groups that the lab declares, in one line where all cards carry the same. */
function groupLines(vpc: Vpc, interfaces: readonly NetworkInterface[]): string[] {
  const lines = interfaces.map(({ link, securityGroups = [] }) => {
    const declared = securityGroups.filter((one) => vpc.securityGroups.get(one)?.isDeclared);
    return { link, text: declared.length === 0 ? '' : `sg ${declared.join(', ')}` };
  });
  const texts = new Set(lines.map(({ text }) => text));
  const told =
    texts.size === 1 ? [...texts] : lines.map(({ link, text }) => text && `${link} ${text}`);
  return told.filter((text) => text !== '');
}

/** What a NAT gateway shows: its one card needs no name. */
function addressesOf(eni: NetworkInterface): string[] {
  return eni.addresses.map(renderAddress);
}

function renderAddress({ address, elastic }: NetworkInterface['addresses'][number]): string {
  return elastic === undefined ? address : `${address} = ${elastic}`;
}

function uplinks(vpc: Vpc, hasInternet: boolean): GraphEdge[] {
  const igw = vpc.internetGateway;
  if (igw === undefined || !hasInternet) return [];
  return [{ kind: 'uplink', from: igwId(igw.name), to: INTERNET, destinations: [] }];
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
      kind: 'route',
      from: subnetId(subnet),
      to,
      destinations: all,
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

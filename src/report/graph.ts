/**
 * A lab as a picture's content: what stands in what, and where each subnet's routes lead. How it is drawn is for the
 * formats: graph-mermaid.ts, graph-dot.ts, graph-svg.ts.
 */

import { type DbInstance, type DbServer, serversOf } from '../aws/db-instance.ts';
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
import { balancerEdges, balancerGroups, type Health } from './graph-balancer.ts';
import { fold } from './graph-fold.ts';
import {
  aclLines,
  addressesOf,
  databaseLines,
  eniLines,
  groupLines,
  policyLines,
  renderAddress,
} from './graph-label.ts';
import {
  type Graph,
  type GraphEdge,
  type GraphGroup,
  type GraphNode,
  idsIn,
} from './graph-parts.ts';
import { count } from './style.ts';

/** A node with more pods than this shows one fewer, and how many it leaves out; a subnet does so with its nodes. */
const PODS_SHOWN = 6;
const IN_SUBNET_SHOWN = 8;

const INTERNET = 'internet';

export function graphOf(cloud: Cloud, question: string | undefined, health?: Health): Graph {
  const nodes = nodesOf(cloud);
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
  const groups = [...internet, ...vpcs.map((vpc) => vpcGroup(cloud, vpc, health))];
  const drawn = new Set(groups.flatMap(idsOf));
  return {
    lab: cloud.name,
    title: question ?? cloud.name,
    groups,
    edges: [
      ...vpcs.flatMap((vpc) => [...uplinks(vpc, hosts.length > 0), ...routeEdges(vpc)]),
      ...nodes.filter((node) => drawn.has(`node/${node.name}`)).flatMap(eniEdges),
      ...balancerEdges(cloud, drawn, health),
    ],
  };
}

function nodesOf({ cluster }: Cloud): Node[] {
  return [...(cluster?.nodes.values() ?? [])];
}

function idsOf(group: GraphGroup): string[] {
  return [group.id, ...idsIn(group)];
}

function vpcGroup(cloud: Cloud, vpc: Vpc, health: Health): GraphGroup {
  const subnets = [...vpc.subnets.values()];
  const zones = [...new Set(subnets.map(({ az }) => az))].sort();
  const igw = vpc.internetGateway;
  const groups = zones.map((az) => zoneGroup(cloud, vpc, az));
  return {
    id: `vpc/${vpc.name}`,
    kind: 'vpc',
    lines: [`vpc/${vpc.name} ${vpc.cidrs.join(', ')}`],
    notes: [],
    nodes:
      igw === undefined
        ? []
        : [{ id: igwId(igw.name), kind: 'igw', lines: [igwId(igw.name), 'internet gateway'] }],
    groups: [...groups, ...balancerGroups(cloud, vpc.name, new Set(groups.flatMap(idsOf)), health)],
  };
}

function zoneGroup(cloud: Cloud, vpc: Vpc, az: string): GraphGroup {
  const groups = [...vpc.subnets.values()]
    .filter((subnet) => subnet.az === az)
    .map((subnet) => subnetGroup(cloud, vpc, subnet));
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
}

function subnetGroup(cloud: Cloud, vpc: Vpc, subnet: Subnet): GraphGroup {
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
    nodesOf(cloud).filter(({ interfaces }) => isHere(interfaces[0])),
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
          .map((server) => rdsNode(vpc, database, server)),
      ),
      ...more(subnetId(subnet), instances.left.length, 'instance'),
      ...more(subnetId(subnet), workers.left.length, 'node', `with ${count(podsLeft, 'pod')}`),
    ],
    groups: workers.shown.map((node) => nodeGroup(cloud, vpc, node)),
  };
}

function rdsNode(vpc: Vpc, database: DbInstance, server: DbServer): GraphNode {
  const { eni } = server;
  const lines = [...addressesOf(eni), ...databaseLines(database, server)];
  return { id: eni.thing, kind: 'rds', lines: [eni.thing, ...lines, ...groupLines(vpc, [eni])] };
}

/** A box that stands for the things that are left out, if any are. */
function more(where: string, left: number, noun: string, ...lines: string[]): GraphNode[] {
  if (left === 0) return [];
  const id = `${where}/more-${noun}s`;
  return [{ id, kind: 'more', lines: [`and ${count(left, `more ${noun}`)}`, ...lines] }];
}

function nodeGroup(cloud: Cloud, vpc: Vpc, node: Node): GraphGroup {
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
    nodes: [
      ...enis,
      ...shown.map((pod) => podNode(cloud, vpc, pod)),
      ...more(id, left.length, 'pod'),
    ],
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

function podNode({ cluster }: Cloud, vpc: Vpc, pod: Pod): GraphNode {
  const { spec, address, eni, branch } = pod;
  const id = podReference(spec.namespace, spec.name);
  if (eni === undefined) return { id, kind: 'pod', lines: [id, address, 'host network'] };
  // What shares its node's card has the node's groups.
  const groups = branch === undefined ? [] : groupLines(vpc, [eni.interface]);
  const policies = policyLines(cluster?.networkPolicies ?? [], pod);
  return { id, kind: 'pod', lines: [id, address, ...groups, ...policies] };
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

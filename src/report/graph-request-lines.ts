/**
 * The way of requests in a picture: from a load balancer's nodes to it, from its listeners to its target groups, and from
 * those to the targets.
 *
 * A load balancer stands in no zone, so it lies below the zones. Between it and them is a bus of horizontal lanes, one for
 * each load balancer and one for each target group. A line leaves the bus upwards in a lane of the zone's gutter, turns into
 * the gap under its target's row, and comes to it from below, as routes do. All lines of one target group share its lanes.
 */

import {
  type Box,
  centre,
  find,
  GAP,
  headerHeight,
  LANE,
  type Line,
  measureNode,
  moveTo,
  PADDING,
  type Room,
  rowBottom,
  textWidth,
  widthOfText,
} from './graph-box.ts';
import { labelOf } from './graph-line.ts';
import {
  type Graph,
  type GraphEdge,
  type GraphGroup,
  type GraphNode,
  idsIn,
} from './graph-parts.ts';

type Point = readonly [x: number, y: number];

/** Of a target's row: the label of the line that comes to it. */
const LABEL_ROOM = 16;

/** The load balancers whose nodes stand in a group, and the target groups that have targets in it: a lane each. */
export function requestLanes(graph: Graph, group: GraphGroup): readonly string[] {
  const ids = new Set(idsIn(group));
  const lanes = graph.edges.flatMap(({ kind, from, to }) => {
    if (kind === 'balancer') return ids.has(from) ? [to] : [];
    return kind === 'target' && ids.has(to) ? [from] : [];
  });
  return [...new Set(lanes)];
}

export function roomForRequests(graph: Graph, group: GraphGroup): Room {
  const lanes = requestLanes(graph, group).length;
  return lanes === 0
    ? { beside: 0, below: 0 }
    : { beside: lanes * LANE, below: GAP / 2 + lanes * LANE };
}

/** What the labels of the lines need that come to a target, side by side. */
export function widthOfLabels(graph: Graph, { id }: { readonly id: string }): number {
  return arrivals(graph, id).reduce((sum, edge) => sum + widthOfLabel(edge), PADDING);
}

function widthOfLabel(edge: GraphEdge): number {
  return labelOf(edge).reduce((sum, one) => sum + textWidth(one), LANE);
}

function arrivals(graph: Graph, id: string): GraphEdge[] {
  return graph.edges.filter(({ kind, to }) => kind === 'target' && to === id);
}

/**
 * The load balancers one below the other, the bus above them; 0 is the lower edge of the zones. To the right of all, zones
 * too, are the lanes of the target groups.
 */
export function measureBalancers(
  vpc: GraphGroup,
  graph: Graph,
): { boxes: Box[]; width: number; lanesWidth: number; height: number } {
  const boxes = vpc.groups.filter(({ kind }) => kind === 'balancer').map(measureBalancer);
  if (boxes.length === 0) return { boxes, width: 0, lanesWidth: 0, height: 0 };
  const x = PADDING + boxes.length * LANE + GAP / 2;
  let y = GAP + busLanes(graph, boxes).length * LANE;
  for (const box of boxes) {
    moveTo(box, x, y);
    y += box.height + GAP;
  }
  return {
    boxes,
    width: Math.max(...boxes.map(({ width }) => x + width)) + PADDING,
    lanesWidth: groupsWithTargets(graph, boxes).length * LANE,
    height: y - GAP,
  };
}

/** From above to below: those to the load balancers, the lowest one's first, and those from target groups, likewise. */
function busLanes(graph: Graph, balancers: readonly Box[]): readonly string[] {
  const ids = balancers.map(({ of }) => of.id);
  return [...ids.reverse(), ...groupsWithTargets(graph, balancers).reverse()];
}

function groupsWithTargets(graph: Graph, balancers: readonly Box[]): string[] {
  const from = new Set(graph.edges.flatMap((edge) => (edge.kind === 'target' ? edge.from : [])));
  return balancers.flatMap(({ inside }) =>
    inside.map(({ of }) => of.id).filter((id) => from.has(id)),
  );
}

/** The listeners to the left, the target groups to the right. */
function measureBalancer(of: GraphGroup): Box {
  const isListener = ({ kind }: GraphNode): boolean => kind === 'listener';
  const listeners = of.nodes.filter(isListener).map(measureNode);
  const groups = of.nodes.filter((node) => !isListener(node)).map(measureNode);
  const column = (boxes: readonly Box[], x: number): { right: number; bottom: number } => {
    const width = Math.max(0, ...boxes.map((box) => box.width));
    let y = headerHeight(of);
    for (const box of boxes) {
      box.width = width;
      moveTo(box, x, y);
      y += box.height + GAP / 2;
    }
    return { right: x + width, bottom: y + GAP / 2 };
  };
  const left = column(listeners, PADDING);
  const right =
    groups.length === 0 ? left : column(groups, left.right + 2 * GAP + listeners.length * LANE);
  return {
    of,
    x: 0,
    y: 0,
    width: Math.max(widthOfText(of), right.right + PADDING),
    height: Math.max(left.bottom, right.bottom),
    inside: [...listeners, ...groups],
  };
}

export function requestLines(vpc: Box, graph: Graph): Line[] {
  const zones = vpc.inside.filter(({ of }) => of.kind === 'az');
  const balancers = vpc.inside.filter(({ of }) => of.kind === 'balancer');
  const [first] = balancers;
  if (first === undefined) return [];
  const lanes = busLanes(graph, balancers);
  const sources = groupsWithTargets(graph, balancers);
  const right = vpc.x + vpc.width - PADDING / 2 - sources.length * LANE;
  const bus = (lane: string): number =>
    first.y - GAP / 2 - (lanes.length - lanes.indexOf(lane) - 0.5) * LANE;
  return graph.edges.flatMap((edge): Line[] => {
    const [from, to] = [find([vpc], edge.from), find([vpc], edge.to)];
    if (from === undefined || to === undefined) return [];
    if (edge.kind === 'forward')
      return [{ edge, points: forward(from, to, balancers), label: undefined }];
    if (edge.kind === 'balancer') {
      const zone = zones.find((one) => find([one], edge.from) !== undefined);
      if (zone === undefined) return [];
      const x = first.x - GAP / 2 - (balancers.indexOf(to) + 0.5) * LANE;
      const up = bus(edge.to);
      const y = to.y + headerHeight(groupOf(to)) / 2;
      const points: Point[] = [
        ...wayOut(zone, from, edge.to, graph),
        [gutter(zone, edge.to, graph), up],
        [x, up],
        [x, y],
        [to.x, y],
      ];
      return [{ edge, points, label: undefined }];
    }
    if (edge.kind !== 'target') return [];
    const zone = zones.find((one) => find([one], edge.to) !== undefined);
    if (zone === undefined) return [];
    const x = right + (sources.indexOf(edge.from) + 0.5) * LANE;
    const [y, up] = [from.y + from.height / 2, bus(edge.from)];
    const end = [...wayOut(zone, to, edge.from, graph, edge)].reverse();
    const last = end.at(-1) ?? [0, 0];
    const label = {
      x: last[0] + 5,
      y: last[1] + 12,
      anchor: 'start',
      lines: labelOf(edge),
    } as const;
    const points: Point[] = [
      [from.x + from.width, y],
      [x, y],
      [x, up],
      [gutter(zone, edge.from, graph), up],
      ...end,
    ];
    return [{ edge, points, label }];
  });
}

/** Straight across where the listener's box is as high, else by a lane of the listener's own. */
function forward(listener: Box, group: Box, balancers: readonly Box[]): Point[] {
  const all = balancers.find(({ inside }) => inside.includes(listener))?.inside ?? [];
  const listeners = all.filter(({ of }) => of.kind === 'listener');
  const index = listeners.indexOf(listener);
  const start = listener.x + listener.width;
  const x = start + GAP / 2 + (index + 0.5) * LANE;
  const y = group.y + group.height / 2 + (index - (listeners.length - 1) / 2) * (LANE - 2);
  const from = Math.min(Math.max(y, listener.y + GAP / 4), listener.y + listener.height - GAP / 4);
  return [
    [start, from],
    [x, from],
    [x, y],
    [group.x, y],
  ];
}

function gutter(zone: Box, lane: string, graph: Graph): number {
  const lanes = requestLanes(graph, groupOf(zone));
  return zone.x + zone.width - PADDING / 2 - (lanes.length - lanes.indexOf(lane) - 0.5) * LANE;
}

/** From below a box, through whatever it stands in, to its zone's gutter. */
function wayOut(zone: Box, box: Box, lane: string, graph: Graph, edge?: GraphEdge): Point[] {
  const subnet = zone.inside.find((one) => find([one], box.of.id) !== undefined);
  const child = subnet?.inside.find((one) => find([one], box.of.id) !== undefined);
  if (subnet === undefined || child === undefined) return [];
  const level = (group: Box, bottom: number): number =>
    bottom + LABEL_ROOM + (requestLanes(graph, groupOf(group)).indexOf(lane) + 0.5) * LANE;
  const out = level(subnet, rowBottom(child, subnet.inside));
  const x = edge === undefined ? centre(box) : arrivalAt(box, edge, graph);
  const start: Point = [x, box.y + box.height];
  const last: Point = [gutter(zone, lane, graph), out];
  if (child === box) return [start, [x, out], last];
  // A pod: to the left edge of its network interface's block, below that, to the left edge of the node, and out.
  const lanes = requestLanes(graph, groupOf(child));
  const besides = (lanes.indexOf(lane) + 0.5) * LANE;
  const nodeX = child.x + PADDING / 2 + besides;
  const hanging = podsOfBlock(child, box, graph);
  const podY = level(child, rowBottom(box, hanging.pods));
  if (hanging.eni === undefined) {
    return [start, [x, podY], [nodeX, podY], [nodeX, out], last];
  }
  const blockX = hanging.eni.x - PADDING / 2 - lanes.length * LANE + besides;
  const blockY = level(child, hanging.bottom);
  return [start, [x, podY], [blockX, podY], [blockX, blockY], [nodeX, blockY], [nodeX, out], last];
}

/** The pods beside which a pod hangs at its network interface, and how far down that row of interfaces reaches. */
function podsOfBlock(
  node: Box,
  pod: Box,
  graph: Graph,
): { eni: Box | undefined; pods: readonly Box[]; bottom: number } {
  const eniOf = new Map(
    graph.edges.flatMap(({ kind, from, to }) => (kind === 'eni' ? [[from, to] as const] : [])),
  );
  const eni = node.inside.find(({ of }) => of.id === eniOf.get(pod.of.id));
  const isEni = ({ of }: Box): boolean => of.kind === 'eni';
  if (eni === undefined) {
    const pods = node.inside.filter((box) => !isEni(box) && !eniOf.has(box.of.id));
    return { eni, pods, bottom: 0 };
  }
  const enis = new Set(
    node.inside.filter((box) => isEni(box) && box.y === eni.y).map(({ of }) => of.id),
  );
  const block = node.inside.filter(({ of }) => enis.has(of.id) || enis.has(eniOf.get(of.id) ?? ''));
  return {
    eni,
    pods: node.inside.filter(({ of }) => eniOf.get(of.id) === eni.of.id),
    bottom: Math.max(...block.map(({ y, height }) => y + height)),
  };
}

/** Beside each other, each with room for its label; a node's own lanes are to the left of those that end at it. */
function arrivalAt(box: Box, edge: GraphEdge, graph: Graph): number {
  const all = arrivals(graph, box.of.id);
  const before = all.slice(0, all.indexOf(edge)).reduce((sum, one) => sum + widthOfLabel(one), 0);
  const inner = 'groups' in box.of ? requestLanes(graph, box.of).length * LANE : 0;
  return Math.min(box.x + PADDING + inner + before, box.x + box.width - LANE);
}

function groupOf({ of }: Box): GraphGroup {
  if ('groups' in of) return of;
  throw new Error(`${of.id} holds nothing`);
}

/**
 * Where everything of a lab's picture stands: boxes in boxes, and arrows that go around them.
 *
 * The internet lies over the VPCs, which stand side by side; an internet gateway sits on its VPC's upper edge. Zones are
 * columns, their subnets stand below each other. An arrow leaves its subnet by the top where the way is free, else to
 * the right into the zone's gutter, and comes to its end from below, through the gap under that row of boxes. Load
 * balancers, which stand in no zone, lie below the zones: graph-request-lines.ts.
 */

import {
  type Block,
  blockOf,
  type Box,
  centre,
  find,
  flatten,
  GAP,
  headerHeight,
  LANE,
  type Line,
  type Label,
  measureNode,
  measureRows,
  moveTo,
  PADDING,
  rowBottom,
  TEXT_HEIGHT,
  textWidth,
  widthOfText,
} from './graph-box.ts';
import {
  measureBalancers,
  requestLanes,
  requestLines,
  roomForRequests,
  widthOfLabels,
} from './graph-request-lines.ts';
import type { Graph, GraphEdge, GraphGroup } from './graph-parts.ts';

export const MARGIN = 20;
export const TITLE_HEIGHT = 22;
const TITLE_LETTER_WIDTH = 8.6;
/** Between two subnets: room for an arrow and its label. */
const SUBNET_GAP = 34;
const ROW_WIDTH = 400;
/** How much wider than high a picture should be. */
const ASPECT = 1.4;
/** To the left of a pod, for the line that leads up to its network interface. */
const TRUNK = 12;
const NARROWEST = 440;

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly title: readonly string[];
  /** The outer ones first. */
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
}

export function layOut(graph: Graph): Layout {
  const vpcs = graph.groups
    .filter(({ kind }) => kind === 'vpc')
    .map((vpc) => measureVpc(vpc, graph));
  const vpcsWidth = vpcs.reduce((sum, vpc) => sum + vpc.width + 2 * GAP, -2 * GAP);
  const internets = graph.groups
    .filter(({ kind }) => kind === 'internet')
    .map((of) =>
      measureRows(
        of,
        [of.nodes.map((node) => blockOf(measureNode(node)))],
        Math.max(NARROWEST, vpcsWidth),
      ),
    );
  const inner = Math.max(NARROWEST, vpcsWidth, ...internets.map(({ width }) => width));
  const title = wrap(graph.title, Math.floor(inner / TITLE_LETTER_WIDTH));

  let y = MARGIN + title.length * TITLE_HEIGHT + GAP;
  for (const box of internets) {
    box.width = inner;
    moveTo(box, MARGIN, y);
    y += box.height + 2 * GAP;
  }
  // The internet gateways stick out of their VPCs.
  y += Math.max(0, ...vpcs.flatMap(gatewaysOf).map(({ height }) => height / 2));
  let x = MARGIN + (inner - Math.max(0, vpcsWidth)) / 2;
  for (const vpc of vpcs) {
    moveTo(vpc, x, y);
    x += vpc.width + 2 * GAP;
  }
  const bottom = vpcs.length === 0 ? y : y + Math.max(...vpcs.map(({ height }) => height)) + MARGIN;
  const top = [...internets, ...vpcs];
  return {
    width: Math.ceil(inner + 2 * MARGIN),
    height: Math.ceil(bottom),
    title,
    boxes: top.flatMap(flatten),
    lines: [
      ...uplinks(graph, top),
      ...eniLines(graph, top),
      ...vpcs.flatMap((vpc) => [...routeArrows(vpc, graph), ...requestLines(vpc, graph)]),
    ],
  };
}

/** The words in lines; a word that is too long has a line of its own. */
function wrap(text: string, letters: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > letters) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Each network interface with its pods, and what has none. */
function measureWorker(node: GraphGroup, graph: Graph): Box {
  const boxes = node.nodes.map(measureNode);
  const enis = boxes.filter(({ of }) => of.kind === 'eni');
  const eniOf = new Map(
    graph.edges.flatMap(({ kind, from, to }) => (kind === 'eni' ? [[from, to] as const] : [])),
  );
  const columns = enis.length === 1 ? 2 : 1;
  const hanging = (eni: Box): Box[] => boxes.filter(({ of }) => eniOf.get(of.id) === eni.of.id);
  const others = boxes.filter((box) => !enis.includes(box) && !eniOf.has(box.of.id));
  const room = roomForRequests(graph, node);
  const box = measureRows(
    node,
    [
      enis.map((eni) => measureInterface(eni, hanging(eni), columns, graph, room.below)),
      others.map((box) => blockOf(box)),
    ],
    ROW_WIDTH,
    room,
  );
  box.width = Math.max(box.width, room.beside + widthOfLabels(graph, node));
  return box;
}

/** The interface as wide as its pods, which stand below it in columns of one width. */
function measureInterface(
  eni: Box,
  pods: readonly Box[],
  columns: number,
  graph: Graph,
  below: number,
): Block {
  const width = Math.max(
    0,
    ...pods.map((pod) => Math.max(pod.width, widthOfLabels(graph, pod.of))),
  );
  let y = eni.height + GAP / 2;
  for (let first = 0; first < pods.length; first += columns) {
    const row = pods.slice(first, first + columns);
    row.forEach((pod, column) => {
      pod.width = width;
      moveTo(pod, TRUNK + column * (width + TRUNK + GAP / 2), y);
    });
    y += Math.max(...row.map(({ height }) => height)) + GAP / 2 + below;
  }
  const block = blockOf(eni, ...pods);
  eni.width = block.width;
  return block;
}

function measureSubnet(subnet: GraphGroup, graph: Graph, zones: number): Box {
  const boxes = subnet.nodes.map(measureNode);
  const targets = new Set(routes(graph).map(({ to }) => to));
  const isTarget = ({ of }: Box): boolean => targets.has(of.id) || of.kind === 'nat';
  const rest = [
    ...subnet.groups.map((node) => measureWorker(node, graph)),
    ...boxes.filter((box) => !isTarget(box)),
  ];
  const area = rest.reduce((sum, { width, height }) => sum + (width + GAP) * (height + GAP), 0);
  const rowWidth = Math.max(ROW_WIDTH, Math.sqrt((area * ASPECT) / zones));
  const isNat = ({ of }: Box): boolean => of.kind === 'nat';
  const box = measureRows(
    subnet,
    // At the bottom, where the arrow of the subnet below comes in, is what arrows lead to.
    [rest, boxes.filter((one) => isTarget(one) && !isNat(one)), boxes.filter(isNat)].map((row) =>
      row.map((one) => blockOf(one)),
    ),
    rowWidth,
    { ...roomForRequests(graph, subnet), beside: 0 },
  );
  // The labels of its arrows must not come beside the next subnet.
  box.height = Math.max(box.height, exitOf(routes(graph), subnet.id, undefined));
  return box;
}

/** How far below its subnet's upper edge an arrow leaves it to the right, its label above it; for none, below them all. */
function exitOf(
  leaving: readonly GraphEdge[],
  subnet: string,
  edge: GraphEdge | undefined,
): number {
  const own = leaving.filter(({ from }) => from === subnet);
  return own
    .slice(0, edge === undefined ? own.length : own.indexOf(edge) + 1)
    .reduce((down, { destinations }) => down + destinations.length * TEXT_HEIGHT + GAP / 2, 0);
}

function measureZone(az: GraphGroup, graph: Graph, zones: number): Box {
  const subnets = az.groups.map((subnet) => measureSubnet(subnet, graph, zones));
  const width = Math.max(widthOfText(az), ...subnets.map((subnet) => subnet.width));
  let y = headerHeight(az);
  for (const subnet of subnets) {
    subnet.width = width;
    moveTo(subnet, PADDING, y);
    y += subnet.height + SUBNET_GAP;
  }
  const box: Box = { of: az, x: 0, y: 0, width, height: y - SUBNET_GAP + GAP, inside: subnets };
  box.width =
    width + 2 * PADDING + gutterOf(box, graph).width + requestLanes(graph, az).length * LANE;
  return box;
}

function measureVpc(vpc: GraphGroup, graph: Graph): Box {
  const gateways = vpc.nodes.map(measureNode);
  const azs = vpc.groups.filter(({ kind }) => kind === 'az');
  const zones = azs.map((az) => measureZone(az, graph, azs.length));
  const gateway = gateways[0];
  const crossing = routes(graph).filter((edge) => crosses(zones, edge)).length;
  let x = PADDING;
  const y = Math.max(headerHeight(vpc), (gateway?.height ?? 0) / 2 + 2 * GAP) + crossing * LANE;
  for (const zone of zones) {
    moveTo(zone, x, y);
    x += zone.width + GAP;
  }
  // The zones of a VPC end at the same height.
  const height = Math.max(0, ...zones.map((zone) => zone.height));
  for (const zone of zones) zone.height = height;
  const balancers = measureBalancers(vpc, graph);
  const inner = Math.max(
    x - GAP + PADDING,
    balancers.width,
    // The title stands to the left of the gateway.
    gateway === undefined ? widthOfText(vpc) : 2 * widthOfText(vpc) + gateway.width,
  );
  const spare = (inner - (x - GAP + PADDING)) / 2;
  for (const zone of zones) moveTo(zone, zone.x + Math.max(0, spare), y);
  for (const box of gateways) moveTo(box, (inner - box.width) / 2, -box.height / 2);
  for (const box of balancers.boxes) moveTo(box, box.x, box.y + y + height);
  return {
    of: vpc,
    x: 0,
    y: 0,
    width: inner + balancers.lanesWidth,
    height: y + height + balancers.height + PADDING,
    inside: [...zones, ...gateways, ...balancers.boxes],
  };
}

function gatewaysOf(vpc: Box): Box[] {
  return vpc.inside.filter(({ of }) => of.kind === 'igw');
}

function zoneOf(zones: readonly Box[], id: string): Box | undefined {
  return zones.find((zone) => find([zone], id) !== undefined);
}

function crosses(zones: readonly Box[], { from, to }: GraphEdge): boolean {
  const [source, target] = [zoneOf(zones, from), zoneOf(zones, to)];
  return source !== undefined && target !== undefined && source !== target;
}

/** The arrows that use the room to the right of a zone's subnets, and how much room they need. */
function gutterOf(zone: Box, graph: Graph): { width: number; text: number; lanes: GraphEdge[] } {
  const leaving = routes(graph).filter(
    (edge) => find([zone], edge.from) !== undefined && wayUp(zone, edge, graph) === undefined,
  );
  const coming = routes(graph).filter(
    ({ from, to }) => find([zone], from) === undefined && find([zone], to) !== undefined,
  );
  const text = Math.max(
    GAP / 2,
    ...leaving.flatMap(({ destinations }) => destinations.map((one) => textWidth(one) + GAP / 2)),
  );
  const lanes = [...leaving, ...coming];
  return { width: lanes.length === 0 ? 0 : text + lanes.length * LANE, text, lanes };
}

/**
 * Whether an arrow can leave its subnet by the top: the uppermost one's to the internet gateway, and one to what stands
 * at the bottom of the subnet right above.
 */
function wayUp(zone: Box, { from, to }: GraphEdge, graph: Graph): 'gateway' | Box | undefined {
  const index = zone.inside.findIndex(({ of }) => of.id === from);
  const above = zone.inside[index - 1];
  if (above === undefined) return index === 0 && isGateway(graph, to) ? 'gateway' : undefined;
  const target = above.inside.find(({ of }) => of.id === to);
  if (target === undefined) return undefined;
  const isLast = above.inside.every(({ y }) => y < target.y + target.height);
  return isLast ? target : undefined;
}

/** What stands in a VPC and in no zone of it. */
function isGateway(graph: Graph, id: string): boolean {
  return graph.groups.some(({ nodes }) => nodes.some((node) => node.id === id));
}

function routes(graph: Graph): GraphEdge[] {
  return graph.edges.filter(({ kind }) => kind === 'route');
}

/** A line for each edge of the kind, with both its boxes. */
function linesOf(
  graph: Graph,
  kind: GraphEdge['kind'],
  top: readonly Box[],
  pointsOf: (from: Box, to: Box) => Line['points'],
): Line[] {
  return graph.edges.flatMap((edge) => {
    const [from, to] = [find(top, edge.from), find(top, edge.to)];
    if (edge.kind !== kind || from === undefined || to === undefined) return [];
    return [{ edge, points: pointsOf(from, to), label: undefined }];
  });
}

function uplinks(graph: Graph, top: readonly Box[]): Line[] {
  return linesOf(graph, 'uplink', top, (gateway, internet) => {
    const x = centre(gateway);
    return [
      [x, gateway.y],
      [x, internet.y + internet.height],
    ];
  });
}

/** Down the trunk from the network interface, and to the pod from the left. */
function eniLines(graph: Graph, top: readonly Box[]): Line[] {
  return linesOf(graph, 'eni', top, (pod, eni) => {
    const [x, y] = [pod.x - TRUNK / 2, pod.y + pod.height / 2];
    return [
      [x, eni.y + eni.height],
      [x, y],
      [pod.x, y],
    ];
  });
}

function routeArrows(vpc: Box, graph: Graph): Line[] {
  const zones = vpc.inside.filter(({ of }) => of.kind === 'az');
  const top = Math.min(...zones.map(({ y }) => y));
  const crossing = routes(graph).filter((edge) => crosses(zones, edge));
  // Above the lanes from zone to zone, so that none of them runs through the gateway's arrowhead.
  const bus = top - GAP / 2 - crossing.length * LANE;
  return zones.flatMap((zone) => {
    const gutter = gutterOf(zone, graph);
    return routes(graph).flatMap((edge): Line[] => {
      const source = find([zone], edge.from);
      const target = find([vpc], edge.to);
      if (source === undefined || target === undefined) return [];
      const way = wayUp(zone, edge, graph);
      if (way === 'gateway') {
        const x = source.x + source.width - 24;
        return [
          {
            edge,
            points: [[x, source.y], [x, bus], ...fromBus(target, bus)],
            label: {
              x: x - 6,
              y: source.y - 8,
              anchor: 'end',
              lines: [edge.destinations.join(', ')],
            },
          },
        ];
      }
      if (way !== undefined) {
        const x = centre(way);
        const points = [
          [x, source.y],
          [x, way.y + way.height],
        ] as const;
        const lines = [edge.destinations.join(', ')];
        return [{ edge, points, label: { x: x + 6, y: source.y - 10, anchor: 'start', lines } }];
      }
      const lane = gutter.lanes.indexOf(edge);
      const x = source.x + source.width + gutter.text + (lane + 0.5) * LANE;
      const y = source.y + exitOf(gutter.lanes, edge.from, edge);
      const label: Label = {
        x: source.x + source.width + 4,
        y: y - 5,
        anchor: 'start',
        lines: edge.destinations,
      };
      const out = [
        [source.x + source.width, y],
        [x, y],
      ] as const;
      const end = zoneOf(zones, edge.to);
      if (end === undefined) {
        return [{ edge, points: [...out, [x, bus], ...fromBus(target, bus)], label }];
      }
      const below = underRow(end, target);
      const into = [
        [centre(target), below],
        [centre(target), target.y + target.height],
      ] as const;
      if (end === zone) return [{ edge, points: [...out, [x, below], ...into], label }];
      const there = gutterOf(end, graph);
      const subnet = end.inside[0] ?? end;
      const down = subnet.x + subnet.width + there.text + (there.lanes.indexOf(edge) + 0.5) * LANE;
      const across = bus + (crossing.indexOf(edge) + 1) * LANE;
      const over = [
        [x, across],
        [down, across],
        [down, below],
      ] as const;
      return [{ edge, points: [...out, ...over, ...into], label }];
    });
  });
}

function fromBus(gateway: Box, bus: number): (readonly [number, number])[] {
  const x = centre(gateway);
  return [
    [x, bus],
    [x, gateway.y + gateway.height],
  ];
}

/** In the gap under the row that the box stands in. */
function underRow(zone: Box, box: Box): number {
  const subnet = zone.inside.find(({ inside }) => inside.includes(box));
  return rowBottom(box, subnet?.inside ?? []) + GAP / 2;
}

/**
 * Where everything of a lab's picture stands: boxes in boxes, and arrows that go around them.
 *
 * The internet lies over the VPCs, which stand side by side; an internet gateway sits on its VPC's upper edge. Zones are
 * columns, their subnets stand below each other. An arrow leaves its subnet by the top where the way is free, else to
 * the right into the zone's gutter, and comes to its end from below, through the gap under that row of boxes.
 */

import type { Graph, GraphEdge, GraphGroup, GraphNode } from './graph.ts';

export interface Box {
  readonly of: GraphGroup | GraphNode;
  x: number;
  y: number;
  width: number;
  height: number;
  readonly inside: Box[];
}

export interface Line {
  readonly edge: GraphEdge;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly label: { readonly x: number; readonly y: number; readonly anchor: 'start' | 'end' };
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly title: readonly string[];
  /** The outer ones first. */
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
}

export const MARGIN = 20;
export const TEXT_HEIGHT = 16;
export const TITLE_HEIGHT = 22;
/** More than most sans-serif letters take at 12 pixels: a text must fit in whatever font there is. */
const LETTER_WIDTH = 6.9;
const TITLE_LETTER_WIDTH = 8.6;
const PADDING = 14;
const GAP = 16;
/** Between two subnets: room for an arrow and its label. */
const SUBNET_GAP = 34;
const LANE = 9;
const ROW_WIDTH = 400;
const NARROWEST = 440;

export function layOut(graph: Graph): Layout {
  const vpcs = graph.groups
    .filter(({ kind }) => kind === 'vpc')
    .map((vpc) => measureVpc(vpc, graph));
  const internets = graph.groups.filter(({ kind }) => kind === 'internet').map(measureInternet);
  const vpcsWidth = vpcs.reduce((sum, vpc) => sum + vpc.width + 2 * GAP, -2 * GAP);
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
    lines: [...cables(graph, top), ...vpcs.flatMap((vpc) => routeArrows(vpc, graph))],
  };
}

function textWidth(text: string): number {
  return text.length * LETTER_WIDTH;
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

export function textOf(of: GraphGroup | GraphNode): readonly string[] {
  return 'notes' in of ? [...of.lines, ...of.notes] : of.lines;
}

function widthOfText(of: GraphGroup | GraphNode): number {
  return Math.max(...textOf(of).map(textWidth)) + 2 * PADDING;
}

function headerHeight(of: GraphGroup): number {
  return textOf(of).length * TEXT_HEIGHT + GAP;
}

function measureNode(of: GraphNode): Box {
  const height = of.lines.length * TEXT_HEIGHT + 12;
  return { of, x: 0, y: 0, width: widthOfText(of), height, inside: [] };
}

/** Each of `rows` in as many rows as it needs. */
function measureRows(of: GraphGroup, rows: readonly (readonly Box[])[]): Box {
  let y = headerHeight(of);
  let width = widthOfText(of);
  for (const row of rows.filter((boxes) => boxes.length > 0)) {
    let x = PADDING;
    let height = 0;
    for (const box of row) {
      if (x > PADDING && x + box.width > ROW_WIDTH) {
        x = PADDING;
        y += height + GAP;
        height = 0;
      }
      moveTo(box, x, y);
      x += box.width + GAP;
      height = Math.max(height, box.height);
      width = Math.max(width, x - GAP + PADDING);
    }
    y += height + GAP;
  }
  return { of, x: 0, y: 0, width, height: y, inside: rows.flat() };
}

function measureInternet(internet: GraphGroup): Box {
  return measureRows(internet, [internet.nodes.map(measureNode)]);
}

function measureWorker(node: GraphGroup): Box {
  const boxes = node.nodes.map(measureNode);
  const isEni = ({ of }: Box): boolean => of.kind === 'eni';
  return measureRows(node, [boxes.filter(isEni), boxes.filter((box) => !isEni(box))]);
}

function measureSubnet(subnet: GraphGroup): Box {
  const boxes = subnet.nodes.map(measureNode);
  const isNat = ({ of }: Box): boolean => of.kind === 'nat';
  return measureRows(subnet, [
    [...subnet.groups.map(measureWorker), ...boxes.filter((box) => !isNat(box))],
    // At the bottom, where the arrow of the subnet below comes in.
    boxes.filter(isNat),
  ]);
}

function measureZone(az: GraphGroup, graph: Graph): Box {
  const subnets = az.groups.map(measureSubnet);
  const width = Math.max(widthOfText(az), ...subnets.map((subnet) => subnet.width));
  let y = headerHeight(az);
  for (const subnet of subnets) {
    subnet.width = width;
    moveTo(subnet, PADDING, y);
    y += subnet.height + SUBNET_GAP;
  }
  const box: Box = { of: az, x: 0, y: 0, width, height: y - SUBNET_GAP + GAP, inside: subnets };
  box.width = width + 2 * PADDING + gutterOf(box, graph).width;
  return box;
}

function measureVpc(vpc: GraphGroup, graph: Graph): Box {
  const gateways = vpc.nodes.map(measureNode);
  const zones = vpc.groups.map((az) => measureZone(az, graph));
  const gateway = gateways[0];
  const crossing = graph.edges.filter((edge) => crosses(zones, edge)).length;
  let x = PADDING;
  const y = Math.max(headerHeight(vpc), (gateway?.height ?? 0) / 2 + 2 * GAP) + crossing * LANE;
  for (const zone of zones) {
    moveTo(zone, x, y);
    x += zone.width + GAP;
  }
  // The zones of a VPC end at the same height.
  const height = Math.max(0, ...zones.map((zone) => zone.height));
  for (const zone of zones) zone.height = height;
  const width = Math.max(
    x - GAP + PADDING,
    // The title stands to the left of the gateway.
    gateway === undefined ? widthOfText(vpc) : 2 * widthOfText(vpc) + gateway.width,
  );
  const spare = (width - (x - GAP + PADDING)) / 2;
  for (const zone of zones) moveTo(zone, zone.x + Math.max(0, spare), y);
  for (const box of gateways) moveTo(box, (width - box.width) / 2, -box.height / 2);
  return {
    of: vpc,
    x: 0,
    y: 0,
    width,
    height: y + height + PADDING,
    inside: [...zones, ...gateways],
  };
}

function gatewaysOf(vpc: Box): Box[] {
  return vpc.inside.filter(({ of }) => of.kind === 'igw');
}

function moveTo(box: Box, x: number, y: number): void {
  const [right, down] = [x - box.x, y - box.y];
  for (const one of flatten(box)) {
    one.x += right;
    one.y += down;
  }
}

function flatten(box: Box): Box[] {
  return [box, ...box.inside.flatMap(flatten)];
}

function find(boxes: readonly Box[], id: string): Box | undefined {
  return boxes.flatMap(flatten).find(({ of }) => of.id === id);
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
  const leaving = graph.edges.filter(
    (edge) => find([zone], edge.from) !== undefined && wayUp(zone, edge) === undefined,
  );
  const coming = graph.edges.filter(
    ({ from, to }) => find([zone], from) === undefined && find([zone], to) !== undefined,
  );
  const text = Math.max(GAP / 2, ...leaving.map(({ label }) => textWidth(label) + GAP / 2));
  const lanes = [...leaving, ...coming];
  return { width: lanes.length === 0 ? 0 : text + lanes.length * LANE, text, lanes };
}

/**
 * Whether an arrow can leave its subnet by the top: the uppermost one's to the internet gateway, and one to what stands
 * at the bottom of the subnet right above.
 */
function wayUp(zone: Box, { from, to }: GraphEdge): 'gateway' | Box | undefined {
  const index = zone.inside.findIndex(({ of }) => of.id === from);
  const above = zone.inside[index - 1];
  if (above === undefined)
    return index === 0 && zoneOf([zone], to) === undefined && !isThing(to) ? 'gateway' : undefined;
  const target = above.inside.find(({ of }) => of.id === to);
  if (target === undefined) return undefined;
  const isLast = above.inside.every(({ y }) => y < target.y + target.height);
  return isLast ? target : undefined;
}

/** Of what a route leads to, all but the internet gateway stand in a subnet. */
function isThing(id: string): boolean {
  return /^(nat|instance|node)\//.test(id);
}

function cables(graph: Graph, top: readonly Box[]): Line[] {
  return graph.edges.flatMap((edge) => {
    const [gateway, internet] = [find(top, edge.from), find(top, edge.to)];
    if (gateway?.of.kind !== 'igw' || internet === undefined) return [];
    const x = centre(gateway);
    const points = [
      [x, gateway.y],
      [x, internet.y + internet.height],
    ] as const;
    return [{ edge, points, label: { x: x + 6, y: gateway.y - 6, anchor: 'start' as const } }];
  });
}

function centre(box: Box): number {
  return box.x + box.width / 2;
}

function routeArrows(vpc: Box, graph: Graph): Line[] {
  const zones = vpc.inside.filter(({ of }) => of.kind === 'az');
  const top = Math.min(...zones.map(({ y }) => y));
  const crossing = graph.edges.filter((edge) => crosses(zones, edge));
  // Above the lanes from zone to zone, so that none of them runs through the gateway's arrowhead.
  const bus = top - GAP / 2 - crossing.length * LANE;
  return zones.flatMap((zone) => {
    const gutter = gutterOf(zone, graph);
    return graph.edges.flatMap((edge): Line[] => {
      const source = find([zone], edge.from);
      const target = find([vpc], edge.to);
      if (source === undefined || target === undefined) return [];
      const way = wayUp(zone, edge);
      if (way === 'gateway') {
        const x = source.x + source.width - 24;
        return [
          {
            edge,
            points: [[x, source.y], [x, bus], ...fromBus(target, bus)],
            label: { x: x - 6, y: source.y - 8, anchor: 'end' },
          },
        ];
      }
      if (way !== undefined) {
        const x = centre(way);
        const points = [
          [x, source.y],
          [x, way.y + way.height],
        ] as const;
        return [{ edge, points, label: { x: x + 6, y: source.y - 10, anchor: 'start' } }];
      }
      const lane = gutter.lanes.indexOf(edge);
      const x = source.x + source.width + gutter.text + (lane + 0.5) * LANE;
      const own = gutter.lanes.filter(({ from }) => from === edge.from).indexOf(edge);
      const y = source.y + (own + 1) * (TEXT_HEIGHT + 8);
      const label = { x: source.x + source.width + 4, y: y - 5, anchor: 'start' } as const;
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
  const row = subnet?.inside.filter(({ y }) => y === box.y) ?? [box];
  return Math.max(...row.map(({ y, height }) => y + height)) + GAP / 2;
}

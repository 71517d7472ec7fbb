/**
 * A lab's picture as a Mermaid flowchart, as GitHub draws it inside Markdown.
 *
 * Everything points upwards (BT): the internet is on top, as in the drawings that AWS publishes.
 *
 * @see https://mermaid.js.org/syntax/flowchart.html
 */

import { labelOf, lineLook } from './graph-line.ts';
import { groupLook, type Look, nodeLook } from './graph-look.ts';
import type { Graph, GraphEdge, GraphGroup, GraphNode } from './graph-parts.ts';

/** Room for the lines of a group under its first: Mermaid keeps none by itself, and writes them over what is inside. */
function header(graph: Graph): string[] {
  const most = Math.max(...graph.groups.map(mostLines), ALWAYS_ROOM_FOR);
  const longest = Math.max(0, ...graph.groups.flatMap(nodesIn).flatMap(lettersOf));
  return [
    '---',
    'config:',
    '  flowchart:',
    `    subGraphTitleMargin: { top: 4, bottom: ${6 + (most - 1) * LINE_HEIGHT} }`,
    ...(longest > USUAL_LETTERS ? [`    wrappingWidth: ${longest * LETTER_WIDTH}`] : []),
    '---',
    'flowchart BT',
  ];
}

/** At Mermaid's own size of letters, in pixels. */
const LINE_HEIGHT = 24;
/** Mermaid breaks longer lines, at 200 pixels if it is told nothing, and a rule would be read as several. */
const USUAL_LETTERS = 30;
const LETTER_WIDTH = 9;
/** A subnet's two. */
const ALWAYS_ROOM_FOR = 2;

function mostLines({ lines, groups }: GraphGroup): number {
  return Math.max(lines.length, ...groups.map(mostLines));
}

function nodesIn({ nodes, groups }: GraphGroup): GraphNode[] {
  return [...nodes, ...groups.flatMap(nodesIn)];
}

function lettersOf({ lines }: GraphNode): number[] {
  return lines.map(({ length }) => length);
}

const TRANSPARENT = '#00000000';
const NOTE_STYLE = `fill:${TRANSPARENT},stroke:${TRANSPARENT}`;

/** A tint that is mostly transparent stands on a light page and on a dark one, and text keeps the page's colour. */
function styleOf(look: Look, tint: string): string {
  return [
    `fill:${look.fill === undefined ? TRANSPARENT : look.border + tint}`,
    `stroke:${look.border}`,
    ...(look.isThick === true ? ['stroke-width:2px'] : []),
    ...(look.isDashed === true ? ['stroke-dasharray:5 5'] : []),
  ].join(',');
}

const BRACKETS: Readonly<Record<Look['shape'], readonly [open: string, close: string]>> = {
  square: ['[', ']'],
  rounded: ['(', ')'],
  pill: ['([', '])'],
};

export function renderMermaid(graph: Graph): string {
  const ids = safeIds(graph);
  const id = (of: string): string => ids.get(of) ?? unknownId(of);
  const classes = new Map<string, { style: string; members: string[] }>();
  const classify = (member: string, name: string, style: string): void => {
    const entry = classes.get(name) ?? { style, members: [] };
    entry.members.push(member);
    classes.set(name, entry);
  };

  const nodeLines = (node: GraphNode): string => {
    const look = nodeLook(node.kind);
    // Rules are read one below the other.
    const align = node.kind === 'listener' ? ',text-align:left' : '';
    classify(id(node.id), node.kind.replace('-', '_'), styleOf(look, '33') + align);
    const [open, close] = BRACKETS[look.shape];
    return `${id(node.id)}${open}${label(node.lines)}${close}`;
  };
  const groupLines = (group: GraphGroup): string[] => {
    const { nodes, groups, notes } = group;
    classify(id(group.id), classOf(group), styleOf(groupLook(group.kind), '22'));
    // Mermaid draws a subgraph with nothing in it as a node.
    if (nodes.length + groups.length + notes.length === 0) {
      return [`${id(group.id)}[${label(group.lines)}]`];
    }
    const noteId = `${id(group.id)}__notes`;
    if (notes.length > 0) classify(noteId, 'note', NOTE_STYLE);
    const inside = [
      ...(notes.length > 0 ? [`${noteId}[${label(notes)}]`] : []),
      ...nodes.map(nodeLines),
      ...groups.flatMap(groupLines),
    ];
    return [
      `subgraph ${id(group.id)}[${label(group.lines)}]`,
      // Each level would turn by a quarter otherwise.
      '  direction BT',
      ...inside.map((line) => `  ${line}`),
      'end',
    ];
  };

  const body = [
    ...graph.groups.flatMap(groupLines),
    ...graph.edges.map((edge) => {
      const [below, above] = ends(edge);
      return `${id(below)} ${link(graph, edge)} ${id(above)}`;
    }),
    ...linkStyles(graph),
    ...[...classes].flatMap(([name, { style, members }]) => [
      `classDef ${name} ${style}`,
      `class ${members.join(',')} ${name}`,
    ]),
  ];
  return [...header(graph), ...body.map((line) => `  ${line}`)].join('\n');
}

/** Who is below whom. A request comes from above, and Mermaid has no arrow that points at its line's beginning. */
function ends(edge: GraphEdge): [below: string, above: string] {
  return lineLook(edge) === undefined ? [edge.from, edge.to] : [edge.to, edge.from];
}

/** What leaves its zone is longer, or its label would lie over the zone's title. */
function link(graph: Graph, edge: GraphEdge): string {
  const labels = labelOf(edge);
  if (labels.length === 0) return '---';
  const isLong = zoneOf(graph, edge.from) !== zoneOf(graph, edge.to);
  const line = edge.kind === 'route' ? (isLong ? '--->' : '-->') : isLong ? '----' : '---';
  return `${line}|${label(labels)}|`;
}

/** Mermaid counts the lines. */
function linkStyles({ edges }: Graph): string[] {
  const styles = new Map<string, number[]>();
  edges.forEach((edge, index) => {
    const look = lineLook(edge);
    if (look === undefined) return;
    const style = `stroke:${look.colour}${look.isDashed ? ',stroke-dasharray:5 5' : ''}`;
    styles.set(style, [...(styles.get(style) ?? []), index]);
  });
  return [...styles].map(([style, indices]) => `linkStyle ${indices.join(',')} ${style}`);
}

function zoneOf(graph: Graph, id: string): string | undefined {
  const holds = (group: GraphGroup): boolean =>
    group.id === id || group.nodes.some((node) => node.id === id) || group.groups.some(holds);
  return graph.groups.flatMap(({ groups }) => groups).find(holds)?.id;
}

/** Mermaid's own style sheet has a class `node`. */
function classOf({ kind }: GraphGroup): string {
  return kind === 'node' ? 'worker' : kind.replace('-', '_');
}

function label(lines: readonly string[]): string {
  return `"${lines.map(escape).join('<br/>')}"`;
}

/** Mermaid's own entities: `#` and the code. Without them a name could close the label, or be Markdown or HTML. */
function escape(text: string): string {
  return text.replaceAll(/["#&<>\\`*_[\]{}|;]/g, (found) => `#${found.charCodeAt(0)};`);
}

/** Letters, digits and `_`, and no word of Mermaid's own such as `end`: every reference has a kind before the name. */
function safeIds(graph: Graph): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  const taken = new Set<string>();
  const add = (id: string): void => {
    const plain = `_${id}`.replaceAll(/[^A-Za-z0-9]+/g, '_').replace(/^_/, '');
    let safe = plain;
    for (let number = 2; taken.has(safe); number += 1) safe = `${plain}_${number}`;
    taken.add(safe);
    ids.set(id, safe);
  };
  const walk = (group: GraphGroup): void => {
    add(group.id);
    for (const node of group.nodes) add(node.id);
    group.groups.forEach(walk);
  };
  graph.groups.forEach(walk);
  return ids;
}

function unknownId(id: string): never {
  throw new Error(`an edge names "${id}", which is not in the graph`);
}

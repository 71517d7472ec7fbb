/**
 * A lab's picture as a Mermaid flowchart, as GitHub draws it inside Markdown.
 *
 * Everything points upwards (BT): the internet is on top, as in the drawings that AWS publishes.
 *
 * @see https://mermaid.js.org/syntax/flowchart.html
 */

import type { Graph, GraphGroup, GraphNode, GroupKind, NodeKind } from './graph.ts';

/** Colours that are half transparent stand on a light page and on a dark one, and the text keeps the page's colour. */
const GROUP_CLASS: Readonly<Record<GroupKind, readonly [name: string, style: string]>> = {
  internet: ['internet', 'fill:#7d899822,stroke:#7d8998'],
  vpc: ['vpc', 'fill:#8c4fff11,stroke:#8c4fff,stroke-width:2px'],
  az: ['az', 'fill:#00000000,stroke:#7d8998,stroke-dasharray:5 5'],
  'public-subnet': ['public', 'fill:#7aa11622,stroke:#7aa116'],
  'private-subnet': ['private', 'fill:#147eba22,stroke:#147eba'],
  node: ['node', 'fill:#ed710022,stroke:#ed7100'],
};

const NODE_CLASS: Readonly<Record<NodeKind, readonly [name: string, style: string]>> = {
  host: ['host', 'fill:#7d899833,stroke:#7d8998'],
  igw: ['gateway', 'fill:#8c4fff33,stroke:#8c4fff'],
  nat: ['gateway', 'fill:#8c4fff33,stroke:#8c4fff'],
  instance: ['instance', 'fill:#ed710033,stroke:#ed7100'],
  eni: ['eni', 'fill:#ed710033,stroke:#ed7100'],
  pod: ['pod', 'fill:#326ce533,stroke:#326ce5'],
  more: ['more', 'fill:#00000000,stroke:#326ce5,stroke-dasharray:3 3'],
};

const NOTE_CLASS = ['note', 'fill:#00000000,stroke:#00000000'] as const;

export function renderMermaid(graph: Graph): string {
  const ids = safeIds(graph);
  const id = (of: string): string => ids.get(of) ?? unknownId(of);
  const classes = new Map<string, { style: string; members: string[] }>();
  const classify = (member: string, [name, style]: readonly [string, string]): void => {
    const entry = classes.get(name) ?? { style, members: [] };
    entry.members.push(member);
    classes.set(name, entry);
  };

  const nodeLines = (node: GraphNode): string => {
    classify(id(node.id), NODE_CLASS[node.kind]);
    const [open, close] = node.kind === 'igw' || node.kind === 'nat' ? ['([', '])'] : ['[', ']'];
    return `${id(node.id)}${open}${label(node.lines)}${close}`;
  };
  const groupLines = (group: GraphGroup): string[] => {
    const { nodes, groups, notes } = group;
    classify(id(group.id), GROUP_CLASS[group.kind]);
    // Mermaid draws a subgraph with nothing in it as a node.
    if (nodes.length + groups.length + notes.length === 0) {
      return [`${id(group.id)}[${label(group.lines)}]`];
    }
    const noteId = `${id(group.id)}__notes`;
    if (notes.length > 0) classify(noteId, NOTE_CLASS);
    const inside = [
      ...(notes.length > 0 ? [`${noteId}[${label(notes)}]`] : []),
      ...nodes.map(nodeLines),
      ...groups.flatMap(groupLines),
    ];
    return [
      // One line: Mermaid keeps no room for a second one, and writes it over what is inside.
      `subgraph ${id(group.id)}[${label([group.lines[0]])}]`,
      ...inside.map((line) => `  ${line}`),
      'end',
    ];
  };

  const body = [
    ...graph.groups.flatMap(groupLines),
    ...graph.edges.map(({ from, to, label: text }) =>
      text === '' ? `${id(from)} --- ${id(to)}` : `${id(from)} -->|${label([text])}| ${id(to)}`,
    ),
    ...[...classes].flatMap(([name, { style, members }]) => [
      `classDef ${name} ${style}`,
      `class ${members.join(',')} ${name}`,
    ]),
  ];
  return ['flowchart BT', ...body.map((line) => `  ${line}`)].join('\n');
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

/**
 * A lab's picture for Graphviz: `hoplab graph LAB --format dot | dot -Tpdf > lab.pdf`.
 *
 * @see https://graphviz.org/docs/attrs/lhead/ an arrow that ends at a cluster
 */

import type { Graph, GraphGroup, GraphNode, GroupKind, NodeKind } from './graph.ts';

const GROUP_STYLE: Readonly<Record<GroupKind, string>> = {
  internet: 'style="rounded,filled" color="#7d8998" fillcolor="#f4f5f7"',
  vpc: 'style="filled" color="#8c4fff" fillcolor="#ffffff" penwidth=2',
  az: 'penwidth=1 style="dashed" color="#7d8998"',
  'public-subnet': 'style="filled" color="#7aa116" fillcolor="#f2f6e8"',
  'private-subnet': 'style="filled" color="#147eba" fillcolor="#e6f2f8"',
  node: 'style="rounded,filled" color="#ed7100" fillcolor="#fdf1e6"',
};

const NODE_STYLE: Readonly<Record<NodeKind, string>> = {
  host: 'color="#7d8998"',
  igw: 'shape=box style="rounded,filled" color="#8c4fff" fillcolor="#f2ebff"',
  nat: 'shape=box style="rounded,filled" color="#8c4fff" fillcolor="#f2ebff"',
  instance: 'color="#ed7100"',
  eni: 'color="#ed7100" fillcolor="#fdf1e6"',
  pod: 'color="#326ce5"',
  more: 'style="dashed" color="#326ce5"',
};

export function renderDot(graph: Graph): string {
  const clusters = new Set<string>();
  const groupLines = (group: GraphGroup): string[] => {
    clusters.add(group.id);
    const inside = [
      // With the ranks from bottom to top, Graphviz takes a cluster's top for its bottom.
      `label=${quote([...group.lines, ...group.notes])} labelloc=b ${GROUP_STYLE[group.kind]}`,
      // Graphviz draws no empty cluster, and leads an arrow to one only by way of a node in it.
      `${quote([anchor(group.id)])} [shape=point style=invis]`,
      ...group.nodes.map(nodeLine),
      ...group.groups.flatMap(groupLines),
    ];
    return [
      `subgraph ${quote([`cluster ${group.id}`])} {`,
      ...inside.map((line) => `  ${line}`),
      '}',
    ];
  };
  const groups = graph.groups.flatMap(groupLines);
  const end = (id: string): string => quote([clusters.has(id) ? anchor(id) : id]);
  const edges = graph.edges.map(({ from, to, label }) => {
    const attributes = [
      ...(clusters.has(from) ? [`ltail=${quote([`cluster ${from}`])}`] : []),
      ...(clusters.has(to) ? [`lhead=${quote([`cluster ${to}`])}`] : []),
      label === '' ? 'dir=none' : `label=${quote([label])}`,
    ];
    return `${end(from)} -> ${end(to)} [${attributes.join(' ')}]`;
  });
  return [
    `digraph ${quote([graph.lab])} {`,
    `  label=${quote([graph.title])} labelloc=t rankdir=BT compound=true fontname="Helvetica" fontsize=12`,
    '  node [shape=box style="filled" fillcolor="#ffffff" fontname="Helvetica" fontsize=11]',
    '  edge [fontname="Helvetica" fontsize=10 color="#545b64"]',
    ...[...groups, ...edges].map((line) => `  ${line}`),
    '}',
  ].join('\n');
}

function nodeLine(node: GraphNode): string {
  return `${quote([node.id])} [label=${quote(node.lines)} ${NODE_STYLE[node.kind]}]`;
}

function anchor(id: string): string {
  return `${id} anchor`;
}

/** A quoted string; the lines are joined by the escape `\n`, and a backslash of the text's own is none. */
function quote(lines: readonly string[]): string {
  const escaped = lines.map((line) => line.replaceAll('\\', '\\\\').replaceAll('"', '\\"'));
  return `"${escaped.join('\\n')}"`;
}

/**
 * A lab's picture for Graphviz: `hoplab graph LAB --format dot | dot -Tpdf > lab.pdf`.
 *
 * @see https://graphviz.org/docs/attrs/lhead/ an arrow that ends at a cluster
 */

import { groupLook, type Look, nodeLook, PAGE } from './graph-look.ts';
import type { Graph, GraphGroup, GraphNode } from './graph.ts';

function styleOf({ shape, border, fill, isDashed, isThick }: Look): string {
  const style = [
    ...(fill === undefined ? [] : ['filled']),
    ...(shape === 'square' ? [] : ['rounded']),
    ...(isDashed === true ? ['dashed'] : []),
  ].join(',');
  return [
    `style="${style}" color="${border}"`,
    ...(fill === undefined ? [] : [`fillcolor="${fill.light}"`]),
    // Said always: a cluster takes over what the one around it says.
    `penwidth=${isThick === true ? 2 : 1}`,
  ].join(' ');
}

export function renderDot(graph: Graph): string {
  const clusters = new Set<string>();
  const groupLines = (group: GraphGroup): string[] => {
    clusters.add(group.id);
    const inside = [
      // With the ranks from bottom to top, Graphviz takes a cluster's top for its bottom.
      `label=${quote([...group.lines, ...group.notes])} labelloc=b ${styleOf(groupLook(group.kind))}`,
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
  const edges = graph.edges.map(({ kind, from, to, destinations }) => {
    const attributes = [
      ...(clusters.has(from) ? [`ltail=${quote([`cluster ${from}`])}`] : []),
      ...(clusters.has(to) ? [`lhead=${quote([`cluster ${to}`])}`] : []),
      kind !== 'route' ? 'dir=none' : `label=${quote(destinations)}`,
    ];
    return `${end(from)} -> ${end(to)} [${attributes.join(' ')}]`;
  });
  return [
    `digraph ${quote([graph.lab])} {`,
    `  label=${quote([graph.title])} labelloc=t rankdir=BT compound=true bgcolor="${PAGE.light}" fontname="Helvetica" fontsize=12`,
    '  node [shape=box fontname="Helvetica" fontsize=11]',
    '  edge [fontname="Helvetica" fontsize=10 color="#545b64"]',
    ...[...groups, ...edges].map((line) => `  ${line}`),
    '}',
  ].join('\n');
}

function nodeLine(node: GraphNode): string {
  return `${quote([node.id])} [label=${quote(node.lines)} ${styleOf(nodeLook(node.kind))}]`;
}

function anchor(id: string): string {
  return `${id} anchor`;
}

/** A quoted string; the lines are joined by the escape `\n`, and a backslash of the text's own is none. */
function quote(lines: readonly string[]): string {
  const escaped = lines.map((line) => line.replaceAll('\\', '\\\\').replaceAll('"', '\\"'));
  return `"${escaped.join('\\n')}"`;
}

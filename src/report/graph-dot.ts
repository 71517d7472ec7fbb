/**
 * A lab's picture for Graphviz: `hoplab graph LAB --format dot | dot -Tpdf > lab.pdf`.
 *
 * @see https://graphviz.org/docs/attrs/lhead/ an arrow that ends at a cluster
 */

import { labelOf, lineLook } from './graph-line.ts';
import { groupLook, type Look, nodeLook, PAGE } from './graph-look.ts';
import type { Graph, GraphGroup, GraphNode } from './graph-parts.ts';

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
  const edges = graph.edges.map((edge) => {
    const look = lineLook(edge);
    // A request comes from above, and ranks go upwards: its line is drawn from its end to its beginning.
    const [tail, head] = look === undefined ? [edge.from, edge.to] : [edge.to, edge.from];
    const labels = labelOf(edge);
    const attributes = [
      ...(clusters.has(tail) ? [`ltail=${quote([`cluster ${tail}`])}`] : []),
      ...(clusters.has(head) ? [`lhead=${quote([`cluster ${head}`])}`] : []),
      ...(look === undefined ? [] : [`dir=back color="${look.colour}"`]),
      ...(look?.isDashed === true ? ['style=dashed'] : []),
      ...(look === undefined && edge.kind !== 'route' ? ['dir=none'] : []),
      ...(labels.length === 0 ? [] : [`label=${quote(labels)}`]),
    ];
    return `${end(tail)} -> ${end(head)} [${attributes.join(' ')}]`;
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
  // Rules are read one below the other.
  const end = node.kind === 'listener' ? '\\l' : undefined;
  return `${quote([node.id])} [label=${quote(node.lines, end)} ${styleOf(nodeLook(node.kind))}]`;
}

function anchor(id: string): string {
  return `${id} anchor`;
}

/**
 * A quoted string. The lines are joined by the escape `\n`, or each ends with `\l`, which also moves it to the left; a
 * backslash of the text's own is none.
 */
function quote(lines: readonly string[], end?: string): string {
  const escaped = lines.map((line) => line.replaceAll('\\', '\\\\').replaceAll('"', '\\"'));
  const text = end === undefined ? escaped.join('\\n') : escaped.map((line) => line + end).join('');
  return `"${text}"`;
}

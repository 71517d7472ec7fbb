/**
 * A lab's picture as SVG, drawn without any other program.
 *
 * It brings its own ground, so that it can be read on any page, and follows the reader's light or dark.
 */

import {
  type Box,
  layOut,
  type Line,
  MARGIN,
  TEXT_HEIGHT,
  textOf,
  TITLE_HEIGHT,
} from './graph-layout.ts';
import type { Graph } from './graph.ts';

const STYLE = `
  text { font: 12px Helvetica, Arial, sans-serif; fill: #16191f }
  .title { font-size: 16px; font-weight: bold }
  .name { font-weight: bold }
  .label { font-size: 11px; fill: #545b64 }
  rect { fill: #ffffff; stroke: #7d8998 }
  .ground { stroke: none }
  .internet { fill: #f4f5f7 }
  .vpc { stroke: #8c4fff; stroke-width: 2 }
  .az { fill: none; stroke-dasharray: 6 4 }
  .public-subnet { fill: #f2f6e8; stroke: #7aa116 }
  .private-subnet { fill: #e6f2f8; stroke: #147eba }
  .node { fill: #fdf1e6; stroke: #ed7100 }
  .instance, .eni { stroke: #ed7100 }
  .igw, .nat { stroke: #8c4fff; stroke-width: 2 }
  .pod, .more { stroke: #326ce5 }
  .more { stroke-dasharray: 3 3 }
  path { fill: none; stroke: #545b64; stroke-width: 1.5 }
  .head { fill: #545b64; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e9ebed }
    .label { fill: #b6bec9 }
    rect { fill: #16191f }
    .internet { fill: #21252c }
    .public-subnet { fill: #232b12 }
    .private-subnet { fill: #10293a }
    .node { fill: #362310 }
    path { stroke: #b6bec9 }
    .head { fill: #b6bec9 }
  }`;

/** How round the corners are: AWS draws borders of places square, and Kubernetes' and gateways are round here. */
const CORNER: Partial<Record<Box['of']['kind'], number>> = {
  internet: 12,
  node: 6,
  pod: 6,
  more: 6,
  igw: 16,
  nat: 16,
  host: 6,
};

export function renderSvg(graph: Graph): string {
  const { width, height, title, boxes, lines } = layOut(graph);
  const isGateway = ({ of }: Box): boolean => of.kind === 'igw';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(graph.title)}</title>`,
    `<style>${STYLE}\n</style>`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>',
    `<rect class="ground" width="${width}" height="${height}" rx="8"/>`,
    ...title.map((line, index) =>
      text('title', MARGIN, MARGIN + index * TITLE_HEIGHT + TITLE_HEIGHT / 2, line),
    ),
    ...boxes.filter((box) => !isGateway(box)).flatMap(drawBox),
    ...lines.map(drawLine),
    // An internet gateway sits on the edge of its VPC, over all that comes to it.
    ...boxes.filter(isGateway).flatMap(drawBox),
    ...lines.flatMap(drawLabel),
    '</svg>',
  ].join('\n');
}

function drawBox({ of, x, y, width, height }: Box): string[] {
  const corner = CORNER[of.kind];
  const round = corner === undefined ? '' : ` rx="${corner}"`;
  const isGroup = 'groups' in of;
  return [
    `<rect class="${of.kind}" x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"${round}/>`,
    ...textOf(of).map((line, index) => {
      const kind = index === 0 ? 'name' : '';
      const down = y + (index + 1) * TEXT_HEIGHT + (isGroup ? 4 : 2);
      return isGroup
        ? text(kind, x + 12, down, line)
        : text(kind, x + width / 2, down, line, 'middle');
    }),
  ];
}

function drawLine({ edge, points }: Line): string {
  const path = points
    .map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${short(x)} ${short(y)}`)
    .join('');
  return `<path d="${path}"${edge.label === '' ? '' : ' marker-end="url(#arrow)"'}/>`;
}

function drawLabel({ edge, label }: Line): string[] {
  return edge.label === '' ? [] : [text('label', label.x, label.y, edge.label, label.anchor)];
}

function text(kind: string, x: number, y: number, words: string, anchor = 'start'): string {
  const classes = kind === '' ? '' : ` class="${kind}"`;
  const anchored = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
  return `<text${classes} x="${short(x)}" y="${short(y)}"${anchored}>${escape(words)}</text>`;
}

/** A tenth of a pixel is enough. */
function short(number: number): string {
  return String(Math.round(number * 10) / 10);
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

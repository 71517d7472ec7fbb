/**
 * A lab's picture as SVG, drawn without any other program.
 *
 * It brings its own ground, so that it can be read on any page, and follows the reader's light or dark.
 */

import { type Box, type Line, TEXT_HEIGHT, textOf } from './graph-box.ts';
import { layOut, MARGIN, TITLE_HEIGHT } from './graph-layout.ts';
import { lineLook } from './graph-line.ts';
import { groupLook, type Look, nodeLook, PAGE } from './graph-look.ts';
import type { Graph, GraphEdge } from './graph-parts.ts';

const TEXT = { light: '#16191f', dark: '#e9ebed' };
const LINE = { light: '#545b64', dark: '#b6bec9' };

/** Only what is drawn has its rules. */
function styleSheet(looks: ReadonlyMap<string, Look>, lines: readonly Line[]): string {
  const kinds = [...looks].map(([kind, { border, fill, isDashed, isThick }]) => {
    const parts = [
      `fill: ${fill?.light ?? 'none'}; stroke: ${border}`,
      ...(isThick === true ? ['stroke-width: 2'] : []),
      ...(isDashed === true ? ['stroke-dasharray: 6 4'] : []),
    ];
    return `.${kind} { ${parts.join('; ')} }`;
  });
  const darkKinds = [...looks].flatMap(([kind, { fill }]) =>
    fill === undefined ? [] : [`.${kind} { fill: ${fill.dark} }`],
  );
  return [
    `text { font: 12px Helvetica, Arial, sans-serif; fill: ${TEXT.light} }`,
    '.title { font-size: 16px; font-weight: bold }',
    '.name { font-weight: bold }',
    // Its own ground around it, where a line runs behind it.
    `.label { font-size: 11px; fill: ${LINE.light}; stroke: ${PAGE.light}; stroke-width: 4; paint-order: stroke }`,
    `.ground { fill: ${PAGE.light} }`,
    `path { fill: none; stroke: ${LINE.light}; stroke-width: 1.5 }`,
    '.to-eni { stroke-width: 1 }',
    `.head { fill: ${LINE.light}; stroke: none }`,
    ...requestStyles(lines),
    ...kinds,
    '@media (prefers-color-scheme: dark) {',
    ...[
      `text { fill: ${TEXT.dark} }`,
      `.label { fill: ${LINE.dark}; stroke: ${PAGE.dark} }`,
      `.ground { fill: ${PAGE.dark} }`,
      `path { stroke: ${LINE.dark} }`,
      `.head { fill: ${LINE.dark} }`,
      ...darkKinds,
    ].map((line) => `  ${line}`),
    '}',
  ]
    .map((line) => `  ${line}`)
    .join('\n');
}

/** On a light page and on a dark one alike. */
function requestStyles(lines: readonly Line[]): string[] {
  const looks = new Map(lines.map(({ edge }) => [lineClassOf(edge), lineLook(edge)]));
  return [...looks].flatMap(([name, look]) =>
    look === undefined
      ? []
      : [
          `path.${name} { stroke: ${look.colour}${look.isDashed ? '; stroke-dasharray: 6 4' : ''} }`,
          `path.${name}-head { fill: ${look.colour}; stroke: none }`,
        ],
  );
}

/** What the style sheet has a line of its own for. */
function lineClassOf(edge: GraphEdge): string {
  if (lineLook(edge) === undefined) return edge.kind === 'eni' ? 'to-eni' : '';
  return lineLook(edge)?.isDashed === true ? 'unwell' : 'request';
}

function marker(id: string, head: string): string {
  return `<marker id="${id}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path class="${head}" d="M0 0L8 4L0 8z"/></marker>`;
}

const CORNER: Readonly<Record<Look['shape'], number>> = { square: 0, rounded: 6, pill: 16 };

function lookOf({ of }: Box): Look {
  return 'groups' in of ? groupLook(of.kind) : nodeLook(of.kind);
}

/** A group and a node may be of kinds with the same name. */
function classOf({ of }: Box): string {
  return 'groups' in of ? `${of.kind}-group` : of.kind;
}

export function renderSvg(graph: Graph): string {
  const { width, height, title, boxes, lines } = layOut(graph);
  const isGateway = ({ of }: Box): boolean => of.kind === 'igw';
  const looks = new Map(boxes.map((box) => [classOf(box), lookOf(box)]));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(graph.title)}</title>`,
    `<style>\n${styleSheet(looks, lines)}\n</style>`,
    `<defs>${markers(lines)}</defs>`,
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

function markers(lines: readonly Line[]): string {
  const requests = lines.filter(({ edge }) => lineLook(edge) !== undefined);
  const names = new Set(requests.map(({ edge }) => lineClassOf(edge)));
  return [
    marker('arrow', 'head'),
    ...[...names].map((name) => marker(`arrow-${name}`, `${name}-head`)),
  ].join('');
}

function drawBox(box: Box): string[] {
  const { of, x, y, width, height } = box;
  const corner = CORNER[lookOf(box).shape];
  const round = corner === 0 ? '' : ` rx="${corner}"`;
  const isGroup = 'groups' in of;
  // Rules are read one below the other.
  const isLeft = isGroup || of.kind === 'listener';
  return [
    `<rect class="${classOf(box)}" x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"${round}/>`,
    ...textOf(of).map((line, index) => {
      const kind = index === 0 ? 'name' : '';
      const down = y + (index + 1) * TEXT_HEIGHT + (isGroup ? 4 : 2);
      return isLeft
        ? text(kind, x + 12, down, line)
        : text(kind, x + width / 2, down, line, 'middle');
    }),
  ];
}

function drawLine({ edge, points }: Line): string {
  const path = points
    .map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${short(x)} ${short(y)}`)
    .join('');
  const name = lineClassOf(edge);
  const kind = name === '' ? '' : ` class="${name}"`;
  const head = edge.kind === 'route' ? 'arrow' : `arrow-${name}`;
  const isArrow = edge.kind !== 'eni' && edge.kind !== 'uplink';
  return `<path${kind} d="${path}"${isArrow ? ` marker-end="url(#${head})"` : ''}/>`;
}

function drawLabel({ label }: Line): string[] {
  if (label === undefined) return [];
  const { x, y, anchor, lines } = label;
  return lines.map((line, index) => {
    const up = (lines.length - 1 - index) * TEXT_HEIGHT;
    return text('label', x, y - up, line, anchor);
  });
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

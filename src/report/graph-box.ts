/** Boxes of a picture, with what is in them, and how much room their words need. */

import type { GraphEdge, GraphGroup, GraphNode } from './graph-parts.ts';

export const TEXT_HEIGHT = 16;
/** More than most sans-serif letters take at 12 pixels: a text must fit in whatever font there is. */
const LETTER_WIDTH = 6.9;
export const PADDING = 14;
export const GAP = 16;
export const LANE = 9;

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
  /** Where the last line of the edge's label stands, if it has one. */
  readonly label: Label | undefined;
}

export interface Label {
  readonly x: number;
  readonly y: number;
  readonly anchor: 'start' | 'end';
  readonly lines: readonly string[];
}

export function textWidth(text: string): number {
  return text.length * LETTER_WIDTH;
}

export function textOf(of: GraphGroup | GraphNode): readonly string[] {
  return 'notes' in of ? [...of.lines, ...of.notes] : of.lines;
}

export function widthOfText(of: GraphGroup | GraphNode): number {
  return Math.max(...textOf(of).map(textWidth)) + 2 * PADDING;
}

export function headerHeight(of: GraphGroup): number {
  return textOf(of).length * TEXT_HEIGHT + GAP;
}

export function measureNode(of: GraphNode): Box {
  const height = of.lines.length * TEXT_HEIGHT + 12;
  return { of, x: 0, y: 0, width: widthOfText(of), height, inside: [] };
}

/** Boxes that stay together when rows are broken; they stand where they would if the block were at 0, 0. */
export interface Block {
  readonly boxes: readonly Box[];
  readonly width: number;
  readonly height: number;
}

export function blockOf(...boxes: Box[]): Block {
  return {
    boxes,
    width: Math.max(0, ...boxes.map(({ x, width }) => x + width)),
    height: Math.max(0, ...boxes.map(({ y, height }) => y + height)),
  };
}

/** Room for lines, beside what there always is: to the left, between two blocks, under each row. */
export interface Room {
  readonly beside: number;
  readonly below: number;
}

/** Each of `rows` in as many rows as it needs. */
export function measureRows(
  of: GraphGroup,
  rows: readonly (readonly Block[])[],
  rowWidth: number,
  { beside, below }: Room = { beside: 0, below: 0 },
): Box {
  const left = PADDING + beside;
  let y = headerHeight(of);
  let width = widthOfText(of);
  for (const row of rows.filter((blocks) => blocks.length > 0)) {
    let x = left;
    let height = 0;
    for (const block of row) {
      if (x > left && x + block.width + PADDING > rowWidth) {
        x = left;
        y += height + GAP + below;
        height = 0;
      }
      for (const box of block.boxes) moveTo(box, x + box.x, y + box.y);
      width = Math.max(width, x + block.width + PADDING);
      x += block.width + GAP + beside;
      height = Math.max(height, block.height);
    }
    y += height + GAP + below;
  }
  const inside = rows.flat().flatMap(({ boxes }) => boxes);
  return { of, x: 0, y: 0, width, height: y, inside };
}

export function moveTo(box: Box, x: number, y: number): void {
  const [right, down] = [x - box.x, y - box.y];
  for (const one of flatten(box)) {
    one.x += right;
    one.y += down;
  }
}

export function flatten(box: Box): Box[] {
  return [box, ...box.inside.flatMap(flatten)];
}

export function find(boxes: readonly Box[], id: string): Box | undefined {
  return boxes.flatMap(flatten).find(({ of }) => of.id === id);
}

export function centre(box: Box): number {
  return box.x + box.width / 2;
}

/** How far down the row reaches in which a box stands among `others`. */
export function rowBottom(box: Box, others: readonly Box[]): number {
  const row = others.filter(({ y }) => y === box.y);
  return Math.max(...[box, ...row].map(({ y, height }) => y + height));
}

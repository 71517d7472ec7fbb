/** How the lines of a picture look, and what stands at them. */

import { PURPLE, RED } from './graph-look.ts';
import type { GraphEdge } from './graph-parts.ts';
import { HEALTHY } from './target-words.ts';

/** What stands at a line: the destinations of a route, the port of a target and how it is. */
export function labelOf({ destinations, port, health }: GraphEdge): readonly string[] {
  if (port === undefined) return destinations;
  return [health === undefined ? `${port}` : `${port} ${health}`];
}

/** The line that a request takes, and one to somebody who is not well; undefined for one that has the page's own look. */
export function lineLook({
  kind,
  health = HEALTHY,
}: GraphEdge): { readonly colour: string; readonly isDashed: boolean } | undefined {
  if (kind !== 'balancer' && kind !== 'forward' && kind !== 'target') return undefined;
  const isDashed = health !== HEALTHY;
  return { colour: isDashed ? RED : PURPLE, isDashed };
}

/** What bringing a lab up has done. */

import type { Step } from '../kernel/diff.ts';
import { withoutImplied } from './implied.ts';
import { renderSeconds } from './age.ts';
import { count, PLAIN, type Style } from './style.ts';

export interface Tally {
  readonly add: number;
  readonly change: number;
  readonly remove: number;
}

export function tally(steps: readonly Step[]): Tally {
  const shown = withoutImplied(steps);
  const of = (action: Step['action']): number =>
    shown.filter((step) => step.action === action).length;
  return { add: of('add'), change: of('change'), remove: of('remove') };
}

/** One line: built, changed, or nothing to do. */
export function renderConverged(
  name: string,
  converged: { readonly wasUp: boolean; readonly steps: readonly Step[]; readonly ms: number },
  style: Style = PLAIN,
): string {
  const { wasUp, steps, ms } = converged;
  const lab = style.bold(name);
  if (steps.length === 0) return `${lab} was up already; nothing to change`;
  const { add, change, remove } = tally(steps);
  const all = count(add + change + remove, 'object');
  if (!wasUp) return `${lab} is up: built ${all} in ${renderSeconds(ms)}`;
  const kinds = (
    [
      [add, 'added'],
      [change, 'replaced'],
      [remove, 'removed'],
    ] as const
  ).filter(([number]) => number > 0);
  const what = kinds.map(([number, verb]) => `${number} ${verb}`).join(', ');
  return `${lab} was up; changed ${all} in ${renderSeconds(ms)} (${what})`;
}

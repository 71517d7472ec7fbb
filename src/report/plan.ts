/** What would be done, one line an object, under the network namespace that it belongs to. */

import type { Step } from '../kernel/diff.ts';
import { tally } from './converged.ts';
import { withoutImplied } from './implied.ts';
import { homeOf, renderObject } from './object.ts';
import { PLAIN, type Style } from './style.ts';

const SIGN = { add: '+', change: '~', remove: '-' } as const;
/** A longer line pushes its cause to the right alone, not those of all others. */
const CAUSE_COLUMN = 72;

export function renderPlan(
  name: string,
  steps: readonly Step[],
  isUp: boolean,
  style: Style = PLAIN,
): string {
  const { add, change, remove } = tally(steps);
  const numbers = `${add} to add, ${change} to change, ${remove} to remove`;
  const summary =
    steps.length === 0
      ? `${name} is up; nothing to change`
      : `${name}: ${numbers} (${isUp ? 'against the lab that is up' : 'it is not up'})`;
  const groups = new Map<string, Step[]>();
  for (const step of withoutImplied(steps)) {
    const home = homeOf(step.planned.object);
    const group = groups.get(home);
    if (group === undefined) groups.set(home, [step]);
    else group.push(step);
  }
  const parts = [...groups]
    .sort(([one], [other]) => (one === other ? 0 : one < other ? -1 : 1))
    .map(([netns, list]) => {
      const title = netns === '' ? 'the whole sandbox' : `netns ${netns}`;
      return [style.bold(title), ...list.map((step) => renderStep(step, style))].join('\n');
    });
  return [...parts, style.bold(summary)].join('\n\n');
}

function renderStep({ action, planned }: Step, style: Style): string {
  const paint = { add: style.green, change: style.yellow, remove: style.red }[action];
  const text = `${SIGN[action]} ${renderObject(planned.object)}`;
  const { thing, concept } = planned.because;
  return `  ${paint(text.padEnd(CAUSE_COLUMN))}  ${style.dim(`${thing} (${concept})`)}`;
}

import t from 'tap';

import { because } from '../../src/base/because.ts';
import { netnsName } from '../../src/base/names.ts';
import type { Step } from '../../src/kernel/diff.ts';
import { renderConverged } from '../../src/report/converged.ts';
import { renderPlan } from '../../src/report/plan.ts';

const netns = netnsName('node-1');
const why = because('node', 'node/node-1');
const add: Step = {
  action: 'add',
  planned: { object: { kind: 'netns', netns }, because: why },
};
const remove: Step = {
  action: 'remove',
  planned: { object: { kind: 'rule', netns, priority: 512, table: 254 }, because: why },
};

t.test('a plan is grouped by netns, each line with its cause', async (t) => {
  const text = renderPlan('x', [add, remove], true);
  t.strictSame(
    text.split('\n').map((line) => line.replaceAll(/ {2,}/g, '  ')),
    [
      'netns node-1',
      '  + netns node-1  node/node-1 (node)',
      '  - rule priority 512 lookup main  node/node-1 (node)',
      '',
      'x: 1 to add, 0 to change, 1 to remove (against the lab that is up)',
    ],
  );
  t.equal(renderPlan('x', [], true), 'x is up; nothing to change');
});

t.test('up says whether it built, changed, or found all as it should be', async (t) => {
  const say = (wasUp: boolean, steps: readonly Step[]): string =>
    renderConverged('x', { wasUp, steps, ms: 300 });
  t.equal(say(false, [add]), 'x is up: built 1 object in 0.3 s');
  t.equal(say(true, []), 'x was up already; nothing to change');
  t.equal(say(true, [add, remove]), 'x was up; changed 2 objects in 0.3 s (1 added, 1 removed)');
});

/** Whom a label selector means. */

import t from 'tap';

import { type LabelSelector, matchesSelector } from '../../src/k8s/selector.ts';

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

const LABELS = { app: 'web', tier: '' };

/** An expression, and whether it holds for LABELS. */
const EXPRESSIONS: readonly (readonly [expression: Expression, holds: boolean])[] = [
  [{ key: 'app', operator: 'In', values: ['api', 'web'] }, true],
  [{ key: 'app', operator: 'In', values: ['api'] }, false],
  [{ key: 'old', operator: 'In', values: ['web', ''] }, false],
  [{ key: 'app', operator: 'NotIn', values: ['api'] }, true],
  [{ key: 'app', operator: 'NotIn', values: ['api', 'web'] }, false],
  [{ key: 'old', operator: 'NotIn', values: ['web', ''] }, true],
  [{ key: 'tier', operator: 'In', values: [''] }, true],
  [{ key: 'tier', operator: 'Exists' }, true],
  [{ key: 'tier', operator: 'DoesNotExist' }, false],
  [{ key: 'old', operator: 'Exists' }, false],
  [{ key: 'old', operator: 'DoesNotExist' }, true],
  // What each object of JavaScript has is no label of it.
  [{ key: 'constructor', operator: 'Exists' }, false],
  [{ key: 'toString', operator: 'DoesNotExist' }, true],
  [{ key: 'valueOf', operator: 'NotIn', values: ['a'] }, true],
];

for (const [expression, holds] of EXPRESSIONS) {
  const { key, operator, values } = expression;
  t.test(`${key} ${operator} ${(values ?? []).join(' ')}`, async (t) => {
    const selector = { matchLabels: {}, matchExpressions: [expression] };
    t.equal(matchesSelector(selector, LABELS), holds);
  });
}

t.test('all conditions must hold, and no condition is everybody', async (t) => {
  t.ok(matchesSelector({ matchLabels: {} }, {}));
  t.ok(matchesSelector({ matchLabels: {}, matchExpressions: [] }, LABELS));
  t.notOk(matchesSelector({ matchLabels: { app: 'web', old: '' } }, LABELS));
  const isApi: Expression = { key: 'app', operator: 'In', values: ['api'] };
  t.notOk(matchesSelector({ matchLabels: { tier: '' }, matchExpressions: [isApi] }, LABELS));
});

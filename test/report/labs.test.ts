import t from 'tap';

import { renderAge, renderSeconds } from '../../src/report/age.ts';
import { questionOf, renderLabsUp } from '../../src/report/labs.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

t.test('the age of a lab is said in the largest unit', async (t) => {
  const age = (seconds: number): string =>
    renderAge(new Date(NOW - seconds * 1000).toISOString(), NOW);
  t.strictSame([-3, 0, 4, 42, 180, 7300, 200_000].map(age), [
    'just now',
    'just now',
    'just now',
    '42 s ago',
    '3 min ago',
    '2 h ago',
    '2 d ago',
  ]);
  t.equal(renderAge('', NOW), '?');
});

t.test('short times keep a digit', async (t) => {
  t.strictSame([41, 312, 2345, 12_345].map(renderSeconds), ['0.04 s', '0.3 s', '2.3 s', '12 s']);
});

t.test('ps says how to start a lab when none is up, and marks one that was cut off', async (t) => {
  t.equal(renderLabsUp([], NOW), 'no lab is up; start one: npx hoplab scenario-4');
  const since = '2026-01-01T11:57:00Z';
  const lab = { name: 'x', directory: '/x', since, nodes: 2, pods: 3, netns: 6, pid: 7 };
  t.match(renderLabsUp([{ ...lab, state: '' }], NOW), /\nx +3 min ago +2 +3 +6 +7 +\/x$/);
  t.match(
    renderLabsUp([{ ...lab, state: 'cut off in mid-change' }], NOW),
    '3 min ago (cut off in mid-change)',
  );
});

t.test('the question of a lab is found in whatever way YAML lets one write it', async (t) => {
  t.equal(questionOf('question: How far?\nvpcs: {}\n'), 'How far?');
  t.equal(questionOf('# x\nquestion: "How: far?"\n'), 'How: far?');
  t.equal(questionOf('question: >-\n  How\n  far?\nvpcs:\n  main:\n'), 'How far?');
  t.equal(questionOf('question: How\n  far?\n'), 'How far?');
  t.equal(questionOf('vpcs: {}\n'), undefined);
});

import t from 'tap';

import { Reorder } from '../../src/observe/reorder.ts';

t.test('what several captures report comes out in one order of time', async (t) => {
  const reorder = new Reorder<string>();
  for (const [time, item] of [
    [3n, 'c'],
    [5n, 'e'],
    [1n, 'a'],
    [4n, 'd'],
    [2n, 'b'],
  ] as const) {
    reorder.push(time, item);
  }
  t.strictSame(reorder.release(3n), ['a', 'b', 'c']);
  t.strictSame(reorder.release(3n), []);
  t.strictSame(reorder.flush(), ['d', 'e']);
  t.strictSame(reorder.flush(), []);
});

t.test('of two at the same time the one that was reported first comes first', async (t) => {
  const reorder = new Reorder<string>();
  for (const item of ['a', 'b', 'c']) reorder.push(1n, item);
  t.strictSame(reorder.flush(), ['a', 'b', 'c']);
});

t.test('what comes too late is passed on all the same', async (t) => {
  const reorder = new Reorder<string>();
  reorder.push(2n, 'b');
  t.strictSame(reorder.release(9n), ['b']);
  reorder.push(1n, 'a');
  t.strictSame(reorder.release(9n), ['a']);
});

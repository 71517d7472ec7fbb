import t from 'tap';

import { named, parseDurationMs } from '../../src/source/scalar.ts';
import * as z from 'zod';

t.test('a duration is a number and its unit', async (t) => {
  const cases: Record<string, number | undefined> = {
    '300ms': 300,
    '5s': 5000,
    '1.5s': 1500,
    '6m': 360_000,
    '1h': 3_600_000,
    '0s': 0,
    '5': undefined,
    '5 s': undefined,
    '-5s': undefined,
    '1h30m': undefined,
    '.5s': undefined,
    '': undefined,
  };
  t.strictSame(
    Object.fromEntries(Object.keys(cases).map((text) => [text, parseDurationMs(text)])),
    cases,
  );
});

t.test('a name: 63 characters, a letter or digit at both ends', async (t) => {
  const takes = (name: string): boolean => named(z.number()).safeParse({ [name]: 1 }).success;
  t.strictSame(['a', 'example.com', 'A_1-b', 'x'.repeat(63)].map(takes), [true, true, true, true]);
  t.strictSame(['', '-a', 'a-', 'a b', 'a/b', "a'b", 'x'.repeat(64)].map(takes), [
    false,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
});

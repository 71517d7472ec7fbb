import t from 'tap';
import * as z from 'zod';

import { Diagnostics, renderDiagnostic } from '../../src/base/diagnostic.ts';
import { parsed, readWith } from '../../src/source/schema.ts';
import { readYaml } from '../../src/source/yaml.ts';

const even = parsed(
  (text) => (Number(text) % 2 === 0 ? Number(text) : undefined),
  'not-even',
  'an even number',
  'write it like 42',
  /^\d+$/,
);
const schema = z.strictObject({ size: even.optional(), count: even, names: z.array(z.string()) });

function read(text: string): [unknown, string[]] {
  const diagnostics = new Diagnostics();
  const [tree] = readYaml('f', text, diagnostics);
  const value = tree === undefined ? undefined : readWith(schema, tree, diagnostics);
  return [value, diagnostics.list.map(renderDiagnostic)];
}

t.test('a document that fits is the value that the schema makes of it', async (t) => {
  t.strictSame(read('count: "4"\nnames: [a]\n'), [{ count: 4, names: ['a'] }, []]);
});

t.test('every problem is reported at once, each at its place', async (t) => {
  t.strictSame(read('size: 3\nnmaes: [a]\nnames: [1, a, true]\n'), [
    undefined,
    [
      'f:1:7: error[not-even]: size: 3 is not an even number\n  hint: write it like 42',
      'f:1:1: error[missing-key]: this file lacks "count"\n  hint: give an even number for "count"',
      'f:3:9: error[wrong-type]: names.0 is 1, not a text\n  hint: write it in quotes: "1"',
      'f:3:15: error[wrong-type]: names.2 is true, not a text\n  hint: write it in quotes: "true"',
      'f:2:1: error[unknown-key]: unknown key "nmaes"\n  hint: did you mean "names"?',
    ],
  ]);
});

t.test('a text that does not parse says what is expected', async (t) => {
  t.strictSame(read('count: "3"\nnames: []\n')[1], [
    'f:1:8: error[not-even]: count: "3" is not an even number\n  hint: write it like 42',
  ]);
});

import t from 'tap';

import {
  Diagnostics,
  InputError,
  nearest,
  renderDiagnostic,
  sortDiagnostics,
  suggest,
} from '../../src/base/diagnostic.ts';

const at = (file: string, line: number, column: number) => ({ file, line, column });

t.test('a diagnostic is its place, its code, what is wrong, and how to mend it', async (t) => {
  const diagnostics = new Diagnostics();
  diagnostics.error('no-such-thing', at('lab.yaml', 3, 7), 'there is none', 'make one');
  diagnostics.warning('not-run', undefined, 'it is not run');
  t.strictSame(diagnostics.list.map(renderDiagnostic), [
    'lab.yaml:3:7: error[no-such-thing]: there is none\n  hint: make one',
    'warning[not-run]: it is not run',
  ]);
});

t.test('a warning alone is no error', async (t) => {
  const diagnostics = new Diagnostics();
  diagnostics.warning('w', undefined, 'w');
  t.equal(diagnostics.hasErrors, false);
  diagnostics.error('e', undefined, 'e');
  t.equal(diagnostics.hasErrors, true);
  t.equal(new InputError(diagnostics.list).message, 'warning[w]: w\nerror[e]: e');
});

t.test('a file is mended from the top to the bottom, line 9 before line 10', async (t) => {
  const diagnostics = new Diagnostics();
  for (const [file, line, column] of [
    ['b.yaml', 1, 1],
    ['a.yaml', 10, 1],
    ['a.yaml', 9, 5],
    ['a.yaml', 9, 2],
  ] as const) {
    diagnostics.error('e', at(file, line, column), 'e');
  }
  diagnostics.error('e', undefined, 'nowhere');
  t.strictSame(
    sortDiagnostics(diagnostics.list).map((one) => renderDiagnostic(one).split(' ')[0]),
    ['error[e]:', 'a.yaml:9:2:', 'a.yaml:9:5:', 'a.yaml:10:1:', 'b.yaml:1:1:'],
  );
});

t.test('the nearest word: a slip of one or two letters, and nothing far off', async (t) => {
  const known = ['subnets', 'routeTables', 'instances'];
  t.strictSame(
    ['subnet', 'sunbets', 'SUBNETS', 'routetable', 'instnaces', 'peering'].map((word) =>
      nearest(word, known),
    ),
    ['subnets', 'subnets', 'subnets', 'routeTables', 'instances', undefined],
  );
});

t.test('a hint: the near one, else the few there are, else nothing', async (t) => {
  t.strictSame(
    [
      suggest('subnet', ['subnets', 'cidr']),
      suggest('peering', ['subnets', 'cidr']),
      suggest('peering', []),
      suggest('peering', ['1', '2', '3', '4', '5', '6', '7', '8', '9']),
    ],
    ['did you mean "subnets"?', 'known here: subnets, cidr', undefined, undefined],
  );
});

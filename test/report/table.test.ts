import t from 'tap';

import { COLOURED } from '../../src/report/style.ts';
import { facts, table } from '../../src/report/table.ts';

t.test('columns stand under their headers, numbers to the right', async (t) => {
  const rows = [
    ['scenario-4', 3, '/labs'],
    ['x', 12, ''],
  ];
  t.equal(
    table(['NAME', 'PODS', 'DIRECTORY'], rows),
    ['NAME        PODS  DIRECTORY', 'scenario-4     3  /labs', 'x             12'].join('\n'),
  );
  t.equal(table(['NAME'], []), '');
});

t.test('colours take no room', async (t) => {
  const [, coloured = ''] = table(['A', 'B'], [[COLOURED.bold('ab'), 'c']]).split('\n');
  t.equal(coloured, `${COLOURED.bold('ab')}  c`);
});

t.test('a fact without a value is left out', async (t) => {
  t.equal(
    facts([
      ['address', '10.0.0.1'],
      ['mac', undefined],
      ['az', 'az-1'],
    ]),
    '  address  10.0.0.1\n  az       az-1',
  );
});

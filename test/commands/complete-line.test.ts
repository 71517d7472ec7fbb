import t from 'tap';

import { completeLine, type World } from '../../src/commands/complete-line.ts';
import { VERBS } from '../../src/commands/verbs.ts';

const WORLD: World = {
  labs: ['scenario-2', 'scenario-4'],
  up: [
    {
      name: 'scenario-2',
      things: ['pod/a', 'node/node-1'],
      probes: ['a-asks-b'],
      gates: ['acl/default'],
    },
    {
      name: 'scenario-4',
      things: ['pod/client', 'node/node-1', 'igw'],
      probes: ['cut-off'],
      gates: ['sg/web', 'acl/default'],
    },
  ],
};

/** The line as typed; the last word may be begun. */
const after = (line: string): string[] => {
  const words = line.split(' ');
  return completeLine(words.slice(0, -1), words.at(-1) ?? '', WORLD);
};

t.test('a line may go on with', async (t) => {
  t.strictSame(after(''), [...VERBS, 'scenario-2', 'scenario-4']);
  const table: readonly (readonly [line: string, words: readonly string[]])[] = [
    ['ver', ['verify']],
    ['scen', ['scenario-2', 'scenario-4']],
    ['scenario-4 -', ['--json', '--verbose', '--help']],
    ['run ', ['scenario-2', 'scenario-4']],
    ['run scenario-4 ', []],
    ['up scenario-4 --s', ['--set']],
    ['down ', ['scenario-2', 'scenario-4']],
    ['down --a', ['--all']],
    ['inspect i', ['igw']],
    ['inspect acl', ['acl/default']],
    ['inspect -l scenario-4 s', ['sg/web']],
    ['inspect sg/web ', []],
    ['exec s', []],
    ['exec ', ['pod/a', 'node/node-1', 'pod/client', 'igw']],
    ['exec -l scenario-4 p', ['pod/client']],
    ['exec pod/a ', ['--']],
    ['exec pod/a -- ip r', []],
    ['shell node/', ['node/node-1']],
    ['drops ', []],
    ['drops --s', ['--since']],
    ['drops -f --since 1', ['10s']],
    ['drops -n 5 --fo', ['--follow']],
    ['capture pod/a ', ['pod/a', 'node/node-1', 'pod/client', 'igw']],
    ['capture --path pod/c', ['pod/client']],
    ['capture --path pod/client i', ['igw']],
    ['capture --path pod/client igw --w', ['--write']],
    ['capture igw -- tc', []],
    ['probe ', ['a-asks-b', 'cut-off']],
    ['probe cut-off -l ', ['scenario-2', 'scenario-4']],
    ['probe -l scenario-4 ', ['cut-off']],
    ['matrix --f', ['--from']],
    ['matrix --from pod/a --to node', ['node/node-1']],
    ['matrix --port 80 --a', ['--all']],
    ['plan scenario-2 --format ', ['text', 'sh', 'iptables', 'json']],
    ['graph scenario-2 --format s', ['svg']],
    ['completion ', ['bash', 'zsh']],
    ['verify ', []],
    ['ps ', []],
  ];
  for (const [line, words] of table) t.strictSame(after(line), words, `hoplab ${line}`);
});

t.test('nothing is up, and still nothing goes wrong', async (t) => {
  t.strictSame(completeLine(['exec'], '', { labs: [], up: [] }), []);
  t.strictSame(completeLine(['-l'], 'x', { labs: [], up: [] }), []);
});

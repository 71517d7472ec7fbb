import { execFileSync } from 'node:child_process';

import t from 'tap';

import { readArchive } from '../../src/probe/archive.ts';

t.test('the files of an archive as tar writes it', async (t) => {
  const long = 'x'.repeat(1500);
  const directory = t.testdir({ '0.out': 'one\n', empty: '', long, folder: { inside: 'two' } });
  const bytes = execFileSync('tar', ['-cf', '-', '.'], { cwd: directory });
  const found = [...readArchive(bytes)]
    .map(([name, content]) => [name, new TextDecoder().decode(content)])
    .sort(([one = ''], [other = '']) => (one < other ? -1 : 1));
  t.strictSame(found, [
    ['0.out', 'one\n'],
    ['empty', ''],
    ['folder/inside', 'two'],
    ['long', long],
  ]);
});

t.test('no bytes are no files', async (t) => {
  t.strictSame([...readArchive(new Uint8Array())], []);
});

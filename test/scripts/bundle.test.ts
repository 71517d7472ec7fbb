import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { execa } from 'execa';
import t from 'tap';

import { PROJECT } from '../../src/host/project.ts';

const LOCK = '.package-lock.json';

/** A tree of its own with the project's scripts and source; `packages` makes its node_modules. */
function tree(
  dir: string,
  packages: (at: string) => void,
): (...words: string[]) => Promise<string> {
  for (const part of ['scripts', 'src', 'package.json', 'package-lock.json']) {
    cpSync(join(PROJECT, part), join(dir, part), { recursive: true });
  }
  packages(join(dir, 'node_modules'));
  return async (...words) => {
    const { all } = await execa('sh', [join(dir, 'scripts/hoplab'), ...words], {
      all: true,
      reject: false,
      env: { NODE_OPTIONS: '', NODE_COMPILE_CACHE: join(dir, 'cache') },
    });
    return all;
  };
}

/** Every package as a link, so that the directory is the tree's own. */
function ownPackages(at: string): void {
  mkdirSync(at);
  const theirs = join(PROJECT, 'node_modules');
  for (const name of readdirSync(theirs)) {
    if (name !== '.hoplab' && name !== LOCK) symlinkSync(join(theirs, name), join(at, name));
  }
  // npm writes it last, so that it is newer than what it was made of.
  writeFileSync(join(at, LOCK), readFileSync(join(theirs, LOCK)));
}

t.test('what runs is one file, made anew when the source has changed', async (t) => {
  const dir = t.testdir();
  const hoplab = tree(dir, ownPackages);
  const bundle = join(dir, 'node_modules/.hoplab/hoplab.mjs');
  t.match(await hoplab('--version'), /^\d+\.\d+\.\d+$/);
  t.ok(existsSync(bundle));

  const source = join(dir, 'src/commands/overview.ts');
  const says = (text: string): void => {
    appendFileSync(source, `\nconsole.log('${text}');\n`);
  };
  says('one thing');
  t.match(await hoplab('--version'), 'one thing');

  await t.test('a bug is told by the lines of the source', async (t) => {
    const verb = join(dir, 'src/commands/list.ts');
    const before = readFileSync(verb, 'utf8');
    writeFileSync(
      verb,
      before.replace('const directories', "throw new Error('oh');\n  const directories"),
    );
    const line = before.split('\n').findIndex((one) => one.includes('const directories')) + 1;
    const said = await hoplab('list');
    t.match(said, 'Error: oh');
    t.match(said, `(${verb}:${line}:`);
    writeFileSync(verb, before);
  });

  appendFileSync(source, '\nconst = ;\n');
  t.match(
    await hoplab('--version'),
    /src\/commands\/overview\.ts:\d+\n+const = ;/,
    'a mistake is shown where it is',
  );
});

t.test('a tree that shares its packages with others runs its own source', async (t) => {
  const dir = t.testdir();
  const hoplab = tree(dir, (at) => {
    symlinkSync(join(PROJECT, 'node_modules'), at);
  });
  appendFileSync(join(dir, 'src/commands/overview.ts'), "\nconsole.log('mine');\n");
  t.match(await hoplab('--version'), 'mine');
});

/** Ways into a lab that is up. Nothing heavy is imported: `exec` is to be quick. */

import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

import { InputError, suggest } from '../base/diagnostic.ts';
import { enter, type Sandbox } from '../host/sandbox.ts';
import type { LabStore } from '../host/store.ts';
import { findThingIndexed } from '../host/thing-index.ts';
import { readThings } from '../host/thing-index.ts';

/** The network namespace of a thing, by the index that `up` wrote; throws an InputError when there is none. */
export function netnsOfThing(store: LabStore, word: string): string {
  const things = readThings(store);
  const thing = findThingIndexed(things, word);
  if (thing !== undefined) return thing.netns;
  const references = things.map(({ reference }) => reference);
  const sameName = references.filter((reference) => reference.split('/').at(-1) === word);
  const hint =
    sameName[0] === undefined
      ? (suggest(word, references) ?? 'npx hoplab inspect lists what there is')
      : `did you mean ${sameName.map((one) => `"${one}"`).join(' or ')}?`;
  throw InputError.of({
    code: 'no-such-thing',
    what: `there is no "${word}" in ${store.name}`,
    hint,
  });
}

/** Like `enter`, in the directory where the user stands, as far as the sandbox shows it. */
export function enterHere(
  sandbox: Sandbox,
  argv: readonly [string, ...string[]],
): [string, ...string[]] {
  const script = 'cd "$0" 2>/dev/null || cd /; exec "$@"';
  return enter(sandbox, ['sh', '-c', script, process.cwd(), ...argv]);
}

/** A command line as one would type it. */
export function renderArgv(argv: readonly string[]): string {
  return argv
    .map((word) =>
      /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`,
    )
    .join(' ');
}

/** Whether a program is in the PATH. */
export function hasProgram(name: string): boolean {
  const { PATH: path = '' } = process.env;
  return path.split(':').some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

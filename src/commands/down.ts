/** `down [lab | --all]`: kill a lab's first process, and with it everything; a lab that is down already is no mistake. */

import { basename } from 'node:path';

import { InputError, nearest } from '../base/diagnostic.ts';
import { builtInLabs, findLab } from '../host/lab-files.ts';
import { knownLabs, LabStore } from '../host/store.ts';
import * as standing from '../standing.ts';
import { chooseLab, isLabName, labsUp, wantedLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function down(
  { lab, all }: { lab: string | undefined; all: boolean },
  terminal: Terminal,
): Promise<number> {
  const stores = all
    ? (await labsUp()).map(({ store }) => store)
    : [await chooseStore(lab, terminal)];
  const results: { lab: string; wasUp: boolean }[] = [];
  for (const store of stores) {
    results.push({ lab: store.name, wasUp: await standing.down(store, terminal.progress) });
  }
  if (terminal.json) terminal.printJson(results);
  else if (results.length === 0) terminal.print('no lab is up');
  for (const { lab: name, wasUp } of terminal.json ? [] : results) {
    terminal.print(`${terminal.style.bold(name)} is ${wasUp ? 'down' : 'not up'}`);
  }
  return 0;
}

async function chooseStore(word: string | undefined, terminal: Terminal): Promise<LabStore> {
  const name = wantedLab(word);
  if (name === undefined) return (await chooseLab(undefined, terminal)).store;
  const known = [...knownLabs().map((store) => store.name), ...builtInLabs()];
  if (isLabName(name) && known.includes(name)) return new LabStore(name);
  if (word !== undefined && isLab(word)) return new LabStore(basename(findLab(word)));
  const names = (await labsUp()).map((one) => one.name);
  const near = nearest(name, names) ?? nearest(name, known);
  const list = names.length === 0 ? 'no lab is up' : `these are up: ${names.join(', ')}`;
  throw InputError.of({
    code: 'no-such-lab',
    what: `there is no lab "${name}"`,
    hint: near === undefined ? list : `did you mean "${near}"? ${list}`,
  });
}

function isLab(word: string): boolean {
  try {
    return findLab(word) !== '';
  } catch {
    return false;
  }
}

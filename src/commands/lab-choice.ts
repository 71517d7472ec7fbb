/** Which lab a command is about: the one that is named (-l, HOPLAB_LAB), else the only one that is up. */

import { InputError, suggest } from '../base/diagnostic.ts';
import { brokenOff } from '../host/interruption.ts';
import { findSandbox, type Sandbox } from '../host/sandbox.ts';
import { knownLabs, type LabRecord, LabStore } from '../host/store.ts';

export interface LabUp {
  readonly name: string;
  readonly store: LabStore;
  readonly sandbox: Sandbox;
  readonly record: LabRecord | undefined;
}

async function look(store: LabStore): Promise<LabUp | undefined> {
  const sandbox = await findSandbox(store);
  if (sandbox === undefined) return undefined;
  return { name: store.name, store, sandbox, record: store.readRecord() };
}

export async function labsUp(): Promise<LabUp[]> {
  const found = await Promise.all(knownLabs().map(look));
  return found.filter((lab) => lab !== undefined);
}

export function wantedLab(option: string | undefined): string | undefined {
  const { HOPLAB_LAB: fromEnvironment } = process.env;
  const word = option ?? (fromEnvironment === '' ? undefined : fromEnvironment);
  // A directory is as good as a name: `-l labs/scenario-4/`.
  return word?.replace(/\/+$/, '').split('/').at(-1);
}

/**
 * The lab that is meant; says so when a command was killed in the middle of changing it. Throws an InputError that lists
 * the labs that are up when it is not clear which one is meant.
 */
export async function chooseLab(
  option: string | undefined,
  { note }: { readonly note: (text: string) => void },
): Promise<LabUp> {
  const lab = await findLabUp(option);
  const what = await brokenOff(lab.store);
  if (what !== undefined) note(`${what}; to complete it: npx hoplab repair -l ${lab.name}`);
  return lab;
}

async function findLabUp(option: string | undefined): Promise<LabUp> {
  const name = wantedLab(option);
  if (name !== undefined && isLabName(name)) {
    const lab = await look(new LabStore(name));
    if (lab !== undefined) return lab;
  }
  const labs = await labsUp();
  const names = labs.map((lab) => lab.name);
  const [first, ...others] = labs;
  if (name !== undefined) throw notUp(name, names);
  if (first === undefined) {
    throw InputError.of({
      code: 'no-lab-up',
      what: 'no lab is up',
      hint: 'start one: npx hoplab scenario-4',
    });
  }
  if (others.length > 0) {
    throw InputError.of({
      code: 'several-labs-up',
      what: `several labs are up: ${names.join(', ')}`,
      hint: `say which: -l ${first.name}, or HOPLAB_LAB=${first.name} in the environment`,
    });
  }
  return first;
}

/** A lab's name is the name of one directory. */
export function isLabName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/');
}

function notUp(name: string, names: readonly string[]): InputError {
  const start = `start it: npx hoplab ${name}`;
  const hint = names.length === 0 ? start : `${suggest(name, names) ?? ''}; or ${start}`;
  return InputError.of({
    code: 'lab-not-up',
    what: `the lab "${name}" is not up`,
    hint: hint.replace(/^; or /, ''),
  });
}

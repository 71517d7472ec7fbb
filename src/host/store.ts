/**
 * What Hoplab keeps of a lab on disk: plain files in `$XDG_STATE_HOME/hoplab/<lab>/`, root's labs too.
 *
 *   alive     locked (flock) by the sandbox's first process as long as it lives
 *   lock      locked by the command that builds, changes or takes down the lab
 *   pid       that process as the host sees it: pid, start time, token
 *   journal   `building` from before the first change until `committed` after the last
 *   lab.json  the lab's directory and when it was built
 *   plan.json the kernel state that was committed
 *   things.json  what the lab is made of, by name (thing-index.ts)
 */

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { EMPTY, type KernelState, type Planned } from '../kernel/state.ts';

export interface LabRecord {
  readonly name: string;
  readonly directory: string;
  /** What `--set` replaced when it was built or last changed. */
  readonly sets: readonly string[];
  readonly since: string;
}

function stateRoot(): string {
  const { XDG_STATE_HOME: state } = process.env;
  const base = state === undefined || state === '' ? join(homedir(), '.local', 'state') : state;
  return join(base, 'hoplab');
}

export class LabStore {
  readonly name: string;
  readonly directory: string;

  constructor(name: string) {
    this.name = name;
    this.directory = join(stateRoot(), name);
  }

  path(file: string): string {
    return join(this.directory, file);
  }

  create(): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
  }

  read(file: string): string | undefined {
    try {
      return readFileSync(this.path(file), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** Whole or not at all: a reader never sees half a file, whenever we are killed. */
  write(file: string, content: string): void {
    const path = this.path(file);
    writeFileSync(`${path}.new`, content);
    renameSync(`${path}.new`, path);
  }

  forget(): void {
    for (const file of ['plan.json', 'lab.json', 'things.json', 'journal', 'pid', 'log']) {
      rmSync(this.path(file), { force: true });
    }
  }

  readPlan(): KernelState {
    const text = this.read('plan.json');
    return text === undefined ? EMPTY : new Map(JSON.parse(text) as [string, Planned][]);
  }

  writePlan(state: KernelState): void {
    this.write('plan.json', JSON.stringify([...state]));
  }

  get journal(): 'none' | 'building' | 'committed' {
    const text = this.read('journal');
    if (text === undefined) return 'none';
    return text.startsWith('committed') ? 'committed' : 'building';
  }

  writeRecord(record: LabRecord): void {
    this.write('lab.json', JSON.stringify(record));
  }

  readRecord(): LabRecord | undefined {
    const text = this.read('lab.json');
    return text === undefined ? undefined : (JSON.parse(text) as LabRecord);
  }
}

/** Every lab that left anything behind, up or not. */
export function knownLabs(): LabStore[] {
  const root = stateRoot();
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => new LabStore(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

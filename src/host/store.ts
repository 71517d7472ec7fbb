/**
 * What Hoplab keeps of a lab on disk: plain files in `$XDG_STATE_HOME/hoplab/<lab>/`, root's labs too.
 *
 *   alive     locked (flock) by the sandbox's first process as long as it lives
 *   lock      locked by the command that builds, changes or takes down the lab
 *   pid       that process as the host sees it: pid, start time, token
 *   journal   `building` from before the first change until `committed` after the last
 *   lab.json  the lab's directory and when it was built
 *   plan.json the kernel state that was committed
 *   next.json the kernel state that a change leads to, while it is under way
 *   base.json the lab's own state while it stands as one of its experiments, and which
 *   things.json  what the lab is made of, by name (thing-index.ts)
 */

import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

import { EMPTY, type KernelState, type Planned } from '../kernel/state.ts';
import { MachineError } from './machine-error.ts';

export interface LabRecord {
  readonly name: string;
  readonly directory: string;
  /** What `--set` replaced when it was built or last changed. */
  readonly sets: readonly string[];
  readonly since: string;
  /** Its probes and experiments, for completion. */
  readonly probes: readonly string[];
  /** Its security groups and network ACLs, for the same. */
  readonly gates: readonly string[];
}

/** What a lab that is down has no use for; the two locks stay. */
const FILES = [
  ...['plan.json', 'next.json', 'base.json', 'lab.json', 'things.json'],
  ...['journal', 'pid', 'log'],
];

function readState(text: string | undefined): KernelState | undefined {
  return text === undefined ? undefined : new Map(JSON.parse(text) as [string, Planned][]);
}

function stateRoot(): string {
  const { XDG_STATE_HOME: state } = process.env;
  // A relative one would be another directory after each `cd`; the XDG specification has it ignored.
  const base =
    state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local', 'state');
  return join(base, 'hoplab');
}

/** What the machine refuses there is its user's to mend, and no mistake of ours. */
function inStateDirectory<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const { code, path, message } = error as NodeJS.ErrnoException;
    if (code === undefined || path === undefined) throw error;
    throw new MachineError(
      `the labs' state can't be kept: ${message}`,
      code === 'EACCES'
        ? `what sudo left there belongs to root: ls -l ${stateRoot()}; or name another place in XDG_STATE_HOME`
        : `look at ${path}; or name another place in XDG_STATE_HOME`,
    );
  }
}

export class LabStore {
  readonly name: string;
  readonly directory: string;
  /** What `next.json` holds since we began. */
  #begun: KernelState | undefined;

  constructor(name: string) {
    this.name = name;
    this.directory = join(stateRoot(), name);
  }

  path(file: string): string {
    return join(this.directory, file);
  }

  create(): void {
    inStateDirectory(() => mkdirSync(this.directory, { recursive: true, mode: 0o700 }));
  }

  /** Opens a file that is there to be locked. */
  open(file: string): number {
    return inStateDirectory(() => openSync(this.path(file), 'w'));
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
    for (const file of FILES) rmSync(this.path(file), { force: true });
  }

  /** What was committed last; empty before the first time. */
  readPlan(): KernelState {
    return readState(this.read('plan.json')) ?? EMPTY;
  }

  /** A change begins; from here on whoever finds the lab knows what it was to become. */
  begin(next: KernelState): void {
    this.write('next.json', JSON.stringify([...next]));
    this.write('journal', 'building\n');
    this.#begun = next;
  }

  /** The change is done. */
  commit(state: KernelState): void {
    // What has been written once, of a large lab megabytes, is not written again.
    if (this.#begun === state) renameSync(this.path('next.json'), this.path('plan.json'));
    else this.write('plan.json', JSON.stringify([...state]));
    this.#begun = undefined;
    this.write('journal', 'committed\n');
    rmSync(this.path('next.json'), { force: true });
  }

  /** From here on the lab stands as one of its experiments, and `base` is what it has to become again. */
  beginExperiment(name: string, base: KernelState): void {
    this.write('base.json', JSON.stringify({ experiment: name, state: [...base] }));
  }

  endExperiment(): void {
    rmSync(this.path('base.json'), { force: true });
  }

  /** The experiment as which the lab stands. */
  get experiment(): string | undefined {
    return this.#readBase()?.experiment;
  }

  /** What is to stand: the lab itself, although an experiment or a change may be under way. */
  readWanted(): KernelState {
    const base = this.#readBase();
    if (base !== undefined) return new Map(base.state);
    const next = this.journal === 'building' ? readState(this.read('next.json')) : undefined;
    return next ?? this.readPlan();
  }

  /** Everything that one of the lab's states says something about; where they differ, as `last` has it. */
  everPlanned(last: KernelState): KernelState {
    const next = readState(this.read('next.json')) ?? EMPTY;
    return new Map([...this.readPlan(), ...next, ...last]);
  }

  #readBase(): { experiment: string; state: [string, Planned][] } | undefined {
    const text = this.read('base.json');
    return text === undefined
      ? undefined
      : (JSON.parse(text) as { experiment: string; state: [string, Planned][] });
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
  return inStateDirectory(() => readdirSync(root, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => new LabStore(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

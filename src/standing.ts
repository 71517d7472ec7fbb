/**
 * A lab that stands: made into what is wanted, held against what was planned, mended.
 *
 * The journal makes every change one that can be broken off. Before the first step the wanted state is written down and
 * the journal says `building`; after the last one it says `committed`. Whoever finds `building` and has the lock knows
 * that somebody was cut off, and goes on from the kernel as it stands instead of from what was written.
 */

import { apply } from './host/apply.ts';
import { KernelError } from './host/kernel-error.ts';
import { type Lock, withLock } from './host/lock.ts';
import { readKernel } from './host/read-kernel.ts';
import { findSandbox, killSandbox, type Sandbox } from './host/sandbox.ts';
import type { LabStore } from './host/store.ts';
import type { Command } from './kernel/command.ts';
import { diff, type Step } from './kernel/diff.ts';
import { type Drift, findDrift } from './kernel/drift.ts';
import { render } from './kernel/render.ts';
import { EMPTY, type KernelState } from './kernel/state.ts';

export interface Progress {
  /** Called at the beginning of each piece of work. */
  step(what: string): void;
  note(what: string): void;
}

export function whileLocked<Result>(
  store: LabStore,
  progress: Progress,
  work: (lock: Lock) => Promise<Result>,
): Promise<Result> {
  const onWait = (): void => {
    progress.note(`waiting for another command that is changing ${store.name}`);
  };
  return withLock(store, onWait, work);
}

/** What would be done to an empty sandbox, or to the lab that is up. */
export function commandsFor(
  from: KernelState,
  to: KernelState,
): { steps: Step[]; commands: Command[] } {
  const steps = diff(from, to);
  return { steps, commands: render(steps) };
}

/** From what stands to the wanted state; throws a KernelError when the kernel refuses it. */
export async function converge(
  store: LabStore,
  sandbox: Sandbox,
  to: KernelState,
  progress: Progress,
  lock: Lock,
): Promise<Step[]> {
  const mendAsRead = async (): Promise<Step[]> => {
    progress.step('reading the kernel');
    const found = await readKernel(sandbox, store.everPlanned(to));
    return mend(found, store, sandbox, to, progress, lock);
  };
  if (store.journal === 'building') {
    progress.note(`${store.name} was cut off in mid-change; going on from what stands`);
    return mendAsRead();
  }
  const from = store.journal === 'none' ? EMPTY : store.readPlan();
  const { steps, commands } = commandsFor(from, to);
  if (steps.length === 0) {
    store.commit(to);
    return steps;
  }
  progress.step(
    from.size === 0 ? `building ${steps.length} objects` : `changing ${steps.length} objects`,
  );
  store.begin(to);
  try {
    await apply(sandbox, commands, lock);
  } catch (error) {
    // Somebody may have changed by hand what these steps start from. If not, the kernel refuses again.
    if (!(error instanceof KernelError) || from.size === 0) throw error;
    return mendAsRead();
  }
  store.commit(to);
  return steps;
}

/** From the kernel as it was found to the wanted state. */
async function mend(
  found: KernelState,
  store: LabStore,
  sandbox: Sandbox,
  to: KernelState,
  progress: Progress,
  lock: Lock,
): Promise<Step[]> {
  const { steps, commands } = commandsFor(found, to);
  if (steps.length > 0) progress.step(`mending ${steps.length} objects`);
  store.begin(to);
  await apply(sandbox, commands, lock);
  store.commit(to);
  return steps;
}

export interface Verified {
  readonly drift: readonly Drift[];
  /** How many objects were looked at. */
  readonly objects: number;
}

/** The kernel as it stands, held against what is to stand there. The caller has the lock. */
export async function verify(
  store: LabStore,
  sandbox: Sandbox,
  progress: Progress,
): Promise<Verified> {
  const { found, wanted } = await look(store, sandbox, progress);
  return compare(found, wanted);
}

async function look(
  store: LabStore,
  sandbox: Sandbox,
  progress: Progress,
): Promise<{ found: KernelState; wanted: KernelState }> {
  progress.step('reading the kernel');
  const wanted = store.readWanted();
  return { wanted, found: await readKernel(sandbox, store.everPlanned(wanted)) };
}

function compare(found: KernelState, wanted: KernelState): Verified {
  return { drift: findDrift(found, wanted), objects: wanted.size };
}

export interface Repaired {
  /** What differed. */
  readonly before: Verified;
  /** What was done about it. */
  readonly steps: readonly Step[];
  /** What differs still. */
  readonly after: Verified;
}

/** Mends exactly what differs, and looks again. The caller has the lock. */
export async function repair(
  store: LabStore,
  sandbox: Sandbox,
  progress: Progress,
  lock: Lock,
): Promise<Repaired> {
  const { found, wanted } = await look(store, sandbox, progress);
  const before = compare(found, wanted);
  const steps = await mend(found, store, sandbox, wanted, progress, lock);
  store.endExperiment();
  const after = steps.length === 0 ? before : await verify(store, sandbox, progress);
  return { before, steps, after };
}

export async function down(store: LabStore, progress: Progress): Promise<boolean> {
  return whileLocked(store, progress, async () => {
    const wasUp = (await findSandbox(store)) !== undefined;
    await killSandbox(store);
    store.forget();
    return wasUp;
  });
}

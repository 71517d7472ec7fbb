/**
 * The write lock of a lab: up, down and the building part of run hold it; exec, shell and probe do not.
 *
 * It is the kernel's (flock), held by a small shell whose standard input is our pipe: when we end, however we end, the
 * shell reads the end of its input, and the lock is free.
 */

import { ShellSession } from './exec.ts';
import { MachineError } from './machine-error.ts';
import type { LabStore } from './store.ts';

// flock ends with 1 when somebody else has the lock, with another code when it can't be had at all.
const HOLD = `exec 8>"$1"
flock -n 8 || { [ $? = 1 ] || exit; echo waiting; flock 8 || exit; }
echo held
read -r _`;

export async function withLock<Result>(
  store: LabStore,
  onWait: () => void,
  work: () => Promise<Result>,
): Promise<Result> {
  store.create();
  const holder = new ShellSession(['sh', '-c', HOLD, 'sh', store.path('lock')]);
  let line = await holder.line();
  if (line === 'waiting') {
    onWait();
    line = await holder.line();
  }
  if (line !== 'held') {
    await holder.end();
    throw new MachineError(
      `the lock of ${store.name} can't be taken: ${holder.stderr.trim()}`,
      `look at ${store.path('lock')}; flock comes with util-linux`,
    );
  }
  try {
    return await work();
  } finally {
    await holder.end();
  }
}

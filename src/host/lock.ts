/**
 * The write lock of a lab: up, down and the building part of run hold it; exec, shell and probe do not.
 *
 * It is the kernel's (flock), held by a small shell whose standard input is our pipe: when we end, however we end, the
 * shell reads the end of its input, and the lock is free.
 */

import { ShellSession } from './exec.ts';
import type { LabStore } from './store.ts';

const HOLD = 'exec 8>"$1"; flock -n 8 || { echo waiting; flock 8; }; echo held; read -r _';

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
  try {
    return await work();
  } finally {
    await holder.end();
  }
}

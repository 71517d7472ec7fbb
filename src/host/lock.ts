/**
 * The write lock of a lab: up, down, repair and the building part of run hold it; exec, shell, capture and probe do not.
 *
 * It is the kernel's (flock) and belongs to the open file, not to us: the shells that change the lab inherit that file.
 * When we end, however we end, the lock is free once the last of them has ended too, and never while one still writes.
 */

import { closeSync } from 'node:fs';

import { run } from './exec.ts';
import { MachineError } from './machine-error.ts';
import type { LabStore } from './store.ts';

/** A lock that is held: the open file, for whoever must keep it held. */
export interface Lock {
  readonly fd: number;
}

export async function withLock<Result>(
  store: LabStore,
  onWait: () => void,
  work: (lock: Lock) => Promise<Result>,
): Promise<Result> {
  store.create();
  const fd = store.open('lock');
  try {
    // flock(1) locks the file that it was handed as its third, and that is ours: the lock stays when flock ends. It ends
    // with 1 when somebody else has the lock, with another code when it can't be had at all.
    let result = await run(['flock', '--nonblock', '3'], { inherit: fd });
    if (result.exitCode === 1) {
      onWait();
      result = await run(['flock', '3'], { inherit: fd });
    }
    if (result.exitCode !== 0) {
      throw new MachineError(
        `the lock of ${store.name} can't be taken: ${result.stderr.trim()}`,
        `look at ${store.path('lock')}; flock comes with util-linux`,
      );
    }
    return await work({ fd });
  } finally {
    closeSync(fd);
  }
}

/** Whether somebody is changing the lab at this moment. */
export async function isLocked(store: LabStore): Promise<boolean> {
  const { exitCode } = await run(['flock', '--shared', '--nonblock', store.path('lock'), 'true']);
  return exitCode === 1;
}

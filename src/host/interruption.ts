/** Whether a command was killed in the middle of changing a lab. Nothing heavy is imported: every command asks. */

import { isLocked } from './lock.ts';
import type { LabStore } from './store.ts';

/**
 * What was broken off before its end, as `LAB was cut off …`, or undefined: a change, or an experiment that nobody took back. While
 * somebody has the lock, nothing was broken off.
 */
export async function brokenOff(store: LabStore): Promise<string | undefined> {
  const experiment = store.experiment;
  if (store.journal === 'committed' && experiment === undefined) return undefined;
  if (await isLocked(store)) return undefined;
  return experiment === undefined
    ? `${store.name} was cut off in mid-change`
    : `${store.name} was cut off in its experiment ${experiment}`;
}

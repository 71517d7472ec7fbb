/** What the benchmarks share. */

import { $, os } from 'zx';

/** A benchmark's own figures are all that it prints. */
export const silent = { step: (): void => undefined, note: (): void => undefined };

/** Figures of one machine alone can be compared. */
export async function machine(): Promise<string> {
  const kernel = (await $`uname -r`).stdout.trim();
  return `Linux ${kernel}, ${os.cpus().length} cores, Node ${process.version}`;
}

/** With the time that it took, in ms. */
export async function timed<Result>(work: () => Promise<Result>): Promise<[Result, number]> {
  const start = performance.now();
  const result = await work();
  return [result, performance.now() - start];
}

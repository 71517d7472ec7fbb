/**
 * What the completion scripts ask: `__complete LINE`, the command line up to the cursor. A word a line comes back; nothing
 * where nothing fits or something is wrong, for whoever types is not to be disturbed.
 */

import { builtInLabs } from '../host/lab-files.ts';
import { readThings } from '../host/thing-index.ts';
import { completeLine } from './complete-line.ts';
import { labsUp } from './lab-choice.ts';

export async function complete(line: string): Promise<string[]> {
  // The first word is the command itself, after `npx` the second.
  const words = line.split(/\s+/);
  const begin = words.findIndex((word) => /(^|\/)hoplab$/.test(word)) + 1;
  const before = words.slice(begin, -1);
  const up = (await labsUp()).map(({ name, store, record }) => ({
    name,
    things: readThings(store).map(({ reference }) => reference),
    probes: record?.probes ?? [],
    gates: record?.gates ?? [],
  }));
  return completeLine(before, words.at(-1) ?? '', { labs: builtInLabs(), up });
}

/**
 * Builds labs and holds each against its plan, or takes them down, in one process: a test of many labs waits for no command
 * line to start. Says on standard output what is not as it should be, a line each.
 *
 *     node test/support/labs-side-by-side.ts up|down LAB…
 */

import { LabStore } from '../../src/host/store.ts';
import { down, load, up, verify } from '../../src/pipeline.ts';
import { renderDrift } from '../../src/report/drift.ts';

const SILENT = { step: (): void => undefined, note: (): void => undefined };

const [verb, ...labs] = process.argv.slice(2);
for (const lab of labs) {
  const store = new LabStore(lab);
  if (verb === 'down') {
    await down(store, SILENT);
    continue;
  }
  const { sandbox } = await up(load(lab), SILENT);
  const { drift } = await verify(store, sandbox, SILENT);
  if (drift.length > 0) console.log(`${lab}: ${renderDrift(drift, true)}`);
}

/** Every lab that comes with the project: built, probed, predicted, converged, taken down, on the real kernel. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import t from 'tap';

import { builtInLabs } from '../src/host/lab-files.ts';
import { findSandbox } from '../src/host/sandbox.ts';
import { LabStore } from '../src/host/store.ts';
import { down, load, probe, up } from '../src/pipeline.ts';

const silent = { step: () => undefined, note: () => undefined };

t.test('every lab does what it says, twice, and leaves nothing', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'hoplab-labs-'));
  process.env['XDG_STATE_HOME'] = state;
  t.teardown(() => {
    rmSync(state, { recursive: true, force: true });
  });
  for (const name of builtInLabs()) {
    await t.test(name, async (t) => {
      const lab = load(name);
      const store = new LabStore(name);
      t.teardown(async () => down(store, silent));
      const first = await up(lab, silent);
      t.ok(first.steps.length > 0, 'it is built');
      const groups = await probe(lab, first.sandbox, [], silent);
      const results = groups.flatMap((group) => group.results);
      t.ok(results.length > 0, 'it has probes');
      t.ok(
        results.some((result) => result.outcome.verdict === 'allowed'),
        'something gets through',
      );
      t.ok(
        results.some((result) => result.outcome.verdict !== 'allowed'),
        'something does not',
      );
      for (const result of results) t.strictSame(result.differences, [], result.name);
      const second = await up(lab, silent);
      t.strictSame(second.steps, [], 'a second up changes nothing');
      await down(store, silent);
      t.equal(await findSandbox(store), undefined, 'it is down');
    });
  }
});

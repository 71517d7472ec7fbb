/** What each lab comes to, as the script that builds it in an empty sandbox: the text that runs, kept for review. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import t from 'tap';

import { builtInLabs, readPrograms } from '../src/host/lab-files.ts';
import { EMPTY } from '../src/kernel/state.ts';
import { renderScript } from '../src/kernel/render.ts';
import { load } from '../src/pipeline.ts';
import { commandsFor } from '../src/standing.ts';
import { matchGolden } from './support/golden.ts';

const GOLDEN = fileURLToPath(new URL('golden', import.meta.url));

for (const name of builtInLabs()) {
  t.test(`golden/${name}.plan.txt is how lab ${name} is built`, async (t) => {
    const { state } = load(name);
    const script = renderScript(commandsFor(EMPTY, state).commands);
    // Files of their own, and no part of the plan.
    const { responder, dropLog, clusterDns, postgres } = readPrograms();
    const text = script
      .replace(responder, '# src/host/responder.pl\n')
      .replace(dropLog, '# src/host/drop-log.pl\n')
      .replace(clusterDns, '# src/host/cluster-dns.pl\n')
      .replace(postgres, '# src/host/postgres.sh\n');
    matchGolden(t, text, join(GOLDEN, `${name}.plan.txt`), 'commands');
  });
}

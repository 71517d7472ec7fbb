import { join } from 'node:path';

import t from 'tap';

import { InputError } from '../../src/base/diagnostic.ts';
import { graph } from '../../src/commands/graph.ts';
import type { Terminal } from '../../src/commands/terminal.ts';
import { GRAPH_FORMATS, type GraphFormat } from '../../src/commands/verbs.ts';
import { LABS } from '../../src/host/lab-files.ts';
import type { Graph } from '../../src/report/graph.ts';
import { ERRORS } from '../support/errors.ts';

/** What `graph` prints: a text, or a value for `--json`. */
function printed(lab: string, format: GraphFormat, set: readonly string[] = []): unknown {
  const found: unknown[] = [];
  const terminal: Pick<Terminal, 'print' | 'printJson' | 'diagnose'> = {
    print: (text) => found.push(text),
    printJson: (value) => found.push(value),
    diagnose: () => undefined,
  };
  const code = graph({ lab, format, set }, terminal as Terminal);
  if (code !== 0 || found.length !== 1)
    throw new Error(`${found.length} prints, exit code ${code}`);
  return found[0];
}

t.test('a lab is drawn by its name and by its directory alike, in every format', async (t) => {
  for (const format of GRAPH_FORMATS) {
    const byName = printed('scenario-4', format);
    t.strictSame(printed(join(LABS, 'scenario-4'), format), byName, format);
  }
});

t.test('--set changes the picture', async (t) => {
  const path = 'vpcs.main.routeTables.private-1.routes';
  const to = (sets: readonly string[]): unknown =>
    (printed('scenario-4', 'json', sets) as Graph).edges
      .filter(({ from }) => from === 'subnet/main/private-1')
      .map((edge) => edge.to);
  t.strictSame(to([]), ['nat/nat-1']);
  t.strictSame(to([`${path}=[{ destination: 0.0.0.0/0, target: igw }]`]), ['igw']);
  t.strictSame(to([`${path}=[]`]), []);
});

t.test('a lab with a mistake is not drawn: the mistake is reported', async (t) => {
  t.throws(() => printed(join(ERRORS, 'unknown-subnet'), 'svg'), InputError);
});

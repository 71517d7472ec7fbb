import { join } from 'node:path';

import t from 'tap';

import { InputError } from '../../src/base/diagnostic.ts';
import { graph } from '../../src/commands/graph.ts';
import type { Terminal } from '../../src/commands/terminal.ts';
import { GRAPH_FORMATS, type GraphFormat } from '../../src/commands/verbs.ts';
import { LABS } from '../../src/host/lab-files.ts';
import type { Graph } from '../../src/report/graph-parts.ts';
import { ERRORS } from '../support/errors.ts';

/** What `graph` prints: a text, or a value for `--json`. */
async function printed(
  lab: string,
  format: GraphFormat,
  set: readonly string[] = [],
  health = false,
): Promise<unknown> {
  const found: unknown[] = [];
  const terminal: Pick<Terminal, 'print' | 'printJson' | 'diagnose'> = {
    print: (text) => found.push(text),
    printJson: (value) => found.push(value),
    diagnose: () => undefined,
  };
  const code = await graph({ lab, format, health, set }, terminal as Terminal);
  if (code !== 0 || found.length !== 1)
    throw new Error(`${found.length} prints, exit code ${code}`);
  return found[0];
}

t.test('a lab is drawn by its name and by its directory alike, in every format', async (t) => {
  for (const format of GRAPH_FORMATS) {
    const byName = await printed('scenario-4', format);
    t.strictSame(await printed(join(LABS, 'scenario-4'), format), byName, format);
  }
});

t.test('--set changes the picture', async (t) => {
  const path = 'vpcs.main.routeTables.private-1.routes';
  const to = async (sets: readonly string[]): Promise<unknown> =>
    ((await printed('scenario-4', 'json', sets)) as Graph).edges
      .filter(({ from }) => from === 'subnet/main/private-1')
      .map((edge) => edge.to);
  t.strictSame(await to([]), ['nat/nat-1']);
  t.strictSame(await to([`${path}=[{ destination: 0.0.0.0/0, target: igw }]`]), ['igw']);
  t.strictSame(await to([`${path}=[]`]), []);
});

t.test('a lab with a mistake is not drawn: the mistake is reported', async (t) => {
  await t.rejects(printed(join(ERRORS, 'unknown-subnet'), 'svg'), InputError);
});

t.test('--health is about what is up: a lab that is down, or another one, has none', async (t) => {
  const codes = async (set: readonly string[]): Promise<readonly string[]> => {
    try {
      await printed('scenario-1', 'svg', set, true);
    } catch (error) {
      if (error instanceof InputError) return error.diagnostics.map(({ code }) => code);
    }
    return [];
  };
  t.strictSame(await codes(['cluster.addons.kube-proxy=false']), ['usage']);
  process.env['XDG_STATE_HOME'] = t.testdir();
  t.strictSame(await codes([]), ['lab-not-up']);
});

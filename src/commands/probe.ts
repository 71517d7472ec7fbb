/** `probe [probe…]`: the probes of a lab that is up again, all of them or the named ones; `--every 1s` goes on. */

import { setTimeout as delay } from 'node:timers/promises';

import { InputError, suggest } from '../base/diagnostic.ts';
import * as pipeline from '../pipeline.ts';
import { groupsToJson, isAsExpected, renderGroups, renderSummary } from '../report/probes.ts';
import { parseDurationMs } from '../source/scalar.ts';
import { chooseLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function probe(
  args: { probes: readonly string[]; lab: string | undefined; every: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const every = args.every === undefined ? undefined : parseDurationMs(args.every);
  if (args.every !== undefined && every === undefined) {
    throw InputError.of({
      code: 'not-a-duration',
      what: `--every "${args.every}" is not a duration`,
      hint: 'write it like 1s or 500ms',
    });
  }
  const { name, sandbox, record } = await chooseLab(args.lab, terminal);
  const lab = pipeline.loadUp(name, record);
  const known = pipeline.probeNames(lab);
  for (const word of args.probes) {
    if (known.includes(word)) continue;
    throw InputError.of({
      code: 'no-such-probe',
      what: `${name} has no probe or experiment "${word}"`,
      hint: suggest(word, known) ?? `it has ${known.join(', ')}`,
    });
  }
  for (;;) {
    const groups = await pipeline.probe(lab, sandbox, args.probes, terminal.progress);
    if (terminal.json) terminal.printJson(groupsToJson(groups));
    else {
      terminal.print(`${renderGroups(groups, terminal.style, terminal.columns)}\n`);
      terminal.print(renderSummary(groups, terminal.style));
    }
    if (every === undefined) return isAsExpected(groups) ? 0 : 1;
    await delay(every);
  }
}

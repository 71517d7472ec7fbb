/**
 * `why <from> <to>`: what becomes of a request by the model alone, what decides it, and what would change that. Needs no
 * root, and with `-l` no lab that is up.
 */

import { Diagnostics, InputError } from '../base/diagnostic.ts';
import { judge } from '../judge/judge.ts';
import { ProbeSpec } from '../observe/probe-spec.ts';
import * as pipeline from '../pipeline.ts';
import { protocolOf, resolveRequest } from '../probe/request.ts';
import { renderWhy, whyAsJson } from '../report/why.ts';
import { chooseLab, wantedLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';
import type { WhyVerb } from './verbs.ts';

export async function why(args: WhyVerb, terminal: Terminal): Promise<number> {
  const lab = await labOf(args, terminal);
  const { udp, icmp, port, from, to } = args;
  if (udp && icmp) {
    const hint = 'leave one of them out';
    throw InputError.of({ code: 'usage', what: '--udp and --icmp are two questions', hint });
  }
  const target = port === undefined ? to : `${to}:${port}`;
  // A database is reached by psql, which knows its port.
  const byTcp = /:\d+$/.test(target) ? 'tcp' : target.startsWith('rds/') ? 'psql' : 'ping';
  const kind = icmp ? 'ping' : udp ? 'udp' : byTcp;
  const probe = ProbeSpec.parse({ from, [kind]: target });
  const diagnostics = new Diagnostics();
  const request = resolveRequest(probe, lab.cloud, lab.spec.where.in('why'), diagnostics);
  if (request === undefined || diagnostics.hasErrors) {
    throw new InputError(diagnostics.list.map((one) => ({ ...one, at: undefined })));
  }
  const protocol = protocolOf(request.kind);
  const judgement = judge(lab.cloud, {
    protocol,
    from: request.from,
    destination: request.destination,
    port: request.port,
  });
  const question = {
    from: request.from.reference,
    to,
    protocol,
    destination: request.destination,
    port: request.port,
  };
  if (terminal.json) terminal.printJson(whyAsJson(question, judgement));
  else terminal.print(renderWhy(question, judgement, terminal.style));
  // The question is answered, whatever the answer.
  return 0;
}

/** The lab that is up; by name also one that is not, because the model needs its files alone. */
async function labOf(args: WhyVerb, terminal: Terminal): Promise<pipeline.Lab> {
  const named = wantedLab(args.lab);
  try {
    const { name, record } = await chooseLab(args.lab, terminal);
    return pipeline.load(record?.directory ?? name, [...(record?.sets ?? []), ...args.set]);
  } catch (error) {
    const isNotUp =
      error instanceof InputError && error.diagnostics.some(({ code }) => code === 'lab-not-up');
    if (!isNotUp || named === undefined) throw error;
    return pipeline.load(args.lab ?? named, args.set);
  }
}

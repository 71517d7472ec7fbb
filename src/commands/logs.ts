/** `logs alb/NAME`: a load balancer's access log, the entries of its nodes by their time; `-f` goes on with those that come. */

import { accessLogPath } from '../aws/alb-access-log.ts';
import { InputError, suggest } from '../base/diagnostic.ts';
import { type Cloud, findThing } from '../cloud.ts';
import { run, startStreaming } from '../host/exec.ts';
import { enter, enterWithScript } from '../host/sandbox.ts';
import { parseAccessLogEntry, sortByTime } from '../observe/access-log.ts';
import { loadUp } from '../pipeline.ts';
import { findBalancer } from '../report/balancer.ts';
import { chooseLab, type LabUp } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';
import type { LogsVerb } from './verbs.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function logs(args: LogsVerb, terminal: Terminal): Promise<number> {
  const { number } = args;
  if (!(Number.isInteger(number) && number > 0)) {
    throw InputError.of({
      code: 'usage',
      what: '-n is no number of lines',
      hint: 'write it like -n 50',
    });
  }
  const up = await chooseLab(args.lab, terminal);
  const files = filesOf(loadUp(up.name, up.record).cloud, args.thing);
  if (args.follow) return follow(up, files, number, terminal);
  const { stdout } = await run(enter(up.sandbox, ['cat', ...files]));
  const lines = sortByTime(stdout.split('\n').filter((line) => line !== '')).slice(-number);
  if (terminal.json) {
    terminal.printJson({ lab: up.name, entries: lines.map(parseAccessLogEntry) });
  } else if (lines.length > 0) terminal.print(lines.join('\n'));
  return 0;
}

/** Throws an InputError for what has no log. */
export function filesOf(cloud: Cloud, word: string): [string, ...string[]] {
  const thing = findThing(cloud, word);
  const balancer =
    thing === undefined
      ? findBalancer(cloud, word)
      : cloud.loadBalancers.find(({ nodes }) => nodes.some(({ netns }) => netns === thing.netns));
  if (balancer === undefined) {
    const names = cloud.loadBalancers.map(({ name }) => `alb/${name}`);
    throw InputError.of({
      code: 'no-such-thing',
      what: `"${word}" is no load balancer of ${cloud.name}`,
      hint: suggest(word, names) ?? 'load balancers alone have a log of requests',
    });
  }
  const { accessLog } = balancer;
  const [first, ...others] = balancer.nodes
    .filter(({ netns }) => thing === undefined || netns === thing.netns)
    .flatMap((node) => (accessLog === undefined ? [] : accessLogPath(balancer, node, accessLog)));
  if (first === undefined) {
    throw InputError.of({
      code: 'no-access-log',
      what: `the load balancer "${balancer.name}" keeps no log of requests`,
      hint: 'annotate its Ingress: alb.ingress.kubernetes.io/load-balancer-attributes: access_logs.s3.enabled=true,access_logs.s3.bucket=logs',
    });
  }
  return [first, ...others];
}

/** Ends with the lab, or in order by a signal. */
async function follow(
  up: LabUp,
  files: readonly string[],
  number: number,
  terminal: Terminal,
): Promise<number> {
  const script = `exec tail -q -n ${number} -F ${files.join(' ')} 2>/dev/null`;
  const child = startStreaming(enterWithScript(up.sandbox, script));
  child.stdin.end();
  const ended = new AbortController();
  const end = (): void => {
    ended.abort();
    child.stop();
  };
  for (const signal of SIGNALS) process.once(signal, end);
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = `${rest}${chunk.toString()}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of sortByTime(lines)) {
      terminal.print(terminal.json ? JSON.stringify(parseAccessLogEntry(line)) : line);
    }
  });
  try {
    await child.ended;
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
  }
  if (ended.signal.aborted) return 0;
  terminal.note('the lab went down meanwhile');
  return 1;
}

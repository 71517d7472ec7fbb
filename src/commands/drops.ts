/** `drops`: the packets that were denied, and by what; `-f` goes on with those that are denied from now on. */

import { DROP_LOG } from '../aws/drop-log.ts';
import { InputError } from '../base/diagnostic.ts';
import { run, startStreaming } from '../host/exec.ts';
import { enter, enterWithScript } from '../host/sandbox.ts';
import { readThings } from '../host/thing-index.ts';
import type { KernelState } from '../kernel/state.ts';
import { type Drop, foldDrops, parseDropLog } from '../observe/drop.ts';
import { renderFlush } from '../probe/drop-log.ts';
import {
  dropToJson,
  nameAddresses,
  renderDrop,
  renderDrops,
  renderDropSummary,
  whereRulesStand,
} from '../report/drops.ts';
import { parseDurationMs } from '../source/scalar.ts';
import { chooseLab, type LabUp } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';
import type { DropsVerb } from './verbs.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Rules that denied beyond these are left to who looks for them. */
const MOST_CHAINS = 3;

export async function drops(args: DropsVerb, terminal: Terminal): Promise<number> {
  const since = sinceOf(args);
  if (!(Number.isInteger(args.number) && args.number > 0)) {
    throw InputError.of({
      code: 'usage',
      what: '-n is no number of lines',
      hint: 'write it like -n 50',
    });
  }
  const up = await chooseLab(args.lab, terminal);
  const view = viewOf(up);
  return args.follow ? follow(up, since, view, terminal) : list(up, since, args, view, terminal);
}

/** What stands, whatever the lab's files say by now. */
interface View {
  readonly planned: KernelState;
  readonly thingIn: (netns: string) => string | undefined;
  readonly names: ReadonlyMap<string, string>;
  readonly utcOffsetMinutes: number;
}

function viewOf({ store }: LabUp): View {
  const planned = store.readPlan();
  const things = new Map<string, string>();
  // A pod on its node's own network is the node, as far as packets go.
  for (const { kind, netns, reference } of readThings(store)) {
    if (kind !== 'pod' || !things.has(netns)) things.set(netns, reference);
  }
  const thingIn = (netns: string): string | undefined => things.get(netns);
  const names = nameAddresses(planned, thingIn);
  return { planned, thingIn, names, utcOffsetMinutes: -new Date().getTimezoneOffset() };
}

/** The earliest time that is asked for, in seconds since the epoch. */
function sinceOf({ since }: DropsVerb): number | undefined {
  if (since === undefined) return undefined;
  const ms = parseDurationMs(since);
  if (ms !== undefined) return (Date.now() - ms) / 1000;
  throw InputError.of({
    code: 'not-a-duration',
    what: `--since "${since}" is not a duration`,
    hint: 'write it like 10s or 5m',
  });
}

async function list(
  up: LabUp,
  since: number | undefined,
  args: DropsVerb,
  view: View,
  terminal: Terminal,
): Promise<number> {
  const script = `${renderFlush()} || echo silent >&2; cat ${DROP_LOG}.old ${DROP_LOG} 2>/dev/null`;
  const { stdout, stderr } = await run(enter(up.sandbox, ['sh', '-c', script]));
  if (stderr.includes('silent')) noteSilence(up, terminal);
  const log = parseDropLog(stdout);
  const denied = log.drops.filter(({ time }) => since === undefined || time >= since);
  const folded = foldDrops(denied).slice(-args.number);
  if (terminal.json) {
    terminal.printJson({
      lab: up.name,
      denied: denied.length,
      lost: log.lost,
      drops: folded.map(({ first, last, count }) => ({
        ...dropToJson(first, view.names),
        lastTime: last.time,
        count,
      })),
    });
    return 0;
  }
  if (folded.length > 0) terminal.print(renderDrops(folded, view, terminal.style));
  const shown = folded.reduce((sum, { count }) => sum + count, 0);
  const numbers = { denied: denied.length, shown, lost: log.lost };
  terminal.print(renderDropSummary(numbers, terminal.style));
  const denials = folded.map(({ first }) => first);
  for (const line of commandsFor(denials, view)) terminal.print(`  look: ${line}`);
  return 0;
}

/** Where the rules are that denied. */
function commandsFor(denials: readonly Drop[], { planned, thingIn }: View): string[] {
  const chains = whereRulesStand(denials, planned, thingIn);
  if (chains.length > 0) return chains.slice(0, MOST_CHAINS);
  // A rule that nobody planned stands somewhere in there.
  return [...new Set(denials.map(({ netns }) => thingIn(netns) ?? netns))].map(
    (place) => `npx hoplab exec ${place} -- nft list ruleset`,
  );
}

function noteSilence({ name }: LabUp, terminal: Terminal): void {
  terminal.note(`nobody writes the log of denied packets: npx hoplab verify -l ${name}`);
}

/** Ends with the lab, or in order by a signal; however it ends, nothing of it is left inside. */
async function follow(
  up: LabUp,
  since: number | undefined,
  view: View,
  terminal: Terminal,
): Promise<number> {
  // By its name, for the log is moved aside when it is large; and from where it ended before we said that we listen.
  const from = since === undefined ? `$(stat -c %s ${DROP_LOG} 2>/dev/null)` : '0';
  const earlier = since === undefined ? ':' : `cat ${DROP_LOG}.old 2>/dev/null`;
  const script = [
    `${renderFlush()} || echo silent >&2`,
    `from=${from}`,
    'echo listening >&2',
    earlier,
    `exec tail -c +$((from + 1)) -F ${DROP_LOG} 2>/dev/null`,
  ].join('\n');
  const child = startStreaming(enterWithScript(up.sandbox, script));
  child.stdin.end();
  const ended = new AbortController();
  const end = (): void => {
    ended.abort();
    child.stop();
  };
  for (const signal of SIGNALS) process.once(signal, end);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (!said.includes('listening')) return;
    if (said.includes('silent')) noteSilence(up, terminal);
    terminal.note(terminal.errorStyle.dim('listening for denied packets; Ctrl-C ends'));
    said = '';
  });
  const show = (drop: Drop): void => {
    const { json, style } = terminal;
    const line = json
      ? JSON.stringify(dropToJson(drop, view.names))
      : renderDrop(drop, view, style);
    terminal.print(line);
  };
  let rest = '';
  let lost = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = `${rest}${chunk.toString()}`.split('\n');
    rest = lines.pop() ?? '';
    const log = parseDropLog(lines.join('\n'));
    lost += log.lost;
    for (const drop of log.drops) if (since === undefined || drop.time >= since) show(drop);
  });
  try {
    await child.ended;
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
  }
  if (lost > 0) terminal.note(`${lost} more that the log could not keep up with`);
  if (ended.signal.aborted) return 0;
  terminal.note('the lab went down meanwhile');
  return 1;
}

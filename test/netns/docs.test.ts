/**
 * What README.md and the labs' READMEs tell one to type does what they show, in the order in which they tell it. They
 * begin with `npm run lab …`, so each lab's probes and experiments are asked here.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import t from 'tap';

import { parse } from '../../src/commands/grammar.ts';
import { enterHere, netnsOfThing, renderArgv } from '../../src/commands/inside.ts';
import { chooseLab } from '../../src/commands/lab-choice.ts';
import { splitWords } from '../../src/commands/split-words.ts';
import { type Finished, run } from '../../src/host/exec.ts';
import { builtInLabs, LABS } from '../../src/host/lab-files.ts';
import { enter } from '../../src/host/sandbox.ts';
import { load } from '../../src/pipeline.ts';
import { hoplab } from '../support/cli.ts';
import { missingLines, shownCommands } from '../support/markdown.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const PATIENCE_MS = 30_000;
const POLL_MS = 100;
/** Without npx and the launcher between, which only look for what is there; `npm run lab` takes the whole way. */
const HOPLAB = renderArgv(hoplab([], {}));
const SHORT = `npx() { shift; ${HOPLAB} "$@"; }`;

/** What can't be run here, each with the reason. */
const LEFT_OUT: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^npm test/, 'this is one of the tests'],
  [/\bvagrant\b/, 'it needs a hypervisor; test/scripts tries it with a stand-in'],
  [/\bwireshark\b/, 'it needs a screen; test/netns/capture.test.ts reads the same stream'],
  [/\b(limactl|multipass|brew|winget|apt-get|git clone)\b/, 'it changes the machine'],
];

const FILES = [
  join(PROJECT, 'README.md'),
  ...builtInLabs().map((name) => join(LABS, name, 'README.md')),
];

// Most of what is shown waits for packets. Each file has a state of its own.
t.jobs = 2;

for (const file of FILES) {
  const name = relative(PROJECT, file);
  // The lab of the directory, else the one that the README begins with. Experiments are no traffic: they change the lab.
  const lab = file.startsWith(LABS) ? basename(dirname(file)) : 'scenario-4';
  const probes = Object.entries(load(lab).spec.file.probes)
    .filter(([, { expect }]) => expect.verdict === 'allowed')
    .map(([name]) => name)
    .join(' ');
  // Not by the function below, whose own process would be ended in the place of the program's.
  const traffic = `${HOPLAB} probe --every 300ms -l ${lab} ${probes} >/dev/null 2>&1 & traffic=$!; trap "kill $traffic" EXIT`;
  t.test(`every command in ${name} does what it shows`, async (t) => {
    const state = mkdtempSync(join(tmpdir(), 'hoplab-docs-'));
    t.teardown(async () => {
      await sh(state, 'npx hoplab down --all', () => false);
      rmSync(state, { recursive: true, force: true });
    });
    const done = new Set<string>();
    for (const { line, command, output } of shownCommands(readFileSync(file, 'utf8'))) {
      // The same line once more, in another place and without anything to compare it with, says nothing new.
      const words = command.replace(/ +# .*/, '');
      if (output.length === 0 && done.has(words) && /^npm run lab \S+$/.test(words)) continue;
      done.add(words);
      const where = `${name}:${line}: ${command}`;
      const reason = LEFT_OUT.find(([pattern]) => pattern.test(command))?.[1];
      if (reason !== undefined) {
        t.comment(`left out: ${command} (${reason})`);
        continue;
      }
      // Whoever listens needs somebody who sends.
      const listens = /\btcpdump\b|hoplab capture\b/.test(command);
      if (listens) await quiet(state, lab);
      const script = listens ? `${traffic}\n${command}` : command;
      const program = listens ? undefined : wordsOfExec(words);
      const isEndless = listens && !/ (-c \d+|timeout \d+) /.test(command);
      const { exitCode, stdout, stderr } =
        program === undefined
          ? await sh(
              state,
              script,
              (said) => isEndless && said.includes('\n') && missingLines(output, said).length === 0,
            )
          : await execHere(state, program);
      const missing = missingLines(output, stdout + stderr);
      t.strictSame(missing, [], `${where}\n${stdout}${stderr}`);
      // Where something is broken on purpose the text shows how that looks.
      // Where verify stands without output, something was broken for it to find.
      const fine = /hoplab verify\b/.test(command) ? [0, 1] : isEndless ? [0, 130] : [0];
      if (output.length === 0) t.ok(fine.includes(exitCode), `${where}: ${exitCode}\n${stderr}`);
    }
  });
}

/** The words of a line that is `npx hoplab exec …` and nothing else: no pipe, no variable, no second command. */
function wordsOfExec(line: string): string[] | undefined {
  if (!line.startsWith('npx hoplab exec ')) return undefined;
  const words = line.match(/'[^']*'|"[^"$`]*"|[^\s'"|&;<>$`()*]+/g) ?? [];
  if (words.join(' ') !== line.replaceAll(/ +/g, ' ')) return undefined;
  return words.slice(2).map((word) => word.replace(/^(['"])(.*)\1$/, '$2'));
}

/** What `exec` does, without a process of its own for it: most lines are such ones. */
async function execHere(state: string, words: readonly string[]): Promise<Finished> {
  const invocation = await parse(splitWords(words), '');
  if (invocation.verb !== 'exec') throw new Error(`not exec: ${words.join(' ')}`);
  process.env['XDG_STATE_HOME'] = state;
  const { store, sandbox } = await chooseLab(invocation.lab, { note: () => undefined });
  const netns = netnsOfThing(store, invocation.thing);
  return run(enterHere(sandbox, ['ip', 'netns', 'exec', netns, ...invocation.command]));
}

/** Waits until no host of the lab asks for a neighbour that nobody is: what it says of that at last, a listener would hear. */
async function quiet(state: string, lab: string): Promise<void> {
  process.env['XDG_STATE_HOME'] = state;
  const { sandbox } = await chooseLab(lab, { note: () => undefined });
  const asking = 'for n in /run/netns/*; do nsenter --net=$n ip neigh show nud incomplete; done';
  const deadline = Date.now() + PATIENCE_MS;
  while ((await run(enter(sandbox, ['sh', '-c', asking]))).stdout !== '') {
    if (Date.now() > deadline) throw new Error(`${lab} does not come to rest`);
    await delay(POLL_MS);
  }
}

/** Runs the line to its end, or ends it with Ctrl-C once what it has printed is enough. */
async function sh(
  state: string,
  line: string,
  isEnough: (stdout: string) => boolean,
): Promise<Finished> {
  const argv = ['-u', 'NODE_OPTIONS', `XDG_STATE_HOME=${state}`, 'bash', '-c'];
  const script = `cd ${PROJECT}; ${SHORT}\n${line}`;
  // In a session of its own, so that Ctrl-C comes to all of it, and to nobody else.
  const child = spawn('env', [...argv, script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Buffer) => {
      said[stream] += chunk.toString();
    });
  }
  let exitCode: number | undefined;
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code) => {
      exitCode = code ?? 130;
      resolve();
    });
  });
  const deadline = Date.now() + PATIENCE_MS;
  let isAsked = false;
  while (exitCode === undefined) {
    await Promise.race([ended, delay(POLL_MS)]);
    if (isAsked || (Date.now() < deadline && !isEnough(said.stdout))) continue;
    isAsked = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
  }
  // What it started in its background takes no Ctrl-C, and must not go on for ever.
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing is left.
  }
  return { exitCode, ...said };
}

/**
 * A lab on the real kernel for the length of one test: its own name, its own state directory, up before the test's body
 * and gone after it, with a look at whether any process of the sandbox outlived it.
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Test } from 'tap';

import { InputError } from '../../src/base/diagnostic.ts';
import { findThing } from '../../src/cloud.ts';
import { type Finished, run } from '../../src/host/exec.ts';
import type { LabText } from '../../src/host/lab-files.ts';
import { MachineError } from '../../src/host/machine-error.ts';
import { findSandbox, type Sandbox } from '../../src/host/sandbox.ts';
import { LabStore } from '../../src/host/store.ts';
import { down, type Lab, loadText, matrix, probe, repair, up, verify } from '../../src/pipeline.ts';
import type { MatrixCell } from '../../src/probe/matrix.ts';
import { renderGroups } from '../../src/report/probes.ts';
import type { Repaired, Verified } from '../../src/standing.ts';
import { hoplab } from './cli.ts';
import { Inside } from './inside.ts';

interface LabInput {
  readonly lab: string;
  readonly manifests?: string;
}

/** For a lab that is not about security groups: a line of its VPC that lets everything in. */
export const OPEN_GROUPS =
  'securityGroups: { default: { ingress: [{ from: 0.0.0.0/0 }] }, eks-cluster-sg: { ingress: [{ from: 0.0.0.0/0 }] } }';

/** One command somewhere in the lab: whose netns, and the shell line. */
type Somewhere = readonly [where: string, line: string];

const SILENT = { step: (): void => undefined, note: (): void => undefined };
const POLL_MS = 20;
/** For two health checks of a load balancer at AWS's shortest interval, on a busy machine. */
const PATIENCE_MS = 30_000;
/** A dropped connection costs a test this long, so drops are probed side by side. */
const CURL_SECONDS = 1.5;

let count = 0;

export async function withLab(
  t: Test,
  input: LabInput,
  body: (lab: TestLab) => Promise<void>,
): Promise<void> {
  count += 1;
  const state = mkdtempSync(join(tmpdir(), 'hoplab-test-'));
  const lab = new TestLab(`test-${process.pid}-${count}`, state, input);
  // Also what takes the lab down must see its state directory, and only a test that ended has no use for it.
  t.teardown(async () => {
    const left = await lab.down();
    rmSync(state, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`outlived the sandbox: ${left.join(', ')}`);
  });
  try {
    await lab.change(input.lab, input.manifests);
  } catch (error) {
    if (!(error instanceof MachineError) || process.env['REQUIRE_NETNS'] === '1') throw error;
    t.plan(0, error.message.split('\n')[0]);
    return;
  }
  await body(lab);
}

export class TestLab {
  readonly name: string;
  readonly #state: string;
  #manifests: string | undefined;
  #lab: Lab | undefined;
  #sandbox: Sandbox | undefined;
  #inside: Inside | undefined;
  #files = 0;

  constructor(name: string, state: string, { manifests }: LabInput) {
    this.name = name;
    this.#state = state;
    this.#manifests = manifests;
  }

  get lab(): Lab {
    if (this.#lab === undefined) throw new Error(`${this.name} is not up`);
    return this.#lab;
  }

  get store(): LabStore {
    process.env['XDG_STATE_HOME'] = this.#state;
    return new LabStore(this.name);
  }

  /** Reads and plans a lab text without touching what is up; throws an InputError. */
  load(text: string, manifests = this.#manifests): Lab {
    return loadText(labText(this.name, this.#state, text, manifests));
  }

  /** Converges to what the text says now; the number of objects that this touched. */
  async change(text: string, manifests = this.#manifests): Promise<number> {
    this.#lab = this.load(text, manifests);
    this.#manifests = manifests;
    // `up` makes its store before it first waits, so that labs side by side do not see each other's directory.
    process.env['XDG_STATE_HOME'] = this.#state;
    const { steps, sandbox } = await up(this.#lab, SILENT);
    this.#sandbox = sandbox;
    return steps.length;
  }

  async verify(): Promise<Verified> {
    return verify(this.store, await this.sandbox(), SILENT);
  }

  async repair(): Promise<Repaired> {
    return repair(this.store, await this.sandbox(), SILENT);
  }

  /** The lab's probes, its experiments' too. */
  async probe(): ReturnType<typeof probe> {
    const sandbox = await this.sandbox();
    // Labs side by side share the environment: it is set in the moment in which it is read.
    process.env['XDG_STATE_HOME'] = this.#state;
    return probe(this.lab, sandbox, [], SILENT);
  }

  /** Those of them that saw something else than they expected or than the model predicts, as `run` shows them; else nothing. */
  async failedProbes(): Promise<string> {
    const groups = await this.probe();
    return renderGroups(
      groups.map((group) => ({
        ...group,
        results: group.results.filter((one) => one.differences.length > 0),
      })),
    );
  }

  /** Everybody asks everybody. */
  async matrix(): Promise<readonly MatrixCell[]> {
    const sandbox = await this.sandbox();
    process.env['XDG_STATE_HOME'] = this.#state;
    return (await matrix(this.lab, sandbox, {}, SILENT)).cells;
  }

  /** Runs the command line as a process of its own, with this lab's state. */
  async cli(...words: readonly string[]): Promise<Finished> {
    return run(this.#hoplab(words));
  }

  #hoplab(words: readonly string[]): [string, ...string[]] {
    return hoplab(words, { XDG_STATE_HOME: this.#state, HOPLAB_LAB: this.name });
  }

  /** Starts the command line as a process that goes on until it is ended. */
  start(...words: readonly string[]): Started {
    const [file, ...args] = this.#hoplab(words);
    return new Started(spawn(file, args));
  }

  /** Runs a shell script in the sandbox's root namespace. */
  async sh(script: string): Promise<Finished> {
    return this.#run(['sh', '-c', script]);
  }

  /** Runs a shell line in the netns of a thing (`pod/a`), or in the netns of that name. */
  async in(where: string, line: string): Promise<Finished> {
    return this.#run(['ip', 'netns', 'exec', this.netns(where), 'sh', '-c', line]);
  }

  /** What a line prints, which must succeed. */
  async out(where: string, line: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.in(where, line);
    if (exitCode !== 0) throw new Error(`${where}: ${line}: exit ${exitCode}\n${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  netns(where: string): string {
    return findThing(this.lab.cloud, where)?.netns ?? where;
  }

  /** All lines side by side; how each ended. */
  async exits<Key extends string>(
    lines: Readonly<Record<Key, Somewhere>>,
  ): Promise<Record<Key, number>> {
    return sideBySide(lines, async ([where, line]) => (await this.in(where, line)).exitCode);
  }

  /** All requests side by side: `client ADDRESS` as the server saw it, or curl's exit code (28 time-out, 7 refused). */
  async curl<Key extends string>(
    requests: Readonly<Record<Key, Somewhere>>,
    options = '',
  ): Promise<Record<Key, string>> {
    return sideBySide(requests, async ([where, target]) => {
      const line = `exec curl -s -m ${CURL_SECONDS} ${options} http://${target}/`;
      const { exitCode, stdout } = await this.in(where, line);
      if (exitCode !== 0) return `exit ${exitCode}`;
      return `client ${(JSON.parse(stdout) as { client: string }).client}`;
    });
  }

  /** Asks again until the answer is as wanted; the last answer. */
  async poll<Answer>(
    ask: () => Promise<Answer>,
    wanted: (answer: Answer) => boolean,
  ): Promise<Answer> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = await ask();
      if (wanted(answer) || Date.now() > deadline) return answer;
      await delay(POLL_MS);
    }
  }

  /**
   * tcpdump in a netns during the body, until `until` shows in its lines: packets are seen in their order, so what came
   * before it and is not there did not come.
   */
  async capture(
    where: string,
    { link = 'eth0', filter = '', until }: { link?: string; filter?: string; until: RegExp },
    body: () => Promise<unknown>,
  ): Promise<string> {
    const base = await this.#background(
      where,
      `tcpdump -Z root --immediate-mode -l -e -v -nn -t -i ${link} '${filter}'`,
    );
    const started = await this.poll(
      async () => (await this.sh(`cat ${base}.err`)).stdout,
      (text) => text.includes('listening on') || text.includes('error'),
    );
    if (!started.includes('listening on')) throw new Error(`tcpdump: ${started}`);
    await body();
    const text = await this.poll(
      async () => packets((await this.sh(`cat ${base}.out`)).stdout),
      (seen) => until.test(seen),
    );
    await this.sh(`kill $(cat ${base}.pid)`);
    if (!until.test(text)) throw new Error(`never seen in ${where}: ${until.source}\n${text}`);
    return text;
  }

  /** A TCP server that says back what it hears. */
  async echoServer(where: string, port: number): Promise<void> {
    await this.#background(where, `socat TCP-LISTEN:${port},fork,reuseaddr PIPE`);
    await this.poll(
      async () => this.out(where, 'ss -Hltn'),
      (listening) => listening.includes(`:${port} `),
    );
  }

  /** A TCP connection that stays open, to an echo server. */
  async connect(where: string, target: string): Promise<Connection> {
    return new Connection(this, await this.#background(where, `socat -d -d - TCP:${target}`));
  }

  /** A TCP connection to an echo server that says something five times a second, however slow this process is. */
  async chatter(where: string, target: string): Promise<Chatter> {
    const line = `sh -c 'while sleep 0.2; do echo word; done | socat - TCP:${target}'`;
    return new Chatter(this, await this.#background(where, line));
  }

  /** Starts a program that lives on; the files of its process id, input, output and errors begin with what is returned. */
  async #background(where: string, line: string): Promise<string> {
    this.#files += 1;
    const base = `/run/hoplab/background-${this.#files}`;
    const { exitCode, stderr } = await this.sh(
      // The pipe is open before anything is in the background: what is written while nobody has it open is lost.
      `mkfifo ${base}.in && exec 3<>${base}.in && { setsid ip netns exec ${this.netns(where)} ${line} <&3 3<&- >${base}.out 2>${base}.err & echo $! >${base}.pid; }`,
    );
    if (exitCode !== 0) throw new Error(stderr);
    return base;
  }

  /** Takes the lab down; the processes of the sandbox that are left. */
  async down(): Promise<string[]> {
    const { store } = this;
    const sandbox = await findSandbox(store);
    this.#sandbox = undefined;
    const processes = sandbox === undefined ? [] : processesOf(sandbox.pid);
    await down(store, SILENT);
    // The kernel reaps a namespace's processes before its first one; those that merely entered are ours to wait for.
    return this.poll(
      async () => processes.filter(isAlive).map(({ command }) => command),
      (left) => left.length === 0,
    );
  }

  async sandbox(): Promise<Sandbox> {
    // As long as the test itself does not take it down, it is up: looking costs a process each time.
    const sandbox = this.#sandbox ?? (await findSandbox(this.store));
    if (sandbox === undefined) throw new Error(`${this.name} is not up`);
    return sandbox;
  }

  async #run(argv: readonly string[]): Promise<Finished> {
    const sandbox = await this.sandbox();
    if (this.#inside?.sandbox.token !== sandbox.token) this.#inside = new Inside(sandbox);
    return this.#inside.run(argv);
  }
}

class Started {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<number | null>;
  readonly #said = { stdout: '', stderr: '' };

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', resolve));
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (chunk: Buffer) => {
        this.#said[stream] += chunk.toString();
      });
    }
  }

  stdout(): string {
    return this.#said.stdout;
  }

  stderr(): string {
    return this.#said.stderr;
  }

  /** The exit code; null for a signal that it could not take. */
  async end(signal: 'SIGINT' | 'SIGKILL'): Promise<number | null> {
    this.#child.kill(signal);
    return this.#ended;
  }
}

class Chatter {
  readonly #lab: TestLab;
  readonly #base: string;

  constructor(lab: TestLab, base: string) {
    this.#lab = lab;
    this.#base = base;
  }

  /** Whether more comes back after the call than before it. */
  async goesOn(): Promise<boolean> {
    const heard = async (): Promise<number> =>
      Number((await this.#lab.sh(`wc -c <${this.#base}.out`)).stdout);
    const before = await heard();
    return (await this.#lab.poll(heard, (now) => now > before)) > before;
  }
}

/** How long socat may take to start. */
const START_MS = 20_000;

/** How long one listens for what is not to come. */
export const SILENCE_MS = 1500;

export class Connection {
  readonly #lab: TestLab;
  readonly #base: string;
  #said = 0;

  constructor(lab: TestLab, base: string) {
    this.#lab = lab;
    this.#base = base;
  }

  /**
   * Sends a word and waits for its echo; `reset` when the connection is, `silence` when nothing comes. Where silence is
   * right, SILENCE_MS is long enough; what is to come may take longer on a busy machine.
   */
  async say(patienceMs = 10_000): Promise<'echo' | 'reset' | 'silence'> {
    this.#said += 1;
    const word = `word-${this.#said}.`;
    let deadline = Date.now() + patienceMs;
    const startDeadline = Date.now() + START_MS;
    // Opened for both, because a pipe that nobody reads any more would be waited for for ever.
    await this.#lab.sh(`echo ${word} 1<>${this.#base}.in`);
    for (;;) {
      const { stdout } = await this.#lab.sh(`cat ${this.#base}.out ${this.#base}.err`);
      if (stdout.includes(word)) return 'echo';
      if (/Connection reset/.test(stdout)) return 'reset';
      // On a busy machine the program itself may take long to start.
      if (!/opening connection/.test(stdout) && Date.now() < startDeadline) {
        deadline = Date.now() + patienceMs;
      }
      if (Date.now() > deadline) return 'silence';
      await delay(POLL_MS);
    }
  }

  async close(): Promise<void> {
    await this.#lab.sh(`kill $(cat ${this.#base}.pid)`);
  }
}

/** A line a packet: `-v` puts the addresses on a second one, and what the packet carries on more, behind tabs. */
function packets(tcpdump: string): string {
  return tcpdump
    .replaceAll(/\n\t.*/g, '')
    .replaceAll(/\n +/g, ' ')
    .trimEnd();
}

/** What is wrong with a lab, a line a diagnostic; nothing is built. */
export function refusals(text: string, manifests?: string): string[] {
  try {
    loadText(labText('test', '/', text, manifests));
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.diagnostics.map(({ code, what }) => `${code}: ${what}`);
  }
}

function labText(
  name: string,
  directory: string,
  text: string,
  manifests: string | undefined,
): LabText {
  return {
    name,
    directory,
    lab: { file: 'lab.yaml', text },
    manifests: manifests === undefined ? [] : [{ file: 'pods.yaml', text: manifests }],
  };
}

/** The text with one part replaced, which must be there. */
export function edit(text: string, part: string, replacement: string): string {
  if (!text.includes(part)) throw new Error(`not in the lab: ${part}`);
  return text.replace(part, () => replacement);
}

/** Pods with an HTTP server on port 8080; `spec` goes into each pod's spec. */
export function pods(names: readonly string[], spec = ''): string {
  return names
    .map(
      (name) => `apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  ${spec}
  containers: [{ name: main, ports: [{ containerPort: 8080 }] }]
---
`,
    )
    .join('');
}

async function sideBySide<Key extends string, In, Out>(
  inputs: Readonly<Record<Key, In>>,
  ask: (input: In) => Promise<Out>,
): Promise<Record<Key, Out>> {
  const entries = Object.entries(inputs) as [Key, In][];
  const answers = entries.map(async ([key, input]) => [key, await ask(input)] as const);
  return Object.fromEntries(await Promise.all(answers)) as Record<Key, Out>;
}

interface Process {
  readonly pid: string;
  /** Tells it from a later process with the same number. */
  readonly start: string;
  readonly command: string;
}

/** Every process in one of the namespaces of the sandbox's first one. */
function processesOf(first: number): Process[] {
  const kinds = ['pid', 'mnt', 'net'];
  const own = new Set(kinds.map((kind) => namespaceOf(String(first), kind)));
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => kinds.some((kind) => own.has(namespaceOf(pid, kind))))
    .flatMap((pid) => {
      const start = startOf(pid);
      return start === undefined ? [] : [{ pid, start, command: `${pid} ${commandOf(pid)}` }];
    });
}

function isAlive({ pid, start }: Process): boolean {
  return startOf(pid) === start;
}

function namespaceOf(pid: string, kind: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    // Gone meanwhile, or somebody else's: a string that is in no set.
    return `none of ${pid}`;
  }
}

/** When it started, or undefined when it is gone or only its parent has not noticed yet. */
function startOf(pid: string): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /s, '').split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

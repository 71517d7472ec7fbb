/**
 * `kill -9` at any moment, of any process of ours: nothing is left that should not be, and the next command works.
 *
 * The moments are random. A failing run says its seed and the step; `HOPLAB_SEED=… HOPLAB_KILLS=…` repeat it, and hundreds
 * of kills are a matter of patience: `HOPLAB_KILLS=300 sh scripts/test.sh --timeout=1800 test/netns/kill.test.ts`.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import t, { type Test } from 'tap';

import { run } from '../../src/host/exec.ts';
import { MachineError } from '../../src/host/machine-error.ts';
import { findSandbox } from '../../src/host/sandbox.ts';
import { LabStore } from '../../src/host/store.ts';
import { down, load, repair, up, verify } from '../../src/pipeline.ts';
import { renderDrift } from '../../src/report/drift.ts';
import { hoplab } from '../support/cli.ts';

const KILLS = Number(process.env['HOPLAB_KILLS'] ?? 4);
const SEED = Number(process.env['HOPLAB_SEED'] ?? Date.now() % 1_000_000);
const SILENT = { step: (): void => undefined, note: (): void => undefined };
const PATIENCE_MS = 20_000;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
    internetGateway: igw
    natGateways: { nat: { subnet: public } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat }] }
cluster:
  vpc: main
  nodes: { node-1: { subnet: private } }
internet:
  server: { address: 198.51.100.10 }
probes:
  out: { from: pod/a, http: 'http://server/', expect: { status: 200 } }
  udp: { from: node/node-1, udp: 'pod/b:5353' }
  in: { from: internet/server, tcp: '10.0.3.10:80', expect: timeout }
experiments:
  cut:
    with: { vpcs.main.routeTables.private.routes: [] }
    probes: { out: { from: pod/a, http: 'http://server/', expect: timeout } }
`;
const MANIFESTS = `
apiVersion: v1
kind: Pod
metadata: { name: a }
spec: { containers: [{ name: main, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: b }
spec: { containers: [{ name: main, ports: [{ containerPort: 5353, protocol: UDP }] }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: all }
spec:
  podSelector: {}
  ingress: [{ from: [{ podSelector: {} }, { ipBlock: { cidr: 0.0.0.0/0, except: [192.0.2.0/24] } }] }]
  egress: [{}]
`;

/** mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const base = mkdtempSync(join(tmpdir(), 'hoplab-kill-'));
const stateHome = join(base, 'state');
const directory = join(base, `kill-${process.pid}`);
mkdirSync(join(directory, 'manifests'), { recursive: true });
writeFileSync(join(directory, 'lab.yaml'), LAB);
writeFileSync(join(directory, 'manifests', 'pods.yaml'), MANIFESTS);
process.env['XDG_STATE_HOME'] = stateHome;
const store = new LabStore(`kill-${process.pid}`);
t.teardown(async () => {
  await down(store, SILENT);
  rmSync(base, { recursive: true, force: true });
});

function start(words: readonly string[]): ChildProcess {
  const [file, ...args] = hoplab(words, {});
  return spawn(file, args, { stdio: 'ignore', cwd: base });
}

/** Processes that were started with this test's state directory, this one and what it started itself left out. */
function ours(): Map<number, string> {
  const found = new Map<number, string>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (!readFileSync(`/proc/${name}/environ`, 'utf8').includes(stateHome)) continue;
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      // A process that has ended keeps its number until its parent looks, and has no command line.
      if (command !== '') found.set(Number(name), command);
    } catch {
      // Gone meanwhile.
    }
  }
  return found;
}

/** What goes on while a lab is up: its two outer processes, its servers. */
const LASTING =
  /^(unshare --|sleep infinity|haproxy -D|perl \/run\/hoplab|dnsmasq -C|sh .*sandbox-init)/;

async function poll<Answer>(
  ask: () => Promise<Answer> | Answer,
  wanted: (answer: Answer) => boolean,
): Promise<Answer> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (wanted(answer) || Date.now() > deadline) return answer;
    await delay(10);
  }
}

/** Nothing that a command started is left, and the servers are there once. */
async function left(): Promise<string[]> {
  const isEmpty = (list: readonly string[]): boolean => list.length === 0;
  return poll(() => {
    const commands = [...ours().values()];
    const isUp = commands.some((command) => command.startsWith('unshare --'));
    const lasting = commands.filter((command) => LASTING.test(command));
    return [
      ...commands.filter((command) => !LASTING.test(command)),
      ...(isUp ? twice(lasting) : lasting),
    ];
  }, isEmpty);
}

function twice(list: readonly string[]): string[] {
  return list.filter((one, index) => list.indexOf(one) !== index).map((one) => `twice: ${one}`);
}

async function host(): Promise<string> {
  const links = (await run(['ip', '-o', 'link'])).stdout;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const { stdout: names } = await run(['ip', 'netns', 'list']);
  return [links, mounts, names].join('\n');
}

interface Victim {
  readonly words: readonly string[];
  /** What has to stand before it begins. */
  readonly before: 'down' | 'up' | 'broken';
}

const CHANGE = [
  '--set',
  'cluster.nodes.node-1.labels={}',
  '--set',
  'vpcs.main.natGateways.nat.idleTimeout=20s',
];
const VICTIMS: readonly Victim[] = [
  { words: ['up', directory], before: 'down' },
  { words: ['run', directory], before: 'down' },
  { words: ['run', directory], before: 'up' },
  { words: ['up', directory, ...CHANGE], before: 'up' },
  {
    words: [
      'up',
      directory,
      '--set',
      'internet={}',
      '--set',
      'probes={}',
      '--set',
      'experiments={}',
    ],
    before: 'up',
  },
  { words: ['probe'], before: 'up' },
  { words: ['probe', 'cut'], before: 'up' },
  { words: ['capture', 'node/node-1', 'pod/a'], before: 'up' },
  { words: ['exec', 'pod/a', '--', 'sleep', '1000'], before: 'up' },
  { words: ['verify'], before: 'up' },
  { words: ['repair'], before: 'broken' },
  { words: ['down'], before: 'up' },
];
const BREAK =
  'ip link del eth0; iptables -F; iptables -t nat -F; ip rule flush; ip route flush table all; kill -9 $(cat /run/hoplab/servers.pid)';

async function prepare(before: Victim['before']): Promise<void> {
  if (before === 'down') {
    await down(store, SILENT);
    return;
  }
  const lab = load(directory);
  await up(lab, SILENT);
  if (before === 'broken') {
    const words = ['exec', 'node/node-1', '--', 'sh', '-c', BREAK];
    await new Promise((resolve) => start(words).on('exit', resolve));
  }
}

/** How long the command takes when nobody kills it, in ms; what takes for ever is killed within a second. */
const durations = new Map<string, number>();

async function durationOf({ words, before }: Victim): Promise<number> {
  const key = [before, ...words].join(' ');
  const known = durations.get(key);
  if (known !== undefined) return known;
  await prepare(before);
  const began = performance.now();
  const child = start(words);
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await Promise.race([ended, delay(1500)]);
  const took = performance.now() - began;
  child.kill('SIGKILL');
  await ended;
  durations.set(key, took);
  return took;
}

t.test(
  'kill -9 of a command at a random moment leaves nothing, and the next one works',
  async (t) => {
    const random = randomFrom(SEED);
    t.comment(`seed ${SEED}, ${KILLS} kills`);
    if (!(await canRun(t))) return;
    const before = await host();
    let cutOff = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = VICTIMS[Math.floor(random() * VICTIMS.length)];
      if (victim === undefined) throw new Error('there is no such victim');
      const duration = await durationOf(victim);
      await prepare(victim.before);
      const child = start(victim.words);
      const ended = new Promise((resolve) => child.on('exit', resolve));
      const ms = random() * duration * 1.05;
      await delay(ms);
      child.kill('SIGKILL');
      await ended;
      const what = `kill ${kill}: ${victim.words.join(' ').replaceAll(base, '')} after ${Math.round(ms)} ms`;
      t.strictSame(await left(), [], `${what}: nothing is left running`);
      if (store.journal === 'building' || store.experiment !== undefined) cutOff += 1;
      // Each of the three ways on is taken.
      const chosen = Math.floor(random() * 3);
      // Killed before it began to mend, a repair leaves what was broken, and `up` alone looks for no drift.
      const isStillBroken = victim.before === 'broken' && store.journal !== 'building';
      const way = isStillBroken && chosen === 2 ? 1 : chosen;
      const sandbox = await findSandbox(store);
      if (way === 0) await down(store, SILENT);
      if (way === 1 && sandbox !== undefined && store.journal !== 'none') {
        await repair(store, sandbox, SILENT);
      }
      const { sandbox: next } = await up(load(directory), SILENT);
      const { drift } = await verify(store, next, SILENT);
      t.equal(renderDrift(drift, true), '', `${what}: the lab stands as planned`);
      t.equal(store.experiment, undefined);
      t.strictSame(await left(), [], `${what}: and nothing more runs`);
      if (!t.passing()) return;
    }
    t.comment(`${cutOff} of ${KILLS} kills cut a change off`);
    await down(store, SILENT);
    t.strictSame(await left(), [], 'nothing runs when the lab is down');
    t.equal(
      await host(),
      before,
      'links, mounts and named namespaces of the machine are what they were',
    );
  },
);

t.test('kill -9 of the first process at a random moment ends everything at once', async (t) => {
  const random = randomFrom(SEED + 1);
  if (!(await canRun(t))) return;
  for (let kill = 0; kill < Math.max(4, KILLS / 6); kill += 1) {
    await down(store, SILENT);
    const words =
      [['up', directory], ['run', directory], ['probe']][Math.floor(random() * 3)] ?? [];
    if (words[0] === 'probe') await up(load(directory), SILENT);
    const child = start(words);
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    const sandbox = await poll(
      () => findSandbox(store),
      (found) => found !== undefined,
    );
    await delay(random() * 500);
    const what = `kill ${kill}: during ${words.join(' ').replaceAll(base, '')}`;
    if (sandbox === undefined) throw new Error('the lab never came up');
    process.kill(sandbox.pid, 'SIGKILL');
    const code = await ended;
    t.ok(
      code !== null && code !== 130,
      `${what}: the command ends by itself (${code ?? 'killed'})`,
    );
    t.equal(await findSandbox(store), undefined);
    t.strictSame(await left(), [], `${what}: nothing is left running`);
    const { sandbox: next } = await up(load(directory), SILENT);
    t.equal(renderDrift((await verify(store, next, SILENT)).drift, true), '', what);
    if (!t.passing()) return;
  }
});

/** Whether a lab can be built here at all; where it can't, that is a failure only where it is required. */
async function canRun(t: Test): Promise<boolean> {
  try {
    await up(load(directory), SILENT);
    return true;
  } catch (error) {
    if (!(error instanceof MachineError) || process.env['REQUIRE_NETNS'] === '1') throw error;
    t.pass(`skipped: ${error.message.split('\n')[0] ?? ''}`);
    return false;
  }
}

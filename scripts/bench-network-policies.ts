/**
 * What NetworkPolicies cost: many of them over many pods, and small ones from one set to the next.
 *
 *   node scripts/bench-network-policies.ts [policies] [pods] [nodes]      default: 100 300 10
 *
 * Prints a line a figure; nothing is asserted. Compare figures of one machine only, and see how busy it is.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LabStore } from '../src/host/store.ts';
import type { Step } from '../src/kernel/diff.ts';
import { down, type Lab, loadText, matrix, up, verify } from '../src/pipeline.ts';
import { commandsFor } from '../src/standing.ts';
import { POLICY_CASES, POLICY_LAB, policyManifests } from '../test/support/network-policy-cases.ts';
import { clusterOf, loadAverage, machine, pad, silent, timed } from './measure.ts';

const NAMESPACES = 10;
const MANY = `bench-policies-${process.pid}`;
const NINE = `bench-nine-pods-${process.pid}`;

const [policies = 100, pods = 300, nodes = 10] = process.argv.slice(2).map(Number);
const state = mkdtempSync(join(tmpdir(), 'hoplab-bench-'));
process.env['XDG_STATE_HOME'] = state;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void takeDown().then(() => process.kill(process.pid, signal));
  });
}
console.log(`${await machine()}, load average ${loadAverage()} before`);
try {
  await many();
  await nine();
  console.log(`\nload average ${loadAverage()} after`);
} finally {
  await takeDown();
}

/** Also after a failure: nobody else knows where these labs are. */
async function takeDown(): Promise<void> {
  for (const name of [MANY, NINE]) await down(new LabStore(name), silent);
  rmSync(state, { recursive: true, force: true });
}

async function many(): Promise<void> {
  console.log(`\n${policies} policies over ${pods} pods on ${nodes} nodes`);
  console.log('                          load ms     up ms  objects touched');
  await converge('the pods alone', manyPods({ policies: 0 }));
  await converge('all policies', manyPods({}));
  await converge('one policy more', manyPods({ policies: policies + 1 }));
  await converge('and less', manyPods({}));
  await converge('another label of a pod', manyPods({ relabelled: 1 }));
  await converge('one pod more', manyPods({ relabelled: 1, pods: pods + 1 }));
  const store = new LabStore(MANY);
  const { sandbox } = await up(manyPods({ relabelled: 1, pods: pods + 1 })(), silent);
  const [{ objects, drift }, ms] = await timed(() => verify(store, sandbox, silent));
  console.log(
    `${'verify'.padEnd(23)}${' '.repeat(10)}${pad(ms)}  ${objects}, ${drift.length} differ`,
  );
  await down(store, silent);
}

/** From each set of policies to the next one of those that the tests try, and everybody asks everybody. */
async function nine(): Promise<void> {
  const parts: Record<string, number[]> = { load: [], diff: [], apply: [], 'all of it': [] };
  const make = (index: number): Lab => {
    const set = policyManifests(POLICY_CASES[index]?.policies ?? {}, POLICY_CASES[index]?.labels);
    return loadText(textOf(NINE, POLICY_LAB, set));
  };
  let before = make(-1);
  await up(before, silent);
  for (const index of POLICY_CASES.keys()) {
    const [lab, loadMs] = await timed(() => Promise.resolve(make(index)));
    const [, diffMs] = await timed(() => Promise.resolve(commandsFor(before.state, lab.state)));
    const [, upMs] = await timed(() => up(lab, silent));
    parts['load']?.push(loadMs);
    parts['diff']?.push(diffMs);
    // It has compared the two states once more.
    parts['apply']?.push(upMs - diffMs);
    parts['all of it']?.push(loadMs + upMs);
    before = lab;
  }
  console.log(`\n9 pods, ${POLICY_CASES.length} sets of policies one after the other, ms`);
  for (const [what, times] of Object.entries(parts)) console.log(spread(what, times));
  const { sandbox } = await up(before, silent);
  const [{ cells }, ms] = await timed(() => matrix(before, sandbox, {}, silent));
  console.log(`everybody asks everybody: ${cells.length} requests in ${ms.toFixed(0)} ms`);
}

async function converge(what: string, make: () => Lab): Promise<void> {
  const [lab, loadMs] = await timed(() => Promise.resolve(make()));
  const [{ steps }, upMs] = await timed(() => up(lab, silent));
  console.log(`${what.padEnd(23)}${pad(loadMs)}${pad(upMs)}  ${touched(steps)}`);
}

/** How many objects of each kind. */
function touched(steps: readonly Step[]): string {
  const counts = new Map<string, number>();
  for (const { action, planned } of steps) {
    const key = `${planned.object.kind} ${action}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const few = counts.size > 6 ? [] : [...counts].map(([key, number]) => `${number} ${key}`);
  return [`${steps.length}`, ...few].join(', ');
}

function spread(what: string, times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(0);
  return `${what.padEnd(10)} ${at(0.5).padStart(4)} median, ${at(0.9).padStart(4)} nine of ten, ${at(1).padStart(4)} at most`;
}

function textOf(name: string, lab: string, manifests: string): Parameters<typeof loadText>[0] {
  return {
    name,
    directory: state,
    lab: { file: 'lab.yaml', text: lab },
    manifests: [{ file: 'manifests.yaml', text: manifests }],
  };
}

/** Ten applications in each namespace; a policy lets in two others, by a port's name too, and out to a third and a block. */
function manyPods(options: {
  readonly policies?: number;
  readonly pods?: number;
  readonly relabelled?: number;
}): () => Lab {
  const { policies: policyCount = policies, pods: podCount = pods, relabelled = 0 } = options;
  const namespaceOf = (index: number): string => `ns-${index % NAMESPACES}`;
  const namespaces = Array.from({ length: NAMESPACES }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespaceOf(index), labels: { team: `t-${index % 3}` } },
  }));
  const ports = [{ name: 'http', containerPort: 8080 }];
  const all = Array.from({ length: podCount }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${index}`,
      namespace: namespaceOf(index),
      labels: {
        app: `app-${(Math.floor(index / NAMESPACES) + (index < relabelled ? 1 : 0)) % 10}`,
      },
    },
    spec: { containers: [{ name: 'main', ports }] },
  }));
  const app = (index: number): object => ({ matchLabels: { app: `app-${index % 10}` } });
  const rules = Array.from({ length: policyCount }, (_, index) => {
    const which = Math.floor(index / NAMESPACES);
    const others = { namespaceSelector: { matchLabels: { team: `t-${index % 3}` } } };
    return {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `policy-${index}`, namespace: namespaceOf(index) },
      spec: {
        podSelector: app(which),
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          { from: [{ podSelector: app(which + 1) }], ports: [{ port: 'http' }] },
          { from: [{ ...others, podSelector: app(which + 2) }], ports: [{ port: 8080 }] },
        ],
        egress: [
          { to: [{ podSelector: app(which + 3) }] },
          { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }] },
        ],
      },
    };
  });
  const manifests = [...namespaces, ...all, ...rules].map((one) => JSON.stringify(one));
  return () =>
    loadText(
      textOf(MANY, JSON.stringify(clusterOf(nodes, 'm5.xlarge')), manifests.join('\n---\n')),
    );
}

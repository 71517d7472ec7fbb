/**
 * What many Services cost: 1,000 of them with five endpoints each, on ten nodes.
 *
 *   node scripts/bench-services.ts [services]      default: 1000
 *
 * Prints a line a figure; nothing is asserted. Compare figures of one machine only, and see how busy it is.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LabStore } from '../src/host/store.ts';
import type { Step } from '../src/kernel/diff.ts';
import { down, type Lab, loadText, up, verify } from '../src/pipeline.ts';
import { clusterOf, loadAverage, machine, pad, silent, timed } from './measure.ts';

const NODES = 10;
const PODS = 100;
const ENDPOINTS = 5;
const NAME = `bench-services-${process.pid}`;

const services = Number(process.argv[2] ?? 1000);
const state = mkdtempSync(join(tmpdir(), 'hoplab-bench-'));
process.env['XDG_STATE_HOME'] = state;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void takeDown().then(() => process.kill(process.pid, signal));
  });
}
console.log(`${await machine()}, load average ${loadAverage()} before`);
console.log(
  `${services} Services with ${ENDPOINTS} endpoints each, ${NODES} nodes, ${PODS} pods\n`,
);
try {
  console.log('                           load ms     up ms  objects touched');
  await converge('the pods alone', labOf(0));
  await converge('all Services', labOf(services));
  await converge('one endpoint more', labOf(services, [`svc-1`]));
  await converge('and less', labOf(services));
  await converge('one Service more', labOf(services + 1));
  const store = new LabStore(NAME);
  const { sandbox } = await up(labOf(services + 1)(), silent);
  const [{ objects }, verifyMs] = await timed(() => verify(store, sandbox, silent));
  console.log(`${'verify'.padEnd(22)}${' '.repeat(12)}${pad(verifyMs)}  ${objects}`);
  console.log(`\nload average ${loadAverage()} after`);
} finally {
  await takeDown();
}

/** Also after a failure: nobody else knows where this lab is. */
async function takeDown(): Promise<void> {
  const [wasUp, ms] = await timed(() => down(new LabStore(NAME), silent));
  if (wasUp) console.log(`down ${ms.toFixed(0)} ms`);
  rmSync(state, { recursive: true, force: true });
}

async function converge(what: string, make: () => Lab): Promise<void> {
  const [lab, loadMs] = await timed(() => Promise.resolve(make()));
  const [{ steps }, upMs] = await timed(() => up(lab, silent));
  console.log(`${what.padEnd(22)}${pad(loadMs)}  ${pad(upMs)}  ${steps.length}${chains(steps)}`);
}

/** How many chains of how many nodes were written, where they are few. */
function chains(steps: readonly Step[]): string {
  const touched = steps.flatMap(({ planned: { object } }) =>
    object.kind === 'iptables-chain' ? [object] : [],
  );
  if (touched.length === 0 || touched.length > 1000) return '';
  const names = new Set(touched.map(({ chain }) => chain));
  return `: ${[...names].join(', ')} on ${new Set(touched.map(({ netns }) => netns)).size} nodes`;
}

/** Five pods bear the label of each group; each Service selects a group, but those named here take in one pod more. */
function labOf(count: number, grown: readonly string[] = []): () => Lab {
  const groups = PODS / ENDPOINTS;
  const containers = [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }];
  const pods = Array.from({ length: PODS }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${index}`,
      labels: {
        group: `g-${index % groups}`,
        // Of the second group one more for a Service that grows.
        ...(index % groups === 1 || index === 2 ? { grown: 'yes' } : {}),
      },
    },
    spec: { containers },
  }));
  const all = Array.from({ length: count }, (_, index) => {
    const name = `svc-${index}`;
    const selector = grown.includes(name) ? { grown: 'yes' } : { group: `g-${index % groups}` };
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector, ports: [{ port: 80, targetPort: 'http' }] },
    };
  });
  const manifests = [...pods, ...all].map((one) => JSON.stringify(one)).join('\n---\n');
  return () =>
    loadText({
      name: NAME,
      directory: state,
      lab: { file: 'lab.yaml', text: JSON.stringify(clusterOf(NODES)) },
      manifests: [{ file: 'manifests.yaml', text: manifests }],
    });
}

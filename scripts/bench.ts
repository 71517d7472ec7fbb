/**
 * How long a lab takes to plan, build, change and take down, by its number of pods.
 *
 *   node scripts/bench.ts [pods…]      default: 20 200 1000
 *
 * Prints a line a size; nothing is asserted. Compare figures of one machine only.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LabStore } from '../src/host/store.ts';
import { down, loadText, up, verify } from '../src/pipeline.ts';
import { machine, silent, timed } from './measure.ts';

const PODS_PER_NODE = 100;

const sizes = process.argv.slice(2).map(Number);
process.env['XDG_STATE_HOME'] = mkdtempSync(join(tmpdir(), 'hoplab-bench-'));

console.log(`${await machine()}\n`);
console.log(
  'pods  nodes  objects  load ms  build ms  ms/pod  one pod more ms  steps  verify ms  down ms',
);
for (const pods of sizes.length === 0 ? [20, 200, 1000] : sizes) {
  const nodes = Math.max(2, Math.ceil(pods / PODS_PER_NODE));
  const [lab, load] = await timed(() => Promise.resolve(labOf(pods, nodes)));
  const [built, build] = await timed(() => up(lab, silent));
  const larger = labOf(pods + 1, nodes);
  const [changed, change] = await timed(() => up(larger, silent));
  const store = new LabStore(lab.name);
  const [verified, look] = await timed(() => verify(store, changed.sandbox, silent));
  if (verified.drift.length > 0) throw new Error('what was built is not what was planned');
  const [, end] = await timed(() => down(store, silent));
  const figures = [
    pods,
    nodes,
    built.steps.length,
    load,
    build,
    build / pods,
    change,
    changed.steps.length,
    look,
    end,
  ];
  const widths = [4, 7, 9, 9, 10, 8, 17, 7, 11, 9];
  console.log(
    figures
      .map((figure, at) => figure.toFixed(at === 5 ? 2 : 0).padStart(widths[at] ?? 8))
      .join(''),
  );
}
rmSync(process.env['XDG_STATE_HOME'], { recursive: true, force: true });

function labOf(pods: number, nodes: number): ReturnType<typeof loadText> {
  const nodeLines = Array.from(
    { length: nodes },
    (_, index) => `    node-${index + 1}: { subnet: private, instanceType: m5.4xlarge }`,
  );
  const lab = [
    'vpcs:',
    '  main:',
    '    cidr: 10.0.0.0/16',
    '    subnets:',
    '      private: { cidr: 10.0.0.0/17, az: az-1 }',
    'cluster:',
    '  vpc: main',
    '  nodes:',
    ...nodeLines,
  ];
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: pods,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'web', ports: [{ containerPort: 8080 }] }] },
      },
    },
  };
  return loadText({
    name: `bench-${process.pid}`,
    directory: '/nowhere',
    lab: { file: 'lab.yaml', text: lab.join('\n') },
    manifests: [{ file: 'pods.yaml', text: JSON.stringify(deployment) }],
  });
}

/**
 * What clients lose behind load balancers: 200 requests a second, each by a connection of its own, while a pod is deleted, and
 * while a target stops answering.
 *
 *   node scripts/bench-load-balancers.ts [requests a second]      default: 200
 *
 * Prints a line a case: requests sent, lost, and from the first to the last one lost. Nothing is asserted. Beside it stands
 * what the health checks' settings say of how long a target that is gone is still used: interval x threshold and the timeout
 * of the last check (elasticloadbalancing/latest/application/target-group-health-checks.html); who is deregistered gets
 * nothing new at once.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { execa } from 'execa';

import { LabStore } from '../src/host/store.ts';
import { down, type Lab, loadText, up } from '../src/pipeline.ts';
import { loadAverage, machine, silent } from './measure.ts';

const NAME = `bench-load-balancers-${process.pid}`;
const PER_SECOND = Number(process.argv[2] ?? 200);
const SECONDS = 30;
/** When something happens. */
const AFTER_MS = 4000;
const CHECK = { interval: 5, timeout: 2, threshold: 2 } as const;

const state = mkdtempSync(join(tmpdir(), 'hoplab-bench-'));
process.env['XDG_STATE_HOME'] = state;
process.env['HOPLAB_LAB'] = NAME;

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void takeDown().then(() => process.kill(process.pid, signal));
  });
}

/** Runs in the user's namespace: a request each few milliseconds, and how each ended. */
const CLIENT = `
const http = require('node:http');
const [url, perSecond, seconds] = process.argv.slice(1);
const begin = Date.now(), total = perSecond * seconds, all = [];
let sent = 0;
const ask = () => new Promise((resolve) => {
  const at = Date.now() - begin;
  const end = (what) => resolve({ at, what, took: Date.now() - begin - at });
  const request = http.get(url, { agent: false, timeout: 3000, headers: { host: 'app.example' } }, (answer) => {
    answer.resume();
    answer.on('end', () => end(String(answer.statusCode)));
  });
  request.on('timeout', () => request.destroy(new Error('timeout')));
  request.on('error', (error) => end(error.code ?? error.message));
});
const timer = setInterval(() => {
  const due = Math.min(total, Math.floor(((Date.now() - begin) / 1000) * perSecond));
  while (sent < due) { sent += 1; all.push(ask()); }
  if (sent < total) return;
  clearInterval(timer);
  Promise.all(all).then((ends) => console.log(JSON.stringify(ends)));
}, 5);
`;

interface End {
  readonly at: number;
  readonly what: string;
}

console.log(`${await machine()}, load average ${loadAverage()} before`);
console.log(
  `${PER_SECOND} requests a second for ${SECONDS} s; four pods in two zones; health check every ${CHECK.interval} s, timeout ${CHECK.timeout} s, ${CHECK.threshold} in a row\n`,
);
try {
  for (const kind of ['alb', 'nlb'] as const) {
    await up(labOf(4), silent);
    await report(kind, 'a pod is deleted', 'nothing new at once', async () => {
      await up(labOf(3), silent);
    });
    await up(labOf(4), silent);
    const most = CHECK.interval * CHECK.threshold + CHECK.timeout;
    await report(kind, 'a target stops answering', `out after ${most} s at most`, async () => {
      await exec('pod/web-4', 'iptables', '-I', 'INPUT', '-p', 'tcp', '-j', 'DROP');
    });
    await exec('pod/web-4', 'iptables', '-F', 'INPUT');
    await takeDown();
  }
} finally {
  await takeDown();
  rmSync(state, { recursive: true, force: true });
}

async function report(
  kind: 'alb' | 'nlb',
  what: string,
  documented: string,
  happens: () => Promise<void>,
): Promise<void> {
  const url = `http://${await addressOf(kind)}/`;
  const client = exec(
    'internet/user',
    process.execPath,
    '-e',
    CLIENT,
    url,
    `${PER_SECOND}`,
    `${SECONDS}`,
  );
  await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
  await happens();
  const ends = JSON.parse(await client) as End[];
  const lost = ends.filter((one) => one.what !== '200');
  const times = lost.map(({ at }) => at).sort((a, b) => a - b);
  const kinds = new Map<string, number>();
  for (const { what: how } of lost) kinds.set(how, (kinds.get(how) ?? 0) + 1);
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? first;
  console.log(
    `${kind}  ${what.padEnd(24)}  sent ${ends.length}, lost ${lost.length} within ${((last - first) / 1000).toFixed(1)} s (${
      [...kinds].map(([how, count]) => `${how} ${count}`).join(', ') || 'none'
    }); documented: ${documented}`,
  );
}

async function exec(where: string, ...command: readonly string[]): Promise<string> {
  const { stdout } = await execa(
    process.execPath,
    ['src/cli.ts', 'exec', where, '--', ...command],
    {
      cwd: join(import.meta.dirname, '..'),
    },
  );
  return stdout;
}

async function addressOf(kind: 'alb' | 'nlb'): Promise<string> {
  const { cloud } = labOf(4);
  const all = kind === 'alb' ? cloud.loadBalancers : cloud.networkLoadBalancers;
  return Promise.resolve(all[0]?.nodes[0]?.eni.addresses[0].elastic ?? '');
}

async function takeDown(): Promise<void> {
  await down(new LabStore(NAME), silent);
}

function labOf(pods: number): Lab {
  const lab = {
    vpcs: {
      main: {
        cidr: '10.0.0.0/16',
        internetGateway: 'igw',
        subnets: {
          'public-1': { cidr: '10.0.1.0/24', az: 'az-1', routeTable: 'public' },
          'public-2': { cidr: '10.0.2.0/24', az: 'az-2', routeTable: 'public' },
          one: { cidr: '10.0.3.0/24', az: 'az-1' },
          two: { cidr: '10.0.4.0/24', az: 'az-2' },
        },
        routeTables: { public: { routes: [{ destination: '0.0.0.0/0', target: 'igw' }] } },
      },
    },
    cluster: {
      vpc: 'main',
      addons: { coredns: false },
      nodes: { 'node-1': { subnet: 'one' }, 'node-2': { subnet: 'two' } },
    },
    internet: { user: { address: '198.51.100.10' } },
  };
  const meta = (name: string, annotations: object = {}): object => ({
    name,
    labels: { app: 'web' },
    annotations,
  });
  const alb = 'alb.ingress.kubernetes.io/';
  const nlb = 'service.beta.kubernetes.io/aws-load-balancer-';
  const ports = [{ port: 80, targetPort: 8080 }];
  const all = [
    ...Array.from({ length: pods }, (_, index) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: meta(`web-${index + 1}`),
      spec: { containers: [{ name: 'main', ports: [{ containerPort: 8080 }] }] },
    })),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('web'),
      spec: { selector: { app: 'web' }, ports },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('direct', {
        [`${nlb}type`]: 'external',
        [`${nlb}scheme`]: 'internet-facing',
        [`${nlb}nlb-target-type`]: 'ip',
        [`${nlb}attributes`]: 'load_balancing.cross_zone.enabled=true',
        [`${nlb}healthcheck-interval`]: `${CHECK.interval}`,
        [`${nlb}healthcheck-timeout`]: `${CHECK.timeout}`,
        [`${nlb}healthcheck-healthy-threshold`]: `${CHECK.threshold}`,
        [`${nlb}healthcheck-unhealthy-threshold`]: `${CHECK.threshold}`,
      }),
      spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: meta('web', {
        [`${alb}scheme`]: 'internet-facing',
        [`${alb}target-type`]: 'ip',
        [`${alb}healthcheck-interval-seconds`]: `${CHECK.interval}`,
        [`${alb}healthcheck-timeout-seconds`]: `${CHECK.timeout}`,
      }),
      spec: {
        ingressClassName: 'alb',
        rules: [
          {
            http: {
              paths: [
                {
                  path: '/',
                  pathType: 'Prefix',
                  backend: { service: { name: 'web', port: { number: 80 } } },
                },
              ],
            },
          },
        ],
      },
    },
  ];
  return loadText({
    name: NAME,
    directory: state,
    lab: { file: 'lab.yaml', text: JSON.stringify(lab) },
    manifests: [
      { file: 'manifests.yaml', text: all.map((one) => JSON.stringify(one)).join('\n---\n') },
    ],
  });
}

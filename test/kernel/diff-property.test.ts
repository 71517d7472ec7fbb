/** Whatever two labs: the steps from one to the other, carried out as the kernel carries them out, lead to the other. */

import fc from 'fast-check';
import t from 'tap';

import { diff, type Step } from '../../src/kernel/diff.ts';
import {
  type KernelObject,
  type KernelState,
  linkKey,
  linksOf,
  netnsOf,
} from '../../src/kernel/state.ts';
import { loadText } from '../../src/pipeline.ts';

interface Shape {
  readonly nodes: number;
  readonly pods: readonly string[];
  readonly onEth1: boolean;
  readonly hasNat: boolean;
  readonly podAddress: number;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  nodes: fc.integer({ min: 1, max: 3 }),
  pods: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 }),
  onEth1: fc.boolean(),
  hasNat: fc.boolean(),
  podAddress: fc.integer({ min: 50, max: 53 }),
});

function stateOf({ nodes, pods, onEth1, hasNat, podAddress }: Shape): KernelState {
  const [first = 'a'] = pods;
  const eni = onEth1 ? ', eni: eth1' : '';
  const lab = {
    vpcs: {
      main: {
        cidr: '10.0.0.0/16',
        internetGateway: 'igw',
        subnets: {
          public: { cidr: '10.0.1.0/24', az: 'az-1', routeTable: 'public' },
          private: { cidr: '10.0.3.0/24', az: 'az-1', routeTable: 'private' },
        },
        natGateways: hasNat ? { 'nat-1': { subnet: 'public' } } : {},
        routeTables: {
          public: { routes: [{ destination: '0.0.0.0/0', target: 'igw' }] },
          private: { routes: hasNat ? [{ destination: '0.0.0.0/0', target: 'nat/nat-1' }] : [] },
        },
      },
    },
    cluster: {
      vpc: 'main',
      nodes: Object.fromEntries(
        Array.from({ length: nodes }, (_, index) => [`node-${index + 1}`, { subnet: 'private' }]),
      ),
    },
  };
  const pins = `{ pod/${first}: { node: node-1, address: 10.0.3.${podAddress}${eni} } }`;
  const manifests = pods.map((name) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers: [{ name: 'c', image: 'x', ports: [{ containerPort: 80 }] }] },
    }),
  );
  return loadText({
    name: 'property',
    directory: '/nowhere',
    lab: {
      file: 'lab.yaml',
      text: JSON.stringify(lab).replace('"cluster":{', `"cluster":{"pins":${pins},`),
    },
    manifests: [{ file: 'pods.yaml', text: manifests.join('\n---\n') }],
  }).state;
}

/** What the kernel does with the steps: a namespace or a link takes along what is in it or lies on it. */
function carryOut(from: KernelState, steps: readonly Step[]): Map<string, KernelObject> {
  const here = new Map([...from].map(([key, { object }]) => [key, object]));
  const vanish = (gone: KernelObject): void => {
    const links =
      gone.kind === 'veth'
        ? gone.ends.map((end) => linkKey(end.netns, end.link))
        : gone.kind === 'bridge'
          ? [linkKey(gone.netns, gone.link)]
          : [];
    for (const [key, object] of here) {
      const inside = gone.kind === 'netns' && netnsOf(object).includes(gone.netns);
      const onLink = linksOf(object).some((link) => links.includes(link));
      if (!inside && !onLink) continue;
      here.delete(key);
      if (object.kind === 'veth') vanish(object);
    }
  };
  const keys = new Map(
    [...from].map(([key, planned]) => [JSON.stringify(planned.object), key] as const),
  );
  for (const step of steps) {
    if (step.action === 'add') continue;
    const gone = step.action === 'change' ? step.before : step.planned.object;
    const key = keys.get(JSON.stringify(gone)) ?? '';
    here.delete(key);
    if (step.action === 'remove' || ['veth', 'bridge', 'netns'].includes(gone.kind)) vanish(gone);
  }
  return here;
}

t.test('the steps between any two labs leave nothing out and nothing behind', async (t) => {
  fc.assert(
    fc.property(shape, shape, (one, other) => {
      const from = stateOf(one);
      const to = stateOf(other);
      const steps = diff(from, to);
      const left = carryOut(from, steps);
      const wanted = new Map([...to].map(([key, { object }]) => [key, object]));
      for (const { action, planned } of steps) {
        if (action === 'remove') continue;
        const key = [...to].find(([, one]) => one === planned)?.[0] ?? '';
        left.set(key, planned.object);
      }
      const sorted = (map: Map<string, KernelObject>): string[] =>
        [...map.entries()].map(([key, object]) => `${key} ${JSON.stringify(object)}`).sort();
      t.strictSame(sorted(left), sorted(wanted));
    }),
    { numRuns: 30, seed: 4 },
  );
});

import t from 'tap';

import type { NodeForScheduling } from '../../src/k8s/scheduler.ts';
import { lab, problems, workload } from './lab.ts';

const names = (text: string, nodes: readonly NodeForScheduling[] = []): string[] =>
  lab(text, nodes).pods.map(({ name }) => name);

const node = (name: string, labels: Record<string, string> = {}): NodeForScheduling => ({
  name,
  labels,
  capacity: 10,
});

t.test('the pods of each kind of workload have names that stay', async (t) => {
  t.strictSame(names(workload('Deployment', 'web')), ['web-1']);
  t.strictSame(names(workload('Deployment', 'web', 'replicas: 0')), []);
  t.strictSame(names(workload('ReplicaSet', 'web', 'replicas: 2')), ['web-1', 'web-2']);
  t.strictSame(names(workload('StatefulSet', 'db', 'replicas: 2')), ['db-0', 'db-1']);
  t.strictSame(names(workload('StatefulSet', 'db', 'replicas: 2\n  ordinals: { start: 5 }')), [
    'db-5',
    'db-6',
  ]);
});

t.test('pods come by namespace, then by name with its number as a number', async (t) => {
  t.strictSame(names(workload('Deployment', 'web', 'replicas: 11') + workload('Deployment', 'a')), [
    'a-1',
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((number) => `web-${number}`),
  ]);
});

t.test('a pod of a workload knows its owner, and stands where the workload does', async (t) => {
  const { pods } = lab(workload('StatefulSet', 'db'));
  t.strictSame(pods, [
    {
      namespace: 'default',
      name: 'db-0',
      owner: { kind: 'StatefulSet', name: 'db', replica: 0 },
      at: { file: 'm.yaml', line: 3, column: 19 },
      labels: {
        app: 'db',
        'statefulset.kubernetes.io/pod-name': 'db-0',
        'apps.kubernetes.io/pod-index': '0',
      },
      annotations: {},
      nodeName: undefined,
      nodeSelector: {},
      nodeAt: undefined,
      hostNetwork: false,
      ports: [
        {
          name: undefined,
          containerPort: 80,
          protocol: 'tcp',
          http: true,
          at: { file: 'm.yaml', line: 9, column: 47 },
        },
      ],
      hostname: 'db-0',
      subdomain: undefined,
      dnsPolicy: 'ClusterFirst',
      dnsConfig: { nameservers: [], searches: [], options: [] },
      runsCoreDns: false,
      behaviour: {},
      ready: true,
      terminating: false,
    },
  ]);
});

t.test('a DaemonSet has a pod on each node that its template allows', async (t) => {
  const nodes = [node('node-10', { disk: 'ssd' }), node('node-2'), node('node-1', { disk: 'ssd' })];
  const agents = (pod: string): unknown =>
    lab(workload('DaemonSet', 'agent', '', pod), nodes).pods.map(({ name, nodeName, owner }) => [
      name,
      nodeName,
      owner?.replica,
    ]);
  t.strictSame(agents(''), [
    ['agent-node-1', 'node-1', 0],
    ['agent-node-2', 'node-2', 1],
    ['agent-node-10', 'node-10', 2],
  ]);
  t.strictSame(agents('nodeSelector: { disk: ssd }'), [
    ['agent-node-1', 'node-1', 0],
    ['agent-node-10', 'node-10', 1],
  ]);
  t.strictSame(agents('nodeName: node-2'), [['agent-node-2', 'node-2', 0]]);
  t.strictSame(agents('nodeName: node-3'), [['agent-node-3', 'node-3', 0]]);
});

t.test('replicas are a whole number from 0', async (t) => {
  const cases: Record<string, string> = {
    '-1': 'm.yaml:5:13: error[out-of-range]: spec.replicas is -1, which is less than 0',
    '1.5': 'm.yaml:5:13: error[wrong-type]: spec.replicas is 1.5, not a whole number',
    two: 'm.yaml:5:13: error[wrong-type]: spec.replicas is the text "two", not a number',
  };
  for (const [replicas, expected] of Object.entries(cases)) {
    t.strictSame(problems(workload('Deployment', 'web', `replicas: ${replicas}`)), [expected]);
  }
});

t.test(
  'a selector has to match the labels of the template, as the API server checks',
  async (t) => {
    const deployment = (selector: string, labels = '{ app: web, tier: front }'): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  ${selector}
  template:
    metadata: { labels: ${labels} }
    spec: { containers: [{ name: main }] }
`;
    const missing = [
      'error[missing-selector]: Deployment "web" has no selector: it would not find its pods',
      '  hint: repeat the labels of the pod template under spec.selector.matchLabels',
    ].join('\n');
    const mend =
      '\n  hint: give the same labels under spec.selector.matchLabels and spec.template.metadata.labels';
    const mismatch = (selector: string): string =>
      `m.yaml:6:13: error[selector-mismatch]: the selector of Deployment "web", ${selector}, does not match the labels of its pod template, app=web,tier=front${mend}`;
    const cases: Record<string, string[]> = {
      '': [`m.yaml:7:3: ${missing}`],
      'selector: {}': [`m.yaml:6:13: ${missing}`],
      'selector: { matchLabels: { app: web } }': [],
      'selector: { matchLabels: { app: wbe } }': [mismatch('app=wbe')],
      'selector: { matchExpressions: [{ key: app, operator: In, values: [web] }] }': [],
      'selector: { matchExpressions: [{ key: app, operator: NotIn, values: [a, web] }] }': [
        mismatch('app notin (a,web)'),
      ],
      'selector: { matchLabels: { app: web }, matchExpressions: [{ key: old, operator: Exists }] }':
        [mismatch('app=web,old')],
      'selector: { matchExpressions: [{ key: old, operator: DoesNotExist }] }': [],
      'selector: { matchExpressions: [{ key: app, operator: Is }] }': [
        'm.yaml:6:56: error[wrong-value]: spec.selector.matchExpressions.0.operator is "Is", not one of In, NotIn, Exists, DoesNotExist\n  hint: did you mean "In"?',
      ],
    };
    for (const [selector, expected] of Object.entries(cases)) {
      t.strictSame(problems(deployment(selector)), expected, selector);
    }
    t.strictSame(problems(deployment('selector: { matchLabels: { app: web } }', '')), [
      `m.yaml:6:13: error[selector-mismatch]: the selector of Deployment "web", app=web, does not match its pod template, which has no labels${mend}`,
    ]);
  },
);

t.test('an annotation of Hoplab belongs on the template', async (t) => {
  const text = workload('Deployment', 'web').replace(
    '{ name: web }',
    '{ name: web, annotations: { hoplab.io/delay: 2s } }',
  );
  t.strictSame(problems(text), [
    'm.yaml:3:39: error[misplaced-annotation]: annotation "hoplab.io/delay" is on Deployment "web" itself, not on its pods\n  hint: put it under spec.template.metadata.annotations',
  ]);
});

t.test('two pods can have neither one name nor one netns', async (t) => {
  const rename = '\n  hint: rename one of them';
  t.strictSame(problems(workload('Deployment', 'web') + workload('ReplicaSet', 'web')), [
    `m.yaml:13:19: error[pod-twice]: pod/web-1 of ReplicaSet "web" stands twice: Deployment "web" at m.yaml:3:19 makes it too${rename}`,
  ]);
  const text = `
{ apiVersion: v1, kind: Namespace, metadata: { name: a } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: b, namespace: a }, spec: { containers: [{}] } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: a-b }, spec: { containers: [{}] } }
`;
  t.strictSame(problems(text), [
    `m.yaml:6:48: error[netns-twice]: pod/a-b would get the network namespace pod-a-b of pod/a/b at m.yaml:4:48${rename}`,
  ]);
});

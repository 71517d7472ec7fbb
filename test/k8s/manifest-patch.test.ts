import t from 'tap';

import { Diagnostics, renderDiagnostic } from '../../src/base/diagnostic.ts';
import { type LabSpec, parseLab, parseSet, patchesOf, patchLab, readLab } from '../../src/lab.ts';

const MANIFESTS = `apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec: { containers: [{ name: web, ports: [{ containerPort: 80 }] }] }
---
apiVersion: v1
kind: List
items:
  - { apiVersion: v1, kind: Namespace, metadata: { name: shop } }
  - { apiVersion: v1, kind: Pod, metadata: { name: web, namespace: shop }, spec: { containers: [{ name: web }] } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: api }
spec: { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: api.v1 }
spec: { podSelector: {} }
`;

interface Read {
  readonly spec: LabSpec | undefined;
  readonly said: readonly string[];
}

/** The lab with these parts replaced, as an experiment does. */
function patched(lines: string): Read {
  const text = `vpcs: {}\nexperiments:\n  one:\n    with:\n${lines}    probes: {}\n`;
  const diagnostics = new Diagnostics();
  const source = parseLab(
    'test',
    { file: 'lab.yaml', text },
    [{ file: 'm.yaml', text: MANIFESTS }],
    diagnostics,
  );
  if (source === undefined) throw new Error('the lab is right');
  const { experiments } = source.lab.value as {
    experiments: { one: { with: Record<string, unknown> } };
  };
  const patches = patchesOf(experiments.one.with, source.lab, ['experiments', 'one', 'with']);
  const spec = readLab(patchLab(source, patches, diagnostics), diagnostics);
  return { spec, said: diagnostics.list.map(renderDiagnostic) };
}

function pods({ spec }: Read): Record<string, unknown> {
  const found = spec?.manifests.pods ?? [];
  return Object.fromEntries(found.map((pod) => [`${pod.namespace}/${pod.name}`, pod.labels]));
}

function policies({ spec }: Read): unknown[] {
  return (spec?.manifests.networkPolicies ?? []).map(({ namespace, name, ingress }) => [
    `${namespace}/${name}`,
    ingress?.length,
  ]);
}

t.test('a key of an object is replaced, or is new', async (t) => {
  const read = patched(`      manifests.pod/web.metadata.labels.app: other
      manifests.pod/shop/web.metadata.labels.tier: front
`);
  t.strictSame(read.said, []);
  t.strictSame(pods(read), { 'default/web': { app: 'other' }, 'shop/web': { tier: 'front' } });
});

t.test('the key of a label or an annotation is one key, with its dots', async (t) => {
  const read = patched(`      manifests.pod/web.metadata.labels.app.kubernetes.io/name: web
      manifests.pod/shop/web.metadata.annotations.hoplab.io/ready: 'false'
      manifests.netpol/api.spec.podSelector.matchLabels.app.kubernetes.io/name: web
`);
  t.strictSame(read.said, []);
  t.strictSame(pods(read)['default/web'], { app: 'web', 'app.kubernetes.io/name': 'web' });
  t.strictSame(
    (read.spec?.manifests.pods ?? []).map(({ name, ready }) => [name, ready]),
    [
      ['web', true],
      ['web', false],
    ],
  );
  t.match(read.spec?.manifests.networkPolicies[0]?.selector, {
    matchLabels: { 'app.kubernetes.io/name': 'web' },
  });
});

t.test('a key that nothing reads is warned of', async (t) => {
  t.strictSame(
    patched(`      manifests.netpol/api.spec: { podSelector: {} }
      manifests.pod/web.spec.contaners: []
      manifests.pod/web.spce: 5
      manifests.pod/web.spec.containers.0.image: nginx
`).said,
    [
      'lab.yaml:6:7: warning[patch-of-nothing]: "manifests.pod/web.spec.contaners" changes nothing: of "contaners" in spec of pod/web nothing is read\n  hint: did you mean "containers"?',
      'lab.yaml:7:7: warning[patch-of-nothing]: "manifests.pod/web.spce" changes nothing: of "spce" in pod/web nothing is read\n  hint: did you mean "spec"?',
    ],
  );
});

t.test('what contradicts its path is refused', async (t) => {
  t.strictSame(
    patched(`      manifests.netpol/new: { kind: Pod, metadata: { name: other, namespace: shop } }
      manifests.pod/web: 5
      manifests.pod/web.: {}
      manifests.ns/a/b: {}
      manifests.list/x: { items: [] }
      manifests.netpol/api.v2: { spec: { podSelector: {} } }
`)
      .said.map((one) => one.split('\n')[0])
      .filter((one) => one?.includes('labels') !== true),
    [
      'lab.yaml:5:7: error[patch-contradicts]: "manifests.netpol/new" is an object whose kind is "Pod"',
      'lab.yaml:5:7: error[patch-contradicts]: "manifests.netpol/new" is an object whose metadata.name is "other"',
      'lab.yaml:5:7: error[patch-contradicts]: "manifests.netpol/new" is an object whose metadata.namespace is "shop"',
      'lab.yaml:6:7: error[not-an-object]: "manifests.pod/web" is to be 5, which is no object',
      'lab.yaml:7:7: error[unknown-path]: "manifests.pod/web.": there is no "" in pod/web',
      'lab.yaml:8:7: error[unknown-path]: "manifests.ns/a/b": the manifests have no "ns/a/b"',
      'lab.yaml:9:7: error[unknown-path]: "manifests.list/x": no kind of objects is called "list"',
      'lab.yaml:10:7: warning[patch-of-nothing]: "manifests.netpol/api.v2" changes nothing: of "v2" in netpol/api nothing is read',
      'lab.yaml:5:29: error[missing-key]: NetworkPolicy "new" lacks "spec"',
    ],
  );
});

t.test('null takes an object away, from a file as from a List', async (t) => {
  const read = patched(`      manifests.pod/default/web: null
      manifests.Pod/shop/web: null
      manifests.networkpolicy/api: null
`);
  t.strictSame(read.said, []);
  t.strictSame(pods(read), {});
  t.strictSame(policies(read), [['default/api.v1', 0]]);
});

t.test('the longest name counts, and what stands behind it', async (t) => {
  const read = patched('      manifests.netpol/api.v1.spec.ingress: [{}, {}]\n');
  t.strictSame(read.said, []);
  t.strictSame(policies(read), [
    ['default/api', 1],
    ['default/api.v1', 2],
  ]);
});

t.test('an object is replaced as a whole, and one that nobody has is added', async (t) => {
  const read = patched(`      manifests.netpol/api: { spec: { podSelector: {} } }
      manifests.netpol/shop/closed: { spec: { podSelector: {} } }
      manifests.pod/new:
        metadata: { labels: { app: new } }
        spec: { containers: [{ name: new }] }
`);
  t.strictSame(read.said, []);
  t.strictSame(policies(read), [
    ['default/api', 0],
    ['default/api.v1', 0],
    ['shop/closed', 0],
  ]);
  t.match(pods(read), { 'default/new': { app: 'new' } });
});

t.test('a mistake in a patch is told where the patch stands', async (t) => {
  t.strictSame(
    patched(`      manifests.netpol/api.spec.ingress: [{ form: [] }]
      manifests.netpol/new: { spec: { podSelector: 5 } }
`).said,
    [
      'lab.yaml:5:45: error[unknown-key]: unknown key "form" in spec.ingress.0\n  hint: did you mean "from"?',
      'lab.yaml:6:52: error[wrong-type]: spec.podSelector is 5, not a map',
    ],
  );
});

t.test('a path that leads nowhere is told, with the nearest that does', async (t) => {
  t.strictSame(
    patched(`      manifests.netpol/apis.spec.ingress: []
      manifests.netpool/api: null
      manifests.pod/web.spec.containers.3.name: x
      manifests.pod/web.mettadata.labels.app: x
      manifests.pod/wbe: null
`).said,
    [
      'lab.yaml:5:7: error[unknown-path]: "manifests.netpol/apis.spec.ingress": the manifests have no "netpol/apis"\n  hint: did you mean "netpol/api"?',
      'lab.yaml:6:7: error[unknown-path]: "manifests.netpool/api": no kind of objects is called "netpool"\n  hint: did you mean "netpol/api"?',
      'lab.yaml:7:7: error[unknown-path]: "manifests.pod/web.spec.containers.3.name": "3" is no position in a list of 1\n  hint: positions start at 0',
      'lab.yaml:8:7: error[unknown-path]: "manifests.pod/web.mettadata.labels.app": there is no "mettadata" in pod/web\n  hint: did you mean "metadata"?',
      'lab.yaml:9:7: error[unknown-path]: "manifests.pod/wbe": the manifests have no "pod/wbe"\n  hint: did you mean "pod/web"?',
    ],
  );
});

t.test('what is taken away already may be taken away again', async (t) => {
  const read = patched(`      manifests.netpol/api: null
      manifests.netpol/default/api: null
`);
  t.strictSame(read.said, []);
  t.strictSame(policies(read), [['default/api.v1', 0]]);
});

t.test('what is in an object that was taken away can not be changed', async (t) => {
  t.match(
    patched(`      manifests.netpol/api: null
      manifests.netpol/api.spec.ingress: []
`).said,
    [/"manifests.netpol\/api.spec.ingress": "netpol\/api" has been taken away/],
  );
});

t.test('--set with nothing behind the sign takes away', async (t) => {
  const diagnostics = new Diagnostics();
  for (const nothing of ['', ' ', ' # nothing', 'null', '~']) {
    const patch = parseSet(`manifests.netpol/api=${nothing}`, diagnostics);
    t.match(patch, { path: 'manifests.netpol/api', value: null }, `"${nothing}"`);
  }
  t.strictSame(diagnostics.list, []);
});

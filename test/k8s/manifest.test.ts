import t from 'tap';

import { lab, problems, workload } from './lab.ts';

t.test('what moves no packet is accepted in silence', async (t) => {
  const text = `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { whatever: 1 }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: "system:reader", namespace: nowhere }
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: { name: web }
---
# an empty document
---
`;
  t.strictSame(problems(text), []);
});

t.test('what moves packets but is not built is named in a warning', async (t) => {
  const text = `
{ apiVersion: elbv2.k8s.aws/v1beta1, kind: TargetGroupBinding, metadata: { name: web } }
---
{ apiVersion: elbv2.k8s.aws/v1beta1, kind: IngressClassParams, metadata: { name: alb } }
---
{ apiVersion: batch/v1, kind: CronJob, metadata: { name: nightly } }
---
{ apiVersion: v1, kind: Node, metadata: { name: node-1 } }
`;
  t.strictSame(problems(text), [
    'm.yaml:2:82: warning[not-enforced-yet]: TargetGroupBinding "web" is not enforced yet: no target is registered',
    'm.yaml:4:82: warning[not-enforced-yet]: IngressClassParams "alb" is not enforced yet: load balancers take no settings of it',
    'm.yaml:6:58: warning[not-run]: CronJob "nightly" is not run: its pods are not built',
    'm.yaml:8:49: warning[not-run]: Node "node-1" is not run: a lab\'s nodes are declared in its lab file',
  ]);
});

t.test('a List is read as its items, and a mistake is found in the item', async (t) => {
  const { pods, problems } = lab(`
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: { name: a }
    spec: { containers: [{ name: main }] }
  - apiVersion: v1
    kind: Pod
    metadata: { name: b }
`);
  t.strictSame(
    pods.map(({ name, at }) => [name, at]),
    [['a', { file: 'm.yaml', line: 7, column: 23 }]],
  );
  t.strictSame(problems, [
    'm.yaml:9:5: error[missing-key]: Pod "b" lacks "spec"\n  hint: give a map for "spec"',
  ]);
});

t.test('each mistake is reported where it stands', async (t) => {
  const cases: Record<string, string[]> = {
    '[1]': [
      'm.yaml:1:1: error[not-an-object]: this is not a Kubernetes object: it has no apiVersion, kind and metadata\n  hint: separate the objects of a file with a line ---',
    ],
    '{ metadata: {} }': [
      'm.yaml:1:1: error[missing-key]: this object lacks "kind"\n  hint: give a kind, such as Pod or Deployment',
      'm.yaml:1:1: error[missing-key]: this object lacks "apiVersion"\n  hint: write apiVersion: v1',
      'm.yaml:1:1: error[missing-key]: this object lacks "metadata.name"\n  hint: every object has a name of its own',
    ],
    '{ kind: Deployment, metadata: { name: web } }': [
      'm.yaml:1:1: error[missing-key]: this Deployment lacks "apiVersion"\n  hint: write apiVersion: apps/v1',
      'm.yaml:1:1: error[missing-key]: Deployment "web" lacks "spec"\n  hint: give a map for "spec"',
    ],
    '{ apiVersion: apps/v1, kind: Deploymnet, metadata: { name: web } }': [
      'm.yaml:1:30: error[unknown-kind]: unknown kind "Deploymnet"\n  hint: did you mean "Deployment"?',
    ],
    '{ apiVersion: x.io/v1, kind: SomethingElse, metadata: { name: web } }': [
      'm.yaml:1:30: error[unknown-kind]: unknown kind "SomethingElse"\n  hint: Hoplab runs Pod, Namespace, Service, Endpoints, Deployment, ReplicaSet, StatefulSet, DaemonSet, EndpointSlice, Ingress, IngressClass, NetworkPolicy, SecurityGroupPolicy, and accepts what else is built into Kubernetes',
    ],
    '{ apiVersion: v1beta1, kind: ConfigMap, metadata: { name: web } }': [
      'm.yaml:1:15: error[wrong-api-version]: ConfigMap is in v1, not in "v1beta1"\n  hint: write apiVersion: v1',
    ],
    '{ apiVersion: v1, kind: ConfigMap, metadata: { name: 5 } }': [
      'm.yaml:1:54: error[wrong-type]: metadata.name is 5, not a text\n  hint: write it in quotes: "5"',
    ],
    [workload('Deployment', 'web').replace('apps/v1', 'apps/v1beta1')]: [
      'm.yaml:1:13: error[wrong-api-version]: Deployment is in apps/v1, not in "apps/v1beta1"\n  hint: write apiVersion: apps/v1',
    ],
    '{ apiVersion: v1, kind: Namespace, metadata: { name: a.b } }': [
      'm.yaml:1:54: error[not-a-dns-name]: the name "a.b" of this Namespace is not a DNS label\n  hint: lower-case letters, digits and "-", at most 63, and a letter or digit at both ends',
    ],
  };
  for (const [text, expected] of Object.entries(cases))
    t.strictSame(problems(text), expected, text);
});

t.test('an object stands once, but one name may be in several namespaces', async (t) => {
  const text = `
{ apiVersion: v1, kind: ConfigMap, metadata: { name: a } }
---
{ apiVersion: v1, kind: ConfigMap, metadata: { name: a, namespace: kube-system } }
---
{ apiVersion: v1, kind: ConfigMap, metadata: { name: a, namespace: default } }
`;
  t.strictSame(problems(text), [
    'm.yaml:6:54: error[object-twice]: ConfigMap "a" stands twice in namespace "default", first at m.yaml:2:54\n  hint: rename one of them or take it out',
  ]);
});

t.test('a namespace may be declared after its objects, but must be declared', async (t) => {
  const { manifests, problems } = lab(`
{ apiVersion: v1, kind: ConfigMap, metadata: { name: a, namespace: shop } }
---
{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { team: a } } }
---
{ apiVersion: v1, kind: ConfigMap, metadata: { name: b, namespace: shpo } }
---
{ apiVersion: v1, kind: ConfigMap, metadata: { name: b, namespace: warehouse } }
`);
  t.strictSame(problems, [
    'm.yaml:6:68: error[unknown-namespace]: ConfigMap "b" is in namespace "shpo", which no Namespace object declares\n  hint: did you mean "shop"?',
    'm.yaml:8:68: error[unknown-namespace]: ConfigMap "b" is in namespace "warehouse", which no Namespace object declares\n  hint: known here: default, kube-system, kube-public, kube-node-lease, shop',
  ]);
  t.strictSame(
    [...manifests.namespaces.keys()],
    ['default', 'kube-system', 'kube-public', 'kube-node-lease', 'shop'],
  );
  t.strictSame(manifests.namespaces.get('shop'), {
    name: 'shop',
    labels: { team: 'a', 'kubernetes.io/metadata.name': 'shop' },
    at: { file: 'm.yaml', line: 4, column: 54 },
  });
});

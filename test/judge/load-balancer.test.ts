/** Load balancers in the model: every way that a request may be dealt, and what comes back. */

import t from 'tap';

import { findThing } from '../../src/cloud.ts';
import { judgeAll } from '../../src/judge/judge.ts';
import { cloudOf } from './cloud.ts';

const LAB = `vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      one: { cidr: 10.0.3.0/24, az: az-1 }
      two: { cidr: 10.0.4.0/24, az: az-2 }
    instances: { client: { subnet: one, address: 10.0.3.20 } }
cluster:
  vpc: main
  addons: { coredns: false }
  nodes: { node-1: { subnet: one, address: 10.0.3.10 } }
`;

const web = (name: string): string => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${name} } }
spec: { containers: [{ name: main, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8080 }] }
`;

const weighted = (...weights: readonly (readonly [service: string, weight: number])[]): string => {
  const groups = weights.map(([serviceName, weight]) => ({ serviceName, servicePort: 80, weight }));
  const action = { type: 'forward', forwardConfig: { targetGroups: groups } };
  return `---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: front
  annotations:
    alb.ingress.kubernetes.io/target-type: ip
    alb.ingress.kubernetes.io/actions.both: '${JSON.stringify(action)}'
spec:
  ingressClassName: alb
  defaultBackend: { service: { name: both, port: { name: use-annotation } } }
`;
};

/** Every answer that a request may have. */
function answers(...manifests: readonly string[]): string[] {
  const cloud = cloudOf(LAB, manifests.join(''));
  const from = findThing(cloud, 'instance/client');
  const destination = cloud.things.get('alb/front/az-1')?.address;
  if (from === undefined || destination === undefined) throw new Error('not in the lab');
  const judgements = judgeAll(cloud, { protocol: 'tcp', from, destination, port: 80, http: true });
  return judgements.map(({ answeredBy, status }) => `${answeredBy ?? ''} ${status ?? 200}`).sort();
}

t.test('a request is dealt to any target group with a weight', async (t) => {
  const two = ['pod/blue 200', 'pod/green 200'];
  const pods = ['blue', 'green', 'never'].map(web);
  t.strictSame(answers(...pods, weighted(['blue', 10], ['green', 20], ['never', 0])), two);
  t.strictSame(answers(...pods, weighted(['blue', 0], ['green', 0])), ['alb/front/az-1 503']);
});

t.test('a target group without targets hands its share to nobody', async (t) => {
  const empty = web('green').replace('labels: { app: green }', 'labels: {}');
  const all = answers(web('blue'), empty, weighted(['blue', 1], ['green', 1]));
  t.strictSame(all, ['alb/front/az-1 503', 'pod/blue 200']);
});

import t from 'tap';

import { filesOf } from '../../src/commands/logs.ts';
import { cloudOf } from '../judge/cloud.ts';

const LAB = `vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      one: { cidr: 10.0.3.0/24, az: az-1 }
      two: { cidr: 10.0.4.0/24, az: az-2 }
cluster: { vpc: main, addons: { coredns: false }, nodes: { node-1: { subnet: one } } }
`;
const ingress = (name: string, attributes: string): string => `---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: ${name}
  annotations:
    alb.ingress.kubernetes.io/load-balancer-attributes: ${attributes}
    alb.ingress.kubernetes.io/actions.no: '{"type": "fixed-response", "fixedResponseConfig": {"statusCode": "503"}}'
spec: { ingressClassName: alb, defaultBackend: { service: { name: no, port: { name: use-annotation } } } }
`;

const cloud = cloudOf(
  LAB,
  ingress('loud', 'access_logs.s3.enabled=true,access_logs.s3.bucket=logs') +
    ingress('quiet', 'access_logs.s3.enabled=false,access_logs.s3.bucket=logs'),
);

t.test('a load balancer has a log for each node, a node its own', async (t) => {
  const all = filesOf(cloud, 'alb/loud');
  t.equal(all.length, 2);
  t.match(
    all[0],
    /^\/run\/hoplab\/s3\/logs\/AWSLogs\/.*_app\.k8s-default-loud-.*_10\.0\.3\.\d+\.log$/,
  );
  t.strictSame(filesOf(cloud, 'alb/loud/az-2'), all.slice(1));
});

t.test('what has no log is told what would give it one', async (t) => {
  t.throws(() => filesOf(cloud, 'quiet'), {
    message: /no-access-log.*[^]*access_logs\.s3\.enabled=true/,
  });
  t.throws(() => filesOf(cloud, 'alb/lout'), {
    message: /no-such-thing.*[^]*did you mean "alb\/loud"/,
  });
  t.throws(() => filesOf(cloud, 'node/node-1'), { message: /is no load balancer of test/ });
});

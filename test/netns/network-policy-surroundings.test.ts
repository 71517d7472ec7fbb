/**
 * NetworkPolicies on the real kernel, and whom they meet beside pods: nodes, pods on a node's network, Services, the DNS
 * server, a pod that asks itself; and a pod that is gone while its address is somebody else's.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-and-hostnetwork-pods
 */

import t from 'tap';

import { renderDrift } from '../../src/report/drift.ts';
import { differences } from '../support/matrix.ts';
import { OPEN_GROUPS, withLab } from '../support/with-lab.ts';

// Much of the time is waiting for what does not come.
t.jobs = 2;

function labText(near: string, more = ''): string {
  return `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      one: { cidr: 10.0.3.0/24, az: az-1 }
      two: { cidr: 10.0.4.0/24, az: az-2 }
    instances: { bastion: { subnet: two, address: 10.0.4.20 } }
cluster:
  vpc: main
  nodes:
    node-1: { subnet: one, address: 10.0.3.10 }
    node-2: { subnet: two, address: 10.0.4.10 }
  pins:
    pod/web: { node: node-1, address: 10.0.3.60 }
    pod/${near}: { node: node-1, address: 10.0.3.50 }
    pod/asker: { node: node-1, address: 10.0.3.51 }
    pod/other: { node: node-2, address: 10.0.4.60 }
${more}`;
}

function pod(name: string, app: string, ports: string, more = ''): string {
  return `
{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, labels: { app: ${app}, name: ${name} } }, spec: { ${more} containers: [{ ports: [${ports}] }] } }
---`;
}

const PODS = [
  pod('web', 'web', '{ containerPort: 8080 }, { containerPort: 9090 }'),
  pod('asker', 'asker', '{ containerPort: 8080 }'),
  pod('other', 'other', '{ containerPort: 8080 }'),
  // On its node's network, as a peer; and as one that a policy selects.
  pod(
    'agent',
    'agent',
    '{ name: agent, containerPort: 7070 }',
    'hostNetwork: true, nodeName: node-2,',
  ),
  pod('host-web', 'web', '{ containerPort: 7080 }', 'hostNetwork: true, nodeName: node-1,'),
  `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, clusterIP: 172.20.0.50, selector: { name: web }, ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }] }
---`,
].join('');

const NEAR = pod('near', 'near', '{ containerPort: 8080 }');

const POLICIES = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web }
spec:
  podSelector: { matchLabels: { app: web } }
  ingress:
    - from: [{ podSelector: { matchExpressions: [{ key: app, operator: In, values: [agent, near] }] } }]
      ports: [{ port: 8080 }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: near }
spec:
  podSelector: { matchLabels: { app: near } }
  policyTypes: [Egress]
  egress:
    - to: [{ podSelector: { matchLabels: { app: web } } }]
      ports: [{ port: 8080 }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: asker }
spec:
  podSelector: { matchLabels: { app: asker } }
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } }
          podSelector: { matchLabels: { k8s-app: kube-dns } }
      ports: [{ port: 53, protocol: UDP }, { port: 53 }]
    - to: [{ podSelector: { matchLabels: { app: agent } } }]
      ports: [{ port: agent }]
`;

const PROBES = `
probes:
  a-peer-on-its-nodes-network: { from: pod/agent, http: 'pod/web:8080', expect: { sourceSeen: 10.0.4.10 } }
  lets-its-node-in: { from: node/node-2, tcp: 'pod/web:8080' }
  at-no-other-port: { from: node/node-2, tcp: 'pod/web:9090', expect: { verdict: timeout, blockedBy: netpol/web ingress } }
  and-no-pod-of-it: { from: pod/other, tcp: 'pod/web:8080', expect: { verdict: timeout, blockedBy: netpol/web ingress } }
  its-own-node: { from: node/node-1, tcp: 'pod/web:9090' }
  selected-on-its-nodes-network: { from: pod/other, http: 'pod/host-web:7080', expect: allowed }
  itself: { from: pod/web, tcp: 'pod/web:9090' }
  itself-by-its-service: { from: pod/web, http: svc/web/, expect: { answeredBy: pod/web } }
  allowed-by-the-service: { from: pod/near, tcp: 'svc/web:80' }
  by-the-service-not: { from: pod/other, tcp: 'svc/web:80', expect: { verdict: timeout, blockedBy: netpol/web ingress } }
  by-a-node-port-of-a-peer: { from: instance/bastion, http: 'node/node-2:30080/', expect: { sourceSeen: 10.0.4.10 } }
  by-one-of-the-pods-own-node: { from: instance/bastion, tcp: 'node/node-1:30080', expect: { verdict: timeout, blockedBy: netpol/web ingress } }
  not-by-a-node-port: { from: instance/bastion, tcp: 'pod/web:8080', expect: { verdict: timeout, blockedBy: netpol/web ingress } }
  allowed-port: { from: pod/near, http: 'pod/web:8080', expect: { sourceSeen: 10.0.3.50 } }
  another-port: { from: pod/near, tcp: 'pod/web:9090', expect: { verdict: timeout, blockedBy: netpol/near egress } }
  to-its-own-node: { from: pod/near, ping: node/node-1 }
  to-another-node: { from: pod/near, ping: node/node-2, expect: { verdict: timeout, blockedBy: netpol/near egress } }
  to-a-pod-of-another-nodes-network: { from: pod/near, tcp: 'pod/agent:7070', expect: { verdict: timeout, blockedBy: netpol/near egress } }
  no-names: { from: pod/near, dns: web.default.svc.cluster.local, expect: timeout }
  names-and-no-more: { from: pod/asker, dns: web.default.svc.cluster.local, expect: { addresses: [172.20.0.50] } }
  no-more: { from: pod/asker, tcp: 'pod/other:8080', expect: { verdict: timeout, blockedBy: netpol/asker egress } }
  a-name-of-a-port-on-a-nodes-network: { from: pod/asker, http: 'pod/agent:7070', expect: allowed }
  and-no-other-there: { from: pod/asker, tcp: 'node/node-2:30080', expect: { verdict: timeout, blockedBy: netpol/asker egress } }
  open-names: { from: pod/other, dns: web.default.svc.cluster.local, expect: { addresses: [172.20.0.50] } }
`;

t.test('nodes, their networks, Services, names, and a pod itself', async (t) => {
  const manifests = `${PODS}${NEAR}${POLICIES}`;
  await withLab(t, { lab: labText('near', PROBES), manifests }, async (lab) => {
    t.equal(await lab.failedProbes(), '');
    t.strictSame(differences(await lab.matrix()), []);
    t.equal(renderDrift((await lab.verify()).drift, true), '');
  });
});

t.test('who gets the address of a pod that is gone gets nothing of what it was let', async (t) => {
  const heir = (app: string): string => pod('heir', app, '{ containerPort: 8080 }');
  await withLab(
    t,
    { lab: labText('near'), manifests: `${PODS}${NEAR}${POLICIES}` },
    async (lab) => {
      const asks = async (from: string): Promise<Record<string, string>> =>
        lab.curl({ in: [from, '10.0.3.60:8080'], out: [from, '10.0.4.60:8080'] });
      t.strictSame(await asks('pod/near'), { in: 'client 10.0.3.50', out: 'exit 28' });

      await lab.change(labText('heir'), `${PODS}${heir('heir')}${POLICIES}`);
      t.strictSame(await asks('pod/heir'), { in: 'exit 28', out: 'client 10.0.3.50' });

      await lab.change(labText('heir'), `${PODS}${heir('near')}${POLICIES}`);
      t.strictSame(
        await asks('pod/heir'),
        { in: 'client 10.0.3.50', out: 'exit 28' },
        'by its label',
      );

      await lab.change(labText('heir'), `${PODS}${heir('near')}`);
      t.strictSame(await asks('pod/heir'), { in: 'client 10.0.3.50', out: 'client 10.0.3.50' });
      t.equal(renderDrift((await lab.verify()).drift, true), '');
    },
  );
});

/**
 * NetworkPolicies of pods with branch ENIs, on the real kernel, in both enforcing modes of security groups for pods. The
 * network policy agent attaches to a pod's link on its node, whatever the mode calls that (`eni…`, `vlan…`); only Calico
 * needs mode `standard` for it.
 *
 * @see https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html "You can use network policies with
 *   security groups for Pods"
 * @see https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html on Calico
 * @see aws-network-policy-agent pkg/ebpf/bpf_client.go
 */

import t from 'tap';

import { ENFORCING_MODES, type EnforcingMode } from '../../src/eks/pod-eni.ts';
import { renderDrift } from '../../src/report/drift.ts';
import { differences } from '../support/matrix.ts';
import { withLab } from '../support/with-lab.ts';

// Much of the time is waiting for what does not come.
t.jobs = 2;

/** Into the api the policy lets 8080 and 8083, the groups 8080 and 8081; to the database the policy lets 5432, the groups both. */
const PROBES = `
  allowed-in: { from: pod/client, tcp: pod/api:8080 }
  denied-in:
    from: pod/client
    tcp: pod/api:8081
    expect: { verdict: timeout, blockedBy: netpol/api ingress, silent: [pod/api] }
  denied-in-by-label:
    from: pod/stranger
    tcp: pod/api:8080
    expect: { verdict: timeout, blockedBy: netpol/api ingress, silent: [pod/api] }
  allowed-in-from-another-node:
    from: pod/far
    tcp: pod/api:8080
    expect: { sourceSeen: 10.0.3.70, path: [pod/far, node/node-2, node/node-1, pod/api] }
  denied-in-from-another-node:
    from: pod/far-stranger
    tcp: pod/api:8080
    expect:
      verdict: timeout
      blockedBy: netpol/api ingress
      path: [pod/far-stranger, node/node-2, node/node-1]
  allowed-out: { from: pod/client, tcp: instance/db:5432, expect: { sourceSeen: 10.0.3.50 } }
  denied-out:
    from: pod/client
    tcp: instance/db:5433
    expect: { verdict: timeout, blockedBy: netpol/client egress, path: [pod/client, node/node-1] }
  out-without-a-policy: { from: pod/stranger, tcp: instance/db:5433 }
  allowed-by-the-service: { from: pod/client, tcp: svc/api:80 }
  denied-by-the-service:
    from: pod/stranger
    tcp: svc/api:80
    expect: { verdict: timeout, blockedBy: netpol/api ingress }
  its-own-node: { from: node/node-1, ping: pod/api }
  another-node:
    from: node/node-2
    ping: pod/api
    expect: { verdict: timeout, blockedBy: netpol/api ingress }
  groups-deny-what-the-policy-allows:
    from: pod/far
    tcp: pod/api:8083
    expect: { verdict: timeout, blockedBy: sg/apis ingress, silent: [node/node-1] }
`;

/** Between two pods of one node. */
const GROUPS_ON_ONE_NODE: Readonly<Record<EnforcingMode, string>> = {
  strict: '{ verdict: timeout, blockedBy: sg/apis ingress, silent: [pod/api] }',
  standard: 'allowed',
};

function labText(mode: EnforcingMode): string {
  return `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      private: { cidr: 10.0.3.0/24, az: az-1 }
      data: { cidr: 10.0.5.0/24, az: az-1 }
    securityGroups:
      clients: {}
      apis:
        ingress:
          - { ports: 8080-8081, from: sg/clients }
          - { protocol: icmp, from: sg/eks-cluster-sg }
      db: { ingress: [{ ports: 5432-5433, from: sg/clients }] }
    instances:
      db: { subnet: data, address: 10.0.5.20, securityGroups: [db], ports: [5432, 5433] }
cluster:
  vpc: main
  addons: { coredns: false }
  cni: { ENABLE_POD_ENI: true, POD_SECURITY_GROUP_ENFORCING_MODE: ${mode} }
  nodes:
    node-1: { subnet: private, address: 10.0.3.10 }
    node-2: { subnet: private, address: 10.0.3.11 }
  pins:
    pod/client: { node: node-1, address: 10.0.3.50 }
    pod/stranger: { node: node-1, address: 10.0.3.51 }
    pod/api: { node: node-1, address: 10.0.3.60 }
    pod/far: { node: node-2, address: 10.0.3.70 }
    pod/far-stranger: { node: node-2, address: 10.0.3.71 }
probes:
  groups-on-one-node:
    from: pod/client
    tcp: pod/api:8083
    expect: ${GROUPS_ON_ONE_NODE[mode]}
${PROBES}`;
}

function client(name: string, app: string): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${app}, group: clients } }
spec: { containers: [{ name: main }] }
---
`;
}

function groups(name: string): string {
  return `apiVersion: vpcresources.k8s.aws/v1beta1
kind: SecurityGroupPolicy
metadata: { name: ${name} }
spec: { podSelector: { matchLabels: { group: ${name} } }, securityGroups: { groupIds: [${name}] } }
---
`;
}

const PODS = `${client('client', 'client')}${client('far', 'client')}
${client('stranger', 'stranger')}${client('far-stranger', 'stranger')}
apiVersion: v1
kind: Pod
metadata: { name: api, labels: { app: api, group: apis } }
spec:
  containers:
    - name: main
      ports: [{ containerPort: 8080 }, { containerPort: 8081 }, { containerPort: 8083 }]
---
apiVersion: v1
kind: Service
metadata: { name: api }
spec: { clusterIP: 172.20.0.50, selector: { app: api }, ports: [{ port: 80, targetPort: 8080 }] }
---
${groups('clients')}${groups('apis')}`;

const POLICIES = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: api }
spec:
  podSelector: { matchLabels: { app: api } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app: client } } }]
      ports: [{ port: 8080 }, { port: 8083 }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: client }
spec:
  podSelector: { matchLabels: { app: client } }
  policyTypes: [Egress]
  egress:
    - to: [{ podSelector: { matchLabels: { app: api } } }]
    - to: [{ ipBlock: { cidr: 10.0.5.20/32 } }]
      ports: [{ port: 5432 }]
`;

for (const mode of ENFORCING_MODES) {
  t.test(`${mode}: both a pod's policies and its own groups have to let it`, async (t) => {
    await withLab(t, { lab: labText(mode), manifests: `${PODS}${POLICIES}` }, async (lab) => {
      t.equal(await lab.failedProbes(), '');
      t.strictSame(differences(await lab.matrix()), []);
      t.equal(renderDrift((await lab.verify()).drift, true), '');

      await lab.change(labText(mode), PODS);
      const open = await lab.curl({
        'another port': ['pod/client', '10.0.3.60:8081'],
        'another label': ['pod/far-stranger', '10.0.3.60:8080'],
        'out of the client': ['pod/client', '10.0.5.20:5433'],
      });
      t.strictSame(
        open,
        {
          'another port': 'client 10.0.3.50',
          'another label': 'client 10.0.3.71',
          'out of the client': 'client 10.0.3.50',
        },
        'without policies the groups let all of this pass',
      );
    });
  });
}

/** What a NetworkPolicy's text means: what is missing, what is empty, and what the API server fills in. */

import t from 'tap';

import type { NetworkPolicySpec } from '../../src/k8s/network-policy.ts';
import {
  describePeers,
  describePorts,
  describeSelected,
} from '../../src/k8s/network-policy-words.ts';
import { lab, problems } from './lab.ts';

function policy(spec: string): string {
  return `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: default }
spec: { ${spec} }
`;
}

/** One policy, as it was understood, in words. */
function said(spec: string): Record<string, unknown> {
  const { manifests, problems } = lab(policy(spec));
  const [found] = manifests.networkPolicies;
  if (found === undefined || problems.length > 0) throw new Error(problems.join('\n'));
  const { ingress, egress, selector } = found;
  return {
    selects: describeSelected(selector, 'pods'),
    ingress: words(found, ingress, 'from'),
    egress: words(found, egress, 'to'),
  };
}

function words(
  policy: NetworkPolicySpec,
  rules: NetworkPolicySpec['ingress'],
  side: 'from' | 'to',
): string[] | 'open' {
  return (
    rules?.map((rule) => `${describePorts(rule)} ${side} ${describePeers(rule, policy)}`) ?? 'open'
  );
}

const ALL = 'everything from everybody';

/** spec, whom it selects, what may come in, what may go out; `open` where the policy says nothing of a direction. */
const MEANINGS: readonly (readonly [
  spec: string,
  selects: string,
  ingress: readonly string[] | 'open',
  egress: readonly string[] | 'open',
])[] = [
  // Policy types, and what stands in their place.
  ['podSelector: {}', 'all pods', [], 'open'],
  ['', 'all pods', [], 'open'],
  ['podSelector: {}, policyTypes: []', 'all pods', [], 'open'],
  ['podSelector: {}, ingress: []', 'all pods', [], 'open'],
  ['podSelector: {}, egress: []', 'all pods', [], 'open'],
  ['podSelector: {}, egress: [{}]', 'all pods', [], ['everything to everybody']],
  ['podSelector: {}, policyTypes: [Egress]', 'all pods', 'open', []],
  ['podSelector: {}, policyTypes: [Ingress, Egress]', 'all pods', [], []],
  ['podSelector: {}, policyTypes: [Egress, Ingress], ingress: [{}]', 'all pods', [ALL], []],
  // Empty and missing peers.
  ['ingress: [{}]', 'all pods', [ALL], 'open'],
  ['ingress: [null]', 'all pods', [ALL], 'open'],
  ['ingress: [{ from: [] }]', 'all pods', [ALL], 'open'],
  ['ingress: [{ from: null }]', 'all pods', [ALL], 'open'],
  ['ingress: [{ ports: [] }]', 'all pods', [ALL], 'open'],
  [
    'ingress: [{ from: [{ podSelector: {} }] }]',
    'all pods',
    ['everything from all pods of default'],
    'open',
  ],
  [
    'ingress: [{ from: [{ namespaceSelector: {} }] }]',
    'all pods',
    ['everything from all pods of all namespaces'],
    'open',
  ],
  [
    'ingress: [{ from: [{ namespaceSelector: {}, podSelector: null }] }]',
    'all pods',
    ['everything from all pods of all namespaces'],
    'open',
  ],
  // Both in one element, and each in one of its own.
  [
    'ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: a } }, podSelector: { matchLabels: { app: b } } }] }]',
    'all pods',
    ['everything from pods app=b of namespaces team=a'],
    'open',
  ],
  [
    'ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: a } } }, { podSelector: { matchLabels: { app: b } } }] }]',
    'all pods',
    ['everything from all pods of namespaces team=a or pods app=b of default'],
    'open',
  ],
  [
    'podSelector: { matchLabels: { app: web }, matchExpressions: [{ key: tier, operator: NotIn, values: [old, test] }, { key: x, operator: Exists }] }',
    'pods app=web,tier notin (old,test),x',
    [],
    'open',
  ],
  // Blocks: host bits are cleared, as the API server's parser does.
  [
    'egress: [{ to: [{ ipBlock: { cidr: 10.0.3.50/16, except: [10.0.4.0/24, 10.0.5.7/32] } }] }]',
    'all pods',
    [],
    ['everything to 10.0.0.0/16 but 10.0.4.0/24, 10.0.5.7/32'],
  ],
  [
    'ingress: [{ from: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }]',
    'all pods',
    ['everything from 0.0.0.0/0'],
    'open',
  ],
  // Ports: TCP unless something else is said, numbers, ranges, names, and all of a protocol.
  ['ingress: [{ ports: [{ port: 80 }] }]', 'all pods', ['tcp 80 from everybody'], 'open'],
  ['ingress: [{ ports: [{ protocol: UDP }] }]', 'all pods', ['udp from everybody'], 'open'],
  ['ingress: [{ ports: [{}] }]', 'all pods', ['tcp from everybody'], 'open'],
  ['ingress: [{ ports: [null] }]', 'all pods', ['tcp from everybody'], 'open'],
  [
    'ingress: [{ ports: [{ port: 53, protocol: UDP }, { port: 53 }, { port: http }, { port: 5000, endPort: 5010 }, { port: 1, endPort: 65535 }] }]',
    'all pods',
    ['udp 53, tcp 53, tcp http, tcp 5000-5010, tcp 1-65535 from everybody'],
    'open',
  ],
];

for (const [spec, selects, ingress, egress] of MEANINGS) {
  t.test(`spec: { ${spec} }`, async (t) => {
    t.strictSame(said(spec), { selects, ingress, egress });
  });
}

t.test("the guide's policy is read without a word", async (t) => {
  const { manifests, problems } = lab(`
apiVersion: v1
kind: Pod
metadata: { name: api, labels: { app: api } }
spec: { containers: [{ ports: [{ containerPort: 8080 }] }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: api-policy
spec:
  podSelector:
    matchLabels:
      app: api
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app: frontend
    ports:
    - protocol: TCP
      port: 8080
`);
  t.strictSame(problems, []);
  const [found] = manifests.networkPolicies;
  t.match(found, { reference: 'netpol/default/api-policy', egress: undefined });
});

t.test('one that is wrong is left out as a whole, and all that is wrong is said', async (t) => {
  const text = policy('ingress: [{ from: [{}], ports: [{ port: 0 }] }]');
  t.strictSame(lab(text).manifests.networkPolicies, []);
  t.strictSame(
    problems(text).map((one) => one.replace(/\n.*/s, '')),
    [
      'm.yaml:4:28: error[policy-peer]: this peer says nobody: it has neither podSelector nor namespaceSelector nor ipBlock',
      'm.yaml:4:49: error[policy-port]: port: 0 is no port',
    ],
  );
});

t.test('what stands and cannot match lets nothing pass, and does not let all pass', async (t) => {
  const { manifests } = lab(
    policy(
      'ingress: [{ ports: [{ protocol: SCTP, port: 1 }] }, { from: [{ ipBlock: { cidr: "::/0" } }] }]',
    ),
  );
  const [found] = manifests.networkPolicies;
  t.match(found?.ingress, [
    { ports: [], peers: undefined },
    { ports: undefined, peers: [] },
  ]);
});

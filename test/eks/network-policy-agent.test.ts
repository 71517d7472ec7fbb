/** What a change of policies, pods and labels touches on the nodes. */

import t from 'tap';

import { diff } from '../../src/kernel/diff.ts';
import { render } from '../../src/kernel/render.ts';
import type { KernelState } from '../../src/kernel/state.ts';
import { loadText } from '../../src/pipeline.ts';
import { renderObject } from '../../src/report/object.ts';
import { POLICY_LAB, policyManifests } from '../support/network-policy-cases.ts';

function stateOf(manifests: string): KernelState {
  return loadText({
    name: 'policies',
    directory: '/',
    lab: { file: 'lab.yaml', text: POLICY_LAB },
    manifests: [{ file: 'policies.yaml', text: manifests }],
  }).state;
}

const IN_X = {
  'x/in':
    'podSelector: { matchLabels: { pod: a } }, ingress: [{ from: [{ podSelector: { matchLabels: { pod: b } } }], ports: [{ port: 80 }] }]',
  'x/out': 'podSelector: {}, policyTypes: [Egress], egress: [{ to: [{ namespaceSelector: {} }] }]',
};
const BEFORE = policyManifests(IN_X);

/** Each object that a change touches, in one line; hashes are left out. */
function touched(before: string, after: string): string[] {
  return diff(stateOf(before), stateOf(after)).map(({ action, planned: { object, because } }) => {
    const where = 'netns' in object ? `${object.netns} ` : '';
    const what = renderObject(object)
      .replace(/:.*/s, '')
      .replaceAll(/-[A-Z2-7]{11}\b/g, '');
    return `${action} ${where}${what} (${because.thing})`;
  });
}

t.test('another label of one pod is another member, and nothing else', async (t) => {
  const after = BEFORE.replace(
    'name: c, namespace: x, labels: { pod: c }',
    'name: c, namespace: x, labels: { pod: b }',
  );
  t.not(after, BEFORE);
  t.strictSame(touched(BEFORE, after), [
    'change node-1 ipset NETPOL-PEER hash (netpol/x/in)',
    'change node-2 ipset NETPOL-PEER hash (netpol/x/in)',
  ]);
  const lines = render(diff(stateOf(BEFORE), stateOf(after))).flatMap(({ input }) =>
    (input ?? []).map(({ text }) => text.replaceAll(/-[A-Z2-7]{11}\b/g, '')),
  );
  const line = 'add NETPOL-PEER 10.0.3.13 comment "pod/x/c" -exist';
  t.strictSame(lines, [line, line]);
});

t.test('also where the label is what the policy selects by', async (t) => {
  const after = BEFORE.replace(
    'name: c, namespace: x, labels: { pod: c }',
    'name: c, namespace: x, labels: { pod: a }',
  );
  t.strictSame(touched(BEFORE, after), ['change node-1 ipset NETPOL-PODS hash (netpol/x/in)']);
});

t.test('a policy more is its own chains and sets, and a line in its gate', async (t) => {
  const after = policyManifests({
    ...IN_X,
    'y/in': 'podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }]',
  });
  t.strictSame(
    touched(BEFORE, after),
    ['node-1', 'node-2'].flatMap((node) => [
      `change ${node} iptables -t filter NETPOL-INGRESS (node/${node})`,
      `add ${node} ipset NETPOL-PODS hash (netpol/y/in)`,
      `add ${node} ipset NETPOL-PEER hash (netpol/y/in)`,
      `add ${node} iptables -t filter NETPOL-IN (netpol/y/in)`,
      `add ${node} iptables -t filter NETPOL-IN-DENY (netpol/y/in)`,
    ]),
  );
});

t.test('another port is one rule of one chain', async (t) => {
  const after = policyManifests({ ...IN_X, 'x/in': IN_X['x/in'].replace('port: 80', 'port: 81') });
  t.strictSame(touched(BEFORE, after), [
    'change node-1 iptables -t filter NETPOL-IN (netpol/x/in)',
    'change node-2 iptables -t filter NETPOL-IN (netpol/x/in)',
  ]);
});

t.test('a node without pods of a namespace has nothing of its policies', async (t) => {
  const after = policyManifests({ 'kube-system/deny': 'podSelector: {}' });
  t.strictSame(touched(policyManifests({}), after), []);
});

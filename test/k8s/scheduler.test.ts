import t from 'tap';

import type { NodeForScheduling, Pin } from '../../src/k8s/scheduler.ts';
import { placed, workload } from './lab.ts';

const node = (
  number: number,
  capacity = 10,
  labels: Record<string, string> = {},
): NodeForScheduling => ({ name: `node-${number}`, labels, capacity });

const pin = (reference: string, name: string | undefined): Map<string, Pin> =>
  new Map([[reference, { node: name, at: { file: 'lab.yaml', line: 7, column: 3 } }]]);

const two = [node(1), node(2)];

t.test('the pods of a workload take the nodes in turn', async (t) => {
  const { nodes, problems } = placed(workload('Deployment', 'web', 'replicas: 4'), [
    node(10),
    node(2),
    node(1),
  ]);
  t.strictSame(problems, []);
  t.strictSame(nodes, {
    'web-1': 'node-10',
    'web-2': 'node-1',
    'web-3': 'node-2',
    'web-4': 'node-10',
  });
});

t.test('one workload more moves no pod of another one', async (t) => {
  const web = workload('Deployment', 'web', 'replicas: 3');
  const before = placed(web, two).nodes;
  const after = placed(workload('Deployment', 'api', 'replicas: 3') + web, two).nodes;
  t.strictSame(
    Object.fromEntries(Object.entries(after).filter(([name]) => name.startsWith('web'))),
    before,
  );
});

t.test('a pin comes before a turn, and a node name too', async (t) => {
  const text = workload('StatefulSet', 'db', 'replicas: 2');
  for (const name of ['node-1', 'node-2']) {
    t.equal(placed(text, two, pin('pod/db-0', name)).nodes['db-0'], name);
    t.strictSame(
      placed(workload('StatefulSet', 'db', 'replicas: 2', `nodeName: ${name}`), two).nodes,
      { 'db-0': name, 'db-1': name },
    );
  }
  t.strictSame(placed(text, two, pin('pod/db-0', undefined)), placed(text, two));
});

t.test('a pod that must be on a node takes its place before those that need not', async (t) => {
  const text = workload('Deployment', 'a', 'replicas: 2') + workload('Deployment', 'z');
  const full = [node(1, 1), node(2, 2)];
  t.strictSame(placed(text, full, pin('pod/z-1', 'node-1')), {
    nodes: { 'a-1': 'node-2', 'a-2': 'node-2', 'z-1': 'node-1' },
    problems: [],
  });
});

t.test('a nodeSelector leaves the nodes that have its labels', async (t) => {
  const zones = [node(1, 10, { zone: 'a' }), node(2, 10, { zone: 'b' }), node(3)];
  const selecting = (selector: string) =>
    placed(workload('Deployment', 'web', 'replicas: 2', `nodeSelector: ${selector}`), zones);
  t.strictSame(selecting('{ zone: b }'), {
    nodes: { 'web-1': 'node-2', 'web-2': 'node-2' },
    problems: [],
  });
  const none = 'm.yaml:10:21: error[no-node-matches]: no node matches the nodeSelector';
  t.strictSame(selecting('{ zone: eu-west-1c }').problems, [
    `${none} zone=eu-west-1c of pod/web-1: node-1 (zone=a), node-2 (zone=b), node-3 (no zone)\n  hint: known here: a, b`,
  ]);
  t.strictSame(selecting('{ zoen: a }').problems, [
    `${none} zoen=a of pod/web-1: node-1 (no zoen), node-2 (no zoen), node-3 (no zoen)\n  hint: did you mean "zone"?`,
  ]);
  t.strictSame(selecting('{ accelerator: gpu }').problems, [
    `${none} accelerator=gpu of pod/web-1: node-1 (no accelerator), node-2 (no accelerator), node-3 (no accelerator)\n  hint: give a node these labels, or take out the nodeSelector`,
  ]);
});

t.test('a lab without nodes runs no pods', async (t) => {
  t.strictSame(placed(workload('Deployment', 'web', 'replicas: 2'), []), {
    nodes: {},
    problems: [
      'm.yaml:3:19: error[no-node-matches]: there is no node for pod/web-1\n  hint: add a node',
    ],
  });
});

t.test('a node that is named has to be there', async (t) => {
  const text = workload('Deployment', 'web', '', 'nodeName: nod-1');
  t.strictSame(placed(text, two).problems, [
    'm.yaml:9:17: error[unknown-node]: pod/web-1 has the nodeName "nod-1", but there is no such node\n  hint: did you mean "node-1"?',
  ]);
  t.strictSame(placed(workload('DaemonSet', 'agent', '', 'nodeName: nod-1'), two).problems, [
    'm.yaml:9:17: error[unknown-node]: pod/agent-nod-1 has the nodeName "nod-1", but there is no such node\n  hint: did you mean "node-1"?',
  ]);
  t.strictSame(placed(text, two, pin('pod/web-1', 'worker-east')).problems, [
    'lab.yaml:7:3: error[unknown-node]: pod/web-1 is pinned to node "worker-east", but there is no such node\n  hint: known here: node-1, node-2',
  ]);
});

t.test('a pin, a nodeName and a nodeSelector must agree', async (t) => {
  const disks = [node(1, 10, { disk: 'ssd' }), node(2)];
  const mend = '\n  hint: change the pin or the manifest';
  t.strictSame(
    placed(workload('Deployment', 'web', '', 'nodeName: node-1'), disks, pin('pod/web-1', 'node-2'))
      .problems,
    [
      `lab.yaml:7:3: error[pin-contradicts]: pod/web-1 is pinned to node "node-2", but has the nodeName "node-1"${mend}`,
    ],
  );
  const selecting = 'nodeSelector: { disk: ssd }';
  t.strictSame(
    placed(workload('Deployment', 'web', '', selecting), disks, pin('pod/web-1', 'node-2'))
      .problems,
    [
      `lab.yaml:7:3: error[pin-contradicts]: pod/web-1 is pinned to node "node-2", but has the nodeSelector disk=ssd, which that node does not match: node-2 (no disk)${mend}`,
    ],
  );
  t.strictSame(
    placed(workload('DaemonSet', 'agent'), disks, pin('pod/agent-node-1', 'node-2')).problems,
    [
      `lab.yaml:7:3: error[pin-contradicts]: pod/agent-node-1 is pinned to node "node-2", but is the pod of DaemonSet "agent" for node "node-1"${mend}`,
    ],
  );
  t.strictSame(
    placed(workload('Deployment', 'web', '', `nodeName: node-2\n      ${selecting}`), disks)
      .problems,
    [
      'm.yaml:9:17: error[no-node-matches]: pod/web-1 has the nodeName "node-2" and the nodeSelector disk=ssd, which that node does not match: node-2 (no disk)\n  hint: take out one of the two',
    ],
  );
});

t.test('more pods than addresses are reported once a workload', async (t) => {
  const type = { 'node.kubernetes.io/instance-type': 'm5.large' };
  const large = [node(1, 27, type), node(2, 2)];
  const mend = '\n  hint: add nodes, choose a larger instance type, or run fewer pods';
  const { nodes, problems } = placed(workload('Deployment', 'web', 'replicas: 31'), large);
  t.equal(Object.keys(nodes).length, 29);
  t.strictSame(problems, [
    `m.yaml:3:19: error[too-many-pods]: no node has an address left for pod/web-30 and 1 more of Deployment "web": node-1 (m5.large) has 27, node-2 has 2${mend}`,
  ]);
  t.strictSame(placed(workload('Deployment', 'web'), [{ ...node(1), maxPods: 0 }]).problems, [
    `m.yaml:3:19: error[too-many-pods]: no node has room left for pod/web-1: node-1 takes 0 pods${mend}`,
  ]);
  const many = Array.from({ length: 10 }, (_, index) => node(index + 1, 0));
  t.strictSame(placed(workload('Deployment', 'web'), many).problems, [
    `m.yaml:3:19: error[too-many-pods]: no node has an address left for pod/web-1: ${[1, 2, 3, 4, 5, 6, 7, 8].map((number) => `node-${number} has 0`).join(', ')} and 2 more${mend}`,
  ]);
});

t.test('a full node is reported for each pod that must be there', async (t) => {
  const mend = '\n  hint: choose a larger instance type, or put fewer pods on this node';
  t.strictSame(placed(workload('DaemonSet', 'agent'), [node(1, 0), node(2)]), {
    nodes: { 'agent-node-2': 'node-2' },
    problems: [
      `m.yaml:3:19: error[too-many-pods]: its node does not have an address left for pod/agent-node-1: node-1 has 0${mend}`,
    ],
  });
  t.strictSame(
    placed(workload('Deployment', 'web'), [node(1, 0)], pin('pod/web-1', 'node-1')).problems,
    [
      `lab.yaml:7:3: error[too-many-pods]: its node does not have an address left for pod/web-1: node-1 has 0${mend}`,
    ],
  );
});

t.test('a pod with hostNetwork takes no address, but counts for the kubelet', async (t) => {
  const text = workload('Deployment', 'web', 'replicas: 2', 'hostNetwork: true');
  t.strictSame(placed(text, [node(1, 0)]).nodes, { 'web-1': 'node-1', 'web-2': 'node-1' });
  t.strictSame(placed(text, [{ ...node(1, 0), maxPods: 1 }]).nodes, { 'web-1': 'node-1' });
});

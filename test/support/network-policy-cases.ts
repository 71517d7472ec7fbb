/**
 * What NetworkPolicies mean, case by case, said a third time by hand: for nine pods, a, b and c in the namespaces x, y and
 * z, who may ask whom for what. The model is held against it in test/judge/policy.test.ts, real packets in
 * test/netns/network-policy.test.ts.
 *
 * The pods and their labels are those of the conformance suite; what is tried are its cases and the classes of cyclonus.
 *
 * @see kubernetes test/e2e/network/netpol/network_policy.go; https://github.com/mattfenwick/cyclonus
 */

export interface Who {
  readonly namespace: string;
  readonly pod: string;
  readonly address: string;
}

export interface What {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** 0 of a ping. */
  readonly port: number;
}

export interface PolicyCase {
  readonly title: string;
  /** By `namespace/name`, the inside of each spec. */
  readonly policies: Readonly<Record<string, string>>;
  /** Of a pod (`x/a`) or a namespace (`x`), in the place of its own. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Between two different pods. */
  readonly isAllowed: (from: Who, to: Who, what: What) => boolean;
}

const NAMES = ['a', 'b', 'c'] as const;
const NAMESPACES = ['x', 'y', 'z'] as const;

/** On two nodes by turns, so that each pod has neighbours and others: 10.0.3.0/24 is node-1's, 10.0.4.0/24 node-2's. */
function addressOf(namespace: number, name: number): string {
  return `10.0.${(namespace + name) % 2 === 0 ? 3 : 4}.${11 + 10 * namespace + name}`;
}

const PODS: readonly Who[] = NAMESPACES.flatMap((namespace, row) =>
  NAMES.map((pod, column) => ({ namespace, pod, address: addressOf(row, column) })),
);

export const POLICY_LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    securityGroups: { default: { ingress: [{ from: 0.0.0.0/0 }] }, eks-cluster-sg: { ingress: [{ from: 0.0.0.0/0 }] } }
    subnets:
      one: { cidr: 10.0.3.0/24, az: az-1 }
      two: { cidr: 10.0.4.0/24, az: az-2 }
cluster:
  vpc: main
  addons: { coredns: false }
  nodes: { node-1: { subnet: one }, node-2: { subnet: two } }
  pins:
${PODS.map(
  ({ namespace, pod, address }) =>
    `    pod/${namespace}/${pod}: { node: ${address.startsWith('10.0.3.') ? 'node-1' : 'node-2'}, address: ${address} }`,
).join('\n')}
`;

/** What a is called by a port's name is another number for the others. */
function portsOf(pod: string): string {
  const [first, second] = pod === 'a' ? ['web', 'alt'] : ['alt', 'web'];
  return [
    `{ name: ${first}, containerPort: 80 }, { name: ${second}, containerPort: 81 }`,
    `{ name: ${first}-udp, containerPort: 80, protocol: UDP }, { name: ${second}-udp, containerPort: 81, protocol: UDP }`,
  ].join(', ');
}

/** The pods with the policies of a case, and the labels in it that are not the usual ones. */
export function policyManifests(
  policies: PolicyCase['policies'],
  labels: PolicyCase['labels'] = {},
): string {
  return [
    ...NAMESPACES.map(
      (name) =>
        `{ apiVersion: v1, kind: Namespace, metadata: { name: ${name}, labels: { ${labels[name] ?? `ns: ${name}`} } } }`,
    ),
    ...PODS.map(
      ({ namespace, pod }) =>
        `{ apiVersion: v1, kind: Pod, metadata: { name: ${pod}, namespace: ${namespace}, labels: { ${labels[`${namespace}/${pod}`] ?? `pod: ${pod}`} } }, spec: { containers: [{ ports: [${portsOf(pod)}] }] } }`,
    ),
    ...Object.entries(policies).map(([key, spec]) => {
      const [namespace = '', name = ''] = key.split('/');
      return `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: ${name}, namespace: ${namespace} }, spec: { ${spec} } }`;
    }),
  ].join('\n---\n');
}

export function whoIs(address: string): Who | undefined {
  return PODS.find((one) => one.address === address);
}

const A = 'podSelector: { matchLabels: { pod: a } }';
const EVERY = 'podSelector: {}';
const isXA = ({ namespace, pod }: Who): boolean => namespace === 'x' && pod === 'a';
const isIn = ({ namespace }: Who, ...names: readonly string[]): boolean =>
  names.includes(namespace);
const tcp = ({ protocol, port }: What, ...ports: readonly number[]): boolean =>
  protocol === 'tcp' && ports.includes(port);
const udp = ({ protocol, port }: What, ...ports: readonly number[]): boolean =>
  protocol === 'udp' && ports.includes(port);
/** Of the port that a pod calls `web`. */
const web = ({ pod }: Who): number => (pod === 'a' ? 80 : 81);

/** One policy on x/a that says what may come in. */
function intoXA(
  title: string,
  ingress: string,
  isAllowed: (from: Who, what: What) => boolean,
): PolicyCase {
  return {
    title,
    policies: { 'x/in': `${A}, ingress: [${ingress}]` },
    isAllowed: (from, to, what) => !isXA(to) || isAllowed(from, what),
  };
}

/** One policy on x/a that says what may go out. */
function outOfXA(
  title: string,
  egress: string,
  isAllowed: (to: Who, what: What) => boolean,
): PolicyCase {
  return {
    title,
    policies: { 'x/out': `${A}, policyTypes: [Egress], egress: [${egress}]` },
    isAllowed: (from, to, what) => !isXA(from) || isAllowed(to, what),
  };
}

/** Ninety values, each as long as a label's may be. */
const LONG_LIST = Array.from({ length: 90 }, (_, index) => `v${index + 10}`.padEnd(63, '-x')).join(
  ', ',
);
const LONG_NAME = `long${'-name'.repeat(49)}`;

export const POLICY_CASES: readonly PolicyCase[] = [
  { title: 'no policy: all is open', policies: {}, isAllowed: () => true },
  {
    title: 'all pods of x, nobody in: x reaches others, and gets its answers',
    policies: { 'x/deny': EVERY },
    isAllowed: (_, to) => !isIn(to, 'x'),
  },
  {
    title: 'all pods of x, nowhere out: others reach x, and get its answers',
    policies: { 'x/deny': `${EVERY}, policyTypes: [Egress]` },
    isAllowed: (from) => !isIn(from, 'x'),
  },
  {
    title: 'all pods of x, in neither direction',
    policies: { 'x/deny': `${EVERY}, policyTypes: [Ingress, Egress]` },
    isAllowed: (from, to) => !isIn(from, 'x') && !isIn(to, 'x'),
  },
  {
    title: 'every namespace closed',
    policies: { 'x/d': EVERY, 'y/d': EVERY, 'z/d': EVERY },
    isAllowed: () => false,
  },
  {
    title: 'who may send and who may not be sent to: both ends must allow',
    policies: {
      'x/out': `${EVERY}, policyTypes: [Egress], egress: [{ to: [{ namespaceSelector: { matchLabels: { ns: y } } }] }]`,
      'y/in': `${EVERY}, ingress: [{ from: [{ podSelector: {}, namespaceSelector: { matchLabels: { ns: z } } }] }]`,
    },
    isAllowed: (from, to) =>
      (!isIn(from, 'x') || isIn(to, 'y')) && (!isIn(to, 'y') || isIn(from, 'z')),
  },
  {
    title: 'both ends agree on one port',
    policies: {
      'x/out': `${EVERY}, egress: [{ ports: [{ port: 80 }, { port: 81 }] }], policyTypes: [Egress]`,
      'y/in': `${EVERY}, ingress: [{ ports: [{ port: 81 }] }]`,
    },
    isAllowed: (from, to, what) =>
      (!isIn(from, 'x') || tcp(what, 80, 81)) && (!isIn(to, 'y') || tcp(what, 81)),
  },
  {
    title: 'policies add up: one denies nobody what another allows',
    policies: {
      'x/deny': EVERY,
      'x/from-b': `${A}, ingress: [{ from: [{ podSelector: { matchLabels: { pod: b } } }] }]`,
      'x/port': `${A}, ingress: [{ ports: [{ port: 81, protocol: UDP }] }]`,
    },
    isAllowed: (from, to, what) =>
      !isIn(to, 'x') || (isXA(to) && ((isIn(from, 'x') && from.pod === 'b') || udp(what, 81))),
  },
  {
    title: 'a policy of another namespace says nothing',
    policies: { 'y/in': `${A}, ingress: []` },
    isAllowed: (_, to) => !(isIn(to, 'y') && to.pod === 'a'),
  },
  {
    title: 'rules of a direction that policyTypes leaves out have no effect',
    policies: {
      'x/odd': `${EVERY}, policyTypes: [Egress], ingress: [], egress: [{ to: [{ podSelector: {} }] }]`,
    },
    isAllowed: (from, to) => !isIn(from, 'x') || isIn(to, 'x'),
  },
  {
    title: 'egress rules alone close for what comes in, too',
    policies: { 'x/out': `${A}, egress: [{}]` },
    isAllowed: (_, to) => !isXA(to),
  },
  {
    title: 'whom a policy selects: expressions of each kind',
    policies: {
      'x/in':
        'podSelector: { matchExpressions: [{ key: pod, operator: In, values: [a, b] }, { key: pod, operator: NotIn, values: [b] }, { key: pod, operator: Exists }, { key: old, operator: DoesNotExist }] }',
    },
    isAllowed: (_, to) => !isXA(to),
  },
  {
    title: 'a pod that is closed and opened again, what goes out',
    policies: {
      'x/deny': `${EVERY}, policyTypes: [Egress]`,
      'x/open': `${A}, policyTypes: [Egress], egress: [{}]`,
    },
    isAllowed: (from) => !isIn(from, 'x') || isXA(from),
  },
  {
    title: 'a pod that is closed and opened again, what comes in',
    policies: { 'x/deny': EVERY, 'x/open': `${A}, ingress: [{}]` },
    isAllowed: (_, to) => !isIn(to, 'x') || isXA(to),
  },
  {
    title: 'opened for one port, and then for all',
    policies: {
      'x/out': `${EVERY}, policyTypes: [Egress], egress: [{ ports: [{ port: 80 }] }]`,
      'x/out-all': `${EVERY}, policyTypes: [Egress], egress: [{}]`,
      'y/in': `${EVERY}, ingress: [{ ports: [{ port: 80 }] }]`,
      'y/in-all': `${EVERY}, ingress: [{}]`,
    },
    isAllowed: () => true,
  },
  {
    title: 'addresses that nobody has, and all pods; pods that nobody is, and all addresses',
    policies: {
      'x/nobody': `${EVERY}, ingress: [{ from: [{ ipBlock: { cidr: 0.0.0.0/31 } }] }]`,
      'x/all': `${EVERY}, ingress: [{ from: [{ namespaceSelector: {} }] }]`,
      'z/nobody': `${EVERY}, policyTypes: [Egress], egress: [{ to: [{ namespaceSelector: { matchLabels: { ns: none } } }] }]`,
      'z/all': `${EVERY}, policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }]`,
    },
    isAllowed: () => true,
  },
  {
    title: 'the receiver is open, the sender is not; and the other way round',
    policies: {
      'x/deny': `podSelector: { matchLabels: { pod: b } }, policyTypes: [Egress]`,
      'y/open': `podSelector: { matchLabels: { pod: c } }, ingress: [{}]`,
      'y/open-out': `podSelector: { matchLabels: { pod: a } }, policyTypes: [Egress], egress: [{}]`,
      'z/deny': `podSelector: { matchLabels: { pod: a } }`,
    },
    isAllowed: (from, to) =>
      !(isIn(from, 'x') && from.pod === 'b') && !(isIn(to, 'z') && to.pod === 'a'),
  },
  {
    title: 'what the receivers allow the sender may still not send',
    policies: {
      'x/out': `${A}, policyTypes: [Egress], egress: [{ to: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: y } }, podSelector: { matchLabels: { pod: a } } }] }]`,
      'y/in-a': `${A}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: x } }, podSelector: { matchLabels: { pod: a } } }] }]`,
      'y/in-b':
        'podSelector: { matchLabels: { pod: b } }, ingress: [{ from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: x } }, podSelector: { matchLabels: { pod: a } } }] }]',
    },
    isAllowed: (from, to) => {
      const isToA = isIn(to, 'y') && to.pod === 'a';
      const isToB = isIn(to, 'y') && to.pod === 'b';
      if (isXA(from)) return isToA;
      return !isToA && !isToB;
    },
  },
  {
    title: 'both directions of one pod in one policy',
    policies: {
      'x/both': `${A}, policyTypes: [Egress, Ingress], ingress: [{ from: [{ podSelector: { matchLabels: { pod: b } } }] }], egress: [{ ports: [{ port: 80 }] }]`,
    },
    isAllowed: (from, to, what) =>
      (!isXA(to) || (isIn(from, 'x') && from.pod === 'b')) && (!isXA(from) || tcp(what, 80)),
  },
  {
    title: 'both directions of one pod in two policies: it may ask, and is not asked',
    policies: {
      'x/ask': `${A}, policyTypes: [Egress], egress: [{}]`,
      'x/answer': `${A}, policyTypes: [Ingress]`,
    },
    isAllowed: (_, to) => !isXA(to),
  },
  {
    title: 'policies with selectors that overlap, each with a port of its own',
    policies: {
      'x/one': `${A}, ingress: [{ ports: [{ port: 80 }] }]`,
      'x/some':
        'podSelector: { matchExpressions: [{ key: pod, operator: In, values: [a, b] }] }, ingress: [{ ports: [{ port: 81 }] }]',
      'x/every': `${EVERY}, ingress: [{ ports: [{ port: 80, protocol: UDP }] }]`,
    },
    isAllowed: (_, to, what) =>
      !isIn(to, 'x') ||
      udp(what, 80) ||
      (to.pod !== 'c' && tcp(what, 81)) ||
      (to.pod === 'a' && tcp(what, 80)),
  },
  {
    title: 'one name in each namespace is three policies',
    policies: {
      'x/p': `${A}, ingress: [{ ports: [{ port: 80 }] }]`,
      'y/p': `${A}, ingress: [{ ports: [{ port: 81, protocol: UDP }] }]`,
      'z/p': `${EVERY}, policyTypes: [Egress], egress: [{ to: [{ podSelector: {} }] }]`,
    },
    isAllowed: (from, to, what) =>
      (!isXA(to) || tcp(what, 80)) &&
      (!(isIn(to, 'y') && to.pod === 'a') || udp(what, 81)) &&
      (!isIn(from, 'z') || isIn(to, 'z')),
  },
  {
    title: 'egress rules of a policy whose types are Ingress alone have no effect',
    policies: {
      'x/odd': `${A}, policyTypes: [Ingress], ingress: [{}], egress: [{ ports: [{ port: 80 }] }]`,
    },
    isAllowed: () => true,
  },
  {
    title: 'both types, and rules for one: the other is closed',
    policies: { 'x/odd': `${A}, policyTypes: [Ingress, Egress], ingress: [{}]` },
    isAllowed: (from) => !isXA(from),
  },
  {
    title:
      'an empty list of egress rules is no reason for the type Egress, nor is an empty list of types',
    policies: { 'x/odd': `${A}, policyTypes: [], egress: []` },
    isAllowed: (_, to) => !isXA(to),
  },
  {
    title: 'no podSelector means all pods of the namespace',
    policies: { 'y/all': 'policyTypes: [Egress]' },
    isAllowed: (from) => !isIn(from, 'y'),
  },
  {
    title: 'a selector of labels and expressions: both must fit',
    policies: {
      'x/in':
        'podSelector: { matchLabels: { pod: a }, matchExpressions: [{ key: pod, operator: NotIn, values: [b, c] }] }',
      'y/in':
        'podSelector: { matchLabels: { pod: a }, matchExpressions: [{ key: pod, operator: NotIn, values: [a] }] }',
    },
    isAllowed: (_, to) => !isXA(to),
  },
  {
    title: 'a label that is called like what every object of JavaScript has',
    policies: {
      'x/exists':
        'podSelector: { matchExpressions: [{ key: constructor, operator: Exists }] }, policyTypes: [Ingress, Egress]',
      'y/not':
        'podSelector: { matchExpressions: [{ key: toString, operator: DoesNotExist }] }, policyTypes: [Egress]',
    },
    isAllowed: (from) => !isIn(from, 'y'),
  },
  {
    title: 'a pod that has got the label is selected',
    policies: { 'x/in': 'podSelector: { matchLabels: { target: isolated } }' },
    labels: { 'x/a': 'pod: a, target: isolated' },
    isAllowed: (_, to) => !isXA(to),
  },
  {
    title: 'a pod that has lost the label is not',
    policies: { 'x/in': A },
    labels: { 'x/a': '' },
    isAllowed: () => true,
  },
  {
    title: 'a pod without labels: what is empty, and what must not be, means it too',
    policies: {
      'x/in':
        'podSelector: { matchExpressions: [{ key: pod, operator: NotIn, values: [b, c] }] }, ingress: [{ from: [{ namespaceSelector: {}, podSelector: { matchExpressions: [{ key: pod, operator: DoesNotExist }] } }] }]',
    },
    labels: { 'x/a': '', 'z/c': '' },
    isAllowed: (from, to) => !isXA(to) || (isIn(from, 'z') && from.pod === 'c'),
  },
  {
    title: 'a peer that has got the label',
    policies: {
      'x/in': `${A}, ingress: [{ from: [{ namespaceSelector: { matchExpressions: [{ key: ns, operator: In, values: [y, z] }] }, podSelector: { matchLabels: { fresh: abc } } }] }]`,
    },
    labels: { 'y/b': 'pod: b, fresh: abc', 'x/b': 'pod: b, fresh: abc' },
    isAllowed: (from, to) => !isXA(to) || (isIn(from, 'y') && from.pod === 'b'),
  },
  {
    title: 'a namespace that has got the label',
    policies: {
      'x/in': `${A}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { fresh: qrs } } }] }]`,
    },
    labels: { y: 'ns: y, fresh: qrs' },
    isAllowed: (from, to) => !isXA(to) || isIn(from, 'y'),
  },
  {
    title: 'a namespace without labels has its name for one',
    policies: {
      'x/in': `${A}, ingress: [{ from: [{ namespaceSelector: { matchExpressions: [{ key: ns, operator: DoesNotExist }, { key: kubernetes.io/metadata.name, operator: Exists }] } }] }]`,
    },
    labels: { y: '' },
    isAllowed: (from, to) => !isXA(to) || isIn(from, 'y'),
  },
  {
    title: 'a namespace cannot pass for another one',
    policies: {
      'x/in': `${A}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: z } } }] }]`,
    },
    labels: { y: 'kubernetes.io/metadata.name: z' },
    isAllowed: (from, to) => !isXA(to) || isIn(from, 'z'),
  },
  intoXA('nobody: an empty list of rules', '', () => false),
  intoXA('everybody: a rule that says nothing', '{}', () => true),
  intoXA('everybody: lists that are empty', '{ from: [], ports: [] }', () => true),
  intoXA('pods of the own namespace', '{ from: [{ podSelector: {} }] }', (from) => isIn(from, 'x')),
  intoXA(
    'pods of the own namespace, by a label',
    '{ from: [{ podSelector: { matchLabels: { pod: b } } }] }',
    (from) => isIn(from, 'x') && from.pod === 'b',
  ),
  intoXA('pods of all namespaces', '{ from: [{ namespaceSelector: {} }] }', () => true),
  intoXA(
    'namespaces by a label',
    '{ from: [{ namespaceSelector: { matchLabels: { ns: y } } }] }',
    (from) => isIn(from, 'y'),
  ),
  intoXA(
    'a namespace by its name',
    '{ from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: z } } }] }',
    (from) => isIn(from, 'z'),
  ),
  intoXA(
    'namespaces by expressions',
    '{ from: [{ namespaceSelector: { matchExpressions: [{ key: ns, operator: NotIn, values: [x] }, { key: ns, operator: In, values: [x, z] }] } }] }',
    (from) => isIn(from, 'z'),
  ),
  intoXA(
    'both selectors in one peer: both must fit',
    '{ from: [{ namespaceSelector: { matchLabels: { ns: y } }, podSelector: { matchLabels: { pod: b } } }] }',
    (from) => isIn(from, 'y') && from.pod === 'b',
  ),
  intoXA(
    'both selectors in two peers: either is enough',
    '{ from: [{ namespaceSelector: { matchLabels: { ns: y } } }, { podSelector: { matchLabels: { pod: b } } }] }',
    (from) => isIn(from, 'y') || (isIn(from, 'x') && from.pod === 'b'),
  ),
  intoXA(
    'pods by a label in all namespaces',
    '{ from: [{ namespaceSelector: {}, podSelector: { matchLabels: { pod: c } } }] }',
    (from) => from.pod === 'c',
  ),
  intoXA(
    'pods that nobody is',
    '{ from: [{ podSelector: { matchLabels: { pod: d } } }] }',
    () => false,
  ),
  intoXA(
    'other namespaces by their names, or some pods of the own one',
    '{ from: [{ namespaceSelector: { matchExpressions: [{ key: kubernetes.io/metadata.name, operator: NotIn, values: [x] }] } }, { podSelector: { matchLabels: { pod: b } } }] }',
    (from) => !isIn(from, 'x') || from.pod === 'b',
  ),
  intoXA(
    'some pods of other namespaces, by expressions',
    '{ from: [{ namespaceSelector: { matchExpressions: [{ key: kubernetes.io/metadata.name, operator: In, values: [y, z] }] }, podSelector: { matchExpressions: [{ key: pod, operator: NotIn, values: [a, c] }] } }] }',
    (from) => !isIn(from, 'x') && from.pod === 'b',
  ),
  intoXA(
    'empty selectors in one peer',
    '{ from: [{ namespaceSelector: {}, podSelector: {} }] }',
    () => true,
  ),
  intoXA(
    'all pods of a namespace by a label that each has',
    '{ from: [{ namespaceSelector: { matchExpressions: [{ key: ns, operator: Exists }] }, podSelector: { matchExpressions: [{ key: pod, operator: Exists }] } }] }',
    () => true,
  ),
  intoXA(
    'namespaces that none is',
    '{ from: [{ namespaceSelector: { matchExpressions: [{ key: ns, operator: DoesNotExist }] } }] }',
    () => false,
  ),
  intoXA('a port is of TCP', '{ ports: [{ port: 80 }] }', (_, what) => tcp(what, 80)),
  intoXA('a port of UDP', '{ ports: [{ port: 80, protocol: UDP }] }', (_, what) => udp(what, 80)),
  intoXA(
    'all of a protocol',
    '{ ports: [{ protocol: UDP }] }',
    (_, { protocol }) => protocol === 'udp',
  ),
  intoXA(
    'all of TCP, by a port that says nothing',
    '{ ports: [{}] }',
    (_, { protocol }) => protocol === 'tcp',
  ),
  intoXA(
    'a port of SCTP beside the same one of TCP',
    '{ ports: [{ port: 80, protocol: SCTP }, { port: 80 }] }',
    (_, what) => tcp(what, 80),
  ),
  intoXA('all of SCTP', '{ ports: [{ protocol: SCTP }] }', () => false),
  intoXA('a name of SCTP', '{ ports: [{ port: web, protocol: SCTP }] }', () => false),
  intoXA(
    'a rule of SCTP takes nothing from another one',
    '{ ports: [{ port: 80, protocol: SCTP }] }, { ports: [{ port: 81 }] }',
    (_, what) => tcp(what, 81),
  ),
  {
    title: 'SCTP let into a pod of a closed namespace',
    policies: {
      'x/deny': EVERY,
      'x/sctp': `${A}, ingress: [{ ports: [{ port: 81, protocol: SCTP }] }]`,
    },
    isAllowed: (_, to) => !isIn(to, 'x'),
  },
  intoXA(
    'one port of two protocols',
    '{ ports: [{ port: 80 }, { port: 80, protocol: UDP }] }',
    (_, what) => tcp(what, 80) || udp(what, 80),
  ),
  intoXA(
    'numbers and names in one rule, one of the names of the other protocol',
    '{ ports: [{ port: alt }, { port: 80, protocol: UDP }, { port: web-udp }] }',
    (_, what) => tcp(what, 81) || udp(what, 80),
  ),
  intoXA('a name that nobody has', '{ ports: [{ port: nobody }] }', () => false),
  {
    title: 'a name and a number, that are one port for some pods and two for others',
    policies: {
      'y/in': `${EVERY}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { ns: x } } }], ports: [{ port: web }, { port: 80 }] }]`,
    },
    isAllowed: (from, to, what) =>
      !isIn(to, 'y') || (isIn(from, 'x') && (tcp(what, web(to)) || tcp(what, 80))),
  },
  intoXA(
    'a range of one port, and one of all',
    '{ ports: [{ port: 80, endPort: 80, protocol: UDP }, { port: 1, endPort: 65535 }] }',
    (_, what) => what.protocol === 'tcp' || udp(what, 80),
  ),
  intoXA(
    'a range from 81 on',
    '{ ports: [{ port: 81, endPort: 65535 }] }',
    (_, { protocol, port }) => protocol === 'tcp' && port >= 81,
  ),
  intoXA(
    'what is said twice is said once',
    '{ from: [{ ipBlock: { cidr: 10.0.3.0/24 } }, { ipBlock: { cidr: 10.0.3.0/24 } }, { podSelector: {} }, { podSelector: {} }], ports: [{ port: 80 }, { port: 80 }, { port: web }, { port: web }] }',
    (from, what) => (from.address.startsWith('10.0.3.') || isIn(from, 'x')) && tcp(what, 80),
  ),
  intoXA('a range', '{ ports: [{ port: 80, endPort: 81 }] }', (_, what) => tcp(what, 80, 81)),
  intoXA('a range up to 80', '{ ports: [{ port: 1, endPort: 80, protocol: UDP }] }', (_, what) =>
    udp(what, 80),
  ),
  intoXA(
    'several ports, of which each is enough',
    '{ ports: [{ port: 80 }, { port: 81, protocol: UDP }] }',
    (_, what) => tcp(what, 80) || udp(what, 81),
  ),
  intoXA('a port by its name', '{ ports: [{ port: web }] }', (_, what) => tcp(what, 80)),
  intoXA('a name of another protocol', '{ ports: [{ port: web, protocol: UDP }] }', () => false),
  intoXA(
    'a port of SCTP, which nobody speaks',
    '{ ports: [{ port: 80, protocol: SCTP }] }',
    () => false,
  ),
  {
    title: 'a name is what each pod calls it: another number for each',
    policies: {
      'y/in': `${EVERY}, ingress: [{ ports: [{ port: web }, { port: web-udp, protocol: UDP }] }]`,
    },
    isAllowed: (_, to, what) => !isIn(to, 'y') || tcp(what, web(to)) || udp(what, web(to)),
  },
  intoXA(
    'a peer and a port of one rule belong together, those of two do not',
    '{ from: [{ podSelector: { matchLabels: { pod: b } } }], ports: [{ port: 80 }] }, { from: [{ podSelector: { matchLabels: { pod: c } } }], ports: [{ port: 81 }] }',
    (from, what) =>
      isIn(from, 'x') &&
      ((from.pod === 'b' && tcp(what, 80)) || (from.pod === 'c' && tcp(what, 81))),
  ),
  intoXA(
    'one address',
    `{ from: [{ ipBlock: { cidr: ${addressOf(1, 1)}/32 } }] }`,
    (from) => from.address === addressOf(1, 1),
  ),
  intoXA(
    'a block, and what is left out of it',
    '{ from: [{ ipBlock: { cidr: 10.0.0.0/16, except: [10.0.3.0/24] } }] }',
    ({ address }) => address.startsWith('10.0.4.'),
  ),
  intoXA(
    'what one peer leaves out another one may mean',
    `{ from: [{ ipBlock: { cidr: 10.0.0.0/16, except: [10.0.3.0/24, ${addressOf(0, 1)}/32] } }, { namespaceSelector: { matchLabels: { ns: z } } }] }`,
    (from) =>
      (from.address.startsWith('10.0.4.') && from.address !== addressOf(0, 1)) || isIn(from, 'z'),
  ),
  intoXA(
    'everywhere but a half of the world, and but a part of what is left',
    '{ from: [{ ipBlock: { cidr: 0.0.0.0/0, except: [128.0.0.0/1, 10.0.4.0/24] } }], ports: [{ port: 80, endPort: 90 }] }',
    ({ address }, what) => address.startsWith('10.0.3.') && tcp(what, 80, 81),
  ),
  intoXA(
    'the block of an address, the rest of whose bits do not count',
    `{ from: [{ ipBlock: { cidr: ${addressOf(0, 1)}/24 } }] }`,
    ({ address }) => address.startsWith('10.0.4.'),
  ),
  intoXA(
    'several blocks',
    `{ from: [{ ipBlock: { cidr: ${addressOf(0, 1)}/32 } }, { ipBlock: { cidr: 10.0.3.0/24, except: [10.0.3.16/28] } }] }`,
    ({ address }) =>
      address === addressOf(0, 1) || (address.startsWith('10.0.3.') && !isBetween(address, 16, 31)),
  ),
  intoXA(
    'a block of which nothing is left',
    '{ from: [{ ipBlock: { cidr: 10.0.0.0/16, except: [10.0.0.0/17, 10.0.128.0/17] } }] }',
    () => false,
  ),
  intoXA(
    'everywhere but both halves of the world',
    '{ from: [{ ipBlock: { cidr: 0.0.0.0/0, except: [0.0.0.0/1, 128.0.0.0/1] } }] }',
    () => false,
  ),
  intoXA(
    'what is left out twice',
    '{ from: [{ ipBlock: { cidr: 10.0.0.0/16, except: [10.0.4.16/28, 10.0.4.0/24, 10.0.4.0/24] } }] }',
    ({ address }) => address.startsWith('10.0.3.'),
  ),
  intoXA(
    'a block that nobody has an address of',
    '{ from: [{ ipBlock: { cidr: 0.0.0.0/31 } }] }',
    () => false,
  ),
  intoXA('everywhere', '{ from: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }', () => true),
  intoXA(
    'a block of IPv6, where nobody is',
    '{ from: [{ ipBlock: { cidr: "::/0" } }] }',
    () => false,
  ),
  outOfXA('nowhere: an empty list of rules', '', () => false),
  outOfXA('to a namespace', '{ to: [{ namespaceSelector: { matchLabels: { ns: y } } }] }', (to) =>
    isIn(to, 'y'),
  ),
  outOfXA(
    'to some pods of another namespace, at one port',
    '{ to: [{ namespaceSelector: { matchLabels: { ns: z } }, podSelector: { matchExpressions: [{ key: pod, operator: In, values: [b, c] }] } }], ports: [{ port: 81 }] }',
    (to, what) => isIn(to, 'z') && to.pod !== 'a' && tcp(what, 81),
  ),
  outOfXA(
    'to a port by its name, as each receiver calls it',
    '{ ports: [{ port: web }] }',
    (to, what) => tcp(what, web(to)),
  ),
  outOfXA(
    'to a port by its name, of some pods',
    '{ to: [{ namespaceSelector: {}, podSelector: { matchLabels: { pod: c } } }], ports: [{ port: web-udp, protocol: UDP }, { port: 80 }] }',
    (to, what) => to.pod === 'c' && (udp(what, 81) || tcp(what, 80)),
  ),
  outOfXA(
    'to a port by its name, in a block',
    '{ to: [{ ipBlock: { cidr: 10.0.0.0/16, except: [10.0.4.0/24] } }], ports: [{ port: alt }] }',
    (to, what) => to.address.startsWith('10.0.3.') && tcp(what, to.pod === 'a' ? 81 : 80),
  ),
  outOfXA(
    'to a block, and what is left out of it',
    '{ to: [{ ipBlock: { cidr: 10.0.4.0/24, except: [10.0.4.16/28] } }] }',
    (to) => to.address.startsWith('10.0.4.') && !isBetween(to.address, 16, 31),
  ),
  outOfXA('everywhere: lists that are empty', '{ to: [], ports: [] }', () => true),
  outOfXA('to pods of the own namespace', '{ to: [{ podSelector: {} }] }', (to) => isIn(to, 'x')),
  outOfXA(
    'to some pods of the own namespace',
    '{ to: [{ podSelector: { matchLabels: { pod: c } } }] }',
    (to) => isIn(to, 'x') && to.pod === 'c',
  ),
  outOfXA(
    'to some pods of all namespaces',
    '{ to: [{ namespaceSelector: {}, podSelector: { matchLabels: { pod: c } } }] }',
    (to) => to.pod === 'c',
  ),
  outOfXA(
    'to all pods of all namespaces',
    '{ to: [{ namespaceSelector: {}, podSelector: {} }] }',
    () => true,
  ),
  outOfXA(
    'to all pods of a namespace, or some of the own one',
    '{ to: [{ namespaceSelector: { matchLabels: { ns: y } }, podSelector: {} }, { podSelector: { matchLabels: { pod: b } } }] }',
    (to) => isIn(to, 'y') || (isIn(to, 'x') && to.pod === 'b'),
  ),
  outOfXA(
    'to an address',
    `{ to: [{ ipBlock: { cidr: ${addressOf(1, 1)}/32 } }] }`,
    (to) => to.address === addressOf(1, 1),
  ),
  outOfXA(
    'to a block and everywhere, each at a port',
    '{ to: [{ ipBlock: { cidr: 10.0.4.0/24 } }], ports: [{ port: 80 }] }, { to: [{ ipBlock: { cidr: 0.0.0.0/0 } }], ports: [{ port: 81, protocol: UDP }] }',
    (to, what) => (to.address.startsWith('10.0.4.') && tcp(what, 80)) || udp(what, 81),
  ),
  outOfXA(
    'to a block, and to what is left out of it',
    `{ to: [{ ipBlock: { cidr: 10.0.0.0/16, except: [${addressOf(0, 1)}/32] } }, { ipBlock: { cidr: ${addressOf(0, 1)}/32 } }] }`,
    () => true,
  ),
  {
    title: 'what one policy leaves out of a block another one allows',
    policies: {
      'x/but': `${A}, policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 10.0.4.0/24, except: [${addressOf(0, 1)}/32] } }] }]`,
      'x/and': `${A}, policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: ${addressOf(0, 1)}/32 } }], ports: [{ port: 80 }] }]`,
    },
    isAllowed: (from, to, what) =>
      !isXA(from) ||
      (to.address.startsWith('10.0.4.') && (to.address !== addressOf(0, 1) || tcp(what, 80))),
  },
  outOfXA(
    'to addresses that nobody has, and pods that nobody is',
    '{ to: [{ ipBlock: { cidr: 0.0.0.0/31 } }, { namespaceSelector: { matchLabels: { ns: none } } }] }',
    () => false,
  ),
  outOfXA('to a port of SCTP', '{ ports: [{ port: 81, protocol: SCTP }] }', () => false),
  outOfXA('to a port of UDP', '{ ports: [{ port: 81, protocol: UDP }] }', (_, what) =>
    udp(what, 81),
  ),
  outOfXA(
    'to names that nobody has, or has of the other protocol',
    '{ ports: [{ port: nobody }, { port: web-udp }, { port: web, protocol: UDP }] }',
    () => false,
  ),
  outOfXA(
    'to a name and a number, that are one port of some pods and two of others',
    '{ to: [{ namespaceSelector: { matchLabels: { ns: y } } }], ports: [{ port: web }, { port: 80 }, { port: 80, protocol: UDP }] }',
    (to, what) => isIn(to, 'y') && (tcp(what, web(to)) || tcp(what, 80) || udp(what, 80)),
  ),
  outOfXA('to a range', '{ ports: [{ port: 80, endPort: 81, protocol: UDP }] }', (_, what) =>
    udp(what, 80, 81),
  ),
  {
    title: 'a name and a selector that are longer than what the kernel remembers of them',
    policies: {
      [`x/${LONG_NAME}`]: `${A}, policyTypes: [Ingress, Egress], ingress: [{ from: [{ namespaceSelector: { matchExpressions: [{ key: ns, operator: NotIn, values: [${LONG_LIST}, x] }] } }], ports: [{ port: web }, { port: 81 }] }], egress: [{ to: [{ podSelector: { matchExpressions: [{ key: pod, operator: In, values: [${LONG_LIST}, b] }] } }] }]`,
      [`x/${LONG_NAME}-2`]: `podSelector: { matchLabels: { pod: b } }, ingress: [{ ports: [{ port: 80 }] }]`,
    },
    isAllowed: (from, to, what) => {
      const [isToB, isToA] = [isIn(to, 'x') && to.pod === 'b', isXA(to)];
      return (
        (!isToA || (!isIn(from, 'x') && tcp(what, 80, 81))) &&
        (!isXA(from) || isToB) &&
        (!isToB || tcp(what, 80))
      );
    },
  },
  {
    title: 'a chain of three, and nothing else',
    policies: {
      'x/d': `${EVERY}, policyTypes: [Ingress, Egress]`,
      'x/a': `${A}, policyTypes: [Ingress, Egress], ingress: [{ from: [{ namespaceSelector: { matchLabels: { ns: y } } }], ports: [{ port: 80 }] }], egress: [{ to: [{ podSelector: { matchLabels: { pod: b } } }], ports: [{ port: 81 }] }]`,
      'x/b':
        'podSelector: { matchLabels: { pod: b } }, ingress: [{ from: [{ podSelector: { matchLabels: { pod: a } } }], ports: [{ port: 81 }] }]',
    },
    isAllowed: (from, to, what) =>
      (!isIn(from, 'x') && !isIn(to, 'x')) ||
      (isIn(from, 'y') && isXA(to) && tcp(what, 80)) ||
      (isXA(from) && isIn(to, 'x') && to.pod === 'b' && tcp(what, 81)),
  },
];

const TO_B_AND_C =
  'to: [{ namespaceSelector: {}, podSelector: { matchExpressions: [{ key: pod, operator: NotIn, values: [a] }] } }]';

/** Each way in which a rule's port may be written, and what it means for a receiver. */
const PORTS: readonly (readonly [written: string, isThat: (to: Who, what: What) => boolean])[] = [
  ['', (_, { protocol }) => protocol === 'tcp'],
  ['port: 81', (_, what) => tcp(what, 81)],
  ['port: web', (to, what) => tcp(what, web(to))],
  ['protocol: TCP', (_, { protocol }) => protocol === 'tcp'],
  ['protocol: TCP, port: 81', (_, what) => tcp(what, 81)],
  ['protocol: TCP, port: web', (to, what) => tcp(what, web(to))],
  ['protocol: UDP', (_, { protocol }) => protocol === 'udp'],
  ['protocol: UDP, port: 81', (_, what) => udp(what, 81)],
  ['protocol: UDP, port: web', () => false],
  ['protocol: SCTP', () => false],
  ['protocol: SCTP, port: 81', () => false],
  ['protocol: SCTP, port: web', () => false],
];

/** Any two of them in one rule, in each direction, alone or with peers: too many for packets. */
export const PORT_PAIR_CASES: readonly PolicyCase[] = PORTS.flatMap(([one, isOne], index) =>
  PORTS.slice(index).flatMap(([other, isOther]) => {
    const ports = `ports: [{ ${one} }, { ${other} }]`;
    const isEither = (to: Who, what: What): boolean => isOne(to, what) || isOther(to, what);
    return [
      {
        title: `into z: ${ports}`,
        policies: { 'z/in': `${EVERY}, ingress: [{ ${ports} }]` },
        isAllowed: (_, to, what) => !isIn(to, 'z') || isEither(to, what),
      },
      outOfXA(
        `to pods b and c: ${ports}`,
        `{ ${TO_B_AND_C}, ${ports} }`,
        (to, what) => to.pod !== 'a' && isEither(to, what),
      ),
    ] satisfies PolicyCase[];
  }),
);

function isBetween(address: string, first: number, last: number): boolean {
  const host = Number(address.split('.')[3]);
  return first <= host && host <= last;
}

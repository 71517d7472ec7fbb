import t from 'tap';

import { ipv4 } from '../../src/base/ip.ts';
import { podNetns, podReference } from '../../src/k8s/pod.ts';
import { lab, problems } from './lab.ts';

/** A pod named web whose annotations and spec are given; both stand on lines of their own. */
function pod(spec: string, annotations = '{}'): string {
  return `apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations: ${annotations}
spec: ${spec}
`;
}

t.test('a pod is named by its namespace, unless that is default', async (t) => {
  t.strictSame(
    [podReference('default', 'web'), podNetns('default', 'web')],
    ['pod/web', 'pod-web'],
  );
  t.strictSame(
    [podReference('shop', 'web'), podNetns('shop', 'web')],
    ['pod/shop/web', 'pod-shop-web'],
  );
});

t.test('everything that Hoplab reads of a pod', async (t) => {
  const { pods, problems } = lab(`
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: kube-system
  labels: { app: web }
  annotations:
    hoplab.io/delay: 1.5s
    hoplab.io/status: "503"
    hoplab.io/fails: "true"
    hoplab.io/ready: "false"
    hoplab.io/terminating: "true"
    example.com/note: kept
spec:
  nodeName: node-1
  nodeSelector: { disk: ssd }
  hostNetwork: true
  hostname: first
  subdomain: web
  dnsPolicy: None
  dnsConfig: { nameservers: [10.0.0.2], searches: [example.com], options: [{ name: ndots, value: "2" }, { name: edns0 }] }
  initContainers: [{ name: setup, ports: [{ containerPort: 99999 }] }]
  containers:
    - name: main
      image: registry.k8s.io/coredns/coredns:v1.11.3
      ports:
        - containerPort: 80
        - { name: dns, containerPort: 53, protocol: UDP }
    - ports:
        - { name: tcp-db, containerPort: 5432, protocol: TCP }
        - { name: tcpish, containerPort: 53 }
        - { name: tcp, containerPort: 9 }
`);
  t.strictSame(problems, []);
  const at = (line: number, column: number) => ({ file: 'm.yaml', line, column });
  t.strictSame(pods, [
    {
      namespace: 'kube-system',
      name: 'web',
      owner: undefined,
      at: at(5, 9),
      labels: { app: 'web' },
      annotations: {
        'hoplab.io/delay': '1.5s',
        'hoplab.io/status': '503',
        'hoplab.io/fails': 'true',
        'hoplab.io/ready': 'false',
        'hoplab.io/terminating': 'true',
        'example.com/note': 'kept',
      },
      nodeName: 'node-1',
      nodeSelector: { disk: 'ssd' },
      nodeAt: at(16, 13),
      hostNetwork: true,
      ports: [
        { name: undefined, containerPort: 80, protocol: 'tcp', http: true, at: at(28, 26) },
        { name: 'dns', containerPort: 53, protocol: 'udp', http: false, at: at(29, 39) },
        { name: 'tcp-db', containerPort: 5432, protocol: 'tcp', http: false, at: at(31, 42) },
        { name: 'tcpish', containerPort: 53, protocol: 'tcp', http: true, at: at(32, 42) },
        { name: 'tcp', containerPort: 9, protocol: 'tcp', http: false, at: at(33, 39) },
      ],
      hostname: 'first',
      subdomain: 'web',
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: [ipv4('10.0.0.2')],
        searches: ['example.com'],
        options: [
          { name: 'ndots', value: '2' },
          { name: 'edns0', value: undefined },
        ],
      },
      runsCoreDns: true,
      behaviour: { status: 503, delayMs: 1500, fails: true },
      ready: false,
      terminating: true,
    },
  ]);
});

t.test('what a pod does not say has the value that Kubernetes gives it', async (t) => {
  t.strictSame(lab(pod('{ containers: [{ name: main }] }', '')).pods, [
    {
      namespace: 'default',
      name: 'web',
      owner: undefined,
      at: { file: 'm.yaml', line: 4, column: 9 },
      labels: {},
      annotations: {},
      nodeName: undefined,
      nodeSelector: {},
      nodeAt: undefined,
      hostNetwork: false,
      ports: [],
      hostname: undefined,
      subdomain: undefined,
      dnsPolicy: 'ClusterFirst',
      dnsConfig: { nameservers: [], searches: [], options: [] },
      runsCoreDns: false,
      behaviour: {},
      ready: true,
      terminating: false,
    },
  ]);
});

t.test('mistakes in a pod are reported where they stand', async (t) => {
  const cases: Record<string, string[]> = {
    '{}': [
      'm.yaml:6:7: error[no-containers]: Pod "web" has no containers\n  hint: give at least one, with the ports it listens on',
    ],
    '{ containers: [] }': [
      'm.yaml:6:21: error[no-containers]: Pod "web" has no containers\n  hint: give at least one, with the ports it listens on',
    ],
    '{ containers: [{ ports: [{ containerPort: 0 }, { containerPort: 65536 }] }] }': [
      'm.yaml:6:49: error[out-of-range]: spec.containers.0.ports.0.containerPort is 0, which is less than 1',
      'm.yaml:6:71: error[out-of-range]: spec.containers.0.ports.1.containerPort is 65536, which is more than 65535',
    ],
    '{ containers: [{ ports: [{ containerPort: http }, { name: web }] }] }': [
      'm.yaml:6:49: error[wrong-type]: spec.containers.0.ports.0.containerPort is the text "http", not a number',
      'm.yaml:6:57: error[missing-key]: spec.containers.0.ports.1 lacks "containerPort"\n  hint: give a number for "containerPort"',
    ],
    '{ containers: [{ ports: [{ containerPort: 1, protocol: udp }] }] }': [
      'm.yaml:6:62: error[wrong-value]: spec.containers.0.ports.0.protocol is "udp", not one of TCP, UDP, SCTP\n  hint: did you mean "UDP"?',
    ],
    '{ containers: [{ ports: [{ containerPort: 1, protocol: SCTP }] }] }': [
      'm.yaml:6:62: warning[sctp]: port 1 is left out: a lab speaks TCP and UDP',
    ],
    '{ containers: [{ ports: [{ containerPort: 80 }] }, { ports: [{ containerPort: 80 }] }] }': [
      'm.yaml:6:85: error[port-twice]: port 80/tcp stands twice in this pod, first at m.yaml:6:49\n  hint: the containers of a pod share one network namespace: only one can listen on a port',
    ],
    '{ containers: [{}], hostNetwork: "yes", nodeSelector: { ssd: true } }': [
      'm.yaml:6:68: error[wrong-type]: spec.nodeSelector.ssd: true is not a text\n  hint: write the value in quotes',
      'm.yaml:6:40: error[wrong-type]: spec.hostNetwork is the text "yes", not true or false\n  hint: write true or false, without quotes',
    ],
  };
  for (const [spec, expected] of Object.entries(cases)) {
    t.strictSame(problems(pod(spec)), expected, spec);
  }
  t.strictSame(problems(pod('{ containers: [{}] }').replace('web', 'Web_1')), [
    'm.yaml:4:9: error[not-a-dns-name]: the name "Web_1" of this Pod is not a DNS subdomain\n  hint: lower-case letters, digits, "-" and ".", at most 253, and a letter or digit at both ends',
  ]);
});

t.test('an annotation of Hoplab has to be one, and to have a value it can take', async (t) => {
  const boolean = '\n  hint: write "true" or "false", in quotes';
  const delay = '\n  hint: write it like 300ms, 5s or 6m';
  const cases: Record<string, string[]> = {
    '{ hoplab.io/dealy: 2s }': [
      'm.yaml:5:18: error[unknown-annotation]: unknown annotation "hoplab.io/dealy"\n  hint: did you mean "hoplab.io/delay"?',
    ],
    '{ hoplab.io/delay: soon }': [
      `m.yaml:5:35: error[wrong-annotation]: hoplab.io/delay: "soon" is not a duration up to 1h${delay}`,
    ],
    '{ hoplab.io/delay: 61m }': [
      `m.yaml:5:35: error[wrong-annotation]: hoplab.io/delay: "61m" is not a duration up to 1h${delay}`,
    ],
    '{ hoplab.io/status: "199" }': [
      'm.yaml:5:36: error[wrong-annotation]: hoplab.io/status: "199" is not an HTTP status from 200 to 599\n  hint: write it like "503"',
    ],
    '{ hoplab.io/fails: "yes", hoplab.io/ready: "no" }': [
      `m.yaml:5:35: error[wrong-annotation]: hoplab.io/fails: "yes" is not "true" or "false"${boolean}`,
      `m.yaml:5:59: error[wrong-annotation]: hoplab.io/ready: "no" is not "true" or "false"${boolean}`,
    ],
    '{ hoplab.io/status: 503 }': [
      'm.yaml:5:36: error[wrong-type]: metadata.annotations.hoplab.io/status: 503 is not a text\n  hint: write the value in quotes',
    ],
    '{ hoplab.io/delay: 0s, hoplab.io/fails: "false", hoplab.io/ready: "true" }': [],
  };
  for (const [annotations, expected] of Object.entries(cases)) {
    t.strictSame(problems(pod('{ containers: [{}] }', annotations)), expected, annotations);
  }
});

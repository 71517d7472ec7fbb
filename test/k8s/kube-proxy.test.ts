import t from 'tap';

import { Diagnostics } from '../../src/base/diagnostic.ts';
import { cidr, ipv4 } from '../../src/base/ip.ts';
import type { Service } from '../../src/k8s/cluster-services.ts';
import { resolveServices } from '../../src/k8s/cluster-services.ts';
import { endpointChain, portChains } from '../../src/k8s/kube-proxy-chains.ts';
import { portRules, probability, type ProxyNode } from '../../src/k8s/kube-proxy-service.ts';
import { readManifests } from '../../src/k8s/manifest.ts';
import { readYaml } from '../../src/source/yaml.ts';

const NODE: ProxyNode = {
  name: 'node-1',
  zone: 'az-1',
  address: ipv4('10.0.1.10'),
  isLargeCluster: false,
};

/** A Service of manifests, with its endpoints as they stand there. */
function service(spec: string, endpoints: readonly string[], status = ''): Service {
  const diagnostics = new Diagnostics();
  const text = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec: ${spec}
${status}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ port: 8080 }]
endpoints:
${endpoints.map((one) => `  - ${one}`).join('\n') || '  []'}
`;
  const manifests = readManifests(readYaml('m.yaml', text, diagnostics), diagnostics);
  const [found] = resolveServices(
    manifests.services,
    {
      own: [],
      serviceCidr: cidr('172.20.0.0/16'),
      pods: [],
      slices: manifests.slices,
      zoneOf: () => undefined,
    },
    diagnostics,
  );
  if (found === undefined || diagnostics.list.length > 0) {
    throw new Error(JSON.stringify(diagnostics.list));
  }
  return found;
}

const HERE = '{ addresses: [10.0.1.50], nodeName: node-1 }';
const THERE = '{ addresses: [10.0.2.50], nodeName: node-2 }';
const IP = 'clusterIP: 172.20.0.50';

/** `nat -A CHAIN rule`, as a person reads it: the hash is left out of the port's own chains, an endpoint has its address. */
function rules(one: Service, node: Partial<ProxyNode> = {}): string[] {
  return one.ports.flatMap((port) => {
    const { shared, chains } = portRules(one, port, { ...NODE, ...node });
    const lines = [
      ...shared.map(({ table, chain, rule }) => `${table} ${chain} ${rule}`),
      ...chains.flatMap(({ chain, rules: own }) => own.map((rule) => `nat ${chain} ${rule}`)),
    ];
    let text = lines.join('\n');
    const names = Object.values<string>({ ...portChains(port) });
    for (const name of names) text = text.replaceAll(name, name.slice(0, -17));
    for (const endpoint of port.endpoints) {
      text = text.replaceAll(endpointChain(port, endpoint), `SEP:${endpoint.address}`);
    }
    return text === '' ? [] : text.split('\n');
  });
}

t.test("chains have kube-proxy's names", async (t) => {
  const named = { fullName: 'ns1/svc1:p80', protocol: 'tcp' } as const;
  // Of kubernetes pkg/proxy/iptables/proxier_test.go.
  t.strictSame(portChains(named), {
    cluster: 'KUBE-SVC-XPGD46QRK7WJZT7O',
    local: 'KUBE-SVL-XPGD46QRK7WJZT7O',
    external: 'KUBE-EXT-XPGD46QRK7WJZT7O',
    firewall: 'KUBE-FW-XPGD46QRK7WJZT7O',
  });
  t.equal(
    endpointChain(named, { address: ipv4('10.180.0.1'), port: 80 }),
    'KUBE-SEP-SXIVWICOYRO3J4NJ',
  );
  // Seen on a node of EKS.
  const https = portChains({ fullName: 'default/kubernetes:https', protocol: 'tcp' });
  t.equal(https.cluster, 'KUBE-SVC-NPX46M4PTMTKRN6Y');
  const dns = portChains({ fullName: 'kube-system/kube-dns:dns', protocol: 'udp' });
  t.equal(dns.cluster, 'KUBE-SVC-TCOU7JCQXEZGVUNU');
});

t.test('a chance is what the kernel keeps of it in 31 bits', async (t) => {
  t.strictSame([2, 3, 4, 7].map(probability), [
    '0.50000000000',
    '0.33333333349',
    '0.25000000000',
    '0.14285714272',
  ]);
});

t.test('a ClusterIP: one of all endpoints, in the order of texts', async (t) => {
  const one = service(`{ ${IP}, ports: [{ port: 80 }] }`, [
    '{ addresses: [10.0.1.1] }',
    '{ addresses: [10.0.1.10] }',
    '{ addresses: [10.0.1.11] }',
  ]);
  t.strictSame(rules(one), [
    'nat KUBE-SERVICES -d 172.20.0.50/32 -p tcp -m comment --comment "default/web cluster IP" -m tcp --dport 80 -j KUBE-SVC',
    'nat KUBE-SVC -m comment --comment "default/web -> 10.0.1.10:8080" -m statistic --mode random --probability 0.33333333349 -j SEP:10.0.1.10',
    'nat KUBE-SVC -m comment --comment "default/web -> 10.0.1.11:8080" -m statistic --mode random --probability 0.50000000000 -j SEP:10.0.1.11',
    'nat KUBE-SVC -m comment --comment "default/web -> 10.0.1.1:8080" -j SEP:10.0.1.1',
    ...['10.0.1.10', '10.0.1.11', '10.0.1.1'].flatMap((address) => [
      `nat SEP:${address} -s ${address}/32 -m comment --comment "default/web" -j KUBE-MARK-MASQ`,
      `nat SEP:${address} -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination ${address}:8080`,
    ]),
  ]);
});

t.test('no usable endpoint anywhere: refused at every entrance, and nothing in nat', async (t) => {
  const spec = `{ ${IP}, type: NodePort, externalIPs: [203.0.113.9], ports: [{ port: 80, nodePort: 30080 }] }`;
  for (const endpoints of [[], ['{ addresses: [10.0.1.50], conditions: { ready: false } }']]) {
    t.strictSame(rules(service(spec, endpoints)), [
      'filter KUBE-SERVICES -d 172.20.0.50/32 -p tcp -m comment --comment "default/web has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
      'filter KUBE-EXTERNAL-SERVICES -d 203.0.113.9/32 -p tcp -m comment --comment "default/web has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
      'filter KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "default/web has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j REJECT --reject-with icmp-port-unreachable',
    ]);
  }
});

const SEP_HERE = [
  'nat SEP:10.0.1.50 -s 10.0.1.50/32 -m comment --comment "default/web" -j KUBE-MARK-MASQ',
  'nat SEP:10.0.1.50 -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination 10.0.1.50:8080',
];
const SEP_THERE = SEP_HERE.map((rule) => rule.replaceAll('10.0.1.50', '10.0.2.50'));
const SVC_BOTH = [
  'nat KUBE-SVC -m comment --comment "default/web -> 10.0.1.50:8080" -m statistic --mode random --probability 0.50000000000 -j SEP:10.0.1.50',
  'nat KUBE-SVC -m comment --comment "default/web -> 10.0.2.50:8080" -j SEP:10.0.2.50',
];
const AT_CLUSTER_IP =
  'nat KUBE-SERVICES -d 172.20.0.50/32 -p tcp -m comment --comment "default/web cluster IP" -m tcp --dport 80 -j';
const AT_NODE_PORT =
  'nat KUBE-NODEPORTS -p tcp -m comment --comment "default/web" -m tcp --dport 30080 -j KUBE-EXT';

t.test('internalTrafficPolicy Local: the endpoints of the node, or silence', async (t) => {
  const spec = `{ ${IP}, internalTrafficPolicy: Local, ports: [{ port: 80 }] }`;
  t.strictSame(rules(service(spec, [HERE, THERE])), [
    `${AT_CLUSTER_IP} KUBE-SVL`,
    'nat KUBE-SVL -m comment --comment "default/web -> 10.0.1.50:8080" -j SEP:10.0.1.50',
    ...SEP_HERE,
  ]);
  t.strictSame(rules(service(spec, [THERE])), [
    'filter KUBE-SERVICES -d 172.20.0.50/32 -p tcp -m comment --comment "default/web has no local endpoints" -m tcp --dport 80 -j DROP',
  ]);
});

t.test('externalTrafficPolicy Cluster: all endpoints, and the node in the source', async (t) => {
  const spec = `{ ${IP}, type: NodePort, ports: [{ port: 80, nodePort: 30080 }] }`;
  t.strictSame(rules(service(spec, [HERE, THERE])), [
    `${AT_CLUSTER_IP} KUBE-SVC`,
    AT_NODE_PORT,
    'nat KUBE-EXT -m comment --comment "masquerade traffic for default/web external destinations" -j KUBE-MARK-MASQ',
    'nat KUBE-EXT -j KUBE-SVC',
    ...SVC_BOTH,
    ...SEP_HERE,
    ...SEP_THERE,
  ]);
});

const EXT_LOCAL = [
  'nat KUBE-EXT -m comment --comment "masquerade LOCAL traffic for default/web external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
  'nat KUBE-EXT -m comment --comment "route LOCAL traffic for default/web external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC',
];

t.test(
  'externalTrafficPolicy Local: the endpoints of the node, and the source stays',
  async (t) => {
    const spec = `{ ${IP}, type: NodePort, externalTrafficPolicy: Local, ports: [{ port: 80, nodePort: 30080 }] }`;
    t.strictSame(rules(service(spec, [HERE, THERE])), [
      `${AT_CLUSTER_IP} KUBE-SVC`,
      AT_NODE_PORT,
      ...EXT_LOCAL,
      'nat KUBE-EXT -j KUBE-SVL',
      ...SVC_BOTH,
      'nat KUBE-SVL -m comment --comment "default/web -> 10.0.1.50:8080" -j SEP:10.0.1.50',
      ...SEP_HERE,
      ...SEP_THERE,
    ]);
    t.strictSame(
      rules(service(spec, [THERE])),
      [
        `${AT_CLUSTER_IP} KUBE-SVC`,
        AT_NODE_PORT,
        'filter KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "default/web has no local endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j DROP',
        ...EXT_LOCAL,
        'nat KUBE-SVC -m comment --comment "default/web -> 10.0.2.50:8080" -j SEP:10.0.2.50',
        ...SEP_THERE,
      ],
      'without one, what comes from outside is dropped; from the node itself it goes on',
    );
  },
);

t.test('a load balancer with an address, source ranges and a health check', async (t) => {
  const spec = `{ ${IP}, type: LoadBalancer, allocateLoadBalancerNodePorts: false, externalTrafficPolicy: Local, healthCheckNodePort: 30333, loadBalancerSourceRanges: [198.51.100.0/24, " 10.0.1.0/24"], ports: [{ port: 80 }] }`;
  const status =
    'status: { loadBalancer: { ingress: [{ ip: 203.0.113.7 }, { hostname: nlb.example }, { ip: 203.0.113.8, ipMode: Proxy }] } }';
  t.strictSame(rules(service(spec, [HERE], status)), [
    `${AT_CLUSTER_IP} KUBE-SVC`,
    'nat KUBE-SERVICES -d 203.0.113.7/32 -p tcp -m comment --comment "default/web loadbalancer IP" -m tcp --dport 80 -j KUBE-FW',
    'filter KUBE-PROXY-FIREWALL -d 203.0.113.7/32 -p tcp -m comment --comment "default/web traffic not accepted by KUBE-FW" -m tcp --dport 80 -j DROP',
    'filter KUBE-NODEPORTS -p tcp -m comment --comment "default/web health check node port" -m tcp --dport 30333 -j ACCEPT',
    ...EXT_LOCAL,
    'nat KUBE-EXT -j KUBE-SVL',
    'nat KUBE-FW -s 198.51.100.0/24 -m comment --comment "default/web loadbalancer IP" -j KUBE-EXT',
    'nat KUBE-FW -s 10.0.1.0/24 -m comment --comment "default/web loadbalancer IP" -j KUBE-EXT',
    'nat KUBE-FW -s 203.0.113.7/32 -m comment --comment "default/web loadbalancer IP" -j KUBE-EXT',
    'nat KUBE-FW -m comment --comment "other traffic to default/web will be dropped by KUBE-PROXY-FIREWALL"',
    'nat KUBE-SVC -m comment --comment "default/web -> 10.0.1.50:8080" -j SEP:10.0.1.50',
    'nat KUBE-SVL -m comment --comment "default/web -> 10.0.1.50:8080" -j SEP:10.0.1.50',
    ...SEP_HERE,
  ]);
});

t.test('sessionAffinity: first who has been here before', async (t) => {
  const spec = `{ ${IP}, sessionAffinity: ClientIP, ports: [{ port: 80 }] }`;
  const recent = (address: string): string => `SEP:${address} --mask 255.255.255.255 --rsource`;
  t.strictSame(rules(service(spec, [HERE, THERE])), [
    `${AT_CLUSTER_IP} KUBE-SVC`,
    ...['10.0.1.50', '10.0.2.50'].map(
      (address) =>
        `nat KUBE-SVC -m comment --comment "default/web -> ${address}:8080" -m recent --rcheck --seconds 10800 --reap --name ${recent(address)} -j SEP:${address}`,
    ),
    ...SVC_BOTH,
    ...[SEP_HERE, SEP_THERE].flatMap((pair, index) =>
      pair.map((rule) =>
        rule.replace(
          '-m tcp -j DNAT',
          `-m recent --set --name ${recent(index === 0 ? '10.0.1.50' : '10.0.2.50')} -m tcp -j DNAT`,
        ),
      ),
    ),
  ]);
});

t.test('what is being deleted serves while nobody else does', async (t) => {
  const going =
    '{ addresses: [10.0.1.51], nodeName: node-1, conditions: { ready: false, serving: true, terminating: true } }';
  const deaf =
    '{ addresses: [10.0.1.52], nodeName: node-1, conditions: { ready: false, serving: false, terminating: true } }';
  const spec = `{ ${IP}, type: NodePort, externalTrafficPolicy: Local, ports: [{ port: 80, nodePort: 30080 }] }`;
  const targets = (endpoints: readonly string[]): Record<string, string[]> => {
    const lines = rules(service(spec, endpoints));
    const of = (chain: string): string[] =>
      lines
        .filter((line) => line.startsWith(`nat ${chain} `))
        .map((line) => line.replace(/.*SEP:/, ''));
    return { cluster: of('KUBE-SVC'), local: of('KUBE-SVL') };
  };
  t.strictSame(targets([going, deaf]), { cluster: ['10.0.1.51'], local: ['10.0.1.51'] });
  t.strictSame(targets([going, deaf, THERE]), { cluster: ['10.0.2.50'], local: ['10.0.1.51'] });
  t.strictSame(targets([going, HERE]), { cluster: ['10.0.1.50'], local: ['10.0.1.50'] });
});

t.test(
  'hints count where all endpoints have one and one is meant for this node or zone',
  async (t) => {
    const hinted = (address: string, ...zones: string[]): string =>
      `{ addresses: [${address}], hints: { forZones: [${zones.map((name) => `{ name: ${name} }`).join(', ')}] } }`;
    const spec = `{ ${IP}, ports: [{ port: 80 }] }`;
    const targets = (endpoints: readonly string[], node: Partial<ProxyNode> = {}): string[] =>
      rules(service(spec, endpoints), node)
        .filter((line) => line.startsWith('nat KUBE-SVC '))
        .map((line) => line.replace(/.*SEP:/, ''));
    const two = [hinted('10.0.1.50', 'az-1'), hinted('10.0.2.50', 'az-2')];
    t.strictSame(targets(two), ['10.0.1.50']);
    t.strictSame(targets(two, { zone: 'az-2' }), ['10.0.2.50']);
    t.strictSame(targets(two, { zone: 'az-3' }), ['10.0.1.50', '10.0.2.50'], 'nobody is meant');
    t.strictSame(targets([...two, HERE.replace('.50', '.60')]).length, 3, 'one has no hint');
    const nodes = ['node-1', 'node-2'].map(
      (name, index) =>
        `{ addresses: [10.0.${index + 1}.50], hints: { forNodes: [{ name: ${name} }] } }`,
    );
    t.strictSame(targets(nodes), ['10.0.1.50']);
  },
);

t.test('a large cluster has no comments where they are many', async (t) => {
  const one = service(`{ ${IP}, ports: [{ port: 80 }] }`, [HERE]);
  t.strictSame(rules(one, { isLargeCluster: true }), [
    `${AT_CLUSTER_IP} KUBE-SVC`,
    'nat KUBE-SVC -j SEP:10.0.1.50',
    'nat SEP:10.0.1.50 -s 10.0.1.50/32 -j KUBE-MARK-MASQ',
    'nat SEP:10.0.1.50 -p tcp -m tcp -j DNAT --to-destination 10.0.1.50:8080',
  ]);
});

t.test('several ports, one of UDP: each by its name', async (t) => {
  const diagnostics = new Diagnostics();
  const text = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ${IP}, ports: [{ name: http, port: 80 }, { name: dns, port: 53, protocol: UDP }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: web }
subsets: [{ addresses: [{ ip: 10.0.1.50 }], ports: [{ name: dns, port: 5353, protocol: UDP }] }]
`;
  const manifests = readManifests(readYaml('m.yaml', text, diagnostics), diagnostics);
  const needs = {
    own: [],
    serviceCidr: cidr('172.20.0.0/16'),
    pods: [],
    slices: manifests.slices,
    zoneOf: () => undefined,
  };
  const [one] = resolveServices(manifests.services, needs, diagnostics);
  if (one === undefined) throw new Error('a Service is there');
  t.strictSame(rules(one), [
    'filter KUBE-SERVICES -d 172.20.0.50/32 -p tcp -m comment --comment "default/web:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
    'nat KUBE-SERVICES -d 172.20.0.50/32 -p udp -m comment --comment "default/web:dns cluster IP" -m udp --dport 53 -j KUBE-SVC',
    'nat KUBE-SVC -m comment --comment "default/web:dns -> 10.0.1.50:5353" -j SEP:10.0.1.50',
    'nat SEP:10.0.1.50 -s 10.0.1.50/32 -m comment --comment "default/web:dns" -j KUBE-MARK-MASQ',
    'nat SEP:10.0.1.50 -p udp -m comment --comment "default/web:dns" -m udp -j DNAT --to-destination 10.0.1.50:5353',
  ]);
});

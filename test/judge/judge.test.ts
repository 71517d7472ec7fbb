import t from 'tap';
import { ask, cloudOf, pod, type Row, told } from './cloud.ts';

const PODS = [
  pod('a', ['8080']),
  pod('b', ['8080', '53/UDP']),
  pod('c', ['8080']),
  pod('second', ['8080']),
  pod('host', ['9100'], 'hostNetwork: true\n  nodeName: node-2'),
  pod('broken', ['8080', '53/UDP'], '', 'hoplab.io/fails: "true"'),
].join('');

const lab = ({ cni = '', privateRoute = 'nat/nat-1', publicTarget = 'igw' } = {}): string => `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private-1: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
      private-2: { cidr: 10.0.4.0/24, az: az-2, routeTable: private }
      isolated: { cidr: 10.0.5.0/24, az: az-1 }
    natGateways:
      nat-1: { subnet: public, address: 10.0.1.50, elasticIp: 203.0.113.50 }
      gone: { subnet: public, deleted: true }
    routeTables:
      public:
        routes:
          - { destination: 0.0.0.0/0, target: ${publicTarget} }
      private:
        routes:
          - { destination: 0.0.0.0/0, target: ${privateRoute} }
    instances:
      bastion: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10, ports: [22] }
      web: { subnet: public, address: 10.0.1.11, elasticIp: 203.0.113.11 }
      plain: { subnet: public, address: 10.0.1.12 }
      hidden: { subnet: isolated, address: 10.0.5.10, elasticIp: 203.0.113.15 }
cluster:
  vpc: main
  cni: { ${cni} }
  nodes:
    node-1:
      subnet: private-1
      address: 10.0.3.10
      interfaces: { eth1: { address: 10.0.3.11 } }
    node-2: { subnet: private-2, address: 10.0.4.10 }
  pins:
    pod/a: { node: node-1, address: 10.0.3.50 }
    pod/b: { node: node-1, address: 10.0.3.51 }
    pod/second: { node: node-1, address: 10.0.3.52, eni: eth1 }
    pod/c: { node: node-2, address: 10.0.4.50 }
    pod/broken: { node: node-2, address: 10.0.4.51 }
internet:
  example.com: { address: 198.51.100.10 }
  other.org: { address: 198.51.100.20, ports: [443] }
`;

const main = cloudOf(lab(), PODS);

const out = 'pod/a node/node-1';

function table(title: string, cloud: ReturnType<typeof cloudOf>, rows: readonly Row[]): void {
  void t.test(title, async (tt) => {
    for (const [from, request, outcome] of rows) {
      const judgement = ask(cloud, from, request);
      tt.equal(told(judgement), outcome, `${from}: ${request} (${judgement.because})`);
    }
  });
}

table('inside the VPC: local routes, pods and nodes', main, [
  ['pod/a', 'tcp 10.0.3.50:8080', 'allowed REACHABLE: pod/a'],
  ['pod/a', 'tcp 10.0.3.50:81', 'refused NOT_LISTENING: pod/a'],
  ['pod/a', 'icmp 10.0.3.50', 'allowed REACHABLE: pod/a'],
  ['pod/a', 'tcp 10.0.3.51:8080', `allowed REACHABLE: ${out} pod/b`],
  ['pod/a', 'udp 10.0.3.51:53', `allowed REACHABLE: ${out} pod/b`],
  ['pod/a', 'udp 10.0.3.51:8080', `refused NOT_LISTENING: ${out} pod/b`],
  ['pod/a', 'tcp 10.0.3.51:53', `refused NOT_LISTENING: ${out} pod/b`],
  ['pod/a', 'tcp 10.0.4.50:8080', `allowed REACHABLE: ${out} node/node-2 pod/c`],
  ['pod/a', 'tcp 10.0.4.50:8081', `refused NOT_LISTENING: ${out} node/node-2 pod/c`],
  ['pod/second', 'icmp 10.0.4.50', 'allowed REACHABLE: pod/second node/node-1 node/node-2 pod/c'],
  ['pod/a', 'icmp 10.0.3.10', `allowed REACHABLE: ${out}`],
  ['pod/a', 'icmp 10.0.3.11', `allowed REACHABLE: ${out}`],
  ['pod/c', 'icmp 10.0.3.11', 'allowed REACHABLE: pod/c node/node-2 node/node-1'],
  ['pod/a', 'tcp 10.0.4.10:9100', `allowed REACHABLE: ${out} node/node-2`],
  ['pod/a', 'tcp 10.0.3.10:9100', `refused NOT_LISTENING: ${out}`],
  ['node/node-1', 'icmp 10.0.3.50', 'allowed REACHABLE: node/node-1 pod/a'],
  ['node/node-1', 'icmp 10.0.4.50', 'allowed REACHABLE: node/node-1 node/node-2 pod/c'],
  ['pod/host', 'icmp 10.0.4.50', 'allowed REACHABLE: pod/host pod/c'],
  ['pod/host', 'icmp 10.0.3.50', 'allowed REACHABLE: pod/host node/node-1 pod/a'],
  ['pod/host', 'tcp 10.0.4.10:9100', 'allowed REACHABLE: pod/host'],
  ['pod/a', 'tcp 10.0.1.10:22', `allowed REACHABLE: ${out} instance/bastion`],
  ['pod/a', 'udp 10.0.1.10:22', `refused NOT_LISTENING: ${out} instance/bastion`],
  ['instance/bastion', 'tcp 10.0.1.12:80', 'allowed REACHABLE: instance/bastion instance/plain'],
  ['instance/hidden', 'icmp 10.0.3.50', 'allowed REACHABLE: instance/hidden node/node-1 pod/a'],
]);

table('addresses that nobody has answer nothing, the router and the reserved ones neither', main, [
  ['pod/a', 'icmp 10.0.4.99', `timeout ADDRESS_NOT_ASSIGNED: ${out}`],
  ['pod/a', 'icmp 10.0.3.1', `timeout ADDRESS_NOT_ASSIGNED: ${out}`],
  ['pod/a', 'icmp 10.0.3.2', `timeout ADDRESS_NOT_ASSIGNED: ${out}`],
  ['instance/bastion', 'icmp 10.0.99.1', 'timeout ADDRESS_NOT_ASSIGNED: instance/bastion'],
]);

table('outwards: NAT gateway, internet gateway, internet', main, [
  ['pod/a', 'tcp 198.51.100.10:80', `allowed REACHABLE: ${out} nat/nat-1 igw internet/example.com`],
  [
    'pod/a',
    'tcp 198.51.100.20:80',
    `refused NOT_LISTENING: ${out} nat/nat-1 igw internet/other.org`,
  ],
  [
    'pod/a',
    'udp 198.51.100.10:80',
    `refused NOT_LISTENING: ${out} nat/nat-1 igw internet/example.com`,
  ],
  [
    'node/node-1',
    'icmp 198.51.100.10',
    'allowed REACHABLE: node/node-1 nat/nat-1 igw internet/example.com',
  ],
  [
    'instance/bastion',
    'icmp 198.51.100.10',
    'allowed REACHABLE: instance/bastion igw internet/example.com',
  ],
  ['instance/plain', 'icmp 198.51.100.10', 'timeout IGW_NO_PUBLIC_ADDRESS: instance/plain igw'],
  ['instance/hidden', 'icmp 198.51.100.10', 'timeout NO_ROUTE_TO_DESTINATION: instance/hidden'],
  ['instance/bastion', 'icmp 192.168.1.1', 'timeout PRIVATE_DESTINATION: instance/bastion igw'],
  ['instance/bastion', 'icmp 198.51.100.99', 'timeout ADDRESS_NOT_ASSIGNED: instance/bastion igw'],
  ['pod/a', 'icmp 10.0.1.50', `timeout NAT_INBOUND: ${out} nat/nat-1`],
  ['instance/bastion', 'icmp 203.0.113.50', 'timeout NAT_INBOUND: instance/bastion igw nat/nat-1'],
]);

table('inwards, and back out at the same internet gateway', main, [
  [
    'internet/example.com',
    'tcp 203.0.113.10:22',
    'allowed REACHABLE: internet/example.com igw instance/bastion',
  ],
  [
    'internet/example.com',
    'tcp 203.0.113.10:23',
    'refused NOT_LISTENING: internet/example.com igw instance/bastion',
  ],
  [
    'internet/example.com',
    'icmp 203.0.113.50',
    'timeout NAT_INBOUND: internet/example.com igw nat/nat-1',
  ],
  [
    'internet/example.com',
    'icmp 203.0.113.15',
    'timeout NO_ROUTE_TO_DESTINATION: internet/example.com igw instance/hidden',
  ],
  ['internet/example.com', 'icmp 10.0.1.10', 'timeout PRIVATE_DESTINATION: internet/example.com'],
  [
    'internet/example.com',
    'icmp 203.0.113.99',
    'timeout ADDRESS_NOT_ASSIGNED: internet/example.com',
  ],
  [
    'internet/example.com',
    'tcp 198.51.100.20:443',
    'allowed REACHABLE: internet/example.com internet/other.org',
  ],
  ['internet/example.com', 'icmp 198.51.100.10', 'allowed REACHABLE: internet/example.com'],
  [
    'instance/bastion',
    'tcp 203.0.113.11:80',
    'allowed REACHABLE: instance/bastion igw instance/web',
  ],
  [
    'instance/bastion',
    'icmp 203.0.113.10',
    'allowed REACHABLE: instance/bastion igw instance/bastion',
  ],
  [
    'instance/bastion',
    'icmp 203.0.113.15',
    'timeout NO_ROUTE_TO_DESTINATION: instance/bastion igw instance/hidden',
  ],
  ['pod/a', 'tcp 203.0.113.11:80', `allowed REACHABLE: ${out} nat/nat-1 igw instance/web`],
  ['instance/plain', 'tcp 203.0.113.11:80', 'timeout IGW_NO_PUBLIC_ADDRESS: instance/plain igw'],
]);

table(
  'a route to what was deleted is a blackhole',
  cloudOf(lab({ privateRoute: 'nat/gone' }), PODS),
  [
    ['pod/a', 'icmp 198.51.100.10', `timeout ROUTE_BLACKHOLE: ${out}`],
    ['pod/a', 'icmp 10.0.4.50', `allowed REACHABLE: ${out} node/node-2 pod/c`],
  ],
);

table('a blackhole in the public table', cloudOf(lab({ publicTarget: 'blackhole' }), PODS), [
  ['pod/a', 'icmp 198.51.100.10', `timeout ROUTE_BLACKHOLE: ${out} nat/nat-1`],
  [
    'internet/example.com',
    'icmp 203.0.113.10',
    'timeout ROUTE_BLACKHOLE: internet/example.com igw instance/bastion',
  ],
]);

table(
  'a pod behind an internet gateway has no public address',
  cloudOf(lab({ privateRoute: 'igw' }), PODS),
  [['pod/a', 'icmp 198.51.100.10', `timeout IGW_NO_PUBLIC_ADDRESS: ${out} igw`]],
);

table(
  'a NAT gateway knows no connection that a reply by another way belongs to',
  cloudOf(lab({ publicTarget: 'nat/nat-1' }), PODS),
  [
    [
      'internet/example.com',
      'icmp 203.0.113.10',
      'timeout NAT_NO_CONNECTION: internet/example.com igw instance/bastion',
    ],
    ['pod/a', 'icmp 198.51.100.10', `timeout ROUTING_LOOP: ${out} nat/nat-1`],
  ],
);

void t.test('the source that the receiver sees, and the TTL of the reply', async (tt) => {
  const rows = [
    ['pod/a', 'icmp 10.0.3.50', '10.0.3.50', 64],
    ['pod/a', 'icmp 10.0.3.51', '10.0.3.50', 63],
    ['pod/a', 'icmp 10.0.3.10', '10.0.3.50', 64],
    ['pod/a', 'icmp 10.0.4.50', '10.0.3.50', 62],
    ['pod/a', 'icmp 10.0.1.10', '10.0.3.50', 63],
    ['node/node-1', 'icmp 10.0.4.50', '10.0.3.10', 63],
    ['pod/a', 'icmp 198.51.100.10', '203.0.113.50', 61],
    ['node/node-1', 'icmp 198.51.100.10', '203.0.113.50', 62],
    ['instance/bastion', 'icmp 198.51.100.10', '203.0.113.10', 63],
    ['instance/bastion', 'icmp 203.0.113.11', '203.0.113.10', 64],
    ['internet/example.com', 'icmp 203.0.113.10', '198.51.100.10', 63],
    ['internet/example.com', 'icmp 198.51.100.20', '198.51.100.10', 63],
    ['internet/example.com', 'icmp 203.0.113.15', '198.51.100.10', undefined],
    ['pod/a', 'icmp 10.0.4.99', undefined, undefined],
  ] as const;
  for (const [from, request, source, ttl] of rows) {
    const { sourceSeen, ttlOfReply } = ask(main, from, request);
    tt.strictSame([sourceSeen, ttlOfReply], [source, ttl], `${from}: ${request}`);
  }
});

void t.test(
  'SNAT of the VPC CNI: outside the VPC, unless excluded or left to others',
  async (tt) => {
    // With a private NAT gateway's address in between, what the node did would not show: so ask the sentence.
    const clause = /node\/node-1 puts its primary address 10\.0\.3\.10 in the place of the pod's/;
    const because = (cni: string, request: string, from = 'pod/a'): string =>
      ask(cloudOf(lab({ cni }), PODS), from, request).because;
    tt.match(because('', 'icmp 198.51.100.10'), clause);
    tt.match(because('', 'icmp 198.51.100.10', 'pod/second'), clause);
    tt.notMatch(because('', 'icmp 10.0.4.50'), clause);
    tt.notMatch(because('AWS_VPC_K8S_CNI_EXTERNALSNAT: true', 'icmp 198.51.100.10'), clause);
    const excluded = 'AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "198.51.100.0/28"';
    tt.notMatch(because(excluded, 'icmp 198.51.100.10'), clause);
    tt.match(because(excluded, 'icmp 198.51.100.20'), clause);
    const external = cloudOf(lab({ cni: 'AWS_VPC_K8S_CNI_EXTERNALSNAT: true' }), PODS);
    const { verdict, sourceSeen, ttlOfReply } = ask(external, 'pod/second', 'icmp 198.51.100.10');
    tt.strictSame([verdict, sourceSeen, ttlOfReply], ['allowed', '203.0.113.50', 61]);
  },
);

void t.test(
  'a node with an Elastic IP speaks for its pods, until SNAT is left to others',
  async (tt) => {
    const text = (cni: string): string => `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: gate
    subnets: { public: { cidr: 10.0.1.0/24, az: az-1 } }
    routeTables: { main: { main: true, routes: [{ destination: 0.0.0.0/0, target: igw }] } }
cluster:
  vpc: main
  cni: { AWS_VPC_K8S_CNI_EXTERNALSNAT: ${cni} }
  nodes: { n: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10 } }
  pins: { pod/a: { address: 10.0.1.50, eni: eth1 } }
internet: { example.com: { address: 198.51.100.10 } }
`;
    const judgement = ask(cloudOf(text('false'), pod('a', [])), 'pod/a', 'tcp 198.51.100.10:80');
    tt.equal(told(judgement), 'allowed REACHABLE: pod/a node/n igw/gate internet/example.com');
    tt.equal(judgement.sourceSeen, '203.0.113.10');
    tt.equal(
      told(ask(cloudOf(text('true'), pod('a', [])), 'pod/a', 'tcp 198.51.100.10:80')),
      'timeout IGW_NO_PUBLIC_ADDRESS: pod/a node/n igw/gate',
    );
  },
);

void t.test('servers that fail, and who answers', async (tt) => {
  const verdict = (request: string, http: boolean): string =>
    ask(main, 'pod/a', request, { http }).verdict;
  tt.equal(verdict('tcp 10.0.4.51:8080', true), 'reset');
  tt.equal(verdict('tcp 10.0.4.51:8080', false), 'allowed', 'the connection itself is opened');
  tt.equal(verdict('udp 10.0.4.51:53', false), 'timeout');
  tt.equal(verdict('tcp 10.0.4.50:8080', true), 'allowed');
  tt.equal(ask(main, 'pod/a', 'tcp 10.0.4.10:9100').answeredBy, 'pod/host');
  tt.equal(ask(main, 'pod/a', 'icmp 10.0.4.10').answeredBy, 'node/node-2');
  tt.equal(ask(main, 'pod/a', 'icmp 10.0.4.99').answeredBy, undefined);
});

void t.test('one sentence says what decided, and names the line', async (tt) => {
  const because = (from: string, request: string): string => ask(main, from, request).because;
  tt.equal(
    because('instance/hidden', 'icmp 198.51.100.10'),
    'route table "main" of subnet "isolated" has no route to 198.51.100.10 (lab.yaml:3)',
  );
  tt.equal(
    because('internet/example.com', 'icmp 203.0.113.15'),
    'the reply of instance/hidden to 198.51.100.10 is lost: route table "main" of subnet "isolated" has no route to 198.51.100.10 (lab.yaml:3)',
  );
  tt.equal(
    because('instance/bastion', 'icmp 198.51.100.10'),
    'instance/bastion reaches internet/example.com: route table "public" of subnet "public" sends 0.0.0.0/0 to igw, igw maps 10.0.1.10 to 203.0.113.10 (lab.yaml:17)',
  );
  tt.equal(
    because('pod/a', 'icmp 10.0.3.1'),
    '10.0.3.1 is the VPC router\'s in subnet "private-1", and answers nothing',
  );
  tt.strictSame(ask(main, 'instance/bastion', 'icmp 198.51.100.10').at?.line, 17);
});

void t.test('the DNS server takes connections on its port, from inside', async (tt) => {
  const rows: Row[] = [
    ['pod/a', 'tcp 10.0.0.2:53', 'allowed REACHABLE: pod/a node/node-1'],
    ['pod/second', 'tcp 169.254.169.253:53', 'allowed REACHABLE: pod/second node/node-1'],
    ['instance/hidden', 'tcp 169.254.169.253:53', 'allowed REACHABLE: instance/hidden'],
    ['instance/hidden', 'tcp 169.254.169.253:80', 'timeout NOT_LISTENING: instance/hidden'],
    ['instance/hidden', 'icmp 10.0.0.2', 'timeout NOT_LISTENING: instance/hidden'],
    [
      'internet/example.com',
      'tcp 10.0.0.2:53',
      'timeout PRIVATE_DESTINATION: internet/example.com',
    ],
  ];
  for (const [from, request, outcome] of rows) {
    tt.equal(told(ask(main, from, request)), outcome, `${from} ${request}`);
  }
  const off = cloudOf(
    lab().replace('internetGateway', 'enableDnsSupport: false\n    internetGateway'),
    PODS,
  );
  const hidden = (request: string, byName: boolean): string =>
    told(ask(off, 'instance/hidden', request, { byName }));
  tt.equal(hidden('tcp 10.0.0.2:53', false), 'timeout ADDRESS_NOT_ASSIGNED: instance/hidden');
  tt.equal(hidden('tcp 10.0.1.11:80', false), 'allowed REACHABLE: instance/hidden instance/web');
  tt.equal(hidden('tcp 10.0.1.11:80', true), 'timeout NO_DNS: instance/hidden');
});

void t.test('what sends nothing asks nothing', async (tt) => {
  tt.throws(() => ask(main, 'igw', 'icmp 10.0.3.50'), { message: 'igw sends nothing' });
  tt.throws(() => ask(main, 'vpc/main', 'icmp 10.0.3.50'), { message: 'vpc/main sends nothing' });
  tt.throws(() => ask(main, 'nat/nat-1', 'icmp 10.0.3.50'), {
    message: 'nat/nat-1 sends nothing of its own',
  });
});

import t from 'tap';
import { ask, cloudOf, pod, told } from './cloud.ts';

const PODS = [pod('a', []), pod('b', []), pod('c', [])].join('');

const lab = (mtu: number): string => `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
    natGateways: { nat-1: { subnet: public, elasticIp: 203.0.113.50 } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat-1 }] }
    instances:
      web: { subnet: public, address: 10.0.1.11, elasticIp: 203.0.113.11 }
      other: { subnet: public, address: 10.0.1.12, elasticIp: 203.0.113.12 }
      plain: { subnet: public, address: 10.0.1.13 }
cluster:
  vpc: main
  cni: { AWS_VPC_ENI_MTU: ${mtu} }
  nodes:
    node-1: { subnet: private, address: 10.0.3.10 }
    node-2: { subnet: private, address: 10.0.3.11 }
  pins:
    pod/a: { node: node-1, address: 10.0.3.50 }
    pod/b: { node: node-1, address: 10.0.3.51 }
    pod/c: { node: node-2, address: 10.0.3.52 }
internet:
  example.com: { address: 198.51.100.10 }
`;

const jumbo = cloudOf(lab(9001), PODS);
const small = cloudOf(lab(1400), PODS);

const out = 'pod/a node/node-1';

void t.test('what must not be cut: 9001 bytes inside the VPC, 1500 beyond it', async (tt) => {
  const rows = [
    [jumbo, 'pod/a', '10.0.3.52', 9001, `allowed REACHABLE: ${out} node/node-2 pod/c`],
    [jumbo, 'pod/a', '10.0.3.52', 9002, 'too-big PACKET_TOO_BIG: pod/a'],
    [jumbo, 'node/node-1', '10.0.3.11', 9002, 'too-big PACKET_TOO_BIG: node/node-1'],
    [jumbo, 'instance/web', '10.0.1.12', 9002, 'too-big PACKET_TOO_BIG: instance/web'],
    [
      jumbo,
      'pod/a',
      '198.51.100.10',
      1500,
      `allowed REACHABLE: ${out} nat/nat-1 igw internet/example.com`,
    ],
    [jumbo, 'pod/a', '198.51.100.10', 1501, `too-big PACKET_TOO_BIG: ${out} nat/nat-1`],
    [jumbo, 'instance/web', '198.51.100.10', 1501, 'too-big PACKET_TOO_BIG: instance/web'],
    // It turns around at the gateway, and comes by the small cable all the same.
    [jumbo, 'instance/web', '203.0.113.12', 1501, 'too-big PACKET_TOO_BIG: instance/web'],
    [
      jumbo,
      'instance/web',
      '203.0.113.12',
      1500,
      'allowed REACHABLE: instance/web igw instance/other',
    ],
    // The router says so before the gateway looks for a public address.
    [jumbo, 'instance/plain', '198.51.100.10', 1501, 'too-big PACKET_TOO_BIG: instance/plain'],
    [
      jumbo,
      'internet/example.com',
      '203.0.113.11',
      1501,
      'too-big PACKET_TOO_BIG: internet/example.com',
    ],
    [
      jumbo,
      'internet/example.com',
      '203.0.113.11',
      1500,
      'allowed REACHABLE: internet/example.com igw instance/web',
    ],
    // A pod's link is as large as AWS_VPC_ENI_MTU says.
    [small, 'pod/a', '10.0.3.51', 1400, `allowed REACHABLE: ${out} pod/b`],
    [small, 'pod/a', '10.0.3.51', 1401, 'too-big PACKET_TOO_BIG: pod/a'],
    [small, 'node/node-1', '10.0.3.51', 1401, 'too-big PACKET_TOO_BIG: node/node-1'],
    [small, 'node/node-1', '10.0.3.52', 1401, 'too-big PACKET_TOO_BIG: node/node-1 node/node-2'],
  ] as const;
  for (const [cloud, from, address, sizeBytes, outcome] of rows) {
    const judgement = ask(cloud, from, `icmp ${address}`, { sizeBytes, dontFragment: true });
    tt.equal(told(judgement), outcome, `${from}: ${address}, ${sizeBytes} (${judgement.because})`);
  }
});

void t.test('cut by the sender: passes, but a NAT gateway takes UDP alone', async (tt) => {
  const rows = [
    ['pod/a', 'icmp 10.0.3.52', 20_000, `allowed REACHABLE: ${out} node/node-2 pod/c`],
    [
      'instance/web',
      'icmp 198.51.100.10',
      20_000,
      'allowed REACHABLE: instance/web igw internet/example.com',
    ],
    ['pod/a', 'icmp 198.51.100.10', 20_000, `timeout NAT_FRAGMENTS: ${out} nat/nat-1`],
    [
      'pod/a',
      'udp 198.51.100.10:80',
      20_000,
      `refused NOT_LISTENING: ${out} nat/nat-1 igw internet/example.com`,
    ],
    // Linux lets nobody cut what fits its own link.
    ['instance/web', 'icmp 198.51.100.10', 3000, 'too-big PACKET_TOO_BIG: instance/web'],
    ['pod/a', 'icmp 198.51.100.10', 3000, `too-big PACKET_TOO_BIG: ${out} nat/nat-1`],
  ] as const;
  for (const [from, request, sizeBytes, outcome] of rows) {
    const judgement = ask(jumbo, from, request, { sizeBytes });
    tt.equal(told(judgement), outcome, `${from}: ${request}, ${sizeBytes} (${judgement.because})`);
  }
});

void t.test('the sentence names the link', async (tt) => {
  tt.equal(
    ask(jumbo, 'pod/a', 'icmp 198.51.100.10', { sizeBytes: 1501, dontFragment: true }).because,
    'a packet of 1501 bytes that must not be cut does not fit the way by igw, whose MTU is 1500',
  );
});

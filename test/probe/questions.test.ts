import t from 'tap';

import { findThing } from '../../src/cloud.ts';
import { type MatrixFilter, matrixQuestions } from '../../src/probe/questions.ts';
import { cloudOf, pod } from '../judge/cloud.ts';

const CLOUD = cloudOf(
  `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets: { one: { cidr: 10.0.1.0/24, az: az-1 } }
    natGateways: { nat-1: { subnet: one } }
    instances:
      a:
        subnet: one
        address: 10.0.1.10
        elasticIp: 203.0.113.10
        ports: [80, 9999]
        interfaces: [{ subnet: one, address: 10.0.1.11 }]
cluster:
  vpc: main
  nodes: { node-1: { subnet: one, address: 10.0.1.20 } }
  pins: { pod/web: { address: 10.0.1.30 } }
internet:
  example.com: { address: 198.51.100.10, ports: [443] }
`,
  pod('web', ['8080', '53/UDP'], '', 'hoplab.io/delay: 50ms') +
    pod('agent', ['61678'], 'hostNetwork: true'),
);

/** `to: what, what` for each sender and address. */
function asked(filter: MatrixFilter = {}): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { from, to, address, protocol, port } of matrixQuestions(CLOUD, filter)) {
    const key = `${from.reference} > ${to.reference} ${address}`;
    const what = protocol === 'icmp' ? 'ping' : `${protocol} ${port}`;
    found[key] = found[key] === undefined ? what : `${found[key]}, ${what}`;
  }
  return found;
}

t.test('everybody asks all that anybody declares, a ping and a closed port', async (t) => {
  const instance = 'ping, tcp 80, tcp 9999, tcp 9998';
  const node = 'ping, tcp 61678, tcp 9999';
  const web = 'ping, tcp 8080, udp 53, tcp 9999';
  const host = 'ping, tcp 443, tcp 9999';
  const addresses = ['10.0.1.10', '10.0.1.11', '203.0.113.10'];
  const toInstance = (from: string): Record<string, string> =>
    Object.fromEntries(addresses.map((one) => [`${from} > instance/a ${one}`, instance]));
  t.strictSame(asked(), {
    'instance/a > node/node-1 10.0.1.20': node,
    'instance/a > internet/example.com 198.51.100.10': host,
    'instance/a > pod/web 10.0.1.30': web,
    ...toInstance('node/node-1'),
    'node/node-1 > internet/example.com 198.51.100.10': host,
    'node/node-1 > pod/web 10.0.1.30': web,
    ...toInstance('internet/example.com'),
    'internet/example.com > node/node-1 10.0.1.20': node,
    'internet/example.com > pod/web 10.0.1.30': web,
    ...toInstance('pod/web'),
    'pod/web > node/node-1 10.0.1.20': node,
    'pod/web > internet/example.com 198.51.100.10': host,
  });
});

t.test('a filter narrows it down; a port is asked of everybody', async (t) => {
  const from = findThing(CLOUD, 'pod/web');
  const to = findThing(CLOUD, 'pod/agent');
  t.strictSame(
    asked({ from, to }),
    { 'pod/web > node/node-1 10.0.1.20': 'ping, tcp 61678, tcp 9999' },
    'a pod on the network of its node is its node',
  );
  t.strictSame(asked({ from: to, port: 53 }), {
    'node/node-1 > instance/a 10.0.1.10': 'tcp 53',
    'node/node-1 > instance/a 10.0.1.11': 'tcp 53',
    'node/node-1 > instance/a 203.0.113.10': 'tcp 53',
    'node/node-1 > internet/example.com 198.51.100.10': 'tcp 53',
    'node/node-1 > pod/web 10.0.1.30': 'udp 53',
  });
});

t.test('a slow server gets its time', async (t) => {
  const delays = matrixQuestions(CLOUD, { to: findThing(CLOUD, 'pod/web'), port: 53 });
  t.strictSame([...new Set(delays.map(({ delayMs }) => delayMs))], [50]);
});

import t from 'tap';
import { OPEN_GROUPS } from '../support/with-lab.ts';
import { ask, cloudOf, pod, type Row, told } from './cloud.ts';

const appliances = cloudOf(`
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      app: { cidr: 10.0.1.0/24, az: az-1, routeTable: app }
      db: { cidr: 10.0.2.0/24, az: az-1 }
      cache: { cidr: 10.0.3.0/24, az: az-1 }
      edge: { cidr: 10.0.9.0/24, az: az-1, routeTable: edge }
    routeTables:
      app:
        routes:
          - { destination: 10.0.2.0/24, target: instance/firewall }
          - { destination: 10.0.3.0/24, target: instance/half }
          - { destination: 0.0.0.0/0, target: instance/firewall }
          - { destination: 192.0.2.0/24, target: instance/strict }
      edge:
        routes:
          - { destination: 0.0.0.0/0, target: igw }
          - { destination: 192.0.2.0/24, target: instance/firewall }
    instances:
      client: { subnet: app, address: 10.0.1.10 }
      public: { subnet: app, address: 10.0.1.11, elasticIp: 203.0.113.11 }
      two:
        subnet: app
        address: 10.0.1.20
        interfaces: [{ subnet: db, address: 10.0.2.20 }]
      database: { subnet: db, address: 10.0.2.10, ports: [5432] }
      memory: { subnet: cache, address: 10.0.3.10 }
      firewall: { subnet: edge, address: 10.0.9.10, sourceDestCheck: false }
      strict: { subnet: edge, address: 10.0.9.11 }
      half:
        subnet: edge
        address: 10.0.9.12
        sourceDestCheck: false
        interfaces: [{ subnet: cache, address: 10.0.3.12 }]
internet: { example.com: { address: 198.51.100.10 } }
`);

const ROWS: readonly (readonly [...Row, source: string | undefined, ttl: number | undefined])[] = [
  // A subnet's own route is more specific than "local"; the reply goes straight home.
  [
    'instance/client',
    'tcp 10.0.2.10:5432',
    'allowed REACHABLE: instance/client instance/firewall instance/database',
    '10.0.1.10',
    64,
  ],
  [
    'instance/database',
    'tcp 10.0.1.10:80',
    'allowed REACHABLE: instance/database instance/client',
    '10.0.2.10',
    63,
  ],
  [
    'instance/client',
    'icmp 10.0.9.10',
    'allowed REACHABLE: instance/client instance/firewall',
    '10.0.1.10',
    64,
  ],
  // It forwards and translates nothing: the gateway asks for the sender's own public address.
  [
    'instance/public',
    'icmp 198.51.100.10',
    'allowed REACHABLE: instance/public instance/firewall igw internet/example.com',
    '203.0.113.11',
    63,
  ],
  [
    'instance/client',
    'icmp 198.51.100.10',
    'timeout IGW_NO_PUBLIC_ADDRESS: instance/client instance/firewall igw',
    undefined,
    undefined,
  ],
  [
    'internet/example.com',
    'icmp 203.0.113.11',
    'allowed REACHABLE: internet/example.com igw instance/public',
    '198.51.100.10',
    62,
  ],
  // The source/destination check: at the one that is handed what is not its own, and at the card it leaves by.
  [
    'instance/client',
    'icmp 192.0.2.1',
    'timeout SOURCE_DEST_CHECK: instance/client',
    undefined,
    undefined,
  ],
  [
    'instance/client',
    'icmp 10.0.3.10',
    'timeout SOURCE_DEST_CHECK: instance/client instance/half',
    undefined,
    undefined,
  ],
  [
    'instance/firewall',
    'icmp 192.0.2.1',
    'timeout ROUTING_LOOP: instance/firewall',
    undefined,
    undefined,
  ],
  // It drops what bears its own address; another sender hears that the time to live is used up.
  [
    'instance/strict',
    'icmp 192.0.2.1',
    'unreachable TTL_EXCEEDED: instance/strict instance/firewall',
    undefined,
    undefined,
  ],
  // Two cards: a packet leaves by the one in the receiver's subnet, and bears its address.
  [
    'instance/two',
    'icmp 10.0.2.10',
    'allowed REACHABLE: instance/two instance/database',
    '10.0.2.20',
    64,
  ],
  [
    'instance/two',
    'icmp 10.0.1.10',
    'allowed REACHABLE: instance/two instance/client',
    '10.0.1.20',
    64,
  ],
  ['instance/two', 'icmp 10.0.2.20', 'allowed REACHABLE: instance/two', '10.0.2.20', 64],
  [
    'instance/database',
    'icmp 10.0.2.20',
    'allowed REACHABLE: instance/database instance/two',
    '10.0.2.10',
    64,
  ],
  [
    'instance/memory',
    'icmp 10.0.2.20',
    'allowed REACHABLE: instance/memory instance/two',
    '10.0.3.10',
    64,
  ],
  // Asked by its first address, it answers by the second card, which may not say so.
  [
    'instance/database',
    'icmp 10.0.1.20',
    'timeout SOURCE_DEST_CHECK: instance/database instance/two',
    '10.0.2.10',
    undefined,
  ],
];

void t.test('appliances, the source/destination check, and instances of two cards', async (tt) => {
  for (const [from, request, outcome, source, ttl] of ROWS) {
    const judgement = ask(appliances, from, request);
    tt.strictSame(
      [told(judgement), judgement.sourceSeen, judgement.ttlOfReply],
      [outcome, source, ttl],
      `${from}: ${request} (${judgement.because})`,
    );
  }
});

void t.test('the check says which card, and what for', async (tt) => {
  tt.match(
    ask(appliances, 'instance/client', 'icmp 192.0.2.1').because,
    /^instance\/strict is handed a packet for 192\.0\.2\.1, which is not its own/,
  );
  tt.match(
    ask(appliances, 'instance/client', 'icmp 10.0.3.10').because,
    /^instance\/half:eth1 sends with the source 10\.0\.1\.10, which is not its own/,
  );
});

void t.test('a NAT gateway before a subnet of the same VPC', async (tt) => {
  const cloud = cloudOf(`
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      app: { cidr: 10.0.1.0/24, az: az-1, routeTable: app }
      db: { cidr: 10.0.2.0/24, az: az-1 }
    natGateways: { nat: { subnet: db, address: 10.0.2.50, connectivity: private } }
    routeTables: { app: { routes: [{ destination: 10.0.2.0/24, target: nat/nat }] } }
    instances:
      client: { subnet: app, address: 10.0.1.10 }
      database: { subnet: db, address: 10.0.2.10 }
`);
  const there = ask(cloud, 'instance/client', 'icmp 10.0.2.10');
  tt.equal(told(there), 'allowed REACHABLE: instance/client nat instance/database');
  tt.strictSame([there.sourceSeen, there.ttlOfReply], ['10.0.2.50', 63]);
  const back = ask(cloud, 'instance/database', 'icmp 10.0.1.10');
  tt.equal(told(back), 'timeout NAT_NO_CONNECTION: instance/database instance/client');
  tt.equal(
    ask(cloud, 'instance/database', 'icmp 10.0.2.50').because,
    'nat lets nobody open a connection inwards: 10.0.2.50 takes replies alone (lab.yaml:8)',
  );
});

void t.test('from VPC to VPC there is the internet alone', async (tt) => {
  const vpc = (name: string, block: string, gateway: string): string => `
  ${name}:
    cidr: ${block}.0.0/16
    ${gateway}
    subnets: { ${name}: { cidr: ${block}.1.0/24, az: az-1 } }
    routeTables: { main: { main: true, routes: [${gateway === '' ? '' : '{ destination: 0.0.0.0/0, target: igw }'}] } }
    instances: { in-${name}: { subnet: ${name}, address: ${block}.1.10, elasticIp: 203.0.113.${block.slice(3)} } }
`;
  const cloud = cloudOf(`
vpcs:
${vpc('one', '10.1', 'internetGateway: gate-one')}
${vpc('two', '10.2', 'internetGateway: gate-two')}
${vpc('three', '10.3', '')}
`);
  const there = ask(cloud, 'instance/in-one', 'tcp 203.0.113.2:80');
  tt.equal(
    told(there),
    'allowed REACHABLE: instance/in-one igw/gate-one igw/gate-two instance/in-two',
  );
  tt.strictSame([there.sourceSeen, there.ttlOfReply], ['203.0.113.1', 63]);
  tt.equal(
    told(ask(cloud, 'instance/in-one', 'icmp 10.2.1.10')),
    'timeout PRIVATE_DESTINATION: instance/in-one igw/gate-one',
  );
  tt.equal(
    told(ask(cloud, 'instance/in-one', 'icmp 203.0.113.3')),
    'timeout ADDRESS_NOT_ASSIGNED: instance/in-one igw/gate-one',
    'an Elastic IP without an internet gateway is behind nothing',
  );
});

t.test('what ends in a circle is told of, unless that ends in the same circle', async (t) => {
  const lab = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      circle: { cidr: 10.0.1.0/24, az: az-1, routeTable: circle, networkAcl: open }
      other: { cidr: 10.0.2.0/24, az: az-1, routeTable: circle, networkAcl: open }
    networkAcls:
      open: { ingress: { 100: { action: allow } }, egress: { 100: { action: allow } } }
      deaf:
        ingress: { 90: { action: deny, protocol: icmp, icmpType: 11 }, 100: { action: allow } }
        egress: { 100: { action: allow } }
    routeTables: { circle: { routes: [{ destination: 10.0.1.0/24, target: instance/firewall }] } }
    instances:
      firewall: { subnet: circle, address: 10.0.1.5, sourceDestCheck: false }
      inside: { subnet: circle, address: 10.0.1.10 }
      outside: { subnet: other, address: 10.0.2.10 }
cluster:
  vpc: main
  nodes: { node-1: { subnet: other, address: 10.0.2.20 } }
`;
  const cloud = cloudOf(lab, pod('a', ['80']));
  const asked = (one: typeof cloud, from: string): string[] => {
    const judgement = ask(one, from, 'tcp 10.0.1.77:80');
    return [told(judgement), judgement.replyPath.join(' ')];
  };
  t.strictSame(asked(cloud, 'instance/outside'), [
    'unreachable TTL_EXCEEDED: instance/outside instance/firewall',
    'instance/firewall instance/outside',
  ]);
  t.strictSame(asked(cloud, 'instance/inside'), [
    'timeout TTL_EXCEEDED: instance/inside instance/firewall',
    'instance/firewall',
  ]);
  t.match(
    ask(cloud, 'instance/inside', 'icmp 10.0.1.77').because,
    /in a circle, and what instance\/firewall says of it is lost: a route leads what .* back to /,
  );
  t.strictSame(asked(cloud, 'pod/a'), [
    'unreachable TTL_EXCEEDED: pod/a node/node-1 instance/firewall',
    'instance/firewall node/node-1 pod/a',
  ]);
  const deaf = lab.replace(
    'routeTable: circle, networkAcl: open }\n    network',
    'routeTable: circle, networkAcl: deaf }\n    network',
  );
  t.strictSame(asked(cloudOf(deaf), 'instance/outside'), [
    'timeout TTL_EXCEEDED: instance/outside instance/firewall',
    'instance/firewall',
  ]);
});

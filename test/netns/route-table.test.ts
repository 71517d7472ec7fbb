/** Routing in a VPC by its route tables, on the real kernel (fidelity rows RT-01 to RT-05). */

import t from 'tap';

import { edit, pods, refusals, withLab, OPEN_GROUPS } from '../support/with-lab.ts';

// Most of the time is waiting for what does not come.
t.jobs = 4;

const INSTANCES = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      other: { cidr: 10.0.2.0/24, az: az-2 }
    internetGateway: igw
    routeTables:
      main: { main: true, routes: [] }
      public:
        routes:
          - { destination: 0.0.0.0/0, target: igw }
          - { destination: 198.51.100.0/25, target: blackhole }
    instances:
      a: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10 }
      b: { subnet: other, address: 10.0.2.10, elasticIp: 203.0.113.20 }
internet:
  low: { address: 198.51.100.10 }
  high: { address: 198.51.100.200 }
`;

t.test('RT-01 the longest prefix wins, and an unassociated subnet follows main', async (t) => {
  await withLab(t, { lab: INSTANCES }, async (lab) => {
    const ask = async (): Promise<Record<string, string>> =>
      lab.curl({
        'a to .10': ['instance/a', '198.51.100.10'],
        'a to .200': ['instance/a', '198.51.100.200'],
        'b to .200': ['instance/b', '198.51.100.200'],
        'a to b': ['instance/a', '10.0.2.10'],
      });
    t.strictSame(await ask(), {
      'a to .10': 'exit 28',
      'a to .200': 'client 203.0.113.10',
      // The main table has no route but local.
      'b to .200': 'exit 28',
      'a to b': 'client 10.0.1.10',
    });
    const without = edit(
      INSTANCES,
      '          - { destination: 198.51.100.0/25, target: blackhole }\n',
      '',
    );
    t.equal(await lab.change(without), 1, 'one route is one step');
    t.match(await ask(), {
      'a to .10': 'client 203.0.113.10',
      'a to .200': 'client 203.0.113.10',
      'b to .200': 'exit 28',
    });
    // The association goes: the subnet follows the main table at once.
    await lab.change(edit(without, ', routeTable: public', ''));
    t.match(await ask(), { 'a to .10': 'exit 28', 'a to b': 'client 10.0.1.10' });
    // And the main table's route serves both.
    const main = edit(
      edit(without, ', routeTable: public', ''),
      'routes: []',
      'routes: [{ destination: 0.0.0.0/0, target: igw }]',
    );
    await lab.change(main);
    t.match(await ask(), { 'a to .10': 'client 203.0.113.10', 'b to .200': 'client 203.0.113.20' });
  });
});

const LOCAL_ONLY = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      one: { cidr: 10.0.3.0/24, az: az-1 }
      two: { cidr: 10.0.4.0/24, az: az-2 }
    internetGateway: igw
    routeTables: { rtb: { main: true, routes: [] } }
cluster:
  vpc: main
  nodes: { node-1: { subnet: one }, node-2: { subnet: two } }
  pins:
    pod/a: { node: node-1, address: 10.0.3.50 }
    pod/b: { node: node-2, address: 10.0.4.50 }
`;

t.test('RT-02 a table with nothing but local connects subnets across zones', async (t) => {
  await withLab(t, { lab: LOCAL_ONLY, manifests: pods(['a', 'b']) }, async (lab) => {
    t.strictSame(
      await lab.curl({
        'a to b': ['pod/a', '10.0.4.50:8080'],
        'b to a': ['pod/b', '10.0.3.50:8080'],
        'an address that nobody has': ['pod/a', '10.0.4.51:8080'],
        'a port that nobody serves': ['pod/a', '10.0.4.50:8081'],
      }),
      {
        'a to b': 'client 10.0.3.50',
        'b to a': 'client 10.0.4.50',
        'an address that nobody has': 'exit 28',
        'a port that nobody serves': 'exit 7',
      },
    );
    const routed = (destination: string, target: string): string =>
      edit(
        LOCAL_ONLY,
        'routes: []',
        `routes: [{ destination: ${destination}, target: ${target} }]`,
      );
    const refused = (destination: string): string[] =>
      refusals(routed(destination, 'igw'), pods(['a', 'b']));
    t.match(refused('10.0.3.7/32'), [
      /^route-destination: 10\.0\.3\.7\/32 .* not the whole of a subnet/,
    ]);
    t.match(refused('10.0.3.0/24'), [/^route-destination: .* leads to the internet gateway/]);
    t.match(refused('10.0.0.0/16'), [/^route-destination: .* the VPC's own block/]);
    t.strictSame(refused('0.0.0.0/0'), []);
    t.strictSame(refusals(routed('10.0.3.0/24', 'node/node-2'), pods(['a', 'b'])), []);
  });
});

const TWO_NATS = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
      isolated: { cidr: 10.0.5.0/24, az: az-1, routeTable: isolated }
    internetGateway: igw
    natGateways:
      nat-1: { subnet: public, elasticIp: 203.0.113.51 }
      nat-2: { subnet: public, elasticIp: 203.0.113.52 }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private:
        routes:
          - { destination: 198.51.100.0/25, target: nat/nat-1 }
          - { destination: 0.0.0.0/0, target: nat/nat-2 }
      isolated: { routes: [{ destination: 198.51.100.0/25, target: nat/nat-2 }] }
    instances:
      lonely: { subnet: isolated, address: 10.0.5.10 }
cluster:
  vpc: main
  nodes: { node-1: { subnet: private } }
internet:
  low: { address: 198.51.100.10 }
  high: { address: 198.51.100.200 }
`;

t.test('RT-03 the route to a deleted NAT gateway is a silent blackhole', async (t) => {
  await withLab(t, { lab: TWO_NATS, manifests: pods(['a']) }, async (lab) => {
    const ask = async (): Promise<Record<string, string>> =>
      lab.curl({ low: ['pod/a', '198.51.100.10'], high: ['pod/a', '198.51.100.200'] });
    t.strictSame(await ask(), { low: 'client 203.0.113.51', high: 'client 203.0.113.52' });

    const before = 'nat-1: { subnet: public, elasticIp: 203.0.113.51';
    const after = `${before}, deleted: true`;
    await lab.change(edit(TWO_NATS, before, after));
    const seen = await lab.capture('pod/a', { until: /ICMP echo reply/ }, async () => {
      // The less specific route to nat-2 is not taken instead.
      t.strictSame(await ask(), { low: 'exit 28', high: 'client 203.0.113.52' });
      await lab.in('pod/a', 'ping -c 1 -W 2 198.51.100.200');
    });
    t.match(seen, /> 198\.51\.100\.10\.80: Flags \[S\]/, 'the SYN left the pod');
    t.notMatch(seen, /unreachable|198\.51\.100\.10\.80 >/);
    t.match(
      await lab.out('vpc/main', 'ip route show table all type blackhole'),
      /^blackhole 198\.51\.100\.0\/25 table \d+ $/m,
    );
  });
});

t.test('RT-03 what no route matches is dropped in silence', async (t) => {
  await withLab(t, { lab: TWO_NATS, manifests: pods(['a']) }, async (lab) => {
    const filter = 'icmp or tcp';
    const seen = await lab.capture('instance/lonely', { filter, until: /echo reply/ }, async () => {
      t.strictSame(
        await lab.curl({
          low: ['instance/lonely', '198.51.100.10'],
          high: ['instance/lonely', '198.51.100.200'],
        }),
        { low: 'client 203.0.113.52', high: 'exit 28' },
      );
      await lab.in('instance/lonely', 'ping -c 1 -W 2 198.51.100.10');
    });
    t.notMatch(seen, /unreachable|198\.51\.100\.200\.80 >/);
  });
});

t.test(
  'RT-04 the block of the link-local services is no destination and not forwarded',
  async (t) => {
    await withLab(t, { lab: INSTANCES }, async (lab) => {
      const route = '- { destination: 198.51.100.0/25, target: blackhole }';
      const other = (destination: string): string =>
        edit(INSTANCES, route, `- { destination: ${destination}, target: igw }`);
      t.match(refusals(other('169.254.169.0/24')), [/^route-destination: 169\.254\.169\.0\/24 /]);
      t.strictSame(refusals(other('169.253.169.0/24')), []);

      const seen = await lab.capture('vpc/main', { link: 'igw', until: /100\.200/ }, async () => {
        await lab.curl({ metadata: ['instance/a', '169.254.169.254'] });
        await lab.curl({ control: ['instance/a', '198.51.100.200'] });
      });
      t.notMatch(seen, /169\.254\.169\.254/);
    });
  },
);

t.test('RT-05 the router is no hop and answers nobody, but says what does not fit', async (t) => {
  await withLab(t, { lab: INSTANCES }, async (lab) => {
    const ping = async (options: string): Promise<string> =>
      (await lab.in('instance/a', `LC_ALL=C ping -c 1 -W 1 ${options}`)).stdout;
    const [plain, oneHop, own, other, large] = await Promise.all([
      ping('10.0.2.10'),
      ping('-t 1 10.0.2.10'),
      ping('10.0.1.1'),
      ping('10.0.2.1'),
      ping('-M do -s 2000 198.51.100.200'),
    ]);
    t.match(plain, /from 10\.0\.2\.10: icmp_seq=1 ttl=64 /);
    t.match(oneHop, /from 10\.0\.2\.10: icmp_seq=1 ttl=64 /, 'a TTL of 1 arrives');
    t.match(own, / 0 received/);
    t.match(other, / 0 received/);
    t.match(large, /From 10\.0\.1\.1 icmp_seq=1 Frag needed and DF set \(mtu = 1500\)/);
    t.strictSame(
      await lab.curl({
        'a port of the router': ['instance/a', '10.0.1.1'],
        'a port of the peer': ['instance/a', '10.0.2.10:81'],
      }),
      { 'a port of the router': 'exit 28', 'a port of the peer': 'exit 7' },
    );
  });
});

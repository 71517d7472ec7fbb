import t from 'tap';

import { lookup, type RouteTable } from '../../src/aws/route-table.ts';
import { cidr, contains, ipv4 } from '../../src/base/ip.ts';

const at = { file: 'lab.yaml', line: 1, column: 1 };
const route = (destination: string) =>
  ({
    destination: cidr(destination),
    target: { kind: 'blackhole', was: undefined },
    at,
  }) as const;

const table: RouteTable = {
  name: 'private',
  isMain: false,
  routes: ['0.0.0.0/0', '192.168.0.0/16', '192.168.7.0/24', '10.0.4.0/24', '169.254.0.0/16'].map(
    route,
  ),
  at,
};

t.test('the longest prefix wins, and local is as long as its block', async (t) => {
  const cases: Record<string, string> = {
    '198.51.100.1': '0.0.0.0/0',
    '192.168.1.1': '192.168.0.0/16',
    '192.168.7.1': '192.168.7.0/24',
    '10.0.3.1': 'local',
    '10.0.4.1': '10.0.4.0/24',
    '100.64.1.1': 'local',
    '169.254.1.1': '169.254.0.0/16',
    '169.254.169.254': 'none',
  };
  const cidrs = [cidr('10.0.0.0/16'), cidr('100.64.0.0/16')];
  const found = Object.fromEntries(
    Object.keys(cases).map((address) => {
      const way = lookup(table, cidrs, (block) => contains(block, ipv4(address)));
      return [address, typeof way === 'string' ? way : way.destination];
    }),
  );
  t.strictSame(found, cases);
});

t.test('a packet that no route matches goes nowhere', async (t) => {
  const empty = { ...table, routes: [] };
  t.equal(
    lookup(empty, [cidr('10.0.0.0/16')], (block) => contains(block, ipv4('198.51.100.1'))),
    'none',
  );
});

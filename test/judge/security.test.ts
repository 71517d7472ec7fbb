/** Security groups and network ACLs in the model: the verdict, the object that decides, and what would change it. */

import t from 'tap';

import { ask, cloudOf } from './cloud.ts';

const LAB = `vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      app: { cidr: 10.0.3.0/24, az: az-1, networkAcl: app, routeTable: private }
      db: { cidr: 10.0.5.0/24, az: az-2 }
    natGateways: { nat: { subnet: public, address: 10.0.1.50, elasticIp: 203.0.113.50 } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat }] }
    prefixLists:
      offices: [198.51.100.0/28]
    networkAcls:
      app:
        ingress:
          90: { action: deny, protocol: tcp, ports: 8081 }
          95: { action: allow, protocol: icmp }
          100: { action: allow, protocol: tcp, ports: 1024-65535 }
        egress: { 100: { action: allow } }
    securityGroups:
      web: { ingress: [{ ports: 80, from: pl/offices }, { ports: 8000-8100, from: 10.0.0.0/16 }] }
      app: { ingress: [{ ports: 8000-8100, from: sg/web }, { protocol: icmp, icmpType: 8, from: self }] }
      db: { ingress: [{ ports: 5432, from: sg/app }], egress: [] }
    instances:
      web: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10, securityGroups: [web], ports: [80] }
      app: { subnet: app, address: 10.0.3.10, securityGroups: [app], ports: [8080, 8081] }
      both: { subnet: app, address: 10.0.3.11, securityGroups: [app, db], ports: [5432, 8081] }
      db: { subnet: db, address: 10.0.5.10, securityGroups: [db], ports: [5432] }
internet:
  office: { address: 198.51.100.10, ports: [443] }
  stranger: { address: 192.0.2.10 }
`;

const cloud = cloudOf(LAB, '', 'as written');

t.test('who may talk to whom, and what decides', async (t) => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['internet/office', 'tcp 203.0.113.10:80', 'allowed REACHABLE'],
    ['internet/stranger', 'tcp 203.0.113.10:80', 'timeout ENI_SG_RULES_MISMATCH sg/web ingress'],
    ['instance/web', 'tcp 10.0.3.10:8080', 'allowed REACHABLE'],
    [
      'instance/web',
      'tcp 10.0.3.10:8081',
      'timeout SUBNET_ACL_RESTRICTION acl/app ingress rule 90',
    ],
    // Within a subnet no network ACL is asked, but the groups are.
    ['instance/app', 'tcp 10.0.3.11:8081', 'timeout ENI_SG_RULES_MISMATCH sg/app,sg/db ingress'],
    ['instance/app', 'tcp 10.0.3.11:5432', 'allowed REACHABLE'],
    ['instance/app', 'icmp 10.0.3.11', 'allowed REACHABLE'],
    ['instance/web', 'icmp 10.0.3.10', 'timeout ENI_SG_RULES_MISMATCH sg/app ingress'],
    ['instance/app', 'tcp 10.0.5.10:5432', 'allowed REACHABLE'],
    ['instance/web', 'tcp 10.0.5.10:5432', 'timeout ENI_SG_RULES_MISMATCH sg/db ingress'],
    ['instance/db', 'tcp 10.0.3.10:8080', 'timeout ENI_SG_RULES_MISMATCH sg/db egress'],
    // Open and nobody listens: refused, and the refusal comes back.
    ['instance/web', 'tcp 10.0.3.10:8000', 'refused NOT_LISTENING instance/app'],
    ['instance/app', 'tcp 198.51.100.10:443', 'allowed REACHABLE'],
  ];
  for (const [from, request, expected] of rows) {
    const { verdict, code, by, depends } = ask(cloud, from, request);
    const said = [verdict, code, ...(by === undefined ? [] : [by])].join(' ');
    t.equal(said, expected, `${from} ${request}`);
    t.equal(depends, undefined);
  }
});

t.test(
  'one sentence names the object and its line, and the change that would let it pass',
  async (t) => {
    const { because, remedy } = ask(cloud, 'instance/web', 'tcp 10.0.5.10:5432');
    t.equal(
      because,
      'no ingress rule of sg/db (instance/db) allows tcp 5432 from 10.0.1.10 (lab.yaml:25)',
    );
    t.equal(
      remedy,
      'add to vpcs.main.securityGroups.db.ingress: { protocol: tcp, ports: 5432, from: sg/web }',
    );
  },
);

t.test('the remedy, once it is taken, lets it pass', async (t) => {
  const mended = LAB.replace(
    '{ ports: 5432, from: sg/app }',
    '{ ports: 5432, from: sg/app }, { protocol: tcp, ports: 5432, from: sg/web }',
  );
  const { verdict } = ask(cloudOf(mended, '', 'as written'), 'instance/web', 'tcp 10.0.5.10:5432');
  t.equal(verdict, 'allowed');
});

t.test('an answer needs a rule of the network ACL, and none of a group', async (t) => {
  const narrow = LAB.replace('ports: 1024-65535', 'ports: 8000-8100');
  const { verdict, code, by, path } = ask(
    cloudOf(narrow, '', 'as written'),
    'instance/app',
    'tcp 10.0.5.10:5432',
  );
  t.strictSame(
    [verdict, code, by, path],
    [
      'timeout',
      'SUBNET_ACL_RESTRICTION',
      'acl/app ingress rule *',
      ['instance/app', 'instance/db'],
    ],
  );
});

t.test(
  'where a rule takes some of the ports that may be chosen, the model says that it does not know',
  async (t) => {
    const half = LAB.replace('ports: 1024-65535', 'ports: 1024-40000');
    const { depends } = ask(cloudOf(half, '', 'as written'), 'instance/app', 'tcp 10.0.5.10:5432');
    t.match(depends, /rule 100 of network ACL acl\/app \(ingress/);
  },
);

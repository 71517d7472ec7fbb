/** Security groups on the kernel, by what passes and what does not. Rows SG, VPC-04, IGW-04 of AWS's documented behaviour. */

import t from 'tap';

import { edit, SILENCE_MS, withLab } from '../support/with-lab.ts';

// Much of the time is waiting for what does not come.
t.jobs = 2;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1 }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
    networkAcls:
      closed: {}
    securityGroups:
      clients: {}
      servers: { ingress: [{ ports: 8080, from: sg/clients }, { ports: 9000, from: 198.51.100.10 }] }
      web: { ingress: [{ ports: 80, from: 0.0.0.0/0 }] }
      silent: { ingress: [{ ports: 80, from: 10.0.0.0/16 }], egress: [] }
      visitors: { ingress: [{ ports: 80, from: 198.51.100.10/32 }] }
    instances:
      client: { subnet: private, address: 10.0.3.10, securityGroups: [clients], ports: [] }
      stranger: { subnet: private, address: 10.0.3.11, securityGroups: [silent], ports: [80] }
      server: { subnet: private, address: 10.0.3.20, securityGroups: [servers], ports: [8080, 8081] }
      bastion: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10, securityGroups: [visitors], ports: [80] }
      open: { subnet: public, address: 10.0.1.20, elasticIp: 203.0.113.20, securityGroups: [web, clients], ports: [80] }
internet:
  visitor: { address: 198.51.100.10 }
  other: { address: 198.51.100.20 }
`;

const SERVERS =
  'ingress: [{ ports: 8080, from: sg/clients }, { ports: 9000, from: 198.51.100.10 }]';

t.test(
  'SG-01 what no rule allows is dropped in silence; the groups of an ENI add up',
  async (t) => {
    await withLab(t, { lab: LAB }, async (lab) => {
      t.strictSame(
        await lab.curl({
          allowed: ['instance/client', '10.0.3.20:8080'],
          'not allowed, though somebody listens': ['instance/client', '10.0.3.20:8081'],
          'a group more, by its other one': ['instance/open', '10.0.3.20:8080'],
        }),
        {
          allowed: 'client 10.0.3.10',
          'not allowed, though somebody listens': 'exit 28',
          'a group more, by its other one': 'client 10.0.1.20',
        },
      );
      const more = edit(LAB, 'securityGroups: [servers]', 'securityGroups: [servers, web]');
      await lab.change(more);
      t.strictSame(
        await lab.curl({
          'allowed and closed': ['instance/client', '10.0.3.20:80'],
          allowed: ['instance/client', '10.0.3.20:8080'],
          'still not allowed': ['instance/client', '10.0.3.20:8081'],
        }),
        {
          'allowed and closed': 'exit 7',
          allowed: 'client 10.0.3.10',
          'still not allowed': 'exit 28',
        },
      );
      t.strictSame((await lab.verify()).drift, []);
    });
  },
);

t.test('SG-02 the answer to what was allowed passes, and nothing else', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    t.strictSame(
      await lab.curl({
        'it answers, with no egress rule at all': ['instance/client', '10.0.3.11'],
        'and opens nothing': ['instance/stranger', '10.0.1.20'],
        'where others do': ['instance/client', '10.0.1.20'],
      }),
      {
        'it answers, with no egress rule at all': 'client 10.0.3.10',
        'and opens nothing': 'exit 28',
        'where others do': 'client 10.0.3.10',
      },
    );
  });
});

t.test('SG-03 a reference means the private addresses of the members of now', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    const requests = {
      member: ['instance/client', '10.0.3.20:8080'],
      stranger: ['instance/stranger', '10.0.3.20:8080'],
      outside: ['internet/visitor', '203.0.113.20:80'],
    } as const;
    t.strictSame(await lab.curl(requests), {
      member: 'client 10.0.3.10',
      stranger: 'exit 28',
      outside: 'client 198.51.100.10',
    });
    const swapped = edit(
      edit(LAB, 'securityGroups: [silent], ports: [80]', 'securityGroups: [clients], ports: [80]'),
      'securityGroups: [clients], ports: []',
      'securityGroups: [web], ports: []',
    );
    t.ok((await lab.change(swapped)) < 20, 'only what has to do with the two is touched');
    t.strictSame(await lab.curl(requests), {
      member: 'exit 28',
      stranger: 'client 10.0.3.11',
      outside: 'client 198.51.100.10',
    });
  });
});

t.test(
  'IGW-04 IGW-05 from outside the source is the public one, and a reference does not mean it',
  async (t) => {
    const byReference = edit(LAB, 'from: 198.51.100.10/32', 'from: sg/clients');
    const byAddress = edit(LAB, 'from: 198.51.100.10/32', 'from: 203.0.113.20/32');
    await withLab(t, { lab: LAB }, async (lab) => {
      const requests = {
        visitor: ['internet/visitor', '203.0.113.10'],
        'another visitor': ['internet/other', '203.0.113.10'],
        'around the internet gateway': ['instance/open', '203.0.113.10'],
        inside: ['instance/open', '10.0.1.10'],
      } as const;
      t.strictSame(await lab.curl(requests), {
        visitor: 'client 198.51.100.10',
        'another visitor': 'exit 28',
        'around the internet gateway': 'exit 28',
        inside: 'exit 28',
      });
      await lab.change(byReference);
      t.strictSame(await lab.curl(requests), {
        visitor: 'exit 28',
        'another visitor': 'exit 28',
        'around the internet gateway': 'exit 28',
        inside: 'client 10.0.1.20',
      });
      await lab.change(byAddress);
      t.strictSame(await lab.curl(requests), {
        visitor: 'exit 28',
        'another visitor': 'exit 28',
        'around the internet gateway': 'client 203.0.113.20',
        inside: 'exit 28',
      });
    });
  },
);

t.test(
  'an egress allowance never lets a packet past the receiver, and local routes lead to every subnet',
  async (t) => {
    await withLab(t, { lab: LAB }, async (lab) => {
      t.strictSame(
        await lab.curl({
          'egress to all, ingress of the receiver says no': ['instance/client', '10.0.1.10'],
          'egress to all, from another subnet': ['instance/open', '10.0.3.11:8080'],
          'subnet to subnet, allowed': ['instance/client', '10.0.1.20'],
          'and the other way': ['instance/open', '10.0.3.11'],
          'two ENIs of one subnet meet the groups': ['instance/stranger', '10.0.3.20:8080'],
          'and pass where they may': ['instance/client', '10.0.3.20:8080'],
        }),
        {
          'egress to all, ingress of the receiver says no': 'exit 28',
          'egress to all, from another subnet': 'exit 28',
          'subnet to subnet, allowed': 'client 10.0.3.10',
          'and the other way': 'client 10.0.1.20',
          'two ENIs of one subnet meet the groups': 'exit 28',
          'and pass where they may': 'client 10.0.3.10',
        },
      );
    });
  },
);

t.test('SG-05 a tracked connection outlives its rule, an untracked one does not', async (t) => {
  const narrow = 'ingress: [{ ports: 9001, from: 10.0.3.10 }, { ports: 9002, from: 0.0.0.0/0 }]';
  const before = edit(LAB, SERVERS, narrow);
  await withLab(t, { lab: before }, async (lab) => {
    await lab.echoServer('instance/server', 9001);
    await lab.echoServer('instance/server', 9002);
    const tracked = await lab.connect('instance/client', '10.0.3.20:9001');
    const untracked = await lab.connect('instance/client', '10.0.3.20:9002');
    t.strictSame([await tracked.say(), await untracked.say()], ['echo', 'echo']);
    await lab.change(edit(LAB, SERVERS, 'ingress: []'));
    t.strictSame([await tracked.say(), await untracked.say(SILENCE_MS)], ['echo', 'silence']);
    const again = [
      await lab.connect('instance/client', '10.0.3.20:9001'),
      await lab.connect('instance/client', '10.0.3.20:9002'),
    ];
    t.strictSame(
      await Promise.all(again.map(async (one) => one.say(SILENCE_MS))),
      ['silence', 'silence'],
      'neither is opened anew',
    );
  });
  // With an egress that is not open to all the same rule is tracked.
  const closed = edit(LAB, SERVERS, `${narrow}, egress: []`);
  await withLab(t, { lab: closed }, async (lab) => {
    await lab.echoServer('instance/server', 9002);
    const connection = await lab.connect('instance/client', '10.0.3.20:9002');
    t.equal(await connection.say(), 'echo');
    await lab.change(edit(LAB, SERVERS, 'ingress: [], egress: []'));
    t.equal(await connection.say(), 'echo');
  });
});

t.test('SG-06 a connection is remembered for AWS’s times, per ENI', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    await lab.curl({ one: ['instance/client', '10.0.3.20:8080'] });
    await lab.echoServer('instance/server', 9000);
    t.match(await lab.out('vpc/main', 'nft list set inet vpc tcp-flows'), /timeout 5d/);
    t.match(await lab.out('vpc/main', 'nft list set inet vpc udp-flows'), /timeout 30s/);
    const flows = await lab.out('vpc/main', 'nft list set inet vpc tcp-flows');
    const marks = [...flows.matchAll(/(0x[0-9a-f]{8}) \. 10\.0\.3\.10 \. \d+ \. 10\.0\.3\.20/g)];
    t.equal(
      new Set(marks.map(([, mark]) => mark)).size,
      2,
      'by the sender’s ENI and the receiver’s',
    );
  });
});

t.test('SG-06 the times are the lab’s to set, and a full table denies what is new', async (t) => {
  const text = edit(
    edit(LAB, 'ports: [8080, 8081]', 'ports: []'),
    '    cidr: 10.0.0.0/16\n',
    '    cidr: 10.0.0.0/16\n    connectionTracking: { tcpEstablishedTimeout: 90s, udpTimeout: 60s, maxEntries: 4 }\n',
  );
  await withLab(t, { lab: text }, async (lab) => {
    t.match(await lab.out('vpc/main', 'nft list set inet vpc tcp-flows'), /timeout 1m30s/);
    t.match(await lab.out('vpc/main', 'nft list set inet vpc udp-flows'), /timeout 1m/);
    t.strictSame((await lab.verify()).drift, []);
    await lab.echoServer('instance/server', 8080);
    // A connection is an entry for the sender's ENI and one for the receiver's.
    const first = await lab.connect('instance/client', '10.0.3.20:8080');
    t.equal(await first.say(), 'echo');
    const second = await lab.connect('instance/client', '10.0.3.20:8080');
    t.equal(await second.say(), 'echo');
    const third = await lab.connect('instance/client', '10.0.3.20:8080');
    t.equal(await third.say(500), 'silence');
    const { stdout } = await lab.cli('drops');
    t.match(stdout, 'tracking allowance');
    await lab.change(edit(text, 'maxEntries: 4', 'maxEntries: 40'));
    // Its SYN is sent again after 1, 3, 7 and 15 seconds.
    t.equal(await third.say(20_000), 'echo', 'there is room');
  });
});

t.test('SG-04 two pods of one node never meet the groups; the nodes do', async (t) => {
  const nodes = `${LAB}
cluster:
  vpc: main
  nodes:
    node-1: { subnet: private, address: 10.0.3.100, securityGroups: [silent] }
    node-2: { subnet: private, address: 10.0.3.101 }
    node-3: { subnet: private, address: 10.0.3.102 }
  pins:
    pod/a: { node: node-1, address: 10.0.3.110 }
    pod/b: { node: node-1, address: 10.0.3.111 }
    pod/c: { node: node-2, address: 10.0.3.112 }
    pod/d: { node: node-3, address: 10.0.3.113 }
`;
  const pod = (name: string): string => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec: { containers: [{ name: c, image: i, ports: [{ containerPort: 8080 }] }] }
`;
  const manifests = ['a', 'b', 'c', 'd'].map(pod).join('');
  await withLab(t, { lab: nodes, manifests }, async (lab) => {
    t.strictSame(
      await lab.curl({
        'one node': ['pod/a', '10.0.3.111:8080'],
        'two nodes': ['pod/c', '10.0.3.111:8080'],
        'two nodes of the cluster group': ['pod/c', '10.0.3.113:8080'],
      }),
      {
        'one node': 'client 10.0.3.110',
        'two nodes': 'exit 28',
        'two nodes of the cluster group': 'client 10.0.3.112',
      },
    );
  });
});

t.test(
  'VPC-04 neither groups nor network ACLs come between an instance and the resolver',
  async (t) => {
    const closed = edit(LAB, 'az: az-1 }', 'az: az-1, networkAcl: closed }');
    await withLab(t, { lab: closed }, async (lab) => {
      const dig = 'dig +short +time=2 +tries=1';
      t.strictSame(
        await Promise.all([
          lab.out('instance/stranger', `${dig} @10.0.0.2 visitor`),
          lab.out('instance/stranger', `${dig} @169.254.169.253 visitor`),
        ]),
        ['198.51.100.10', '198.51.100.10'],
      );
      t.strictSame(await lab.curl({ peer: ['instance/client', '10.0.1.20'] }), { peer: 'exit 28' });
    });
  },
);

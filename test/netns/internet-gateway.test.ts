/** The internet gateway on the real kernel (fidelity rows IGW-01 to IGW-05). */

import t from 'tap';

import { edit, withLab, OPEN_GROUPS } from '../support/with-lab.ts';

// Most of the time is waiting for what does not come.
t.jobs = 4;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
    internetGateway: igw
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [] }
    instances:
      bastion: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10 }
      plain: { subnet: public, address: 10.0.1.20 }
      web: { subnet: public, address: 10.0.1.30, elasticIp: 203.0.113.30 }
      hidden: { subnet: private, address: 10.0.3.10, elasticIp: 203.0.113.40 }
internet:
  server: { address: 198.51.100.10 }
`;

t.test(
  'IGW-01 the gateway maps private to public one to one, and the instance knows nothing of it',
  async (t) => {
    await withLab(t, { lab: LAB }, async (lab) => {
      const seen = await lab.capture(
        'instance/bastion',
        { until: /198\.51\.100\.10\.80.*\[F/ },
        async () => {
          t.strictSame(await lab.curl({ out: ['instance/bastion', '198.51.100.10'] }), {
            out: 'client 203.0.113.10',
          });
        },
      );
      t.match(seen, /10\.0\.1\.10\.\d+ > 198\.51\.100\.10\.80: Flags \[S\]/);
      t.notMatch(seen, /203\.0\.113\.10/);
      t.match(
        await lab.out('instance/bastion', 'ip -4 addr show dev eth0'),
        / inet 10\.0\.1\.10\/24 /,
      );
      t.notMatch(await lab.out('instance/bastion', 'ip addr'), /203\.0\.113/);
      // The source port stays too: nothing but the address is translated.
      const answer = JSON.parse(
        await lab.out('instance/bastion', 'curl -s -m 2 --local-port 1234 http://198.51.100.10/'),
      ) as unknown;
      t.match(answer, { client: '203.0.113.10', clientPort: 1234 });
    });
  },
);

t.test('IGW-01 the gateway keeps no connection: what it forgot goes on', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    await lab.echoServer('internet/server', 9000);
    await lab.echoServer('instance/web', 9000);
    const out = await lab.connect('instance/bastion', '198.51.100.10:9000');
    const inward = await lab.connect('internet/server', '203.0.113.30:9000');
    t.strictSame([await out.say(), await inward.say()], ['echo', 'echo']);
    await lab.out('igw', 'conntrack -F');
    t.strictSame([await out.say(), await inward.say()], ['echo', 'echo']);
  });
});

t.test('IGW-02 without a public address nothing leaves, and nothing comes back', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    const seen = await lab.capture(
      'igw',
      { link: 'internet', until: /203\.0\.113\.10/ },
      async () => {
        const atGateway = await lab.capture(
          'igw',
          { link: 'vpc', until: /10\.0\.1\.20/ },
          async () => {
            t.strictSame(await lab.curl({ plain: ['instance/plain', '198.51.100.10'] }), {
              plain: 'exit 28',
            });
          },
        );
        t.match(
          atGateway,
          /10\.0\.1\.20\.\d+ > 198\.51\.100\.10\.80: Flags \[S\]/,
          'it got so far',
        );
        await lab.curl({ bastion: ['instance/bastion', '198.51.100.10'] });
      },
    );
    t.notMatch(seen, /10\.0\.1\.20/, 'and no further');
    await lab.change(edit(LAB, '10.0.1.20', '10.0.1.20, elasticIp: 203.0.113.20'));
    t.strictSame(await lab.curl({ plain: ['instance/plain', '198.51.100.10'] }), {
      plain: 'client 203.0.113.20',
    });
  });
});

t.test(
  'IGW-03 a public address in a subnet without a route to the gateway is of no use',
  async (t) => {
    await withLab(t, { lab: LAB }, async (lab) => {
      const answers = await lab.capture(
        'igw',
        { link: 'vpc', until: /10\.0\.1\.10\.80 >/ },
        async () => {
          const requests = await lab.capture(
            'instance/hidden',
            { until: /10\.0\.3\.10\.80 >/ },
            async () => {
              t.strictSame(
                await lab.curl({
                  in: ['internet/server', '203.0.113.40'],
                  out: ['instance/hidden', '198.51.100.10'],
                }),
                { in: 'exit 28', out: 'exit 28' },
              );
            },
          );
          t.match(
            requests,
            /198\.51\.100\.10\.\d+ > 10\.0\.3\.10\.80: Flags \[S\]/,
            'the SYN gets in',
          );
          t.match(
            requests,
            /10\.0\.3\.10\.80 > 198\.51\.100\.10\.\d+: Flags \[S\.\]/,
            'it is answered',
          );
          await lab.curl({ bastion: ['internet/server', '203.0.113.10'] });
        },
      );
      t.notMatch(answers, /10\.0\.3\.10\.80 >/, 'and the answer has no route');
      await lab.change(
        edit(
          LAB,
          'private: { routes: [] }',
          'private: { routes: [{ destination: 0.0.0.0/0, target: igw }] }',
        ),
      );
      t.strictSame(
        await lab.curl({
          in: ['internet/server', '203.0.113.40'],
          out: ['instance/hidden', '198.51.100.10'],
        }),
        { in: 'client 198.51.100.10', out: 'client 203.0.113.40' },
      );
    });
  },
);

t.test(
  'IGW-04 a connection from outside arrives at the private address, with its own source',
  async (t) => {
    await withLab(t, { lab: LAB }, async (lab) => {
      const seen = await lab.capture('instance/web', { until: /\[F/ }, async () => {
        t.strictSame(
          await lab.curl({
            mapped: ['internet/server', '203.0.113.30'],
            unmapped: ['internet/server', '203.0.113.99'],
            private: ['internet/server', '10.0.1.30'],
          }),
          { mapped: 'client 198.51.100.10', unmapped: 'exit 28', private: 'exit 28' },
        );
      });
      t.match(seen, /198\.51\.100\.10\.\d+ > 10\.0\.1\.30\.80: Flags \[S\]/);
      // The gateway is no hop: the internet's router is the only one.
      t.match(await lab.out('internet/server', 'ping -c 1 -W 2 203.0.113.30'), / ttl=63 /);
    });
  },
);

t.test(
  'IGW-05 who asks for a public address inside the VPC is seen as its own public address',
  async (t) => {
    await withLab(t, { lab: LAB }, async (lab) => {
      t.strictSame(
        await lab.curl({
          'to the public address': ['instance/bastion', '203.0.113.30'],
          'to the private address': ['instance/bastion', '10.0.1.30'],
          'without a public address of its own': ['instance/plain', '203.0.113.30'],
          'to its own public address': ['instance/web', '203.0.113.30'],
        }),
        {
          'to the public address': 'client 203.0.113.10',
          'to the private address': 'client 10.0.1.10',
          'without a public address of its own': 'exit 28',
          'to its own public address': 'client 203.0.113.30',
        },
      );
    });
  },
);

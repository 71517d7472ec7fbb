/** NAT gateways on the real kernel (fidelity rows NAT-01 to NAT-06). */

import t from 'tap';

import {
  edit,
  OPEN_GROUPS,
  pods,
  refusals,
  SILENCE_MS,
  type TestLab,
  withLab,
} from '../support/with-lab.ts';

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
    natGateways: { nat: { subnet: public, address: 10.0.1.50, elasticIp: 203.0.113.50 } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat }] }
    instances:
      bastion: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10 }
      app: { subnet: private, address: 10.0.3.10 }
cluster:
  vpc: main
  nodes: { node-1: { subnet: private, address: 10.0.3.11 } }
  pins: { pod/a: { node: node-1, address: 10.0.3.50 } }
internet:
  server: { address: 198.51.100.10 }
  other: { address: 198.51.100.20 }
`;

const MANIFESTS = pods(['a']);
const NAT_ADDRESS = 'address: 10.0.1.50, elasticIp: 203.0.113.50';

/** A metric of the gateway, in packets. */
async function metric(lab: TestLab, name: string): Promise<number> {
  const text = await lab.out('nat/nat', `nft list counter ip nat-gateway ${name}`);
  return Number(/packets (\d+)/.exec(text)?.[1]);
}

t.test('NAT-01 a NAT gateway sends as itself, and the internet gateway maps that', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const ask = async (): Promise<Record<string, string>> =>
      lab.curl({ app: ['instance/app', '198.51.100.10'], pod: ['pod/a', '198.51.100.20'] });
    const seen = await lab.capture('igw', { link: 'vpc', until: /100\.20\.80.*\[F/ }, async () => {
      t.strictSame(await ask(), { app: 'client 203.0.113.50', pod: 'client 203.0.113.50' });
    });
    t.match(seen, /10\.0\.1\.50\.\d+ > 198\.51\.100\.10\.80: Flags \[S\]/);
    t.match(seen, /10\.0\.1\.50\.\d+ > 198\.51\.100\.20\.80: Flags \[S\]/);
    t.notMatch(seen, /10\.0\.3\./, 'no private source but its own');

    // A private one sends as itself too, and the internet gateway has nothing to map it to.
    const private_ = edit(LAB, NAT_ADDRESS, 'address: 10.0.1.50, connectivity: private');
    await lab.change(private_);
    const lost = await lab.capture('igw', { link: 'vpc', until: /100\.10\.80: / }, async () => {
      t.strictSame(await ask(), { app: 'exit 28', pod: 'exit 28' });
    });
    t.match(lost, /10\.0\.1\.50\.\d+ > 198\.51\.100\.10\.80: Flags \[S\]/);
    t.notMatch(lost, /198\.51\.100\.\d+\.80 >/);
    t.match(
      refusals(
        edit(private_, 'ivity: private }', 'ivity: private, elasticIp: 203.0.113.50 }'),
        MANIFESTS,
      ),
      [/^private-nat-elastic-ip: /],
    );
  });
});

t.test('NAT-02 nobody opens a connection through a NAT gateway from outside', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const seen = await lab.capture(
      'nat/nat',
      { until: /10\.0\.1\.50: ICMP echo request/ },
      async () => {
        t.strictSame(
          await lab.curl({
            web: ['internet/server', '203.0.113.50'],
            'high port': ['internet/server', '203.0.113.50:50000'],
            'from inside': ['instance/bastion', '10.0.1.50'],
            control: ['internet/server', '203.0.113.10'],
          }),
          {
            web: 'exit 28',
            'high port': 'exit 28',
            'from inside': 'exit 28',
            control: 'client 198.51.100.10',
          },
        );
        t.strictSame(
          await lab.exits({ ping: ['internet/server', 'ping -c 1 -W 1 203.0.113.50'] }),
          {
            ping: 1,
          },
        );
      },
    );
    t.match(seen, /198\.51\.100\.10\.\d+ > 10\.0\.1\.50\.80: Flags \[S\]/, 'the SYN gets so far');
    t.notMatch(seen, /10\.0\.1\.50(\.\d+)? > /, 'and is not answered, not even by a refusal');

    // Nor to the port of a connection that was opened from inside, for anybody but its other end.
    await lab.echoServer('internet/server', 9000);
    const connection = await lab.connect('instance/app', '198.51.100.10:9000');
    t.equal(await connection.say(), 'echo');
    const table = await lab.out('nat/nat', 'conntrack -L -p tcp --dport 9000 2>/dev/null');
    const port = /dst=10\.0\.1\.50 sport=9000 dport=(\d+)/.exec(table)?.[1] ?? '';
    t.strictSame(await lab.curl({ intruder: ['internet/other', `203.0.113.50:${port}`] }), {
      intruder: 'exit 28',
    });
    t.equal(await connection.say(), 'echo');

    const grouped = edit(LAB, NAT_ADDRESS, `${NAT_ADDRESS}, securityGroups: [default]`);
    t.match(refusals(grouped, MANIFESTS), [/securityGroups/], 'it takes no security group');
  });
});

t.test('NAT-03 a connection that was silent for too long is forgotten and reset', async (t) => {
  const impatient = edit(LAB, NAT_ADDRESS, `${NAT_ADDRESS}, idleTimeout: 3s`);
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    await lab.echoServer('internet/server', 9000);
    await lab.echoServer('internet/other', 9000);
    const idle = await lab.connect('instance/app', '198.51.100.10:9000');
    const podIdle = await lab.connect('pod/a', '198.51.100.10:9000');
    const busy = await lab.chatter('instance/app', '198.51.100.20:9000');
    t.strictSame([await idle.say(), await podIdle.say()], ['echo', 'echo']);
    // A connection is given the gateway's patience with each packet: these are the last that they send in time.
    await lab.change(impatient);
    t.strictSame([await idle.say(), await podIdle.say()], ['echo', 'echo']);
    t.equal(await metric(lab, 'IdleTimeoutCount'), 0);

    const seen = await lab.capture(
      'internet/server',
      { until: /203\.0\.113\.50: ICMP/ },
      async () => {
        await lab.poll(
          async () => lab.out('nat/nat', 'conntrack -L -p tcp --dst 198.51.100.10 2>/dev/null'),
          (entries) => entries === '',
        );
        t.strictSame([await idle.say(), await podIdle.say()], ['reset', 'reset']);
        t.ok(await busy.goesOn(), 'what keeps talking goes on');
        await lab.in('instance/app', 'ping -c 1 -W 2 198.51.100.10');
      },
    );
    t.notMatch(seen, /\.9000: Flags/, 'the server hears nothing of it');
    t.equal(await metric(lab, 'IdleTimeoutCount'), 2);
  });
});

t.test(
  'NAT-03 a connection is remembered for 350 seconds unless the lab says otherwise',
  async (t) => {
    await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
      await lab.echoServer('internet/server', 9000);
      const connection = await lab.connect('instance/app', '198.51.100.10:9000');
      t.equal(await connection.say(), 'echo');
      const table = await lab.out('nat/nat', 'conntrack -L -p tcp --dport 9000 2>/dev/null');
      const left = Number(/^tcp +6 (\d+) ESTABLISHED/.exec(table)?.[1]);
      t.ok(left > 340 && left <= 350, `${left} s left`);
    });
  },
);

t.test('NAT-04 connections to one destination are bounded, and others go on', async (t) => {
  const narrow = edit(LAB, NAT_ADDRESS, `${NAT_ADDRESS}, connectionsPerDestination: 4`);
  await withLab(t, { lab: narrow, manifests: MANIFESTS }, async (lab) => {
    await lab.echoServer('internet/server', 9000);
    await lab.echoServer('internet/server', 9001);
    await lab.echoServer('internet/other', 9000);
    const open = async (target: string, patienceMs?: number): Promise<string> => {
      const connection = await lab.connect('pod/a', target);
      const said = await connection.say(patienceMs);
      // One that goes on trying would take the room that is made below.
      if (said !== 'echo') await connection.close();
      return said;
    };
    const four = [];
    for (let i = 0; i < 4; i += 1) four.push(await lab.connect('pod/a', '198.51.100.10:9000'));
    t.strictSame(await Promise.all(four.map((one) => one.say())), ['echo', 'echo', 'echo', 'echo']);
    t.equal(await metric(lab, 'ErrorPortAllocation'), 0);

    t.strictSame(
      await Promise.all([
        open('198.51.100.10:9000', SILENCE_MS),
        open('198.51.100.10:9001'),
        open('198.51.100.20:9000'),
      ]),
      ['silence', 'echo', 'echo'],
    );
    t.ok((await metric(lab, 'ErrorPortAllocation')) > 0, 'it is counted');
    // A closed connection makes room.
    await four[0]?.close();
    t.equal(
      await lab.poll(
        async () => open('198.51.100.10:9000', SILENCE_MS),
        (said) => said === 'echo',
      ),
      'echo',
    );
  });
});

t.test('NAT-05 nothing but TCP, UDP and ICMP passes, from ports above 1023', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    // Protocol 253 is for experiments (RFC 3692).
    const experiment = 'echo x | socat -u - IP4-SENDTO:198.51.100.10:253';
    const filter = 'ip proto 253 or icmp';
    const seen = await lab.capture(
      'internet/server',
      { filter, until: /echo request/ },
      async () => {
        await lab.out('instance/app', experiment);
        await lab.out('pod/a', experiment);
        t.equal((await lab.in('pod/a', 'ping -c 1 -W 2 198.51.100.10')).exitCode, 0);
      },
    );
    t.notMatch(seen, /proto .*\(253\)/);
    const direct = await lab.capture(
      'internet/server',
      { filter, until: /proto .*\(253\)/ },
      async () => lab.out('instance/bastion', experiment),
    );
    t.match(direct, /203\.0\.113\.10 > 198\.51\.100\.10: /, 'it is the NAT gateway that minds');

    const ports = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const curl = `curl -s -m 2 --local-port ${500 + index} http://198.51.100.10/`;
        return (JSON.parse(await lab.out('instance/app', curl)) as { clientPort: number })
          .clientPort;
      }),
    );
    t.ok(Math.min(...ports) >= 1024, `source ports ${ports.join(' ')}`);
  });
});

t.test('NAT-05 fragments of TCP and ICMP are dropped, those of UDP pass', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    // Each datagram by itself: UDP-LISTEN may hand two that come at once to whoever was first.
    await lab.in(
      'internet/server',
      'setsid socat -b 8192 UDP-RECVFROM:9000,fork PIPE >/dev/null 2>&1 &',
    );
    await lab.poll(
      async () => lab.out('internet/server', 'ss -Hlun'),
      (listening) => listening.includes(':9000 '),
    );
    const udp = `head -c 3000 /dev/zero | socat -b 8192 -T 1 -t 1 - UDP:198.51.100.10:9000,mtudiscover=0 | wc -c`;
    const ping = 'ping -M dont -c 1 -W 1 198.51.100.10 -s';
    const [bytes, bytesOfPod, exits] = await Promise.all([
      lab.out('instance/app', udp),
      lab.out('pod/a', udp),
      lab.exits({
        large: ['instance/app', `${ping} 3000`],
        'large of the pod': ['pod/a', `${ping} 3000`],
        small: ['instance/app', `${ping} 1000`],
        'large, past the gateway': ['instance/bastion', `${ping} 3000`],
      }),
    ]);
    t.strictSame([bytes, bytesOfPod], ['3000', '3000']);
    t.strictSame(exits, {
      large: 1,
      'large of the pod': 1,
      small: 0,
      'large, past the gateway': 0,
    });
  });
});

const TWO_ZONES = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      public-1: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      public-2: { cidr: 10.0.2.0/24, az: az-2, routeTable: public }
      private-1: { cidr: 10.0.3.0/24, az: az-1, routeTable: private-1 }
      private-2: { cidr: 10.0.4.0/24, az: az-2, routeTable: private-2 }
    internetGateway: igw
    natGateways:
      nat-1: { subnet: public-1, elasticIp: 203.0.113.51 }
      nat-2: { subnet: public-2, elasticIp: 203.0.113.52 }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private-1: { routes: [{ destination: 0.0.0.0/0, target: nat/nat-1 }] }
      private-2: { routes: [{ destination: 0.0.0.0/0, target: nat/nat-2 }] }
    instances:
      one: { subnet: private-1 }
      two: { subnet: private-2 }
internet:
  server: { address: 198.51.100.10 }
`;

t.test('NAT-06 a gateway of one zone that is gone leaves the other zone its own', async (t) => {
  await withLab(t, { lab: TWO_ZONES }, async (lab) => {
    const ask = async (): Promise<Record<string, string>> =>
      lab.curl({ one: ['instance/one', '198.51.100.10'], two: ['instance/two', '198.51.100.10'] });
    t.strictSame(await ask(), { one: 'client 203.0.113.51', two: 'client 203.0.113.52' });
    const gone = edit(TWO_ZONES, 'elasticIp: 203.0.113.51', 'deleted: true');
    await lab.change(gone);
    t.strictSame(await ask(), { one: 'exit 28', two: 'client 203.0.113.52' });
    await lab.change(edit(gone, 'nat/nat-2', 'nat/nat-1'));
    t.strictSame(
      await ask(),
      { one: 'exit 28', two: 'exit 28' },
      'a shared gateway is shared loss',
    );
  });
});

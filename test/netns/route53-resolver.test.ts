/** The VPC's DNS server on the real kernel (fidelity rows VPC-03, VPC-05, VPC-06, VPC-07). */

import t from 'tap';

import { renderDrift } from '../../src/report/drift.ts';
import { edit, OPEN_GROUPS, pods, type TestLab, withLab } from '../support/with-lab.ts';

// Much of the time is waiting for what does not come.
t.jobs = 4;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    secondaryCidrs: [100.64.0.0/16]
    enableDnsSupport: true
    enableDnsHostnames: true
    subnets:
      base: { cidr: 10.0.0.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1 }
      second: { cidr: 100.64.1.0/24, az: az-1 }
    internetGateway: igw
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
    instances:
      web: { subnet: base, address: 10.0.0.10, elasticIp: 203.0.113.10 }
      far: { subnet: second, address: 100.64.1.10 }
cluster:
  vpc: main
  addons: { coredns: false }
  nodes:
    node-1: { subnet: private, address: 10.0.3.10 }
  pins:
    pod/a: { address: 10.0.3.50 }
    pod/b: { address: 10.0.3.60, eni: eth1 }
internet:
  example.com: { address: 198.51.100.10 }
`;
const INPUT = { lab: LAB, manifests: pods(['a', 'b']) };
const PUBLIC_NAME = 'ec2-203-0-113-10.compute-1.amazonaws.com';

/** `NOERROR 10.0.0.10`, `NXDOMAIN`, or `silence`. */
async function dig(lab: TestLab, where: string, question: string): Promise<string> {
  const line = `exec dig +time=1 +tries=1 +noall +comments +answer ${question}`;
  const { exitCode, stdout } = await lab.in(where, line);
  // 9: no reply from server. (dig(1) "RETURN CODES")
  if (exitCode === 9) return 'silence';
  const [, status = stdout] = /status: (\w+)/.exec(stdout) ?? [];
  const data = stdout.split('\n').flatMap((row) => (/^[^;]/.test(row) ? row.split(/\s+/)[4] : []));
  return [status, ...data].join(' ');
}

async function digs<Key extends string>(
  lab: TestLab,
  questions: Readonly<Record<Key, readonly [where: string, question: string]>>,
): Promise<Record<Key, string>> {
  const entries = Object.entries(questions) as [Key, readonly [string, string]][];
  const answers = entries.map(async ([key, [where, what]]) => [key, await dig(lab, where, what)]);
  return Object.fromEntries(await Promise.all(answers)) as Record<Key, string>;
}

t.test(
  'VPC-03 it answers at base + 2 of the primary block and at 169.254.169.253, by UDP and TCP',
  async (t) => {
    await withLab(t, INPUT, async (lab) => {
      // The first one is a neighbour of base + 2, and has its ARP answered; `far` is in the secondary block.
      for (const where of ['instance/web', 'instance/far', 'node/node-1', 'pod/a', 'pod/b']) {
        t.strictSame(
          await digs(lab, {
            'base + 2': [where, '@10.0.0.2 example.com'],
            'base + 2, TCP': [where, '@10.0.0.2 +tcp example.com'],
            'link-local': [where, '@169.254.169.253 example.com'],
            'link-local, TCP': [where, '@169.254.169.253 +tcp example.com'],
            'base + 2 of the subnet': [where, '@10.0.3.2 example.com'],
            'base + 2 of the secondary block': [where, '@100.64.0.2 example.com'],
          }),
          {
            'base + 2': 'NOERROR 198.51.100.10',
            'base + 2, TCP': 'NOERROR 198.51.100.10',
            'link-local': 'NOERROR 198.51.100.10',
            'link-local, TCP': 'NOERROR 198.51.100.10',
            'base + 2 of the subnet': 'silence',
            'base + 2 of the secondary block': 'silence',
          },
          where,
        );
      }
    });
  },
);

t.test('VPC-03 from the internet nobody is answered, not even at the gateway’s link', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    t.strictSame(
      await digs(lab, {
        'base + 2': ['internet/example.com', '@10.0.0.2 example.com'],
        'link-local': ['internet/example.com', '@169.254.169.253 example.com'],
        'its own server': ['internet/example.com', 'example.com'],
      }),
      {
        'base + 2': 'silence',
        'link-local': 'silence',
        'its own server': 'NOERROR 198.51.100.10',
      },
    );
    // The gateway's netns has a route to the VPC; it is given what it lacks to ask and to hear the answer.
    await lab.out('igw', 'ip addr add 198.51.100.99/32 dev lo && iptables -P INPUT ACCEPT');
    await lab.out('vpc/main', 'ip route add 198.51.100.99 via 169.254.255.2 dev igw onlink');
    t.equal(await dig(lab, 'igw', '@10.0.0.2 example.com'), 'silence');
    await lab.out('vpc/main', 'iptables -I INPUT -i igw -p udp --dport 53 -j ACCEPT');
    t.equal(await dig(lab, 'igw', '@10.0.0.2 example.com'), 'NOERROR 198.51.100.10');
  });
});

t.test('VPC-03 nothing else of the router answers', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    t.strictSame(
      await lab.exits({
        ping: ['instance/web', 'ping -n -c 1 -W 1 10.0.0.2'],
        'another port': [
          'instance/web',
          'exec socat -u /dev/null TCP4:10.0.0.2:80,connect-timeout=1',
        ],
        'its port': ['instance/web', 'exec socat -u /dev/null TCP4:10.0.0.2:53,connect-timeout=1'],
        'its port at the subnet’s router': [
          'instance/web',
          'exec socat -u /dev/null TCP4:10.0.0.1:53,connect-timeout=1',
        ],
      }),
      { ping: 1, 'another port': 1, 'its port': 0, 'its port at the subnet’s router': 1 },
    );
  });
});

/**
 * Asks as fast as it can, SECONDS long or COUNT times, and prints how many questions, answers and milliseconds it was.
 * Buffers as large as they get, so that nothing is lost but in the kernel's limit.
 */
const FLOOD = `
use strict; use Socket; use Time::HiRes qw(time);
my ($seconds, $count) = @ARGV;
socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
setsockopt($s, SOL_SOCKET, 33, 1 << 23) or setsockopt($s, SOL_SOCKET, SO_RCVBUF, 1 << 23);
connect($s, pack_sockaddr_in(53, inet_aton("10.0.0.2"))) or die;
my ($asked, $answered, $start) = (0, 0, time);
sub hear { my $r = ""; vec($r, fileno $s, 1) = 1;
  while (select(my $x = $r, undef, undef, $_[0])) { defined recv($s, my $d, 512, 0) and $answered++; } }
while ($asked < $count && time - $start < $seconds) {
  for (1 .. 20) { last if $asked >= $count; $asked++;
    send($s, pack("n6", $asked & 0xffff, 0x100, 1, 0, 0, 0) . "\\7example\\3com\\0\\0\\1\\0\\1", 0); }
  hear(0);
}
my $ms = (time - $start) * 1000;
hear(0.7);
printf "%d %d %d", $asked, $answered, $ms;
`;

async function flood(
  lab: TestLab,
  where: string,
  seconds: number,
  count: number,
): Promise<number[]> {
  const words = await lab.out(where, `exec perl -e '${FLOOD}' ${seconds} ${count}`);
  return words.split(' ').map(Number);
}

async function dropped(lab: TestLab): Promise<number> {
  const counter = 'nft list counter inet linklocal linklocal_allowance_exceeded';
  return Number(/packets (\d+)/.exec(await lab.out('vpc/main', counter))?.[1]);
}

t.test('VPC-05 an ENI has 1024 packets a second, what is more is counted', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    const [few, all] = await flood(lab, 'instance/web', 1, 90);
    t.strictSame([few, all, await dropped(lab)], [90, 90, 0], 'a few are no flood');
    const [[asked = 0, answered = 0, ms = 0], other] = await Promise.all([
      flood(lab, 'instance/web', 1.5, 100_000),
      lab.poll(
        async () => [await dropped(lab), await dig(lab, 'instance/far', '@10.0.0.2 example.com')],
        ([lost]) => lost !== 0,
      ),
    ]);
    t.equal(other[1], 'NOERROR 198.51.100.10', 'another ENI is answered meanwhile');
    t.equal(answered + (await dropped(lab)), asked, 'each is answered or counted');
    const allowed = 100 + (1024 * ms) / 1000;
    t.ok(answered <= allowed + 1, `${answered} of ${asked} answered in ${ms} ms`);
    t.ok(answered >= allowed * 0.8, `${answered} of ${asked} answered in ${ms} ms`);
  });
});

t.test('VPC-06 without enableDnsSupport it is silent, and with it back again', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    const ask = async (): Promise<string[]> => [
      await dig(lab, 'pod/a', '@10.0.0.2 example.com'),
      await dig(lab, 'instance/web', '@10.0.0.2 example.com'),
      await dig(lab, 'instance/web', '@169.254.169.253 example.com'),
      await dig(lab, 'internet/example.com', PUBLIC_NAME),
    ];
    const address = 'NOERROR 198.51.100.10';
    t.strictSame(await ask(), [address, address, address, 'NOERROR 203.0.113.10']);
    await lab.change(edit(LAB, 'enableDnsSupport: true', 'enableDnsSupport: false'));
    t.strictSame(await ask(), ['silence', 'silence', 'silence', 'NOERROR 203.0.113.10']);
    t.strictSame(
      await lab.curl({
        'by name': ['instance/web', 'example.com'],
        'by address': ['instance/web', '198.51.100.10'],
      }),
      { 'by name': 'exit 28', 'by address': 'client 203.0.113.10' },
    );
    await lab.change(LAB);
    t.strictSame(await ask(), [address, address, address, 'NOERROR 203.0.113.10']);
  });
});

t.test('VPC-06 without enableDnsHostnames a public address has no name, anywhere', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    const ask = async (): Promise<Record<string, string>> =>
      digs(lab, {
        'public, inside': ['pod/a', PUBLIC_NAME],
        'public, outside': ['internet/example.com', PUBLIC_NAME],
        private: ['pod/a', 'ip-10-0-0-10.ec2.internal'],
      });
    t.strictSame(await ask(), {
      'public, inside': 'NOERROR 10.0.0.10',
      'public, outside': 'NOERROR 203.0.113.10',
      private: 'NOERROR 10.0.0.10',
    });
    await lab.change(edit(LAB, 'enableDnsHostnames: true', 'enableDnsHostnames: false'));
    t.strictSame(await ask(), {
      'public, inside': 'NXDOMAIN',
      'public, outside': 'NXDOMAIN',
      private: 'NOERROR 10.0.0.10',
    });
  });
});

t.test(
  'VPC-07 a public name leads to the private address inside, to the public one outside',
  async (t) => {
    await withLab(t, INPUT, async (lab) => {
      t.strictSame(
        await digs(lab, {
          inside: ['pod/a', PUBLIC_NAME],
          outside: ['internet/example.com', PUBLIC_NAME],
          'private name, inside': ['pod/a', 'ip-10-0-3-10.ec2.internal'],
          'of the secondary block': ['pod/a', 'ip-100-64-1-10.ec2.internal'],
          'private name, outside': ['internet/example.com', 'ip-10-0-3-10.ec2.internal'],
          'back from the private address': ['pod/a', '-x 10.0.0.10'],
          'back from a node’s': ['pod/a', '-x 10.0.3.10'],
          'back from the public one, inside': ['pod/a', '-x 203.0.113.10'],
          'back from the public one, outside': ['internet/example.com', '-x 203.0.113.10'],
          'back from the private one, outside': ['internet/example.com', '-x 10.0.0.10'],
          'an address of no VPC': ['pod/a', 'ip-10-9-0-1.ec2.internal'],
          'nobody’s name': ['pod/a', 'example.org'],
          'nobody’s name, outside': ['internet/example.com', 'example.org'],
          'another type': ['pod/a', 'AAAA example.com'],
        }),
        {
          inside: 'NOERROR 10.0.0.10',
          outside: 'NOERROR 203.0.113.10',
          'private name, inside': 'NOERROR 10.0.3.10',
          'of the secondary block': 'NOERROR 100.64.1.10',
          'private name, outside': 'NXDOMAIN',
          'back from the private address': 'NOERROR ip-10-0-0-10.ec2.internal.',
          'back from a node’s': 'NOERROR ip-10-0-3-10.ec2.internal.',
          'back from the public one, inside': `NOERROR ${PUBLIC_NAME}.`,
          'back from the public one, outside': `NOERROR ${PUBLIC_NAME}.`,
          'back from the private one, outside': 'NXDOMAIN',
          'an address of no VPC': 'NXDOMAIN',
          'nobody’s name': 'NXDOMAIN',
          'nobody’s name, outside': 'NXDOMAIN',
          'another type': 'NOERROR',
        },
      );
      t.strictSame(
        await lab.curl({
          'inside, by the public name': ['node/node-1', PUBLIC_NAME],
          'inside, by the private name without its domain': ['node/node-1', 'ip-10-0-0-10'],
          outside: ['internet/example.com', PUBLIC_NAME],
        }),
        {
          'inside, by the public name': 'client 10.0.3.10',
          'inside, by the private name without its domain': 'client 10.0.3.10',
          outside: 'client 198.51.100.10',
        },
      );
    });
  },
);

t.test('VPC-07 who gets another public address has its name at once', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    t.equal(await dig(lab, 'pod/a', PUBLIC_NAME), 'NOERROR 10.0.0.10');
    await lab.change(edit(LAB, '203.0.113.10', '203.0.113.99'));
    const other = PUBLIC_NAME.replace('113-10', '113-99');
    t.strictSame(
      await digs(lab, {
        'old, inside': ['pod/a', PUBLIC_NAME],
        'new, inside': ['pod/a', other],
        'old, outside': ['internet/example.com', PUBLIC_NAME],
        'new, outside': ['internet/example.com', other],
      }),
      {
        'old, inside': 'NXDOMAIN',
        'new, inside': 'NOERROR 10.0.0.10',
        'old, outside': 'NXDOMAIN',
        'new, outside': 'NOERROR 203.0.113.99',
      },
    );
  });
});

t.test('programs ask the DNS server, and nothing else tells them names', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    t.strictSame(
      {
        pod: await lab.out('pod/a', 'cat /etc/resolv.conf'),
        node: await lab.out('node/node-1', 'cat /etc/resolv.conf'),
        instance: await lab.out('instance/web', 'cat /etc/resolv.conf'),
        internet: await lab.out('internet/example.com', 'cat /etc/resolv.conf'),
        hosts: await lab.out('pod/a', 'cat /etc/hosts'),
        itself: await lab.out('pod/a', 'getent hosts "$(hostname)"'),
      },
      {
        pod: 'search ec2.internal\nnameserver 10.0.0.2',
        node: 'search ec2.internal\nnameserver 10.0.0.2',
        instance: 'search ec2.internal\nnameserver 10.0.0.2',
        internet: 'nameserver 100.64.0.1',
        hosts: `127.0.0.1 localhost\n127.0.1.1 ${lab.name}`,
        // curl looks it up each time, and must not wait for a server that nobody reaches.
        itself: `127.0.1.1       ${lab.name}`,
      },
    );
    for (const where of ['pod/a', 'pod/b', 'internet/example.com']) {
      t.match(await lab.out(where, 'getent hosts example.com'), /^198\.51\.100\.10 +example\.com$/);
    }
    t.match((await lab.cli('exec', 'pod/a', '--', 'dig', '+short', 'example.com')).stdout, /^198/);
    // A thing that comes later has its own, and one that goes takes it along.
    await lab.change(edit(LAB, 'pod/b:', 'pod/c:'), pods(['a', 'c']));
    t.match(await lab.out('pod/c', 'getent hosts example.com'), /^198/);
    t.strictSame((await lab.sh('ls /etc/netns')).stdout.split('\n').filter(Boolean), [
      'eks-api-1',
      'eks-api-2',
      'eks-public',
      'example.com',
      'far',
      'node-1',
      'pod-a',
      'pod-c',
      'web',
    ]);
  });
});

const PROBES = `
probes:
  by-public-name:
    from: pod/a
    http: http://${PUBLIC_NAME}/
    expect: { status: 200, answeredBy: instance/web, sourceSeen: 10.0.3.50 }
  by-public-name-from-outside:
    from: internet/example.com
    http: http://${PUBLIC_NAME}/
    expect: { status: 200, answeredBy: instance/web }
  by-private-name:
    from: pod/b
    http: http://ip-10-0-0-10/
    expect: { status: 200, answeredBy: instance/web }
  the-server-itself: { from: pod/a, tcp: '10.0.0.2:53', expect: { verdict: allowed } }
  its-other-address: { from: pod/b, tcp: '169.254.169.253:53', expect: { verdict: allowed } }
  no-ping: { from: pod/a, ping: 10.0.0.2, expect: { verdict: timeout } }
experiments:
  off:
    with: { vpcs.main.enableDnsSupport: false }
    probes:
      by-name: { from: instance/web, http: example.com, expect: { verdict: timeout } }
      by-address: { from: instance/web, http: 198.51.100.10, expect: { status: 200 } }
      the-server-itself: { from: pod/a, tcp: '10.0.0.2:53', expect: { verdict: timeout } }
      its-other-address: { from: pod/b, tcp: '169.254.169.253:53', expect: { verdict: timeout } }
`;

t.test('probes by name, and of the DNS server, are seen as they are predicted', async (t) => {
  await withLab(t, { ...INPUT, lab: LAB + PROBES }, async (lab) => {
    const groups = await lab.probe();
    const results = groups.flatMap((group) => group.results);
    t.equal(results.length, 10);
    for (const { name, differences } of results) t.strictSame(differences, [], name);
  });
});

t.test('a DNS server that dies is missed, and comes back', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    for (const [netns, where] of [
      ['vpc-main', 'pod/a'],
      ['internet', 'internet/example.com'],
    ] as const) {
      await lab.out(where, 'getent hosts example.com');
      await lab.sh(`kill -9 $(cat /run/hoplab/dnsmasq-${netns}.pid)`);
      const says = await lab.poll(
        async () => renderDrift((await lab.verify()).drift, false),
        (text) => text !== '',
      );
      t.match(says, new RegExp(`the server dnsmasq-${netns} does not run`));
      t.equal((await lab.in(where, 'getent hosts example.com')).exitCode, 2);
      const { after } = await lab.repair();
      t.strictSame(after.drift, []);
      t.match(await lab.out(where, 'getent hosts example.com'), /^198/);
    }
  });
});

/** The cluster's DNS server (`src/host/cluster-dns.pl`) on the real kernel, by itself: a client, the server, an upstream. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import type { Finished } from '../../src/host/exec.ts';
import { readPrograms } from '../../src/host/lab-files.ts';
import { MachineError } from '../../src/host/machine-error.ts';
import { killSandbox, startSandbox } from '../../src/host/sandbox.ts';
import { LabStore } from '../../src/host/store.ts';
import { Inside } from '../support/inside.ts';

// Much of the time is waiting for upstreams that say nothing.
t.jobs = 4;

const PROGRAM = '/run/cluster-dns.pl';

/** 10.1.0.3 and 10.1.0.4 are the upstream's too, and nobody listens there. */
const NETWORK = `
set -e
for name in client dns up; do
  ip netns add $name
  ip -n $name link set lo up
done
ip link add eth0 netns client type veth peer name eth0 netns dns
ip link add eth1 netns dns type veth peer name eth0 netns up
ip -n client addr add 10.2.0.2/24 dev eth0
ip -n dns addr add 10.2.0.1/24 dev eth0
ip -n dns addr add 10.1.0.1/24 dev eth1
for address in 10.1.0.2 10.1.0.3 10.1.0.4; do ip -n up addr add $address/24 dev eth0; done
for link in 'client eth0' 'dns eth0' 'dns eth1' 'up eth0'; do
  ip -n \${link% *} link set \${link#* } up
done
printf '198.51.100.10 example.com\\n' >/run/hosts
for i in $(seq 40); do echo "198.51.101.$i many.example.com" >>/run/hosts; done
ip netns exec up dnsmasq -C /dev/null --user=root --pid-file= --bind-interfaces --listen-address=10.1.0.2 \\
  --no-resolv --no-hosts --addn-hosts=/run/hosts --local=/com/ --local=/in-addr.arpa/ \\
  --cname=www.example.com,example.com --log-queries --log-facility=/run/upstream.log
`;

const ZONE = `zone cluster.local
a web.default.svc.cluster.local 10.96.0.10
srv _http._tcp.web.default.svc.cluster.local 0 100 80 web.default.svc.cluster.local
ptr 10.96.0.10 web.default.svc.cluster.local
a three.default.svc.cluster.local 10.0.0.1
a three.default.svc.cluster.local 10.0.0.2
a three.default.svc.cluster.local 10.0.0.3
cname inside.default.svc.cluster.local web.default.svc.cluster.local
cname gone.default.svc.cluster.local nobody.default.svc.cluster.local
cname round.default.svc.cluster.local round.default.svc.cluster.local
cname outside.default.svc.cluster.local www.example.com
cname nowhere.default.svc.cluster.local nobody.example.com
cname many.default.svc.cluster.local many.example.com
txt dns-version.cluster.local 1.1.0
exists other.svc.cluster.local
pods default
${Array.from({ length: 60 }, (_, i) => `a sixty.default.svc.cluster.local 10.3.0.${i + 1}\n`).join('')}`;
const SOA =
  'cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5';
const SVC = 'default.svc.cluster.local';

class Machines {
  readonly #inside: Inside;

  constructor(inside: Inside) {
    this.#inside = inside;
  }

  async sh(script: string): Promise<Finished> {
    return this.#inside.run(['sh', '-c', script]);
  }

  async out(script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.sh(script);
    if (exitCode !== 0) throw new Error(`${script}: exit ${exitCode}\n${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  /** It listens once this returns. */
  async serve(config: string): Promise<Finished> {
    return this.sh(
      `cat >/run/dns.conf <<'END'\n${config}\nEND\nexec perl ${PROGRAM} /run/dns.conf /run/dns.pid`,
    );
  }

  /** The status, the flags but for `qr`, and the records of all sections. */
  async dig(question: string): Promise<string[]> {
    const options = '+tries=1 +time=8 +noall +comments +answer +authority +additional';
    const text = await this.out(`ip netns exec client dig @10.2.0.1 ${options} ${question}`);
    const [, status = text] = /status: (\w+)/.exec(text) ?? [];
    const [, flags = ''] = /flags: qr([a-z ]*);/.exec(text) ?? [];
    const records = text.split('\n').filter((line) => /^[^;]/.test(line));
    return [status + flags, ...records.map((line) => line.replaceAll(/\s+/g, ' '))];
  }

  /** What a Perl script of the client prints. */
  async client(script: string, ...words: readonly (number | string)[]): Promise<string> {
    return this.out(`exec ip netns exec client perl -e '${script}' ${words.join(' ')}`);
  }

  async digs<Key extends string>(
    questions: Readonly<Record<Key, string>>,
  ): Promise<Record<Key, string[]>> {
    const entries = Object.entries(questions) as [Key, string][];
    const answers = entries.map(async ([key, what]) => [key, await this.dig(what)] as const);
    return Object.fromEntries(await Promise.all(answers)) as Record<Key, string[]>;
  }
}

let count = 0;

async function withMachines(
  t: Test,
  upstreams: string,
  body: (machines: Machines) => Promise<void>,
): Promise<void> {
  count += 1;
  const state = mkdtempSync(join(tmpdir(), 'hoplab-test-'));
  process.env['XDG_STATE_HOME'] = state;
  const store = new LabStore(`test-${process.pid}-${count}`);
  t.teardown(async () => {
    await killSandbox(store);
    rmSync(state, { recursive: true, force: true });
  });
  store.create();
  try {
    const machines = new Machines(new Inside(await startSandbox(store)));
    await machines.out(`cat >${PROGRAM} <<'PERL'\n${readPrograms().clusterDns}PERL`);
    await machines.out(NETWORK);
    const { exitCode, stderr } = await machines.serve(`${ZONE}listen dns ${upstreams}`);
    if (exitCode !== 0) throw new Error(stderr);
    await body(machines);
  } catch (error) {
    if (!(error instanceof MachineError) || process.env['REQUIRE_NETNS'] === '1') throw error;
    t.plan(0, error.message.split('\n')[0]);
  }
}

t.test('it knows its zone, and says no in the zone’s name', async (t) => {
  await withMachines(t, '10.1.0.2', async (machines) => {
    const web = `web.${SVC}. 5 IN A 10.96.0.10`;
    t.strictSame(
      await machines.digs({
        service: `web.${SVC}`,
        'service, in other letters': `WEB.Default.svc.Cluster.LOCAL`,
        'no recursion wanted': `+norec web.${SVC}`,
        'no OPT': `+noedns web.${SVC}`,
        'over TCP': `+tcp web.${SVC}`,
        'another type': `web.${SVC} AAAA`,
        'nobody’s': `nobody.${SVC}`,
        'below a service': `below.web.${SVC}`,
        'above one': `_tcp.web.${SVC}`,
        'a namespace': SVC,
        'a namespace without a record': 'other.svc.cluster.local',
        'the zone': 'cluster.local SOA',
        port: `_http._tcp.web.${SVC} SRV`,
        text: 'dns-version.cluster.local TXT',
        address: '-x 10.96.0.10',
        'alias inside': `inside.${SVC}`,
        'alias itself': `outside.${SVC} CNAME`,
        'alias of nobody': `gone.${SVC}`,
        'alias of itself': `round.${SVC}`,
        pod: '10-0-3-4.default.pod.cluster.local',
        'pod, another type': '10-0-3-4.default.pod.cluster.local AAAA',
        'pod of another namespace': '10-0-3-4.other.pod.cluster.local',
        'no pod’s address': '10-0-3-256.default.pod.cluster.local',
      }),
      {
        service: ['NOERROR aa rd ra', web],
        'service, in other letters': [
          'NOERROR aa rd ra',
          'WEB.Default.svc.Cluster.LOCAL. 5 IN A 10.96.0.10',
        ],
        'no recursion wanted': ['NOERROR aa', web],
        'no OPT': ['NOERROR aa rd ra', web],
        'over TCP': ['NOERROR aa rd ra', web],
        'another type': ['NOERROR aa rd ra', SOA],
        'nobody’s': ['NXDOMAIN aa rd ra', SOA],
        'below a service': ['NXDOMAIN aa rd ra', SOA],
        'above one': ['NOERROR aa rd ra', SOA],
        'a namespace': ['NOERROR aa rd ra', SOA],
        'a namespace without a record': ['NOERROR aa rd ra', SOA],
        'the zone': ['NOERROR aa rd ra', SOA],
        port: ['NOERROR aa rd ra', `_http._tcp.web.${SVC}. 5 IN SRV 0 100 80 web.${SVC}.`, web],
        text: ['NOERROR aa rd ra', 'dns-version.cluster.local. 5 IN TXT "1.1.0"'],
        address: ['NOERROR aa rd ra', `10.0.96.10.in-addr.arpa. 5 IN PTR web.${SVC}.`],
        'alias inside': ['NOERROR aa rd ra', `inside.${SVC}. 5 IN CNAME web.${SVC}.`, web],
        'alias itself': ['NOERROR aa rd ra', `outside.${SVC}. 5 IN CNAME www.example.com.`],
        'alias of nobody': ['NXDOMAIN aa rd ra', `gone.${SVC}. 5 IN CNAME nobody.${SVC}.`, SOA],
        'alias of itself': ['NOERROR aa rd ra', `round.${SVC}. 5 IN CNAME round.${SVC}.`],
        pod: ['NOERROR aa rd ra', '10-0-3-4.default.pod.cluster.local. 5 IN A 10.0.3.4'],
        'pod, another type': ['NOERROR aa rd ra', SOA],
        'pod of another namespace': ['NXDOMAIN aa rd ra', SOA],
        'no pod’s address': ['NXDOMAIN aa rd ra', SOA],
      },
    );
  });
});

t.test('what it does not know it asks upstream, and nothing that is in its zone', async (t) => {
  await withMachines(t, '10.1.0.2', async (machines) => {
    t.strictSame(
      await machines.digs({
        name: 'example.com',
        'over TCP': '+tcp example.com',
        'nobody’s': 'nobody.example.com',
        address: '-x 198.51.100.10',
        'nobody’s address': '-x 198.51.100.99',
        alias: `outside.${SVC}`,
        'alias, over TCP': `+tcp outside.${SVC}`,
        'alias, another type': `outside.${SVC} AAAA`,
        'alias of nobody': `nowhere.${SVC}`,
        // What a resolver tries first, with the search domains of a pod.
        'in the search domain': `example.com.${SVC}`,
        'in the next one': 'example.com.svc.cluster.local',
        'in the last one': 'example.com.cluster.local',
        'almost the zone': 'example.com.xcluster.local',
      }),
      {
        name: ['NOERROR aa rd ra', 'example.com. 0 IN A 198.51.100.10'],
        'over TCP': ['NOERROR aa rd ra', 'example.com. 0 IN A 198.51.100.10'],
        'nobody’s': ['NXDOMAIN rd ra'],
        address: ['NOERROR aa rd ra', '10.100.51.198.in-addr.arpa. 0 IN PTR example.com.'],
        'nobody’s address': ['NXDOMAIN rd ra'],
        alias: [
          'NOERROR aa rd ra',
          `outside.${SVC}. 5 IN CNAME www.example.com.`,
          'www.example.com. 0 IN CNAME example.com.',
          'example.com. 0 IN A 198.51.100.10',
        ],
        'alias, over TCP': [
          'NOERROR aa rd ra',
          `outside.${SVC}. 5 IN CNAME www.example.com.`,
          'www.example.com. 0 IN CNAME example.com.',
          'example.com. 0 IN A 198.51.100.10',
        ],
        'alias, another type': [
          'NOERROR aa rd ra',
          `outside.${SVC}. 5 IN CNAME www.example.com.`,
          'www.example.com. 0 IN CNAME example.com.',
        ],
        'alias of nobody': ['NXDOMAIN aa rd ra', `nowhere.${SVC}. 5 IN CNAME nobody.example.com.`],
        'in the search domain': ['NXDOMAIN aa rd ra', SOA],
        'in the next one': ['NXDOMAIN aa rd ra', SOA],
        'in the last one': ['NXDOMAIN aa rd ra', SOA],
        // dnsmasq itself has nobody to ask.
        'almost the zone': ['REFUSED rd ra'],
      },
    );
    const asked = await machines.out("sed -n 's/.* query\\[[A-Z]*\\] //p' /run/upstream.log");
    t.match(asked, /^example\.com\.xcluster\.local from 10\.1\.0\.1$/m);
    t.notMatch(asked, /[. ]cluster\.local/);
  });
});

t.test('what is larger than the client takes is cut off, and whole over TCP', async (t) => {
  await withMachines(t, '10.1.0.2', async (machines) => {
    const counted = async (question: string): Promise<string> => {
      const [head = '', ...records] = await machines.dig(question);
      return `${head} ${records.length}`;
    };
    t.strictSame(
      {
        'as it is': await counted(`+ignore +noedns sixty.${SVC}`),
        'with OPT': await counted(`+ignore +bufsize=600 sixty.${SVC}`),
        'with more room': await counted(`+ignore +bufsize=1232 sixty.${SVC}`),
        'again, over TCP': await counted(`+noedns sixty.${SVC}`),
        upstream: await counted('+noedns many.example.com'),
        'alias, cut off': await counted(`+ignore +noedns many.${SVC}`),
        alias: await counted(`+noedns many.${SVC}`),
      },
      {
        'as it is': 'NOERROR aa tc rd ra 28',
        'with OPT': 'NOERROR aa tc rd ra 33',
        'with more room': 'NOERROR aa rd ra 60',
        'again, over TCP': 'NOERROR aa rd ra 60',
        upstream: 'NOERROR aa rd ra 40',
        'alias, cut off': 'NOERROR aa tc rd ra 28',
        alias: 'NOERROR aa rd ra 41',
      },
    );
  });
});

t.test('each address of a name has its turn to be the first', async (t) => {
  await withMachines(t, '10.1.0.2', async (machines) => {
    const answers: string[] = [];
    for (let i = 0; i < 4; i += 1) {
      const [, ...records] = await machines.dig(`three.${SVC}`);
      answers.push(records.map((record) => record.replace(/.* /, '')).join(' '));
    }
    t.strictSame(answers, [
      '10.0.0.1 10.0.0.2 10.0.0.3',
      '10.0.0.2 10.0.0.3 10.0.0.1',
      '10.0.0.3 10.0.0.1 10.0.0.2',
      '10.0.0.1 10.0.0.2 10.0.0.3',
    ]);
  });
});

t.test(
  'who does not answer upstream is followed by the next one, the last by SERVFAIL',
  async (t) => {
    await withMachines(t, '10.1.0.3 10.1.0.2', async (machines) => {
      const started = Date.now();
      t.strictSame(
        await machines.digs({ name: 'example.com', alias: `nowhere.${SVC}`, own: `web.${SVC}` }),
        {
          name: ['NOERROR aa rd ra', 'example.com. 0 IN A 198.51.100.10'],
          alias: ['NXDOMAIN aa rd ra', `nowhere.${SVC}. 5 IN CNAME nobody.example.com.`],
          own: ['NOERROR aa rd ra', `web.${SVC}. 5 IN A 10.96.0.10`],
        },
      );
      t.ok(Date.now() - started >= 1900, 'the first one has two seconds');
    });
    await withMachines(t, '10.1.0.3 10.1.0.4', async (machines) => {
      t.strictSame(
        await machines.digs({
          name: 'example.com',
          'over TCP': '+tcp example.com',
          alias: `outside.${SVC}`,
        }),
        {
          name: ['SERVFAIL rd ra'],
          'over TCP': ['SERVFAIL rd ra'],
          alias: ['SERVFAIL aa rd ra', `outside.${SVC}. 5 IN CNAME www.example.com.`],
        },
      );
    });
  },
);

/** Answers from another port, another address, with another id and to another question; and only then as it should. */
const LIAR = `
use strict; use Socket;
sub bound { socket(my $s, PF_INET, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_in($_[1], inet_aton($_[0]))) or die; return $s }
my ($it, $port, $address) = (bound("10.1.0.3", 53), bound("10.1.0.3", 5353), bound("10.1.0.4", 53));
exit if fork;
close STDOUT; close STDERR;
while (my $peer = recv($it, my $message, 4096, 0)) {
  my $id = unpack("n", $message);
  my $question = substr($message, 12, index($message, "\\0", 12) - 7);
  my $say = sub {
    my ($from, $id, $question, $address) = @_;
    send($from, pack("n6", $id, 0x8180, 1, 1, 0, 0) . $question . pack("n3Nn", 0xc00c, 1, 1, 60, 4) . inet_aton($address), 0, $peer);
  };
  $say->($port, $id, $question, "192.0.2.1");
  $say->($address, $id, $question, "192.0.2.2");
  $say->($it, $id ^ 1, $question, "192.0.2.3");
  $say->($it, $id, "\\5other" . substr($question, 6), "192.0.2.4");
  $say->($it, $id, $question, "198.51.100.10");
}
`;

t.test(
  'an answer counts only from the upstream that was asked, and to what was asked',
  async (t) => {
    await withMachines(t, '10.1.0.3', async (machines) => {
      await machines.out(`exec ip netns exec up perl -e '${LIAR}'`);
      t.strictSame(await machines.digs({ name: 'right.example.com', alias: `outside.${SVC}` }), {
        name: ['NOERROR rd ra', 'right.example.com. 60 IN A 198.51.100.10'],
        alias: [
          'NOERROR aa rd ra',
          `outside.${SVC}. 5 IN CNAME www.example.com.`,
          'www.example.com. 60 IN A 198.51.100.10',
        ],
      });
    });
  },
);

/** Thousands of datagrams and some connections of which hardly one says anything; the same each time. */
const FUZZ = `
use strict; use Socket;
srand 1;
my $dns = pack_sockaddr_in(53, inet_aton("10.2.0.1"));
my $name = join("", map { pack("C/a*", $_) } qw(web default svc cluster local)) . "\\0";
my $good = pack("n6", 1, 0x100, 1, 0, 0, 0) . $name . pack("n2", 1, 1);
sub noise { join("", map { chr rand 256 } 1 .. rand $_[0]) }
my @kinds = (
  sub { noise(200) },
  sub { substr($good, 0, rand length $good) },
  sub { my $m = $good; substr($m, rand length $m, 1) = chr rand 256 for 1 .. 4; $m },
  sub { pack("n6", 1, 0x100, 1, 0, 0, 1) . substr($good, 12) . pack("CnnNn", 0, 41, rand 65536, rand 2 ** 32, rand 30) . noise(30) },
  sub { pack("n6", 1, 0x100, 1 + rand 2, rand 3, rand 3, rand 3) . pack("n", 0xc000 | rand 40) . noise(60) },
);
socket(my $udp, PF_INET, SOCK_DGRAM, 0) or die;
for my $i (1 .. 5000) {
  my $message = $kinds[$i % @kinds]->();
  send($udp, $message, 0, $dns);
  # Some of them also as a stream that ends, or is reset, somewhere.
  next if $i % 20;
  socket(my $tcp, PF_INET, SOCK_STREAM, 0) or die;
  connect($tcp, $dns) or die "connect: $!";
  syswrite($tcp, pack("n", length $message) . $message . noise(50));
  setsockopt($tcp, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)) if $i % 40;
}
print "done";
`;

/** What is no query: too short, an answer, without a question, with a name that leads to itself; each on its own. */
const SILENCE = `
use strict; use Socket;
socket(my $udp, PF_INET, SOCK_DGRAM, 0) or die;
connect($udp, pack_sockaddr_in(53, inet_aton("10.2.0.1"))) or die;
my $question = "\\3web\\7default\\3svc\\7cluster\\5local\\0" . pack("n2", 1, 1);
my @messages = (
  "short",
  pack("n6", 1, 0x8100, 1, 0, 0, 0) . $question,
  pack("n6", 2, 0x100, 0, 0, 0, 0),
  pack("n6", 3, 0x100, 1, 0, 0, 0) . pack("n3", 0xc00c, 1, 1),
  pack("n6", 4, 0x100, 1, 0, 0, 0) . "\\3web" . pack("n3", 0xc00c, 1, 1),
  pack("n6", 5, 0x100, 1, 0, 0, 0) . substr($question, 0, 20),
  pack("n6", 6, 0x100, 1, 0, 0, 1) . $question . "\\0",
  # The one that is a query: those before it are done with when it is answered.
  pack("n6", 7, 0x100, 1, 0, 0, 0) . $question,
);
send($udp, $_, 0) for @messages;
while (defined recv($udp, my $answer, 512, 0)) {
  my $id = unpack("n", $answer);
  print "$id ";
  last if $id == 7;
}
`;

t.test('what is no query is not answered, and does not end it', async (t) => {
  await withMachines(t, '10.1.0.2', async (machines) => {
    t.equal(await machines.client(SILENCE), '7');
    t.equal(await machines.client(FUZZ), 'done');
    const server = await machines.out('cat /run/dns.pid');
    t.match(await machines.out(`tr '\\0' ' ' </proc/${server}/cmdline`), /^perl .*cluster-dns\.pl/);
    t.strictSame(
      await machines.digs({
        own: `web.${SVC}`,
        upstream: '+tcp example.com',
        'another opcode': `+opcode=notify web.${SVC}`,
        'another class': `-c CH web.${SVC}`,
        'another version of OPT': `+edns=1 +noednsneg web.${SVC}`,
      }),
      {
        own: ['NOERROR aa rd ra', `web.${SVC}. 5 IN A 10.96.0.10`],
        upstream: ['NOERROR aa rd ra', 'example.com. 0 IN A 198.51.100.10'],
        'another opcode': ['NOTIMP rd ra'],
        'another class': ['REFUSED rd ra'],
        'another version of OPT': ['BADVERS rd ra'],
      },
    );
  });
});

/** Several queries on one connection, byte by byte, with an end that still wants to hear: their ids and rcodes, by id. */
const STREAM = `
use strict; use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
socket(my $tcp, PF_INET, SOCK_STREAM, 0) or die;
setsockopt($tcp, IPPROTO_TCP, TCP_NODELAY, 1);
connect($tcp, pack_sockaddr_in(53, inet_aton("10.2.0.1"))) or die;
my $id = 0;
my $said = pack("n", 5) . "short";
for my $name (@ARGV) {
  my $query = pack("n6", ++$id, 0x100, 1, 0, 0, 0) . join("", map { pack("C/a*", $_) } split /[.]/, $name) . "\\0" . pack("n2", 1, 1);
  $said .= pack("n", length $query) . $query;
}
syswrite($tcp, $_) for split //, $said;
shutdown($tcp, 1);
my ($heard, %rcodes) = ("");
1 while sysread($tcp, $heard, 65536, length $heard);
for my $answer (unpack("(n/a*)*", $heard)) { $rcodes{ unpack("n", $answer) } = unpack("x3C", $answer) & 15 }
print join(" ", map { "$_:$rcodes{$_}" } sort keys %rcodes);
`;

t.test('a TCP connection carries several queries, and is heard to its end', async (t) => {
  await withMachines(t, '10.1.0.2', async (machines) => {
    const names = ['example.com', `web.${SVC}`, `nobody.${SVC}`, 'nobody.example.com'];
    t.equal(await machines.client(STREAM, ...names), '1:0 2:0 3:3 4:3');
  });
});

/** Asks RATE times a second for so many seconds; how many were answered with an address. */
const RATE = `
use strict; use Socket; use Time::HiRes qw(time);
my ($rate, $seconds, $name) = @ARGV;
socket(my $udp, PF_INET, SOCK_DGRAM, 0) or die;
connect($udp, pack_sockaddr_in(53, inet_aton("10.2.0.1"))) or die;
my $question = join("", map { pack("C/a*", $_) } split /[.]/, $name) . "\\0" . pack("n2", 1, 1);
my ($asked, $answered, $start) = (0, 0, time);
while ($answered < $rate * $seconds and time - $start < $seconds + 5) {
  for (; $asked < $rate * $seconds && $asked < (time - $start) * $rate; $asked++) {
    send($udp, pack("n6", $asked, 0x100, 1, 0, 0, 0) . $question, 0);
  }
  my $read = "";
  vec($read, fileno $udp, 1) = 1;
  while (select(my $ready = $read, undef, undef, 0.001) > 0) {
    recv($udp, my $answer, 512, 0);
    $answered++ if unpack("x6n", $answer) == 1;
  }
}
print "$answered of $asked";
`;

t.test('hundreds of queries a second are answered, own ones and others', async (t) => {
  await withMachines(t, '10.1.0.2', async (machines) => {
    t.strictSame(
      await Promise.all([
        machines.client(RATE, 200, 2, `web.${SVC}`),
        machines.client(RATE, 200, 2, 'example.com'),
      ]),
      ['400 of 400', '400 of 400'],
    );
  });
});

t.test('each namespace has a server of its own, which asks from there', async (t) => {
  await withMachines(t, '10.1.0.2', async (machines) => {
    await machines.out('kill $(cat /run/dns.pid) && ip netns add far && ip -n far link set lo up');
    const { exitCode } = await machines.serve(`${ZONE}listen far 10.1.0.2\nlisten client 10.1.0.2`);
    t.equal(exitCode, 0);
    const dig = async (netns: string, name: string): Promise<string> =>
      machines.out(
        `ip netns exec ${netns} dig @127.0.0.1 +tries=1 +noall +comments ${name} | sed -n 's/.*status: \\([A-Z]*\\).*/\\1/p'`,
      );
    // Neither has a way to the upstream: who can't send at all does not wait.
    t.strictSame(
      [
        await dig('far', `web.${SVC}`),
        await dig('client', `web.${SVC}`),
        await dig('far', 'example.com'),
        await dig('client', 'example.com'),
      ],
      ['NOERROR', 'NOERROR', 'SERVFAIL', 'SERVFAIL'],
    );
  });
});

t.test(
  'what is wrong with the configuration is said before it goes to the background',
  async (t) => {
    await withMachines(t, '10.1.0.2', async (machines) => {
      const refusal = async (config: string): Promise<string> => {
        const { exitCode, stderr } = await machines.serve(config);
        return `${exitCode === 0 ? 'accepted' : 'refused'} ${stderr.trim()}`;
      };
      t.strictSame(
        {
          'no zone': await refusal('listen client 10.1.0.2'),
          'nobody listens': await refusal('zone cluster.local'),
          'no such word': await refusal('zone cluster.local\nmx a b'),
          'no address': await refusal('zone cluster.local\na web.cluster.local localhost'),
          outside: await refusal('zone cluster.local\na example.com 10.0.0.1'),
          'no netns': await refusal('zone cluster.local\nlisten nowhere 10.1.0.2'),
          twice: await refusal('zone cluster.local\nlisten dns 10.1.0.2'),
        },
        {
          'no zone': 'refused cluster-dns: /run/dns.conf: there must be one zone',
          'nobody listens': 'refused cluster-dns: /run/dns.conf: nobody listens',
          'no such word': 'refused cluster-dns: /run/dns.conf:2: nothing is called "mx"',
          'no address': 'refused cluster-dns: /run/dns.conf:2: "localhost" is no address',
          outside:
            'refused cluster-dns: /run/dns.conf:2: "example.com" is outside of cluster.local',
          'no netns': 'refused cluster-dns: netns nowhere: No such file or directory',
          twice: 'refused cluster-dns: dns udp 53: Address already in use',
        },
      );
    });
  },
);

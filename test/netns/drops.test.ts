/** What is denied is written down, with the reason, and what is not denied is not. */

import t from 'tap';

import { DROP_LOG } from '../../src/aws/drop-log.ts';
import { type Drop, parseDropLog, renderDecision } from '../../src/observe/drop.ts';
import { renderFlush } from '../../src/probe/drop-log.ts';
import { renderDrift } from '../../src/report/drift.ts';
import { edit, type TestLab, withLab } from '../support/with-lab.ts';

// Much of the time is waiting for what does not come.
t.jobs = 2;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      clients: { cidr: 10.0.1.0/24, az: az-1, routeTable: clients }
      servers: { cidr: 10.0.2.0/24, az: az-1 }
      firewall: { cidr: 10.0.5.0/24, az: az-1 }
    routeTables:
      clients: { routes: [{ destination: 10.0.2.0/24, target: instance/fw }] }
    instances:
      client: { subnet: clients, address: 10.0.1.10 }
      twin: { subnet: clients, address: 10.0.1.20, ports: [80, 5432] }
      server: { subnet: servers, address: 10.0.2.10 }
      fw: { subnet: firewall, address: 10.0.5.10, sourceDestCheck: false }
probes:
  through-the-appliance: { from: instance/client, http: 'http://10.0.2.10/' }
  ping-through-it: { from: instance/client, ping: 10.0.2.10 }
  to-the-twin: { from: instance/client, http: 'http://10.0.1.20/' }
`;
/** The appliance is handed nothing that is not for it. */
const CHECKED = edit(LAB, ', sourceDestCheck: false', '');

/** All that was denied so far. */
async function denied(lab: TestLab): Promise<readonly Drop[]> {
  const { exitCode, stdout } = await lab.sh(`${renderFlush()} || exit; cat ${DROP_LOG}`);
  if (exitCode !== 0) throw new Error('nobody writes the log');
  return parseDropLog(stdout).drops;
}

/** `icmp echo-request 10.0.1.10 > 10.0.1.20: why`, each once. */
function words(drops: readonly Drop[]): string[] {
  return [
    ...new Set(
      drops.map((drop) => {
        const { protocol, icmpType, flags, source, destination, destinationPort } = drop;
        const port = destinationPort === undefined ? '' : `:${destinationPort}`;
        return `${protocol} ${icmpType ?? flags ?? ''} ${source} > ${destination}${port}: ${renderDecision(drop)}`;
      }),
    ),
  ];
}

/** A ping with an address that the sender's ENI does not have. The neighbour's MAC is known by an honest one before it. */
async function spoof(lab: TestLab, who: string, to: string): Promise<void> {
  const honest = await lab.in(who, `ping -c 1 -W 2 ${to}`);
  if (honest.exitCode !== 0) throw new Error(honest.stdout);
  await lab.in(
    who,
    `ip addr add 10.0.9.9/32 dev lo; ping -c 1 -W 0.2 -I 10.0.9.9 ${to}; ip addr del 10.0.9.9/32 dev lo`,
  );
}

/** A rule as the plan will have them, at the head of a chain. */
function deny(match: string, reason: string): string {
  return `nft insert rule inet vpc egress ${match} log prefix '"${reason}"' group 1 snaplen 128 queue-threshold 1 counter drop`;
}

t.test('the source/destination check says what it drops, and nothing of what passes', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    const twin = 'ping -c 1 -W 2 10.0.1.20';
    t.equal((await lab.in('instance/client', twin)).exitCode, 0);
    t.strictSame(await denied(lab), [], 'a packet that passes leaves no line');

    const before = Date.now() / 1000 - 1;
    await spoof(lab, 'instance/client', '10.0.1.20');
    t.equal((await lab.in('instance/client', twin)).exitCode, 0);
    const drops = await denied(lab);
    t.strictSame(words(drops), [
      'icmp echo-request 10.0.9.9 > 10.0.1.20: source/destination check',
    ]);
    const [first] = drops;
    t.match(first, { netns: 'vpc-main', lengthBytes: 84, reason: 'ENI source/destination check' });
    t.ok((first?.time ?? 0) > before && (first?.time ?? 0) < Date.now() / 1000 + 1);
    t.equal(
      (await lab.curl({ server: ['instance/client', '10.0.2.10'] })).server,
      'client 10.0.1.10',
    );
    t.equal((await denied(lab)).length, drops.length, 'by the appliance, whose check is off');

    await lab.change(CHECKED);
    await lab.curl({ server: ['instance/client', '10.0.2.10'] });
    t.strictSame(words((await denied(lab)).slice(drops.length)), [
      'tcp S 10.0.1.10 > 10.0.2.10:80: source/destination check',
    ]);
  });
});

t.test('a probe has the denials of its own packets as evidence', async (t) => {
  await withLab(t, { lab: CHECKED }, async (lab) => {
    const ask = async (): Promise<Record<string, string[]>> => {
      const groups = await lab.probe();
      return Object.fromEntries(
        groups.flatMap(({ results }) =>
          results.map(({ name, evidence }) => [name, words(evidence.denied)]),
        ),
      );
    };
    const checked = {
      'through-the-appliance': ['tcp S 10.0.1.10 > 10.0.2.10:80: source/destination check'],
      'ping-through-it': ['icmp echo-request 10.0.1.10 > 10.0.2.10: source/destination check'],
      'to-the-twin': [],
    };
    t.strictSame(await ask(), checked);
    t.strictSame(await ask(), checked, 'not those of an earlier run');

    await lab.out('vpc/main', deny('tcp sport 80', 'NACL clients egress (rule *)'));
    t.strictSame(
      (await ask())['to-the-twin']?.map((line) => line.replace(/:\d{5}:/, ':PORT:')),
      ['tcp SA 10.0.1.20 > 10.0.1.10:PORT: acl/clients egress rule *'],
      'the answer is denied, not the request',
    );
    await lab.change(LAB);
    await lab.repair();
    t.strictSame(await ask(), {
      'through-the-appliance': [],
      'ping-through-it': [],
      'to-the-twin': [],
    });
  });
});

t.test('every reason that a rule gives is understood', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    const long = `SG ${'abcdefghij,'.repeat(9)}z egress (no rule)`;
    await lab.out(
      'vpc/main',
      [
        deny('tcp dport 5432', 'SG web,base egress (no rule)'),
        deny('udp dport 53', 'NACL clients ingress (rule 90)'),
        deny('tcp dport 22', 'SG tracking allowance exceeded'),
        deny('ip protocol gre', long),
      ].join(' && '),
    );
    const to = (what: string): string => `socat -u - ${what},connect-timeout=0.2`;
    const sent = await lab.in(
      'instance/client',
      [
        to('TCP4:10.0.1.20:5432'),
        'echo | socat -u - UDP4:10.0.1.20:53',
        to('TCP4:10.0.1.20:22'),
        'echo | socat -u - IP4-SENDTO:10.0.1.20:47',
      ].join('; '),
    );
    t.equal(sent.exitCode, 0, sent.stderr);
    t.strictSame(words(await denied(lab)), [
      'tcp S 10.0.1.10 > 10.0.1.20:5432: sg/web,sg/base egress',
      'udp  10.0.1.10 > 10.0.1.20:53: acl/clients ingress rule 90',
      'tcp S 10.0.1.10 > 10.0.1.20:22: tracking allowance',
      `47  10.0.1.10 > 10.0.1.20: ${'sg/abcdefghij,'.repeat(9)}sg/z egress`,
    ]);
  });
});

t.test('drops shows what was denied, with names, and where the rule stands', async (t) => {
  await withLab(t, { lab: CHECKED }, async (lab) => {
    t.match(await lab.cli('drops'), { exitCode: 0, stdout: 'nothing was denied\n', stderr: '' });
    const line = 'socat -u - TCP4:10.0.2.10:80,connect-timeout=1.4,sourceport=45000';
    await lab.in('instance/client', line);
    await spoof(lab, 'instance/client', '10.0.1.20');
    const { exitCode, stdout } = await lab.cli('drops');
    t.equal(exitCode, 0);
    t.strictSame(stdout.replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, 'HH:MM:SS.mmm').split('\n'), [
      'TIME          DENIED BY                     PACKET             FROM                                 TO',
      'HH:MM:SS.mmm  ENI source/destination check  tcp                10.0.1.10:45000 instance/client  ->  10.0.2.10:80 instance/server  2 times',
      'HH:MM:SS.mmm  ENI source/destination check  icmp echo-request  10.0.9.9                         ->  10.0.1.20 instance/twin',
      '3 packets denied',
      '  look: npx hoplab exec vpc/main -- nft list chain bridge fabric from-eni',
      '  look: npx hoplab exec vpc/main -- nft list chain bridge fabric to-eni',
      '',
    ]);
    const json = JSON.parse((await lab.cli('drops', '--json', '-n', '1')).stdout) as object;
    t.match(json, {
      ...{ lab: lab.name, denied: 3, lost: 0 },
      drops: [
        {
          ...{ protocol: 'icmp', icmpType: 'echo-request', source: '10.0.9.9', sourceName: null },
          ...{ destination: '10.0.1.20', destinationName: 'instance/twin', count: 1 },
          ...{ decision: { kind: 'source-dest-check' }, deniedBy: 'source/destination check' },
        },
      ],
    });
    t.equal((await lab.cli('drops', '--since', '1ms')).stdout, 'nothing was denied\n');
    t.match((await lab.cli('drops', '--since', '5m', '-n', '1')).stdout, '3 packets denied; ');
    t.match((await lab.cli('drops', '--since', 'soon')).stderr, 'error[not-a-duration]');
    await lab.sh('kill -9 $(cat /run/hoplab/drop-log.pid)');
    const silent = await lab.cli('drops');
    t.equal(
      silent.stderr,
      `nobody writes the log of denied packets: npx hoplab verify -l ${lab.name}\n`,
    );
    t.match(silent.stdout, '3 packets denied', 'what was written stays');
  });
});

t.test('drops -f goes on until somebody ends it, and leaves nothing inside', async (t) => {
  await withLab(t, { lab: CHECKED }, async (lab) => {
    const tails = async (): Promise<string> =>
      (await lab.sh('grep -l "^tail" /proc/[0-9]*/cmdline')).stdout;
    const ask = async (number: number): Promise<string> => {
      const port = 45_000 + number;
      await lab.in(
        'instance/client',
        `socat -u - TCP4:10.0.2.10:80,connect-timeout=0.1,sourceport=${port}`,
      );
      return `10.0.1.10:${port} instance/client -> 10.0.2.10:80 instance/server`;
    };
    const before = await ask(0);
    const live = lab.start('drops', '-f');
    await lab.poll(
      async () => live.stderr(),
      (text) => text.includes('listening'),
    );
    const first = await ask(1);
    await lab.poll(
      async () => live.stdout(),
      (text) => text.includes(first),
    );
    // A log that was moved aside is followed all the same, for it goes on under its name.
    await lab.sh(`mv ${DROP_LOG} ${DROP_LOG}.old; kill $(cat /run/hoplab/drop-log.pid)`);
    await lab.repair();
    const second = await ask(2);
    const seen = await lab.poll(
      async () => live.stdout(),
      (text) => text.includes(second),
    );
    t.match(seen, /^[\d:.]+ {2}ENI source\/destination check {2}tcp 10\.0\.1\.10:45001 .*\n/);
    t.match(seen, second);
    t.notMatch(seen, before);
    t.not(await tails(), '');
    t.equal(await live.end('SIGINT'), 0);
    t.equal(await lab.poll(tails, (text) => text === ''), '');

    const json = lab.start('drops', '-f', '--since', '5m', '--json');
    const lines = await lab.poll(
      async () => json.stdout(),
      (text) => text.split('\n').length > 3,
    );
    t.strictSame(
      lines
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as Drop).sourcePort),
      [45_000, 45_001, 45_002],
    );
    t.not(await tails(), '');
    await json.end('SIGKILL');
    t.equal(await lab.poll(tails, (text) => text === ''), '', 'nothing inside outlives it');
  });
});

t.test('the log is bounded, and what it could not keep up with is counted', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    await lab.out('vpc/main', deny('udp dport 53', 'NACL clients ingress (rule 90)'));
    // With modules of perl-base alone, as fast as one process can.
    const flood = (count: number): string =>
      `perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 0); $to = sockaddr_in(53, inet_aton("10.0.1.20")); send(S, "x", 0, $to) for 1 .. ${count}'`;
    const seen = async (): Promise<{ drops: readonly Drop[]; lost: number }> => {
      await denied(lab);
      return parseDropLog((await lab.sh(`cat ${DROP_LOG}.old ${DROP_LOG}`)).stdout);
    };
    await lab.out('instance/client', flood(60_000));
    await seen();
    await lab.out('instance/client', flood(1));
    const { drops, lost } = await seen();
    t.equal(drops.length + lost, 60_001, `${drops.length} written, ${lost} lost`);
    await lab.out('instance/client', flood(60_000));
    await seen();
    const sizes = (await lab.sh(`stat -c %s ${DROP_LOG} ${DROP_LOG}.old`)).stdout
      .trim()
      .split('\n');
    t.ok(
      sizes.every((size) => Number(size) <= 4 * 1024 * 1024),
      sizes.join(' '),
    );
  });
});

t.test('the log goes on where a VPC was made anew', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    const says = async (): Promise<string> => renderDrift((await lab.verify()).drift, false);
    // A namespace of the same name, which the process has never seen.
    await lab.sh('ip netns del vpc-main && ip netns add vpc-main');
    t.match(await says(), '✗ lab: server drop-log: it does not listen on nflog 1 of vpc-main');
    const { after } = await lab.repair();
    t.strictSame(after.drift, []);
    await spoof(lab, 'instance/client', '10.0.1.20');
    t.strictSame(words(await denied(lab)), [
      'icmp echo-request 10.0.9.9 > 10.0.1.20: source/destination check',
    ]);
  });
});

t.test('a VPC more, and one less, are heard too', async (t) => {
  const second = `
  second:
    cidr: 10.8.0.0/16
    subnets: { one: { cidr: 10.8.1.0/24, az: az-1 } }
    instances:
      a: { subnet: one, address: 10.8.1.10 }
      b: { subnet: one, address: 10.8.1.20 }
probes:`;
  await withLab(t, { lab: LAB }, async (lab) => {
    await lab.change(edit(LAB, '\nprobes:', second));
    await spoof(lab, 'instance/a', '10.8.1.20');
    await spoof(lab, 'instance/client', '10.0.1.20');
    t.strictSame(
      (await denied(lab)).map(({ netns }) => netns),
      ['vpc-second', 'vpc-main'],
    );
    await lab.change(LAB);
    t.notMatch((await lab.sh('ip netns list')).stdout, 'vpc-second');
    await spoof(lab, 'instance/client', '10.0.1.20');
    t.equal((await denied(lab)).at(-1)?.netns, 'vpc-main');
    t.strictSame((await lab.verify()).drift, []);
  });
});

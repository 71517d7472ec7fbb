/** `capture` as a person runs it: a process of its own, at a lab of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import t from 'tap';

import { InputError } from '../../src/base/diagnostic.ts';
import { capture } from '../../src/commands/capture.ts';
import { parse } from '../../src/commands/grammar.ts';
import { splitWords } from '../../src/commands/split-words.ts';
import { openTerminal } from '../../src/commands/terminal.ts';
import { run } from '../../src/host/exec.ts';
import { findSandbox } from '../../src/host/sandbox.ts';
import { hoplab } from '../support/cli.ts';
import { readPcapng } from '../support/pcapng.ts';
import { pods, type TestLab, withLab } from '../support/with-lab.ts';

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
    natGateways: { nat-1: { subnet: public, address: 10.0.1.50, elasticIp: 203.0.113.50 } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat-1 }] }
cluster:
  vpc: main
  cni: { AWS_VPC_K8S_CNI_EXTERNALSNAT: true }
  nodes: { node-1: { subnet: private, address: 10.0.3.10 } }
  pins: { pod/client: { address: 10.0.3.50 }, pod/other: { address: 10.0.3.51 } }
internet: { example.com: { address: 198.51.100.10 } }
`;
const MANIFESTS = pods(['client', 'other']);
const PATH = ['--path', 'pod/client', 'internet/example.com'] as const;
const PATIENCE_MS = 60_000;
const POLL_MS = 20;

class Capture {
  readonly process: ChildProcess;
  readonly ended: Promise<number | string>;
  stdout: Buffer = Buffer.alloc(0);
  stderr = '';

  constructor(lab: TestLab, ...words: readonly string[]) {
    const capture = ['capture', '-l', lab.name, ...words];
    const [file, ...args] = hoplab(capture, { XDG_STATE_HOME: lab.lab.directory });
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk: Buffer) => {
      this.stdout = Buffer.concat([this.stdout, chunk]);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        resolve(code ?? signal ?? '');
      });
    });
    this.process = child;
  }

  async listening(): Promise<this> {
    await this.until(() => this.stderr.includes('listening: '));
    return this;
  }

  /** Starting Node takes its time where many tests run at once. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!condition()) {
      if (this.process.exitCode !== null || Date.now() > deadline) {
        throw new Error(`never came: ${condition.toString()}\n${this.stderr}`);
      }
      await delay(POLL_MS);
    }
  }

  /** Its exit code, or the signal that ended it. */
  async end(signal: NodeJS.Signals): Promise<number | string> {
    this.process.kill(signal);
    return this.ended;
  }

  get lines(): string[] {
    return this.stdout.toString().trimEnd().split('\n');
  }

  /** The last line of standard error. */
  get summary(): string {
    return this.stderr.trimEnd().split('\n').at(-1) ?? '';
  }
}

/** Processes of captures, inside the sandbox and outside, once all that are to go have gone. */
async function left(lab: TestLab): Promise<string[]> {
  const token = (await findSandbox(lab.store))?.token ?? 'none';
  const look = async (): Promise<string[]> =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        } catch {
          return '';
        }
      })
      .filter((command) => command.includes(token) && command.includes('tcpdump'));
  const outside = await lab.poll(look, (found) => found.length === 0);
  const inside = await lab.poll(
    async () => (await lab.sh('cat /proc/[0-9]*/comm | grep -x tcpdump')).stdout,
    (found) => found === '',
  );
  return [...outside, ...inside.split('\n').filter((line) => line !== '')];
}

const ping = (lab: TestLab): Promise<string> =>
  lab.out('pod/client', 'ping -c 1 -W 5 198.51.100.10');

// One lab for all: each test listens for packets of its own.
await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
  // The command reads the lab where it was built from.
  const { directory } = lab.lab;
  mkdirSync(join(directory, 'manifests'));
  writeFileSync(join(directory, 'lab.yaml'), LAB);
  writeFileSync(join(directory, 'manifests', 'pods.yaml'), MANIFESTS);

  t.test('one pcapng along a path shows both translations, and silence beside it', async (t) => {
    const file = join(directory, 'path.pcapng');
    const capture = new Capture(lab, ...PATH, 'pod/other', '-w', file, '--', 'tcp', 'port', '80');
    const otherPort = new Capture(lab, ...PATH, '--', 'tcp', 'port', '81');
    await Promise.all([capture.listening(), otherPort.listening()]);
    t.strictSame(await lab.curl({ seen: ['pod/client', '198.51.100.10'] }), {
      seen: 'client 203.0.113.50',
    });
    const read = () => readPcapng(readFileSync(file));
    await capture.until(() =>
      read().packets.some(({ at, flags }) => at === 'pod/client:eth0' && flags === 'FA'),
    );
    t.strictSame(await Promise.all([capture.end('SIGINT'), otherPort.end('SIGINT')]), [0, 0]);
    t.match(capture.summary, /^\d+ packets at 6 places; written to /);
    t.equal(otherPort.summary, 'no packets');
    t.equal(otherPort.stdout.length, 0);

    const { application, interfaces, packets } = read();
    const veth = interfaces[1]?.name ?? '';
    t.equal(application, 'hoplab');
    t.match(veth, /^node\/node-1:eni[0-9a-f]{11}$/);
    t.strictSame(
      interfaces.map(({ name, description }) => `${name} = ${description}`),
      [
        'pod/client:eth0 = pod/client eth0 10.0.3.50',
        `${veth} = node/node-1, to pod/client 10.0.3.50`,
        'node/node-1:eth0 = node/node-1 eth0 10.0.3.10',
        'vpc/main:node-1-eth0 = vpc/main, port of node/node-1 eth0 10.0.3.10',
        'vpc/main:nat-1-eth0 = vpc/main, port of nat/nat-1 eth0 10.0.1.50',
        'nat/nat-1:eth0 = nat/nat-1 eth0 10.0.1.50 (203.0.113.50)',
        'vpc/main:igw = vpc/main, to igw',
        'igw:vpc = igw, to vpc/main',
        'igw:internet = igw, to the internet',
        'internet/example.com:eth0 = internet/example.com eth0 198.51.100.10',
        'pod/other:lo = pod/other lo',
        'pod/other:eth0 = pod/other eth0 10.0.3.51',
      ],
    );
    const way = [
      ['pod/client:eth0', 'out', '10.0.3.50'],
      [veth, 'in', '10.0.3.50'],
      ['node/node-1:eth0', 'out', '10.0.3.50'],
      ['vpc/main:node-1-eth0', 'in', '10.0.3.50'],
      ['vpc/main:nat-1-eth0', 'out', '10.0.3.50'],
      ['nat/nat-1:eth0', 'in', '10.0.3.50'],
      ['nat/nat-1:eth0', 'out', '10.0.1.50'],
      ['vpc/main:nat-1-eth0', 'in', '10.0.1.50'],
      ['vpc/main:igw', 'out', '10.0.1.50'],
      ['igw:vpc', 'in', '10.0.1.50'],
      ['igw:internet', 'out', '203.0.113.50'],
      ['internet/example.com:eth0', 'in', '203.0.113.50'],
    ];
    t.strictSame(
      packets
        .filter(({ flags }) => flags === 'S')
        .map((one) => [one.at, one.direction, one.source]),
      way,
    );
    t.strictSame(
      packets
        .filter(({ flags }) => flags === 'SA')
        .map((one) => [one.at, one.direction === 'in' ? 'out' : 'in', one.destination])
        .reverse(),
      way,
      'and the answer the same way back',
    );
    const times = packets.map(({ timeNs }) => timeNs);
    t.strictSame(
      times,
      times.toSorted((a, b) => (a < b ? -1 : 1)),
      'in the order of time',
    );
    t.strictSame(await left(lab), []);

    const fields = ['frame.interface_name', 'ip.src'].flatMap((name) => ['-e', name]);
    const tshark = await run([
      'tshark',
      '-r',
      file,
      '-Y',
      'tcp.flags == 2',
      '-T',
      'fields',
      ...fields,
    ]);
    if (tshark.exitCode === 127) t.comment('tshark is not installed');
    else {
      t.strictSame(
        tshark.stdout.trim().split('\n'),
        way.map(([at, , source]) => [at, source].join('\t')),
        'Wireshark reads the same',
      );
    }
  });

  t.test('on the screen each line has its place, its interface and its direction', async (t) => {
    const screen = await new Capture(
      lab,
      'pod/client',
      'nat/nat-1:eth0',
      '-c',
      '6',
      '--',
      'icmp',
    ).listening();
    const json = await new Capture(
      lab,
      'nat/nat-1',
      '--json',
      '-v',
      '-c',
      '2',
      '--',
      'icmp',
    ).listening();
    await ping(lab);
    t.strictSame(await Promise.all([screen.ended, json.ended]), [0, 0]);
    t.strictSame(
      screen.lines.map((line) =>
        line.replace(/\d\d:\d\d:\d\d\.\d{6}/, 'TIME').replace(/ id \d+.*/, ''),
      ),
      [
        'pod/client eth0  Out TIME IP 10.0.3.50 > 198.51.100.10: ICMP echo request,',
        'nat/nat-1  eth0  In  TIME IP 10.0.3.50 > 198.51.100.10: ICMP echo request,',
        'nat/nat-1  eth0  Out TIME IP 10.0.1.50 > 198.51.100.10: ICMP echo request,',
        'nat/nat-1  eth0  In  TIME IP 198.51.100.10 > 10.0.1.50: ICMP echo reply,',
        'nat/nat-1  eth0  Out TIME IP 198.51.100.10 > 10.0.3.50: ICMP echo reply,',
        'pod/client eth0  In  TIME IP 198.51.100.10 > 10.0.3.50: ICMP echo reply,',
      ],
    );
    t.equal(screen.summary, '6 packets at 2 places');
    t.match(
      json.lines.map((line) => JSON.parse(line) as unknown),
      [
        {
          place: 'nat/nat-1',
          interface: 'eth0',
          direction: 'in',
          source: '10.0.3.50',
          protocol: 'icmp',
        },
        {
          place: 'nat/nat-1',
          interface: 'eth0',
          direction: 'out',
          source: '10.0.1.50',
          text: /^IP /,
        },
      ],
    );
    t.match(json.stderr, /^ip netns exec nat-1 tcpdump -nn -i any '\(ifindex .*\) and \(icmp\)'$/m);
  });

  t.test('a capture of several places begins with the same packet at each', async (t) => {
    const pinging = lab.out('pod/client', 'ping -q -i 0.002 -w 60 198.51.100.10 || true');
    const places = ['pod/client', 'nat/nat-1', 'internet/example.com'] as const;
    const filter = ['icmp[icmptype]', '==', 'icmp-echo'];
    const screen = await new Capture(lab, ...places, '--', ...filter).listening();
    await screen.until(() => places.every((place) => screen.stdout.includes(`${place} `)));
    t.equal(await screen.end('SIGINT'), 0);
    await lab.sh('pkill -x ping');
    await pinging;
    const first = places.map((place) => {
      const line = screen.lines.find((one) => one.startsWith(`${place} `)) ?? '';
      return Number(/seq (\d+)/.exec(line)?.[1]);
    });
    // One may be on its way just then.
    t.ok(Math.max(...first) - Math.min(...first) <= 1, `sequence numbers ${first.join(', ')}`);
  });

  t.test(
    'a stream for Wireshark begins at once, goes on, and ends when nobody reads it',
    async (t) => {
      const capture = await new Capture(lab, ...PATH, '-w', '-', '--', 'icmp').listening();
      await capture.until(() => readPcapng(capture.stdout).interfaces.length === 10);
      t.equal(readPcapng(capture.stdout).packets.length, 0);
      await ping(lab);
      await capture.until(() => readPcapng(capture.stdout).packets.length === 24);
      capture.process.stdout?.destroy();
      await lab.poll(
        async () => {
          await ping(lab);
          return capture.process.exitCode;
        },
        (code) => code !== null,
      );
      t.equal(await capture.ended, 0);
      t.match(capture.summary, /^listening: /, 'in silence');
      t.strictSame(await left(lab), []);
    },
  );

  t.test('however a capture ends, its file can be read and no process is left', async (t) => {
    const ends = [
      ['SIGINT', 0],
      ['SIGTERM', 0],
      ['SIGHUP', 0],
      ['SIGKILL', 'SIGKILL'],
    ] as const;
    const captures = await Promise.all(
      ends.map(([signal]) => {
        const file = join(directory, signal);
        return new Capture(lab, 'nat/nat-1:eth0', '-w', file, '--', 'icmp').listening();
      }),
    );
    const short = new Capture(lab, 'igw', '--duration', '10ms');
    await ping(lab);
    for (const [index, [signal, code]] of ends.entries()) {
      const read = () => readPcapng(readFileSync(join(directory, signal)));
      await captures[index]?.until(() => read().packets.length === 4);
      t.equal(await captures[index]?.end(signal), code, signal);
      t.equal(read().packets.length, 4, signal);
    }
    t.equal(await short.ended, 0, 'after its time it ends by itself');
    t.strictSame(await left(lab), []);
  });

  t.test(
    'what cannot be captured is named, with what there is, and nothing is left running',
    async (t) => {
      const file = join(directory, 'never.pcapng');
      const answers = async (...words: string[]): Promise<string> => {
        const verb = await parse(splitWords(['capture', '-l', lab.name, ...words]), '');
        if (verb.verb !== 'capture') throw new Error(verb.verb);
        process.env['XDG_STATE_HOME'] = lab.lab.directory;
        const error: unknown = await capture(verb, openTerminal(verb.json, false)).catch(
          (reason: unknown) => reason,
        );
        return error instanceof InputError ? error.message : `no mistake: ${String(error)}`;
      };
      const texts = [
        await answers('pod/clent'),
        await answers('node/node-1:eth7'),
        await answers('nat/nat-1', '-w', file, '--', 'no such filter'),
        await answers('--path', 'pod/client', 'igw'),
        await answers('--path', 'vpc/main', 'pod/client'),
        await answers('nat/nat-1', '-w', '/proc/none/x.pcapng'),
        await answers('nat/nat-1', '--', '-i', 'eth0'),
        await answers('nat/nat-1', '--json', '-w', '-'),
        await answers('nat/nat-1', '-c', 'x'),
        await answers('nat/nat-1', '--duration', 'long'),
        await answers(),
      ];
      const expected = [
        /no "pod\/clent" in [\s\S]*did you mean "pod\/client"/,
        /node\/node-1 has no interface "eth7"[\s\S]*it has lo, eth0, eni/,
        /the filter "no such filter": [\s\S]*syntax error/,
        /"igw" is neither an address nor/,
        /"vpc\/main" sends nothing of its own/,
        /x\.pcapng" can't be written: no such file or directory$/m,
        /hands no "-i" on to tcpdump/,
        /standard output takes the pcapng or JSON, not both/,
        /--count is no number of packets/,
        /--duration "long" is not a duration/,
        /needs a place or a path[\s\S]*--path pod\/client/,
      ];
      expected.forEach((pattern, index) => {
        t.match(texts[index], pattern);
      });
      t.throws(() => readFileSync(file), { code: 'ENOENT' }, 'no file is begun for a wrong filter');
      t.strictSame(await left(lab), []);
    },
  );

  t.test(
    'where the model lets a packet end, the capture says why and listens all the same',
    async (t) => {
      const capture = await new Capture(
        lab,
        ...['--path', 'internet/example.com', 'pod/client', '--', 'icmp'],
      ).listening();
      t.match(
        capture.stderr,
        /^the model says that a ping fails here: 10\.0\.3\.50 lies in 10\.0\.0\.0\/8/,
      );
      t.match(capture.stderr, /^listening: internet\/example\.com eth0, .* pod\/client eth0;/m);
      t.equal((await lab.in('internet/example.com', 'ping -c 1 -W 1 10.0.3.50')).exitCode, 1);
      await capture.until(() => capture.stdout.includes('\n'));
      t.equal(await capture.end('SIGINT'), 0);
      t.match(capture.summary, '1 packet at 1 place');
    },
  );

  t.test('a capture of a lab that goes down says so', async (t) => {
    const capture = await new Capture(lab, 'igw').listening();
    await lab.down();
    t.equal(await capture.ended, 1);
    t.equal(capture.summary, 'the lab went down meanwhile');
  });
});

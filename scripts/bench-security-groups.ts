/**
 * What many security groups cost: a lab with 50 groups of 20 rules each, half of them by reference, whose instances carry
 * one to three; and, per packet, beside the same lab in which one group allows everything.
 *
 *   node scripts/bench-security-groups.ts [instances]      default: 500
 *
 * Prints a line a figure; nothing is asserted. Compare figures of one machine only, and see how busy it is.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { run } from '../src/host/exec.ts';
import { enterWithScript, type Sandbox } from '../src/host/sandbox.ts';
import { LabStore } from '../src/host/store.ts';
import { down, type Lab, loadText, up, verify } from '../src/pipeline.ts';
import { loadAverage, machine, silent, timed } from './measure.ts';

const GROUPS = 50;
/** A group has as many rules for each direction. */
const RULES = 10;
const INSTANCES_PER_SUBNET = 125;
/** The groups of the two instances that talk: what lets them is the last of the rules that their packets meet. */
const TALKING = ['g-1', 'g-2', `g-${GROUPS}`];
const [CLIENT, SERVER] = ['i-1', 'i-2'];
const RUNS = 3;
const PINGS = 20_000;
const CONNECTIONS = 500;
const SECONDS = 3;
const PORT = 5001;

interface Variant {
  readonly groups: 'rules' | 'open';
  readonly instances: number;
  readonly changedPort?: number;
}

/** Listens, then goes into the background; takes one connection after the other, and all that comes. */
const SERVER_PROGRAM = `
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => shift, Listen => 128, ReuseAddr => 1) or die $!;
exit if fork;
close STDOUT;
close STDERR;
while (my $client = $server->accept) {
  1 while sysread $client, my $bytes, 131072;
  close $client;
}
`;

/** One stream until the server has read it all, then connections; prints Gbit/s and the median in microseconds. */
const CLIENT_PROGRAM = `
use IO::Socket::INET;
use Time::HiRes 'time';
my ($address, $port, $seconds, $connections) = @ARGV;
my $connect = sub { IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port) or die $! };
my ($socket, $block, $sent, $start) = ($connect->(), 'x' x 131072, 0, time);
$sent += syswrite $socket, $block while time - $start < $seconds;
shutdown $socket, 1;
sysread $socket, my $end, 1;
my $gbit = $sent * 8 / (time - $start) / 1e9;
close $socket;
my @times;
for (1 .. $connections) {
  my $start = time;
  close $connect->();
  push @times, 1e6 * (time - $start);
}
@times = sort { $a <=> $b } @times;
printf "tcp %.3f %.1f\\n", $gbit, $times[@times / 2];
`;

type Round = readonly [rttMs: number, mdevMs: number, gbitPerS: number, connectUs: number];

const instances = Number(process.argv[2] ?? 500);
const rounds: Record<Variant['groups'], Round[]> = { rules: [], open: [] };
const state = mkdtempSync(join(tmpdir(), 'hoplab-bench-'));
process.env['XDG_STATE_HOME'] = state;

console.log(`${await machine()}, load average ${loadAverage()} before`);
console.log(`${instances} instances, ${GROUPS} security groups of ${2 * RULES} rules\n`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void takeDown().then(() => process.kill(process.pid, signal));
  });
}
try {
  console.log('                           load ms     up ms  objects touched');
  const standing = await converge('the lab', { groups: 'rules', instances });
  await converge('one rule changed', { groups: 'rules', instances, changedPort: 9999 });
  await converge('one rule changed back', { groups: 'rules', instances });
  await converge('one instance more', { groups: 'rules', instances: instances + 1 });
  const store = new LabStore(nameOf('rules'));
  const [{ objects }, verifyMs] = await timed(() => verify(store, standing, silent));
  printLine('verify', undefined, verifyMs, objects);
  const open = await converge('without rules', { groups: 'open', instances });

  for (let count = 0; count < RUNS; count += 1) {
    rounds.rules.push(await measure(standing));
    rounds.open.push(await measure(open));
  }

  const met = TALKING.length * RULES;
  console.log(`
                                  with rules            without rules     (min median max of ${RUNS})`);
  printFigure('round trip, avg µs', 0, 1000, 1);
  printFigure('round trip, mdev µs', 1, 1000, 1);
  printFigure('TCP, Gbit/s', 2, 1, 2);
  printFigure('TCP connect + close, µs', 3, 1, 1);
  console.log(`
with rules, the first packet meets ${met} of egress and ${met} of ingress; ping -f -c ${PINGS}, ${SECONDS} s of one TCP stream,
median of ${CONNECTIONS} connections; load average ${loadAverage()} after`);
} finally {
  await takeDown();
}

/** Also after a failure: nobody else knows where these labs are. */
async function takeDown(): Promise<void> {
  for (const groups of ['rules', 'open'] as const) {
    const [wasUp, ms] = await timed(() => down(new LabStore(nameOf(groups)), silent));
    if (wasUp) console.log(`down ${ms.toFixed(0)} ms`);
  }
  rmSync(state, { recursive: true, force: true });
}

async function converge(what: string, variant: Variant): Promise<Sandbox> {
  const [lab, loadMs] = await timed(() => Promise.resolve(labOf(variant)));
  const [{ steps, sandbox }, upMs] = await timed(() => up(lab, silent));
  printLine(what, loadMs, upMs, steps.length);
  return sandbox;
}

function nameOf(groups: Variant['groups']): string {
  return `bench-${groups}-${process.pid}`;
}

function labOf({ groups, instances: count, changedPort }: Variant): Lab {
  const subnets = Math.ceil(instances / INSTANCES_PER_SUBNET) + 1;
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  const lab = {
    vpcs: {
      main: {
        cidr: '10.0.0.0/16',
        subnets: Object.fromEntries(
          Array.from({ length: subnets }, (_, index) => [
            `s-${index}`,
            { cidr: `10.0.${index}.0/24`, az: `az-${(index % 3) + 1}` },
          ]),
        ),
        securityGroups:
          groups === 'open'
            ? { all: { ingress: [{ from: '0.0.0.0/0' }], egress: [{ to: '0.0.0.0/0' }] } }
            : securityGroups(changedPort),
        instances: Object.fromEntries(
          ids.map((id) => [
            `i-${id}`,
            {
              subnet: `s-${id % subnets}`,
              securityGroups: groups === 'open' ? ['all'] : groupsOf(id),
            },
          ]),
        ),
      },
    },
  };
  return loadText({
    name: nameOf(groups),
    directory: '/nowhere',
    lab: { file: 'lab.yaml', text: JSON.stringify(lab) },
    manifests: [],
  });
}

/** One more than those of the first lab carries three. */
function groupsOf(id: number): string[] {
  if (id <= 2) return TALKING;
  const carried = id > instances ? 3 : (id % 3) + 1;
  // Never the last group, whose members let each other through.
  return Array.from({ length: carried }, (_, at) => `g-${1 + ((id + at * 7) % (GROUPS - 1))}`);
}

function securityGroups(changedPort: number | undefined): object {
  return Object.fromEntries(
    Array.from({ length: GROUPS }, (_, index) => {
      const group = index + 1;
      const rules = (side: 'from' | 'to'): object[] =>
        Array.from({ length: RULES }, (_rule, rule) => {
          if (group === GROUPS && rule === RULES - 1) return { [side]: 'self' };
          const other = `sg/g-${1 + ((group + rule) % GROUPS)}`;
          const block = `10.0.${(group + rule) % 8}.0/24`;
          return { ports: 6000 + 100 * group + rule, [side]: rule % 2 === 0 ? block : other };
        });
      const ingress = rules('from');
      if (changedPort !== undefined && group === 1) {
        ingress[0] = { ...ingress[0], ports: changedPort };
      }
      return [`g-${group}`, { ingress, egress: rules('to') }];
    }),
  );
}

/** From the client to the server, in another subnet. */
async function measure(sandbox: Sandbox): Promise<Round> {
  const address = `$(ip netns exec ${SERVER} ip -4 -o addr show eth0 | sed 's|.*inet ||; s|/.*||')`;
  const script = `
set -e
address=${address}
ip netns exec ${SERVER} perl - ${PORT} <<'PERL'
${SERVER_PROGRAM}
PERL
ip netns exec ${CLIENT} ping -c 1 -W 2 $address >/dev/null
ip netns exec ${CLIENT} ping -f -c ${PINGS} -q $address
ip netns exec ${CLIENT} perl - $address ${PORT} ${SECONDS} ${CONNECTIONS} <<'PERL'
${CLIENT_PROGRAM}
PERL
`;
  const { exitCode, stdout, stderr } = await run(enterWithScript(sandbox, script));
  const rtt = /min\/avg\/max\/mdev = [\d.]+\/([\d.]+)\/[\d.]+\/([\d.]+) ms/.exec(stdout);
  const tcp = /tcp ([\d.]+) ([\d.]+)/.exec(stdout);
  if (exitCode !== 0 || rtt === null || tcp === null) throw new Error(stdout + stderr);
  return [Number(rtt[1]), Number(rtt[2]), Number(tcp[1]), Number(tcp[2])];
}

function printLine(what: string, loadMs: number | undefined, ms: number, objects: number): void {
  const figures = [loadMs?.toFixed(0) ?? '', ms.toFixed(0), String(objects)];
  console.log(what.padEnd(24) + figures.map((one) => one.padStart(10)).join(''));
}

function printFigure(what: string, at: 0 | 1 | 2 | 3, factor: number, digits: number): void {
  const line = (['rules', 'open'] as const).map((groups) => {
    const sorted = rounds[groups].map((round) => round[at] * factor).sort((a, b) => a - b);
    const chosen = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
    return chosen.map((one) => (one ?? Number.NaN).toFixed(digits).padStart(8)).join('');
  });
  console.log(what.padEnd(24) + line.join(' '));
}

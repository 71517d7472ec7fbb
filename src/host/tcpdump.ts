/**
 * tcpdump in the network namespaces of a lab, its packets as pcap from a pipe.
 *
 * `-i any`: one process a namespace, which says of each packet the link and the direction (LINKTYPE_LINUX_SLL2). It writes
 * into a pipe and not into a file, because AppArmor's profile of tcpdump allows few names, and a file of ours is to be
 * where the user stands. `-Z root`: inside a user namespace there may be nobody else to become.
 */

import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

import { InputError } from '../base/diagnostic.ts';
import { run, startStreaming } from './exec.ts';
import { MachineError } from './machine-error.ts';
import { enter, type Sandbox } from './sandbox.ts';

/** Whole packets of the VPC's 9001 bytes. The kernel keeps a slot of 16 KiB for each, however short it is. */
export const SNAP_LENGTH = 16_000;
/** All captures of a command share this much of the kernel's memory, so that 8192 packets can wait. */
const BUFFERS_KIB = 131_072;
const MAX_BUFFER_KIB = 32_768;
/** The kernel takes a while to close a capture. */
const PATIENCE_MS = 3000;
/** What `run` gives for a program that a signal ended. */
const ENDED_BY_SIGNAL = 128;
const MISSING = 127;

export interface Tcpdump {
  readonly netns: string;
  readonly stdout: Readable;
  /** Until it listens; throws when it ends before. */
  readonly listens: Promise<void>;
  readonly ended: Promise<void>;
  /** Packets that the kernel had no room for; known at the end. */
  readonly dropped: number;
  /** Inside the sandbox. */
  readonly pid: number | undefined;
  kill(): void;
}

/** `count` is how many there will be. */
export function startTcpdump(
  sandbox: Sandbox,
  netns: string,
  filter: string,
  count: number,
): Tcpdump {
  const buffer = Math.min(MAX_BUFFER_KIB, Math.ceil(BUFFERS_KIB / count));
  const options = ['--immediate-mode', '-U', '-n', '--time-stamp-precision=nano', '-Z', 'root'];
  const sizes = ['-s', String(SNAP_LENGTH), '-B', String(buffer)];
  const tcpdump = ['tcpdump', '-i', 'any', ...options, ...sizes, '-w', '-', '--', filter];
  // Its process id inside, so that it can be told to end.
  const script = 'echo "$$" >&2; exec nsenter --net="/run/netns/$0" "$@"';
  const child = startStreaming(enter(sandbox, ['sh', '-c', script, netns, ...tcpdump]));
  const { stdout, stderr, ended } = child;
  child.stdin.end();
  let said = '';
  const listens = new Promise<void>((resolve, reject) => {
    stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('listening on ')) resolve();
    });
    void ended.then((code) => {
      const [, ...lines] = said.trim().split('\n');
      reject(code === MISSING ? noTcpdump() : cannotListen(netns, lines.join('\n')));
    });
  });
  return {
    netns,
    stdout,
    listens,
    ended: ended.then(() => undefined),
    get dropped() {
      return Number(/^(\d+) packets? dropped by kernel/m.exec(said)?.[1] ?? 0);
    },
    get pid() {
      const pid = Number.parseInt(said, 10);
      return Number.isNaN(pid) ? undefined : pid;
    },
    kill() {
      child.stop();
    },
  };
}

/** Lets all of them say what they dropped and end; returns when they have. One that has not begun yet never does. */
export async function endTcpdumps(sandbox: Sandbox, tcpdumps: readonly Tcpdump[]): Promise<void> {
  const pids = tcpdumps.flatMap(({ pid }) => pid ?? []).map(String);
  const done = Promise.all(tcpdumps.map(({ ended }) => ended));
  for (const one of tcpdumps) if (one.pid === undefined) one.kill();
  if (pids.length > 0) await run(enter(sandbox, ['sh', '-c', 'kill -INT "$@"', 'sh', ...pids]));
  const patience = new AbortController();
  const late = delay(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
  await Promise.race([done, late]);
  patience.abort();
  for (const one of tcpdumps) one.kill();
  await done;
}

/** Throws an InputError with tcpdump's own words for a filter that it does not take. */
export async function checkFilter(sandbox: Sandbox, filter: string): Promise<void> {
  // Inside, where the names of the lab's internet hosts are known.
  const argv = ['tcpdump', '-y', 'LINUX_SLL2', '-d', '--', filter] as const;
  const { exitCode, stderr } = await run(enter(sandbox, argv));
  // Ctrl-C reaches it as it reaches us, and then it has said nothing of the filter.
  if (exitCode === 0 || exitCode >= ENDED_BY_SIGNAL) return;
  if (exitCode === MISSING) throw noTcpdump();
  const words =
    stderr
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^tcpdump: /, '') ?? '';
  throw InputError.of({
    code: 'capture-filter',
    what: `tcpdump does not take the filter "${filter}": ${words}`,
    hint: 'man pcap-filter; behind "--" stands what one would give to tcpdump, like: -- tcp port 80 and host 10.0.3.50',
  });
}

function noTcpdump(): MachineError {
  return new MachineError('tcpdump is not there', 'sudo apt-get install tcpdump');
}

function cannotListen(netns: string, words: string): MachineError {
  return new MachineError(
    `tcpdump can't listen in ${netns}: ${words.replaceAll('tcpdump: ', '')}`,
    'does it by hand? npx hoplab shell, then: ' + `ip netns exec ${netns} tcpdump -Z root -i any`,
  );
}

/**
 * The sandbox: one lab's own net, mount, pid, ipc and uts namespaces, and a user namespace when not root.
 *
 * Its first process (`sandbox-init.sh`) holds a lock as long as it lives; killing it removes everything at once. Every
 * process that enters takes the pid namespace too, so that none outlives the lab.
 */

import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { run, startDetached } from './exec.ts';
import { MachineError } from './machine-error.ts';
import { programFile } from './project.ts';
import type { LabStore } from './store.ts';

export interface Sandbox {
  readonly pid: number;
  readonly token: string;
}

const INIT = programFile('sandbox-init.sh');
/** A foreground process of ours; nobody waits for what it would still do. */
const END_WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL'] as const;
/** A refusal ends the wait at once; this is for machines that are slow, an emulated one for instance. */
const START_TIMEOUT_MS = 90_000;
const POLL_MS = 3;

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The running sandbox, or undefined. "The process exists" would be the wrong test: a zombie exists, and so does a first
 * process whose children are being killed. What counts is the lock that it holds: whoever gets it knows it is dead.
 */
export async function findSandbox(store: LabStore): Promise<Sandbox | undefined> {
  if (!existsSync(store.path('alive'))) return undefined;
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    // Shared, so that two who look at once do not take each other for the lab.
    const { exitCode } = await run([
      'flock',
      '--shared',
      '--nonblock',
      store.path('alive'),
      'true',
    ]);
    if (exitCode !== 1) return undefined;
    // It writes its pid last: one that is still starting is waited for, also where its starter was killed meanwhile.
    const sandbox = readPid(store);
    if (sandbox !== undefined || Date.now() > deadline) return sandbox;
    await delay(POLL_MS);
  }
}

function readPid(store: LabStore): Sandbox | undefined {
  const [pidText = '', , token = ''] = (store.read('pid') ?? '').trim().split(' ');
  const pid = Number(pidText);
  return Number.isInteger(pid) && pid > 0 && token !== '' ? { pid, token } : undefined;
}

/** Starts the first process and waits until its file systems stand. */
export async function startSandbox(store: LabStore): Promise<Sandbox> {
  const token = randomUUID();
  rmSync(store.path('pid'), { force: true });
  const user = isRoot() ? [] : ['--user', '--map-root-user', '--map-auto'];
  const namespaces = ['--net', '--mount', '--ipc', '--uts', '--pid', '--fork', '--kill-child'];
  // What is mounted in the lab stays there, and what the machine unmounts goes in the lab too: a copy of its own would
  // keep a stick or a disk in use that everybody takes for unmounted.
  const mounts = ['--propagation', 'slave'];
  const init = ['sh', INIT, store.directory, token];
  const argv = ['unshare', ...user, ...namespaces, ...mounts, ...init] as const;
  const { ended } = startDetached(argv, store.path('log'));
  let exitCode: number | undefined;
  void ended.then((code) => {
    exitCode = code;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    // Written by the first process itself, as the last thing it does before it sleeps.
    const sandbox = readPid(store);
    if (sandbox?.token === token) return sandbox;
    if (exitCode !== undefined || Date.now() > deadline) {
      const log = (store.read('log') ?? '').trim();
      throw new MachineError(
        `the lab's namespaces can't be made${log === '' ? '' : `: ${log}`}`,
        isRoot()
          ? 'in a container, give it CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged); or take the Vagrant machine: vagrant up'
          : 'unprivileged labs need user namespaces and subordinate ids: sudo apt-get install uidmap; on Ubuntu 24.04 also: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0; or run as root; or take the Vagrant machine: vagrant up',
      );
    }
    await delay(POLL_MS);
  }
}

/** Kills the first process, and with it everything; returns when its lock is free. */
export async function killSandbox(store: LabStore): Promise<void> {
  const sandbox = await findSandbox(store);
  if (sandbox === undefined) return;
  try {
    process.kill(sandbox.pid, 'SIGKILL');
  } catch (error) {
    // It died in this moment.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  while ((await findSandbox(store)) !== undefined) await delay(POLL_MS);
}

/**
 * The argument list that runs a program inside. It ends when we end, however we end: each of the two processes in
 * between asks the kernel for SIGKILL at its parent's death, and then looks whether that parent is still there (to a
 * process inside, a parent outside of the pid namespace is number 0). The first thing inside also compares the token, so
 * that a pid which meanwhile belongs to somebody else is not entered for good.
 */
export function enter(
  sandbox: Sandbox,
  argv: readonly [string, ...string[]],
): [string, ...string[]] {
  const user = isRoot() ? [] : ['-U', '--preserve-credentials'];
  return [
    ...END_WITH_PARENT,
    'sh',
    '-c',
    '[ "$PPID" = "$0" ] && exec "$@"',
    String(process.pid),
    'nsenter',
    '-t',
    String(sandbox.pid),
    ...user,
    '-m',
    '-n',
    '-p',
    '-i',
    '-u',
    '--',
    ...END_WITH_PARENT,
    'sh',
    '-c',
    '[ "$PPID" = 0 ] || exit; read -r t </run/hoplab/token && [ "$t" = "$0" ] && exec "$@"; echo "hoplab: this is not the lab that was meant" >&2; exit 125',
    sandbox.token,
    ...argv,
  ];
}

/**
 * The same for a script that starts programs in its background: it is the first process of a pid namespace of its own, so
 * that all of them end with it.
 */
export function enterWithScript(sandbox: Sandbox, script: string): [string, ...string[]] {
  return enter(sandbox, ['unshare', '--pid', '--fork', '--kill-child', 'sh', '-c', script]);
}

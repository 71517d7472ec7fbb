/**
 * The sandbox: one lab's own net, mount, pid, ipc and uts namespaces, and a user namespace when not root.
 *
 * Its first process (`sandbox-init.sh`) holds a lock as long as it lives; killing it removes everything at once. Every
 * process that enters takes the pid namespace too, so that none outlives the lab.
 */

import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { startDetached } from './exec.ts';
import { MachineError } from './machine-error.ts';
import type { LabStore } from './store.ts';

export interface Sandbox {
  readonly pid: number;
  readonly token: string;
}

const INIT = fileURLToPath(new URL('sandbox-init.sh', import.meta.url));
const START_TIMEOUT_MS = 10_000;
const POLL_MS = 3;

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The running sandbox, or undefined. "The process exists" would be the wrong test: a zombie exists, and so does a first
 * process whose children are being killed. What counts is the lock, which /proc/locks shows.
 */
export function findSandbox(store: LabStore): Sandbox | undefined {
  const [pidText = '', , token = ''] = (store.read('pid') ?? '').trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0 || token === '') return undefined;
  return holdsLock(store.path('alive'), pid) ? { pid, token } : undefined;
}

function holdsLock(file: string, pid: number): boolean {
  try {
    const inode = String(statSync(file).ino);
    return readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .some((line) => {
        const [, kind, , , holder, place = ''] = line.split(/\s+/);
        return kind === 'FLOCK' && Number(holder) === pid && place.split(':')[2] === inode;
      });
  } catch {
    return false;
  }
}

/** Starts the first process and waits until its file systems stand. */
export async function startSandbox(store: LabStore): Promise<Sandbox> {
  const token = randomUUID();
  rmSync(store.path('pid'), { force: true });
  const user = isRoot() ? [] : ['--user', '--map-root-user', '--map-auto'];
  const namespaces = ['--net', '--mount', '--ipc', '--uts', '--pid', '--fork', '--kill-child'];
  const argv = ['unshare', ...user, ...namespaces, 'sh', INIT, store.directory, token] as const;
  const { ended } = startDetached(argv as unknown as [string, ...string[]], store.path('log'));
  let exitCode: number | undefined;
  void ended.then((code) => {
    exitCode = code;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const sandbox = findSandbox(store);
    if (sandbox?.token === token) return sandbox;
    if (exitCode !== undefined || Date.now() > deadline) {
      const log = (store.read('log') ?? '').trim();
      throw new MachineError(
        `the lab's namespaces can't be made${log === '' ? '' : `: ${log}`}`,
        isRoot()
          ? 'in a container, give it CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged); else use the Vagrant machine'
          : 'unprivileged labs need user namespaces and subordinate ids: sudo apt-get install uidmap; on Ubuntu 24.04 also: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0; or run as root',
      );
    }
    await delay(POLL_MS);
  }
}

/** Kills the first process, and with it everything; returns when its lock is free. */
export async function killSandbox(store: LabStore): Promise<void> {
  const sandbox = findSandbox(store);
  if (sandbox === undefined) return;
  process.kill(sandbox.pid, 'SIGKILL');
  while (findSandbox(store) !== undefined) await delay(POLL_MS);
}

/**
 * The argument list that runs a program inside. The first thing inside compares the token, so that a pid which meanwhile
 * belongs to somebody else is not entered for good.
 */
export function enter(
  sandbox: Sandbox,
  argv: readonly [string, ...string[]],
): [string, ...string[]] {
  const user = isRoot() ? [] : ['-U', '--preserve-credentials'];
  return [
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
    'sh',
    '-c',
    'read -r t </run/hoplab/token && [ "$t" = "$0" ] && exec "$@"; echo "hoplab: this is not the lab that was meant" >&2; exit 125',
    sandbox.token,
    ...argv,
  ];
}

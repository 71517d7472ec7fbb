/**
 * Commands as an ordinary user, in tests that run as root: CI has no such user, and gets none. In a mount namespace of its
 * own, /etc is an overlay with a made-up user and its subordinate ids in it, and the project lies where that user can
 * enter, however private the checkout is.
 */

import { chmodSync, chownSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PROJECT } from '../../src/host/project.ts';
import { PROGRAM } from './cli.ts';
import { isRoot } from '../../src/host/sandbox.ts';

const UID = 54_321;
const FIRST_SUBORDINATE = 1_432_100_000;
const SUBORDINATES = 65_536;

export interface OrdinaryUser {
  /** Its home, and where its labs' state is; for a test that is no root, a directory of its own. */
  readonly home: string;
  readonly stateHome: string;
  /** The words that run a program as this user; node runs the project's TypeScript by the paths of `project`. */
  readonly argv: (program: readonly string[]) => [string, ...string[]];
  /** `hoplab` with these words. */
  readonly hoplab: (words: readonly string[]) => [string, ...string[]];
  /** A program of the project's, by its path there. */
  readonly script: (path: string, words: readonly string[]) => [string, ...string[]];
}

export function ordinaryUser(): OrdinaryUser {
  const home = mkdtempSync(join(tmpdir(), 'hoplab-user-'));
  const stateHome = join(home, 'state');
  const there = isRoot() ? join(home, 'project') : PROJECT;
  mkdirSync(stateHome);
  if (isRoot()) {
    for (const directory of [join(home, 'project'), join(home, 'etc')]) mkdirSync(directory);
    for (const own of [home, stateHome]) chownSync(own, UID, UID);
    chmodSync(home, 0o755);
  }
  const environment = [
    `HOME=${home}`,
    `XDG_STATE_HOME=${stateHome}`,
    `XDG_CACHE_HOME=${home}/cache`,
    `NODE_COMPILE_CACHE=${home}/cache`,
  ];
  const argv = (program: readonly string[]): [string, ...string[]] => {
    // The test runner's hooks would write where this user may not.
    const words = ['env', '-u', 'NODE_OPTIONS', ...environment, ...program] as const;
    if (!isRoot()) return [...words];
    const become = ['setpriv', '--reuid', String(UID), '--regid', String(UID), '--clear-groups'];
    return ['unshare', '--mount', 'sh', '-ec', PREPARE, home, PROJECT, ...become, ...words];
  };
  const script = (path: string, words: readonly string[]): [string, ...string[]] => {
    const node = process.execPath.replace(PROJECT, `${there}/`).replace('//', '/');
    return argv([node, '--disable-warning=ExperimentalWarning', `${there}/${path}`, ...words]);
  };
  return {
    home,
    stateHome,
    argv,
    hoplab: (words) => script(PROGRAM, words),
    script,
  };
}

/** `$0` is the home, `$1` the project, the rest what is to run. */
const PREPARE = `
mount --make-rprivate /
mount --bind "$1" "$0/project"
mount -t tmpfs tmpfs "$0/etc"
mkdir "$0/etc/upper" "$0/etc/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0/etc/upper,workdir=$0/etc/work" /etc
echo "hoplab-test:x:${UID}:${UID}::$0:/bin/sh" >>/etc/passwd
echo "hoplab-test:x:${UID}:" >>/etc/group
echo "hoplab-test:${FIRST_SUBORDINATE}:${SUBORDINATES}" >>/etc/subuid
echo "hoplab-test:${FIRST_SUBORDINATE}:${SUBORDINATES}" >>/etc/subgid
shift
exec "$@"`;

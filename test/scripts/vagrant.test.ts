/**
 * Where no lab can run, `hoplab` runs in the project's Vagrant machine. The refusal is a real one, of the kernel; only
 * `vagrant` is a stand-in: it syncs nothing, and runs its line on this side, with /vagrant a directory of the test.
 */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import t, { type Test } from 'tap';

import { type Finished, run } from '../../src/host/exec.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SAYS = 'hoplab: a lab needs the network namespaces of Linux, and this machine makes none; ';

/** In a user namespace of its own, so that no other process hears of it. */
const PLACES = {
  /** As in a container without rights: the kernel says no. */
  refused: 'echo 0 >/proc/sys/user/max_net_namespaces',
  /** As on macOS: the kernel knows no such thing. */
  unknown: 'mount -t tmpfs none /proc',
  linux: ':',
} as const;
type Place = keyof typeof PLACES;

const VAGRANT = `#!/bin/sh
echo "$1" >>"$CALLS"
case $1 in
  rsync) if [ -e "$CALLS.off" ]; then echo 'machine off' >&2; exit 1; fi ;;
  ssh)
    [ "$2" = -c ] || exit 99
    line=$(printf '%s' "$3" | sed "s|/vagrant|$MACHINE|g")
    shift 3
    echo "$*" >>"$CALLS"
    exec bash -l -c "$line"
    ;;
esac
`;
const HOPLAB_THERE = `pwd; printf '%s\\n' "$HOPLAB_LAB" "$@"; cat; exit 7
`;

interface Project {
  /** What `vagrant` was asked for, a line each. */
  calls: () => string[];
  hoplab: (place: Place, words: readonly string[], options?: Options) => Promise<Finished>;
}

interface Options {
  readonly lab?: string;
  readonly from?: string;
  /** By `npm run lab`, which starts it in the project's root. */
  readonly npm?: boolean;
  readonly input?: string;
}

/** This project under another root; `machine`: vagrant up has been run there. */
function aProject(t: Test, machine: 'up' | 'off' | 'none'): Project {
  const top = realpathSync(mkdtempSync(join(tmpdir(), 'hoplab-test-')));
  t.teardown(() => {
    rmSync(top, { recursive: true, force: true });
  });
  const directory = join(top, "user's project");
  const calls = join(top, 'calls');
  for (const made of ['bin', 'there/scripts', 'there/labs']) {
    mkdirSync(join(top, made), { recursive: true });
  }
  mkdirSync(directory);
  for (const file of ['scripts', 'labs']) {
    cpSync(join(ROOT, file), join(directory, file), { recursive: true });
  }
  for (const file of ['src', 'node_modules', 'package.json', 'package-lock.json']) {
    symlinkSync(join(ROOT, file), join(directory, file));
  }
  writeFileSync(join(top, 'bin/vagrant'), VAGRANT);
  chmodSync(join(top, 'bin/vagrant'), 0o755);
  writeFileSync(join(top, 'there/scripts/hoplab'), HOPLAB_THERE);
  const ofMachine = join(directory, '.vagrant/machines/default/libvirt');
  mkdirSync(ofMachine, { recursive: true });
  if (machine !== 'none') writeFileSync(join(ofMachine, 'id'), '');
  if (machine === 'off') writeFileSync(`${calls}.off`, '');

  return {
    calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trimEnd().split('\n') : []),
    hoplab: async (place, words, { lab = '', from = '.', input, npm = false } = {}) =>
      run(
        [
          'env',
          '-u',
          'npm_lifecycle_event',
          '-u',
          'INIT_CWD',
          `CALLS=${calls}`,
          `MACHINE=${join(top, 'there')}`,
          `HOPLAB_LAB=${lab}`,
          `PATH=${join(top, 'bin')}:${process.env['PATH'] ?? ''}`,
          ...(npm ? ['npm_lifecycle_event=lab', `INIT_CWD=${join(directory, from)}`] : []),
          'unshare',
          '--user',
          '--map-root-user',
          '--mount',
          'sh',
          '-c',
          `cd "$1" && shift && ${PLACES[place]} && exec "$@"`,
          'sh',
          join(directory, npm ? '.' : from),
          join(directory, 'scripts/hoplab'),
          ...words,
        ],
        { input },
      ),
  };
}

const { exitCode } = await run([
  'unshare',
  '--user',
  '--map-root-user',
  '--mount',
  '--net',
  'true',
]);
const skip =
  exitCode !== 0 && process.env['REQUIRE_NETNS'] !== '1' && 'no user namespace can be made';

for (const place of ['refused', 'unknown'] as const) {
  t.test(`without namespaces (${place}), a lab runs in the machine`, { skip }, async (t) => {
    const project = aProject(t, 'up');
    const words = ['exec', 'pod/a', '--', 'sh', '-c', `echo "it's $HOME"`, 'a b', '', '*', '\\'];
    const input = 'what was typed\n';
    const result = await project.hoplab(place, words, { lab: 'a lab', from: 'labs', input });
    const [pwd, ...rest] = result.stdout.split('\n');
    t.match(pwd, /\/there\/labs$/, 'in the directory that is this one');
    t.strictSame(rest, ['a lab', ...words, 'what was typed', ''], 'with the same words and input');
    t.equal(result.exitCode, 7, 'whose exit code is ours');
    t.equal(result.stderr, `${SAYS}running this in the Vagrant machine\n`);
    t.strictSame(project.calls(), ['rsync', 'ssh', '-- -T'], 'after a sync, without a terminal');
  });
}

t.test('npm run lab, too, means paths from where the user stands', { skip }, async (t) => {
  const project = aProject(t, 'up');
  const { stdout } = await project.hoplab('refused', ['./scenario-4'], { from: 'labs', npm: true });
  t.match(stdout, /\/there\/labs\n\n\.\/scenario-4\n$/);
});

t.test('without namespaces and without a machine, it says how to make one', { skip }, async (t) => {
  const project = aProject(t, 'none');
  const { exitCode, stderr } = await project.hoplab('unknown', ['scenario-4']);
  t.equal(stderr, `${SAYS}this makes a machine that does: vagrant up\n`);
  t.equal(exitCode, 3);
  t.strictSame(project.calls(), []);
});

t.test('a machine that is off is not asked to run anything', { skip }, async (t) => {
  const project = aProject(t, 'off');
  const { exitCode, stderr } = await project.hoplab('refused', ['scenario-4']);
  t.match(stderr, /^machine off\n(.*\n)?hoplab: the Vagrant machine does not answer/m);
  t.match(stderr, /vagrant up\n$/);
  t.equal(exitCode, 3);
  t.strictSame(project.calls(), ['rsync']);
});

t.test('what only computes runs here, with a machine and without', { skip }, async (t) => {
  for (const machine of ['up', 'none'] as const) {
    const project = aProject(t, machine);
    const list = await project.hoplab('refused', ['list']);
    t.match(list.stdout, 'scenario-4');
    t.equal(list.exitCode, 0);
    const help = await project.hoplab('refused', ['up', '--help']);
    t.match(help.stdout, 'hoplab up <lab>');
    t.strictSame(project.calls(), []);
  }
});

t.test('where labs run, the machine is left alone', { skip }, async (t) => {
  const project = aProject(t, 'up');
  const { exitCode, stderr } = await project.hoplab('linux', ['ps']);
  t.equal(stderr, '');
  t.equal(exitCode, 0);
  t.strictSame(project.calls(), []);
});

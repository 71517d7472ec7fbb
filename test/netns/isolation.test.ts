/**
 * Every lab that comes with the project stands as it was planned, as root and as an ordinary user, all of them side by side.
 * The machine is the same before, while they are up, and after them, and from inside neither the machine's addresses nor its loopback
 * services can be reached.
 */

import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';

import t, { type Test } from 'tap';

import { run } from '../../src/host/exec.ts';
import { builtInLabs } from '../../src/host/lab-files.ts';
import { isRoot } from '../../src/host/sandbox.ts';
import { ordinaryUser } from '../support/as-ordinary-user.ts';
import { hoplab, script } from '../support/cli.ts';
import { differences, type Snapshot, takeSnapshot } from '../support/host-snapshot.ts';

/** Somebody who runs labs: how the command line is called, and where the state is. */
interface Runner {
  readonly who: string;
  readonly stateHome: string;
  readonly hoplab: (words: readonly string[]) => [string, ...string[]];
  readonly script: (path: string, words: readonly string[]) => [string, ...string[]];
  readonly end: () => void;
}

function root(): Runner {
  const stateHome = mkdtempSync(join(tmpdir(), 'hoplab-isolation-'));
  return {
    who: 'root',
    stateHome,
    hoplab: (words) => hoplab(words, { XDG_STATE_HOME: stateHome }),
    script: (path, words) => script(path, words, { XDG_STATE_HOME: stateHome }),
    end: () => {
      rmSync(stateHome, { recursive: true, force: true });
    },
  };
}

function user(): Runner {
  const { home, stateHome, ...user } = ordinaryUser();
  return {
    who: 'an ordinary user',
    stateHome,
    ...user,
    end: () => {
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** What of this runner's labs runs outside of every lab's pid namespace. */
function outside(stateHome: string): string[] {
  const own = readlinkSync('/proc/self/ns/pid');
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      if (readlinkSync(`/proc/${pid}/ns/pid`) !== own) return [];
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(stateHome)) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return command === '' ? [] : [command.split(' ').slice(0, 2).join(' ')];
    } catch {
      return [];
    }
  });
}

async function listen(host: string): Promise<Server> {
  const server = createServer((socket) => socket.end('host\n'));
  await new Promise<void>((resolve) => server.listen({ host, port: 0 }, resolve));
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  return address.port;
}

/** A connection that somebody takes ends with 0. */
const connect = (target: string): string => `socat -u OPEN:/dev/null ${target},connect-timeout=0.4`;

t.test('the machine is what it was', async (t) => {
  const everywhere = await listen('0.0.0.0');
  const loopback = await listen('127.0.0.1');
  const abstract = `hoplab-isolation-${process.pid}`;
  const unix = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => unix.listen({ path: `\0${abstract}` }, resolve));
  t.teardown(() => {
    for (const server of [everywhere, loopback, unix]) server.close();
  });
  const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const addresses = interfaces.filter(({ family }) => family === 'IPv4').map((one) => one.address);
  const macs = interfaces.map(({ mac }) => mac).filter((mac) => mac !== '00:00:00:00:00:00');
  const targets = [
    ...addresses.map((address) => `TCP4:${address}:${portOf(everywhere)}`),
    `TCP4:127.0.0.1:${portOf(loopback)}`,
    `ABSTRACT-CONNECT:${abstract}`,
  ];
  for (const target of targets.filter((one) => !one.startsWith('ABSTRACT'))) {
    t.equal((await run(['sh', '-c', connect(target)])).exitCode, 0, `here ${target} answers`);
  }
  const abstractHere = `socat -u OPEN:/dev/null ABSTRACT-CONNECT:${abstract}`;
  t.equal((await run(['sh', '-c', abstractHere])).exitCode, 0, 'here the abstract socket answers');

  let before = await takeSnapshot();
  const labs = builtInLabs();
  for (const runner of isRoot() ? [root(), user()] : [user()]) {
    t.teardown(runner.end);
    await t.test(`${labs.length} labs side by side, as ${runner.who}`, async (t) => {
      const all = async (verb: string): ReturnType<typeof run> =>
        run(runner.script('test/support/labs-side-by-side.ts', [verb, ...labs]));
      t.teardown(async () => all('down'));
      if (runner.who !== 'root') {
        // As root docs.test.ts runs each: it is what their READMEs begin with.
        const { exitCode, stdout, stderr } = await run(runner.hoplab(['run', 'scenario-4']));
        t.equal(exitCode, 0, `scenario-4 runs: ${stdout}${stderr}`);
      }
      t.match(await all('up'), { exitCode: 0, stdout: '', stderr: '' }, 'each stands as planned');
      t.strictSame(differences(before, await takeSnapshot()), [], 'while they are up');
      const held = runner.who === 'root' ? 'unshare --net' : 'unshare --user';
      t.strictSame(
        [...new Set(outside(runner.stateHome))],
        [held],
        'nothing of them runs outside but what holds their namespaces',
      );
      // Much of it is waiting for what does not come.
      const waiting = [...labs];
      const next = async (): Promise<void> => {
        for (let lab = waiting.shift(); lab !== undefined; lab = waiting.shift()) {
          await outOfReach(t, runner, lab, targets, macs);
        }
      };
      await Promise.all([next(), next(), next()]);
      t.match(await all('down'), { exitCode: 0, stderr: '' });
      const after = await takeSnapshot();
      t.strictSame(differences(before, after), [], 'after them');
      t.strictSame(outside(runner.stateHome), [], 'and nothing of them runs');
      before = after;
      t.comment([...after].map(([name, lines]) => `${name} ${lines.length}`).join(', '));
    });
  }
});

/** From every namespace of the lab, its root one too, all targets at once. */
async function outOfReach(
  t: Test,
  runner: Runner,
  lab: string,
  targets: readonly string[],
  macs: readonly string[],
): Promise<void> {
  const probes = targets.map((target) =>
    target.startsWith('ABSTRACT')
      ? `{ timeout 1 socat -u OPEN:/dev/null ${target} && echo "reached $n ${target}"; } 2>/dev/null &`
      : `{ ${connect(target)} && echo "reached $n ${target}"; } 2>/dev/null &`,
  );
  const inside = `n=$1
${probes.join('\n')}
for port in $(ss -Hltn 2>/dev/null | sed -n 's/.*:\\([0-9]*\\) .*/\\1/p' | sort -u | head -n 1); do
  { ${connect('TCP4:127.0.0.1:$port')} && echo "own $n"; } 2>/dev/null &
done
cat /sys/class/net/*/address | sed "s/^/mac $n /"
wait`;
  const script = `probe='${inside.replaceAll("'", String.raw`'\''`)}'
for name in $(ls /run/netns); do ip netns exec "$name" sh -c "$probe" sh "$name" & done
sh -c "$probe" sh sandbox
wait
ls /run/netns | sed 's/^/netns /'`;
  const argv = runner.hoplab(['shell', '-l', lab]);
  const { stdout, stderr } = await run(argv, { input: script });
  const lines = stdout.split('\n');
  const count = lines.filter((line) => line.startsWith('netns ')).length;
  t.ok(count > 3, `${lab}: looked from ${count} namespaces: ${stderr}`);
  t.strictSame(
    lines.filter((line) => line.startsWith('reached')),
    [],
    `${lab}: none of the machine’s addresses and sockets is reached`,
  );
  t.ok(
    lines.some((line) => line.startsWith('own ')),
    `${lab}: by the same means its own servers are`,
  );
  const seen = lines.filter((line) => macs.some((mac) => line.endsWith(mac)));
  t.strictSame(seen, [], `${lab}: no link of the machine’s shows`);
}

t.test('each section of the comparison sees a change', async (t) => {
  const changes: Readonly<Record<string, string>> = {
    links: 'ip link set lo mtu 1234',
    routes: 'ip link set lo up && ip route add blackhole 192.0.2.0/24',
    rules: 'ip rule add priority 7 lookup 7',
    iptables: 'iptables-nft -A INPUT -s 192.0.2.1 -j DROP',
    nftables: 'nft add table inet more',
    sysctls: 'echo 7 >/proc/sys/net/ipv4/ip_default_ttl',
    'named namespaces': 'mkdir -p /run/netns && touch /run/netns/more',
    '/etc': 'echo changed >/etc/hostname.changed',
    mounts: 'mount -t tmpfs tmpfs /mnt',
    'shared memory': 'touch /dev/shm/more',
  };
  const user = isRoot() ? [] : ['--user', '--map-root-user'];
  const prepare = `mount --make-rprivate / && mount -t tmpfs t /run && mount -t tmpfs t /dev/shm && mkdir /run/etc /run/work /run/netns && mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc && ip link set lo up`;
  const look = async (change: string): Promise<Snapshot> =>
    takeSnapshot([
      ...['unshare', ...user, '--net', '--mount', '--ipc', 'sh', '-c'],
      `{ ${prepare} && ${change}; } >&2 && exec "$@"`,
      'sh',
    ]);
  const before = await look(':');
  // Each change can show in a section of its own alone, or it would prove nothing of that section.
  const after = await look(Object.values(changes).join(' && '));
  const seen = new Set(differences(before, after).map((line) => line.split(':')[0]));
  for (const [section, change] of Object.entries(changes)) {
    t.ok(seen.has(section), `${section}: ${change} (seen: ${[...seen].join(', ')})`);
  }
  t.strictSame(differences(before, await look(':')), [], 'and sees none where there is none');
});

/** A lab's life on the real kernel: side by side, again, changed, from a script, and gone. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import t from 'tap';

import { run } from '../../src/host/exec.ts';
import { isRoot } from '../../src/host/sandbox.ts';
import { renderScript } from '../../src/kernel/render.ts';
import { EMPTY } from '../../src/kernel/state.ts';
import { commandsFor } from '../../src/standing.ts';
import { edit, pods, withLab, OPEN_GROUPS } from '../support/with-lab.ts';

// Much of the time is waiting for what does not come.
t.jobs = 2;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
    internetGateway: igw
    natGateways: { nat: { subnet: public, elasticIp: 203.0.113.50 } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat }] }
    instances:
      bastion: { subnet: public, elasticIp: 203.0.113.10 }
cluster:
  vpc: main
  nodes:
    node-1: { subnet: private }
    node-2: { subnet: private }
  pins:
    pod/a: { node: node-1, address: 10.0.3.50 }
    pod/b: { node: node-2, address: 10.0.3.60, eni: eth1 }
internet:
  server: { address: 198.51.100.10 }
`;
const MANIFESTS = pods(['a', 'b']);

/** What the machine itself has: a lab must leave it as it is. */
async function host(): Promise<unknown> {
  const { stdout } = await run(['ip', '-o', 'link']);
  let named: string[] = [];
  try {
    named = readdirSync('/run/netns');
  } catch {
    // Nobody ever made one.
  }
  return { links: stdout, named };
}

t.test('two labs with the same addresses do not see each other', async (t) => {
  const before = await host();
  const other = edit(LAB, '10.0.3.60', '10.0.3.61');
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (one) => {
    await withLab(t, { lab: other, manifests: MANIFESTS }, async (two) => {
      const ask = {
        '.60': ['pod/a', '10.0.3.60:8080'],
        '.61': ['pod/a', '10.0.3.61:8080'],
      } as const;
      const [inOne, inTwo] = await Promise.all([one.curl(ask), two.curl(ask)]);
      t.strictSame(inOne, { '.60': 'client 10.0.3.50', '.61': 'exit 28' });
      t.strictSame(inTwo, { '.60': 'exit 28', '.61': 'client 10.0.3.50' });
      t.strictSame(await two.down(), []);
      t.strictSame(await one.curl({ alive: ['pod/a', '10.0.3.60:8080'] }), {
        alive: 'client 10.0.3.50',
      });
      t.strictSame(await one.down(), []);
      t.strictSame(await host(), before, 'the machine is as it was');
    });
  });
});

t.test('down leaves nothing: no process, no namespace, no state', async (t) => {
  const before = await host();
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    // What somebody has running inside goes too.
    await lab.echoServer('pod/a', 9000);
    const inside = (await lab.sh('ls /run/netns')).stdout.trim().split('\n');
    t.ok(inside.includes('pod-a') && inside.includes('vpc-main'), 'there was something to leave');
    const token = (await lab.sh('cat /run/hoplab/token')).stdout.trim();
    t.strictSame(await lab.down(), []);
    t.notMatch((await run(['ps', '-eo', 'args'])).stdout, new RegExp(token));
    t.strictSame(
      ['plan.json', 'lab.json', 'journal', 'pid'].map((file) => lab.store.read(file)),
      [undefined, undefined, undefined, undefined],
    );
    t.strictSame(await host(), before, 'the machine is as it was');
    t.ok((await lab.change(LAB)) > 100, 'and it can be built again');
  });
});

t.test('a second up changes nothing, and one route is few steps', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    t.equal(await lab.change(LAB), 0);
    await lab.echoServer('internet/server', 9000);
    await lab.echoServer('pod/b', 9000);
    const out = await lab.connect('pod/a', '198.51.100.10:9000');
    const across = await lab.connect('pod/a', '10.0.3.60:9000');
    t.strictSame([await out.say(), await across.say()], ['echo', 'echo']);

    const closed = edit(LAB, '[{ destination: 0.0.0.0/0, target: nat/nat }]', '[]');
    t.equal(await lab.change(closed), 1);
    t.strictSame([await out.say(300), await across.say()], ['silence', 'echo']);
    // The way is back: TCP sends again what was lost, and the connection goes on.
    t.equal(await lab.change(LAB), 1);
    t.strictSame([await out.say(5000), await across.say()], ['echo', 'echo']);

    const another = edit(LAB, 'instances:\n', 'instances:\n      late: { subnet: private }\n');
    t.ok((await lab.change(another)) < 40);
    t.strictSame([await out.say(), await across.say()], ['echo', 'echo']);
    t.equal((await lab.in('instance/late', 'ping -c 1 -W 2 10.0.3.50')).exitCode, 0);
    t.ok((await lab.change(LAB)) < 40);
    t.strictSame([await out.say(), await across.say()], ['echo', 'echo']);
  });
});

t.test('a pod comes back although somebody is still in the namespace that it had', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    await lab.echoServer('pod/b', 9000);
    await lab.change(
      edit(LAB, '    pod/b: { node: node-2, address: 10.0.3.60, eni: eth1 }\n', ''),
      pods(['a']),
    );
    t.ok((await lab.change(LAB, MANIFESTS)) > 0);
    t.strictSame(await lab.curl({ back: ['pod/a', '10.0.3.60:8080'] }), {
      back: 'client 10.0.3.50',
    });
  });
});

/** The kernel state of every namespace as text: what does not depend on when and how it was made. */
const DUMP = `
for ns in $(ls /run/netns | sort); do
  for what in 'ip -d addr' 'ip -d route show table all' 'ip -d rule' 'ip -d neigh show nud permanent' \
    'bridge -d fdb' 'iptables-save' 'nft -s list ruleset' 'ss -Hltun'; do
    echo "== $ns: $what"
    nsenter --net=/run/netns/$ns $what
  done
  for key in ipv4/ip_forward ipv4/conf/all/rp_filter ipv4/icmp_ratelimit ipv6/conf/all/disable_ipv6; do
    nsenter --net=/run/netns/$ns cat /proc/sys/net/$key
  done
done
grep -r . /etc/netns | sort
`;

function normalized(dump: string): string[] {
  return (
    dump
      .replaceAll(/\\n {4}/g, '')
      .split('\n')
      .filter((line) => !/^#/.test(line))
      .map((line) =>
        line
          .replace(/^\d+: (\S+?)@if\d+/, '$1')
          .replace(/^\d+: /, '')
          .replaceAll(/ link-netns(id)? \S+/g, '')
          .replaceAll(/\[\d+:\d+\]/g, '[0:0]')
          // Ages, identities and randomness of links and bridges.
          .replaceAll(/(hello|tcn|topology_change|gc)_timer +\S+/g, '')
          .replaceAll(/(used|updated) \S+/g, '')
          .replaceAll(/(promiscuity|allmulti) \d+/g, '')
          .replaceAll(/port_id \S+|port_no \S+|designated_port \S+/g, '')
          .trimEnd(),
      )
      // Links come in the order of their making.
      .sort()
  );
}

t.test('a lab that was changed is the lab that is built at once', async (t) => {
  const from = edit(
    LAB,
    'bastion: { subnet: public,',
    'bastion: { subnet: public, address: 10.0.1.30, secondaryAddresses: [10.0.1.31], sourceDestCheck: false,',
  );
  const another = edit(
    from,
    'address: 10.0.1.30, secondaryAddresses: [10.0.1.31], sourceDestCheck: false',
    'address: 10.0.1.31, secondaryAddresses: [10.0.1.30]',
  );
  const to = edit(another, 'nat: { subnet: public', 'nat: { subnet: private');
  await withLab(t, { lab: from, manifests: MANIFESTS }, async (changed) => {
    await changed.change(to);
    await withLab(t, { lab: to, manifests: MANIFESTS }, async (fresh) => {
      const [one, two] = await Promise.all([changed.sh(DUMP), fresh.sh(DUMP)]);
      t.strictSame(normalized(one.stdout), normalized(two.stdout));
    });
  });
});

t.test('the script builds in an empty sandbox what up builds', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const directory = mkdtempSync(join(tmpdir(), 'hoplab-script-'));
    t.teardown(() => {
      rmSync(directory, { recursive: true, force: true });
    });
    const script = join(directory, 'lab.sh');
    writeFileSync(script, renderScript(commandsFor(EMPTY, lab.lab.state).commands));
    writeFileSync(join(directory, 'dump.sh'), DUMP);
    const sandbox = `
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock /run/hoplab /run/etc
cp -a /etc/. /run/etc/ 2>/dev/null || :
mount --bind /run/etc /etc
ip link set lo up
sh ${script}
sh ${join(directory, 'dump.sh')} 2>&1
`;
    const user = isRoot() ? [] : ['--user', '--map-root-user', '--map-auto'];
    const namespaces = ['--net', '--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child'];
    const built = await run(['unshare', ...user, ...namespaces, 'sh', '-c', sandbox]);
    t.equal(built.exitCode, 0, built.stderr);
    const up = await lab.sh(DUMP);
    t.ok(normalized(up.stdout).length > 500, 'there is something to compare');
    t.strictSame(normalized(built.stdout), normalized(up.stdout));
    // One route less is a difference that this sees.
    await lab.out('vpc/main', 'ip route del 10.0.3.50');
    t.strictNotSame(normalized(built.stdout), normalized((await lab.sh(DUMP)).stdout));
  });
});

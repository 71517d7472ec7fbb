import t from 'tap';

import { because } from '../../src/base/because.ts';
import { cidr, ipv4 } from '../../src/base/ip.ts';
import { netnsName } from '../../src/base/names.ts';
import { diff } from '../../src/kernel/diff.ts';
import { nameServer, resolvConf } from '../../src/kernel/name-server.ts';
import { render } from '../../src/kernel/render.ts';
import { renderReadScript } from '../../src/kernel/read-script.ts';
import { EMPTY, type KernelObject, type KernelState, objectKey } from '../../src/kernel/state.ts';

const netns = netnsName('vpc-main');
const server = ipv4('10.0.0.2');

function state(...objects: readonly KernelObject[]): KernelState {
  return new Map(
    objects.map((object) => [objectKey(object), { object, because: because('c', 't') }]),
  );
}

/** Each command's first line. */
function shells(from: KernelState, to: KernelState): string[] {
  return render(diff(from, to)).map(({ shell }) => shell);
}

t.test('a name server knows its names, their way back, and whole blocks', async (t) => {
  const [file] = nameServer(
    netns,
    [
      { name: 'one', address: ipv4('10.0.0.9') },
      { name: 'other', address: ipv4('10.0.0.9'), alsoOf: ipv4('203.0.113.1') },
    ],
    { blocks: [{ block: cidr('10.0.0.0/16'), prefix: 'ip-', domain: 'ec2.internal' }] },
  );
  t.match(file, {
    path: '/run/hoplab/dnsmasq-vpc-main.conf',
    content:
      /synth-domain=ec2.internal,10.0.0.0\/16,ip-\nhost-record=one,10.0.0.9\nhost-record=other,10.0.0.9\nptr-record=1.113.0.203.in-addr.arpa,other\n$/,
  });
});

t.test('other names are another digest, so that it is started anew', async (t) => {
  const before = state(...nameServer(netns, []));
  const after = state(...nameServer(netns, [{ name: 'one', address: server }]));
  t.strictSame(shells(before, before), []);
  const [file, daemon] = shells(before, after);
  t.equal(file, 'cat >/run/hoplab/dnsmasq-vpc-main.conf.new');
  t.match(daemon, /kill \$pid .*while kill -0 \$pid .*; HOPLAB_DIGEST=\w+ nsenter .* dnsmasq -C/);
});

t.test(
  'the resolv.conf of many namespaces are written by one process, and read by none',
  async (t) => {
    const of = (name: string, search?: string): KernelObject =>
      resolvConf(netnsName(name), {
        servers: [server],
        ...(search === undefined ? {} : { search: [search] }),
      });
    const all = state(of('a', 'ec2.internal'), of('b', 'ec2.internal'), of('c'));
    t.strictSame(shells(EMPTY, all), [
      'mkdir -p /etc/netns/a /etc/netns/b && tee /etc/netns/a/resolv.conf /etc/netns/b/resolv.conf >/dev/null',
      'mkdir -p /etc/netns/c && tee /etc/netns/c/resolv.conf >/dev/null',
    ]);
    t.strictSame(shells(all, state(of('a', 'ec2.internal'))), [
      'rm -f /etc/netns/b/resolv.conf /etc/netns/c/resolv.conf; rmdir /etc/netns/b /etc/netns/c 2>/dev/null || :',
    ]);
    const script = renderReadScript(all);
    t.match(script, 'for file in /etc/netns/a/resolv.conf /etc/netns/b/resolv.conf /etc/netns/c');
    t.notMatch(script, 'cat /etc/netns');
  },
);

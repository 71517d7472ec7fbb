/** What the kernel's tools print becomes a state, and differences become findings, all without a kernel. */

import t from 'tap';

import { because } from '../../src/base/because.ts';
import { ipv4 } from '../../src/base/ip.ts';
import { netnsName } from '../../src/base/names.ts';
import { findDrift } from '../../src/kernel/drift.ts';
import { bareNetns } from '../../src/kernel/netns.ts';
import { parseIp } from '../../src/kernel/parse-ip.ts';
import type { NetnsText, ReadTexts } from '../../src/kernel/parse-sections.ts';
import { readBack } from '../../src/kernel/read-back.ts';
import {
  type Daemon,
  type KernelObject,
  type KernelState,
  objectKey,
  type Veth,
} from '../../src/kernel/state.ts';
import { renderDrift } from '../../src/report/drift.ts';

const a = netnsName('a');
const b = netnsName('b');

const LO = {
  ifindex: 1,
  ifname: 'lo',
  flags: ['LOOPBACK', 'UP', 'LOWER_UP'],
  mtu: 65536,
  link_type: 'loopback',
  address: '00:00:00:00:00:00',
  addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8 }],
};
const link = (fields: object): object => ({
  flags: ['BROADCAST', 'UP'],
  mtu: 9001,
  link_type: 'ether',
  gso_max_size: 9001,
  linkinfo: { info_kind: 'veth' },
  addr_info: [],
  ...fields,
});
const PORT = link({
  ifindex: 2,
  link_index: 2,
  ifname: 'port',
  address: '0a:00:00:00:00:01',
  master: 'br',
  linkinfo: {
    info_kind: 'veth',
    info_slave_data: {
      isolated: true,
      learning: false,
      flood: false,
      mcast_flood: false,
      bcast_flood: false,
      proxy_arp: true,
    },
  },
});
const BRIDGE = link({
  ifindex: 3,
  ifname: 'br',
  address: '0a:00:00:00:00:03',
  linkinfo: { info_kind: 'bridge', info_data: { mcast_snooping: 0, forward_delay: 0 } },
});
const ETH0 = link({
  ifindex: 2,
  link_index: 2,
  ifname: 'eth0',
  address: '0a:00:00:00:00:02',
  addr_info: [
    { family: 'inet', local: '10.0.0.5', prefixlen: 24, broadcast: '10.0.0.255' },
    { family: 'inet6', local: 'fe80::1', prefixlen: 64 },
  ],
});

const text = (
  addrs: readonly object[],
  routes: readonly object[] = [],
  rules: readonly object[] = [{ priority: 0, src: 'all', table: 'local' }],
  neighbours: readonly object[] = [],
): string => [addrs, routes, rules, neighbours].map((one) => JSON.stringify(one)).join('\n');

t.test(
  'links apart, and everything on them; IPv6, lo and what the kernel adds are left out',
  async (t) => {
    const routes = [
      {
        type: 'unicast',
        dst: '10.0.0.0/24',
        dev: 'eth0',
        table: 'main',
        protocol: 'kernel',
        scope: 'link',
        flags: [],
      },
      {
        type: 'unicast',
        dst: 'default',
        gateway: '10.0.0.1',
        dev: 'eth0',
        table: 'main',
        protocol: 'boot',
        scope: 'global',
        flags: ['onlink'],
      },
      {
        type: 'unicast',
        dst: '10.0.0.9',
        dev: 'eth0',
        table: '2',
        protocol: 'boot',
        scope: 'link',
        prefsrc: '10.0.0.5',
        flags: [],
      },
      {
        type: 'blackhole',
        dst: 'default',
        table: '7',
        protocol: 'boot',
        scope: 'global',
        metric: 4294967295,
        flags: [],
      },
      {
        type: 'local',
        dst: '10.0.0.5',
        dev: 'eth0',
        table: 'local',
        protocol: 'kernel',
        scope: 'host',
        flags: [],
      },
      {
        type: 'unicast',
        dst: 'fe80::/64',
        dev: 'eth0',
        table: 'main',
        protocol: 'kernel',
        flags: [],
      },
    ];
    const rules = [
      { priority: 0, src: 'all', table: 'local' },
      { priority: 512, src: 'all', dst: '10.0.3.50', table: 'main' },
      { priority: 600, src: '10.0.3.0', srclen: 24, iif: 'br', table: '1813' },
      { priority: 1024, src: 'all', fwmark: '0x80', fwmask: '0x80', table: 'main' },
    ];
    const neighbours = [
      { dst: '10.0.0.1', dev: 'eth0', lladdr: '0a:00:00:00:00:09', state: ['PERMANENT'] },
      { dst: 'fe80::2', dev: 'eth0', lladdr: '0a:00:00:00:00:08', state: ['PERMANENT'] },
    ];
    const fdb = [
      {
        mac: '0a:00:00:00:00:05',
        ifname: 'port',
        flags: ['sticky'],
        master: 'br',
        state: 'static',
      },
      {
        mac: '0a:00:00:00:00:05',
        ifname: 'port',
        vlan: 1,
        flags: ['sticky'],
        master: 'br',
        state: 'static',
      },
      { mac: '0a:00:00:00:00:01', ifname: 'port', flags: [], master: 'br', state: 'permanent' },
      { mac: '33:33:00:00:00:01', ifname: 'port', flags: ['self'], state: 'permanent' },
    ];
    const { links, objects } = parseIp(
      a,
      text([LO, ETH0], routes, rules, neighbours),
      JSON.stringify(fdb),
    );
    t.strictSame(
      links.map(({ link: name, type, index, peerIndex }) => [name, type, index, peerIndex]),
      [['eth0', 'veth', 2, 2]],
    );
    t.strictSame(objects.map(objectKey), [
      'a up lo',
      'a up eth0',
      'a address eth0 10.0.0.5/24',
      'a route 254 default 0',
      'a route 2 10.0.0.9/32 0',
      'a route 7 default 4294967295',
      'a rule priority 0 lookup local',
      'a rule priority 512 to 10.0.3.50 lookup main',
      'a rule priority 600 from 10.0.3.0/24 iif br lookup 1813',
      'a rule priority 1024 fwmark 0x80/0x80 lookup main',
      'a neighbour eth0 10.0.0.1',
      'a fdb port 0a:00:00:00:00:05',
    ]);
    t.strictSame(objects[3], {
      kind: 'route',
      netns: a,
      table: 254,
      type: 'unicast',
      destination: 'default',
      via: '10.0.0.1',
      link: 'eth0',
      onlink: true,
    });
    t.strictSame(objects[4], {
      kind: 'route',
      netns: a,
      table: 2,
      type: 'unicast',
      destination: '10.0.0.9/32',
      link: 'eth0',
      source: '10.0.0.5',
      scopeLink: true,
    });
  },
);

const WHY = because('c', 'thing');
const plan = (...objects: readonly KernelObject[]): KernelState =>
  new Map(objects.map((object) => [objectKey(object), { object, because: WHY }]));

const NETNS_TEXT: NetnsText = { ip: '', fdb: '', nft: '', iptables: '', ipset: '', proc: '' };
const read = (
  netns: Readonly<Record<string, Partial<NetnsText>>>,
  rest: Partial<ReadTexts> = {},
): ReadTexts => ({
  netns: new Map(
    Object.entries(netns).map(([name, one]) => [netnsName(name), { ...NETNS_TEXT, ...one }]),
  ),
  files: new Map(),
  daemons: new Map(),
  ...rest,
});

const VETH: Veth = {
  kind: 'veth',
  ends: [
    { netns: a, link: 'port', mac: '0a:00:00:00:00:01' },
    { netns: b, link: 'eth0', mac: '0a:00:00:00:00:02' },
  ],
  mtuBytes: 9001,
};
const TWO: readonly KernelObject[] = [
  ...bareNetns(a),
  ...bareNetns(b),
  VETH,
  { kind: 'bridge', netns: a, link: 'br', mac: '0a:00:00:00:00:03', mtuBytes: 9001 },
  { kind: 'bridge-port', netns: a, link: 'port', bridge: 'br' },
  { kind: 'link-up', netns: a, link: 'port' },
  { kind: 'link-up', netns: a, link: 'br' },
  { kind: 'link-up', netns: b, link: 'eth0' },
  {
    kind: 'address',
    netns: b,
    link: 'eth0',
    address: ipv4('10.0.0.5'),
    prefixLength: 24,
    broadcast: ipv4('10.0.0.255'),
    connectedRoute: false,
  },
];

const says = (texts: ReadTexts, planned: KernelState): string[] => {
  const drift = findDrift(readBack(texts, planned), planned);
  return drift.length === 0 ? [] : renderDrift(drift, false).split('\n');
};

t.test('what stands as planned differs in nothing', async (t) => {
  const texts = read({ a: { ip: text([LO, PORT, BRIDGE]) }, b: { ip: text([LO, ETH0]) } });
  t.strictSame(says(texts, plan(...TWO)), []);
});

t.test('the cable whose other end lost its namespace is one with the namespace', async (t) => {
  const texts = read({ a: { ip: text([LO, PORT, BRIDGE]) } });
  t.strictSame(says(texts, plan(...TWO)), [
    '✗ thing: network namespace b is gone, and 5 objects with it',
  ]);
});

t.test('a cable between two namespaces that nobody planned is one, not two links', async (t) => {
  const more = (name: string): object =>
    link({ ifindex: 7, link_index: 7, ifname: name, address: '0a:00:00:00:00:07', flags: [] });
  const texts = read({
    a: { ip: text([LO, PORT, BRIDGE, more('x')]) },
    b: { ip: text([LO, ETH0, more('y')]) },
  });
  t.strictSame(says(texts, plan(...TWO)), ['✗ thing: a cable more: y (to x of a)']);
});

t.test('tunnels that the kernel puts into every namespace are nobody’s', async (t) => {
  const tunnel = {
    ...LO,
    ifindex: 9,
    ifname: 'tunl0',
    link_type: 'ipip',
    flags: ['NOARP'],
    addr_info: [],
  };
  const texts = read({ a: { ip: text([LO, tunnel]) } });
  t.strictSame(says(texts, plan(...bareNetns(a))), []);
});

t.test('a second route of one destination and metric is one more', async (t) => {
  const one = {
    type: 'unicast',
    dst: 'default',
    gateway: '10.0.0.1',
    dev: 'eth0',
    table: 'main',
    protocol: 'boot',
    flags: [],
  };
  const planned = plan(...bareNetns(a), {
    kind: 'route',
    netns: a,
    table: 254,
    type: 'unicast',
    destination: 'default',
    via: ipv4('10.0.0.1'),
    link: 'eth0',
  });
  const texts = read({ a: { ip: text([LO], [one, { ...one, gateway: '10.0.0.2' }]) } });
  t.strictSame(says(texts, planned), ['✗ thing: a route more: default via 10.0.0.2 dev eth0']);
});

t.test('a sysctl that is only there with a module is not missed without it', async (t) => {
  const planned = plan(
    ...bareNetns(a),
    { kind: 'sysctl', netns: a, path: 'net/bridge/x', value: '0', ifThere: true },
    { kind: 'sysctl', netns: a, path: 'net/ipv4/y', value: '1' },
  );
  const ip = text([LO]);
  t.strictSame(says(read({ a: { ip, proc: 'net/ipv4/y:1\n' } }), planned), []);
  t.strictSame(says(read({ a: { ip, proc: 'net/bridge/x:1\nnet/ipv4/y:1\n' } }), planned), [
    '✗ thing: sysctl net.bridge.x is 1, not 0',
  ]);
  t.strictSame(says(read({ a: { ip } }), planned), ['✗ thing: sysctl net.ipv4.y is gone']);
});

t.test('a sysctl of a link goes with the link, although not every kernel has it', async (t) => {
  const path = 'net/ipv4/neigh/br/x';
  const planned = plan(...bareNetns(a), {
    ...{ kind: 'sysctl', netns: a, path, value: '0', link: 'br', ifThere: true },
  });
  t.strictSame(says(read({ a: { ip: text([LO]) } }), planned), [
    '✗ thing: sysctl net.ipv4.neigh.br.x is gone',
  ]);
});

t.test(
  'a server runs when its process was started with this configuration and listens',
  async (t) => {
    const server: Daemon = {
      kind: 'daemon',
      name: 'haproxy',
      pidFile: '/run/p',
      start: '',
      reload: '',
      stop: '',
      digest: 'd1',
      sockets: [{ netns: a, protocol: 'tcp', port: 8080 }],
    };
    const planned = plan(...bareNetns(a), server);
    const with_ = (said: string | undefined, sockets: string): string[] =>
      says(
        read(
          { a: { ip: text([LO]), proc: sockets } },
          { daemons: new Map(said === undefined ? [] : [['haproxy', said]]) },
        ),
        planned,
      );
    const listening = '/proc/self/net/tcp:   0: 00000000:1F90 00000000:0000 0A\n';
    t.strictSame(with_('HOPLAB_DIGEST=d1', listening), []);
    t.strictSame(with_(undefined, listening), ['✗ thing: the server haproxy does not run']);
    // Another process has got its number.
    t.strictSame(with_('', listening), ['✗ thing: the server haproxy does not run']);
    t.strictSame(with_('HOPLAB_DIGEST=d2', listening), [
      '✗ thing: the server haproxy runs with another configuration',
    ]);
    t.strictSame(with_('HOPLAB_DIGEST=d1', ''), [
      '✗ thing: server haproxy: it does not listen on tcp 8080 of a',
    ]);
    const log = plan(...bareNetns(a), {
      ...server,
      sockets: [{ netns: a, protocol: 'nflog', port: 1 }],
    });
    const bound = (proc: string): string[] => {
      const netns = { a: { ip: text([LO]), proc } };
      return says(read(netns, { daemons: new Map([['haproxy', 'HOPLAB_DIGEST=d1']]) }), log);
    };
    const groups = '/proc/self/net/netfilter/nfnetlink_log:    1     13     0 2   128    100  1\n';
    t.strictSame(bound(groups), []);
    t.strictSame(bound(groups.replace(' 1 ', ' 2 ')), [
      '✗ thing: server haproxy: it does not listen on nflog 1 of a',
    ]);
  },
);

t.test('the kernel’s own lines: what the plan wants, what stands, and where', async (t) => {
  const planned = plan(...bareNetns(a), {
    kind: 'iptables-chain',
    netns: a,
    table: 'nat',
    chain: 'OWN',
    rules: ['-s 10.0.0.1/32 -j RETURN', '-j ACCEPT'],
  });
  const texts = read({
    a: {
      ip: text([LO]),
      iptables: '*nat\n:OWN - [0:0]\n-A OWN -j ACCEPT\n-A OWN -j DROP\nCOMMIT\n',
    },
  });
  t.equal(
    renderDrift(findDrift(readBack(texts, planned), planned), true),
    `✗ thing: chain OWN (iptables -t nat) lacks a rule and has a rule more
    - iptables -t nat: -A OWN -s 10.0.0.1/32 -j RETURN    (netns a)
    + iptables -t nat: -A OWN -j DROP    (netns a)`,
  );
});

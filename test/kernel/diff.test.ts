import t from 'tap';

import { because } from '../../src/base/because.ts';
import { cidr, ipv4 } from '../../src/base/ip.ts';
import { netnsName } from '../../src/base/names.ts';
import { diff } from '../../src/kernel/diff.ts';
import {
  EMPTY,
  type Daemon,
  type InterfaceAddress,
  type KernelObject,
  type KernelRoute,
  type LinkUp,
  type KernelState,
  type Neighbour,
  type Netns,
  objectKey,
  type Veth,
} from '../../src/kernel/state.ts';

const a = netnsName('a');
const b = netnsName('b');

const netns = (name: typeof a): Netns => ({ kind: 'netns', netns: name });
const veth = (mtuBytes = 9001, one = a, other = b, mac = '0a:00:00:00:00:02'): Veth => ({
  kind: 'veth',
  ends: [
    { netns: one, link: 'x', mac: '0a:00:00:00:00:01' },
    { netns: other, link: 'eth0', mac },
  ],
  mtuBytes,
});
const address = (text: string, link = 'eth0'): InterfaceAddress => ({
  kind: 'address',
  netns: b,
  link,
  address: ipv4(text),
  prefixLength: 24,
  connectedRoute: true,
});
const route: KernelRoute = {
  kind: 'route',
  netns: b,
  table: 254,
  type: 'unicast',
  destination: 'default',
  via: ipv4('10.0.0.1'),
  link: 'eth0',
};
const neighbour: Neighbour = {
  kind: 'neighbour',
  netns: b,
  link: 'eth0',
  address: ipv4('10.0.0.1'),
  mac: '0a:00:00:00:00:03',
};
const blackhole: KernelRoute = {
  kind: 'route',
  netns: b,
  table: 254,
  type: 'blackhole',
  destination: cidr('10.9.0.0/16'),
};

function state(...objects: readonly KernelObject[]): KernelState {
  return new Map(
    objects.map((object) => [objectKey(object), { object, because: because('c', 't') }]),
  );
}

/** `+ key`, `- key`, `~ key`. */
function steps(from: KernelState, to: KernelState): string[] {
  const signs = { add: '+', remove: '-', change: '~' };
  return diff(from, to).map(
    ({ action, planned }) => `${signs[action]} ${objectKey(planned.object)}`,
  );
}

t.test(
  'of two links with one block the one that comes first in the plan gets its route first',
  async (t) => {
    const eth1 = address('10.0.0.7', 'eth1');
    const before = state(netns(b), eth1);
    t.strictSame(steps(before, state(netns(b), address('10.0.0.5'), eth1)), [
      `- ${objectKey(eth1)}`,
      `+ ${objectKey(address('10.0.0.5'))}`,
      `+ ${objectKey(eth1)}`,
    ]);
    t.strictSame(
      steps(before, state(netns(b), eth1, address('10.0.0.5'))),
      [`+ ${objectKey(address('10.0.0.5'))}`],
      'behind it nothing has to go',
    );
    const both = state(netns(b), address('10.0.0.5'), eth1);
    t.strictSame(
      steps(both, state(netns(b), address('10.0.0.5'), address('10.0.0.6'), eth1)),
      [`+ ${objectKey(address('10.0.0.6'))}`],
      'a further address of the first one brings no further route',
    );
  },
);

const ALL = [netns(a), netns(b), veth(), address('10.0.0.5'), route, neighbour, blackhole] as const;

t.test('from nothing everything is added', async (t) => {
  t.strictSame(
    steps(EMPTY, state(...ALL)),
    ALL.map((object) => `+ ${objectKey(object)}`),
  );
});

t.test('to nothing the namespaces are removed, and all else goes along', async (t) => {
  t.strictSame(steps(state(...ALL), EMPTY), ['- netns a', '- netns b']);
});

t.test(
  'equal states are no steps, whatever the order of objects and of their fields',
  async (t) => {
    const turned = [...ALL]
      .reverse()
      .map(
        (object) => Object.fromEntries(Object.entries(object).reverse()) as unknown as KernelObject,
      );
    t.strictSame(diff(state(...ALL), state(...turned)), []);
  },
);

t.test('a namespace that goes takes what is in it and on its cables', async (t) => {
  const outside = { ...blackhole, netns: a, destination: cidr('10.8.0.0/16') } as const;
  const onCable: KernelRoute = { ...route, netns: a, link: 'x' };
  t.strictSame(steps(state(...ALL, outside, onCable), state(netns(a), outside)), [
    '- netns b',
    // By itself it would stay as long as somebody's process is in the namespace.
    '- veth a:x b:eth0',
  ]);
});

t.test('with another primary address the others are taken off and put on again', async (t) => {
  const addresses = (...texts: readonly string[]) =>
    state(netns(b), ...texts.map((text) => address(text)), route);
  const [five, six] = ['b address eth0 10.0.0.5/24', 'b address eth0 10.0.0.6/24'];
  const again = '+ b route 254 default 0';
  t.strictSame(steps(addresses('10.0.0.5', '10.0.0.6'), addresses('10.0.0.6', '10.0.0.5')), [
    `- ${five}`,
    `- ${six}`,
    `+ ${six}`,
    `+ ${five}`,
    again,
  ]);
  t.strictSame(steps(addresses('10.0.0.5', '10.0.0.6'), addresses('10.0.0.6')), [
    `- ${five}`,
    `- ${six}`,
    `+ ${six}`,
    again,
  ]);
  t.strictSame(steps(addresses('10.0.0.5'), addresses('10.0.0.5', '10.0.0.6')), [`+ ${six}`]);
});

t.test('a port that moves to another bridge gets back its forwarding entry', async (t) => {
  const port = (bridge: string) => ({ kind: 'bridge-port', netns: b, link: 'p', bridge }) as const;
  const entry = { kind: 'fdb-entry', netns: b, link: 'p', mac: '0a:00:00:00:00:03' } as const;
  t.strictSame(steps(state(port('one'), entry), state(port('two'), entry)), [
    '~ b port p',
    '+ b fdb p 0a:00:00:00:00:03',
  ]);
});

t.test('a cable that goes along goes first where another takes its name', async (t) => {
  const c = netnsName('c');
  const from = state(netns(a), netns(b), veth());
  t.strictSame(steps(from, state(netns(a), netns(c), veth(9001, a, c))), [
    '- netns b',
    '- veth a:x b:eth0',
    '+ netns c',
    '+ veth a:x c:eth0',
  ]);
});

const ON_LINK = [address('10.0.0.5'), route, neighbour, blackhole];

t.test('a link that is down gets back the routes and neighbours that went with it', async (t) => {
  const up: LinkUp = { kind: 'link-up', netns: b, link: 'eth0' };
  const planned = state(netns(a), netns(b), veth(), up, ...ON_LINK);
  const found = state(netns(a), netns(b), veth(), address('10.0.0.5'), blackhole);
  t.strictSame(steps(found, planned), [
    '+ b up eth0',
    '+ b route 254 default 0',
    '+ b neighbour eth0 10.0.0.1',
  ]);
});

t.test('a server starts anew where a namespace that it listens in was made anew', async (t) => {
  const server: Daemon = {
    kind: 'daemon',
    name: 'server',
    pidFile: '/run/server.pid',
    start: 'server',
    reload: 'server again',
    stop: 'server no more',
    digest: 'd',
    sockets: [{ netns: b, protocol: 'tcp', port: 80 }],
  };
  t.strictSame(steps(state(netns(a), netns(b), server), state(netns(a), netns(b), server)), []);
  t.strictSame(steps(state(netns(a), server), state(netns(a), netns(b), server)), [
    '+ netns b',
    '~ daemon server',
  ]);
  t.strictSame(steps(state(netns(b), server), state(netns(a), netns(b), server)), ['+ netns a']);
});

t.test(
  'an address with another broadcast address is put on again, with what went along',
  async (t) => {
    const other: InterfaceAddress = { ...address('10.0.0.5'), broadcast: ipv4('10.0.0.255') };
    const changed = [netns(a), netns(b), veth(), other, route, neighbour, blackhole];
    t.strictSame(steps(state(...ALL), state(...changed)), [
      '- b address eth0 10.0.0.5/24',
      '+ b address eth0 10.0.0.5/24',
      '+ b route 254 default 0',
      '+ b neighbour eth0 10.0.0.1',
    ]);
  },
);

t.test('a cable with another MTU stays, and so does what lies on it', async (t) => {
  const changed = [netns(a), netns(b), veth(1500), ...ON_LINK];
  t.strictSame(steps(state(...ALL), state(...changed)), ['~ veth a:x b:eth0']);
});

t.test('a cable with another MAC is made anew, and gets back what lay on it', async (t) => {
  const changed = [netns(a), netns(b), veth(9001, a, b, '0a:00:00:00:00:09'), ...ON_LINK];
  t.strictSame(steps(state(...ALL), state(...changed)), [
    '~ veth a:x b:eth0',
    '+ b address eth0 10.0.0.5/24',
    '+ b route 254 default 0',
    '+ b neighbour eth0 10.0.0.1',
  ]);
});

t.test("another address of a link: the link's routes and neighbours are added again", async (t) => {
  const changed = [netns(a), netns(b), veth(), address('10.0.0.6'), route, neighbour, blackhole];
  t.strictSame(steps(state(...ALL), state(...changed)), [
    '- b address eth0 10.0.0.5/24',
    '+ b address eth0 10.0.0.6/24',
    '+ b route 254 default 0',
    '+ b neighbour eth0 10.0.0.1',
  ]);
});

t.test('a route with another next hop is changed in its place', async (t) => {
  const other: KernelRoute = { ...route, via: ipv4('10.0.0.2') };
  const [step, ...more] = diff(state(route), state(other));
  t.strictSame(more, []);
  t.strictSame(step, {
    action: 'change',
    planned: { object: other, because: because('c', 't') },
    before: route,
  });
});

t.test('an object without a link is removed by itself', async (t) => {
  t.strictSame(steps(state(netns(b), blackhole), state(netns(b))), ['- b route 254 10.9.0.0/16 0']);
});

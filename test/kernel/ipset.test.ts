/** Sets of addresses: read as `ipset save` prints them, and changed by the members that came or went. */

import t from 'tap';

import { because } from '../../src/base/because.ts';
import { netnsName } from '../../src/base/names.ts';
import { diff } from '../../src/kernel/diff.ts';
import { parseIpsets } from '../../src/kernel/parse-ipset.ts';
import { render } from '../../src/kernel/render.ts';
import {
  EMPTY,
  type IpSet,
  type KernelObject,
  type KernelState,
  objectKey,
} from '../../src/kernel/state.ts';

const netns = netnsName('node-1');
const WHY = because('network-policy', 'netpol/default/p');
const state = (...objects: readonly KernelObject[]): KernelState =>
  new Map(objects.map((object) => [objectKey(object), { object, because: WHY }]));
const set = (members: readonly string[], more: Partial<IpSet> = {}): IpSet => ({
  kind: 'ipset',
  netns,
  set: 'PEERS',
  type: 'hash:ip',
  members,
  ...more,
});
const CHAIN: KernelObject = {
  kind: 'iptables-chain',
  netns,
  table: 'filter',
  chain: 'GATE',
  rules: ['-m set --match-set PEERS src -j RETURN'],
};

/** Phase and lines of each command. */
function commands(from: KernelState, to: KernelState): unknown[] {
  return render(diff(from, to)).map(({ phase, shell, input }) => [
    phase,
    shell.replace('nsenter --net=/run/netns/node-1 ', ''),
    ...(input ?? []).map(({ text }) => text),
  ]);
}

t.test('what the kernel chooses by itself is left out; another setting shows', async (t) => {
  const text = `create PEERS hash:ip family inet hashsize 1024 maxelem 65536 comment bucketsize 12 initval 0x76a23173
create OLD hash:net family inet hashsize 64 maxelem 9 comment
add PEERS 10.0.0.9 comment "pod/b"
add PEERS 10.0.0.10 comment "pod/a"
add OLD 10.0.0.0/16 nomatch
`;
  t.strictSame(parseIpsets(netns, text), [
    set(['10.0.0.10 comment "pod/a"', '10.0.0.9 comment "pod/b"']),
    set(['10.0.0.0/16 nomatch'], {
      set: 'OLD',
      type: 'hash:net',
      unlike: 'made with family inet maxelem 9 comment',
    }),
  ]);
  t.strictSame(parseIpsets(netns, ''), []);
});

t.test('a set comes before the rules that name it, and goes after them', async (t) => {
  const all = state(set(['10.0.0.9']), CHAIN);
  t.strictSame(commands(EMPTY, all), [
    [
      1,
      'ipset restore',
      'create PEERS hash:ip hashsize 64 family inet maxelem 65536 comment',
      'add PEERS 10.0.0.9 -exist',
    ],
    [
      2,
      'iptables-nft-restore --noflush',
      '*filter',
      ':GATE - [0:0]',
      '-A GATE -m set --match-set PEERS src -j RETURN',
      'COMMIT',
    ],
  ]);
  t.strictSame(commands(all, EMPTY), [
    [2, 'iptables-nft-restore --noflush', '*filter', ':GATE - [0:0]', '-X GATE', 'COMMIT'],
    [4, 'ipset restore', 'destroy PEERS'],
  ]);
});

t.test('of a set that stays only the members that differ are touched', async (t) => {
  const before = state(set(['10.0.0.1 comment "pod/a"', '10.0.0.2', '10.0.0.3']), CHAIN);
  const after = state(set(['10.0.0.1 comment "pod/z"', '10.0.0.2', '10.0.0.4']), CHAIN);
  t.strictSame(commands(before, after), [
    [
      1,
      'ipset restore',
      'add PEERS 10.0.0.1 comment "pod/z" -exist',
      'add PEERS 10.0.0.4 -exist',
      'del PEERS 10.0.0.3',
    ],
  ]);
  t.strictSame(commands(after, after), []);
});

t.test('a set of another type is made anew, without the rules that hold it', async (t) => {
  const before = state(set(['10.0.0.1/24'], { type: 'hash:net' }), CHAIN);
  t.strictSame(commands(before, state(set([]), CHAIN)), [
    [0, 'iptables-nft-restore --noflush', '*filter', '-F GATE', 'COMMIT'],
    [
      1,
      'ipset restore',
      'destroy PEERS',
      'create PEERS hash:ip hashsize 64 family inet maxelem 65536 comment',
    ],
    [
      2,
      'iptables-nft-restore --noflush',
      '*filter',
      ':GATE - [0:0]',
      '-A GATE -m set --match-set PEERS src -j RETURN',
      'COMMIT',
    ],
  ]);
});

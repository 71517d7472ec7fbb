/** Changed chains as one `iptables-restore --noflush` a namespace: all of it takes effect at once, or none. */

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import type { Step } from './diff.ts';
import { type Command, inNetns, type Line } from './command.ts';
import type { IptablesChain, IptablesTable, KernelState } from './state.ts';

/** In iptables-save's order. */
const TABLES: readonly IptablesTable[] = ['raw', 'mangle', 'nat', 'filter'];

interface Change {
  readonly chain: IptablesChain;
  readonly because: Because;
  readonly removed: boolean;
}

export function renderIptables(steps: readonly Step[]): Command[] {
  const byNetns = new Map<NetnsName, Change[]>();
  for (const { action, planned } of steps) {
    const { object, because } = planned;
    if (object.kind !== 'iptables-chain') continue;
    const list = byNetns.get(object.netns) ?? [];
    list.push({ chain: object, because, removed: action === 'remove' });
    byNetns.set(object.netns, list);
  }
  return [...byNetns].map(([netns, changes]) => ({
    phase: 2,
    netns,
    // By its full name: plain `iptables` may be the legacy one on an old distribution.
    shell: `${inNetns(netns)} iptables-nft-restore --noflush`,
    input: TABLES.flatMap((table) =>
      renderTable(
        table,
        changes.filter((change) => change.chain.table === table),
      ),
    ),
  }));
}

/** `:CHAIN - [0:0]` makes a user chain or empties it; the kernel's own chains are emptied by `-F`. */
function renderTable(table: IptablesTable, changes: readonly Change[]): Line[] {
  if (changes.length === 0) return [];
  const lines: Line[] = [{ text: `*${table}` }];
  const own = changes.filter(({ chain }) => chain.policy === undefined);
  const builtin = changes.filter(({ chain }) => chain.policy !== undefined);
  for (const { chain, because } of own) lines.push({ text: `:${chain.chain} - [0:0]`, because });
  for (const { chain, because, removed } of builtin) {
    const policy = removed ? 'ACCEPT' : (chain.policy ?? 'ACCEPT');
    lines.push({ text: `:${chain.chain} ${policy} [0:0]`, because });
    lines.push({ text: `-F ${chain.chain}`, because });
  }
  for (const { chain, because, removed } of changes) {
    if (removed) continue;
    for (const rule of chain.rules) lines.push({ text: `-A ${chain.chain} ${rule}`, because });
  }
  for (const { chain, because, removed } of own) {
    if (removed) lines.push({ text: `-X ${chain.chain}`, because });
  }
  lines.push({ text: 'COMMIT' });
  return lines;
}

/** The chains that a table has from birth. @see iptables(8) */
const BUILT_IN: Readonly<Record<IptablesTable, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/** As iptables-save of nftables has them. */
const SAVE_ORDER: readonly IptablesTable[] = ['raw', 'mangle', 'filter', 'nat'];

/** All of a namespace's chains as `iptables-save` prints them, but for its comments and counters. */
export function renderFirewall(state: KernelState, netns: NetnsName): string {
  const chains = [...state.values()].flatMap(({ object }) =>
    object.kind === 'iptables-chain' && object.netns === netns ? [object] : [],
  );
  return SAVE_ORDER.flatMap((table) => {
    const here = chains.filter((chain) => chain.table === table);
    if (here.length === 0) return [];
    const find = (name: string): IptablesChain | undefined =>
      here.find(({ chain }) => chain === name);
    const own = here
      .filter(({ policy }) => policy === undefined)
      .sort((a, b) => (a.chain < b.chain ? -1 : 1));
    const builtIn = BUILT_IN[table].flatMap((name) => find(name) ?? []);
    return [
      `*${table}`,
      ...BUILT_IN[table].map((name) => `:${name} ${find(name)?.policy ?? 'ACCEPT'} [0:0]`),
      ...own.map(({ chain }) => `:${chain} - [0:0]`),
      ...[...builtIn, ...own].flatMap(({ chain, rules }) =>
        rules.map((rule) => `-A ${chain}${rule === '' ? '' : ` ${rule}`}`),
      ),
      'COMMIT',
    ];
  }).join('\n');
}

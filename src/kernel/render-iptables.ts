/** Changed chains as one `iptables-restore --noflush` a namespace: all of it takes effect at once, or none. */

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import type { Step } from './diff.ts';
import { type Command, inNetns, type Line } from './command.ts';
import type { IptablesChain, IptablesTable } from './state.ts';

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

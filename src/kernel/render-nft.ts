/**
 * Changed nftables objects as one `nft -f` a namespace, which the kernel takes as one transaction.
 *
 * Order inside: tables, sets and counters, empty chains, sets that change, elements that go, elements that come, rules,
 * and at the end what is no longer used. An element may jump to a chain, so chains come first; a chain may use a set, so
 * sets go last.
 */

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import type { Step } from './diff.ts';
import { type Command, inNetns, type Line } from './command.ts';
import type { NftChain, NftElement, NftSet, NftTable } from './state.ts';

type NftObject = NftTable | NftSet | NftElement | NftChain;

interface Change<Kind extends NftObject = NftObject> {
  readonly action: Step['action'];
  readonly object: Kind;
  readonly before: NftObject | undefined;
  readonly because: Because;
}

export function renderNft(steps: readonly Step[]): Command[] {
  const byNetns = new Map<NetnsName, Change[]>();
  for (const step of steps) {
    const { object, because } = step.planned;
    if (!isNft(object)) continue;
    const before = step.action === 'change' && isNft(step.before) ? step.before : undefined;
    const list = byNetns.get(object.netns) ?? [];
    list.push({ action: step.action, object, before, because });
    byNetns.set(object.netns, list);
  }
  return [...byNetns].map(([netns, changes]) => ({
    phase: 2,
    netns,
    shell: `${inNetns(netns)} nft -f -`,
    input: renderChanges(changes),
  }));
}

function isNft(object: { kind: string }): object is NftObject {
  return object.kind.startsWith('nft-');
}

function renderChanges(changes: readonly Change[]): Line[] {
  const lines: Line[] = [];
  const say = ({ because }: Change, text: string): void => {
    lines.push({ text, because });
  };
  const goneTables = new Set(
    changes.flatMap(({ object, action }) =>
      object.kind === 'nft-table' && action === 'remove' ? [tableOf(object)] : [],
    ),
  );
  const pick = <Kind extends NftObject['kind']>(
    kind: Kind,
    ...actions: readonly Step['action'][]
  ): Change<Extract<NftObject, { kind: Kind }>>[] =>
    changes.filter(
      (change): change is Change<Extract<NftObject, { kind: Kind }>> =>
        change.object.kind === kind &&
        actions.includes(change.action) &&
        (kind === 'nft-table' || !goneTables.has(tableOf(change.object))),
    );

  for (const change of pick('nft-table', 'add')) say(change, `add table ${tableOf(change.object)}`);
  for (const change of pick('nft-set', 'add')) {
    const { type, set, body } = change.object;
    say(change, `add ${type} ${tableOf(change.object)} ${set} { ${body} }`);
  }
  for (const change of pick('nft-chain', 'add', 'change')) {
    const { chain, hook } = change.object;
    const { before } = change;
    if (before?.kind === 'nft-chain') {
      say(change, `flush chain ${tableOf(change.object)} ${chain}`);
      // Declaring a base chain again changes its policy; its hook and priority stay for its life.
      if (placeOf(before) !== placeOf(change.object)) {
        say(change, `delete chain ${tableOf(change.object)} ${chain}`);
      }
    }
    say(
      change,
      `add chain ${tableOf(change.object)} ${chain}${hook === undefined ? '' : ` { ${hook} }`}`,
    );
  }
  for (const change of pick('nft-chain', 'remove')) {
    say(change, `flush chain ${tableOf(change.object)} ${change.object.chain}`);
  }
  // No rule uses it now: whatever did is made anew below (`diff.ts`).
  for (const change of pick('nft-set', 'change')) {
    const { type, set, body } = change.object;
    say(change, `delete ${type} ${tableOf(change.object)} ${set}`);
    say(change, `add ${type} ${tableOf(change.object)} ${set} { ${body} }`);
  }
  for (const change of pick('nft-element', 'remove', 'change')) {
    const { set, element } = change.object;
    say(change, `delete element ${tableOf(change.object)} ${set} { ${element} }`);
  }
  for (const change of pick('nft-element', 'add', 'change')) {
    const { set, element, data } = change.object;
    const value = data === undefined ? element : `${element} : ${data}`;
    say(change, `add element ${tableOf(change.object)} ${set} { ${value} }`);
  }
  for (const change of pick('nft-chain', 'add', 'change')) {
    for (const rule of change.object.rules) {
      say(change, `add rule ${tableOf(change.object)} ${change.object.chain} ${rule}`);
    }
  }
  for (const change of pick('nft-chain', 'remove')) {
    say(change, `delete chain ${tableOf(change.object)} ${change.object.chain}`);
  }
  for (const change of pick('nft-set', 'remove')) {
    const { type, set } = change.object;
    say(change, `delete ${type} ${tableOf(change.object)} ${set}`);
  }
  for (const change of pick('nft-table', 'remove')) {
    say(change, `delete table ${tableOf(change.object)}`);
  }
  return lines;
}

/** Where in the packet's way a base chain stands: all of its hook but the policy. */
function placeOf({ hook }: NftChain): string | undefined {
  return hook?.replace(/ policy \w+;$/, '');
}

function tableOf({ family, table }: NftObject): string {
  return `${family} ${table}`;
}

/**
 * Sets of addresses as `ipset restore`, one a namespace: of a set that stays only the members that came or went. Sets come
 * before the rules that name them, and go after those.
 *
 * @see ipset(8)
 */

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { type Command, inNetns, type Line } from './command.ts';
import { ipsetsOf, isSameIpset, type Step } from './diff.ts';
import { type IpSet, objectKey } from './state.ts';

/** The kernel makes the table larger by itself; the smallest one is enough for most. */
const HASH_SIZE = 64;
/** What `ipset save` prints of every set of ours behind its type; the size of the table is the kernel's business. */
export const FIXED_IPSET_SETTINGS = 'family inet maxelem 65536 comment';

export function renderIpsets(steps: readonly Step[]): Command[] {
  const come = new Map<NetnsName, Line[]>();
  const go = new Map<NetnsName, Line[]>();
  const replaced = new Set<string>();
  const say = (lines: Map<NetnsName, Line[]>, set: IpSet, because: Because, text: string): void => {
    const list = lines.get(set.netns) ?? [];
    list.push({ text, because });
    lines.set(set.netns, list);
  };
  for (const step of steps) {
    const { object, because } = step.planned;
    if (object.kind !== 'ipset') continue;
    const { set } = object;
    if (step.action === 'remove') {
      say(go, object, because, `destroy ${set}`);
      continue;
    }
    let before: readonly string[] = [];
    if (step.action === 'change' && step.before.kind === 'ipset') {
      if (isSameIpset(step.before, object)) before = step.before.members;
      else {
        replaced.add(objectKey(object));
        say(come, object, because, `destroy ${set}`);
      }
    }
    if (step.action === 'add' || replaced.has(objectKey(object))) {
      say(come, object, because, renderCreation(object));
    }
    for (const text of changedMembers(set, before, object.members))
      say(come, object, because, text);
  }
  const restore = (phase: 1 | 4, lines: ReadonlyMap<NetnsName, Line[]>): Command[] =>
    [...lines].map(([netns, input]) => ({
      phase,
      netns,
      shell: `${inNetns(netns)} ipset restore`,
      input,
    }));
  return [...renderEmptied(steps, replaced), ...restore(1, come), ...restore(4, go)];
}

function renderCreation({ set, type }: IpSet): string {
  return `create ${set} ${type} hashsize ${HASH_SIZE} ${FIXED_IPSET_SETTINGS}`;
}

/** First those that come: nobody is denied for a moment who was let in and is to be. */
function changedMembers(
  set: string,
  before: readonly string[],
  after: readonly string[],
): string[] {
  const there = new Set(before);
  const wanted = new Set(after);
  const elements = new Set(after.map(elementOf));
  return [
    // With `-exist`, what is there already gets the new comment.
    ...after.filter((one) => !there.has(one)).map((one) => `add ${set} ${one} -exist`),
    ...before
      .filter((one) => !wanted.has(one) && !elements.has(elementOf(one)))
      .map((one) => `del ${set} ${elementOf(one)}`),
  ];
}

/** `10.0.3.50,eni1234` of `10.0.3.50,eni1234 comment "pod/web"`. */
function elementOf(member: string): string {
  const [element = ''] = member.split(' ');
  return element;
}

/** The chains whose rules hold a set that is to be made anew; they are filled again when it is there. */
function renderEmptied(steps: readonly Step[], replaced: ReadonlySet<string>): Command[] {
  if (replaced.size === 0) return [];
  const chains = new Map<NetnsName, Line[]>();
  for (const step of steps) {
    const { object, because } = step.planned;
    if (object.kind !== 'iptables-chain' || step.action !== 'change') continue;
    if (step.before.kind !== 'iptables-chain') continue;
    if (!ipsetsOf(step.before).some((key) => replaced.has(key))) continue;
    const list = chains.get(object.netns) ?? [];
    list.push({ text: `*${object.table}` }, { text: `-F ${object.chain}`, because });
    list.push({ text: 'COMMIT' });
    chains.set(object.netns, list);
  }
  return [...chains].map(([netns, input]) => ({
    phase: 0,
    netns,
    shell: `${inNetns(netns)} iptables-nft-restore --noflush`,
    input,
  }));
}

/**
 * From what stands to what is wanted: the one function behind up, change, repair and down.
 *
 * The kernel removes more than it is told: a namespace takes everything in it along, a link its addresses, routes and
 * neighbours, a last address all of its link's routes, a port that moves its entries of the forwarding table. What goes
 * by itself is not removed again, and what is wanted but went along is added again.
 */

import { blockOf } from '../base/ip.ts';
import {
  type Bridge,
  type ForeignLink,
  type IpSet,
  type IptablesChain,
  type KernelObject,
  type KernelState,
  linkKey,
  linksOf,
  netnsOf,
  type NftChain,
  type NftElement,
  type NftSet,
  objectKey,
  type Planned,
  type Veth,
} from './state.ts';

export type Step =
  | { readonly action: 'add'; readonly planned: Planned }
  | { readonly action: 'remove'; readonly planned: Planned }
  /** The same key with another content; `before` is what stands. */
  | { readonly action: 'change'; readonly planned: Planned; readonly before: KernelObject };

export function diff(from: KernelState, to: KernelState): Step[] {
  const goneNetns = new Set<string>();
  const goneLinks = new Set<string>();
  const reorderedLinks = linksWithOtherAddresses(from, to);
  const touchedLinks = new Set<string>();

  for (const [key, { object }] of from) {
    const wanted = to.get(key)?.object;
    if (wanted !== undefined && sameObject(object, wanted)) continue;
    if (object.kind === 'netns') {
      goneNetns.add(object.netns);
    } else if (isCable(object)) {
      if (isKept(object, wanted)) continue;
      for (const link of linksMadeBy(object)) goneLinks.add(link);
    } else if (object.kind === 'address') {
      touchedLinks.add(linkKey(object.netns, object.link));
    }
  }
  // A veth goes with either of its namespaces, and its other end with it.
  for (const { object } of from.values()) {
    if (object.kind !== 'veth') continue;
    if (object.ends.some((end) => goneNetns.has(end.netns))) {
      for (const link of linksMadeBy(object)) goneLinks.add(link);
    }
  }

  addLinksOvertaken(from, to, goneLinks, reorderedLinks);
  for (const link of reorderedLinks) touchedLinks.add(link);

  const goesAlong = (object: KernelObject): boolean =>
    (object.kind !== 'netns' && netnsOf(object).some((netns) => goneNetns.has(netns))) ||
    linksOf(object).some((link) => goneLinks.has(link));
  // A bridge forgets what it knows of a port that leaves it, also for another bridge.
  const movedPorts = new Set<string>();
  for (const [key, { object }] of from) {
    if (object.kind !== 'bridge-port') continue;
    const wanted = to.get(key)?.object;
    if (goesAlong(object) || wanted === undefined || !sameObject(object, wanted)) {
      movedPorts.add(linkKey(object.netns, object.link));
    }
  }
  // With a link's last address the kernel also drops its routes and its neighbours, permanent ones too.
  const mayBeLost = (object: KernelObject): boolean =>
    ((object.kind === 'route' || object.kind === 'neighbour') &&
      linksOf(object).some((link) => touchedLinks.has(link))) ||
    (object.kind === 'fdb-entry' && linksOf(object).some((link) => movedPorts.has(link)));
  const isReordered = (object: KernelObject): boolean =>
    object.kind === 'address' && linksOf(object).some((link) => reorderedLinks.has(link));

  // A namespace goes last, and not at all while a process is in it. A cable that would go along with it must go before,
  // where its other end is in a namespace that stays, or where another takes its name.
  const wantedLinks = new Set(
    [...to.values()].flatMap(({ object }) =>
      object.kind === 'veth' ? object.ends.map((end) => linkKey(end.netns, end.link)) : [],
    ),
  );
  const isInTheWay = (object: KernelObject): boolean =>
    object.kind === 'veth' &&
    object.ends.some(
      (end) => !goneNetns.has(end.netns) || wantedLinks.has(linkKey(end.netns, end.link)),
    ) &&
    object.ends.every(({ netns }) => !goneNetns.has(netns) || !to.has(`netns ${netns}`));

  // What a set is can't be changed: it is made anew, its elements with it, and the rules of its table, which may use it.
  const otherSets = new Set<string>();
  const otherTables = new Set<string>();
  for (const [key, { object }] of from) {
    const wanted = to.get(key)?.object;
    if (object.kind !== 'nft-set' || wanted === undefined || sameObject(object, wanted)) continue;
    otherSets.add(setOf(object));
    otherTables.add(tableOf(object));
  }
  const isEmptied = (object: KernelObject): boolean =>
    object.kind === 'nft-element' && otherSets.has(setOf(object));
  const isRewritten = (object: KernelObject): boolean =>
    object.kind === 'nft-chain' && otherTables.has(tableOf(object));

  // The kernel keeps a set while a rule names it: those rules go first, and come again.
  const otherIpsets = new Set<string>();
  for (const [key, { object }] of from) {
    const wanted = to.get(key)?.object;
    if (object.kind === 'ipset' && wanted?.kind === 'ipset' && !isSameIpset(object, wanted)) {
      otherIpsets.add(key);
    }
  }
  const namesOther = (object: KernelObject): boolean =>
    otherIpsets.size > 0 &&
    object.kind === 'iptables-chain' &&
    ipsetsOf(object).some((key) => otherIpsets.has(key));

  // A socket stays in the namespace that it was opened in, although another has taken its name.
  const bornNetns = new Set(
    [...to.values()].flatMap(({ object }) =>
      object.kind === 'netns' && !from.has(objectKey(object)) ? [object.netns] : [],
    ),
  );
  const isDeaf = (object: KernelObject): boolean =>
    object.kind === 'daemon' && object.sockets.some(({ netns }) => bornNetns.has(netns));

  const steps: Step[] = [];
  for (const [key, planned] of from) {
    if (to.has(key) && !isReordered(planned.object)) continue;
    if (goesAlong(planned.object) && !isInTheWay(planned.object)) continue;
    if (isEmptied(planned.object)) continue;
    steps.push({ action: 'remove', planned });
  }
  for (const [key, planned] of to) {
    const before = from.get(key)?.object;
    if (before === undefined || goesAlong(before) || isReordered(before) || isEmptied(before)) {
      steps.push({ action: 'add', planned });
    } else if (
      !sameObject(before, planned.object) ||
      isDeaf(planned.object) ||
      isRewritten(planned.object) ||
      namesOther(planned.object)
    ) {
      steps.push({ action: 'change', planned, before });
    } else if (mayBeLost(planned.object)) {
      steps.push({ action: 'add', planned });
    }
  }
  return steps;
}

/** Whether one becomes the other by its members alone; what it is made with stays for its life. */
export function isSameIpset(before: IpSet, wanted: IpSet): boolean {
  return before.type === wanted.type && before.unlike === wanted.unlike;
}

/** The keys of the sets that a chain's rules look up. */
export function ipsetsOf({ netns, rules }: IptablesChain): string[] {
  return rules.flatMap((rule) =>
    [...rule.matchAll(/--match-set (\S+) /g)].map(([, set = '']) =>
      objectKey({ kind: 'ipset', netns, set, type: '', members: [] }),
    ),
  );
}

function tableOf({ netns, family, table }: NftSet | NftElement | NftChain): string {
  return `${netns} ${family} ${table}`;
}

function setOf(object: NftSet | NftElement): string {
  return `${tableOf(object)} ${object.set}`;
}

/**
 * The first address of a link is its primary one, the source of what leaves by it; the others of its block go with it
 * when it goes. Where another is to be the first, those that stay are taken off too and put on again in their order, and
 * so they are where one of them is to have another broadcast address, which it has from birth.
 */
function linksWithOtherAddresses(from: KernelState, to: KernelState): Set<string> {
  const firstAddresses = (state: KernelState): Map<string, string> => {
    const first = new Map<string, string>();
    for (const [key, { object }] of state) {
      if (object.kind !== 'address') continue;
      const link = linkKey(object.netns, object.link);
      if (!first.has(link)) first.set(link, key);
    }
    return first;
  };
  const wanted = firstAddresses(to);
  const links = new Set(
    [...firstAddresses(from)].flatMap(([link, key]) => {
      const other = wanted.get(link);
      return other === undefined || other === key ? [] : [link];
    }),
  );
  for (const [key, { object }] of from) {
    const other = to.get(key)?.object;
    if (object.kind !== 'address' || other?.kind !== 'address') continue;
    if (object.broadcast !== other.broadcast) links.add(linkKey(object.netns, object.link));
  }
  return links;
}

/**
 * Of two links of a namespace with one block, packets to it leave by the one whose route came first. A link that stays is
 * therefore given its addresses anew where one that comes before it in the plan gets its own only now.
 */
function addLinksOvertaken(
  from: KernelState,
  to: KernelState,
  goneLinks: ReadonlySet<string>,
  reorderedLinks: Set<string>,
): void {
  const places = new Map([...from.keys()].map((key, index) => [key, index]));
  const blocks = new Map<string, { key: string; link: string }[]>();
  for (const [key, { object }] of to) {
    if (object.kind !== 'address' || !object.connectedRoute) continue;
    const block = `${object.netns} ${blockOf(object.address, object.prefixLength)}`;
    const list = blocks.get(block) ?? [];
    const link = linkKey(object.netns, object.link);
    // A link's further addresses of the block bring no further route.
    if (!list.some((one) => one.link === link)) list.push({ key, link });
    blocks.set(block, list);
  }
  for (const list of blocks.values()) {
    let last = -1;
    let isOvertaken = false;
    for (const { key, link } of list) {
      const place = places.get(key);
      const stays = place !== undefined && !goneLinks.has(link) && !reorderedLinks.has(link);
      if (stays && !isOvertaken && place > last) last = place;
      else {
        isOvertaken = true;
        if (stays) reorderedLinks.add(link);
      }
    }
  }
}

type Cable = Veth | Bridge | ForeignLink;

function isCable(object: KernelObject): object is Cable {
  return object.kind === 'veth' || object.kind === 'bridge' || object.kind === 'foreign-link';
}

function linksMadeBy(object: Cable): string[] {
  return object.kind === 'veth'
    ? object.ends.map((end) => linkKey(end.netns, end.link))
    : [linkKey(object.netns, object.link)];
}

/**
 * Whether a cable or a bridge that stands becomes the wanted one without being made anew: an MTU can be set, while with
 * another MAC the kernel forgets the link's neighbours, and the fabric knows the old one.
 */
export function isKept(before: Cable, wanted: KernelObject | undefined): boolean {
  if (before.kind === 'veth' && wanted?.kind === 'veth') {
    return before.ends.every((end, index) => end.mac === wanted.ends[index]?.mac);
  }
  return before.kind === 'bridge' && wanted?.kind === 'bridge' && before.mac === wanted.mac;
}

/**
 * Equal in every field, whatever the order in which the fields were written. A field that is undefined is none: one state
 * may have been a file meanwhile, which has no such fields.
 */
export function sameObject(a: KernelObject, b: KernelObject): boolean {
  return isSame(a, b);
}

function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => isSame(item, b[index]));
  }
  const [fields, others] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const name in fields) if (!isSame(fields[name], others[name])) return false;
  // What only the other one has.
  for (const name in others) {
    if (fields[name] === undefined && others[name] !== undefined) return false;
  }
  return true;
}

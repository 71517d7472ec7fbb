/**
 * What differs between the kernel as read and the plan, object by object. What is missing merely because something else
 * is (the routes of a link that is down, all that was in a namespace) is counted there and not listed again.
 */

import type { Because } from '../base/because.ts';
import { sameObject } from './diff.ts';
import {
  type InterfaceAddress,
  type KernelObject,
  type KernelState,
  linkKey,
  linksOf,
  netnsOf,
  objectKey,
} from './state.ts';

export type Drift = {
  readonly because: Because;
  /** How many other objects are missing, or are there, for its sake. */
  readonly along: number;
} & (
  | { readonly kind: 'gone'; readonly wanted: KernelObject }
  | { readonly kind: 'changed'; readonly wanted: KernelObject; readonly found: KernelObject }
  | { readonly kind: 'more'; readonly found: KernelObject }
);

export function findDrift(found: KernelState, planned: KernelState): Drift[] {
  const gone = [...planned].filter(([key]) => !found.has(key));
  const more = [...found].filter(([key]) => !planned.has(key));
  const goneGroups = groupByCause(gone.map(([, { object }]) => object));
  const moreGroups = groupByCause(more.map(([, { object }]) => object));
  // The end of a cable whose other end went with its namespace.
  const brokenCables = new Set(
    gone.flatMap(([, { object }]) =>
      object.kind === 'veth' ? object.ends.map((end) => linkKey(end.netns, end.link)) : [],
    ),
  );
  const isBrokenEnd = (object: KernelObject): boolean =>
    object.kind === 'foreign-link' && brokenCables.has(linkKey(object.netns, object.link));

  return [
    ...gone.flatMap(([, { object, because }]): Drift[] => {
      const along = goneGroups.get(object);
      return along === undefined ? [] : [{ kind: 'gone', wanted: object, because, along }];
    }),
    ...[...planned].flatMap(([key, { object, because }]): Drift[] => {
      const other = found.get(key)?.object;
      if (other === undefined || sameObject(object, other)) return [];
      // The connected route goes, and comes again, with the link.
      if (object.kind === 'address' && !found.has(upKey(object))) return [];
      return [{ kind: 'changed', wanted: object, found: other, because, along: 0 }];
    }),
    ...more.flatMap(([, { object, because }]): Drift[] => {
      const along = moreGroups.get(object);
      return along === undefined || isBrokenEnd(object)
        ? []
        : [{ kind: 'more', found: object, because, along }];
    }),
  ];
}

function upKey({ netns, link }: InterfaceAddress): string {
  return objectKey({ kind: 'link-up', netns, link });
}

/** The objects that are there for no other's sake, each with the number of those that are for its. */
function groupByCause(objects: readonly KernelObject[]): Map<KernelObject, number> {
  const makers = new Map<string, KernelObject>();
  for (const object of objects) {
    for (const what of makes(object)) if (!makers.has(what)) makers.set(what, object);
  }
  const causeOf = (object: KernelObject): KernelObject | undefined => {
    const cause = needs(object)
      .map((what) => makers.get(what))
      .find((one) => one !== undefined && one !== object);
    return cause === undefined ? undefined : (causeOf(cause) ?? cause);
  };
  const groups = new Map<KernelObject, number>();
  for (const object of objects) {
    const cause = causeOf(object) ?? object;
    groups.set(cause, (groups.get(cause) ?? -1) + 1);
  }
  return groups;
}

/** What an object brings that others need, as words that `needs` uses too. */
function makes(object: KernelObject): string[] {
  switch (object.kind) {
    case 'netns':
      return [`netns ${object.netns}`];
    case 'veth':
      return object.ends.map((end) => `link ${linkKey(end.netns, end.link)}`);
    case 'bridge':
    case 'foreign-link':
      return [`link ${linkKey(object.netns, object.link)}`];
    case 'link-up':
      return [`up ${linkKey(object.netns, object.link)}`];
    case 'nft-table':
    case 'nft-set':
      return [objectKey(object)];
    default:
      return [];
  }
}

/** In the order in which a cause is looked for. */
function needs(object: KernelObject): string[] {
  const list = object.kind === 'netns' ? [] : netnsOf(object).map((netns) => `netns ${netns}`);
  list.push(...linksOf(object).map((link) => `link ${link}`));
  if (object.kind === 'route' || object.kind === 'neighbour') {
    list.push(...linksOf(object).map((link) => `up ${link}`));
  }
  if (object.kind === 'nft-set' || object.kind === 'nft-chain' || object.kind === 'nft-element') {
    const { netns, family, table } = object;
    list.push(objectKey({ kind: 'nft-table', netns, family, table }));
  }
  if (object.kind === 'nft-element') {
    const { netns, family, table, set } = object;
    for (const type of ['set', 'map'] as const) {
      list.push(objectKey({ kind: 'nft-set', netns, family, table, type, set, body: '' }));
    }
  }
  return list;
}

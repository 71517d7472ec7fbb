/** `things.json`: what a lab that is up is made of, by name, so that `exec` finds a thing without reading the lab. */

import type { LabStore } from './store.ts';

export interface IndexedThing {
  readonly reference: string;
  readonly kind: string;
  readonly netns: string;
}

/** The internet's own router: no thing of a lab, but one can look into it. */
const INTERNET_ROUTER: IndexedThing = {
  reference: 'internet',
  kind: 'internet',
  netns: 'internet',
};

export function writeThings(store: LabStore, things: Iterable<IndexedThing>): void {
  const index = Array.from(things, ({ reference, kind, netns }) => ({ reference, kind, netns }));
  store.write('things.json', JSON.stringify(index));
}

export function readThings(store: LabStore): IndexedThing[] {
  return JSON.parse(store.read('things.json') ?? '[]') as IndexedThing[];
}

/** `pod/web`; `pod/default/web` for it; `igw` or `igw/igw`; a kind alone where there is one of it. */
export function findThingIndexed(
  things: readonly IndexedThing[],
  word: string,
): IndexedThing | undefined {
  const exact = things.find(({ reference }) => reference === word);
  if (exact !== undefined) return exact;
  const [kind = '', ...rest] = word.split('/');
  const sameKind = things.filter((thing) => thing.kind === kind);
  if (word === 'internet' && sameKind.length > 0) return INTERNET_ROUTER;
  if (rest.length === 0) return sameKind.length === 1 ? sameKind[0] : undefined;
  if (rest.length === 1 && rest[0] === kind) {
    return things.find(({ reference }) => reference === kind);
  }
  if (kind === 'pod' && rest[0] === 'default') {
    return things.find(({ reference }) => reference === `pod/${rest.slice(1).join('/')}`);
  }
  return undefined;
}

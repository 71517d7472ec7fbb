/** `things.json`: what a lab that is up is made of, by name, so that `exec` finds a thing without reading the lab. */

import { findByReference } from '../base/reference.ts';
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

/** Like the lab's own look-up, and the internet alone is its router. */
export function findThingIndexed(
  things: readonly IndexedThing[],
  word: string,
): IndexedThing | undefined {
  const hasInternet = things.some(({ kind }) => kind === 'internet');
  return word === 'internet' && hasInternet ? INTERNET_ROUTER : findByReference(things, word);
}

/** An object of the manifests by a word, as kubectl writes it: `KIND/NAME`, `KIND/NAMESPACE/NAME`. */

import { type KnownKind, kindOfWord, wordsOfKind } from './kind.ts';
import type { KubernetesObject } from './object.ts';

export interface ObjectName {
  readonly known: KnownKind;
  readonly name: string;
  /** Empty for a kind that has none. */
  readonly namespace: string;
}

/** `netpol/api`, `netpol/shop/api`: the name of an object that may be added. */
export function newName(text: string): ObjectName | undefined {
  const [, word = '', namespace, name = ''] =
    /^([a-z]+)\/(?:([^/.]+)\/)?([^/.]+)$/.exec(text) ?? [];
  const known = kindOfWord(word);
  if (known === undefined || (!known.namespaced && namespace !== undefined)) return undefined;
  return { known, name, namespace: known.namespaced ? (namespace ?? 'default') : '' };
}

/**
 * The object that a text begins with, and what stands behind a dot then. Names may hold dots: the longest that is there wins.
 * `rest` is undefined where the object as a whole is meant.
 */
export function findObject(
  objects: readonly KubernetesObject[],
  text: string,
):
  | {
      readonly object: KubernetesObject;
      readonly name: string;
      readonly rest: string | undefined;
    }
  | undefined {
  const matches = objects.flatMap((object) =>
    namesOf(object)
      .filter((name) => text === name || text.startsWith(`${name}.`))
      .map((name) => ({ object, name })),
  );
  const [longest] = matches.sort((a, b) => b.name.length - a.name.length);
  if (longest === undefined) return undefined;
  const isWhole = text === longest.name;
  return { ...longest, rest: isWhole ? undefined : text.slice(longest.name.length + 1) };
}

/** The shortest first. */
export function namesOf({ known, namespace, name }: KubernetesObject): string[] {
  return wordsOfKind(known).flatMap((word) => [
    ...(namespace === 'default' || namespace === '' ? [`${word}/${name}`] : []),
    ...(namespace === '' ? [] : [`${word}/${namespace}/${name}`]),
  ]);
}

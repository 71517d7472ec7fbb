/**
 * A part of the manifests replaced, by an experiment or by `--set`: `manifests.netpol/api.spec.ingress`. An object is named
 * as kubectl names it, `KIND/NAME` or `KIND/NAMESPACE/NAME`, its kind in small letters or by its short name.
 *
 * null takes an object away; a map under a name that nobody has adds one, as `kubectl apply` would: what its name says
 * already (`apiVersion`, `kind`, `metadata.name`) need not be said again.
 */

import { Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { isRecord, type Path, resolvePath, SourceTree, valueAt } from '../source/yaml.ts';
import { type KnownKind, kindOfWord, wordsOfKind } from './kind.ts';
import { type KubernetesObject, readObjects } from './object.ts';

/** What is replaced, by what, and where that is written. */
export interface ManifestPatch {
  /** Behind `manifests.`. */
  readonly path: string;
  /** null or undefined: taken away. */
  readonly value: unknown;
  readonly tree: SourceTree;
  readonly treePath: Path;
  readonly at: SourceRef;
}

export interface PatchedManifests {
  readonly trees: readonly SourceTree[];
  /** What is taken away already may be taken away again: an experiment's object by `--set`. */
  readonly gone: ReadonlySet<string>;
}

/** Reports `unknown-path`. */
export function patchManifests(
  manifests: PatchedManifests,
  patch: ManifestPatch,
  diagnostics: Diagnostics,
): PatchedManifests {
  const { trees, gone } = manifests;
  const { value, at, tree, treePath } = patch;
  const text = patch.path.replace(/^[^/.]*(?=\/)/, (kind) => kind.toLowerCase());
  const isGone = value === null || value === undefined;
  // What is wrong with them is said when they are read for good.
  const objects = trees.flatMap((one) => readObjects(one, new Diagnostics()));
  const found = findObject(objects, text);
  if (found === undefined) {
    const added = addedObject(patch);
    if (added !== undefined) return { trees: [...trees, added], gone };
    if (!isGone || !gone.has(text)) reportUnknown(patch, objects, diagnostics);
    return manifests;
  }
  const { object, name, rest } = found;
  const replace = (one: SourceTree | undefined): PatchedManifests['trees'] =>
    trees.flatMap((tree) => (tree === object.tree ? (one ?? []) : tree));
  if (rest === '' && isGone) {
    const isAlone = object.path.length === 0;
    const left = isAlone ? undefined : object.tree.patched(object.path, undefined, tree, treePath);
    return { trees: replace(left), gone: new Set([...gone, ...namesOf(object)]) };
  }
  if (rest === '') {
    const whole = isRecord(value) ? withHeader(value, object.known, object) : value;
    return { trees: replace(object.tree.patched(object.path, whole, tree, treePath)), gone };
  }
  const inside = resolvePath(
    valueAt(object.tree.value, object.path),
    rest,
    isKnownKey,
    at,
    diagnostics,
    { text: `manifests.${text}`, what: name },
  );
  if (inside === undefined) return manifests;
  const path = [...object.path, ...inside];
  return { trees: replace(object.tree.patched(path, value ?? undefined, tree, treePath)), gone };
}

/** Names may hold dots: the longest that is there wins. */
function findObject(
  objects: readonly KubernetesObject[],
  text: string,
): { readonly object: KubernetesObject; readonly name: string; readonly rest: string } | undefined {
  const matches = objects.flatMap((object) =>
    namesOf(object)
      .filter((name) => text === name || text.startsWith(`${name}.`))
      .map((name) => ({ object, name })),
  );
  const [longest] = matches.sort((a, b) => b.name.length - a.name.length);
  return longest && { ...longest, rest: text.slice(longest.name.length + 1) };
}

function namesOf({ known, namespace, name }: KubernetesObject): string[] {
  return wordsOfKind(known).flatMap((word) => [
    ...(namespace === 'default' || namespace === '' ? [`${word}/${name}`] : []),
    ...(namespace === '' ? [] : [`${word}/${namespace}/${name}`]),
  ]);
}

/** Keys that an object may have without having any yet. */
const HEADER_KEYS: Readonly<Record<string, readonly string[]>> = {
  '': ['metadata', 'spec'],
  metadata: ['labels', 'annotations'],
};

function isKnownKey(prefix: Path, key: string): boolean {
  return HEADER_KEYS[prefix.join('.')]?.includes(key) === true;
}

/** Undefined when it is no new object: its kind is not known, or no map is given. */
function addedObject({ path, value, tree, treePath, at }: ManifestPatch): SourceTree | undefined {
  const [, word = '', namespace, name = ''] =
    /^([A-Za-z]+)\/(?:([^/.]+)\/)?([^/.]+)$/.exec(path) ?? [];
  const known = kindOfWord(word);
  if (known === undefined || !isRecord(value)) return undefined;
  const object = withHeader(value, known, { name, namespace });
  const list = { apiVersion: 'v1', kind: 'List', items: [] };
  return new SourceTree(at.file, list, new Map()).patched(['items', 0], object, tree, treePath);
}

function withHeader(
  value: Record<string, unknown>,
  { apiVersions, kind, namespaced }: KnownKind,
  { name, namespace }: { readonly name: string; readonly namespace: string | undefined },
): Record<string, unknown> {
  const place = namespaced && namespace !== undefined ? { namespace } : {};
  const written = value['metadata'];
  const metadata = { name, ...place, ...(isRecord(written) ? written : {}) };
  return { apiVersion: apiVersions[0], kind, ...value, metadata };
}

function reportUnknown(
  { path, at }: ManifestPatch,
  objects: readonly KubernetesObject[],
  diagnostics: Diagnostics,
): void {
  const [name = ''] = path.split('.');
  const names = objects.flatMap((object) => namesOf(object)[0] ?? []);
  const kind = name.split('/')[0] ?? '';
  const what =
    kindOfWord(kind) === undefined
      ? `no kind of objects is called "${kind}"`
      : `the manifests have no "${name}"`;
  diagnostics.error(
    'unknown-path',
    at,
    `"manifests.${path}": ${what}`,
    suggest(name, names) ?? 'name an object like pod/web or netpol/shop/api',
  );
}

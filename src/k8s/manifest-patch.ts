/**
 * A part of the manifests replaced, by an experiment or by `--set`: `manifests.netpol/api.spec.ingress`. An object is named
 * as kubectl names it, `KIND/NAME` or `KIND/NAMESPACE/NAME`, its kind in small letters or by its short name.
 *
 * null takes an object away; a map under a name without dots that nobody has adds one, as `kubectl apply` would: what its
 * name says already (`apiVersion`, `kind`, `metadata.name`) need not be said again.
 */

import { Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { isRecord, type Path, resolvePath, SourceTree, valueAt } from '../source/yaml.ts';
import { kindOfWord } from './kind.ts';
import { type KubernetesObject, readObjects } from './object.ts';
import { pathsIn, warnOfNothing } from './object-paths.ts';
import { findObject, namesOf, newName, type ObjectName } from './object-word.ts';

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

/** Reports `unknown-path`, `not-an-object`, `patch-contradicts`, and warns with `patch-of-nothing`. */
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
    if (isGone && gone.has(text)) return manifests;
    const named = newName(text);
    if (named === undefined || !isRecord(value)) {
      reportUnknown(text, at, objects, gone, diagnostics);
      return manifests;
    }
    const object = withHeader(value, named, patch, diagnostics);
    const list = { apiVersion: 'v1', kind: 'List', items: [] };
    const added = new SourceTree(at.file, list, new Map());
    return { trees: [...trees, added.patched(['items', 0], object, tree, treePath)], gone };
  }
  const { object, name, rest } = found;
  const replace = (one: SourceTree | undefined): PatchedManifests['trees'] =>
    trees.flatMap((tree) => (tree === object.tree ? (one ?? []) : tree));
  if (rest === undefined && isGone) {
    const isAlone = object.path.length === 0;
    const left = isAlone ? undefined : object.tree.patched(object.path, undefined, tree, treePath);
    return { trees: replace(left), gone: new Set([...gone, ...namesOf(object)]) };
  }
  if (rest === undefined) {
    if (!isRecord(value)) {
      const what = `"manifests.${text}" is to be ${JSON.stringify(value)}, which is no object`;
      diagnostics.error('not-an-object', at, what, 'give a map, or nothing to take it away');
      return manifests;
    }
    const whole = withHeader(value, object, patch, diagnostics);
    return { trees: replace(object.tree.patched(object.path, whole, tree, treePath)), gone };
  }
  const before = valueAt(object.tree.value, object.path);
  const whole = { text: `manifests.${text}`, what: name };
  const inside = resolvePath(before, rest, pathsIn(object.kind), at, diagnostics, whole);
  if (inside === undefined) return manifests;
  if (valueAt(before, inside) === undefined) {
    warnOfNothing(object.kind, inside, whole, at, diagnostics);
  }
  const path = [...object.path, ...inside];
  return { trees: replace(object.tree.patched(path, value ?? undefined, tree, treePath)), gone };
}

function withHeader(
  value: Record<string, unknown>,
  { known, name, namespace }: ObjectName,
  { path, at }: ManifestPatch,
  diagnostics: Diagnostics,
): Record<string, unknown> {
  const { metadata: written } = value;
  const said = isRecord(written) ? written : {};
  const meant = { name, ...(namespace === '' ? {} : { namespace }) };
  for (const [key, is, wanted] of [
    ['kind', value['kind'], known.kind],
    ...Object.entries(meant).map(([key, one]) => [`metadata.${key}`, said[key], one] as const),
  ] as const) {
    if (is === undefined || is === wanted) continue;
    diagnostics.error(
      'patch-contradicts',
      at,
      `"manifests.${path}" is an object whose ${key} is ${JSON.stringify(is)}`,
      `leave ${key} out: the path says it`,
    );
  }
  const isMap = written === undefined || written === null || isRecord(written);
  const metadata = isMap ? { ...said, ...meant } : written;
  return { apiVersion: known.apiVersions[0], ...value, kind: known.kind, metadata };
}

function reportUnknown(
  text: string,
  at: SourceRef,
  objects: readonly KubernetesObject[],
  gone: ReadonlySet<string>,
  diagnostics: Diagnostics,
): void {
  const [name = ''] = text.split('.');
  const kind = name.split('/')[0] ?? '';
  const names = objects.flatMap((object) => namesOf(object)[0] ?? []);
  const taken = [...gone].find((one) => text === one || text.startsWith(`${one}.`));
  const what =
    taken !== undefined
      ? `"${taken}" has been taken away`
      : kindOfWord(kind) === undefined
        ? `no kind of objects is called "${kind}"`
        : `the manifests have no "${name}"`;
  const hint = suggest(name, names) ?? 'name an object like pod/web or netpol/shop/api';
  diagnostics.error('unknown-path', at, `"manifests.${text}": ${what}`, hint);
}

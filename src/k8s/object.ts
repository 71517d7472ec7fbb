/**
 * What all Kubernetes objects have in common: an API version, a kind, and a name that is unique for its kind in its
 * namespace.
 *
 * Hoplab refuses what the API server would refuse, but of each object only the fields that it reads: manifests of
 * later versions of Kubernetes must not fail for a field that moves no packet.
 *
 * @fidelity simplified: unknown fields are accepted (kubectl has the server refuse them); `generateName` is not
 *   supported, as it is not by `kubectl apply`.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
 */

import * as z from 'zod';

import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import { readWith } from '../source/schema.ts';
import { isRecord, type Path, type SourceTree, valueAt, type Where } from '../source/yaml.ts';
import { findKind, type KnownKind, LIST } from './kind.ts';

export interface KubernetesObject {
  readonly known: KnownKind;
  readonly kind: string;
  /** `default` where none is written; empty for a kind that has no namespace. */
  readonly namespace: string;
  readonly name: string;
  /** Where metadata.name stands. */
  readonly at: SourceRef;
  readonly tree: SourceTree;
  /** Where the object begins in the tree: a List holds several. */
  readonly path: Path;
}

/** What has annotations that somebody beside Kubernetes itself reads. */
export interface Annotated {
  readonly annotations: Readonly<Record<string, string>>;
  /** Where the object begins. */
  readonly where: Where;
}

/** `at` tells where the value of an annotation stands, `keyAt` where its name does. */
export function whereAnnotations({ where }: Annotated): Where {
  return where.in('metadata', 'annotations');
}

/** A text that YAML may have read as something else: a label `version: 1` has to be written `"1"`. */
const textSchema = z.custom<string>((value) => typeof value === 'string', {
  error: ({ input }) => `${JSON.stringify(input)} is not a text`,
  params: { code: 'wrong-type', hint: 'write the value in quotes' },
});

export const textMapSchema = z
  .record(z.string(), textSchema)
  .nullish()
  .transform((map): Readonly<Record<string, string>> => map ?? {});

/** A part of a label. @see k8s.io/apimachinery pkg/util/validation IsQualifiedName, IsValidLabelValue */
const LABEL_TEXT = /^([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$/;

export const LABEL_CHARACTERS =
  'letters, digits, "-", "_" and ".", at most 63, and a letter or digit at both ends';

/** `app`, `kubernetes.io/metadata.name`. */
export function isLabelKey(text: string): boolean {
  const [name = '', prefix, ...rest] = text.split('/').reverse();
  const hasPrefix = prefix === undefined || isDnsName(prefix, 'subdomain');
  return LABEL_TEXT.test(name) && hasPrefix && rest.length === 0;
}

export function isLabelValue(text: string): boolean {
  return text === '' || LABEL_TEXT.test(text);
}

const labelKeySchema = z.string().refine(isLabelKey, {
  error: ({ input }) => `"${String(input)}" is not the key of a label`,
  params: {
    code: 'not-a-label',
    hint: `${LABEL_CHARACTERS}; a DNS name and "/" may stand before it`,
  },
});

const labelValueSchema = textSchema.pipe(
  z.string().refine(isLabelValue, {
    error: ({ input }) => `"${String(input)}" is not the value of a label`,
    params: { code: 'not-a-label', hint: LABEL_CHARACTERS },
  }),
);

/** What an object is labelled with, or what must be. */
export const labelsSchema = z
  .record(labelKeySchema, labelValueSchema)
  .nullish()
  .transform((map): Readonly<Record<string, string>> => map ?? {});

const headerSchema = z.looseObject({
  apiVersion: z.string().nullish(),
  kind: z.string().nullish(),
  metadata: z
    .looseObject({ name: z.string().nullish(), namespace: z.string().nullish() })
    .nullish(),
});

/** The objects of one document, those of a List each by itself; what is none is reported. */
export function readObjects(
  tree: SourceTree,
  diagnostics: Diagnostics,
  path: Path = [],
): KubernetesObject[] {
  const value = valueAt(tree.value, path);
  if (value === null || value === undefined) return [];
  if (!isRecord(value)) {
    diagnostics.error(
      'not-an-object',
      tree.at(path),
      'this is not a Kubernetes object: it has no apiVersion, kind and metadata',
      'separate the objects of a file with a line ---',
    );
    return [];
  }
  const header = readWith(headerSchema, tree, diagnostics, path);
  if (header === undefined) return [];

  const kind = header.kind ?? '';
  const lacks = (key: string, hint: string): void => {
    const subject = kind === '' ? 'this object' : `this ${kind}`;
    diagnostics.error('missing-key', tree.at(path), `${subject} lacks "${key}"`, hint);
  };
  if (kind === '') lacks('kind', 'give a kind, such as Pod or Deployment');
  const known = kind === '' ? undefined : findKind(kind, tree.at([...path, 'kind']), diagnostics);
  if (!isEmpty(header.apiVersion)) {
    checkApiVersion(known, header.apiVersion, tree.at([...path, 'apiVersion']), diagnostics);
  } else if (kind === '' || known !== undefined) {
    lacks('apiVersion', `write apiVersion: ${known?.apiVersions[0] ?? 'v1'}`);
  }
  if (known === LIST) return readItems(tree, diagnostics, [...path, 'items']);

  const name = header.metadata?.name;
  if (isEmpty(name)) {
    lacks('metadata.name', 'every object has a name of its own');
    return [];
  }
  if (known === undefined) return [];
  const namespace = header.metadata?.namespace;
  return [
    {
      known,
      kind,
      namespace: !known.namespaced ? '' : isEmpty(namespace) ? 'default' : namespace,
      name,
      at: tree.at([...path, 'metadata', 'name']),
      tree,
      path,
    },
  ];
}

function readItems(tree: SourceTree, diagnostics: Diagnostics, path: Path): KubernetesObject[] {
  const items = readWith(z.array(z.unknown()).nullish(), tree, diagnostics, path) ?? [];
  return items.flatMap((_, index) => readObjects(tree, diagnostics, [...path, index]));
}

function isEmpty(text: string | null | undefined): text is '' | null | undefined {
  return text === undefined || text === null || text === '';
}

function checkApiVersion(
  known: KnownKind | undefined,
  apiVersion: string,
  at: SourceRef,
  diagnostics: Diagnostics,
): void {
  if (known === undefined || known.apiVersions.includes(apiVersion)) return;
  diagnostics.error(
    'wrong-api-version',
    at,
    `${known.kind} is in ${known.apiVersions.join(' and ')}, not in "${apiVersion}"`,
    `write apiVersion: ${known.apiVersions[0]}`,
  );
}

/** The object as the schema of its kind reads it; reports `missing-key` where it has no `spec`, and what the schema refuses. */
export function readSpec<Schema extends z.ZodType>(
  schema: Schema,
  object: KubernetesObject,
  diagnostics: Diagnostics,
): z.output<Schema> | undefined {
  const { tree, path, kind, name } = object;
  const spec = valueAt(tree.value, [...path, 'spec']);
  if (spec !== undefined && spec !== null) return readWith(schema, tree, diagnostics, path);
  const what = `${kind} "${name}" lacks "spec"`;
  diagnostics.error('missing-key', tree.at(path), what, 'give a map for "spec"');
  return undefined;
}

/** RFC 1123: a label, or labels with dots between them. */
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const DNS_FORMS = {
  label: { pattern: LABEL, maximum: 63, characters: 'lower-case letters, digits and "-"' },
  subdomain: {
    pattern: `${LABEL}(\\.${LABEL})*`,
    maximum: 253,
    characters: 'lower-case letters, digits, "-" and "."',
  },
} as const;

export function isDnsName(text: string, form: keyof typeof DNS_FORMS): boolean {
  const { pattern, maximum } = DNS_FORMS[form];
  return new RegExp(`^${pattern}$`).test(text) && text.length <= maximum;
}

/** Reports `not-a-dns-name`. */
export function checkDnsName(
  object: KubernetesObject,
  form: keyof typeof DNS_FORMS,
  diagnostics: Diagnostics,
): boolean {
  const { name } = object;
  if (isDnsName(name, form)) return true;
  const { maximum, characters } = DNS_FORMS[form];
  diagnostics.error(
    'not-a-dns-name',
    object.at,
    `the name "${name}" of this ${object.kind} is not a DNS ${form}`,
    `${characters}, at most ${maximum}, and a letter or digit at both ends`,
  );
  return false;
}

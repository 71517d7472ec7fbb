/**
 * Namespace: a part of a cluster in which names are unique. It is no boundary for traffic: pods of different
 * namespaces reach each other, and only a NetworkPolicy changes that.
 *
 * Hoplab builds nothing for it in the kernel; a Linux network namespace is another thing (and always called netns
 * here). Its labels are kept, because policies select by them.
 *
 * @fidelity same, but for quotas and permissions, which Hoplab does not read.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/#initial-namespaces
 * @see https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name
 */

import * as z from 'zod';

import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { readWith } from '../source/schema.ts';
import { checkDnsName, type KubernetesObject, labelsSchema } from './object.ts';
import type { Labels } from './selector.ts';

export interface NamespaceSpec {
  readonly name: string;
  readonly labels: Labels;
  /** Undefined for one that every cluster has. */
  readonly at: SourceRef | undefined;
}

const INITIAL_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export const namespaceSchema = z.looseObject({
  metadata: z.looseObject({ labels: labelsSchema }),
});

/** The namespaces that every cluster has and those that the objects declare, by name. */
export function readNamespaces(
  objects: readonly KubernetesObject[],
  diagnostics: Diagnostics,
): ReadonlyMap<string, NamespaceSpec> {
  const namespaces = new Map<string, NamespaceSpec>();
  for (const name of INITIAL_NAMESPACES) namespaces.set(name, namespace(name, {}, undefined));
  for (const object of objects) {
    if (object.kind !== 'Namespace') continue;
    const read = readWith(namespaceSchema, object.tree, diagnostics, object.path);
    checkDnsName(object, 'label', diagnostics);
    // Kept even where something is wrong with it, so that its pods are not reported for want of it.
    const { name, at } = object;
    namespaces.set(name, namespace(name, read?.metadata.labels ?? {}, at));
  }
  return namespaces;
}

function namespace(name: string, labels: Labels, at: SourceRef | undefined): NamespaceSpec {
  // The API server gives every namespace this label, so that a policy can select it by its name.
  return { name, labels: { ...labels, 'kubernetes.io/metadata.name': name }, at };
}

/** Whether the object's namespace is there; reports `unknown-namespace`. */
export function checkNamespace(
  object: KubernetesObject,
  namespaces: ReadonlyMap<string, NamespaceSpec>,
  diagnostics: Diagnostics,
): boolean {
  if (!object.known.namespaced || namespaces.has(object.namespace)) return true;
  diagnostics.error(
    'unknown-namespace',
    object.tree.at([...object.path, 'metadata', 'namespace']),
    `${object.kind} "${object.name}" is in namespace "${object.namespace}", which no Namespace object declares`,
    suggest(object.namespace, namespaces.keys()) ??
      `add a Namespace object with the name "${object.namespace}"`,
  );
  return false;
}

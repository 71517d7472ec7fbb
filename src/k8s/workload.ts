/**
 * Workload: a Deployment, ReplicaSet, StatefulSet or DaemonSet, which says what its pods look like and how many there
 * are.
 *
 * Hoplab builds nothing for it in the kernel; controller.ts makes its pods, once. The template and the selector are
 * held to the rules of the API server.
 *
 * @fidelity simplified: a Deployment makes its pods without a ReplicaSet between; roll-outs, restarts, and the
 *   adoption of pods that the selector finds by chance are left out.
 * @see https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector
 * @see https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#start-ordinal
 */

import * as z from 'zod';

import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import { checkMisplaced } from './annotation.ts';
import { checkDnsName, type KubernetesObject, readSpec, textMapSchema } from './object.ts';
import { type PodTemplate, podTemplateSchema, readPodTemplate, type WorkloadKind } from './pod.ts';
import {
  isEmptySelector,
  type LabelSelector,
  labelSelectorSchema,
  matchesSelector,
  renderLabels,
  renderSelector,
} from './selector.ts';

export interface WorkloadSpec {
  readonly kind: WorkloadKind;
  readonly namespace: string;
  readonly name: string;
  /** Not heeded for a DaemonSet, whose pods are as many as its nodes. */
  readonly replicas: number;
  /** The number of the first pod: 1, and for a StatefulSet its start ordinal. */
  readonly first: number;
  /** The headless Service below which a StatefulSet's pods have their names. */
  readonly serviceName: string | undefined;
  readonly selector: LabelSelector;
  readonly template: PodTemplate;
  readonly at: SourceRef;
}

export const workloadSchema = z.looseObject({
  metadata: z.looseObject({ annotations: textMapSchema }),
  spec: z.looseObject({
    replicas: z.int().min(0).nullish(),
    serviceName: z.string().nullish(),
    ordinals: z.looseObject({ start: z.int().min(0).nullish() }).nullish(),
    selector: labelSelectorSchema.nullish(),
    template: podTemplateSchema,
  }),
});

/** Reports `missing-selector`, `selector-mismatch`, and what pod.ts does for the template. */
export function readWorkload(
  object: KubernetesObject,
  kind: WorkloadKind,
  diagnostics: Diagnostics,
): WorkloadSpec | undefined {
  const named = checkDnsName(object, 'subdomain', diagnostics);
  const written = readSpec(workloadSchema, object, diagnostics);
  if (written === undefined) return undefined;
  const { metadata, spec } = written;
  const { namespace, name, at, tree, path } = object;
  checkMisplaced(
    metadata.annotations,
    `${kind} "${name}"`,
    (annotation) => tree.keyAt([...path, 'metadata', 'annotations', annotation]),
    diagnostics,
  );
  const template = readPodTemplate(
    spec.template,
    object,
    [...path, 'spec', 'template'],
    diagnostics,
  );
  const selector = checkSelector(object, spec.selector, spec.template, diagnostics);
  if (template === undefined || selector === undefined || !named) return undefined;
  return {
    kind,
    namespace,
    name,
    replicas: spec.replicas ?? 1,
    first: kind === 'StatefulSet' ? (spec.ordinals?.start ?? 0) : 1,
    serviceName: kind === 'StatefulSet' ? (spec.serviceName ?? undefined) : undefined,
    selector,
    template,
    at,
  };
}

function checkSelector(
  object: KubernetesObject,
  selector: LabelSelector | null | undefined,
  template: z.output<typeof podTemplateSchema>,
  diagnostics: Diagnostics,
): LabelSelector | undefined {
  const labels = template.metadata?.labels ?? {};
  const at = object.tree.at([...object.path, 'spec', 'selector']);
  if (selector === undefined || selector === null || isEmptySelector(selector)) {
    diagnostics.error(
      'missing-selector',
      at,
      `${object.kind} "${object.name}" has no selector: it would not find its pods`,
      'repeat the labels of the pod template under spec.selector.matchLabels',
    );
    return undefined;
  }
  if (!matchesSelector(selector, labels)) {
    const written = renderLabels(labels);
    diagnostics.error(
      'selector-mismatch',
      at,
      `the selector of ${object.kind} "${object.name}", ${renderSelector(selector)}, does not match ${
        written === ''
          ? 'its pod template, which has no labels'
          : `the labels of its pod template, ${written}`
      }`,
      'give the same labels under spec.selector.matchLabels and spec.template.metadata.labels',
    );
    return undefined;
  }
  return selector;
}

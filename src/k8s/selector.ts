/**
 * Label selector: which objects a Kubernetes object means, by their labels and never by their names.
 *
 * A workload's selector finds its pods, and a pod's nodeSelector the nodes it may run on. All conditions must hold.
 *
 * @fidelity same
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 */

import * as z from 'zod';

import type { Diagnostics } from '../base/diagnostic.ts';
import type { Where } from '../source/yaml.ts';
import { labelKeySchema, labelsSchema, labelValueSchema } from './object.ts';

export type Labels = Readonly<Record<string, string>>;

export const labelSelectorSchema = z.looseObject({
  matchLabels: labelsSchema,
  matchExpressions: z
    .array(
      z.looseObject({
        key: labelKeySchema,
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(labelValueSchema).nullish(),
      }),
    )
    .nullish(),
});

export type LabelSelector = z.output<typeof labelSelectorSchema>;

export function isEmptySelector({ matchLabels, matchExpressions }: LabelSelector): boolean {
  return Object.keys(matchLabels).length === 0 && (matchExpressions ?? []).length === 0;
}

/** Also `constructor` is a label's name. */
function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

export function matchesLabels(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => valueOf(labels, key) === value);
}

export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  if (!matchesLabels(selector.matchLabels, labels)) return false;
  return (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
    const value = valueOf(labels, key);
    switch (operator) {
      case 'In':
        return value !== undefined && (values ?? []).includes(value);
      case 'NotIn':
        // An object without the label is selected too.
        return value === undefined || !(values ?? []).includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
    }
  });
}

/**
 * What the API server refuses of a selector beyond its shape: `selector-values`.
 * @see k8s.io/apimachinery pkg/apis/meta/v1/validation ValidateLabelSelectorRequirement
 */
export function checkSelector(
  { matchExpressions }: LabelSelector,
  where: Where,
  diagnostics: Diagnostics,
): void {
  for (const [index, { key, operator, values }] of (matchExpressions ?? []).entries()) {
    const takesValues = operator === 'In' || operator === 'NotIn';
    const hasValues = (values ?? []).length > 0;
    if (takesValues === hasValues) continue;
    diagnostics.error(
      'selector-values',
      where.at('matchExpressions', index),
      takesValues
        ? `the selector's "${key}" ${operator} has no values`
        : `the selector's "${key}" ${operator} has values`,
      takesValues ? 'give at least one in "values:"' : 'take "values:" out, or write In or NotIn',
    );
  }
}

/** `app=web,tier=front`, as `kubectl --selector` takes it. */
export function renderLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** As `kubectl describe` prints it: `app=web,tier in (a,b),!old`. */
export function renderSelector({ matchLabels, matchExpressions }: LabelSelector): string {
  const expressions = (matchExpressions ?? []).map(({ key, operator, values }) => {
    const list = (values ?? []).join(',');
    return {
      In: `${key} in (${list})`,
      NotIn: `${key} notin (${list})`,
      Exists: key,
      DoesNotExist: `!${key}`,
    }[operator];
  });
  return [renderLabels(matchLabels), ...expressions].filter((part) => part !== '').join(',');
}

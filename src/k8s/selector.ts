/**
 * Label selector: which objects a Kubernetes object means, by their labels and never by their names.
 *
 * A workload's selector finds its pods, and a pod's nodeSelector the nodes it may run on. All conditions must hold.
 *
 * @fidelity same
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 */

import * as z from 'zod';

import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import type { Where } from '../source/yaml.ts';
import { isLabelKey, isLabelValue, LABEL_CHARACTERS, textMapSchema } from './object.ts';

export type Labels = Readonly<Record<string, string>>;

export const labelSelectorSchema = z.looseObject({
  matchLabels: textMapSchema,
  matchExpressions: z
    .array(
      z.looseObject({
        key: z.string(),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string()).nullish(),
      }),
    )
    .nullish(),
});

export type LabelSelector = z.output<typeof labelSelectorSchema>;

export function isEmptySelector({ matchLabels, matchExpressions }: LabelSelector): boolean {
  return Object.keys(matchLabels).length === 0 && (matchExpressions ?? []).length === 0;
}

export function matchesLabels(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  if (!matchesLabels(selector.matchLabels, labels)) return false;
  return (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
    // A plain object answers for `constructor`, too.
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
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
 * What the API server refuses of a selector beyond its shape: `selector-values`, `selector-label`.
 * @see k8s.io/apimachinery pkg/apis/meta/v1/validation ValidateLabelSelector
 */
export function checkSelector(
  { matchLabels, matchExpressions }: LabelSelector,
  where: Where,
  diagnostics: Diagnostics,
): void {
  for (const [key, value] of Object.entries(matchLabels)) {
    const label = where.in('matchLabels');
    checkKey(key, label.keyAt(key), diagnostics);
    checkValue(value, label.at(key), diagnostics);
  }
  for (const [index, { key, operator, values }] of (matchExpressions ?? []).entries()) {
    const expression = where.in('matchExpressions', index);
    checkKey(key, expression.at('key'), diagnostics);
    for (const [position, value] of (values ?? []).entries()) {
      checkValue(value, expression.at('values', position), diagnostics);
    }
    const takesValues = operator === 'In' || operator === 'NotIn';
    const hasValues = (values ?? []).length > 0;
    if (takesValues === hasValues) continue;
    diagnostics.error(
      'selector-values',
      expression.at(),
      takesValues
        ? `the selector's "${key}" ${operator} has no values`
        : `the selector's "${key}" ${operator} has values`,
      takesValues ? 'give at least one in "values:"' : 'take "values:" out, or write In or NotIn',
    );
  }
}

function checkKey(key: string, at: SourceRef, diagnostics: Diagnostics): void {
  if (isLabelKey(key)) return;
  diagnostics.error(
    'selector-label',
    at,
    `the selector's "${key}" is not the key of a label`,
    `${LABEL_CHARACTERS}; a DNS name and "/" may stand before it`,
  );
}

function checkValue(value: string, at: SourceRef, diagnostics: Diagnostics): void {
  if (isLabelValue(value)) return;
  diagnostics.error(
    'selector-label',
    at,
    `the selector's "${value}" is not the value of a label`,
    LABEL_CHARACTERS,
  );
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

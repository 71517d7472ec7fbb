/** Which keys an object of a kind may have, as far as anything of it is read: for paths that lead into it. */

import type * as z from 'zod';

import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { isStrictAt, keysAt, pathsOf } from '../source/schema.ts';
import type { KnownPaths, Path } from '../source/yaml.ts';
import { endpointsSchema, sliceSchema } from './endpoint-slice.ts';
import { ingressClassSchema, ingressSchema } from './ingress.ts';
import { namespaceSchema } from './namespace.ts';
import { networkPolicySchema } from './network-policy.ts';
import { podTemplateSchema } from './pod.ts';
import { securityGroupPolicySchema } from './security-group-policy.ts';
import { serviceSchema } from './service.ts';
import { workloadSchema } from './workload.ts';

/** What is read of each kind. */
const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  Pod: podTemplateSchema,
  Namespace: namespaceSchema,
  Service: serviceSchema,
  Endpoints: endpointsSchema,
  Deployment: workloadSchema,
  ReplicaSet: workloadSchema,
  StatefulSet: workloadSchema,
  DaemonSet: workloadSchema,
  EndpointSlice: sliceSchema,
  Ingress: ingressSchema,
  IngressClass: ingressClassSchema,
  NetworkPolicy: networkPolicySchema,
  SecurityGroupPolicy: securityGroupPolicySchema,
};

/** What every object has, whether or not its kind's schema asks for it. */
const HEADER: Readonly<Record<string, readonly string[]>> = {
  '': ['apiVersion', 'kind', 'metadata'],
  metadata: ['name', 'namespace', 'labels', 'annotations'],
};

/** What a path into an object of this kind may lead to that is not there yet. */
export function pathsIn(kind: string): KnownPaths {
  const schema = SCHEMAS[kind];
  const own = schema === undefined ? undefined : pathsOf(schema);
  return {
    knows: (path, key) =>
      HEADER[path.join('.')]?.includes(key) === true || own?.knows(path, key) === true,
    isFreeMap: (path) =>
      /^metadata\.(labels|annotations)$/.test(path.join('.')) || own?.isFreeMap(path) === true,
  };
}

/** Warns with `patch-of-nothing`: a misspelt key would change nothing, and look like an answer. */
export function warnOfNothing(
  kind: string,
  inside: Path,
  { text, what }: { readonly text: string; readonly what: string },
  at: SourceRef,
  diagnostics: Diagnostics,
): void {
  const parent = inside.slice(0, -1);
  const key = String(inside.at(-1));
  const paths = pathsIn(kind);
  const schema = SCHEMAS[kind];
  if (schema === undefined || paths.knows(parent, key) || paths.isFreeMap(parent)) return;
  // It will be refused.
  if (isStrictAt(schema, parent)) return;
  const known = [...(HEADER[parent.join('.')] ?? []), ...keysAt(schema, parent)];
  const place = parent.length === 0 ? what : `${parent.join('.')} of ${what}`;
  diagnostics.warning(
    'patch-of-nothing',
    at,
    `"${text}" changes nothing: of "${key}" in ${place} nothing is read`,
    suggest(key, known),
  );
}

/**
 * NetworkPolicy: which pods may open connections to which. A pod that no policy selects is open; one that a policy selects
 * for a direction is closed in it, but for what some policy allows. Policies only ever add; none denies.
 *
 * What is missing and what is empty are not the same: `ingress: []` lets nobody in, a rule without `from` everybody; a
 * `podSelector: {}` means all pods, and one that is not there says nothing.
 *
 * A key that is not known is refused: with `from` where `to` belongs a rule would say nothing, and mean everybody.
 *
 * @fidelity same - what the API server refuses is refused, as kubectl has it do for keys that it does not know; what it
 *   fills in is filled in; simplified - SCTP and IPv6 are read, and match nothing: a lab has neither
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
 * @see kubernetes v1.31 pkg/apis/networking/validation/validation.go ValidateNetworkPolicySpec, v1/defaults.go
 */

import * as z from 'zod';

import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import type { Cidr } from '../base/ip.ts';
import type { Where } from '../source/yaml.ts';
import { readBlock } from './network-policy-block.ts';
import { type PolicyPort, portsSchema, readPorts } from './network-policy-port.ts';
import { checkDnsName, type KubernetesObject, readSpec } from './object.ts';
import { checkSelector, type LabelSelector, labelSelectorSchema } from './selector.ts';

export const DIRECTIONS = ['egress', 'ingress'] as const;
export type PolicyDirection = (typeof DIRECTIONS)[number];

export interface NetworkPolicySpec extends Readonly<
  Record<PolicyDirection, readonly PolicyRule[] | undefined>
> {
  /** `netpol/shop/api-allow`. */
  readonly reference: string;
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector;
  /** What may come in; undefined where the policy says nothing of it, which is not the same as no rules. */
  readonly ingress: readonly PolicyRule[] | undefined;
  readonly egress: readonly PolicyRule[] | undefined;
  /** Where metadata.name stands. */
  readonly at: SourceRef;
}

export interface PolicyRule {
  /** Undefined: everybody. */
  readonly peers: readonly PolicyPeer[] | undefined;
  /** Undefined: everything, also what has no ports. */
  readonly ports: readonly PolicyPort[] | undefined;
  readonly at: SourceRef;
}

export type PolicyPeer =
  | {
      readonly kind: 'pods';
      /** Undefined: all pods of the namespaces. */
      readonly pods: LabelSelector | undefined;
      /** Undefined: the policy's own namespace alone. */
      readonly namespaces: LabelSelector | undefined;
    }
  | { readonly kind: 'block'; readonly cidr: Cidr; readonly except: readonly Cidr[] };

const strictSelectorSchema = z.strictObject(labelSelectorSchema.shape);

const peersSchema = z
  .array(
    z
      .strictObject({
        podSelector: strictSelectorSchema.nullish(),
        namespaceSelector: strictSelectorSchema.nullish(),
        ipBlock: z
          .strictObject({ cidr: z.string().nullish(), except: z.array(z.string()).nullish() })
          .nullish(),
      })
      .nullable(),
  )
  .nullish();

/** An element that is empty, as in a list with nothing behind its dash, is a rule that says nothing. */
function rulesSchema<Key extends string>(
  key: Key,
): z.ZodType<
  readonly ({ [K in Key]?: z.output<typeof peersSchema> } & WrittenPorts)[] | undefined
> {
  const rule = z.strictObject({ [key]: peersSchema, ports: portsSchema });
  const rules = z.array(rule.nullable()).nullish();
  type Rule = { [K in Key]?: z.output<typeof peersSchema> } & WrittenPorts;
  return rules.transform((list) => list?.map((one) => (one ?? {}) as Rule));
}

interface WrittenPorts {
  readonly ports?: z.output<typeof portsSchema>;
}

const POLICY_TYPES = ['Ingress', 'Egress'] as const;

export const networkPolicySchema = z.looseObject({
  spec: z.strictObject({
    podSelector: strictSelectorSchema.nullish(),
    policyTypes: z.array(z.enum(POLICY_TYPES)).max(2).nullish(),
    ingress: rulesSchema('from'),
    egress: rulesSchema('to'),
  }),
});

type WrittenPeers = z.output<typeof peersSchema>;
type WrittenPeer = NonNullable<NonNullable<WrittenPeers>[number]>;

function policyReference(namespace: string, name: string): string {
  return `netpol/${namespace}/${name}`;
}

/** Reports `policy-peer`, `policy-rules-ignored`, and what the readers of selectors, blocks and ports do. */
export function readNetworkPolicy(
  object: KubernetesObject,
  diagnostics: Diagnostics,
): NetworkPolicySpec | undefined {
  const isNamed = checkDnsName(object, 'subdomain', diagnostics);
  const written = readSpec(networkPolicySchema, object, diagnostics);
  if (written === undefined) return undefined;
  const { namespace, name, at, tree, path } = object;
  const where = tree.where([...path, 'spec']);
  const { podSelector, policyTypes, ingress, egress } = written.spec;
  const before = diagnostics.list.length;
  const selector = podSelector ?? EVERYTHING;
  checkSelector(selector, where.in('podSelector'), diagnostics);
  const read = {
    ingress: (ingress ?? []).map(({ from, ports }, index) =>
      readRule(from, ports, 'from', where.in('ingress', index), diagnostics),
    ),
    egress: (egress ?? []).map(({ to, ports }, index) =>
      readRule(to, ports, 'to', where.in('egress', index), diagnostics),
    ),
  };
  const types: readonly string[] =
    (policyTypes ?? []).length > 0
      ? (policyTypes ?? [])
      : ['Ingress', ...(read.egress.length > 0 ? ['Egress'] : [])];
  for (const [type, direction] of [
    ['Ingress', 'ingress'],
    ['Egress', 'egress'],
  ] as const) {
    if (types.includes(type) || read[direction].length === 0) continue;
    diagnostics.warning(
      'policy-rules-ignored',
      where.keyAt(direction),
      `NetworkPolicy "${name}" has ${direction} rules, and policyTypes without ${type}: they have no effect`,
      `add ${type} to policyTypes, or take the rules out`,
    );
  }
  if (!isNamed || diagnostics.list.slice(before).some(({ severity }) => severity === 'error')) {
    return undefined;
  }
  return {
    reference: policyReference(namespace, name),
    namespace,
    name,
    selector,
    ingress: types.includes('Ingress') ? read.ingress : undefined,
    egress: types.includes('Egress') ? read.egress : undefined,
    at,
  };
}

const EVERYTHING: LabelSelector = { matchLabels: {} };

function readRule(
  peers: WrittenPeers,
  ports: WrittenPorts['ports'],
  key: 'from' | 'to',
  where: Where,
  diagnostics: Diagnostics,
): PolicyRule {
  // Also an empty list means everybody, and every port. @see the API reference, NetworkPolicyIngressRule
  const whom = (peers ?? []).length === 0 ? undefined : (peers ?? []);
  return {
    peers: whom?.flatMap(
      (peer, index) => readPeer(peer ?? {}, where.in(key, index), diagnostics) ?? [],
    ),
    ports: readPorts(ports, where.in('ports'), diagnostics),
    at: where.at(),
  };
}

/** Undefined for what is wrong, and for a block that nobody here has an address of. */
function readPeer(
  { podSelector, namespaceSelector, ipBlock }: WrittenPeer,
  where: Where,
  diagnostics: Diagnostics,
): PolicyPeer | undefined {
  const pods = podSelector ?? undefined;
  const namespaces = namespaceSelector ?? undefined;
  if (pods !== undefined) checkSelector(pods, where.in('podSelector'), diagnostics);
  if (namespaces !== undefined) {
    checkSelector(namespaces, where.in('namespaceSelector'), diagnostics);
  }
  const hasSelector = pods !== undefined || namespaces !== undefined;
  if (ipBlock !== null && ipBlock !== undefined) {
    const block = readBlock(ipBlock, where.in('ipBlock'), diagnostics);
    if (hasSelector) {
      diagnostics.error(
        'policy-peer',
        where.keyAt('ipBlock'),
        'ipBlock stands beside a selector in one peer',
        'make two elements of the list of it, each with a dash of its own: either lets pass',
      );
    }
    return block === undefined ? undefined : { kind: 'block', ...block };
  }
  if (hasSelector) return { kind: 'pods', pods, namespaces };
  diagnostics.error(
    'policy-peer',
    where.at(),
    'this peer says nobody: it has neither podSelector nor namespaceSelector nor ipBlock',
    'write podSelector: {} for all pods of the namespace, or leave the whole list out for everybody',
  );
  return undefined;
}

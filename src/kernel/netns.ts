/**
 * What a network namespace is born with: `lo`, which is down, and three rules. They are planned like everything else, so
 * that `verify` sees when one is gone; at the namespace's birth nobody adds the rules a second time (`render.ts`).
 */

import type { NetnsName } from '../base/names.ts';
import {
  DEFAULT_TABLE,
  type KernelObject,
  LOCAL_TABLE,
  MAIN_TABLE,
  type RoutingRule,
} from './state.ts';

/** @see linux/net/ipv4/fib_rules.c fib_default_rules_init */
const LOCAL_RULE = { priority: 0, table: LOCAL_TABLE };
const MAIN_RULE = { priority: 32_766, table: MAIN_TABLE };
const DEFAULT_RULE = { priority: 32_767, table: DEFAULT_TABLE };

/** The rules of a new namespace that a plan may leave out. */
export const DROPPABLE_BIRTH_RULES = [LOCAL_RULE, MAIN_RULE, DEFAULT_RULE] as const;

/**
 * A namespace as the kernel makes it: a host, or a router that looks into `main`. `localPriority` is where its own
 * addresses are looked for when something else is to come first.
 */
export function hostNetns(netns: NetnsName, localPriority?: number): KernelObject[] {
  return [
    ...bareNetns(netns, localPriority),
    birthRule(netns, MAIN_RULE),
    birthRule(netns, DEFAULT_RULE),
  ];
}

/** A namespace without the two last rules: a router whose own rules say where every lookup ends. */
export function bareNetns(netns: NetnsName, localPriority = LOCAL_RULE.priority): KernelObject[] {
  return [
    { kind: 'netns', netns },
    { kind: 'link-up', netns, link: 'lo' },
    birthRule(netns, { ...LOCAL_RULE, priority: localPriority }),
  ];
}

function birthRule(netns: NetnsName, rule: { priority: number; table: number }): RoutingRule {
  return { kind: 'rule', netns, ...rule };
}

export function isBirthRule({ priority, table }: RoutingRule): boolean {
  return DROPPABLE_BIRTH_RULES.some((rule) => rule.priority === priority && rule.table === table);
}

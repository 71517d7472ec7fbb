/**
 * A managed prefix list: blocks of addresses under one name, which rules of security groups refer to.
 *
 * Kernel: an nftables set of intervals in the VPC's netns, so that a change of the list touches no rule.
 *
 * @fidelity simplified - entries are the list's only version; a list belongs to one VPC here, to an account on AWS
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html
 */

import * as z from 'zod';

import { because } from '../base/because.ts';
import type { SourceRef } from '../base/diagnostic.ts';
import { baseAddress, type Cidr, compareIpv4, containsCidr, prefixLength } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { cidrSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import { gates } from './connection-tracking.ts';

export const PrefixListSpec = z.array(cidrSchema).min(1);

export interface PrefixList {
  readonly name: string;
  readonly cidrs: readonly Cidr[];
  readonly at: SourceRef;
}

export function resolvePrefixList(
  name: string,
  cidrs: z.output<typeof PrefixListSpec>,
  where: Where,
): PrefixList {
  return { name, cidrs, at: where.keyAt() };
}

export function prefixListSet(name: string): string {
  return `pl-${name}`;
}

export function planPrefixList(netns: NetnsName, list: PrefixList): Fragment {
  const set = prefixListSet(list.name);
  const why = because('prefix-list', `pl/${list.name}`, list.at);
  const table = gates(netns);
  const fragment = new Fragment().add(
    why,
    table.set('set', set, 'type ipv4_addr; flags interval;'),
  );
  // Intervals of a set must not overlap: what lies in another says nothing more.
  const widest = list.cidrs.filter(
    (one, index) =>
      !list.cidrs.some(
        (other, at) => at !== index && containsCidr(other, one) && (other !== one || at < index),
      ),
  );
  const sorted = [...widest].sort((a, b) => compareIpv4(baseAddress(a), baseAddress(b)));
  for (const block of sorted) {
    const element = prefixLength(block) === 32 ? baseAddress(block) : block;
    fragment.add(why, table.element(set, element));
  }
  return fragment;
}

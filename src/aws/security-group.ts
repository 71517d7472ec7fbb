/**
 * Security groups: who may open a connection to an ENI, and from it.
 *
 * Kernel: two independent gates in the VPC's netns, each a verdict map, so that a packet meets the rules of two ENIs
 * whatever their number: the sender's egress by its MAC, the receiver's ingress by the address the packet is handed to
 * (the next hop, which is right for appliances too). A packet must pass both. An ENI without a gate passes nothing;
 * traffic to and from the internet gateway has an ENI on one side only.
 *
 * @fidelity simplified - one group, "default", lets everything pass; rules, references and tracking are not built yet.
 *   So what a lab blocks today is blocked by routes, gateways and the source/destination check alone.
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
 */

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import type { NftChain, NftSet } from '../kernel/state.ts';

export const GATES = { family: 'inet', table: 'vpc' } as const;
export const EGRESS_OF = 'egress-of';
export const INGRESS_OF = 'ingress-of';

export const DEFAULT_SECURITY_GROUP = 'default';

/** What the verdict map of a gate says for an ENI: its groups' chain, or a plain pass where groups can't be. */
export function gateData(
  groups: readonly string[] | undefined,
  direction: 'egress' | 'ingress',
): string {
  return groups === undefined ? 'accept' : `jump ${chainOf(groups[0] ?? '', direction)}`;
}

function chainOf(group: string, direction: 'egress' | 'ingress'): string {
  return `sg-${group}-${direction}`;
}

/** Only after the network ACLs (forward -30), so that each gate is passed by what the ACLs let through. */
const EGRESS_PRIORITY = -20;
const INGRESS_PRIORITY = -10;

export function planSecurityGroups(vpc: NetnsName, uplink: string, why: Because): Fragment {
  const map = (set: string, body: string): NftSet => ({
    kind: 'nft-set',
    netns: vpc,
    ...GATES,
    type: 'map',
    set,
    body,
  });
  const chain = (name: string, rules: readonly string[], hook?: string): NftChain => ({
    kind: 'nft-chain',
    netns: vpc,
    ...GATES,
    chain: name,
    ...(hook === undefined ? {} : { hook }),
    rules,
  });
  return new Fragment().add(
    why,
    { kind: 'nft-table', netns: vpc, ...GATES },
    map(EGRESS_OF, 'type ether_addr : verdict;'),
    map(INGRESS_OF, 'type ipv4_addr : verdict;'),
    chain(chainOf(DEFAULT_SECURITY_GROUP, 'egress'), ['accept']),
    chain(chainOf(DEFAULT_SECURITY_GROUP, 'ingress'), ['accept']),
    chain(
      'egress',
      [
        `iifname "${uplink}" accept`,
        `ether saddr vmap @${EGRESS_OF}`,
        'counter comment "no such ENI"',
      ],
      `type filter hook forward priority ${EGRESS_PRIORITY}; policy drop;`,
    ),
    chain(
      'ingress',
      [
        `oifname "${uplink}" accept`,
        `rt ip nexthop vmap @${INGRESS_OF}`,
        'counter comment "no such ENI"',
      ],
      `type filter hook forward priority ${INGRESS_PRIORITY}; policy drop;`,
    ),
  );
}

/**
 * How concepts contribute to the kernel state, and how their parts become one.
 *
 * A concept says what it wants; it neither orders nor applies. Some objects grow out of several concepts' parts: a
 * chain of the kernel's own that both the VPC CNI and kube-proxy hook into, the server that answers on every declared port. They contribute such parts, and `mergeFragments` makes the whole.
 */

import type { Because } from '../base/because.ts';
import type { Diagnostics } from '../base/diagnostic.ts';
import { renderBecause } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { planServers, type Programs, type ServedPort } from './server.ts';
import {
  type IptablesTable,
  type KernelObject,
  type KernelState,
  linkKey,
  objectKey,
  type Planned,
} from './state.ts';

/** A rule in a chain that several concepts share; the lower `order` comes first. */
export interface IptablesRulePart {
  readonly kind: 'iptables-rule';
  readonly netns: NetnsName;
  readonly table: IptablesTable;
  readonly chain: string;
  readonly order: number;
  readonly rule: string;
}

export type Part = KernelObject | IptablesRulePart | ServedPort;

export interface Contribution {
  readonly part: Part;
  readonly because: Because;
}

/**
 * Who comes first in a chain that is shared. On a node kube-proxy puts its jumps at the head of the chain, and the
 * VPC CNI appends its own; a DNAT verdict of kube-proxy therefore ends the chain before the CNI's rules. Network policies
 * stand before both: kube-proxy's KUBE-FORWARD accepts what they are to see.
 * @see amazon-vpc-cni-k8s@b5218838 pkg/networkutils/network.go updateHostIptablesRules (append)
 * @see kubernetes pkg/proxy/iptables/proxier.go syncProxyRules (prepend)
 */
export const IPTABLES_ORDER = {
  networkPolicy: 50,
  kubeProxy: 100,
  vpcCni: 200,
  other: 300,
} as const;

/** A list of parts with one cause. */
export class Fragment {
  readonly contributions: Contribution[] = [];

  add(because: Because, ...parts: readonly Part[]): this {
    for (const part of parts) this.contributions.push({ part, because });
    return this;
  }

  addAll(other: Fragment): this {
    this.contributions.push(...other.contributions);
    return this;
  }
}

/** One state out of all parts; two different objects with one key are reported with both causes (`kernel-clash`). */
export function mergeFragments(
  fragment: Fragment,
  programs: Programs,
  diagnostics: Diagnostics,
): KernelState {
  const objects = new Map<string, Planned>();
  const put = (object: KernelObject, because: Because): void => {
    const key = objectKey(object);
    const there = objects.get(key);
    if (there === undefined) objects.set(key, { object, because });
    else if (JSON.stringify(there.object) !== JSON.stringify(object)) {
      diagnostics.error(
        'kernel-clash',
        because.at,
        `${renderBecause(because)} and ${renderBecause(there.because)} both want "${key}", each its own way`,
        'rename one of the two',
      );
    }
  };

  // A bridge and a cable of one name have different keys, but a namespace has one link of a name, and `lo` from birth.
  const links = new Map<string, Planned>();
  const putLinks = (object: KernelObject, because: Because): void => {
    const made =
      object.kind === 'veth' ? object.ends : object.kind === 'bridge' ? [object] : ([] as const);
    for (const { netns, link } of made) {
      // Nobody plans a link that is to be down.
      put({ kind: 'link-up', netns, link }, because);
      const there = links.get(linkKey(netns, link));
      const isSame = there !== undefined && objectKey(there.object) === objectKey(object);
      if (link === 'lo' || (there !== undefined && !isSame)) {
        const who = there === undefined ? 'every namespace' : renderBecause(there.because);
        diagnostics.error(
          'kernel-clash',
          because.at ?? there?.because.at,
          `${renderBecause(because)} would have the link "${link}" in the network namespace "${netns}", which ${who} has`,
          'rename one of the two',
        );
      }
      if (there === undefined) links.set(linkKey(netns, link), { object, because });
    }
  };

  const rules: { part: IptablesRulePart; because: Because }[] = [];
  const servers: { part: ServedPort; because: Because }[] = [];
  for (const { part, because } of fragment.contributions) {
    if (isNothing(part)) continue;
    if (part.kind === 'iptables-rule') rules.push({ part, because });
    else if (part.kind === 'served-port') servers.push({ part, because });
    else {
      put(part, because);
      putLinks(part, because);
    }
  }

  const chains = new Map<string, { parts: IptablesRulePart[]; because: Because }>();
  for (const { part, because } of rules) {
    const key = `${part.netns} ${part.table} ${part.chain}`;
    const chain = chains.get(key) ?? { parts: [], because };
    chain.parts.push(part);
    chains.set(key, chain);
  }
  for (const { parts, because } of chains.values()) {
    const [first] = parts;
    if (first === undefined) continue;
    const ordered = parts
      .map((part, index) => ({ part, index }))
      .sort((a, b) => a.part.order - b.part.order || a.index - b.index);
    put(
      {
        kind: 'iptables-chain',
        netns: first.netns,
        table: first.table,
        chain: first.chain,
        policy: 'ACCEPT',
        rules: ordered.map(({ part }) => part.rule),
      },
      because,
    );
  }

  for (const { object, because } of planServers(servers, programs)) put(object, because);
  return objects;
}

/** The kernel's own chain, empty and accepting, is what stands where nothing was ever said. */
function isNothing(part: Part): boolean {
  return part.kind === 'iptables-chain' && part.policy === 'ACCEPT' && part.rules.length === 0;
}

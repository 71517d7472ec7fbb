/**
 * What a picture is made of, whatever the format.
 *
 * An id is a thing's reference (`nat/nat-1`); what is no thing, as zones, subnets and the internet, has an id alike.
 */

import type { GroupKind, NodeKind } from './graph-look.ts';

export interface Graph {
  readonly lab: string;
  /** The lab's question, or its name. */
  readonly title: string;
  /** The internet first, then the VPCs. */
  readonly groups: readonly GraphGroup[];
  readonly edges: readonly GraphEdge[];
}

export interface GraphGroup {
  readonly id: string;
  readonly kind: GroupKind;
  /** The title, then what else one may want to know of it, where there is room: one line each. */
  readonly lines: readonly [string, ...string[]];
  /** What no arrow shows, and nobody may leave out: routes to nowhere. */
  readonly notes: readonly string[];
  readonly nodes: readonly GraphNode[];
  readonly groups: readonly GraphGroup[];
}

/** What is in a group, at any depth, by its ids. */
export function idsIn({ nodes, groups }: GraphGroup): string[] {
  return [...nodes.map(({ id }) => id), ...groups.flatMap((one) => [one.id, ...idsIn(one)])];
}

export interface GraphNode {
  readonly id: string;
  readonly kind: NodeKind;
  readonly lines: readonly [string, ...string[]];
}

export interface GraphEdge {
  /**
   * From a subnet to what its route table names, from an internet gateway to the internet, from a pod to its ENI; and as a
   * request goes, from a load balancer's node to it, from its listener to a target group, from that to a target.
   */
  readonly kind: 'route' | 'uplink' | 'eni' | 'balancer' | 'forward' | 'target';
  readonly from: string;
  readonly to: string;
  /** The destinations that take this way; none for what is no route. */
  readonly destinations: readonly string[];
  /** Of a target. */
  readonly port?: number;
  /** Of a target, where somebody asked: `healthy`, or what else it is. */
  readonly health?: string;
}

/**
 * Scheduler: kube-scheduler, which picks a node for each pod.
 *
 * Hoplab picks by name alone, so that a lab is the same on every run: a pod's pin (lab file), else its nodeName, else
 * the nodes that its nodeSelector allows, in turn. Where the turn of a workload begins comes from a hash of its name,
 * so that a workload more or less does not move the pods of the others while the nodes have room. A pod that must be
 * on one node takes its place first.
 *
 * @fidelity simplified: a node is full when its addresses or its maxPods are used up; CPU and memory, taints, affinity,
 *   topology spread, host ports and preemption are not looked at. A pod that fits nowhere stays Pending in
 *   Kubernetes; here it is an error.
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodeselector
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
 */

import type { Diagnostics } from '../base/diagnostic.ts';
import { hashModulo } from '../base/hash.ts';
import { eligibleNodes, type NodeForScheduling, type Pin, reportFull } from './eligible.ts';
import { compareNaturally } from './order.ts';
import { comparePods, podReference, type PodSpec } from './pod.ts';

export type { NodeForScheduling, Pin };

export interface Placement {
  readonly pod: PodSpec;
  readonly node: string;
}

/** How many pods a node has got: with an address of their own, and in all. */
interface Seats {
  readonly addressed: number;
  readonly all: number;
}

const EMPTY: Seats = { addressed: 0, all: 0 };

/** By namespace, then name. Reports `too-many-pods`, and what eligible.ts does. */
export function schedule(
  pods: readonly PodSpec[],
  nodes: readonly NodeForScheduling[],
  pins: ReadonlyMap<string, Pin>,
  diagnostics: Diagnostics,
): Placement[] {
  const sorted = [...nodes].sort((a, b) => compareNaturally(a.name, b.name));
  const ordered = [...pods].sort(comparePods);
  const seats = new Map<NodeForScheduling, Seats>();
  const placed = new Map<PodSpec, string>();
  const unfit = new Set<string>();
  const leftOver = new Map<string, [PodSpec, ...PodSpec[]]>();

  const isFixed = (pod: PodSpec): boolean =>
    (pins.get(referenceOf(pod))?.node ?? pod.nodeName) !== undefined;
  for (const pod of [...ordered.filter(isFixed), ...ordered.filter((one) => !isFixed(one))]) {
    const pin = pins.get(referenceOf(pod));
    const group = groupOf(pod, pin);
    if (unfit.has(group)) continue;
    const eligible = eligibleNodes(pod, sorted, pin, diagnostics);
    if (eligible.length === 0) {
      unfit.add(group);
      continue;
    }
    const start = hashModulo(turnOf(pod), eligible.length) + (pod.owner?.replica ?? 0);
    const node = rotated(eligible, start % eligible.length).find((one) =>
      hasRoom(one, seats.get(one), pod),
    );
    if (node === undefined) {
      const others = leftOver.get(group);
      if (others === undefined) leftOver.set(group, [pod]);
      else others.push(pod);
      continue;
    }
    const { addressed, all } = seats.get(node) ?? EMPTY;
    seats.set(node, { addressed: addressed + (pod.hostNetwork ? 0 : 1), all: all + 1 });
    placed.set(pod, node.name);
  }
  for (const group of leftOver.values()) {
    reportFull(group, sorted, pins.get(referenceOf(group[0])), diagnostics);
  }
  return ordered.flatMap((pod) => {
    const node = placed.get(pod);
    return node === undefined ? [] : [{ pod, node }];
  });
}

function rotated<T>(list: readonly T[], start: number): T[] {
  return [...list.slice(start), ...list.slice(0, start)];
}

function referenceOf(pod: PodSpec): string {
  return podReference(pod.namespace, pod.name);
}

/** What the pods of a workload share; a pod without one takes turns with nobody. */
function turnOf({ owner, namespace, name }: PodSpec): string {
  return owner === undefined
    ? `Pod/${namespace}/${name}`
    : `${owner.kind}/${namespace}/${owner.name}`;
}

/** Pods that fail together, for one reason: those of a workload, but for the pinned and a DaemonSet's. */
function groupOf(pod: PodSpec, pin: Pin | undefined): string {
  return pin?.node === undefined && pod.owner?.kind !== 'DaemonSet'
    ? turnOf(pod)
    : referenceOf(pod);
}

function hasRoom(node: NodeForScheduling, seats: Seats | undefined, pod: PodSpec): boolean {
  const { addressed, all } = seats ?? EMPTY;
  if (all >= (node.maxPods ?? Infinity)) return false;
  return pod.hostNetwork || addressed < node.capacity;
}

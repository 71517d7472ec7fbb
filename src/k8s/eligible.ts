/**
 * Which nodes a pod may run on, before anyone asks how full they are; kube-scheduler calls it filtering.
 *
 * A pin of the lab file or a nodeName leaves one node, a nodeSelector those that have all its labels. Where none is
 * left, the reason is reported here, once for all pods of a workload.
 *
 * @fidelity simplified: a pod whose nodeName contradicts its nodeSelector is started in Kubernetes and fails on the
 *   node; here it is refused before.
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename
 */

import { type Diagnostics, nearest, type SourceRef, suggest } from '../base/diagnostic.ts';
import { podReference, type PodSpec } from './pod.ts';
import { type Labels, matchesLabels, renderLabels } from './selector.ts';

export interface NodeForScheduling {
  readonly name: string;
  readonly labels: Labels;
  /** Pods that can still get an address. */
  readonly capacity: number;
  /** The kubelet's limit, which counts pods with hostNetwork too. */
  readonly maxPods?: number | undefined;
}

/** From the lab file: the node a pod must be on; undefined where only its address is pinned. */
export interface Pin {
  readonly node: string | undefined;
  readonly at: SourceRef;
}

const MAX_NODES_NAMED = 8;

/** Reports `unknown-node`, `pin-contradicts` and `no-node-matches`, and then gives no nodes. */
export function eligibleNodes(
  pod: PodSpec,
  nodes: readonly NodeForScheduling[],
  pin: Pin | undefined,
  diagnostics: Diagnostics,
): readonly NodeForScheduling[] {
  if (pin?.node !== undefined) return pinnedNode(pod, nodes, pin, pin.node, diagnostics);
  const reference = podReference(pod.namespace, pod.name);
  const at = pod.nodeAt ?? pod.at;
  const { nodeName, nodeSelector } = pod;
  if (nodeName !== undefined) {
    const node = nodes.find(({ name }) => name === nodeName);
    if (node === undefined) {
      diagnostics.error(
        'unknown-node',
        at,
        `${reference} has the nodeName "${nodeName}", but there is no such node`,
        suggestNode(nodeName, nodes),
      );
      return [];
    }
    if (matchesLabels(nodeSelector, node.labels)) return [node];
    diagnostics.error(
      'no-node-matches',
      at,
      `${reference} has the nodeName "${nodeName}" and the nodeSelector ${renderLabels(nodeSelector)}, which that node does not match: ${describe([node], nodeSelector)}`,
      'take out one of the two',
    );
    return [];
  }
  const eligible = nodes.filter((node) => matchesLabels(nodeSelector, node.labels));
  if (eligible.length > 0) return eligible;
  if (nodes.length === 0) {
    diagnostics.error('no-node-matches', at, `there is no node for ${reference}`, 'add a node');
  } else {
    diagnostics.error(
      'no-node-matches',
      at,
      `no node matches the nodeSelector ${renderLabels(nodeSelector)} of ${reference}: ${describe(nodes, nodeSelector)}`,
      suggestLabel(nodes, nodeSelector) ?? 'give a node these labels, or take out the nodeSelector',
    );
  }
  return [];
}

function pinnedNode(
  pod: PodSpec,
  nodes: readonly NodeForScheduling[],
  pin: Pin,
  pinned: string,
  diagnostics: Diagnostics,
): readonly NodeForScheduling[] {
  const reference = podReference(pod.namespace, pod.name);
  const node = nodes.find(({ name }) => name === pinned);
  if (node === undefined) {
    diagnostics.error(
      'unknown-node',
      pin.at,
      `${reference} is pinned to node "${pinned}", but there is no such node`,
      suggestNode(pinned, nodes),
    );
    return [];
  }
  const contradiction =
    pod.nodeName !== undefined && pod.nodeName !== pinned
      ? pod.owner?.kind === 'DaemonSet'
        ? `is the pod of DaemonSet "${pod.owner.name}" for node "${pod.nodeName}"`
        : `has the nodeName "${pod.nodeName}"`
      : matchesLabels(pod.nodeSelector, node.labels)
        ? undefined
        : `has the nodeSelector ${renderLabels(pod.nodeSelector)}, which that node does not match: ${describe([node], pod.nodeSelector)}`;
  if (contradiction === undefined) return [node];
  diagnostics.error(
    'pin-contradicts',
    pin.at,
    `${reference} is pinned to node "${pinned}", but ${contradiction}`,
    'change the pin or the manifest',
  );
  return [];
}

/** One diagnostic for pods that were left over together. */
export function reportFull(
  pods: readonly [PodSpec, ...PodSpec[]],
  nodes: readonly NodeForScheduling[],
  pin: Pin | undefined,
  diagnostics: Diagnostics,
): void {
  const [first, ...others] = pods;
  const fixed = pin?.node ?? first.nodeName;
  const eligible = nodes.filter((node) =>
    fixed === undefined ? matchesLabels(first.nodeSelector, node.labels) : node.name === fixed,
  );
  // The kubelet's limit is the reason where there would be addresses enough.
  const isLimited = ({ capacity, maxPods }: NodeForScheduling): boolean =>
    maxPods !== undefined && (first.hostNetwork || maxPods <= capacity);
  const what = eligible.some(isLimited) ? 'room' : 'an address';
  const who = fixed === undefined ? 'no node has' : 'its node does not have';
  const whom = `${podReference(first.namespace, first.name)}${
    others.length === 0
      ? ''
      : ` and ${others.length} more of ${first.owner?.kind ?? 'Pod'} "${first.owner?.name ?? first.name}"`
  }`;
  const limits = list(eligible, (node) => {
    const type = node.labels['node.kubernetes.io/instance-type'];
    const named = `${node.name}${type === undefined ? '' : ` (${type})`}`;
    return isLimited(node)
      ? `${named} takes ${node.maxPods ?? 0} pods`
      : `${named} has ${node.capacity}`;
  });
  diagnostics.error(
    'too-many-pods',
    fixed === undefined ? first.at : (pin?.at ?? first.nodeAt ?? first.at),
    `${who} ${what} left for ${whom}: ${limits}`,
    fixed === undefined
      ? 'add nodes, choose a larger instance type, or run fewer pods'
      : 'choose a larger instance type, or put fewer pods on this node',
  );
}

/** `node-1 (zone=a), node-2 (no zone)`: what the nodes have under the keys that were asked for. */
function describe(nodes: readonly NodeForScheduling[], wanted: Labels): string {
  return list(nodes, ({ name, labels }) => {
    const values = Object.keys(wanted).map((key) => {
      const value = labels[key];
      return value === undefined ? `no ${key}` : `${key}=${value}`;
    });
    return `${name} (${values.join(', ')})`;
  });
}

function list(
  nodes: readonly NodeForScheduling[],
  render: (node: NodeForScheduling) => string,
): string {
  const shown = nodes.slice(0, MAX_NODES_NAMED).map(render).join(', ');
  const hidden = nodes.length - MAX_NODES_NAMED;
  return hidden > 0 ? `${shown} and ${hidden} more` : shown;
}

function suggestNode(name: string, nodes: readonly NodeForScheduling[]): string | undefined {
  return suggest(
    name,
    nodes.map((node) => node.name),
  );
}

/** For the first label that no node has: the key or the value that was meant, if one is near. */
function suggestLabel(nodes: readonly NodeForScheduling[], wanted: Labels): string | undefined {
  for (const [key, value] of Object.entries(wanted)) {
    if (nodes.some(({ labels }) => labels[key] === value)) continue;
    const values = nodes.flatMap(({ labels }) => labels[key] ?? []);
    if (values.length > 0) return suggest(value, new Set(values));
    const near = nearest(
      key,
      nodes.flatMap(({ labels }) => Object.keys(labels)),
    );
    return near === undefined ? undefined : `did you mean "${near}"?`;
  }
  return undefined;
}

/**
 * Controllers: the part of Kubernetes that makes pods until there are as many as a workload asks for.
 *
 * Hoplab does it once, by names that stay the same from run to run: `web-1`, `web-2` for a Deployment or a ReplicaSet,
 * `web-0`, `web-1` for a StatefulSet, and `agent-node-1`, one for each node that matches, for a DaemonSet.
 *
 * @fidelity simplified: the names that a Deployment, a ReplicaSet and a DaemonSet really make carry hashes
 *   (`web-6d4b75cb6d-hx7vr`), which no lab could refer to. A label `pod-template-hash` is not set. A DaemonSet ignores
 *   taints and runs on every node that its nodeName and nodeSelector allow.
 * @see https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-name-label
 * @see https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled
 */

import { type Diagnostics, renderSourceRef } from '../base/diagnostic.ts';
import type { NodeForScheduling } from './eligible.ts';
import type { Manifests } from './manifest.ts';
import { compareNaturally } from './order.ts';
import { comparePods, podNetns, podReference, type PodSpec } from './pod.ts';
import { matchesLabels } from './selector.ts';
import type { WorkloadSpec } from './workload.ts';

/** All pods of a lab, by namespace, then name. Reports `pod-twice` and `netns-twice`. */
export function expandPods(
  manifests: Manifests,
  nodes: readonly NodeForScheduling[],
  diagnostics: Diagnostics,
): PodSpec[] {
  const made = manifests.workloads.flatMap((workload) =>
    workload.kind === 'DaemonSet' ? daemonPods(workload, nodes) : replicas(workload),
  );
  return withoutClashes([...manifests.pods, ...made], diagnostics).sort(comparePods);
}

function replicas(workload: WorkloadSpec): PodSpec[] {
  return Array.from({ length: workload.replicas }, (_, index) => {
    const replica = workload.first + index;
    const pod = podOf(workload, String(replica), replica);
    if (workload.kind !== 'StatefulSet') return pod;
    // A Service can select a single pod of a StatefulSet by these.
    const own = {
      'statefulset.kubernetes.io/pod-name': pod.name,
      'apps.kubernetes.io/pod-index': String(replica),
    };
    // Its DNS name, too. @see kubernetes pkg/controller/statefulset/stateful_set_utils.go initIdentity
    const { name: hostname } = pod;
    const subdomain = workload.serviceName;
    return { ...pod, labels: { ...pod.labels, ...own }, hostname, subdomain };
  });
}

function daemonPods(workload: WorkloadSpec, nodes: readonly NodeForScheduling[]): PodSpec[] {
  const { nodeName, nodeSelector } = workload.template;
  const names = nodes
    .filter((node) => matchesLabels(nodeSelector, node.labels))
    .map((node) => node.name)
    .filter((name) => nodeName === undefined || nodeName === name)
    .sort(compareNaturally);
  // A pod for a node that is not there: the scheduler then reports the name.
  if (nodeName !== undefined && nodes.every((node) => node.name !== nodeName)) names.push(nodeName);
  return names.map((name, index) => ({ ...podOf(workload, name, index), nodeName: name }));
}

function podOf(workload: WorkloadSpec, suffix: string, replica: number): PodSpec {
  const { kind, namespace, name, template, at } = workload;
  return {
    namespace,
    name: `${name}-${suffix}`,
    owner: { kind, name, replica },
    at,
    ...template,
  };
}

/** Two pods of one name or of one netns can't be told apart: the first stays. */
function withoutClashes(pods: readonly PodSpec[], diagnostics: Diagnostics): PodSpec[] {
  const byReference = new Map<string, PodSpec>();
  const byNetns = new Map<string, PodSpec>();
  return pods.filter((pod) => {
    const reference = podReference(pod.namespace, pod.name);
    const netns = podNetns(pod.namespace, pod.name);
    const same = byReference.get(reference);
    const near = byNetns.get(netns);
    if (same !== undefined) {
      diagnostics.error(
        'pod-twice',
        pod.at,
        `${reference} of ${makerOf(pod)} stands twice: ${makerOf(same)} at ${renderSourceRef(same.at)} makes it too`,
        'rename one of them',
      );
      return false;
    }
    if (near !== undefined) {
      diagnostics.error(
        'netns-twice',
        pod.at,
        `${reference} would get the network namespace ${netns} of ${podReference(near.namespace, near.name)} at ${renderSourceRef(near.at)}`,
        'rename one of them',
      );
      return false;
    }
    byReference.set(reference, pod);
    byNetns.set(netns, pod);
    return true;
  });
}

function makerOf({ owner, name }: PodSpec): string {
  return owner === undefined ? `Pod "${name}"` : `${owner.kind} "${owner.name}"`;
}

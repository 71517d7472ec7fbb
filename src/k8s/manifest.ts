/**
 * A lab's manifests: ordinary Kubernetes YAML, as one would hand it to `kubectl apply`.
 *
 * Hoplab takes them all at once, so that an object may stand before the namespace it is in. What moves no packet is
 * accepted in silence; what would, but is not built, is named in a warning, so that nobody trusts a policy that is not
 * there.
 *
 * @fidelity simplified: admission, defaulting and validation are those of the fields that Hoplab reads; an object given
 *   twice is an error, where kubectl lets the later one win.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/#describing-a-kubernetes-object
 */

import { type Diagnostics, renderSourceRef, type SourceRef } from '../base/diagnostic.ts';
import type { SourceTree } from '../source/yaml.ts';
import { checkNamespace, type NamespaceSpec, readNamespaces } from './namespace.ts';
import { readEndpoints, readEndpointSlice, type WrittenSlice } from './endpoint-slice.ts';
import {
  type IngressClassSpec,
  type IngressSpec,
  readIngress,
  readIngressClass,
} from './ingress.ts';
import { type NetworkPolicySpec, readNetworkPolicy } from './network-policy.ts';
import { type KubernetesObject, readObjects } from './object.ts';
import { type PodSpec, readPod } from './pod.ts';
import { readSecurityGroupPolicy, type SecurityGroupPolicySpec } from './security-group-policy.ts';
import { readService, type ServiceSpec } from './service.ts';
import { readWorkload, type WorkloadSpec } from './workload.ts';

export interface Manifests {
  /** By name, with those that every cluster has. */
  readonly namespaces: ReadonlyMap<string, NamespaceSpec>;
  /** The pods that stand in the manifests themselves. */
  readonly pods: readonly PodSpec[];
  readonly workloads: readonly WorkloadSpec[];
  readonly securityGroupPolicies: readonly SecurityGroupPolicySpec[];
  readonly services: readonly ServiceSpec[];
  readonly slices: readonly WrittenSlice[];
  readonly ingresses: readonly IngressSpec[];
  readonly ingressClasses: readonly IngressClassSpec[];
  readonly networkPolicies: readonly NetworkPolicySpec[];
}

/** Reports everything that is wrong with the manifests; an object that can't be used is left out of the result. */
export function readManifests(trees: readonly SourceTree[], diagnostics: Diagnostics): Manifests {
  const objects = withoutDoubles(
    trees.flatMap((tree) => readObjects(tree, diagnostics)),
    diagnostics,
  );
  const namespaces = readNamespaces(objects, diagnostics);
  const pods: PodSpec[] = [];
  const workloads: WorkloadSpec[] = [];
  const securityGroupPolicies: SecurityGroupPolicySpec[] = [];
  const services: ServiceSpec[] = [];
  const slices: WrittenSlice[] = [];
  const ingresses: IngressSpec[] = [];
  const ingressClasses: IngressClassSpec[] = [];
  const networkPolicies: NetworkPolicySpec[] = [];
  for (const object of objects) {
    const { effect } = object.known;
    const placed = checkNamespace(object, namespaces, diagnostics);
    if (typeof effect === 'object') {
      const what = `${object.kind} "${object.name}" ${effect.what}`;
      diagnostics.warning(effect.code, object.at, what);
      continue;
    }
    switch (object.kind) {
      case 'Pod': {
        const pod = readPod(object, diagnostics);
        if (pod !== undefined && placed) pods.push(pod);
        break;
      }
      case 'Deployment':
      case 'ReplicaSet':
      case 'StatefulSet':
      case 'DaemonSet': {
        const workload = readWorkload(object, object.kind, diagnostics);
        if (workload !== undefined && placed) workloads.push(workload);
        break;
      }
      case 'SecurityGroupPolicy': {
        const policy = readSecurityGroupPolicy(object, diagnostics);
        if (policy !== undefined && placed) securityGroupPolicies.push(policy);
        break;
      }
      case 'Service': {
        const service = readService(object, diagnostics);
        if (service !== undefined && placed) services.push(service);
        break;
      }
      case 'EndpointSlice': {
        const slice = readEndpointSlice(object, diagnostics);
        if (slice !== undefined && placed) slices.push(slice);
        break;
      }
      case 'Endpoints':
        if (placed) slices.push(...readEndpoints(object, diagnostics));
        break;
      case 'Ingress': {
        const ingress = readIngress(object, diagnostics);
        if (ingress !== undefined && placed) ingresses.push(ingress);
        break;
      }
      case 'IngressClass': {
        const ingressClass = readIngressClass(object, diagnostics);
        if (ingressClass !== undefined) ingressClasses.push(ingressClass);
        break;
      }
      case 'NetworkPolicy': {
        const policy = readNetworkPolicy(object, diagnostics);
        if (policy !== undefined && placed) networkPolicies.push(policy);
        break;
      }
      default:
    }
  }
  return {
    namespaces,
    pods,
    workloads,
    securityGroupPolicies,
    services,
    slices,
    ingresses,
    ingressClasses,
    networkPolicies,
  };
}

function withoutDoubles(
  objects: readonly KubernetesObject[],
  diagnostics: Diagnostics,
): KubernetesObject[] {
  const first = new Map<string, SourceRef>();
  return objects.filter((object) => {
    const key = [object.kind, object.namespace, object.name].join('/');
    const before = first.get(key);
    if (before === undefined) {
      first.set(key, object.at);
      return true;
    }
    diagnostics.error(
      'object-twice',
      object.at,
      `${object.kind} "${object.name}" stands twice${
        object.known.namespaced ? ` in namespace "${object.namespace}"` : ''
      }, first at ${renderSourceRef(before)}`,
      'rename one of them or take it out',
    );
    return false;
  });
}

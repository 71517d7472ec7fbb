/**
 * Pod: containers that share one network namespace, and so one address and one set of ports.
 *
 * Hoplab builds that namespace, `pod-web`, and runs a server on each port that a container declares; no image is
 * pulled and no command is run. A port speaks HTTP, unless it is UDP or is called `tcp` or `tcp-…`. Annotations say
 * how the servers misbehave (annotation.ts). A pod with hostNetwork serves in the namespace of its node instead.
 *
 * @fidelity simplified: in Kubernetes, `ports` only informs, and a container may listen elsewhere; here nothing
 *   listens but what is declared. Init containers, probes, resources, volumes and hostPort are not read. A pod is
 *   ready at once unless it says otherwise. Its ports of SCTP are left out.
 * @see https://kubernetes.io/docs/concepts/workloads/pods/#pod-networking
 * @see https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container, Ports
 */

import * as z from 'zod';

import { type Diagnostics, renderSourceRef, type SourceRef } from '../base/diagnostic.ts';
import type { Ipv4 } from '../base/ip.ts';
import { netnsName, type NetnsName } from '../base/names.ts';
import type { Behaviour } from '../kernel/server.ts';
import { ipv4Schema, portSchema } from '../source/scalar.ts';
import type { Path } from '../source/yaml.ts';
import { readConduct } from './annotation.ts';
import {
  checkDnsName,
  type KubernetesObject,
  labelsSchema,
  readSpec,
  textMapSchema,
} from './object.ts';
import { compareNaturally } from './order.ts';
import type { Labels } from './selector.ts';

export interface ContainerPort {
  readonly name: string | undefined;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
  readonly http: boolean;
  readonly at: SourceRef;
}

export type WorkloadKind = 'Deployment' | 'ReplicaSet' | 'StatefulSet' | 'DaemonSet';

export interface PodOwner {
  readonly kind: WorkloadKind;
  readonly name: string;
  /** The number in the pod's name; of a DaemonSet, the position of its node among the nodes it runs on. */
  readonly replica: number;
}

export interface PodSpec extends PodTemplate {
  readonly namespace: string;
  readonly name: string;
  readonly owner: PodOwner | undefined;
  /** Where metadata.name stands, the workload's for a pod that a workload makes. */
  readonly at: SourceRef;
}

/** What all pods of a workload have in common. */
export interface PodTemplate {
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly nodeName: string | undefined;
  readonly nodeSelector: Labels;
  /** Where nodeName stands, or else nodeSelector. */
  readonly nodeAt?: SourceRef | undefined;
  readonly hostNetwork: boolean;
  readonly ports: readonly ContainerPort[];
  readonly behaviour: Behaviour;
  readonly ready: boolean;
  readonly terminating: boolean;
  /** The name by which a Service's DNS knows the pod, where `subdomain` names that Service. */
  readonly hostname: string | undefined;
  readonly subdomain: string | undefined;
  readonly dnsPolicy: DnsPolicy;
  readonly dnsConfig: DnsConfig;
  /** A container's image is CoreDNS: what answers on port 53 is a DNS server. */
  readonly runsCoreDns: boolean;
}

const DNS_POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'] as const;
export type DnsPolicy = (typeof DNS_POLICIES)[number];

/** What a pod's resolv.conf has beside, or instead of, what the policy says. */
export interface DnsConfig {
  readonly nameservers: readonly Ipv4[];
  readonly searches: readonly string[];
  readonly options: readonly { readonly name: string; readonly value: string | undefined }[];
}

/** `pod/web` in the namespace default, else `pod/shop/web`. */
export function podReference(namespace: string, name: string): string {
  return namespace === 'default' ? `pod/${name}` : `pod/${namespace}/${name}`;
}

export function podNetns(namespace: string, name: string): NetnsName {
  return netnsName(namespace === 'default' ? `pod-${name}` : `pod-${namespace}-${name}`);
}

/** By namespace, then name. */
export function comparePods(a: PodSpec, b: PodSpec): number {
  return compareNaturally(a.namespace, b.namespace) || compareNaturally(a.name, b.name);
}

const portsSchema = z.array(
  z.looseObject({
    name: z.string().nullish(),
    containerPort: portSchema,
    protocol: z.enum(['TCP', 'UDP', 'SCTP']).nullish(),
  }),
);

/** A Pod has the shape of the template in a workload. */
export const podTemplateSchema = z.looseObject({
  metadata: z.looseObject({ labels: labelsSchema, annotations: textMapSchema }).nullish(),
  spec: z.looseObject({
    nodeName: z.string().nullish(),
    nodeSelector: labelsSchema,
    hostNetwork: z.boolean().nullish(),
    hostname: z.string().nullish(),
    subdomain: z.string().nullish(),
    dnsPolicy: z.enum(DNS_POLICIES).nullish(),
    dnsConfig: z
      .looseObject({
        nameservers: z.array(ipv4Schema).nullish(),
        searches: z.array(z.string()).nullish(),
        options: z
          .array(z.looseObject({ name: z.string(), value: z.string().nullish() }))
          .nullish(),
      })
      .nullish(),
    containers: z
      .array(z.looseObject({ image: z.string().nullish(), ports: portsSchema.nullish() }))
      .nullish(),
  }),
});

type WrittenTemplate = z.output<typeof podTemplateSchema>;

/** Reports what is wrong with a Pod, and then returns nothing where it can't be built. */
export function readPod(object: KubernetesObject, diagnostics: Diagnostics): PodSpec | undefined {
  const named = checkDnsName(object, 'subdomain', diagnostics);
  const written = readSpec(podTemplateSchema, object, diagnostics);
  if (written === undefined) return undefined;
  const template = readPodTemplate(written, object, object.path, diagnostics);
  if (template === undefined || !named) return undefined;
  const { namespace, name, at } = object;
  return { namespace, name, owner: undefined, at, ...template };
}

/** Reports `no-containers`, `sctp`, `port-twice`, and what annotation.ts does. */
export function readPodTemplate(
  written: WrittenTemplate,
  object: KubernetesObject,
  path: Path,
  diagnostics: Diagnostics,
): PodTemplate | undefined {
  const { tree } = object;
  const { metadata, spec } = written;
  if ((spec.containers ?? []).length === 0) {
    diagnostics.error(
      'no-containers',
      tree.at([...path, 'spec', 'containers']),
      `${object.kind} "${object.name}" has no containers`,
      'give at least one, with the ports it listens on',
    );
    return undefined;
  }
  const annotations = metadata?.annotations ?? {};
  const annotationPath = (name: string): Path => [...path, 'metadata', 'annotations', name];
  const conduct = readConduct(
    annotations,
    {
      value: (name) => tree.at(annotationPath(name)),
      key: (name) => tree.keyAt(annotationPath(name)),
    },
    diagnostics,
  );
  const nodeName = spec.nodeName === '' ? undefined : (spec.nodeName ?? undefined);
  const { nodeSelector } = spec;
  const nodeAt =
    nodeName !== undefined
      ? tree.at([...path, 'spec', 'nodeName'])
      : Object.keys(nodeSelector).length > 0
        ? tree.at([...path, 'spec', 'nodeSelector'])
        : undefined;
  return {
    labels: metadata?.labels ?? {},
    annotations,
    nodeName,
    nodeSelector,
    nodeAt,
    hostNetwork: spec.hostNetwork ?? false,
    ports: readPorts(written, object, path, diagnostics),
    hostname: spec.hostname ?? undefined,
    subdomain: spec.subdomain ?? undefined,
    dnsPolicy: spec.dnsPolicy ?? 'ClusterFirst',
    dnsConfig: {
      nameservers: spec.dnsConfig?.nameservers ?? [],
      searches: spec.dnsConfig?.searches ?? [],
      options: (spec.dnsConfig?.options ?? []).map(({ name, value }) => ({
        name,
        value: value ?? undefined,
      })),
    },
    runsCoreDns: (spec.containers ?? []).some(({ image }) => isCoreDns(image ?? '')),
    ...conduct,
  };
}

/** `registry.k8s.io/coredns/coredns:v1.11.3`, `602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/coredns:v1.11.4`. */
function isCoreDns(image: string): boolean {
  return /(^|\/)coredns([:@]|$)/.test(image);
}

function readPorts(
  { spec }: WrittenTemplate,
  { tree }: KubernetesObject,
  path: Path,
  diagnostics: Diagnostics,
): ContainerPort[] {
  const ports = new Map<string, ContainerPort>();
  for (const [index, container] of (spec.containers ?? []).entries()) {
    for (const [position, written] of (container.ports ?? []).entries()) {
      const portPath = [...path, 'spec', 'containers', index, 'ports', position];
      const at = tree.at([...portPath, 'containerPort']);
      if (written.protocol === 'SCTP') {
        diagnostics.warning(
          'sctp',
          tree.at([...portPath, 'protocol']),
          `port ${written.containerPort} is left out: a lab speaks TCP and UDP`,
        );
        continue;
      }
      const protocol = written.protocol === 'UDP' ? 'udp' : 'tcp';
      const name = written.name ?? undefined;
      const key = `${written.containerPort}/${protocol}`;
      const first = ports.get(key);
      if (first !== undefined) {
        diagnostics.error(
          'port-twice',
          at,
          `port ${key} stands twice in this pod, first at ${renderSourceRef(first.at)}`,
          'the containers of a pod share one network namespace: only one can listen on a port',
        );
        continue;
      }
      const http = protocol === 'tcp' && name !== 'tcp' && name?.startsWith('tcp-') !== true;
      ports.set(key, { name, containerPort: written.containerPort, protocol, http, at });
    }
  }
  return [...ports.values()];
}

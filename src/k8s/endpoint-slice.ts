/**
 * EndpointSlice: the addresses behind a Service, and what is to be known of each. kube-proxy and the cluster's DNS read
 * nothing else: neither selectors nor target ports.
 *
 * The slices of a Service are derived from the pods that its selector finds, as the endpoint slice controller does; where
 * manifests hold slices (or an Endpoints object, which is mirrored to one), those are used as they are.
 *
 * @fidelity simplified - a Service has one slice for each set of port numbers, however many endpoints; hints come from
 *   trafficDistribution alone, not from the annotation topology-mode
 * @see https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
 * @see kubernetes v1.31 staging/src/k8s.io/endpointslice/utils.go podToEndpoint, GetEndpointPorts
 */

import * as z from 'zod';

import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import type { Ipv4 } from '../base/ip.ts';
import { ipv4Schema, portSchema } from '../source/scalar.ts';
import { readWith } from '../source/schema.ts';
import { type KubernetesObject, textMapSchema } from './object.ts';
import { type PodSpec, podReference } from './pod.ts';
import { type Labels, matchesLabels } from './selector.ts';
import type { ServiceSpec } from './service.ts';
import type { ServicePortSpec } from './service-port.ts';

export interface Endpoint {
  readonly address: Ipv4;
  readonly node: string | undefined;
  readonly zone: string | undefined;
  /** Its own name below the Service's. */
  readonly hostname: string | undefined;
  /** The pod's reference, where it is one. */
  readonly pod: string | undefined;
  readonly ready: boolean;
  /** Still answers, whether it is being taken down or not. */
  readonly serving: boolean;
  readonly terminating: boolean;
  /** For whom it is meant; undefined: for everybody. */
  readonly hints:
    { readonly zones: readonly string[]; readonly nodes: readonly string[] } | undefined;
}

export interface EndpointPort {
  readonly name: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

export interface EndpointSlice {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** A slice that stands in a manifest, and of which Service it is. */
export interface WrittenSlice {
  readonly namespace: string;
  readonly service: string;
  readonly slice: EndpointSlice;
  readonly at: SourceRef;
}

/** A pod that runs somewhere. */
export interface PlacedPod {
  readonly spec: PodSpec;
  readonly node: string;
  readonly address: Ipv4;
}

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

const portsSchema = z
  .array(
    z.looseObject({
      name: z.string().nullish(),
      protocol: z.enum(['TCP', 'UDP', 'SCTP']).nullish(),
      port: portSchema.nullish(),
    }),
  )
  .nullish();

const targetSchema = z
  .looseObject({ kind: z.string().nullish(), name: z.string().nullish() })
  .nullish();

export const sliceSchema = z.looseObject({
  metadata: z.looseObject({ labels: textMapSchema }),
  addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
  ports: portsSchema,
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(z.string()).min(1),
        conditions: z
          .looseObject({
            ready: z.boolean().nullish(),
            serving: z.boolean().nullish(),
            terminating: z.boolean().nullish(),
          })
          .nullish(),
        hostname: z.string().nullish(),
        nodeName: z.string().nullish(),
        zone: z.string().nullish(),
        targetRef: targetSchema,
        hints: z
          .looseObject({
            forZones: z.array(z.looseObject({ name: z.string() })).nullish(),
            forNodes: z.array(z.looseObject({ name: z.string() })).nullish(),
          })
          .nullish(),
      }),
    )
    .nullish(),
});

/** Reports `slice-of-nothing`; a slice of another address family is none for us. */
export function readEndpointSlice(
  object: KubernetesObject,
  diagnostics: Diagnostics,
): WrittenSlice | undefined {
  const { tree, path, namespace, name, at } = object;
  const written = readWith(sliceSchema, tree, diagnostics, path);
  if (written === undefined || written.addressType !== 'IPv4') return undefined;
  const service = written.metadata.labels[SERVICE_NAME_LABEL];
  if (service === undefined) {
    diagnostics.warning(
      'slice-of-nothing',
      at,
      `EndpointSlice "${name}" belongs to no Service: it has no label ${SERVICE_NAME_LABEL}`,
      `give it the label ${SERVICE_NAME_LABEL} with the Service's name`,
    );
    return undefined;
  }
  const endpoints = (written.endpoints ?? []).flatMap((one, index): Endpoint[] => {
    // kube-proxy heeds the first one alone.
    const address = readWith(ipv4Schema, tree, diagnostics, [
      ...path,
      'endpoints',
      index,
      'addresses',
      0,
    ]);
    if (address === undefined) return [];
    const { conditions, hints, targetRef } = one;
    const ready = conditions?.ready ?? true;
    return [
      {
        address,
        node: one.nodeName ?? undefined,
        zone: one.zone ?? undefined,
        hostname: one.hostname ?? undefined,
        pod: targetRef?.kind === 'Pod' ? podReference(namespace, targetRef.name ?? '') : undefined,
        ready,
        serving: conditions?.serving ?? ready,
        terminating: conditions?.terminating ?? false,
        hints:
          hints === undefined || hints === null
            ? undefined
            : {
                zones: (hints.forZones ?? []).map((zone) => zone.name),
                nodes: (hints.forNodes ?? []).map((node) => node.name),
              },
      },
    ];
  });
  return { namespace, service, slice: { ports: readPorts(written.ports), endpoints }, at };
}

const addressesSchema = z
  .array(
    z.looseObject({
      ip: ipv4Schema,
      hostname: z.string().nullish(),
      nodeName: z.string().nullish(),
      targetRef: targetSchema,
    }),
  )
  .nullish();

export const endpointsSchema = z.looseObject({
  subsets: z
    .array(
      z.looseObject({
        addresses: addressesSchema,
        notReadyAddresses: addressesSchema,
        ports: portsSchema,
      }),
    )
    .nullish(),
});

/** What became EndpointSlice: of the same name as its Service, a slice for each subset. */
export function readEndpoints(object: KubernetesObject, diagnostics: Diagnostics): WrittenSlice[] {
  const { tree, path, namespace, name: service, at } = object;
  const written = readWith(endpointsSchema, tree, diagnostics, path);
  return (written?.subsets ?? []).map((subset) => {
    const read = (list: z.output<typeof addressesSchema>, ready: boolean): Endpoint[] =>
      (list ?? []).map(({ ip, hostname, nodeName, targetRef }) => ({
        address: ip,
        node: nodeName ?? undefined,
        zone: undefined,
        hostname: hostname ?? undefined,
        pod: targetRef?.kind === 'Pod' ? podReference(namespace, targetRef.name ?? '') : undefined,
        ready,
        serving: ready,
        terminating: false,
        hints: undefined,
      }));
    const endpoints = [...read(subset.addresses, true), ...read(subset.notReadyAddresses, false)];
    return { namespace, service, slice: { ports: readPorts(subset.ports), endpoints }, at };
  });
}

function readPorts(ports: z.output<typeof portsSchema>): EndpointPort[] {
  return (ports ?? []).flatMap(({ name, protocol, port }) =>
    port === undefined || port === null || protocol === 'SCTP'
      ? []
      : [{ name: name ?? '', protocol: protocol === 'UDP' ? 'udp' : 'tcp', port }],
  );
}

/** The slices that the controller makes of the pods that a Service selects. */
export function slicesOf(
  service: ServiceSpec,
  pods: readonly PlacedPod[],
  zoneOf: (node: string) => string | undefined,
): EndpointSlice[] {
  const { selector } = service;
  if (selector === undefined) return [];
  const slices = new Map<string, { ports: EndpointPort[]; endpoints: Endpoint[] }>();
  for (const pod of podsOf(service.namespace, selector, pods)) {
    const ports = service.ports.flatMap((port): EndpointPort[] => {
      const target = targetOf(port, pod.spec);
      return target === undefined
        ? []
        : [{ name: port.name, protocol: port.protocol, port: target }];
    });
    const key = JSON.stringify(ports);
    const slice = slices.get(key) ?? { ports, endpoints: [] };
    slice.endpoints.push(endpointOf(service, pod, zoneOf(pod.node)));
    slices.set(key, slice);
  }
  return [...slices.values()];
}

export function podsOf(
  namespace: string,
  selector: Labels,
  pods: readonly PlacedPod[],
): PlacedPod[] {
  return pods.filter(
    ({ spec }) => spec.namespace === namespace && matchesLabels(selector, spec.labels),
  );
}

/** The number that a pod has for a port of the Service; undefined where it knows no port of that name. */
export function targetOf(
  { targetPort, protocol }: ServicePortSpec,
  pod: PodSpec,
): number | undefined {
  if (typeof targetPort === 'number') return targetPort;
  // A number in quotes is a number to the API server, too.
  if (/^\d+$/.test(targetPort)) return Number(targetPort);
  return pod.ports.find((one) => one.name === targetPort && one.protocol === protocol)
    ?.containerPort;
}

function endpointOf(
  { name, publishNotReadyAddresses, trafficDistribution }: ServiceSpec,
  { spec, node, address }: PlacedPod,
  zone: string | undefined,
): Endpoint {
  const { ready: serving, terminating } = spec;
  const hints = {
    zones: zone === undefined ? [] : [zone],
    nodes: trafficDistribution === 'PreferSameNode' ? [node] : [],
  };
  return {
    address,
    node,
    zone,
    hostname: spec.subdomain === name ? spec.hostname : undefined,
    pod: podReference(spec.namespace, spec.name),
    ready: publishNotReadyAddresses || (serving && !terminating),
    serving,
    terminating,
    hints: trafficDistribution === undefined ? undefined : hints,
  };
}

/** All Services of a cluster, resolved: each with its addresses, its node ports and its endpoints. */

import type { Diagnostics } from '../base/diagnostic.ts';
import type { Cidr, Ipv4 } from '../base/ip.ts';
import {
  type Endpoint,
  type EndpointSlice,
  type PlacedPod,
  podsOf,
  slicesOf,
  targetOf,
  type WrittenSlice,
} from './endpoint-slice.ts';
import { renderLabels } from './selector.ts';
import { serviceReference, type ServiceSpec } from './service.ts';
import { allocateServiceAddresses } from './service-address.ts';
import { servicePortName } from './service-port.ts';

/** An endpoint of one port of a Service. */
export interface PortEndpoint extends Endpoint {
  readonly port: number;
}

export interface ServicePort {
  readonly name: string;
  /** `default/web:http`: what kube-proxy calls it. */
  readonly fullName: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly nodePort: number | undefined;
  /** Each address and port once, in kube-proxy's order. */
  readonly endpoints: readonly PortEndpoint[];
}

export interface Service extends Omit<ServiceSpec, 'ports' | 'clusterIp' | 'healthCheckNodePort'> {
  readonly reference: string;
  readonly clusterIp: Ipv4 | 'None' | undefined;
  readonly healthCheckNodePort: number | undefined;
  readonly ports: readonly ServicePort[];
  readonly slices: readonly EndpointSlice[];
}

export interface ServiceNeeds {
  /** Those that the cluster makes itself: nobody can mend what they select. */
  readonly own: readonly ServiceSpec[];
  readonly serviceCidr: Cidr;
  readonly pods: readonly PlacedPod[];
  readonly slices: readonly WrittenSlice[];
  readonly zoneOf: (node: string) => string | undefined;
}

export function resolveServices(
  specs: readonly ServiceSpec[],
  needs: ServiceNeeds,
  diagnostics: Diagnostics,
): Service[] {
  const addresses = allocateServiceAddresses(specs, needs.serviceCidr, diagnostics);
  checkSlices(specs, needs.slices, diagnostics);
  return specs.map((spec) => {
    const { namespace, name } = spec;
    const reference = serviceReference(namespace, name);
    const written = needs.slices.filter(
      (one) => one.namespace === namespace && one.service === name,
    );
    if (written.length === 0 && !needs.own.includes(spec)) {
      checkSelection(spec, needs.pods, diagnostics);
    }
    const slices =
      written.length > 0
        ? written.map(({ slice }) => slice)
        : slicesOf(spec, needs.pods, needs.zoneOf);
    const nodePorts = addresses.nodePorts.get(reference) ?? [];
    return {
      ...spec,
      reference,
      clusterIp: spec.clusterIp === 'None' ? 'None' : addresses.clusterIps.get(reference),
      healthCheckNodePort: addresses.healthCheckNodePorts.get(reference),
      slices,
      ports: spec.ports.map((port, index) => ({
        name: port.name,
        fullName: servicePortName(namespace, name, port.name),
        protocol: port.protocol,
        port: port.port,
        nodePort: nodePorts[index],
        endpoints: endpointsOf(slices, port),
      })),
    };
  });
}

/**
 * As kube-proxy merges slices: by address and port, each once, sorted as the texts that they are (`10.0.0.10:80` comes
 * before `10.0.0.1:80`).
 * @see kubernetes v1.31 pkg/proxy/endpointslicecache.go endpointInfoByServicePort, byEndpoint
 */
function endpointsOf(
  slices: readonly EndpointSlice[],
  wanted: { readonly name: string; readonly protocol: 'tcp' | 'udp' },
): PortEndpoint[] {
  const found = new Map<string, PortEndpoint>();
  for (const { ports, endpoints } of slices) {
    for (const { name, protocol, port } of ports) {
      if (name !== wanted.name || protocol !== wanted.protocol) continue;
      for (const endpoint of endpoints) {
        const key = `${endpoint.address}:${port}`;
        if (!found.has(key)) found.set(key, { ...endpoint, port });
      }
    }
  }
  return [...found].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, value]) => value);
}

/** It works, and refuses: nobody means that, so that it is said. */
function checkSelection(
  spec: ServiceSpec,
  pods: readonly PlacedPod[],
  diagnostics: Diagnostics,
): void {
  const { name, namespace, selector, type, where } = spec;
  if (type === 'ExternalName' || selector === undefined) return;
  const selected = podsOf(namespace, selector, pods);
  if (selected.length === 0) {
    const near = pods.find(
      (pod) =>
        pod.spec.namespace === namespace &&
        Object.keys(selector).some((key) => pod.spec.labels[key] !== undefined),
    );
    diagnostics.warning(
      'service-selects-nothing',
      where.at('spec', 'selector'),
      `Service "${name}" selects no pod of namespace "${namespace}": ${spec.clusterIp === 'None' ? 'its name leads nowhere' : 'connections to it are refused'}`,
      near === undefined
        ? `no pod has the labels ${renderLabels(selector)}`
        : `pod "${near.spec.name}" has ${renderLabels(near.spec.labels)}`,
    );
    return;
  }
  for (const port of spec.ports) {
    if (selected.some((pod) => targetOf(port, pod.spec) !== undefined)) continue;
    const names = new Set(
      selected.flatMap((pod) => pod.spec.ports.flatMap((one) => one.name ?? [])),
    );
    diagnostics.warning(
      'unknown-target-port',
      port.where.at('targetPort'),
      `no pod of Service "${name}" has a ${port.protocol.toUpperCase()} port named "${port.targetPort}": connections to port ${port.port} are refused`,
      names.size === 0
        ? 'give the number, or give the containerPort that name'
        : `their ports are named ${[...names].join(', ')}`,
    );
  }
}

function checkSlices(
  specs: readonly ServiceSpec[],
  slices: readonly WrittenSlice[],
  diagnostics: Diagnostics,
): void {
  for (const { namespace, service, at } of slices) {
    if (specs.some((one) => one.namespace === namespace && one.name === service)) continue;
    diagnostics.warning(
      'slice-of-nothing',
      at,
      `these endpoints are of Service "${service}" in namespace "${namespace}", which is not declared: nothing is sent to them`,
    );
  }
}

/**
 * The addresses and node ports of Services. Those that a manifest names are entered first; everybody else gets the one
 * that the hash of its name gives, so that a Service more or less moves nobody's.
 *
 * @fidelity simplified - the API server gives out random ones, ClusterIPs preferably of the upper part of the range
 * @see https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/
 */

import { type Diagnostics, renderSourceRef, type SourceRef } from '../base/diagnostic.ts';
import { hashModulo } from '../base/hash.ts';
import { type Cidr, contains, type Ipv4, nth, size } from '../base/ip.ts';
import { serviceReference, type ServiceSpec } from './service.ts';
import { NODE_PORTS } from './service-port.ts';

export interface ServiceAddresses {
  /** By reference; a headless Service and one of type ExternalName have none. */
  readonly clusterIps: ReadonlyMap<string, Ipv4>;
  /** By reference: a node port for each port that has one, in the order of the ports. */
  readonly nodePorts: ReadonlyMap<string, readonly (number | undefined)[]>;
  readonly healthCheckNodePorts: ReadonlyMap<string, number>;
}

/** Reports `service-address` and `node-port`, once for each Service that can't have what it wants. */
export function allocateServiceAddresses(
  services: readonly ServiceSpec[],
  serviceCidr: Cidr,
  diagnostics: Diagnostics,
): ServiceAddresses {
  const ordered = [...services].sort((a, b) => (reference(a) < reference(b) ? -1 : 1));
  return {
    clusterIps: allocateClusterIps(ordered, serviceCidr, diagnostics),
    ...allocateNodePorts(ordered, diagnostics),
  };
}

function reference({ namespace, name }: ServiceSpec): string {
  return serviceReference(namespace, name);
}

interface Claim {
  readonly who: string;
  readonly at: SourceRef;
}

function allocateClusterIps(
  services: readonly ServiceSpec[],
  block: Cidr,
  diagnostics: Diagnostics,
): Map<string, Ipv4> {
  const taken = new Map<Ipv4, Claim>();
  const given = new Map<string, Ipv4>();
  const enter = (service: ServiceSpec, address: Ipv4, at: SourceRef): void => {
    taken.set(address, { who: reference(service), at });
    given.set(reference(service), address);
  };
  for (const service of services) {
    const { clusterIp, where } = service;
    if (clusterIp === undefined || clusterIp === 'None') continue;
    const at = where.at('spec', 'clusterIP');
    const there = taken.get(clusterIp);
    if (!contains(block, clusterIp)) {
      diagnostics.error(
        'service-address',
        at,
        `${reference(service)} wants the clusterIP ${clusterIp}, which is not in the service CIDR ${block}`,
        'take one of that block, leave it out to have one allocated, or set cluster.serviceCidr',
      );
    } else if (clusterIp === nth(block, 0) || clusterIp === nth(block, -1)) {
      diagnostics.error(
        'service-address',
        at,
        `${reference(service)} wants the clusterIP ${clusterIp}, the ${clusterIp === nth(block, 0) ? 'first' : 'last'} address of the service CIDR, which is given to nobody`,
        'take another of that block',
      );
    } else if (there !== undefined) {
      diagnostics.error(
        'service-address',
        at,
        `${reference(service)} wants the clusterIP ${clusterIp}, which ${there.who} has (${renderSourceRef(there.at)})`,
        'take another, or leave it out to have one allocated',
      );
    } else enter(service, clusterIp, at);
  }
  const usable = size(block) - 2;
  for (const service of services) {
    if (service.clusterIp !== undefined || service.type === 'ExternalName') continue;
    const start = hashModulo(`cluster-ip/${reference(service)}`, usable);
    const free = firstFree(usable, start, (offset) => !taken.has(nth(block, 1 + offset)));
    if (free !== undefined) enter(service, nth(block, 1 + free), service.at);
    else {
      diagnostics.error(
        'service-address',
        service.at,
        `${reference(service)} gets no clusterIP: the service CIDR ${block} has ${usable} to give, and all are taken`,
        'make cluster.serviceCidr larger',
      );
    }
  }
  return given;
}

function allocateNodePorts(
  services: readonly ServiceSpec[],
  diagnostics: Diagnostics,
): Pick<ServiceAddresses, 'nodePorts' | 'healthCheckNodePorts'> {
  const taken = new Map<string, Claim>();
  const key = (port: number, protocol: string): string => `${port}/${protocol}`;
  const claim = (
    service: ServiceSpec,
    port: number,
    protocol: 'tcp' | 'udp',
    at: SourceRef,
  ): void => {
    const there = taken.get(key(port, protocol));
    if (there === undefined) {
      taken.set(key(port, protocol), { who: reference(service), at });
      return;
    }
    diagnostics.error(
      'node-port',
      at,
      `${reference(service)} wants the node port ${port} (${protocol.toUpperCase()}), which ${there.who} has (${renderSourceRef(there.at)})`,
      'take another, or leave it out to have one allocated',
    );
  };
  for (const service of services) {
    for (const { nodePort, protocol, where } of service.ports) {
      if (nodePort !== undefined) claim(service, nodePort, protocol, where.at('nodePort'));
    }
    const { healthCheckNodePort: port, where } = service;
    if (port !== undefined) claim(service, port, 'tcp', where.at('spec', 'healthCheckNodePort'));
  }
  const count = NODE_PORTS.to - NODE_PORTS.from + 1;
  const take = (service: ServiceSpec, what: string, protocol: 'tcp' | 'udp'): number => {
    const start = hashModulo(`node-port/${reference(service)}/${what}`, count);
    const isFree = (offset: number): boolean => !taken.has(key(NODE_PORTS.from + offset, protocol));
    const port = NODE_PORTS.from + (firstFree(count, start, isFree) ?? 0);
    taken.set(key(port, protocol), { who: reference(service), at: service.at });
    return port;
  };
  const nodePorts = new Map<string, (number | undefined)[]>();
  const healthCheckNodePorts = new Map<string, number>();
  for (const service of services) {
    const { type, ports, externalTrafficPolicy } = service;
    if (type !== 'NodePort' && type !== 'LoadBalancer') continue;
    const gets = type === 'NodePort' || service.allocatesNodePorts;
    nodePorts.set(
      reference(service),
      ports.map(({ name, nodePort, protocol, port }) =>
        gets ? (nodePort ?? take(service, `${name}/${port}`, protocol)) : nodePort,
      ),
    );
    if (type !== 'LoadBalancer' || externalTrafficPolicy !== 'Local') continue;
    const healthCheck = service.healthCheckNodePort ?? take(service, 'health-check', 'tcp');
    healthCheckNodePorts.set(reference(service), healthCheck);
  }
  return { nodePorts, healthCheckNodePorts };
}

function firstFree(
  count: number,
  start: number,
  isFree: (offset: number) => boolean,
): number | undefined {
  for (let step = 0; step < count; step += 1) {
    const offset = (start + step) % count;
    if (isFree(offset)) return offset;
  }
  return undefined;
}

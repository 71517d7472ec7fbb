/**
 * The ports of a Service: a number each at the Service's address, at most one node port, and whereto at the endpoints.
 *
 * @see kubernetes v1.31 pkg/apis/core/validation/validation.go ValidateService, validateServicePort
 */

import { type Diagnostics, renderSourceRef } from '../base/diagnostic.ts';
import { cidr, type Ipv4 } from '../base/ip.ts';
import type { Where } from '../source/yaml.ts';

export const SERVICE_TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

export interface ServicePortSpec {
  /** Empty for the only port of a Service, which needs none. */
  readonly name: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** A number, or the name that the pods give to the port. */
  readonly targetPort: number | string;
  readonly nodePort: number | undefined;
  readonly where: Where;
}

/** What of a Service its ports must agree with. */
interface ServiceOfPorts {
  readonly name: string;
  readonly type: ServiceType;
  readonly clusterIp: Ipv4 | 'None' | undefined;
  readonly ports: readonly ServicePortSpec[];
  readonly where: Where;
}

/** @see kube-apiserver --service-node-port-range */
export const NODE_PORTS = { from: 30_000, to: 32_767 } as const;

/** `80/tcp`, as kubectl prints it. */
function renderServicePort({ port, protocol }: Pick<ServicePortSpec, 'port' | 'protocol'>): string {
  return `${port}/${protocol.toUpperCase()}`;
}

/** What tells a port of a Service from all others. @see pkg/proxy ServicePortName.String */
export function servicePortName(namespace: string, name: string, portName: string): string {
  return `${namespace}/${name}${portName === '' ? '' : `:${portName}`}`;
}

/** False after reporting what makes the Service impossible. */
export function checkServicePorts(
  service: ServiceOfPorts,
  /** How many it has with those that were left out. */
  written: number,
  diagnostics: Diagnostics,
): boolean {
  const { name, type, ports, where } = service;
  const before = diagnostics.list.length;
  const isHeadless = service.clusterIp === 'None';
  // Of SCTP alone: a warning has been given.
  if (ports.length === 0 && written > 0) return false;
  if (ports.length === 0 && type !== 'ExternalName' && !isHeadless) {
    diagnostics.error(
      'service-without-ports',
      where.at('spec'),
      `Service "${name}" has no ports`,
      'give at least one, like "ports: [{ port: 80, targetPort: 8080 }]"',
    );
  }
  const byName = new Map<string, ServicePortSpec>();
  const byNumber = new Map<string, ServicePortSpec>();
  for (const port of ports) {
    if (port.name === '' && written > 1) {
      diagnostics.error(
        'missing-key',
        port.where.at(),
        `port ${port.port} of Service "${name}" lacks "name", and the Service has several ports`,
        'give each of them a name',
      );
    }
    const sameName = byName.get(port.name);
    const number = renderServicePort(port);
    const sameNumber = byNumber.get(number);
    if (sameName !== undefined && port.name !== '') {
      diagnostics.error(
        'port-twice',
        port.where.at('name'),
        `the port name "${port.name}" stands twice in Service "${name}", first at ${renderSourceRef(sameName.where.at('name'))}`,
        'give each port a name of its own',
      );
    }
    if (sameNumber !== undefined) {
      diagnostics.error(
        'port-twice',
        port.where.at('port'),
        `port ${number} stands twice in Service "${name}", first at ${renderSourceRef(sameNumber.where.at('port'))}`,
        'take one of them out, or give it another number',
      );
    }
    byName.set(port.name, port);
    byNumber.set(number, port);
    checkNodePort(service, port, diagnostics);
  }
  return diagnostics.list.length === before;
}

function checkNodePort(
  { name, type }: ServiceOfPorts,
  { nodePort, where }: ServicePortSpec,
  diagnostics: Diagnostics,
): void {
  if (nodePort === undefined) return;
  const at = where.at('nodePort');
  if (type !== 'NodePort' && type !== 'LoadBalancer') {
    diagnostics.error(
      'node-port',
      at,
      `Service "${name}" is of type ${type} and has a nodePort`,
      'make it "type: NodePort", or take the nodePort out',
    );
  } else if (nodePort < NODE_PORTS.from || nodePort > NODE_PORTS.to) {
    diagnostics.error(
      'node-port',
      at,
      `nodePort ${nodePort} of Service "${name}" is not in the range of node ports, ${NODE_PORTS.from} to ${NODE_PORTS.to}`,
      'take one of that range, or leave it out to have one allocated',
    );
  }
}

/** What EKS chooses from. @see https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html */
export const SERVICE_CIDRS = {
  usual: cidr('10.100.0.0/16'),
  inTen: cidr('172.20.0.0/16'),
} as const;

/**
 * How kube-proxy names the chains of a Service's port and of its endpoints.
 *
 * @see kubernetes v1.31 pkg/proxy/iptables/proxier.go portProtoHash, servicePortEndpointChainName
 */

import { sha256Base32 } from '../base/hash.ts';
import type { PortEndpoint, ServicePort } from './cluster-services.ts';

const HASH_LENGTH = 16;

type Named = Pick<ServicePort, 'fullName' | 'protocol'>;

export interface PortChains {
  /** All endpoints, with externalTrafficPolicy or internalTrafficPolicy Cluster. */
  readonly cluster: string;
  /** The endpoints on this node, with Local. */
  readonly local: string;
  /** What comes from outside: to a node port, an external address, a load balancer's. */
  readonly external: string;
  /** Whom loadBalancerSourceRanges lets in. */
  readonly firewall: string;
}

/** Every node has the same chains, and most of what it takes to plan them is these names. */
const portNames = new WeakMap<Named, PortChains>();
const endpointNames = new WeakMap<object, string>();

export function portChains(port: Named): PortChains {
  const known = portNames.get(port);
  if (known !== undefined) return known;
  const hash = sha256Base32(port.fullName + port.protocol).slice(0, HASH_LENGTH);
  const names = {
    cluster: `KUBE-SVC-${hash}`,
    local: `KUBE-SVL-${hash}`,
    external: `KUBE-EXT-${hash}`,
    firewall: `KUBE-FW-${hash}`,
  };
  portNames.set(port, names);
  return names;
}

/** An endpoint is of one port alone. */
export function endpointChain(
  { fullName, protocol }: Named,
  endpoint: Pick<PortEndpoint, 'address' | 'port'>,
): string {
  const known = endpointNames.get(endpoint);
  if (known !== undefined) return known;
  const text = `${fullName}${protocol}${endpoint.address}:${endpoint.port}`;
  const name = `KUBE-SEP-${sha256Base32(text).slice(0, HASH_LENGTH)}`;
  endpointNames.set(endpoint, name);
  return name;
}

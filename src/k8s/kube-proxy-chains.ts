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

export function portChains({ fullName, protocol }: Named): PortChains {
  const hash = sha256Base32(fullName + protocol).slice(0, HASH_LENGTH);
  return {
    cluster: `KUBE-SVC-${hash}`,
    local: `KUBE-SVL-${hash}`,
    external: `KUBE-EXT-${hash}`,
    firewall: `KUBE-FW-${hash}`,
  };
}

export function endpointChain(
  { fullName, protocol }: Named,
  { address, port }: Pick<PortEndpoint, 'address' | 'port'>,
): string {
  const hash = sha256Base32(`${fullName}${protocol}${address}:${port}`).slice(0, HASH_LENGTH);
  return `KUBE-SEP-${hash}`;
}

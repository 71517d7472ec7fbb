/**
 * What the chains and sets of NetworkPolicies are called on a node. A chain's name has at most 28 bytes, a set's 31; the
 * comments say whose they are.
 *
 * @see linux/include/uapi/linux/netfilter/x_tables.h XT_EXTENSION_MAXNAMELEN, ipset/ip_set.h IPSET_MAXNAMELEN
 */

import { sha256Base32 } from '../base/hash.ts';
import { remembering } from '../base/remember.ts';
import type { PolicyDirection } from '../k8s/network-policy.ts';

/** The chains that hold a direction's policies together, and the beginnings of each policy's own. */
export const GATE_CHAIN = { egress: 'NETPOL-EGRESS', ingress: 'NETPOL-INGRESS' } as const;
const ALLOWED = { egress: 'NETPOL-OUT', ingress: 'NETPOL-IN' } as const;
const DENIED = { egress: 'NETPOL-OUT-DENY', ingress: 'NETPOL-IN-DENY' } as const;

/** All pods of the node, each with its link. */
export const LOCAL_PODS_SET = 'NETPOL-LOCAL';

export function allowChain(reference: string, direction: PolicyDirection): string {
  return `${ALLOWED[direction]}-${digest(reference)}`;
}

export function denyChain(reference: string, direction: PolicyDirection): string {
  return `${DENIED[direction]}-${digest(reference)}`;
}

/** The pods of the node that a policy selects. */
export function selectedSet(reference: string): string {
  return `NETPOL-PODS-${digest(reference)}`;
}

/** `place` says which of a policy's peers or ports: `ingress 1 peer 2`. */
export function peerSet(reference: string, place: string): string {
  return `NETPOL-PEER-${digest(`${reference} ${place}`)}`;
}

export function portSet(reference: string, place: string): string {
  return `NETPOL-PORT-${digest(`${reference} ${place}`)}`;
}

/** Of each policy's name and places, which every node has again. */
const digest = remembering((text: string) => sha256Base32(text).slice(0, 11));

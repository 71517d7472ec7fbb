/** A NetworkPolicy's rules in words: for comments of rules in the kernel, for judgements and for tables. */

import type { NetworkPolicySpec, PolicyPeer, PolicyRule } from './network-policy.ts';
import type { PolicyPort } from './network-policy-port.ts';
import { isEmptySelector, type LabelSelector, renderSelector } from './selector.ts';

export function describePeers({ peers }: PolicyRule, policy: NetworkPolicySpec): string {
  if (peers === undefined) return 'everybody';
  return peers.map((peer) => describePeer(peer, policy)).join(' or ') || 'nobody';
}

/** `pods app=web of shop`, `all pods of namespaces team=a`, `10.0.0.0/16 but 10.0.3.0/24`. */
export function describePeer(peer: PolicyPeer, { namespace }: NetworkPolicySpec): string {
  if (peer.kind === 'block') {
    return `${peer.cidr}${peer.except.length === 0 ? '' : ` but ${peer.except.join(', ')}`}`;
  }
  const pods = describeSelected(peer.pods, 'pods');
  const { namespaces } = peer;
  if (namespaces === undefined) return `${pods} of ${namespace}`;
  return `${pods} of ${describeSelected(namespaces, 'namespaces')}`;
}

export function describeSelected(selector: LabelSelector | undefined, noun: string): string {
  return selector === undefined || isEmptySelector(selector)
    ? `all ${noun}`
    : `${noun} ${renderSelector(selector)}`;
}

export function describePorts({ ports }: PolicyRule): string {
  if (ports === undefined) return 'everything';
  return ports.map(describePort).join(', ') || 'nothing';
}

/** `tcp 8080`, `udp 5000-5010`, `tcp http`, `tcp`. */
export function describePort({ protocol, port }: PolicyPort): string {
  if (port === undefined) return protocol;
  if (port.kind === 'name') return `${protocol} ${port.name}`;
  const { from, to } = port;
  return `${protocol} ${from === to ? from : `${from}-${to}`}`;
}

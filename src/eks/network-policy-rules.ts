/**
 * One NetworkPolicy on one node: the chain of what it allows in a direction, a rule for each peer and port, and the sets
 * that these look up. An address that comes or goes is a member of a set, and no rule.
 */

import type { Cidr } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import type { NetworkPolicySpec, PolicyDirection } from '../k8s/network-policy.ts';
import {
  type MatchedPeer,
  type MatchedRule,
  type NetworkPolicy,
  portsNamed,
} from '../k8s/network-policy-match.ts';
import type { PolicyPort } from '../k8s/network-policy-port.ts';
import { describePeer, describePort } from '../k8s/network-policy-words.ts';
import { podReference } from '../k8s/pod.ts';
import type { IpSet } from '../kernel/state.ts';
import { peerSet, portSet } from './network-policy-names.ts';
import type { Pod } from './vpc-cni.ts';

/**
 * Set on a packet that a policy has allowed, until the next gate. kube-proxy has bits 14 and 15 (0x4000, 0x8000), the VPC
 * CNI bit 7 (0x80): each looks at its own alone.
 */
export const ALLOWED_MARK = '0x10000/0x10000';

/** The kernel's limit is 255 bytes. @see linux/include/uapi/linux/netfilter/xt_comment.h XT_MAX_COMMENT_LEN */
const MAX_COMMENT_BYTES = 255;

export function comment(text: string): string {
  return `-m comment --comment "${text.slice(0, MAX_COMMENT_BYTES)}"`;
}

interface Direction {
  readonly direction: PolicyDirection;
  /** The side of the packet that the peer is on, as the option of iptables and as the word of a set's match. */
  readonly option: '-s' | '-d';
  readonly side: 'src' | 'dst';
}

const SIDES = { ingress: ['-s', 'src'], egress: ['-d', 'dst'] } as const;

/** What a policy allows in a direction: the rules of its chain, and the sets that they name. */
export function allowRules(
  netns: NetnsName,
  node: string,
  policy: NetworkPolicy<Pod>,
  direction: PolicyDirection,
  allPods: readonly Pod[],
): { readonly rules: string[]; readonly sets: IpSet[] } {
  const { spec } = policy;
  const [option, side] = SIDES[direction];
  const here = { direction, option, side };
  const rules: string[] = [];
  const sets: IpSet[] = [];
  for (const [index, rule] of (policy[direction] ?? []).entries()) {
    const place = `${direction} ${index + 1}`;
    const ports: readonly (PolicyPort | undefined)[] = rule.spec.ports ?? [undefined];
    const targets = policy.selected.filter((pod) => pod.node === node);
    for (const [peerIndex, peer] of peersOf(rule).entries()) {
      const peerPlace = `${place} peer ${peerIndex + 1}`;
      const match = matchPeer(netns, spec, peer, peerPlace, here);
      let usesPeer = false;
      for (const [portIndex, port] of ports.entries()) {
        const said = comment(sentence(spec, place, peer, port));
        if (port?.port?.kind !== 'name') {
          usesPeer = true;
          rules.push(words(match.address, portMatch(port, match.set), said, MARK_ALLOWED));
          continue;
        }
        // A name is what the destination calls it: a pod that is selected, or each that is a peer.
        const of = direction === 'ingress' ? targets : (peer?.pods ?? allPods);
        const name = portSet(spec.reference, `${peerPlace} port ${portIndex + 1}`);
        sets.push({
          kind: 'ipset',
          netns,
          set: name,
          type: 'hash:ip,port',
          members: namedPorts(of, port, port.port.name),
        });
        const atPort = `-m set --match-set ${name} dst,dst`;
        if (direction === 'egress') rules.push(words(atPort, said, MARK_ALLOWED));
        else {
          usesPeer = true;
          rules.push(words(match.address, match.set, atPort, said, MARK_ALLOWED));
        }
      }
      if (usesPeer) sets.push(...match.sets);
    }
  }
  return { rules, sets };
}

const MARK_ALLOWED = `-j MARK --set-xmark ${ALLOWED_MARK}`;

/** Everybody is one peer, who is not named. */
function peersOf({ peers }: MatchedRule<Pod>): readonly (MatchedPeer<Pod> | undefined)[] {
  return peers ?? [undefined];
}

function sentence(
  policy: NetworkPolicySpec,
  place: string,
  peer: MatchedPeer<Pod> | undefined,
  port: PolicyPort | undefined,
): string {
  const whom = peer === undefined ? 'everybody' : describePeer(peer.spec, policy);
  const what = port === undefined ? 'everything' : describePort(port);
  return `${policy.reference} ${place}: ${whom}, ${what}`;
}

function matchPeer(
  netns: NetnsName,
  { reference }: NetworkPolicySpec,
  peer: MatchedPeer<Pod> | undefined,
  place: string,
  { option, side }: Direction,
): { readonly address: string; readonly set: string; readonly sets: readonly IpSet[] } {
  const nothing = { address: '', set: '', sets: [] };
  if (peer === undefined) return nothing;
  const { spec } = peer;
  if (spec.kind === 'block' && spec.except.length === 0) {
    return { ...nothing, address: spec.cidr === EVERYWHERE ? '' : `${option} ${spec.cidr}` };
  }
  const set = peerSet(reference, place);
  const type = spec.kind === 'block' ? 'hash:net' : 'hash:ip';
  return {
    address: '',
    set: `-m set --match-set ${set} ${side}`,
    sets: [{ kind: 'ipset', netns, set, type, members: membersOf(peer) }],
  };
}

/** The same on every node. */
const MEMBERS = new WeakMap<MatchedPeer<Pod>, readonly string[]>();

function membersOf(peer: MatchedPeer<Pod>): readonly string[] {
  const { spec, pods } = peer;
  const members =
    MEMBERS.get(peer) ??
    (spec.kind === 'block' ? netMembers(spec.cidr, spec.except) : addresses(pods)).sort();
  MEMBERS.set(peer, members);
  return members;
}

const EVERYWHERE = '0.0.0.0/0';

/** A set has no entry for everywhere: two halves are as much. */
function nets(block: Cidr): string[] {
  if (block === EVERYWHERE) return ['0.0.0.0/1', '128.0.0.0/1'];
  // `ipset save` leaves the length of a single address away.
  return [block.replace(/\/32$/, '')];
}

/** Of what is in a set and left out, the smaller block decides; a half that is left out as a whole is not in it. */
function netMembers(block: Cidr, except: readonly Cidr[]): string[] {
  const left = new Set(except.flatMap(nets));
  return [
    ...nets(block).filter((net) => !left.has(net)),
    ...[...left].map((net) => `${net} nomatch`),
  ];
}

/** Several pods on one node's network have one address. */
function addresses(pods: readonly Pod[]): string[] {
  const names = new Map<string, string[]>();
  for (const { address, spec } of pods) {
    const list = names.get(address) ?? [];
    list.push(podReference(spec.namespace, spec.name));
    names.set(address, list);
  }
  return [...names].map(([address, list]) => `${address} ${memberComment(list.join(' '))}`);
}

function namedPorts(pods: readonly Pod[], port: PolicyPort, name: string): string[] {
  const members = new Map<string, string>();
  for (const pod of pods) {
    const { address, spec } = pod;
    const said = memberComment(podReference(spec.namespace, spec.name));
    for (const number of portsNamed(pod, port, name)) {
      members.set(`${address},${port.protocol}:${number}`, said);
    }
  }
  return [...members].map(([element, said]) => `${element} ${said}`).sort();
}

export function memberComment(text: string): string {
  return `comment "${text.slice(0, MAX_COMMENT_BYTES)}"`;
}

/** The protocol stands before the peer's set, and the port behind it, as iptables-save prints them. */
function portMatch(port: PolicyPort | undefined, set: string): string {
  if (port === undefined) return set;
  const { protocol } = port;
  if (port.port?.kind !== 'range') return words(`-p ${protocol}`, set);
  const { from, to } = port.port;
  const dport = from === to ? String(from) : `${from}:${to}`;
  return words(`-p ${protocol}`, set, `-m ${protocol} --dport ${dport}`);
}

function words(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}

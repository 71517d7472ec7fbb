/**
 * Network Load Balancer: one node in each of its zones, which hands connections on without taking them apart.
 *
 * Kernel: a netns for each node (`nlb-<name>-<zone>`) with an ENI in a subnet of that zone. A hash of the first packet's
 * addresses, ports and TCP sequence number names one of 60 slots or more, and a map of nftables says which target has the slot:
 * conntrack then keeps the connection with it. Who is well is found out by health checks from each node (nlb-health.ts), and
 * a program keeps the maps (host/nlb-targets.pl).
 *
 * Packet's story (client address preserved): client -> node's ENI, destination becomes the target's -> VPC -> target, which
 * sees the client -> its answer, addressed to the client, is handed to the node by the VPC (nlb-return.ts) -> source becomes
 * the node's again -> client. Without preservation the node is the source, and the answer needs no help.
 *
 * @fidelity same - flow hash, client address by target type, zones, fail-open, idle time-outs with RST, no answer where
 *   nobody listens, static addresses, proxy protocol; simplified - TLS listeners are not built; with proxy protocol the
 *   target sees the node's address, whatever is preserved
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/network/introduction.html
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html "Client IP preservation"
 */

import { because } from '../base/because.ts';
import type { SourceRef } from '../base/diagnostic.ts';
import { sha256Hex } from '../base/hash.ts';
import type { Ipv4 } from '../base/ip.ts';
import { Fragment } from '../kernel/fragment.ts';
import type { NameRecord } from '../kernel/name-server.ts';
import { hostNetns } from '../kernel/netns.ts';
import { nftTable } from '../kernel/nft.ts';
import { routerSysctls, sysctl } from '../kernel/sysctl.ts';
import type { LoadBalancer, LoadBalancerNode } from './application-load-balancer.ts';
import { type NetworkInterface, planPrimaryLink } from './network-interface.ts';
import type { HealthCheck, Target } from './target-group.ts';
import { ALIAS_TTL_SECONDS, type AliasTarget } from './zone-record.ts';

export interface NlbTarget extends Target {
  /** Undefined: outside of every zone, as an endpoint that somebody wrote by hand. */
  readonly az: string | undefined;
}

export interface NlbHealthCheck extends Pick<
  HealthCheck,
  | 'path'
  | 'port'
  | 'intervalSeconds'
  | 'timeoutSeconds'
  | 'healthyThreshold'
  | 'unhealthyThreshold'
  | 'successCodes'
> {
  readonly protocol: 'TCP' | 'HTTP' | 'HTTPS';
}

export interface NlbTargetGroup {
  readonly name: string;
  readonly targetType: 'ip' | 'instance';
  /** The target sees the client's address, else the node's. */
  readonly preservesClient: boolean;
  /** A header of proxy protocol v2 comes first; then a proxy stands in the node. */
  readonly proxyProtocol: boolean;
  /** All of a client's connections go to one target. */
  readonly isSticky: boolean;
  readonly healthCheck: NlbHealthCheck;
  readonly targets: readonly NlbTarget[];
}

export interface NlbListener {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly targetGroup: NlbTargetGroup;
}

export interface NetworkLoadBalancer {
  readonly name: string;
  readonly dnsName: string;
  readonly scheme: LoadBalancer['scheme'];
  /** Off, a node uses the targets of its own zone. */
  readonly crossZone: boolean;
  readonly nodes: readonly LoadBalancerNode[];
  readonly listeners: readonly NlbListener[];
  readonly idleTimeoutSeconds: number;
  /** The Service that it is for. */
  readonly service: string;
  readonly at: SourceRef;
}

/** @see network-load-balancers.html "Connection idle timeout"; TCP's may be set, UDP's is fixed */
export const TCP_IDLE_SECONDS = 350;
const UDP_IDLE_SECONDS = 120;

/** Divisible by every number of targets up to six; of more targets none has less than six. */
export function slotsOf({ targets }: Pick<NlbTargetGroup, 'targets'>): number {
  return 60 * Math.max(1, Math.ceil(targets.length / 10));
}

/** @see network-load-balancers.html "DNS name": NAME-ID.elb.REGION.amazonaws.com, whatever the scheme */
export function nlbDnsName(name: string): string {
  return `${name}-${sha256Hex(`nlb/${name}`).slice(0, 16)}.elb.us-east-1.amazonaws.com`;
}

/** One address for each zone, and a name of its own for each. */
export function nlbRecords({ dnsName, nodes }: NetworkLoadBalancer): NameRecord[] {
  return nodes.flatMap(({ az, netns, eni }) => {
    const address = answerOf(eni);
    return [
      { name: dnsName, address, ttlSeconds: ALIAS_TTL_SECONDS, node: netns },
      { name: `${az}.${dnsName}`, address, ttlSeconds: ALIAS_TTL_SECONDS },
    ];
  });
}

/** What an alias record of Route 53 may lead to. */
export function nlbAliasTarget({ name, dnsName, nodes }: NetworkLoadBalancer): AliasTarget {
  return {
    reference: `nlb/${name}`,
    dnsName,
    addresses: nodes.map(({ eni }) => answerOf(eni)),
    nodes: nodes.map(({ netns }) => netns),
  };
}

function answerOf(eni: NetworkInterface): Ipv4 {
  const { address, elastic } = eni.addresses[0];
  return elastic ?? address;
}

/** The targets that a node may use. */
export function usableTargets(
  { crossZone }: Pick<NetworkLoadBalancer, 'crossZone'>,
  { az }: Pick<LoadBalancerNode, 'az'>,
  { targets }: Pick<NlbTargetGroup, 'targets'>,
): readonly NlbTarget[] {
  return crossZone ? targets : targets.filter((one) => one.az === undefined || one.az === az);
}

/** The map of a listener's slots, in the table of the node. */
const NLB_TABLE = { family: 'ip', table: 'nlb' } as const;

export function slotMap({ protocol, port }: NlbListener): string {
  return `${protocol}-${port}`;
}

export function planNetworkLoadBalancer(balancer: NetworkLoadBalancer): Fragment {
  const fragment = new Fragment();
  for (const { netns, eni } of balancer.nodes) {
    const why = because('network-load-balancer', eni.thing, balancer.at);
    const { address } = eni.addresses[0];
    const { table, set, chain } = nftTable(netns, NLB_TABLE);
    const inKernel = balancer.listeners.filter(({ targetGroup }) => !targetGroup.proxyProtocol);
    const proxied = balancer.listeners.filter(({ targetGroup }) => targetGroup.proxyProtocol);
    fragment
      .add(
        why,
        ...hostNetns(netns),
        ...routerSysctls(netns, [eni.link]),
        // What was forgotten is not picked up in its middle: it is answered with RST.
        sysctl(netns, 'net/netfilter/nf_conntrack_tcp_loose', 0),
        sysctl(netns, 'net/netfilter/nf_conntrack_tcp_be_liberal', 1),
        sysctl(
          netns,
          'net/netfilter/nf_conntrack_tcp_timeout_established',
          balancer.idleTimeoutSeconds,
        ),
        sysctl(netns, 'net/netfilter/nf_conntrack_udp_timeout', UDP_IDLE_SECONDS),
        sysctl(netns, 'net/netfilter/nf_conntrack_udp_timeout_stream', UDP_IDLE_SECONDS),
      )
      .addAll(planPrimaryLink(eni, why))
      .add(
        why,
        table,
        ...inKernel.map((listener) =>
          // Its elements come and go with the targets' health.
          set(
            'map',
            slotMap(listener),
            'type mark : ipv4_addr . inet_service; size 65535; flags dynamic;',
          ),
        ),
        chain(
          'prerouting',
          inKernel.flatMap((listener) => spread(address, listener)),
          'type nat hook prerouting priority -100; policy accept;',
        ),
        chain(
          'postrouting',
          inKernel.some(({ targetGroup }) => !targetGroup.preservesClient)
            ? [`ct mark ${AS_ITSELF} snat to ${address}`]
            : [],
          'type nat hook postrouting priority 100; policy accept;',
        ),
        chain(
          'forward',
          [
            'ct state established,related accept',
            'ct status dnat accept',
            'ct state invalid meta l4proto tcp counter reject with tcp reset',
          ],
          'type filter hook forward priority 0; policy drop;',
        ),
        // No ping, no refusal where no listener is; data of a connection that nobody knows is answered with RST.
        chain(
          'input',
          [
            'iif "lo" accept',
            'ct state established,related accept',
            ...proxied.map(({ port }) => `tcp dport ${port} ct state new accept`),
            ...balancer.listeners.flatMap(({ protocol, port }) =>
              protocol === 'tcp'
                ? `tcp dport ${port} ct state invalid counter reject with tcp reset`
                : [],
            ),
          ],
          'type filter hook input priority 0; policy drop;',
        ),
      );
  }
  return fragment;
}

/** The flow hash, and the target that has the slot. */
function spread(address: Ipv4, listener: NlbListener): string[] {
  const { protocol, port, targetGroup } = listener;
  const flow = `ip saddr . ${protocol} sport . ip daddr . ${protocol} dport`;
  const key = targetGroup.isSticky
    ? 'ip saddr'
    : // A UDP flow has no sequence number: what bears the same ports goes the same way.
      `${flow}${protocol === 'tcp' ? ' . tcp sequence' : ''}`;
  const here = `ip daddr ${address} ${protocol} dport ${port}`;
  return [
    `${here} meta mark set jhash ${key} mod ${slotsOf(targetGroup)} seed ${SEED}`,
    ...(targetGroup.preservesClient ? [] : [`${here} ct mark set ${AS_ITSELF}`]),
    `${here} dnat ip to meta mark map @${slotMap(listener)}`,
  ];
}

/** Marks a connection whose source the node's own address becomes. */
const AS_ITSELF = 1;
/** Any number but 0, which would be another one each time. @see nft(8) HASH EXPRESSIONS */
const SEED = 20_177;

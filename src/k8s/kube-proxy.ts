/**
 * kube-proxy in iptables mode: how a node turns what is sent to a Service to one of its endpoints.
 *
 * Kernel: on each node chains in nat (who gets the connection) and filter (who is refused or ignored), beside the empty
 * chains by which kube-proxy and the kubelet notice that somebody flushed the tables. A packet that must come back this
 * way is marked 0x4000 and bears the node's address when it leaves (KUBE-POSTROUTING).
 *
 * Packet's story: PREROUTING (or OUTPUT) -> KUBE-SERVICES -> KUBE-SVC-… -> KUBE-SEP-… -> DNAT, once for a connection;
 * conntrack does the same to all that follows, and the reverse to the answers.
 *
 * @fidelity same - chains, text and order in the configuration that EKS uses (no clusterCIDR, masqueradeBit 14, node ports
 *   at all addresses and at localhost); simplified - Services stand in the order of their names where kube-proxy has none;
 *   without the nfacct counters of 1.31, which most kernels lack
 * @see kubernetes v1.31 pkg/proxy/iptables/proxier.go; EKS: aws/containers-roadmap#142, aws/amazon-vpc-cni-k8s#1509
 */

import { because, type Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment, IPTABLES_ORDER } from '../kernel/fragment.ts';
import type { IptablesTable } from '../kernel/state.ts';
import { sysctl } from '../kernel/sysctl.ts';
import type { Service } from './cluster-services.ts';
import { categorize } from './kube-proxy-endpoints.ts';
import { portRules, type ProxyNode, type SharedRule } from './kube-proxy-service.ts';

/** Bit 14 (`masqueradeBit`). */
const MASQUERADE_MARK = '0x4000';

/** @see proxier.go largeClusterEndpointsThreshold */
const LARGE_CLUSTER_ENDPOINTS = 1000;

/** Seconds. @see EKS's kube-proxy-config: tcpEstablishedTimeout 24h0m0s, tcpCloseWaitTimeout 1h0m0s */
const TCP_TIMEOUTS = { established: 86_400, close_wait: 3600 } as const;

/** The jumps from the kernel's own chains, in the order in which they stand there. */
const JUMPS: readonly (readonly [table: IptablesTable, chain: string, jumps: readonly string[]])[] =
  [
    [
      'filter',
      'INPUT',
      [
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        '-m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS',
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
        // The kubelet's, which was there before.
        '-j KUBE-FIREWALL',
      ],
    ],
    [
      'filter',
      'FORWARD',
      [
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        '-m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
      ],
    ],
    [
      'filter',
      'OUTPUT',
      [
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        '-m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-j KUBE-FIREWALL',
      ],
    ],
    ['nat', 'PREROUTING', ['-m comment --comment "kubernetes service portals" -j KUBE-SERVICES']],
    ['nat', 'OUTPUT', ['-m comment --comment "kubernetes service portals" -j KUBE-SERVICES']],
    [
      'nat',
      'POSTROUTING',
      ['-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING'],
    ],
  ];

/** Chains whose rules are the same on every node. */
const FIXED: readonly (readonly [table: IptablesTable, chain: string, rules: readonly string[]])[] =
  [
    ['mangle', 'KUBE-IPTABLES-HINT', []],
    ['mangle', 'KUBE-KUBELET-CANARY', []],
    ['mangle', 'KUBE-PROXY-CANARY', []],
    ['nat', 'KUBE-KUBELET-CANARY', []],
    ['nat', 'KUBE-PROXY-CANARY', []],
    ['nat', 'KUBE-MARK-MASQ', [`-j MARK --set-xmark ${MASQUERADE_MARK}/${MASQUERADE_MARK}`]],
    [
      'nat',
      'KUBE-POSTROUTING',
      [
        `-m mark ! --mark ${MASQUERADE_MARK}/${MASQUERADE_MARK} -j RETURN`,
        // So that it is not translated a second time.
        `-j MARK --set-xmark ${MASQUERADE_MARK}/0x0`,
        '-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
      ],
    ],
    ['filter', 'KUBE-KUBELET-CANARY', []],
    ['filter', 'KUBE-PROXY-CANARY', []],
    [
      'filter',
      'KUBE-FIREWALL',
      [
        '! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
      ],
    ],
    [
      'filter',
      'KUBE-FORWARD',
      [
        '-m conntrack --ctstate INVALID -j DROP',
        `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${MASQUERADE_MARK}/${MASQUERADE_MARK} -j ACCEPT`,
        '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      ],
    ],
  ];

const SHARED_CHAINS: readonly (readonly [SharedRule['table'], SharedRule['chain']])[] = [
  ['filter', 'KUBE-EXTERNAL-SERVICES'],
  ['filter', 'KUBE-NODEPORTS'],
  ['filter', 'KUBE-PROXY-FIREWALL'],
  ['filter', 'KUBE-SERVICES'],
  ['nat', 'KUBE-NODEPORTS'],
  ['nat', 'KUBE-SERVICES'],
];

/** Whatever is for the node itself, and was for no Service's own address. */
const NODE_PORTS_LAST =
  '-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS';

export interface KubeProxyNode extends Omit<ProxyNode, 'isLargeCluster'> {
  readonly netns: NetnsName;
}

/** kube-proxy of one node; `why` is the node's own. */
export function planKubeProxy(
  node: KubeProxyNode,
  services: readonly Service[],
  why: Because,
): Fragment {
  const { netns } = node;
  const fragment = new Fragment().add(
    why,
    // For localhost:nodePort (--iptables-localhost-nodeports, which is the default).
    sysctl(netns, 'net/ipv4/conf/all/route_localnet', 1),
    ...Object.entries(TCP_TIMEOUTS).map(([state, seconds]) => ({
      ...sysctl(netns, `net/netfilter/nf_conntrack_tcp_timeout_${state}`, seconds),
      ifThere: true,
    })),
  );
  for (const [table, chain, jumps] of JUMPS) {
    for (const rule of jumps) {
      const order = IPTABLES_ORDER.kubeProxy;
      fragment.add(why, { kind: 'iptables-rule', netns, table, chain, order, rule });
    }
  }
  for (const [table, chain, rules] of FIXED) {
    fragment.add(why, { kind: 'iptables-chain', netns, table, chain, rules });
  }

  const endpoints = services.flatMap(({ ports }) => ports.flatMap((port) => port.endpoints));
  const isLargeCluster = endpoints.length > LARGE_CLUSTER_ENDPOINTS;
  const shared: SharedRule[] = [];
  for (const service of services) {
    const serviceWhy = because('kube-proxy', service.reference, service.at);
    for (const port of service.ports) {
      const rules = portRules(service, port, { ...node, isLargeCluster });
      shared.push(...rules.shared);
      for (const { chain, rules: own } of rules.chains) {
        fragment.add(serviceWhy, {
          kind: 'iptables-chain',
          netns,
          table: 'nat',
          chain,
          rules: own,
        });
      }
    }
    fragment
      .addAll(planHealthCheck(service, node, serviceWhy))
      .addAll(planUdpFlows(service, node, serviceWhy));
  }
  for (const [table, chain] of SHARED_CHAINS) {
    const rules = shared.flatMap((one) =>
      one.table === table && one.chain === chain ? [one.rule] : [],
    );
    if (table === 'nat' && chain === 'KUBE-SERVICES') rules.push(NODE_PORTS_LAST);
    fragment.add(why, { kind: 'iptables-chain', netns, table, chain, rules });
  }
  return fragment;
}

/** @see pkg/proxy/healthcheck/service_health.go: any path, and only endpoints that are ready count, by address */
function planHealthCheck(service: Service, node: KubeProxyNode, why: Because): Fragment {
  const { healthCheckNodePort: port, namespace, name } = service;
  const fragment = new Fragment();
  if (port === undefined) return fragment;
  const here = service.ports.flatMap(({ endpoints }) =>
    endpoints.filter((one) => one.node === node.name && one.ready).map(({ address }) => address),
  );
  const localEndpoints = new Set(here).size;
  return fragment.add(why, {
    kind: 'served-port',
    netns: node.netns,
    protocol: 'tcp',
    port,
    http: true,
    identity: {},
    behaviour: {},
    pages: [
      {
        status: localEndpoints > 0 ? 200 : 503,
        contentType: 'application/json',
        body: JSON.stringify({
          service: { namespace, name },
          localEndpoints,
          serviceProxyHealthy: true,
        }),
        headers: { 'X-Load-Balancing-Endpoint-Weight': String(localEndpoints) },
      },
    ],
  });
}

/** So that datagrams of an old flow do not go on to an endpoint that is gone. @see pkg/proxy/conntrack/cleanup.go */
function planUdpFlows(service: Service, node: KubeProxyNode, why: Because): Fragment {
  const fragment = new Fragment();
  const { clusterIp } = service;
  if (clusterIp === undefined || clusterIp === 'None') return fragment;
  for (const port of service.ports) {
    if (port.protocol !== 'udp') continue;
    const { all } = categorize(service, port, { name: node.name, zone: node.zone });
    const endpoints = all.map(({ address, port: to }) => `${address}:${to}`);
    const flow = { kind: 'udp-flow', netns: node.netns, endpoints } as const;
    for (const address of [clusterIp, ...service.externalIps, ...service.loadBalancerIps]) {
      fragment.add(why, { ...flow, address, port: port.port });
    }
    if (port.nodePort !== undefined) fragment.add(why, { ...flow, port: port.nodePort });
  }
  return fragment;
}

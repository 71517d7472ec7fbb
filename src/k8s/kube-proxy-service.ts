/**
 * What kube-proxy writes for one port of a Service: the rules that lead to it from the chains that all Services share, and
 * the chains of its own.
 *
 *     KUBE-SERVICES -> KUBE-SVC (or -SVL)                        at the ClusterIP
 *     KUBE-SERVICES -> KUBE-NODEPORTS -> KUBE-EXT -> KUBE-SVC    at a node port; marked for SNAT, or kept on the node (-SVL)
 *     KUBE-SVC      -> KUBE-SEP -> DNAT                          one of the endpoints, each as likely
 *
 * @fidelity same - the text as iptables-save prints it, in EKS's configuration: no detection of local traffic, so that no
 *   rule masquerades what comes to a ClusterIP from outside the cluster
 * @see kubernetes v1.31 pkg/proxy/iptables/proxier.go syncProxyRules
 */

import { type Cidr, contains, type Ipv4 } from '../base/ip.ts';
import type { PortEndpoint, Service, ServicePort } from './cluster-services.ts';
import { endpointChain, portChains } from './kube-proxy-chains.ts';
import { categorize, isExternallyAccessible, type NodeOfProxy } from './kube-proxy-endpoints.ts';

/** A rule of one of the chains that all Services share. */
export interface SharedRule {
  readonly table: 'nat' | 'filter';
  readonly chain:
    'KUBE-SERVICES' | 'KUBE-NODEPORTS' | 'KUBE-EXTERNAL-SERVICES' | 'KUBE-PROXY-FIREWALL';
  readonly rule: string;
}

/** A chain of the port's own, in nat. */
export interface OwnChain {
  readonly chain: string;
  readonly rules: readonly string[];
}

export interface PortRules {
  readonly shared: readonly SharedRule[];
  readonly chains: readonly OwnChain[];
}

export interface ProxyNode extends NodeOfProxy {
  readonly address: Ipv4;
  /** Above a thousand endpoints kube-proxy leaves most comments out. */
  readonly isLargeCluster: boolean;
}

const MARK = '-j KUBE-MARK-MASQ';
const REJECT = '-j REJECT --reject-with icmp-port-unreachable';
const DROP = '-j DROP';

function comment(text: string): string {
  return `-m comment --comment "${text}"`;
}

export function portRules(service: Service, port: ServicePort, node: ProxyNode): PortRules {
  const { clusterIp } = service;
  if (clusterIp === undefined || clusterIp === 'None') return { shared: [], chains: [] };
  const { fullName: name, protocol } = port;
  const { cluster, local, all, hasAny } = categorize(service, port, node);
  const names = portChains(port);
  const isInternalLocal = service.internalTrafficPolicy === 'Local';
  const isExternalLocal = service.externalTrafficPolicy === 'Local';
  const hasInternal = hasAny && (!isInternalLocal || local.length > 0);
  const hasExternal = hasAny && (!isExternalLocal || local.length > 0);
  const usesExternal = hasAny && isExternallyAccessible(service, port);
  const usesFirewall =
    hasAny && service.loadBalancerIps.length > 0 && service.loadBalancerSourceRanges.length > 0;
  const reason = hasAny ? 'has no local endpoints' : 'has no endpoints';
  const refusal = hasAny ? DROP : REJECT;

  const shared: SharedRule[] = [];
  const nat = (chain: SharedRule['chain'], rule: string): void => {
    shared.push({ table: 'nat', chain, rule });
  };
  const filter = (chain: SharedRule['chain'], rule: string): void => {
    shared.push({ table: 'filter', chain, rule });
  };
  const at = (address: Ipv4, text: string): string =>
    `-d ${address}/32 -p ${protocol} ${comment(text)} -m ${protocol} --dport ${port.port}`;

  if (hasInternal) {
    const chain = isInternalLocal ? names.local : names.cluster;
    nat('KUBE-SERVICES', `${at(clusterIp, `${name} cluster IP`)} -j ${chain}`);
  } else filter('KUBE-SERVICES', `${at(clusterIp, `${name} ${reason}`)} ${refusal}`);
  for (const address of service.externalIps) {
    if (hasAny) nat('KUBE-SERVICES', `${at(address, `${name} external IP`)} -j ${names.external}`);
    if (!hasExternal)
      filter('KUBE-EXTERNAL-SERVICES', `${at(address, `${name} ${reason}`)} ${refusal}`);
  }
  for (const address of service.loadBalancerIps) {
    const chain = usesFirewall ? names.firewall : names.external;
    if (hasAny) nat('KUBE-SERVICES', `${at(address, `${name} loadbalancer IP`)} -j ${chain}`);
    if (usesFirewall) {
      const text = `${name} traffic not accepted by ${names.firewall}`;
      filter('KUBE-PROXY-FIREWALL', `${at(address, text)} ${DROP}`);
    }
    if (!hasExternal)
      filter('KUBE-EXTERNAL-SERVICES', `${at(address, `${name} ${reason}`)} ${refusal}`);
  }
  if (port.nodePort !== undefined) {
    const dport = `-m ${protocol} --dport ${port.nodePort}`;
    if (hasAny)
      nat('KUBE-NODEPORTS', `-p ${protocol} ${comment(name)} ${dport} -j ${names.external}`);
    if (!hasExternal) {
      filter(
        'KUBE-EXTERNAL-SERVICES',
        `-p ${protocol} ${comment(`${name} ${reason}`)} -m addrtype --dst-type LOCAL ${dport} ${refusal}`,
      );
    }
  }
  if (service.healthCheckNodePort !== undefined) {
    filter(
      'KUBE-NODEPORTS',
      `-p tcp ${comment(`${name} health check node port`)} -m tcp --dport ${service.healthCheckNodePort} -j ACCEPT`,
    );
  }

  const chains: OwnChain[] = [];
  if (usesExternal) {
    const rules = isExternalLocal
      ? [
          `${comment(`masquerade LOCAL traffic for ${name} external destinations`)} -m addrtype --src-type LOCAL ${MARK}`,
          `${comment(`route LOCAL traffic for ${name} external destinations`)} -m addrtype --src-type LOCAL -j ${names.cluster}`,
        ]
      : [`${comment(`masquerade traffic for ${name} external destinations`)} ${MARK}`];
    const rest = isExternalLocal ? names.local : names.cluster;
    chains.push({ chain: names.external, rules: hasExternal ? [...rules, `-j ${rest}`] : rules });
  }
  if (usesFirewall)
    chains.push({ chain: names.firewall, rules: firewall(service, name, names, node.address) });
  const balance = (chain: string, endpoints: readonly PortEndpoint[]): void => {
    if (endpoints.length > 0)
      chains.push({ chain, rules: balancing(service, port, endpoints, node) });
  };
  balance(names.cluster, cluster);
  balance(names.local, local);
  for (const endpoint of all) chains.push(endpointRules(service, port, endpoint, node));
  return { shared, chains };
}

function firewall(
  { loadBalancerSourceRanges, loadBalancerIps }: Service,
  name: string,
  names: { readonly external: string },
  nodeAddress: Ipv4,
): string[] {
  const from = (source: Cidr | string): string =>
    `-s ${source} ${comment(`${name} loadbalancer IP`)} -j ${names.external}`;
  const isNodeIn = loadBalancerSourceRanges.some((block) => contains(block, nodeAddress));
  return [
    ...loadBalancerSourceRanges.map((block) =>
      block === '0.0.0.0/0' ? from(block).replace('-s 0.0.0.0/0 ', '') : from(block),
    ),
    // What the node itself sends to the address has that address as its source, on some platforms.
    ...(isNodeIn ? loadBalancerIps.map((address) => from(`${address}/32`)) : []),
    comment(`other traffic to ${name} will be dropped by KUBE-PROXY-FIREWALL`),
  ];
}

/** First who has been here before, then one of all. */
function balancing(
  { affinitySeconds }: Service,
  port: ServicePort,
  endpoints: readonly PortEndpoint[],
  { isLargeCluster }: ProxyNode,
): string[] {
  const rule = (endpoint: PortEndpoint, match: string): string => {
    const text = comment(`${port.fullName} -> ${endpoint.address}:${endpoint.port}`);
    const words = [isLargeCluster ? '' : text, match, `-j ${endpointChain(port, endpoint)}`];
    return words.filter((word) => word !== '').join(' ');
  };
  const remembered =
    affinitySeconds === undefined
      ? []
      : endpoints.map((endpoint) =>
          rule(
            endpoint,
            `-m recent --rcheck --seconds ${affinitySeconds} --reap --name ${endpointChain(port, endpoint)} ${RECENT_SOURCE}`,
          ),
        );
  const chosen = endpoints.map((endpoint, index) => {
    const left = endpoints.length - index;
    const match = left === 1 ? '' : `-m statistic --mode random --probability ${probability(left)}`;
    return rule(endpoint, match);
  });
  return [...remembered, ...chosen];
}

const RECENT_SOURCE = '--mask 255.255.255.255 --rsource';

/** One of so many: ten digits to iptables-restore, which the kernel keeps in 31 bits and shows with eleven. */
export function probability(left: number): string {
  const written = Number((1 / left).toFixed(10));
  return (Math.round(written * 2 ** 31) / 2 ** 31).toFixed(11);
}

function endpointRules(
  { affinitySeconds }: Service,
  port: ServicePort,
  endpoint: PortEndpoint,
  { isLargeCluster }: ProxyNode,
): OwnChain {
  const { address } = endpoint;
  const { protocol } = port;
  const chain = endpointChain(port, endpoint);
  const named = isLargeCluster ? [] : [comment(port.fullName)];
  const remember =
    affinitySeconds === undefined ? [] : [`-m recent --set --name ${chain} ${RECENT_SOURCE}`];
  return {
    chain,
    rules: [
      // Who reaches himself must see another source than his own, or his answer would never pass the node.
      [`-s ${address}/32`, ...named, MARK].join(' '),
      [
        `-p ${protocol}`,
        ...named,
        ...remember,
        `-m ${protocol} -j DNAT --to-destination ${address}:${endpoint.port}`,
      ].join(' '),
    ],
  };
}

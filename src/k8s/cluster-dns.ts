/**
 * Cluster DNS: CoreDNS, which knows the names of Services and asks the VPC's resolver for all else.
 *
 *     web.default.svc.cluster.local            a Service's ClusterIP; of a headless one the address of each endpoint
 *     _http._tcp.web.default.svc.cluster.local the port of that name (SRV)
 *     web-0.web.default.svc.cluster.local      one endpoint by its pod's hostname, 10-0-3-50.web… by its address
 *     10-0-3-50.default.pod.cluster.local      an address, whoever has it
 *
 * Kernel: a server in the netns of each pod that runs CoreDNS (`host/cluster-dns.pl`, one process for all), reached like any
 * other Service, kube-system/kube-dns. A pod's /etc/resolv.conf has it search four domains for a name with fewer than five
 * dots: `db.example.com` costs four questions that fail, for A and AAAA each, before the one that is meant.
 *
 * @fidelity same - names, answers, TTL 5; simplified - the program stands in for CoreDNS, which Debian has not; it caches
 *   nothing and serves no metrics
 * @see https://github.com/kubernetes/dns/blob/master/docs/specification.md
 * @see CoreDNS plugin/kubernetes; EKS's Corefile: `kubernetes cluster.local in-addr.arpa ip6.arpa { pods insecure }`,
 *   `forward . /etc/resolv.conf`
 */

import { because } from '../base/because.ts';
import { type Ipv4, ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { killAndWait, restartedDaemon } from '../kernel/daemon.ts';
import { dnsSockets, resolvConf } from '../kernel/name-server.ts';
import type { SandboxFile } from '../kernel/state.ts';
import type { Service } from './cluster-services.ts';
import type { Endpoint } from './endpoint-slice.ts';
import type { PodSpec } from './pod.ts';

const CLUSTER_DOMAIN = 'cluster.local';

/** @see kubelet pkg/kubelet/network/dns/dns.go defaultDNSOptions */
const NDOTS = 5;

const PROGRAM = '/run/hoplab/cluster-dns.pl';
const CONFIG = '/run/hoplab/cluster-dns.conf';
const PID_FILE = '/run/hoplab/cluster-dns.pid';

/** A pod in which CoreDNS runs, and whom its node has it ask. */
export interface DnsReplica {
  readonly netns: NetnsName;
  readonly upstream: Ipv4;
}

export function planClusterDns(
  replicas: readonly DnsReplica[],
  services: readonly Service[],
  namespaces: readonly string[],
  program: string,
): Fragment {
  const fragment = new Fragment();
  if (replicas.length === 0) return fragment;
  const content = `${[
    `zone ${CLUSTER_DOMAIN}`,
    ...replicas.map(({ netns, upstream }) => `listen ${netns} ${upstream}`),
    ...clusterRecords(services, namespaces),
  ].join('\n')}\n`;
  return fragment.add(
    because('cluster-dns', 'svc/kube-system/kube-dns'),
    { kind: 'file', path: PROGRAM, content: program },
    { kind: 'file', path: CONFIG, content },
    restartedDaemon({
      name: 'cluster-dns',
      pidFile: PID_FILE,
      command: `perl ${PROGRAM} ${CONFIG} ${PID_FILE}`,
      reads: program + content,
      stop: killAndWait(PID_FILE),
      sockets: replicas.flatMap(({ netns }) => dnsSockets(netns)),
    }),
  );
}

/** What the server knows, a line a record. */
export function clusterRecords(
  services: readonly Service[],
  namespaces: readonly string[],
): string[] {
  return [
    `txt dns-version.${CLUSTER_DOMAIN} 1.1.0`,
    ...namespaces.flatMap((name) => [
      `exists ${name}.svc.${CLUSTER_DOMAIN}`,
      `exists ${name}.pod.${CLUSTER_DOMAIN}`,
      `pods ${name}`,
    ]),
    ...services.flatMap(recordsOf),
  ];
}

function serviceName({ name, namespace }: Pick<Service, 'name' | 'namespace'>): string {
  return `${name}.${namespace}.svc.${CLUSTER_DOMAIN}`;
}

function recordsOf(service: Service): string[] {
  const name = serviceName(service);
  const { clusterIp, externalName, slices } = service;
  if (externalName !== undefined) return [`cname ${name} ${externalName.replace(/\.$/, '')}`];
  const isHeadless = clusterIp === 'None';
  const lines: string[] = [];
  if (clusterIp !== undefined && !isHeadless) {
    lines.push(`a ${name} ${clusterIp}`, `ptr ${clusterIp} ${name}`);
    for (const { name: portName, protocol, port } of service.ports) {
      if (portName === '') continue;
      lines.push(`srv _${portName}._${protocol}.${name} 0 100 ${port} ${name}`);
    }
  }
  const all: string[] = [];
  for (const { ports, endpoints } of slices) {
    for (const endpoint of endpoints) {
      if (!endpoint.ready) continue;
      const own = `${ownName(endpoint)}.${name}`;
      all.push(`a ${own} ${endpoint.address}`);
      if (!isHeadless) continue;
      all.push(`a ${name} ${endpoint.address}`, `ptr ${endpoint.address} ${own}`);
      for (const { name: portName, protocol, port } of ports) {
        if (portName === '') continue;
        all.push(`srv _${portName}._${protocol}.${name} 0 100 ${port} ${own}`);
      }
    }
  }
  return [...lines, ...new Set(all), ...(isHeadless ? [`exists ${name}`] : [])];
}

/** @see CoreDNS plugin/kubernetes/kubernetes.go endpointHostname */
function ownName({ hostname, address }: Endpoint): string {
  return hostname ?? address.replaceAll('.', '-');
}

/**
 * What a name leads to by the cluster's DNS alone, for a program in a pod of that namespace: the domains are searched as its
 * resolver does. Undefined: it is no name of the cluster's, and whoever is asked next may know it.
 */
export function lookUpClusterName(
  word: string,
  namespace: string | undefined,
  services: readonly Service[],
): { readonly addresses: readonly Ipv4[] } | { readonly externalName: string } | undefined {
  const bare = word.replace(/\.$/, '').toLowerCase();
  const domains =
    namespace === undefined || word.endsWith('.')
      ? ['']
      : ['', ...searchDomains(namespace).map((one) => `.${one}`)];
  for (const domain of domains) {
    const found = lookUp(`${bare}${domain}`, services);
    if (found !== undefined) return found;
  }
  return undefined;
}

function lookUp(
  name: string,
  services: readonly Service[],
): { readonly addresses: readonly Ipv4[] } | { readonly externalName: string } | undefined {
  for (const service of services) {
    const own = serviceName(service);
    if (name !== own && !name.endsWith(`.${own}`)) continue;
    const { externalName, clusterIp, slices } = service;
    const endpoints = slices.flatMap((slice) => slice.endpoints.filter((one) => one.ready));
    if (name !== own) {
      const prefix = name.slice(0, -own.length - 1);
      const found = endpoints.filter((one) => ownName(one) === prefix);
      if (found.length === 0) return undefined;
      return { addresses: [...new Set(found.map(({ address }) => address))] };
    }
    if (externalName !== undefined) return { externalName };
    if (clusterIp === 'None')
      return { addresses: [...new Set(endpoints.map(({ address }) => address))] };
    return clusterIp === undefined ? undefined : { addresses: [clusterIp] };
  }
  return podName(name);
}

function podName(name: string): { readonly addresses: readonly Ipv4[] } | undefined {
  const match = /^(\d+)-(\d+)-(\d+)-(\d+)\.[^.]+\.pod\.cluster\.local$/.exec(name);
  return match === null ? undefined : { addresses: [ipv4(match.slice(1, 5).join('.'))] };
}

function searchDomains(namespace: string): string[] {
  return [`${namespace}.svc.${CLUSTER_DOMAIN}`, `svc.${CLUSTER_DOMAIN}`, CLUSTER_DOMAIN];
}

/** What the kubelet writes into a pod; undefined where the pod has its node's. */
export function podResolvConf(
  pod: PodSpec,
  netns: NetnsName,
  needs: {
    /** The ClusterIP of kube-dns; undefined in a cluster without. */
    readonly clusterDns: Ipv4 | undefined;
    /** What the node searches. */
    readonly nodeSearch: readonly string[];
    readonly nodeServer: Ipv4;
  },
): SandboxFile {
  const { clusterDns, nodeSearch, nodeServer } = needs;
  const isOfCluster =
    clusterDns !== undefined &&
    (pod.dnsPolicy === 'ClusterFirst' || pod.dnsPolicy === 'ClusterFirstWithHostNet');
  const config = pod.dnsConfig;
  const servers = isOfCluster ? [clusterDns] : pod.dnsPolicy === 'None' ? [] : [nodeServer];
  const search = isOfCluster
    ? [...searchDomains(pod.namespace), ...nodeSearch]
    : pod.dnsPolicy === 'None'
      ? []
      : nodeSearch;
  const options = new Map<string, string | undefined>(
    isOfCluster ? [['ndots', String(NDOTS)]] : [],
  );
  for (const { name, value } of config.options) options.set(name, value);
  return resolvConf(netns, {
    servers: [...new Set([...servers, ...config.nameservers])],
    search: [...new Set([...search, ...config.searches])],
    options: [...options].map(([name, value]) => (value === undefined ? name : `${name}:${value}`)),
  });
}

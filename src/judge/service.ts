/**
 * What a node does with a connection that is opened to a Service: at the Service's own address, at an address from outside,
 * or at a node port. Said in Kubernetes' words; the rules that do it are planned elsewhere (src/k8s/kube-proxy.ts).
 *
 * @see https://kubernetes.io/docs/reference/networking/virtual-ips/
 */

import { cidr, contains, type Ipv4 } from '../base/ip.ts';
import { type Node, zoneOf } from '../eks/node.ts';
import type { PortEndpoint, Service, ServicePort } from '../k8s/cluster-services.ts';
import type { Code } from './code.ts';
import { isOwn, nodePlace } from './places.ts';
import { lost, type Stage, type Traveller } from './traveller.ts';

/** Who hands the packet to the node: a pod on it, the node's own programs, or the VPC. */
export type Origin = 'pod' | 'node' | 'outside';

interface Entrance {
  readonly service: Service;
  readonly port: ServicePort;
  readonly by: 'cluster IP' | 'external IP' | 'load balancer' | 'node port';
}

const LOOPBACK = cidr('127.0.0.0/8');

export function isLoopback(address: Ipv4): boolean {
  return contains(LOOPBACK, address);
}

/** Turns the packet to one of the endpoints, or ends its way; does nothing to what is for no Service. */
export function passService(traveller: Traveller, node: Node, origin: Origin): Stage | undefined {
  const { cluster } = traveller.cloud;
  if (traveller.isReply || cluster?.addons['kube-proxy'] !== true) return undefined;
  const entrance = findEntrance(traveller, node);
  if (entrance === undefined) return undefined;
  const { service, port, by } = entrance;
  const where = `node/${node.name}`;
  const usable = lastResort(port.endpoints);
  const said = (what: string): string => `${service.reference} port ${port.port} ${what}`;
  if (usable.length === 0) {
    traveller.refusedBy = where;
    return {
      at: 'rejected',
      place: nodePlace(node),
      code: 'NO_ENDPOINTS',
      because: said(`has no endpoints, and ${where} refuses`),
      by: service.reference,
      source: service.at,
    };
  }
  const loses = (code: Code, what: string): Stage =>
    lost(code, said(what), service.at, { by: service.reference });

  const isInternal = by === 'cluster IP';
  const { source } = traveller.packet;
  if (by === 'load balancer' && !isLetIn(service, source)) {
    const ranges = service.loadBalancerSourceRanges.join(', ');
    const what = `takes ${ranges} at its load balancer's address, and ${source} is in none of them`;
    return loses('SERVICE_SOURCE_RANGES', what);
  }
  const policy = isInternal ? service.internalTrafficPolicy : service.externalTrafficPolicy;
  // What the node itself sends from is no address of outside.
  const isOfNode = origin === 'node';
  const staysHere = policy === 'Local' && (isInternal || !isOfNode);
  const here = lastResort(port.endpoints.filter((one) => one.node === node.name));
  const candidates = staysHere ? here : near(usable, node);
  if (candidates.length === 0) {
    const key = isInternal ? 'internalTrafficPolicy' : 'externalTrafficPolicy';
    const what = `has ${key} Local and no endpoint on ${where}, which drops without a word`;
    return loses('NO_LOCAL_ENDPOINTS', what);
  }
  const endpoint = traveller.pick(candidates);
  const isMasqueraded = !isInternal && (policy === 'Cluster' || isOfNode);
  const whom = endpoint.pod ?? endpoint.address;
  const many =
    candidates.length === 1
      ? 'the one endpoint'
      : `one of ${candidates.length} endpoints, each as likely,`;
  traveller.sendOn(where, endpoint.address, endpoint.port, {
    clause: `${where} sends it to ${whom} (${endpoint.address}:${endpoint.port}), ${many} of ${service.reference} (kube-proxy)`,
    at: service.at,
    // Who reaches himself must see another source than his own.
    isMasqueraded: isMasqueraded || endpoint.address === source,
  });
  return undefined;
}

function findEntrance({ cloud, packet }: Traveller, node: Node): Entrance | undefined {
  const { destination, destinationPort, protocol } = packet;
  if (protocol === 'icmp') return undefined;
  const isForNode = isOwn(nodePlace(node), destination) || isLoopback(destination);
  for (const service of cloud.cluster?.services ?? []) {
    if (service.clusterIp === undefined || service.clusterIp === 'None') continue;
    for (const port of service.ports) {
      if (port.protocol !== protocol) continue;
      const found = (by: Entrance['by']): Entrance => ({ service, port, by });
      if (port.port === destinationPort.from) {
        if (service.clusterIp === destination) return found('cluster IP');
        if (service.externalIps.includes(destination)) return found('external IP');
        if (service.loadBalancerIps.includes(destination)) return found('load balancer');
      }
      if (isForNode && port.nodePort === destinationPort.from) return found('node port');
    }
  }
  return undefined;
}

/** Those that are ready; where none is, those that are going and still answer. */
function lastResort(endpoints: readonly PortEndpoint[]): readonly PortEndpoint[] {
  const ready = endpoints.filter((one) => one.ready);
  return ready.length > 0 ? ready : endpoints.filter((one) => one.serving && one.terminating);
}

/** Where all of them say for whom they are, those that are for this node, or for its zone, if there are any. */
function near(endpoints: readonly PortEndpoint[], node: Node): readonly PortEndpoint[] {
  const zone = zoneOf(node) ?? '';
  for (const [key, wanted] of [
    ['nodes', node.name],
    ['zones', zone],
  ] as const) {
    const isSaid = endpoints.every((one) => (one.hints?.[key].length ?? 0) > 0);
    const meant = endpoints.filter((one) => one.hints?.[key].includes(wanted));
    if (isSaid && meant.length > 0 && endpoints.every((one) => one.ready)) return meant;
  }
  return endpoints;
}

function isLetIn(
  { loadBalancerSourceRanges: ranges, loadBalancerIps }: Service,
  source: Ipv4,
): boolean {
  return (
    ranges.length === 0 ||
    ranges.some((block) => contains(block, source)) ||
    loadBalancerIps.includes(source)
  );
}

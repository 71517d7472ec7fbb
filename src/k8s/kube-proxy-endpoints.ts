/**
 * Which endpoints of a Service's port a node's kube-proxy uses: for traffic of the whole cluster, and for traffic that is
 * to stay on the node.
 *
 * @fidelity same
 * @see kubernetes v1.31 pkg/proxy/topology.go CategorizeEndpoints, topologyModeFromHints
 */

import type { PortEndpoint, Service, ServicePort } from './cluster-services.ts';

export interface NodeOfProxy {
  readonly name: string;
  readonly zone: string | undefined;
}

/** The endpoints of a port as one node sees them. */
export interface Categorized {
  /** Of the Cluster policy; empty where no traffic goes by it. */
  readonly cluster: readonly PortEndpoint[];
  /** Of the Local policy; empty where no traffic goes by it. */
  readonly local: readonly PortEndpoint[];
  /** Both, each once, in kube-proxy's order. */
  readonly all: readonly PortEndpoint[];
  /** Whether anybody is there anywhere. */
  readonly hasAny: boolean;
}

export function isExternallyAccessible(service: Service, { nodePort }: ServicePort): boolean {
  return (
    nodePort !== undefined || service.externalIps.length > 0 || service.loadBalancerIps.length > 0
  );
}

export function categorize(service: Service, port: ServicePort, node: NodeOfProxy): Categorized {
  const { endpoints } = port;
  const isExternal = isExternallyAccessible(service, port);
  const isInternalLocal = service.internalTrafficPolicy === 'Local';
  const usesCluster = !isInternalLocal || isExternal;
  const usesLocal = isInternalLocal || (service.externalTrafficPolicy === 'Local' && isExternal);

  const isLast = (one: PortEndpoint): boolean => one.serving && one.terminating;
  const hasAny = endpoints.some((one) => one.ready || isLast(one));
  const ready = endpoints.filter((one) => one.ready);
  const near = ready.filter(nearness(ready, node));
  const cluster = !usesCluster ? [] : near.length > 0 ? near : endpoints.filter(isLast);

  const here = endpoints.filter((one) => one.node === node.name);
  const readyHere = here.filter((one) => one.ready);
  const local = !usesLocal ? [] : readyHere.length > 0 ? readyHere : here.filter(isLast);
  const all = endpoints.filter((one) => cluster.includes(one) || local.includes(one));
  return { cluster, local, all, hasAny };
}

/** Hints count where every endpoint has one and one of them is meant for this node, or for its zone. */
function nearness(
  ready: readonly PortEndpoint[],
  node: NodeOfProxy,
): (one: PortEndpoint) => boolean {
  const forNode = (one: PortEndpoint): boolean => one.hints?.nodes.includes(node.name) === true;
  const forZone = (one: PortEndpoint): boolean =>
    node.zone !== undefined && one.hints?.zones.includes(node.zone) === true;
  const hasAll = (key: 'nodes' | 'zones'): boolean =>
    ready.every((one) => (one.hints?.[key].length ?? 0) > 0);
  if (hasAll('nodes') && ready.some(forNode)) return forNode;
  if (hasAll('zones') && ready.some(forZone)) return forZone;
  return () => true;
}

/** One Service: its addresses, its endpoints as kube-proxy has them, and commands that show the chains. */

import { renderSourceRef } from '../base/diagnostic.ts';
import type { Cloud } from '../cloud.ts';
import type { PortEndpoint, Service, ServicePort } from '../k8s/cluster-services.ts';
import { portChains } from '../k8s/kube-proxy-chains.ts';
import { renderLabels } from '../k8s/selector.ts';
import type { Section } from './section.ts';
import type { ThingDescription } from './thing.ts';

export function describeService(cloud: Cloud, service: Service): ThingDescription {
  const { clusterIp, externalName, affinitySeconds, selector, healthCheckNodePort } = service;
  const isReached = service.ports.some(({ nodePort }) => nodePort !== undefined);
  return {
    thing: service.reference,
    facts: [
      ['type', clusterIp === 'None' ? `${service.type}, headless` : service.type],
      ['cluster IP', clusterIp === 'None' ? undefined : clusterIp],
      ['name', `${service.name}.${service.namespace}.svc.cluster.local`],
      ['stands for', externalName],
      ['external IPs', service.externalIps.join(', ') || undefined],
      ['load balancer', service.loadBalancerIps.join(', ') || undefined],
      ['source ranges', service.loadBalancerSourceRanges.join(', ') || undefined],
      ['selector', selector === undefined ? undefined : renderLabels(selector)],
      ['internal traffic', service.internalTrafficPolicy],
      ['external traffic', isReached ? service.externalTrafficPolicy : undefined],
      ['affinity', affinitySeconds === undefined ? undefined : `client IP, ${affinitySeconds} s`],
      ['health check node port', healthCheckNodePort],
      ['declared', renderSourceRef(service.at)],
    ],
    sections: [
      {
        title: 'ports',
        headers: ['NAME', 'PORT', 'NODE PORT', 'CHAIN'],
        rows: service.ports.map((port) => [
          port.name,
          `${port.port}/${port.protocol}`,
          port.nodePort ?? '',
          hasRules(service) ? portChains(port).cluster : '',
        ]),
      },
      endpointSection([service]),
    ],
    lookInside: lookInside(cloud, service),
  };
}

/** All Services of a cluster, and all endpoints. */
export function serviceSections(cloud: Cloud): Section[] {
  const services = cloud.cluster?.services ?? [];
  return [
    {
      title: 'services',
      headers: ['SERVICE', 'TYPE', 'CLUSTER IP', 'PORTS', 'ENDPOINTS'],
      rows: services.map((service) => [
        service.reference,
        service.type,
        service.clusterIp ?? service.externalName ?? '',
        service.ports.map(renderPort).join(', '),
        usableOf(service).join(', '),
      ]),
    },
  ];
}

/** `80:30080/tcp`, as kubectl prints it. */
function renderPort({ port, nodePort, protocol }: ServicePort): string {
  return `${port}${nodePort === undefined ? '' : `:${nodePort}`}/${protocol}`;
}

function usableOf({ ports }: Service): string[] {
  return ports.flatMap(({ endpoints }) =>
    endpoints.filter((one) => one.ready).map(({ address, port }) => `${address}:${port}`),
  );
}

function endpointSection(services: readonly Service[]): Section {
  return {
    title: 'endpoints',
    headers: ['PORT', 'ADDRESS', 'WHO', 'NODE', 'STATE'],
    rows: services.flatMap(({ ports }) =>
      ports.flatMap((port) =>
        port.endpoints.map((one) => [
          `${port.port}/${port.protocol}`,
          `${one.address}:${one.port}`,
          one.pod ?? '',
          one.node ?? '',
          stateOf(one),
        ]),
      ),
    ),
  };
}

function stateOf({ ready, serving, terminating }: PortEndpoint): string {
  if (ready) return 'ready';
  if (terminating) return serving ? 'terminating, serving' : 'terminating';
  return 'not ready';
}

function hasRules({ clusterIp }: Service): boolean {
  return clusterIp !== undefined && clusterIp !== 'None';
}

function lookInside(cloud: Cloud, service: Service): [string, string][] {
  const [node] = cloud.cluster?.nodes.keys() ?? [];
  const [port] = service.ports;
  const asker = cloud.pods.find(
    ({ spec, eni }) =>
      eni !== undefined && spec.namespace === service.namespace && !spec.runsCoreDns,
  );
  const dig: [string, string][] =
    asker === undefined ? [] : [[`pod/${asker.spec.name}`, `dig +search +short ${service.name}`]];
  if (node === undefined || port === undefined || !hasRules(service)) return dig;
  const where = `node/${node}`;
  const isThere = port.endpoints.some((one) => one.ready);
  return [
    [where, `iptables-save -t nat | grep -F '${port.fullName}'`],
    isThere
      ? [where, `iptables -t nat -L ${portChains(port).cluster} -n -v`]
      : [where, 'iptables -L KUBE-SERVICES -n -v'],
    [where, `conntrack -L -d ${service.clusterIp ?? ''}`],
    ...dig,
  ];
}

/** Who listens: nothing does but what is declared. */

import type { SourceRef } from '../base/diagnostic.ts';
import type { Cloud } from '../cloud.ts';
import { KUBE_PROXY_HEALTH_PORT, KUBELET_PORT } from '../eks/node-services.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import { reference } from './places.ts';
import type { Place, Protocol } from './traveller.ts';

export interface Listener {
  /** Who answers: the place itself, or a pod that shares its node's namespace. */
  readonly reference: string;
  readonly fails: boolean;
  /** Of its answers to HTTP; undefined where that hangs on what is asked for. */
  readonly status: number | undefined;
  /** It answers DNS alone. */
  readonly isDnsServer: boolean;
}

export function findListener(
  cloud: Cloud,
  place: Place,
  protocol: 'tcp' | 'udp',
  port: number,
): Listener | undefined {
  const pod = podsIn(place).find((one) => listensOn(one, protocol, port));
  if (pod !== undefined) {
    const { behaviour, runsCoreDns: isDnsServer } = pod.spec;
    const { status = 200, fails = false } = behaviour;
    return { reference: reference(pod), fails, status, isDnsServer };
  }
  const isPlain = [...plainPorts(cloud, place), ...nodeServices(cloud, place)].includes(port);
  return protocol === 'tcp' && isPlain
    ? {
        reference: place.reference,
        fails: false,
        status: statusOf(cloud, place, port),
        isDnsServer: false,
      }
    : undefined;
}

/** `pod/web listens on TCP 80 and 443, not on TCP 81`. */
export function whyNobodyListens(
  cloud: Cloud,
  place: Place,
  protocol: Protocol,
  port: number,
): string {
  const all = [
    ...podsIn(place).flatMap((pod) => pod.spec.ports.map((one) => portName(one))),
    ...plainPorts(cloud, place).map((one) => portName({ protocol: 'tcp', containerPort: one })),
  ];
  const asked = portName({ protocol, containerPort: port });
  if (place.kind === 'rds' && place.server !== place.database.primary) {
    return `${place.reference} is the standby, which takes no connections, and so not on ${asked}`;
  }
  return all.length === 0
    ? `${place.reference} listens on no port, and so not on ${asked}`
    : `${place.reference} listens on ${all.join(', ')}, not on ${asked}`;
}

/** Where the ports of a place are declared, or at least the place itself. */
export function declaredAt(place: Place): SourceRef | undefined {
  switch (place.kind) {
    case 'pod':
      return place.pod.spec.at;
    case 'node':
      return place.node.at;
    case 'instance':
      return place.instance.at;
    case 'alb':
    case 'nlb':
      return place.balancer.at;
    case 'rds':
      return place.database.at;
    case 'nat':
      return place.gateway.at;
    case 'resolver':
      return place.vpc.at;
    case 'host':
      return place.host.at;
  }
}

/** Whose containers' ports are the place's. */
export function podsIn(place: Place): readonly Pod[] {
  if (place.kind === 'pod') return [place.pod];
  return place.kind === 'node' ? place.node.pods.filter(({ eni }) => eni === undefined) : [];
}

/** TCP ports on which something answers that is no pod. */
export function plainPorts(cloud: Cloud, place: Place): readonly number[] {
  if (place.kind === 'instance') return place.instance.ports;
  if (place.kind === 'alb') return place.balancer.listeners.map(({ port }) => port);
  // A standby waits for its turn.
  if (place.kind === 'rds') {
    return place.server === place.database.primary ? [place.database.port] : [];
  }
  if (place.kind === 'node') return healthCheckPorts(cloud);
  return place.kind === 'host' ? place.host.ports : [];
}

/** Our own servers answer whatever is asked for; the API server and the nodes have pages, kube-proxy's by Service among them. */
function statusOf({ cluster }: Cloud, place: Place, port: number): number | undefined {
  if (place.kind === 'node') {
    const checked = cluster?.services.find((one) => one.healthCheckNodePort === port);
    if (checked === undefined) return undefined;
    const isHere = checked.ports.some(({ endpoints }) =>
      endpoints.some(({ node, ready }) => ready && node === place.node.name),
    );
    return isHere ? 200 : 503;
  }
  if (place.kind === 'host') return place.host.isSystem === true ? undefined : 200;
  return place.kind === 'instance' && place.reference.startsWith('instance/') ? 200 : undefined;
}

/** What every node serves; nobody's lab is about that, so that nothing else speaks of it. */
function nodeServices({ cluster }: Cloud, { kind }: Place): readonly number[] {
  if (kind !== 'node') return [];
  return cluster?.addons['kube-proxy'] === true
    ? [KUBELET_PORT, KUBE_PROXY_HEALTH_PORT]
    : [KUBELET_PORT];
}

/** kube-proxy of every node says there how many endpoints it has. */
function healthCheckPorts({ cluster }: Cloud): readonly number[] {
  if (cluster?.addons['kube-proxy'] !== true) return [];
  return cluster.services.flatMap(({ healthCheckNodePort }) => healthCheckNodePort ?? []);
}

function listensOn({ spec }: Pod, protocol: Protocol, port: number): boolean {
  return spec.ports.some((one) => one.protocol === protocol && one.containerPort === port);
}

function portName(port: { readonly protocol: Protocol; readonly containerPort: number }): string {
  return `${port.protocol.toUpperCase()} ${port.containerPort}`;
}

/**
 * Service: a name and an address of its own for whichever pods its selector finds at the moment.
 *
 * Nobody has the address: each node's kube-proxy turns what is sent to it to one of the endpoints (kube-proxy.ts), and the
 * cluster's DNS knows the name (cluster-dns.ts). What is declared is held to the rules of the API server.
 *
 * @fidelity same - types, ports, policies, affinity, source ranges; simplified - IPv4 alone, no SCTP; `status` is read where
 *   a manifest has one (as `kubectl get -o yaml` writes it), because kube-proxy heeds the addresses in it
 * @see https://kubernetes.io/docs/concepts/services-networking/service/
 * @see kubernetes v1.31 pkg/apis/core/validation/validation.go ValidateService
 */

import * as z from 'zod';

import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import { type Cidr, type Ipv4, parseCidr, parseIpv4 } from '../base/ip.ts';
import { ipv4Schema, portSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import {
  type Annotated,
  checkDnsName,
  type KubernetesObject,
  labelsSchema,
  readSpec,
  textMapSchema,
} from './object.ts';
import {
  checkServicePorts,
  SERVICE_TYPES,
  type ServicePortSpec,
  type ServiceType,
} from './service-port.ts';
import type { Labels } from './selector.ts';

export type TrafficPolicy = 'Cluster' | 'Local';

export interface ServiceSpec extends Annotated {
  readonly namespace: string;
  readonly name: string;
  readonly type: ServiceType;
  /** `None` makes it headless; undefined where one is to be given to it. */
  readonly clusterIp: Ipv4 | 'None' | undefined;
  readonly selector: Labels | undefined;
  readonly ports: readonly ServicePortSpec[];
  readonly externalIps: readonly Ipv4[];
  readonly externalName: string | undefined;
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly internalTrafficPolicy: TrafficPolicy;
  /** How long a client stays with its endpoint; undefined without sessionAffinity. */
  readonly affinitySeconds: number | undefined;
  readonly loadBalancerSourceRanges: readonly Cidr[];
  /** Addresses at which a load balancer says that it hands traffic to the nodes; AWS's say a name instead. */
  readonly loadBalancerIps: readonly Ipv4[];
  /** Who is to make its load balancer. */
  readonly loadBalancerClass: string | undefined;
  readonly healthCheckNodePort: number | undefined;
  readonly allocatesNodePorts: boolean;
  /** Endpoints count although their pods are not ready. */
  readonly publishNotReadyAddresses: boolean;
  readonly trafficDistribution: 'PreferClose' | 'PreferSameZone' | 'PreferSameNode' | undefined;
  readonly at: SourceRef;
}

/** `svc/web` in the namespace default, else `svc/shop/web`. */
export function serviceReference(namespace: string, name: string): string {
  return namespace === 'default' ? `svc/${name}` : `svc/${namespace}/${name}`;
}

/** @see pkg/apis/core/types.go DefaultClientIPServiceAffinitySeconds, MaxClientIPServiceAffinitySeconds */
const DEFAULT_AFFINITY_SECONDS = 10_800;
const MAX_AFFINITY_SECONDS = 86_400;

const policySchema = z.enum(['Cluster', 'Local']).nullish();

export const serviceSchema = z.looseObject({
  metadata: z.looseObject({ annotations: textMapSchema }),
  spec: z.looseObject({
    type: z.enum(SERVICE_TYPES).nullish(),
    clusterIP: z.string().nullish(),
    selector: labelsSchema,
    ports: z
      .array(
        z.looseObject({
          name: z.string().nullish(),
          protocol: z.enum(['TCP', 'UDP', 'SCTP']).nullish(),
          port: portSchema,
          targetPort: z.union([portSchema, z.string()]).nullish(),
          nodePort: z.int().min(0).max(65_535).nullish(),
        }),
      )
      .nullish(),
    externalIPs: z.array(ipv4Schema).nullish(),
    externalName: z.string().nullish(),
    externalTrafficPolicy: policySchema,
    internalTrafficPolicy: policySchema,
    sessionAffinity: z.enum(['None', 'ClientIP']).nullish(),
    sessionAffinityConfig: z
      .looseObject({
        clientIP: z
          .looseObject({ timeoutSeconds: z.int().min(1).max(MAX_AFFINITY_SECONDS).nullish() })
          .nullish(),
      })
      .nullish(),
    loadBalancerSourceRanges: z.array(z.string()).nullish(),
    loadBalancerClass: z.string().nullish(),
    allocateLoadBalancerNodePorts: z.boolean().nullish(),
    healthCheckNodePort: z.int().min(0).max(65_535).nullish(),
    publishNotReadyAddresses: z.boolean().nullish(),
    trafficDistribution: z.enum(['PreferClose', 'PreferSameZone', 'PreferSameNode']).nullish(),
  }),
  status: z
    .looseObject({
      loadBalancer: z
        .looseObject({
          ingress: z
            .array(
              z.looseObject({
                ip: ipv4Schema.optional(),
                ipMode: z.enum(['VIP', 'Proxy']).nullish(),
              }),
            )
            .nullish(),
        })
        .nullish(),
    })
    .nullish(),
});

type Written = z.output<typeof serviceSchema>['spec'];

/** Reports what the API server would refuse, and then returns nothing where it can't be built. */
export function readService(
  object: KubernetesObject,
  diagnostics: Diagnostics,
): ServiceSpec | undefined {
  const named = checkDnsName(object, 'label', diagnostics);
  const written = readSpec(serviceSchema, object, diagnostics);
  if (written === undefined || !named) return undefined;
  const { metadata, spec, status } = written;
  const where = object.tree.where().in(...object.path);
  const type = spec.type ?? 'ClusterIP';
  const clusterIp = readClusterIp(object, spec, type, where, diagnostics);
  const isExternal = type === 'NodePort' || type === 'LoadBalancer';
  const externalIps = spec.externalIPs ?? [];
  checkExternals(
    object,
    spec,
    { type, isReachable: isExternal || externalIps.length > 0 },
    where,
    diagnostics,
  );
  const service: ServiceSpec = {
    namespace: object.namespace,
    name: object.name,
    type,
    clusterIp,
    selector: Object.keys(spec.selector).length === 0 ? undefined : spec.selector,
    ports: readPorts(spec, where, diagnostics),
    externalIps,
    externalName: type === 'ExternalName' ? (spec.externalName ?? undefined) : undefined,
    externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster',
    internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster',
    affinitySeconds:
      spec.sessionAffinity === 'ClientIP'
        ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS)
        : undefined,
    loadBalancerSourceRanges:
      type === 'LoadBalancer' ? readSourceRanges(object, spec, where, diagnostics) : [],
    loadBalancerIps:
      type === 'LoadBalancer'
        ? (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
            ip === undefined || ipMode === 'Proxy' ? [] : [ip],
          )
        : [],
    loadBalancerClass: type === 'LoadBalancer' ? (spec.loadBalancerClass ?? undefined) : undefined,
    healthCheckNodePort:
      spec.healthCheckNodePort === 0 ? undefined : (spec.healthCheckNodePort ?? undefined),
    allocatesNodePorts: spec.allocateLoadBalancerNodePorts ?? true,
    publishNotReadyAddresses: spec.publishNotReadyAddresses ?? false,
    trafficDistribution: spec.trafficDistribution ?? undefined,
    annotations: metadata.annotations,
    at: object.at,
    where,
  };
  return checkServicePorts(service, spec.ports?.length ?? 0, diagnostics) ? service : undefined;
}

/** Reports `sctp`. */
function readPorts({ ports }: Written, where: Where, diagnostics: Diagnostics): ServicePortSpec[] {
  return (ports ?? []).flatMap((port, index) => {
    const portWhere = where.in('spec', 'ports', index);
    if (port.protocol === 'SCTP') {
      diagnostics.warning(
        'sctp',
        portWhere.at('protocol'),
        `port ${port.port} is left out${ports?.length === 1 ? ', and with it the Service' : ''}: a lab speaks TCP and UDP`,
      );
      return [];
    }
    return {
      name: port.name ?? '',
      protocol: port.protocol === 'UDP' ? 'udp' : 'tcp',
      port: port.port,
      targetPort: port.targetPort ?? port.port,
      nodePort: port.nodePort === 0 ? undefined : (port.nodePort ?? undefined),
      where: portWhere,
    };
  });
}

function readClusterIp(
  { name }: KubernetesObject,
  { clusterIP }: Written,
  type: ServiceType,
  where: Where,
  diagnostics: Diagnostics,
): Ipv4 | 'None' | undefined {
  if (clusterIP === undefined || clusterIP === null || clusterIP === '') return undefined;
  const at = where.at('spec', 'clusterIP');
  if (type === 'ExternalName') {
    diagnostics.error(
      'service-address',
      at,
      `Service "${name}" is of type ExternalName and has a clusterIP: it is a name alone`,
      'take the clusterIP out, or the type',
    );
    return undefined;
  }
  if (clusterIP === 'None') {
    if (type === 'ClusterIP') return 'None';
    diagnostics.error(
      'service-address',
      at,
      `Service "${name}" is of type ${type} and headless: nothing would lead from its node port to its endpoints`,
      'take "clusterIP: None" out, or make it a ClusterIP Service',
    );
    return undefined;
  }
  const address = parseIpv4(clusterIP);
  if (address === undefined) {
    diagnostics.error(
      'not-an-address',
      at,
      `spec.clusterIP: "${clusterIP}" is not an IPv4 address`,
      'write an address of the service CIDR, "None" for a headless Service, or leave it out',
    );
  }
  return address;
}

function readSourceRanges(
  { name }: KubernetesObject,
  { loadBalancerSourceRanges }: Written,
  where: Where,
  diagnostics: Diagnostics,
): Cidr[] {
  return (loadBalancerSourceRanges ?? []).flatMap((text, index) => {
    // The API server trims them.
    const block = parseCidr(text.trim());
    if (block !== undefined) return [block];
    diagnostics.error(
      'not-a-cidr',
      where.at('spec', 'loadBalancerSourceRanges', index),
      `Service "${name}": "${text}" is not a CIDR block`,
      'write it like 203.0.113.0/24',
    );
    return [];
  });
}

/** What is said of the way from outside, where there is none. */
function checkExternals(
  { name }: KubernetesObject,
  spec: Written,
  { type, isReachable }: { readonly type: ServiceType; readonly isReachable: boolean },
  where: Where,
  diagnostics: Diagnostics,
): void {
  if (type === 'ExternalName' && (spec.externalName ?? '') === '') {
    diagnostics.error(
      'missing-key',
      where.at('spec'),
      `Service "${name}" is of type ExternalName and lacks "externalName"`,
      'give the name that it stands for, like externalName: db.example.com',
    );
  }
  const isSet = (key: 'externalTrafficPolicy' | 'healthCheckNodePort'): boolean =>
    spec[key] !== undefined && spec[key] !== null && spec[key] !== 0;
  if (isSet('externalTrafficPolicy') && !isReachable) {
    diagnostics.error(
      'service-policy',
      where.at('spec', 'externalTrafficPolicy'),
      `Service "${name}" has an externalTrafficPolicy, and nothing of it is reached from outside`,
      'make it a NodePort or LoadBalancer Service, or take the policy out; for traffic inside the cluster there is internalTrafficPolicy',
    );
  }
  const isChecked = type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
  if (isSet('healthCheckNodePort') && !isChecked) {
    diagnostics.error(
      'service-policy',
      where.at('spec', 'healthCheckNodePort'),
      `Service "${name}" has a healthCheckNodePort, which is for type LoadBalancer with externalTrafficPolicy Local alone`,
      'take it out, or change type and policy',
    );
  }
}

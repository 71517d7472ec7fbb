/**
 * Which Services get a Network Load Balancer, and what their annotations say of it. All of them begin with
 * `service.beta.kubernetes.io/aws-load-balancer-`.
 *
 * Two may make it. The AWS Load Balancer Controller serves `aws-load-balancer-type: external` and `nlb-ip`,
 * `loadBalancerClass: service.k8s.aws/nlb`, and a Service that says nothing: internal, with security groups. The cloud
 * provider, which is part of every cluster, serves `aws-load-balancer-type: nlb`: internet-facing, with nodes as targets,
 * without security groups; what the nodes' group lets in is opened instead.
 *
 * @fidelity same - names, values and defaults of both; simplified - `nlb` is left to the cloud provider, also where the
 *   controller's webhook (2.5 and later) would take every new Service; TLS listeners are not built; elastic addresses are
 *   named by themselves, as a lab has no allocation ids
 * @see https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/
 * @see aws-load-balancer-controller pkg/service/model_build_target_group.go, pkg/config/controller_config.go
 * @see cloud-provider-aws pkg/providers/v1/aws_loadbalancer.go defaultNlbHealthCheckInterval, aws.go
 *   buildNLBHealthCheckConfiguration
 */

import type { NlbHealthCheck } from '../aws/network-load-balancer.ts';
import { TCP_IDLE_SECONDS } from '../aws/network-load-balancer.ts';
import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import { type Cidr, cidr, type Ipv4, parseCidr, parseIpv4 } from '../base/ip.ts';
import { whereAnnotations } from '../k8s/object.ts';
import type { Labels } from '../k8s/selector.ts';
import type { ServiceSpec } from '../k8s/service.ts';
import {
  readHealthCheckPath,
  readHealthCheckPort,
  readSuccessCodes,
  TRAFFIC_PORT,
} from './alb-target.ts';
import {
  AlbAnnotations,
  ANYTHING,
  between,
  didYouMean,
  oneOf,
  type PairForm,
} from './alb-value.ts';

const NLB_PREFIX = 'service.beta.kubernetes.io/aws-load-balancer-';
const NLB_CLASS = 'service.k8s.aws/nlb';

class NlbAnnotations extends AlbAnnotations {
  constructor(service: ServiceSpec, diagnostics: Diagnostics) {
    super(service, diagnostics, NLB_PREFIX);
  }

  /** Reports `nlb-without-effect`. */
  protected override warn(at: SourceRef, what: string, hint: string | undefined): void {
    this.diagnostics.warning('nlb-without-effect', at, what, hint);
  }
}

export interface NlbSettings {
  readonly madeBy: 'controller' | 'cloud provider';
  readonly scheme: 'internal' | 'internet-facing';
  readonly loadBalancerName: string | undefined;
  readonly targetType: 'instance' | 'ip';
  readonly crossZone: boolean;
  readonly proxyProtocol: boolean;
  /** Undefined: as the target type and the protocol have it. */
  readonly preservesClient: boolean | undefined;
  /** By the client's address. */
  readonly isSticky: boolean;
  readonly healthCheck: Omit<NlbHealthCheck, 'port'> & {
    /** A number, or the name of a port of the Service; undefined for the one that gets the traffic. */
    readonly port: number | string | undefined;
  };
  readonly idleTimeoutSeconds: number;
  readonly subnets: readonly string[] | undefined;
  /** One for each subnet. */
  readonly elasticIps: readonly Ipv4[] | undefined;
  readonly privateAddresses: readonly Ipv4[] | undefined;
  readonly securityGroups: readonly string[] | undefined;
  readonly managesBackendRules: boolean;
  /** Who may open connections. */
  readonly sourceRanges: readonly Cidr[];
  readonly nodeLabels: Labels;
  /** Where the value of an annotation stands, by the word after the prefix. */
  readonly at: (word: string) => SourceRef | undefined;
}

export interface NlbService {
  readonly service: ServiceSpec;
  readonly settings: NlbSettings;
}

const CHECK_PROTOCOLS = ['TCP', 'HTTP', 'HTTPS'] as const;
const EVERYBODY = [cidr('0.0.0.0/0')];

/** Reports `load-balancer-class`, `wrong-annotation`, `unknown-nlb-annotation` and `nlb-without-effect`. */
export function readNlbServices(
  services: readonly ServiceSpec[],
  diagnostics: Diagnostics,
): NlbService[] {
  return services.flatMap((service) => {
    if (service.type !== 'LoadBalancer') return [];
    // A status with an address says who else hands traffic to the nodes.
    if (service.loadBalancerIps.length > 0) return [];
    const { loadBalancerClass } = service;
    if (loadBalancerClass !== undefined && loadBalancerClass !== NLB_CLASS) {
      diagnostics.warning(
        'load-balancer-class',
        service.where.at('spec', 'loadBalancerClass'),
        `Service "${service.name}" is of class "${loadBalancerClass}", which nobody serves here: no load balancer is built`,
        `write "loadBalancerClass: ${NLB_CLASS}", or leave it out`,
      );
      return [];
    }
    return [{ service, settings: readNlbSettings(service, diagnostics) }];
  });
}

const CROSS_ZONE = 'load_balancing.cross_zone.enabled';

const TARGET_GROUP_ATTRIBUTES: ReadonlyMap<string, PairForm> = new Map([
  ['preserve_client_ip.enabled', oneOf(['true', 'false'])],
  ['proxy_protocol_v2.enabled', oneOf(['true', 'false'])],
  ['stickiness.enabled', oneOf(['true', 'false'])],
  ['stickiness.type', oneOf(['source_ip'])],
  [CROSS_ZONE, oneOf(['true', 'false', 'use_load_balancer_configuration'])],
  ['deregistration_delay.timeout_seconds', between(0, 3600)],
  [
    'target_health_state.unhealthy.connection_termination.enabled',
    oneOf(['true'], 'a connection to a target that has become unhealthy is always ended'),
  ],
  [
    'deregistration_delay.connection_termination.enabled',
    oneOf(['false'], 'a connection to a target that leaves goes on'),
  ],
  ...[
    'target_health_state.unhealthy.draining_interval_seconds',
    'target_group_health.dns_failover.minimum_healthy_targets.count',
    'target_group_health.dns_failover.minimum_healthy_targets.percentage',
    'target_group_health.unhealthy_state_routing.minimum_healthy_targets.count',
    'target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage',
  ].map((name): [string, PairForm] => [
    name,
    { ...ANYTHING, missing: "Hoplab's target groups do not have this attribute" },
  ]),
]);

const ATTRIBUTES: ReadonlyMap<string, PairForm> = new Map([
  [CROSS_ZONE, oneOf(['true', 'false'])],
  ['deletion_protection.enabled', oneOf(['true', 'false'])],
  ['access_logs.s3.enabled', oneOf(['true', 'false'])],
  ['access_logs.s3.bucket', ANYTHING],
  ['access_logs.s3.prefix', ANYTHING],
  ['zonal_shift.config.enabled', oneOf(['true', 'false'])],
  [
    'dns_record.client_routing_policy',
    oneOf(['any_availability_zone'], 'every client is told every zone'),
  ],
]);

/** @see network-load-balancers.html "Connection idle timeout" */
const LISTENER_ATTRIBUTES: ReadonlyMap<string, PairForm> = new Map([
  ['tcp.idle_timeout.seconds', between(60, 6000)],
]);
const LISTENER_WORD = /^listener-attributes\.(?:TCP|UDP|TLS|TCP_UDP)-\d+$/;

const HEALTH_WORDS = [
  ...['healthcheck-protocol', 'healthcheck-port', 'healthcheck-path', 'healthcheck-interval'],
  ...['healthcheck-timeout', 'healthcheck-healthy-threshold', 'healthcheck-unhealthy-threshold'],
  'healthcheck-success-codes',
];
const WORDS: readonly string[] = [
  ...HEALTH_WORDS,
  ...['type', 'nlb-target-type', 'name', 'internal', 'scheme', 'proxy-protocol'],
  ...['cross-zone-load-balancing-enabled', 'target-group-attributes', 'attributes', 'subnets'],
  ...['eip-allocations', 'private-ipv4-addresses', 'security-groups', 'target-node-labels'],
  ...['manage-backend-security-group-rules'],
];
/** These move no packet. */
const QUIET_WORDS: readonly string[] = [
  ...['additional-resource-tags', 'ip-address-type', 'access-log-enabled'],
  ...['access-log-s3-bucket-name', 'access-log-s3-bucket-prefix', 'access-log-emit-interval'],
  ...['ssl-negotiation-policy', 'alpn-policy'],
];
const NO_EFFECT: readonly (readonly [what: string, words: readonly string[]])[] = [
  ['listeners are TCP or UDP', ['ssl-cert', 'ssl-ports', 'backend-protocol']],
  ['there is no IPv6', ['ipv6-addresses', 'enable-prefix-for-ipv6-source-nat']],
  ['the security group lets in CIDR blocks alone', ['security-group-prefix-lists']],
  [
    'this is for Classic Load Balancers',
    [
      ...['connection-draining-enabled', 'connection-draining-timeout'],
      ...['connection-idle-timeout', 'extra-security-groups'],
    ],
  ],
];

function readNlbSettings(service: ServiceSpec, diagnostics: Diagnostics): NlbSettings {
  const annotations = new NlbAnnotations(service, diagnostics);
  checkWords(annotations, diagnostics);
  const type = annotations.choice('type', ['nlb', 'external', 'nlb-ip']);
  const isOfCloud = type === 'nlb' && service.loadBalancerClass === undefined;
  const wantedType = annotations.choice('nlb-target-type', ['instance', 'ip']);
  const targetType = type === 'nlb-ip' ? 'ip' : isOfCloud ? 'instance' : (wantedType ?? 'instance');
  if (isOfCloud && wantedType !== undefined) {
    annotations.withoutEffect(
      'nlb-target-type',
      'the cloud provider, which serves the type nlb, knows nodes as targets alone',
      `write ${NLB_PREFIX}type: external`,
    );
  }
  const isInternal = annotations.boolean('internal');
  const scheme = annotations.choice('scheme', ['internal', 'internet-facing']);
  const attributes = annotations.pairs('attributes', ATTRIBUTES, `${CROSS_ZONE}=true`);
  const groupAttributes = annotations.pairs(
    'target-group-attributes',
    TARGET_GROUP_ATTRIBUTES,
    'preserve_client_ip.enabled=true',
  );
  const flag = (name: string): boolean | undefined => {
    const value = groupAttributes.get(name);
    return value === undefined ? undefined : value === 'true';
  };
  const proxy = annotations.choice('proxy-protocol', ['*'], 'write "*", or take it out');
  const ofGroup = groupAttributes.get(CROSS_ZONE);
  const crossZone =
    (ofGroup === 'true' || ofGroup === 'false' ? ofGroup === 'true' : undefined) ??
    (attributes.has(CROSS_ZONE) ? attributes.get(CROSS_ZONE) === 'true' : undefined) ??
    annotations.boolean('cross-zone-load-balancing-enabled') ??
    false;
  const settings: NlbSettings = {
    madeBy: isOfCloud ? 'cloud provider' : 'controller',
    scheme:
      scheme ??
      (isInternal === undefined
        ? isOfCloud
          ? 'internet-facing'
          : 'internal'
        : isInternal
          ? 'internal'
          : 'internet-facing'),
    loadBalancerName: readName(annotations),
    targetType,
    crossZone,
    proxyProtocol: proxy !== undefined || flag('proxy_protocol_v2.enabled') === true,
    preservesClient: flag('preserve_client_ip.enabled'),
    isSticky: flag('stickiness.enabled') === true,
    healthCheck: readHealthCheck(service, annotations, { targetType, isOfCloud }),
    idleTimeoutSeconds: readIdleTimeout(annotations),
    subnets: annotations.list('subnets', 'public-a, public-b'),
    elasticIps: readAddresses(annotations, 'eip-allocations'),
    privateAddresses: readAddresses(annotations, 'private-ipv4-addresses'),
    securityGroups: annotations.list('security-groups', 'sg-web, sg-office'),
    managesBackendRules: annotations.boolean('manage-backend-security-group-rules') ?? true,
    sourceRanges: readSourceRanges(service, diagnostics),
    nodeLabels: Object.fromEntries(
      (annotations.list('target-node-labels', 'role=edge') ?? []).map((pair) => {
        const [key = '', ...value] = pair.split('=');
        return [key, value.join('=')];
      }),
    ),
    at: (word) => annotations.at(word),
  };
  checkTogether(settings, annotations);
  return settings;
}

function checkTogether(settings: NlbSettings, annotations: AlbAnnotations): void {
  const { scheme, elasticIps, privateAddresses, healthCheck } = settings;
  if (elasticIps !== undefined && scheme === 'internal') {
    annotations.wrong(
      'eip-allocations',
      'an internal load balancer has no elastic addresses',
      `write ${NLB_PREFIX}scheme: internet-facing, or take it out`,
    );
  }
  if (privateAddresses !== undefined && scheme === 'internet-facing') {
    annotations.wrong(
      'private-ipv4-addresses',
      'this is for internal load balancers',
      'take it out, or write eip-allocations',
    );
  }
  const { intervalSeconds, timeoutSeconds } = healthCheck;
  const [timing] = ['healthcheck-timeout', 'healthcheck-interval'].filter(
    (word) => annotations.text(word) !== undefined,
  );
  if (timing !== undefined && timeoutSeconds > intervalSeconds) {
    annotations.wrong(
      timing,
      `a health check that may take ${timeoutSeconds} s does not end before the next, ${intervalSeconds} s later`,
      'make the timeout no longer than the interval',
    );
  }
}

function readName(annotations: AlbAnnotations): string | undefined {
  return annotations.read(
    'name',
    (text) =>
      /^(?!internal-)[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?$/.test(text) ? text : undefined,
    'the name of a load balancer',
    'take at most 32 letters, digits and hyphens',
  );
}

/**
 * The controller: 10 s, 10 s, 3, 3, TCP; where only nodes with endpoints take traffic it asks kube-proxy who they are. The
 * cloud provider: 30 s, 10 s, 3, 3, and 10 s, 10 s, 2, 2.
 */
function readHealthCheck(
  service: ServiceSpec,
  annotations: AlbAnnotations,
  { targetType, isOfCloud }: { targetType: 'instance' | 'ip'; isOfCloud: boolean },
): NlbSettings['healthCheck'] {
  const isLocal = targetType === 'instance' && service.externalTrafficPolicy === 'Local';
  const threshold = isLocal ? 2 : 3;
  const protocol = annotations.read(
    'healthcheck-protocol',
    (text) => CHECK_PROTOCOLS.find((one) => one === text.toUpperCase()),
    `one of ${CHECK_PROTOCOLS.join(', ')}`,
    'write "TCP", "HTTP" or "HTTPS"',
  );
  const port = readHealthCheckPort(annotations);
  return {
    protocol: protocol ?? (isLocal ? 'HTTP' : 'TCP'),
    port:
      port === TRAFFIC_PORT ? undefined : (port ?? (isLocal ? HEALTH_CHECK_NODE_PORT : undefined)),
    path: readHealthCheckPath(annotations) ?? (isLocal ? '/healthz' : '/'),
    intervalSeconds:
      annotations.integer('healthcheck-interval', 5, 300) ?? (isOfCloud && !isLocal ? 30 : 10),
    timeoutSeconds:
      annotations.integer('healthcheck-timeout', 2, 120) ?? (isLocal && !isOfCloud ? 6 : 10),
    healthyThreshold: annotations.integer('healthcheck-healthy-threshold', 2, 10) ?? threshold,
    unhealthyThreshold: annotations.integer('healthcheck-unhealthy-threshold', 2, 10) ?? threshold,
    successCodes: readSuccessCodes(annotations, 'healthcheck-success-codes') ?? [
      { from: 200, to: 399 },
    ],
  };
}

/** Stands for the Service's healthCheckNodePort, which is not known before it is given. */
export const HEALTH_CHECK_NODE_PORT = 'healthCheckNodePort';

function readIdleTimeout(annotations: AlbAnnotations): number {
  const words = annotations.words.filter((word) => LISTENER_WORD.test(word));
  const values = words.flatMap((word) => {
    const written = annotations
      .pairs(word, LISTENER_ATTRIBUTES, 'tcp.idle_timeout.seconds=400')
      .get('tcp.idle_timeout.seconds');
    return written === undefined ? [] : [{ word, seconds: Number(written) }];
  });
  const [first] = values;
  const other = values.find(({ seconds }) => seconds !== first?.seconds);
  if (other !== undefined && first !== undefined) {
    annotations.wrong(
      other.word,
      `Hoplab's load balancers have one idle timeout for all listeners, and ${first.word} says ${first.seconds} s`,
      'write the same for all',
    );
  }
  return first?.seconds ?? TCP_IDLE_SECONDS;
}

function readAddresses(annotations: AlbAnnotations, word: string): readonly Ipv4[] | undefined {
  return annotations.list(word, '203.0.113.10, 203.0.113.11')?.flatMap((text) => {
    const address = parseIpv4(text);
    if (address === undefined) {
      annotations.wrong(
        word,
        `"${text}" is not an IPv4 address`,
        'a lab has no allocation ids: write the addresses themselves',
      );
    }
    return address ?? [];
  });
}

const RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** What the spec says wins. */
function readSourceRanges(service: ServiceSpec, diagnostics: Diagnostics): readonly Cidr[] {
  if (service.loadBalancerSourceRanges.length > 0) return service.loadBalancerSourceRanges;
  const written = service.annotations[RANGES];
  if (written === undefined) return EVERYBODY;
  return written.split(',').flatMap((part) => {
    const block = parseCidr(part.trim());
    if (block === undefined) {
      diagnostics.error(
        'wrong-annotation',
        whereAnnotations(service).at(RANGES),
        `${RANGES}: "${part.trim()}" is not a CIDR block`,
        'write it like 203.0.113.0/24',
      );
    }
    return block ?? [];
  });
}

function checkWords(annotations: AlbAnnotations, diagnostics: Diagnostics): void {
  for (const word of annotations.words) {
    const missing = NO_EFFECT.find(([, words]) => words.includes(word))?.[0];
    if (missing !== undefined) {
      if (annotations.text(word) !== 'tcp') {
        annotations.withoutEffect(word, `this has no effect in Hoplab: ${missing}`);
      }
      continue;
    }
    if (WORDS.includes(word) || QUIET_WORDS.includes(word) || LISTENER_WORD.test(word)) continue;
    diagnostics.warning(
      'unknown-nlb-annotation',
      annotations.keyAt(word),
      `nobody knows an annotation "${NLB_PREFIX}${word}": it is read as if it were not there`,
      didYouMean(word, [...WORDS, ...QUIET_WORDS, ...NO_EFFECT.flatMap(([, words]) => words)]) ??
        (word.startsWith('listener') ? 'write it like listener-attributes.TCP-80' : undefined),
    );
  }
}

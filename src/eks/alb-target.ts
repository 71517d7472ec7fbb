/**
 * How an Application Load Balancer reaches the pods of a Service and how it tells that they are well: the annotations that
 * may stand on an Ingress, for all of its Services, and on a Service, where they win one by one.
 *
 * @fidelity same - names, values, and the controller's defaults, which are not those of Elastic Load Balancing; simplified -
 *   HTTP/1.1 alone, round robin and least outstanding requests alone, stickiness by the load balancer's own cookie alone
 * @see https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#health-check
 * @see aws-load-balancer-controller pkg/ingress/model_build_target_group.go, pkg/config/controller_config.go
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html for the ranges
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
 */

import type { HealthCheck, StatusRange } from '../aws/target-group.ts';
import { isPortName } from '../k8s/ingress.ts';
import {
  type AlbAnnotations,
  ANYTHING,
  between,
  oneOf,
  type PairForm,
  parseInteger,
  splitList,
} from './alb-value.ts';

export interface AlbTargetSettings {
  readonly targetType: 'instance' | 'ip';
  readonly protocol: AlbProtocol;
  readonly healthCheck: AlbHealthCheck;
  /** How long a client stays with its target by a cookie of the load balancer; undefined without stickiness. */
  readonly stickinessSeconds: number | undefined;
  readonly deregistrationDelaySeconds: number;
  readonly algorithm: 'round_robin' | 'least_outstanding_requests';
  /** 0 for none. */
  readonly slowStartSeconds: number;
}

export type AlbProtocol = (typeof PROTOCOLS)[number];

interface AlbHealthCheck extends Omit<HealthCheck, 'port'> {
  /** A number, or a name that the Service gives to a port; undefined for the port that gets the requests. */
  readonly port: number | string | undefined;
}

const PROTOCOLS = ['HTTP', 'HTTPS'] as const;

const ATTRIBUTES = 'target-group-attributes';
export const TRAFFIC_PORT = 'traffic-port';

const COOKIE_SECONDS = { least: 1, most: 604_800, usual: 86_400 } as const;
const DELAY_SECONDS = { most: 3600, usual: 300 } as const;

const TARGET_GROUP_ATTRIBUTES: ReadonlyMap<string, PairForm> = new Map([
  ['deregistration_delay.timeout_seconds', between(0, DELAY_SECONDS.most)],
  ['stickiness.enabled', oneOf(['true', 'false'])],
  [
    'stickiness.type',
    oneOf(['lb_cookie'], "Hoplab's load balancers make cookies of their own alone"),
  ],
  ['stickiness.lb_cookie.duration_seconds', between(COOKIE_SECONDS.least, COOKIE_SECONDS.most)],
  ['load_balancing.algorithm.type', oneOf(['round_robin', 'least_outstanding_requests'])],
  ['slow_start.duration_seconds', between(30, 900, true)],
  ...[
    'stickiness.app_cookie.cookie_name',
    'stickiness.app_cookie.duration_seconds',
    'load_balancing.algorithm.anomaly_mitigation',
    'load_balancing.cross_zone.enabled',
    'target_group_health.dns_failover.minimum_healthy_targets.count',
    'target_group_health.dns_failover.minimum_healthy_targets.percentage',
    'target_group_health.unhealthy_state_routing.minimum_healthy_targets.count',
    'target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage',
  ].map((name): [string, PairForm] => [
    name,
    { ...ANYTHING, missing: "Hoplab's target groups do not have this attribute" },
  ]),
]);

/** A number, the name of a port, or TRAFFIC_PORT; Services and Ingresses write it in the same way, as the path. */
export function readHealthCheckPort(annotations: AlbAnnotations): number | string | undefined {
  return annotations.read(
    'healthcheck-port',
    parseHealthCheckPort,
    'a port',
    `write "${TRAFFIC_PORT}", a number like "8080", or the name of a port of the Service`,
  );
}

export function readHealthCheckPath(annotations: AlbAnnotations): string | undefined {
  return annotations.read(
    'healthcheck-path',
    (text) => (/^\/[\x21-\x7e]{0,1023}$/.test(text) ? text : undefined),
    'a path',
    'write it like /healthz',
  );
}

export function readSuccessCodes(
  annotations: AlbAnnotations,
  word: string,
): readonly StatusRange[] | undefined {
  return annotations.read(
    word,
    parseStatusRanges,
    'a list of statuses from 200 to 499',
    'write it like "200", "200,302" or "200-299", in quotes',
  );
}

/** Each as it is written, undefined where it is not. */
function readValues(annotations: AlbAnnotations) {
  return {
    'target-type': annotations.choice('target-type', ['instance', 'ip']),
    'backend-protocol': annotations.choice('backend-protocol', PROTOCOLS),
    'healthcheck-protocol': annotations.choice('healthcheck-protocol', PROTOCOLS),
    'healthcheck-port': readHealthCheckPort(annotations),
    'healthcheck-path': readHealthCheckPath(annotations),
    'healthcheck-interval-seconds': annotations.integer('healthcheck-interval-seconds', 5, 300),
    'healthcheck-timeout-seconds': annotations.integer('healthcheck-timeout-seconds', 2, 120),
    'success-codes': readSuccessCodes(annotations, 'success-codes'),
    'healthy-threshold-count': annotations.integer('healthy-threshold-count', 2, 10),
    'unhealthy-threshold-count': annotations.integer('unhealthy-threshold-count', 2, 10),
    // Those of a Service stand in place of all of the Ingress's.
    [ATTRIBUTES]:
      annotations.text(ATTRIBUTES) === undefined
        ? undefined
        : annotations.pairs(
            ATTRIBUTES,
            TARGET_GROUP_ATTRIBUTES,
            'deregistration_delay.timeout_seconds=30,stickiness.enabled=true',
          ),
  };
}

type Values = ReturnType<typeof readValues>;
type Word = keyof Values;

/** What one object says of its target groups. */
export interface WrittenTarget {
  readonly values: Values;
  readonly annotations: AlbAnnotations;
}

const WORDS: Readonly<Record<Word, true>> = {
  'target-type': true,
  'backend-protocol': true,
  'healthcheck-protocol': true,
  'healthcheck-port': true,
  'healthcheck-path': true,
  'healthcheck-interval-seconds': true,
  'healthcheck-timeout-seconds': true,
  'success-codes': true,
  'healthy-threshold-count': true,
  'unhealthy-threshold-count': true,
  'target-group-attributes': true,
};
export const TARGET_WORDS: readonly string[] = Object.keys(WORDS);

/** Reports `wrong-annotation` and `alb-without-effect`. */
export function readTarget(annotations: AlbAnnotations): WrittenTarget {
  return { values: readValues(annotations), annotations };
}

/**
 * What holds for the target groups of a Service that an Ingress leads to; `service` is undefined where nothing is written on
 * it. Reports `wrong-annotation` where what the Service says contradicts itself or the Ingress.
 */
export function targetSettings(
  ingress: WrittenTarget,
  service: WrittenTarget | undefined,
): AlbTargetSettings {
  const settings = merge(ingress, service);
  if (service !== undefined) checkTogether(settings, service);
  return settings;
}

/** Reports `wrong-annotation` where what the Ingress says contradicts itself. */
export function checkIngressTarget(ingress: WrittenTarget): void {
  checkTogether(merge(ingress, undefined), ingress);
}

function merge(ingress: WrittenTarget, service: WrittenTarget | undefined): AlbTargetSettings {
  const of = <Key extends Word>(word: Key): Values[Key] =>
    service?.values[word] ?? ingress.values[word];
  const attributes = of(ATTRIBUTES);
  const attribute = (name: string): string | undefined => attributes?.get(name);
  const protocol = of('backend-protocol') ?? 'HTTP';
  const port = of('healthcheck-port');
  return {
    targetType: of('target-type') ?? 'instance',
    protocol,
    healthCheck: {
      protocol: of('healthcheck-protocol') ?? protocol,
      port: port === TRAFFIC_PORT ? undefined : port,
      path: of('healthcheck-path') ?? '/',
      intervalSeconds: of('healthcheck-interval-seconds') ?? 15,
      timeoutSeconds: of('healthcheck-timeout-seconds') ?? 5,
      successCodes: of('success-codes') ?? [{ from: 200, to: 200 }],
      healthyThreshold: of('healthy-threshold-count') ?? 2,
      unhealthyThreshold: of('unhealthy-threshold-count') ?? 2,
    },
    stickinessSeconds:
      attribute('stickiness.enabled') === 'true'
        ? Number(attribute('stickiness.lb_cookie.duration_seconds') ?? COOKIE_SECONDS.usual)
        : undefined,
    deregistrationDelaySeconds: Number(
      attribute('deregistration_delay.timeout_seconds') ?? DELAY_SECONDS.usual,
    ),
    algorithm:
      attribute('load_balancing.algorithm.type') === 'least_outstanding_requests'
        ? 'least_outstanding_requests'
        : 'round_robin',
    slowStartSeconds: Number(attribute('slow_start.duration_seconds') ?? 0),
  };
}

/** What Elastic Load Balancing refuses; said of `written` where it has a part in it. */
function checkTogether(settings: AlbTargetSettings, { annotations }: WrittenTarget): void {
  const { intervalSeconds, timeoutSeconds } = settings.healthCheck;
  const [timing] = ['healthcheck-timeout-seconds', 'healthcheck-interval-seconds'].filter(
    (word) => annotations.text(word) !== undefined,
  );
  if (timing !== undefined && timeoutSeconds >= intervalSeconds) {
    annotations.wrong(
      timing,
      `a health check that may take ${timeoutSeconds} s does not end before the next, ${intervalSeconds} s later`,
      'make the timeout shorter than the interval; without annotations they are 5 s and 15 s',
    );
  }
  const isLeast = settings.algorithm === 'least_outstanding_requests';
  if (annotations.text(ATTRIBUTES) !== undefined && isLeast && settings.slowStartSeconds > 0) {
    annotations.wrong(
      ATTRIBUTES,
      'slow start is not to be had with least_outstanding_requests',
      'take one of the two out',
    );
  }
}

function parseHealthCheckPort(text: string): number | string | undefined {
  if (/^\d+$/.test(text)) return parseInteger(text, 1, 65_535);
  return isPortName(text) ? text : undefined;
}

function parseStatusRanges(text: string): readonly StatusRange[] | undefined {
  const ranges = splitList(text).map((part) => {
    const [first = '', last = first, ...rest] = part.split('-');
    const [from, to] = [parseInteger(first, 200, 499), parseInteger(last, 200, 499)];
    if (from === undefined || to === undefined || rest.length > 0 || from > to) return undefined;
    return { from, to };
  });
  return ranges.length === 0 || ranges.includes(undefined)
    ? undefined
    : ranges.filter((range) => range !== undefined);
}

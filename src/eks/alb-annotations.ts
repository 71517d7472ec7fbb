/**
 * The annotations of an Ingress that the AWS Load Balancer Controller reads: what its Application Load Balancer is like, and
 * how it reaches the Services (alb-target.ts). All of them begin with `alb.ingress.kubernetes.io/`.
 *
 * The real controller reads an annotation of a misspelt name as if it were not there, and says so nowhere; Hoplab warns. A
 * value that it can't take stops it from building the load balancer, with an event on the Ingress; here that is an error.
 *
 * @fidelity same - names, forms, defaults; simplified - IPv4 alone; what is about certificates' contents, authentication,
 *   firewalls, other logs and network load balancers in front is known and has no effect
 * @see https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/
 * @see aws-load-balancer-controller pkg/annotations/constants.go, pkg/ingress/model_build_listener.go,
 *   model_build_load_balancer.go, group_loader.go
 */

import type { AccessLog } from '../aws/application-load-balancer.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { type Cidr, cidr, parseCidr } from '../base/ip.ts';
import type { IngressSpec } from '../k8s/ingress.ts';
import type { ServiceSpec } from '../k8s/service.ts';
import { isRecord } from '../source/yaml.ts';
import { type AlbAction, type AlbCondition, readAction, readConditions } from './alb-action.ts';
import {
  type AlbProtocol,
  checkIngressTarget,
  readTarget,
  type WrittenTarget,
} from './alb-target.ts';
import {
  ALB_PREFIX,
  AlbAnnotations,
  ANYTHING,
  between,
  oneOf,
  type PairForm,
  splitList,
} from './alb-value.ts';
import { checkWords } from './alb-words.ts';

export interface AlbSettings {
  readonly scheme: 'internal' | 'internet-facing';
  readonly loadBalancerName: string | undefined;
  /** Ingresses of one group share a load balancer; undefined where the Ingress has its own. */
  readonly groupName: string | undefined;
  /** The rules of lower ones come first; then by namespace and name. */
  readonly groupOrder: number;
  /** Names or ids; undefined where the controller looks for them. */
  readonly subnets: readonly string[] | undefined;
  /** Names or ids; undefined where the controller makes one. */
  readonly securityGroups: readonly string[] | undefined;
  /** Only heeded with securityGroups: whether the controller opens the nodes' or pods' groups to the load balancer. */
  readonly managesBackendRules: boolean;
  /** Whom the controller's own security group lets in at the listeners. */
  readonly inboundCidrs: readonly Cidr[];
  readonly listeners: readonly AlbListenPort[];
  readonly certificates: readonly string[];
  /** The HTTPS port that every HTTP listener redirects to. */
  readonly sslRedirect: number | undefined;
  readonly idleTimeoutSeconds: number;
  readonly accessLog: AccessLog | undefined;
  /** load-balancer-attributes as they are written, the idle timeout too. */
  readonly attributes: ReadonlyMap<string, string>;
  /** For `targetSettings`, with what the Service says. */
  readonly target: WrittenTarget;
  /** By the name that a backend has for a Service where its port is `use-annotation`. */
  readonly actions: ReadonlyMap<string, AlbAction>;
  /** By the name of a backend's Service or action. */
  readonly conditions: ReadonlyMap<string, readonly AlbCondition[]>;
  /** Where the value of `alb.ingress.kubernetes.io/NAME` stands; undefined where it is the default. */
  readonly at: (name: string) => SourceRef | undefined;
}

export interface AlbListenPort {
  readonly protocol: AlbProtocol;
  readonly port: number;
}

/** A backend's port of this name: its Service is the name of an action. */
export const USE_ANNOTATION = 'use-annotation';

const MISSING = "Hoplab's load balancers do not have this attribute";
const IDLE_TIMEOUT = 'idle_timeout.timeout_seconds';
const IDLE_SECONDS = { most: 4000, usual: 60 } as const;
const GROUP_ORDER = 1000;
const EVERYBODY = [cidr('0.0.0.0/0')];

const LOAD_BALANCER_ATTRIBUTES: ReadonlyMap<string, PairForm> = new Map([
  [IDLE_TIMEOUT, between(1, IDLE_SECONDS.most)],
  ['access_logs.s3.enabled', oneOf(['true', 'false'])],
  // @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
  [
    'access_logs.s3.bucket',
    {
      isRight: (value) => /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value),
      expected: 'a name that a bucket can have',
      hint: 'lower-case letters, digits, "-" and ".", from 3 to 63, with a letter or digit at both ends',
    },
  ],
  [
    'access_logs.s3.prefix',
    {
      isRight: (value) =>
        /^[\w.-]+(\/[\w.-]+)*$/.test(value) && !/AWSLogs|(^|\/)\.\.?(\/|$)/.test(value),
      expected: 'a prefix that a log can have',
      hint: 'names of letters, digits, "-", "_" and "." between slashes, without "AWSLogs"',
    },
  ],
  // These move no packet.
  ...[
    ...['connection_logs.s3.bucket', 'connection_logs.s3.prefix'],
    ...['health_check_logs.s3.bucket', 'health_check_logs.s3.prefix'],
  ].map((name): [string, PairForm] => [name, ANYTHING]),
  ...[
    ...['connection_logs.s3.enabled', 'health_check_logs.s3.enabled'],
    ...['deletion_protection.enabled', 'zonal_shift.config.enabled'],
    ...['ipv6.deny_all_igw_traffic', 'waf.fail_open.enabled'],
  ].map((name): [string, PairForm] => [name, oneOf(['true', 'false'])]),
  ['load_balancing.cross_zone.enabled', oneOf(['true'], 'it is always on')],
  ...[
    ...['routing.http2.enabled', 'routing.http.drop_invalid_header_fields.enabled'],
    ...['routing.http.preserve_host_header.enabled', 'routing.http.xff_client_port.enabled'],
    'routing.http.x_amzn_tls_version_and_cipher_suite.enabled',
  ].map((name): [string, PairForm] => [name, { ...oneOf(['true', 'false']), missing: MISSING }]),
  [
    'routing.http.desync_mitigation_mode',
    { ...oneOf(['monitor', 'defensive', 'strictest']), missing: MISSING },
  ],
  [
    'routing.http.xff_header_processing.mode',
    { ...oneOf(['append', 'preserve', 'remove']), missing: MISSING },
  ],
  ['client_keep_alive.seconds', { ...between(60, 604_800), missing: MISSING }],
]);

/** Reports `wrong-annotation`, `unknown-alb-annotation`, `alb-without-effect`, `ingress-path` and `missing-alb-action`. */
export function readAlbSettings(ingress: IngressSpec, diagnostics: Diagnostics): AlbSettings {
  const annotations = new AlbAnnotations(ingress, diagnostics);
  checkWords(annotations, 'Ingress', diagnostics);
  const target = readTarget(annotations);
  checkIngressTarget(target);
  const attributes = annotations.pairs(
    'load-balancer-attributes',
    LOAD_BALANCER_ATTRIBUTES,
    `${IDLE_TIMEOUT}=60`,
  );
  annotations.read(
    'ip-address-type',
    (text) => (text === 'ipv4' ? text : undefined),
    'what Hoplab has addresses for',
    'write "ipv4", which is the default',
  );
  const settings: AlbSettings = {
    scheme:
      annotations.choice(
        'scheme',
        ['internal', 'internet-facing'],
        // The nearest word may be the opposite of what is meant.
        '"internet-facing" for clients on the internet, "internal" for those in the VPC',
      ) ?? 'internal',
    loadBalancerName: annotations.read(
      'load-balancer-name',
      (text) =>
        /^(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$/.test(text) ? text : undefined,
      'a name that a load balancer can have',
      'letters, digits and "-", at most 32, with a letter or digit at both ends, and not "internal-" at the beginning',
    ),
    groupName: annotations.read(
      'group.name',
      (text) => (/^([a-z0-9][-a-z0-9.]{0,61})?[a-z0-9]$/.test(text) ? text : undefined),
      'a name that a group can have',
      'lower-case letters, digits, "-" and ".", at most 63, with a letter or digit at both ends',
    ),
    groupOrder: annotations.integer('group.order', -GROUP_ORDER, GROUP_ORDER) ?? 0,
    subnets: annotations.list('subnets', 'public-a, public-b'),
    securityGroups: annotations.list('security-groups', 'web, monitoring'),
    managesBackendRules: annotations.boolean('manage-backend-security-group-rules') ?? false,
    inboundCidrs: readInboundCidrs(annotations) ?? EVERYBODY,
    ...readListeners(annotations),
    sslRedirect: annotations.integer('ssl-redirect', 1, 65_535),
    idleTimeoutSeconds: Number(attributes.get(IDLE_TIMEOUT) ?? IDLE_SECONDS.usual),
    accessLog: readAccessLog(attributes, annotations),
    attributes,
    target,
    actions: named(annotations, 'actions.', readAction),
    conditions: named(annotations, 'conditions.', readConditions),
    at: (name) => annotations.at(name),
  };
  checkSecurityGroups(settings, annotations);
  checkSslRedirect(settings, annotations);
  checkBackends(ingress, annotations, diagnostics);
  checkRules(ingress, settings, annotations, diagnostics);
  return settings;
}

/** Reports `wrong-annotation`. */
function readAccessLog(
  attributes: ReadonlyMap<string, string>,
  annotations: AlbAnnotations,
): AccessLog | undefined {
  if (attributes.get('access_logs.s3.enabled') !== 'true') return undefined;
  const bucket = attributes.get('access_logs.s3.bucket');
  if (bucket === undefined) {
    annotations.wrong(
      'load-balancer-attributes',
      'access_logs.s3.enabled is true, and no bucket is named for the log',
      'add access_logs.s3.bucket=NAME',
    );
    return undefined;
  }
  const [certificateArn] = splitList(annotations.text('certificate-arn') ?? '');
  return { bucket, prefix: attributes.get('access_logs.s3.prefix'), certificateArn };
}

/** Undefined where nothing is written there. Reports `wrong-annotation`, `unknown-alb-annotation`, `alb-without-effect`. */
export function readServiceTarget(
  service: ServiceSpec,
  diagnostics: Diagnostics,
): WrittenTarget | undefined {
  const annotations = new AlbAnnotations(service, diagnostics);
  if (annotations.words.length === 0) return undefined;
  checkWords(annotations, 'Service', diagnostics);
  return readTarget(annotations);
}

function readInboundCidrs(annotations: AlbAnnotations): readonly Cidr[] | undefined {
  const word = 'inbound-cidrs';
  const parts = annotations.list(word, '203.0.113.0/24, 198.51.100.0/24');
  return parts?.flatMap((part) => {
    const block = parseCidr(part);
    if (block !== undefined) return [block];
    // `0.0.0.0/0, ::/0` is what the default is said to be.
    if (!/^[\da-fA-F:.]*:[\da-fA-F:.]*\/\d+$/.test(part)) {
      annotations.wrong(word, `"${part}" is not a CIDR block`, 'write it like 203.0.113.0/24');
    }
    return [];
  });
}

function readListeners(
  annotations: AlbAnnotations,
): Pick<AlbSettings, 'listeners' | 'certificates'> {
  const certificates = annotations.read(
    'certificate-arn',
    (text) => {
      const names = splitList(text);
      const isRight = names.every((name) => /^arn:aws[a-z-]*:(acm|iam):/.test(name));
      return names.length > 0 && isRight ? names : undefined;
    },
    'a list of ARNs of certificates',
    'write it like arn:aws:acm:us-east-1:111122223333:certificate/web',
  );
  const usual: AlbListenPort =
    annotations.text('certificate-arn') === undefined
      ? { protocol: 'HTTP', port: 80 }
      : { protocol: 'HTTPS', port: 443 };
  return {
    listeners: readListenPorts(annotations) ?? [usual],
    certificates: certificates ?? [],
  };
}

function readListenPorts(annotations: AlbAnnotations): readonly AlbListenPort[] | undefined {
  const text = annotations.text('listen-ports');
  if (text === undefined) return undefined;
  const listeners = parseListenPorts(text);
  if (typeof listeners !== 'string') return listeners;
  annotations.wrong('listen-ports', listeners, `write it like '[{"HTTP": 80}, {"HTTPS": 443}]'`);
  return undefined;
}

/** The ports, or what is wrong with the text. */
function parseListenPorts(text: string): readonly AlbListenPort[] | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'this is not JSON';
  }
  if (!Array.isArray(value)) return 'this is not a list';
  const entries = value.flatMap((entry): [string, unknown][] =>
    isRecord(entry) ? Object.entries(entry) : [['', entry]],
  );
  if (entries.length === 0) return 'no port is in this list';
  const listeners: AlbListenPort[] = [];
  for (const [protocol, port] of entries) {
    if (protocol !== 'HTTP' && protocol !== 'HTTPS') {
      return `${JSON.stringify(protocol === '' ? port : protocol)} is not HTTP or HTTPS`;
    }
    if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
      return `${JSON.stringify(port)} is not a port from 1 to 65535`;
    }
    if (listeners.some((one) => one.port === port)) return `port ${port} is in it twice`;
    listeners.push({ protocol, port });
  }
  return listeners;
}

/** Those of `actions.NAME`, by name; what can't be read is reported and left out. */
function named<T>(
  annotations: AlbAnnotations,
  prefix: string,
  read: (annotations: AlbAnnotations, word: string) => T | undefined,
): ReadonlyMap<string, T> {
  return new Map(
    annotations.words
      .filter((word) => word.startsWith(prefix) && word.length > prefix.length)
      .flatMap((word) => {
        const value = read(annotations, word);
        return value === undefined ? [] : [[word.slice(prefix.length), value] as const];
      }),
  );
}

function checkSecurityGroups(
  { securityGroups, managesBackendRules }: AlbSettings,
  annotations: AlbAnnotations,
): void {
  if (securityGroups === undefined) {
    const word = 'manage-backend-security-group-rules';
    if (!managesBackendRules || annotations.text('security-groups') !== undefined) return;
    annotations.withoutEffect(
      word,
      'this is for security-groups of your own: the controller opens the way from the group it makes by itself',
      'name security-groups, or take it out',
    );
    return;
  }
  if (annotations.text('inbound-cidrs') === undefined) return;
  annotations.withoutEffect(
    'inbound-cidrs',
    'this is for the security group that the controller makes, and security-groups names others',
    'give them the rules, or take security-groups out',
  );
}

/** Where Ingresses share a load balancer, the port may be another's. */
function checkSslRedirect(settings: AlbSettings, annotations: AlbAnnotations): void {
  const { sslRedirect, listeners, groupName } = settings;
  if (sslRedirect === undefined || groupName !== undefined) return;
  if (listeners.some(({ protocol, port }) => protocol === 'HTTPS' && port === sslRedirect)) return;
  annotations.wrong(
    'ssl-redirect',
    `no HTTPS listener is at port ${sslRedirect}`,
    `write ${ALB_PREFIX}listen-ports: '[{"HTTP": 80}, {"HTTPS": ${sslRedirect}}]'`,
  );
}

/** Actions and backends by name: each needs the other. */
function checkBackends(
  ingress: IngressSpec,
  annotations: AlbAnnotations,
  diagnostics: Diagnostics,
): void {
  const backends = [
    ...ingress.rules.flatMap(({ paths }) => paths.map(({ backend }) => backend)),
    ...(ingress.defaultBackend === undefined ? [] : [ingress.defaultBackend]),
  ];
  const namesOf = (prefix: string): string[] =>
    annotations.words
      .filter((word) => word.startsWith(prefix))
      .map((word) => word.slice(prefix.length));
  const actions = namesOf('actions.');
  const used = backends.filter(({ port }) => port === USE_ANNOTATION);
  for (const { service, where } of used) {
    if (actions.includes(service)) continue;
    diagnostics.warning(
      'missing-alb-action',
      where.at('service', 'name'),
      `there is no annotation ${ALB_PREFIX}actions.${service}: the load balancer answers 503`,
      suggest(service, actions) ?? `write it, or a number for the port of Service "${service}"`,
    );
  }
  for (const name of actions) {
    if (used.some(({ service }) => service === name)) continue;
    annotations.withoutEffect(
      `actions.${name}`,
      'no backend leads to this action',
      `give one like "service: { name: ${name}, port: { name: ${USE_ANNOTATION} } }"`,
    );
  }
  for (const name of namesOf('conditions.')) {
    if (backends.some(({ service }) => service === name)) continue;
    annotations.withoutEffect(
      `conditions.${name}`,
      'no backend has this name',
      suggest(
        name,
        backends.map(({ service }) => service),
      ),
    );
  }
}

/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html */
const MOST_CONDITION_VALUES = 5;

/** What the load balancer's rules, which know wildcards, can't say of a path. */
function checkRules(
  ingress: IngressSpec,
  { conditions }: AlbSettings,
  annotations: AlbAnnotations,
  diagnostics: Diagnostics,
): void {
  const reported = new Set<string>();
  for (const { host, paths } of ingress.rules) {
    for (const { path, pathType, backend, where } of paths) {
      if (pathType !== 'ImplementationSpecific' && /[*?]/.test(path)) {
        diagnostics.error(
          'ingress-path',
          where.at('path'),
          `Ingress "${ingress.name}": the path "${path}" of type ${pathType} has a wildcard, and the AWS Load Balancer Controller refuses it`,
          'make it "pathType: ImplementationSpecific"',
        );
      }
      const further = conditions.get(backend.service);
      // A prefix becomes two patterns: the path itself, and what is below it.
      const values =
        (host === undefined ? 0 : 1) +
        (path === '' ? 0 : pathType === 'Prefix' && path !== '/' ? 2 : 1) +
        (further ?? []).reduce((sum, condition) => sum + condition.values.length, 0);
      if (
        further === undefined ||
        values <= MOST_CONDITION_VALUES ||
        reported.has(backend.service)
      ) {
        continue;
      }
      reported.add(backend.service);
      annotations.wrong(
        `conditions.${backend.service}`,
        `with its host and path, a rule would have ${values} values in its conditions: a load balancer takes ${MOST_CONDITION_VALUES}`,
        'take some out, or write another path for them',
      );
    }
  }
}

/**
 * What an Application Load Balancer does with a request beside forwarding it to one Service, and which requests a rule is
 * for beside their host and path: the JSON in the annotations `actions.NAME` and `conditions.NAME`.
 *
 * @fidelity same - fixed responses, redirects, weighted forwarding to Services, conditions by wildcard; simplified - target
 *   groups of other makers and regular expressions are refused, requests are not authenticated
 * @see https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#traffic-routing
 * @see aws-load-balancer-controller pkg/ingress/config_types.go
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html
 */

import type { RuleCondition } from '../aws/rule-condition.ts';
import { parseCidr } from '../base/ip.ts';
import { AlbJson, complete } from './alb-json.ts';
import { type AlbAnnotations, parseInteger } from './alb-value.ts';

export type AlbAction =
  | {
      readonly type: 'fixed-response';
      readonly statusCode: number;
      readonly contentType: string;
      readonly messageBody: string;
    }
  | {
      readonly type: 'redirect';
      readonly statusCode: 301 | 302;
      /** As written, or `#{protocol}`, `#{host}`, `#{port}`, `/#{path}`, `#{query}`: those of the request. */
      readonly protocol: string;
      readonly host: string;
      readonly port: string;
      readonly path: string;
      readonly query: string;
    }
  | {
      readonly type: 'forward';
      readonly targetGroups: readonly AlbForwardTarget[];
      /** How long a client stays with its target group; undefined where it need not. */
      readonly stickinessSeconds: number | undefined;
    };

interface AlbForwardTarget {
  readonly service: string;
  /** A number, or a name that the Service gives to its port. */
  readonly port: number | string;
  /** 0 to 999. */
  readonly weight: number;
}

/** One of the values is enough; hosts and paths are more of the rule's own. In both `*` stands for any text, `?` for any character. */
export type AlbCondition =
  | { readonly field: 'host-header'; readonly values: readonly string[] }
  | { readonly field: 'path-pattern'; readonly values: readonly string[] }
  | RuleCondition;

const STICKINESS_SECONDS = 604_800;
const MOST_TARGET_GROUPS = 5;
const MOST_WEIGHT = 999;

/** Reports `wrong-annotation` and `alb-without-effect`. */
export function readAction(annotations: AlbAnnotations, word: string): AlbAction | undefined {
  const json = AlbJson.parse(
    annotations,
    word,
    `'{"type": "fixed-response", "fixedResponseConfig": {"statusCode": "503"}}'`,
  );
  const action = json?.members([
    'type',
    'fixedResponseConfig',
    'redirectConfig',
    'forwardConfig',
    'targetGroupARN',
    'targetGroupName',
  ]);
  if (action === undefined) return undefined;
  const type = action.type.choice(['fixed-response', 'redirect', 'forward']);
  switch (type) {
    case 'fixed-response':
      return readFixedResponse(action.fixedResponseConfig);
    case 'redirect':
      return readRedirect(action.redirectConfig);
    case 'forward':
      if (!areOfServices(action.targetGroupARN, action.targetGroupName)) return undefined;
      return readForward(action.forwardConfig);
    case undefined:
      return undefined;
  }
}

/** Whether no target group is named that somebody else made. */
function areOfServices(...others: readonly AlbJson[]): boolean {
  const found = others.find((other) => other.isThere);
  found?.wrong(
    'names a target group that no Service has, which Hoplab does not build',
    'give "forwardConfig" with "serviceName" and "servicePort"',
  );
  return found === undefined;
}

function readFixedResponse(json: AlbJson): AlbAction | undefined {
  const written = json.members(['statusCode', 'contentType', 'messageBody']);
  if (written === undefined) return undefined;
  const statusCode = written.statusCode.parsed(
    (text) => (/^[245]\d\d$/.test(text) ? Number(text) : undefined),
    'a status from 200 to 299 or 400 to 599',
    'for a redirection there is type "redirect"',
  );
  const contentType = written.contentType.isThere
    ? written.contentType.choice([
        'text/plain',
        'text/css',
        'text/html',
        'application/javascript',
        'application/json',
      ])
    : 'text/plain';
  const messageBody = written.messageBody.isThere
    ? written.messageBody.parsed(
        (text) => (text.length <= 1024 ? text : undefined),
        'a text of at most 1024 characters',
      )
    : '';
  return statusCode === undefined || contentType === undefined || messageBody === undefined
    ? undefined
    : { type: 'fixed-response', statusCode, contentType, messageBody };
}

const OF_THE_REQUEST = {
  protocol: '#{protocol}',
  host: '#{host}',
  port: '#{port}',
  path: '/#{path}',
  query: '#{query}',
} as const;

function readRedirect(json: AlbJson): AlbAction | undefined {
  const written = json.members(['statusCode', 'protocol', 'host', 'port', 'path', 'query']);
  if (written === undefined) return undefined;
  const status = written.statusCode.choice(['HTTP_301', 'HTTP_302']);
  const part = (
    key: keyof typeof OF_THE_REQUEST,
    isRight: (text: string) => boolean,
    expected: string,
    hint?: string,
  ): string | undefined =>
    written[key].isThere
      ? written[key].parsed(
          (text) => (text === OF_THE_REQUEST[key] || isRight(text) ? text : undefined),
          expected,
          hint,
        )
      : OF_THE_REQUEST[key];
  const protocol = part(
    'protocol',
    (text) => text === 'HTTP' || text === 'HTTPS',
    'HTTP, HTTPS or #{protocol}',
  );
  const host = part(
    'host',
    (text) => text.length >= 1 && text.length <= 128,
    'a name of at most 128 characters',
  );
  const port = part(
    'port',
    (text) => parseInteger(text, 1, 65_535) !== undefined,
    'a port from 1 to 65535, or #{port}',
  );
  const path = part(
    'path',
    (text) => text.startsWith('/') && text.length <= 128,
    'a path that begins with "/", of at most 128 characters',
    'write it like /new or /new/#{path}',
  );
  const query = part(
    'query',
    (text) => !text.startsWith('?') && text.length <= 128,
    'a query without its "?", of at most 128 characters',
  );
  if (
    status === undefined ||
    protocol === undefined ||
    host === undefined ||
    port === undefined ||
    path === undefined ||
    query === undefined
  ) {
    return undefined;
  }
  const parts = { protocol, host, port, path };
  const isLoop = (Object.keys(parts) as (keyof typeof parts)[]).every(
    (key) => parts[key] === OF_THE_REQUEST[key],
  );
  if (isLoop) {
    json.wrong(
      'redirects every request to where it came from',
      'change the protocol, the host, the port or the path',
    );
    return undefined;
  }
  return { type: 'redirect', statusCode: status === 'HTTP_301' ? 301 : 302, ...parts, query };
}

function readForward(json: AlbJson): AlbAction | undefined {
  const written = json.members(['targetGroups', 'targetGroupStickinessConfig']);
  const groups = written?.targetGroups.elements();
  if (written === undefined || groups === undefined) return undefined;
  if (groups.length > MOST_TARGET_GROUPS) {
    written.targetGroups.wrong(
      `has ${groups.length} elements: a rule forwards to at most ${MOST_TARGET_GROUPS} target groups`,
    );
    return undefined;
  }
  const targetGroups = complete(groups.map((group) => readForwardTarget(group, groups.length)));
  let stickinessSeconds: number | undefined;
  if (written.targetGroupStickinessConfig.isThere) {
    const stickiness = written.targetGroupStickinessConfig.members(['enabled', 'durationSeconds']);
    const isEnabled = stickiness?.enabled.boolean();
    if (stickiness === undefined || isEnabled === undefined) return undefined;
    if (isEnabled) {
      stickinessSeconds = stickiness.durationSeconds.integer(1, STICKINESS_SECONDS);
      if (stickinessSeconds === undefined) return undefined;
    }
  }
  return targetGroups === undefined
    ? undefined
    : { type: 'forward', targetGroups, stickinessSeconds };
}

function readForwardTarget(json: AlbJson, groups: number): AlbForwardTarget | undefined {
  const written = json.members([
    'serviceName',
    'servicePort',
    'weight',
    'targetGroupARN',
    'targetGroupName',
  ]);
  if (written === undefined) return undefined;
  if (!areOfServices(written.targetGroupARN, written.targetGroupName)) return undefined;
  const service = written.serviceName.text();
  const port = written.servicePort.numberOrText();
  const weight = written.weight.isThere || groups > 1 ? written.weight.integer(0, MOST_WEIGHT) : 1;
  return service === undefined || port === undefined || weight === undefined
    ? undefined
    : { service, port, weight };
}

/** Reports `wrong-annotation` and `alb-without-effect`. */
export function readConditions(
  annotations: AlbAnnotations,
  word: string,
): readonly AlbCondition[] | undefined {
  const json = AlbJson.parse(
    annotations,
    word,
    `'[{"field": "http-header", "httpHeaderConfig": {"httpHeaderName": "X-Beta", "values": ["yes"]}}]'`,
  );
  return complete(json?.elements()?.map(readCondition));
}

const CONFIGS = {
  'host-header': 'hostHeaderConfig',
  'path-pattern': 'pathPatternConfig',
  'http-header': 'httpHeaderConfig',
  'http-request-method': 'httpRequestMethodConfig',
  'query-string': 'queryStringConfig',
  'source-ip': 'sourceIPConfig',
} as const;

const FIELDS = Object.keys(CONFIGS) as (keyof typeof CONFIGS)[];

function readCondition(json: AlbJson): AlbCondition | undefined {
  const written = json.members(['field', ...Object.values(CONFIGS)]);
  const field = written?.field.choice(FIELDS);
  if (written === undefined || field === undefined) return undefined;
  const config = written[CONFIGS[field]].members(['values', 'regexValues', 'httpHeaderName']);
  if (config === undefined) return undefined;
  if (config.regexValues.isThere) {
    config.regexValues.wrong(
      'are regular expressions, which Hoplab does not match',
      'give "values", in which * stands for any text and ? for any character',
    );
    return undefined;
  }
  switch (field) {
    case 'host-header':
    case 'path-pattern': {
      const values = readPatterns(config.values);
      return values === undefined ? undefined : { field, values };
    }
    case 'http-header': {
      const header = config.httpHeaderName.parsed(
        (text) =>
          /^[!#$%&'*+\-.^_`|~\w]{1,40}$/.test(text) && text.toLowerCase() !== 'host'
            ? text
            : undefined,
        'a name that a condition on headers can have',
        'for the header Host there is "host-header"',
      );
      const values = readPatterns(config.values);
      return header === undefined || values === undefined ? undefined : { field, header, values };
    }
    case 'http-request-method': {
      const values = config.values.texts(
        (text) => (/^[A-Z_-]{1,40}$/.test(text) ? text : undefined),
        'a method in capitals',
        'write it like GET',
      );
      return values === undefined ? undefined : { field, values };
    }
    case 'query-string': {
      const values = complete(
        config.values.elements()?.map((one) => {
          const pair = one.members(['key', 'value']);
          const value = pair?.value.parsed(nonEmpty, 'a text');
          const key = pair?.key.isThere === true ? pair.key.text() : undefined;
          return value === undefined ? undefined : { key, value };
        }),
      );
      return values === undefined ? undefined : { field, values };
    }
    case 'source-ip': {
      const values = config.values.texts(
        parseCidr,
        'an IPv4 CIDR block',
        'write it like 203.0.113.0/24',
      );
      return values === undefined ? undefined : { field, values };
    }
  }
}

function readPatterns(json: AlbJson): readonly string[] | undefined {
  return json.texts(
    (text) => (text !== '' && text.length <= 128 ? text : undefined),
    'a text of 1 to 128 characters',
  );
}

function nonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text;
}

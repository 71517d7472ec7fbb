/**
 * The load balancers of a lab as HAProxy's configuration: a frontend for each listener of each node, and for each node and
 * target group a backend whose health checks go out from that node.
 *
 * A change starts another HAProxy, which takes over what the first one knew of the targets (kernel/checking-haproxy.ts); the
 * first ends when the last request of its own has, or the deregistration delay is over.
 *
 * Where ELB says 502 and 504, HAProxy would say 503 for a target that refuses or does not answer: what went wrong is known
 * by how long it took.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 */

import { because } from '../base/because.ts';
import { Fragment } from '../kernel/fragment.ts';
import { checkingHaproxyDaemon, FIRST_LOG_FD, stateSettings } from '../kernel/checking-haproxy.ts';
import { digestOf, HAPROXY_GLOBAL } from '../kernel/daemon.ts';
import { accessLogPath, logOutcome, logRule, logSettings } from './alb-access-log.ts';
import type {
  Listener,
  ListenerRule,
  LoadBalancer,
  LoadBalancerNode,
  PathCondition,
  RuleAction,
} from './application-load-balancer.ts';
import { NOTHING_FITS, targetGroupsOf } from './application-load-balancer.ts';
import { conditionAcls, quoted, wildcards } from './rule-condition.ts';
import type { CheckedTarget, Target, TargetGroup } from './target-group.ts';

const HAPROXY = '/run/hoplab/alb';
/** Where it says how its servers are. */
export const HAPROXY_SOCKET = `${HAPROXY}.sock`;

/** Fixed. @see load-balancer-troubleshooting.html "HTTP 504" */
const CONNECT_SECONDS = 10;
/** How many addresses X-Forwarded-For may have. @see load-balancer-troubleshooting.html "HTTP 463" */
const MOST_FORWARDERS = 30;

export function planLoadBalancers(balancers: readonly LoadBalancer[]): Fragment {
  const fragment = new Fragment();
  if (balancers.length === 0) return fragment;
  const sockets = balancers.flatMap(({ nodes, listeners }) =>
    nodes.flatMap(({ netns }) =>
      listeners.map(({ port }) => ({ netns, protocol: 'tcp', port }) as const),
    ),
  );
  return fragment.add(
    because('application-load-balancer', 'lab'),
    ...checkingHaproxyDaemon(HAPROXY, renderConfig(balancers), {
      name: 'alb',
      sockets,
      logs: accessLogsOf(balancers),
    }),
  );
}

function accessLogsOf(balancers: readonly LoadBalancer[]): string[] {
  return balancers.flatMap((balancer) =>
    balancer.nodes.flatMap((node) =>
      balancer.accessLog === undefined ? [] : [accessLogPath(balancer, node, balancer.accessLog)],
    ),
  );
}

function renderConfig(balancers: readonly LoadBalancer[]): string {
  const [forAll, byDefault] = stateSettings(HAPROXY);
  const delays = balancers
    .flatMap(targetGroupsOf)
    .map(({ deregistrationDelaySeconds }) => deregistrationDelaySeconds);
  const head = [
    ...HAPROXY_GLOBAL,
    ...forAll,
    '    spread-checks 5',
    // What still runs then is answered 502. Without delay there is a moment all the same.
    `    hard-stop-after ${Math.max(1, ...delays)}s`,
    'defaults',
    ...byDefault,
    '    mode http',
    `    timeout connect ${CONNECT_SECONDS}s`,
    '    timeout http-request 60s',
    '    retries 0',
    '    option http-keep-alive',
    '    http-reuse safe',
    // A request whose client has gone is not waited for.
    '    option abortonclose',
  ];
  const logs = accessLogsOf(balancers);
  const parts = balancers.flatMap((balancer) =>
    balancer.nodes.flatMap((node) => [
      ...balancer.listeners.flatMap((listener) => renderFrontend(balancer, node, listener, logs)),
      ...targetGroupsOf(balancer).flatMap((group) => renderBackend(balancer, node, group)),
    ]),
  );
  return [...head, ...parts, ''].join('\n');
}

function renderFrontend(
  balancer: LoadBalancer,
  node: LoadBalancerNode,
  listener: Listener,
  /** Of all load balancers, in the order of their file descriptors. */
  logs: readonly string[],
): string[] {
  const { netns } = node;
  const { port, tls, rules } = listener;
  const { idleTimeoutSeconds, accessLog } = balancer;
  const groups = targetGroupsOf({ ...balancer, listeners: [listener] });
  const isSticky = rules.some(
    ({ action }) => action.kind === 'forward' && action.stickinessSeconds !== undefined,
  );
  const protocol = tls === undefined ? 'http' : 'https';
  const ordered = [...rules].sort((a, b) => a.priority - b.priority);
  const whole = '%[var(txn.xff)], %[src]';
  return [
    `frontend ${netns}:${port}`,
    `    bind :${port} namespace ${netns}${tls === undefined ? '' : ` ssl crt ${tls}`}`,
    `    timeout client ${idleTimeoutSeconds}s`,
    `    timeout http-keep-alive ${idleTimeoutSeconds}s`,
    '    http-request set-var(txn.begin) date(0,us)',
    ...(accessLog === undefined
      ? []
      : logSettings(
          balancer,
          accessLog,
          listener,
          FIRST_LOG_FD + logs.indexOf(accessLogPath(balancer, node, accessLog)),
        )),
    '    http-request return status 405 hdr server awselb/2.0 if METH_TRACE',
    `    http-request return status 463 hdr server awselb/2.0 if { req.hdr_cnt(x-forwarded-for) gt ${MOST_FORWARDERS} }`,
    '    http-request set-var(txn.xff) req.fhdr(x-forwarded-for)',
    `    http-request set-header X-Forwarded-For "${whole}" if { var(txn.xff) -m found }`,
    '    http-request set-header X-Forwarded-For %[src] unless { var(txn.xff) -m found }',
    `    http-request set-header X-Forwarded-Proto ${protocol}`,
    `    http-request set-header X-Forwarded-Port ${port}`,
    '    http-request set-header X-Amzn-Trace-Id "Root=1-%[uuid(),bytes(0,8)]-%[uuid(),regsub(-,,g),bytes(0,24)]" unless { req.hdr(x-amzn-trace-id) -m found }',
    ...(accessLog === undefined
      ? []
      : ['    http-request set-var(txn.trace) req.hdr(x-amzn-trace-id)']),
    '    http-request set-header Host %[req.hdr(host),lower]',
    '    http-request set-var(txn.host) req.hdr(host),field(1,:)',
    ...ordered.flatMap((rule, index) => renderRule(rule, index, accessLog !== undefined)),
    `    ${renderFixed(NOTHING_FITS)} unless ${TAKEN}`,
    // HAProxy's 503 is the target's fault where there was one.
    `    http-after-response set-status 504 if { status 503 } ${HAS_TARGETS} { date(0,us),sub(txn.begin) ge ${CONNECT_SECONDS}000000 }`,
    `    http-after-response set-status 502 if { status 503 } ${HAS_TARGETS}`,
    ...(isSticky ? renderGroupCookies() : []),
    ...(accessLog === undefined ? [] : logOutcome(groups, HAS_TARGETS)),
    ...renderUses(groups, node),
  ];
}

/** A request that has its rule meets no later one. */
const TAKEN = '{ var(txn.rule) -m found }';

/** Each rule has an ACL of its own; what is conditions of one kind is any of them. */
function renderRule(rule: ListenerRule, index: number, isLogged: boolean): string[] {
  const host = `host${index}`;
  const path = `path${index}`;
  const lines = [
    ...rule.hosts.map((name) => `    acl ${host} var(txn.host) ${hostMatch(name)}`),
    ...rule.paths.flatMap((one) => pathAcls(one).map((match) => `    acl ${path} ${match}`)),
    ...rule.conditions.flatMap((one, number) =>
      conditionAcls(one).map((match) => `    acl more${index}.${number} ${match}`),
    ),
  ];
  const conditions = [
    ...(rule.hosts.length === 0 ? [] : [host]),
    ...(rule.paths.length === 0 ? [] : [path]),
    ...rule.conditions.map((_, number) => `more${index}.${number}`),
  ];
  const when = conditions.length === 0 ? '' : ` if ${conditions.join(' ')}`;
  return [
    ...lines,
    `    http-request set-var(txn.rule) int(${index})${when === '' ? ` unless ${TAKEN}` : `${when} !${TAKEN}`}`,
    ...(isLogged ? logRule(rule.action, rule.priority, mineOf(index)) : []),
    ...renderAction(rule.action, index),
  ];
}

function mineOf(index: number): string {
  return `if { var(txn.rule) -m int ${index} }`;
}

function renderAction(action: RuleAction, index: number): string[] {
  const mine = mineOf(index);
  switch (action.kind) {
    case 'fixed':
      return [`    ${renderFixed(action)} ${mine}`];
    case 'redirect':
      return [
        `    http-request return status ${action.status} hdr server awselb/2.0 hdr location "${location(action.location)}" ${mine}`,
      ];
    case 'forward':
      return renderDeal(action, mine);
  }
}

/** Which target group a request is dealt to: the one of its cookie, whatever that one's weight is now, or one by weight. */
function renderDeal(
  { groups, stickinessSeconds }: Extract<RuleAction, { kind: 'forward' }>,
  mine: string,
): string[] {
  const take = (group: TargetGroup, when: string): string =>
    `    http-request set-var(txn.group) str(${group.name}) ${mine}${when}`;
  const total = groups.reduce((sum, { weight }) => sum + weight, 0);
  let below = 0;
  const dealt = groups.flatMap(({ group, weight }) => {
    below += weight;
    return weight === 0 ? [] : [take(group, ` { var(txn.deal) -m int lt ${below} } !${DEALT}`)];
  });
  const isSticky = stickinessSeconds !== undefined;
  return [
    ...(isSticky ? groups.map(({ group }) => take(group, ` ${hasCookieOf(group)}`)) : []),
    ...(total === 0
      ? []
      : groups.length === 1
        ? [take(groups[0].group, '')]
        : [`    http-request set-var(txn.deal) rand(${total}) ${mine}`, ...dealt]),
    ...(isSticky
      ? groups.map(
          ({ group }) =>
            `    http-request set-var(txn.stay) str(${digestOf(group.name)}) ${mine} ${isDealtTo(group)}`,
        )
      : []),
    ...(isSticky
      ? [`    http-request set-var(txn.stay_until) date(${stickinessSeconds}) ${mine}`]
      : []),
    ...groups
      .filter(({ group }) => group.targets.length > 0)
      .map(
        ({ group }) =>
          `    http-request set-var(txn.target) str(${group.name}) ${mine} ${isDealtTo(group)}`,
      ),
    ...(groups.every(({ group, weight }) => weight > 0 && group.targets.length > 0)
      ? []
      : [`    http-request return status 503 hdr server awselb/2.0 ${mine} !${HAS_TARGETS}`]),
  ];
}

/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/sticky-sessions.html */
const GROUP_COOKIE = 'AWSALBTG';
const DEALT = '{ var(txn.group) -m found }';
const HAS_TARGETS = '{ var(txn.target) -m found }';

function isDealtTo({ name }: TargetGroup): string {
  return `{ var(txn.group) -m str ${name} }`;
}

function hasCookieOf({ name }: TargetGroup): string {
  return `{ req.cook(${GROUP_COOKIE}) -m str ${digestOf(name)} }`;
}

/** A browser sends the second one from other sites' pages, too. */
function renderGroupCookies(): string[] {
  const cookie = (name: string, more: string): string =>
    `    http-after-response add-header Set-Cookie "${name}=%[var(txn.stay)]; Expires=%[var(txn.stay_until),http_date]; Path=/${more}" if { var(txn.stay) -m found }`;
  return [cookie(GROUP_COOKIE, ''), cookie(`${GROUP_COOKIE}CORS`, '; SameSite=None; Secure')];
}

/** HAProxy looks at these when all that a frontend says of a request is said. */
function renderUses(groups: readonly TargetGroup[], node: LoadBalancerNode): string[] {
  return groups
    .filter(({ targets }) => targets.length > 0)
    .flatMap((group) => {
      const backend = backendName(node, group);
      return [
        `    use_backend ${backend} if ${isDealtTo(group)} { nbsrv(${backend}) gt 0 }`,
        // All are unhealthy: all are used.
        `    use_backend ${backend}:open if ${isDealtTo(group)}`,
      ];
    });
}

function renderFixed(action: Extract<RuleAction, { kind: 'fixed' }>): string {
  const { status, contentType, body } = action;
  const text = body.replaceAll("'", `'\\''`);
  const content = body === '' ? '' : ` content-type ${contentType} string '${text}'`;
  return `http-request return status ${status} hdr server awselb/2.0${content}`;
}

function location(pattern: string): string {
  return pattern
    .replace('/#{path}?#{query}', '%[pathq]')
    .replaceAll('#{host}', '%[var(txn.host)]')
    .replaceAll('#{path}', '%[path,regsub(^/,)]')
    .replaceAll('#{query}', '%[query]');
}

function hostMatch(name: string): string {
  return /[*?]/.test(name) ? `-m reg -i ${quoted(`^${wildcards(name)}$`)}` : `-m str -i ${name}`;
}

function pathAcls({ kind, path }: PathCondition): string[] {
  switch (kind) {
    case 'pattern':
      return [`path -m reg ${quoted(`^${wildcards(path)}$`)}`];
    case 'exact':
      return [`path -m str ${path}`];
    case 'prefix': {
      const base = path.replace(/\/$/, '');
      return base === '' ? ['path -m beg /'] : [`path -m str ${base}`, `path -m beg ${base}/`];
    }
  }
}

function renderBackend(
  { idleTimeoutSeconds }: LoadBalancer,
  node: LoadBalancerNode,
  group: TargetGroup,
): string[] {
  const { targets, healthCheck, algorithm, stickinessSeconds } = group;
  if (targets.length === 0) return [];
  const { netns } = node;
  const backend = backendName(node, group);
  const {
    protocol: checkProtocol,
    path,
    port,
    intervalSeconds,
    timeoutSeconds,
    healthyThreshold,
    unhealthyThreshold,
  } = healthCheck;
  const statuses = healthCheck.successCodes.map(({ from, to }) =>
    from === to ? `${from}` : `${from}-${to}`,
  );
  const common = [
    `    balance ${algorithm === 'round_robin' ? 'roundrobin' : 'leastconn'}`,
    `    timeout server ${idleTimeoutSeconds}s`,
    ...(stickinessSeconds === undefined
      ? []
      : ['    cookie AWSALB insert indirect nocache maxlife ' + `${stickinessSeconds}s`]),
  ];
  const tls = group.protocol === 'HTTPS' ? ' ssl verify none' : '';
  const server = (target: Target, more: string): string => {
    const id = serverName(target);
    const cookie = stickinessSeconds === undefined ? '' : ` cookie ${digestOf(id)}`;
    return `    server ${id} ${target.address}:${target.port} namespace ${netns}${tls}${cookie}${more}`;
  };
  const check = [
    ' check',
    `inter ${intervalSeconds}s`,
    `rise ${healthyThreshold}`,
    `fall ${unhealthyThreshold}`,
    ...(port === undefined ? [] : [`port ${port}`]),
    ...(group.slowStartSeconds === 0 ? [] : [`slowstart ${group.slowStartSeconds}s`]),
    // Else the checks speak what the requests do, unless they go to a port of their own.
    checkProtocol === 'HTTPS' ? 'check-ssl verify none' : 'no-check-ssl',
  ].join(' ');
  return [
    `backend ${backend}`,
    ...common,
    `    timeout check ${timeoutSeconds}s`,
    '    option httpchk',
    `    http-check send meth GET uri ${path} ver HTTP/1.1 hdr host %[dst]:%[dst_port] hdr user-agent ELB-HealthChecker/2.0 hdr connection close`,
    `    http-check expect status ${statuses.join(',')}`,
    ...targets.map((target) => server(target, check)),
    `backend ${backend}:open`,
    ...common,
    ...targets.map((target) => server(target, '')),
  ];
}

/** Another address is another target, whoever has it. */
function serverName({ who, address, port }: Target): string {
  return `${who.replaceAll('/', ':')}:${address}:${port}`;
}

function backendName({ netns }: LoadBalancerNode, { name }: TargetGroup): string {
  return `${netns}:${name}`;
}

/** What the nodes check, for whoever asks the HAProxy how they are. */
export function checkedTargets(
  balancer: LoadBalancer,
  nodes: readonly LoadBalancerNode[],
): CheckedTarget[] {
  return targetGroupsOf(balancer).flatMap((group) =>
    group.targets.flatMap((target) =>
      nodes.map((node) => ({
        node,
        group: group.name,
        target,
        checkPort: group.healthCheck.port,
        stat: `${backendName(node, group)} ${serverName(target)}`,
      })),
    ),
  );
}

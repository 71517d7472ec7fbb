/**
 * Health checks of Network Load Balancers, and the proxies of those that speak proxy protocol: one HAProxy, which checks each
 * target from each node that may use it. What it finds is read from its statistics by host/nlb-targets.pl.
 *
 * @fidelity same - from every node, TCP or HTTP, thresholds, user agent, Host; simplified - each node checks as often as
 *   configured, while AWS's nodes check more often
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html
 */

import { because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { checkingHaproxyDaemon, stateSettings } from '../kernel/checking-haproxy.ts';
import { HAPROXY_GLOBAL, kill, restartedDaemon } from '../kernel/daemon.ts';
import { changingRecords, type DnsRecord, hostsFile, pidFileOf } from '../kernel/name-server.ts';
import type { Programs } from '../kernel/server.ts';
import type { LoadBalancerNode } from './application-load-balancer.ts';
import type { CheckedTarget } from './target-group.ts';
import {
  type NetworkLoadBalancer,
  type NlbListener,
  type NlbTarget,
  slotMap,
  slotsOf,
  usableTargets,
} from './network-load-balancer.ts';

const HAPROXY = '/run/hoplab/nlb';
/** Where it says how its servers are. */
export const NLB_HAPROXY_SOCKET = `${HAPROXY}.sock`;
const PROGRAM = '/run/hoplab/nlb-targets.pl';
const CONFIG = '/run/hoplab/nlb-targets.conf';
const PID = '/run/hoplab/nlb-targets.pid';

interface At {
  readonly balancer: NetworkLoadBalancer;
  readonly node: LoadBalancerNode;
  readonly listener: NlbListener;
}

/** The records of a name server that lead to nodes of load balancers. */
export interface AnswersOf {
  readonly server: NetnsName;
  readonly records: readonly DnsRecord[];
}

export function planNlbHealth(
  balancers: readonly NetworkLoadBalancer[],
  answers: readonly AnswersOf[],
  programs: Programs,
): Fragment {
  const fragment = new Fragment();
  if (balancers.length === 0) return fragment;
  const all = balancers.flatMap((balancer) =>
    balancer.nodes.flatMap((node) =>
      balancer.listeners.map((listener): At => ({ balancer, node, listener })),
    ),
  );
  const sockets = all
    .filter(({ listener }) => listener.targetGroup.proxyProtocol)
    .map(({ node, listener }) => ({
      netns: node.netns,
      protocol: 'tcp' as const,
      port: listener.port,
    }));
  const content = [...all.map(renderGroup), ...answers.map(renderAnswers)].join('');
  const why = because('network-load-balancer', 'lab');
  return fragment.add(
    why,
    ...checkingHaproxyDaemon(HAPROXY, renderHaproxy(all), { name: 'nlb', sockets, logs: [] }),
    { kind: 'file', path: PROGRAM, content: programs.nlbTargets },
    { kind: 'file', path: CONFIG, content },
    restartedDaemon({
      name: 'nlb-targets',
      pidFile: PID,
      command: `perl ${PROGRAM} ${CONFIG} ${PID}`,
      reads: programs.nlbTargets + content,
      stop: kill(PID),
      sockets: [],
    }),
  );
}

function backendOf({ node, listener }: At): string {
  return `${node.netns}:${slotMap(listener)}`;
}

function serverOf({ who, port }: NlbTarget): string {
  return `${who.replaceAll('/', ':')}:${port}`;
}

/** What nlb-targets.pl reads; a proxy has no slots. */
function renderGroup(at: At): string {
  const { balancer, node, listener } = at;
  const { protocol, targetGroup: group } = listener;
  const backend = backendOf(at);
  const slots = group.proxyProtocol ? '- 0' : `${slotMap(listener)} ${slotsOf(group)}`;
  const targets = usableTargets(balancer, node, group).map(
    (target) => `target ${backend} ${serverOf(target)} ${target.address} ${target.port}\n`,
  );
  return [
    `group ${backend} ${balancer.name} ${node.netns} ${protocol} ${slots}\n`,
    ...targets,
  ].join('');
}

function renderAnswers({ server, records }: AnswersOf): string {
  const lines = changingRecords(records).map(
    ({ name, address, node }) => `name ${server} ${node} ${address} ${name}\n`,
  );
  return lines.length === 0
    ? ''
    : [`server ${server} ${hostsFile(server)} ${pidFileOf(server)}\n`, ...lines].join('');
}

function renderHaproxy(all: readonly At[]): string {
  const [forAll, byDefault] = stateSettings(HAPROXY);
  return [
    ...HAPROXY_GLOBAL,
    ...forAll,
    '    spread-checks 5',
    // A proxied connection to who was deregistered goes on; an old process must end some day.
    '    hard-stop-after 3600s',
    'defaults',
    ...byDefault,
    '    mode tcp',
    '    retries 0',
    ...all.flatMap(renderBackend),
    ...all.filter(({ listener }) => listener.targetGroup.proxyProtocol).flatMap(renderProxy),
    '',
  ].join('\n');
}

function renderBackend(at: At): string[] {
  const { balancer, node, listener } = at;
  const { targetGroup: group } = listener;
  const { healthCheck } = group;
  const { protocol, path, intervalSeconds, timeoutSeconds } = healthCheck;
  const statuses = healthCheck.successCodes.map(({ from, to }) =>
    from === to ? `${from}` : `${from}-${to}`,
  );
  const { address } = node.eni.addresses[0];
  const check = [
    'check',
    `inter ${intervalSeconds}s`,
    `rise ${healthCheck.healthyThreshold}`,
    `fall ${healthCheck.unhealthyThreshold}`,
    ...(healthCheck.port === undefined ? [] : [`port ${healthCheck.port}`]),
    ...(protocol === 'HTTPS' ? ['check-ssl verify none'] : []),
    ...(group.proxyProtocol ? ['send-proxy-v2', 'check-send-proxy'] : []),
  ].join(' ');
  return [
    `backend ${backendOf(at)}`,
    `    balance ${group.isSticky ? 'source' : 'random'}`,
    `    timeout connect ${timeoutSeconds}s`,
    `    timeout check ${timeoutSeconds}s`,
    `    timeout server ${balancer.idleTimeoutSeconds}s`,
    ...(protocol === 'TCP'
      ? []
      : [
          '    option httpchk',
          `    http-check send meth GET uri ${path} ver HTTP/1.1 hdr host ${address}:${listener.port} hdr user-agent ELB-HealthChecker/2.0 hdr connection close`,
          `    http-check expect status ${statuses.join(',')}`,
        ]),
    ...usableTargets(balancer, node, group).map(
      (target) =>
        `    server ${serverOf(target)} ${target.address}:${target.port} namespace ${node.netns} ${check}`,
    ),
  ];
}

function renderProxy(at: At): string[] {
  const { balancer, node, listener } = at;
  const backend = backendOf(at);
  return [
    `frontend ${backend}:in`,
    `    bind :${listener.port} namespace ${node.netns}`,
    `    timeout client ${balancer.idleTimeoutSeconds}s`,
    `    use_backend ${backend} if { nbsrv(${backend}) gt 0 }`,
    // All are unhealthy: all are used.
    `    default_backend ${backend}:open`,
    `backend ${backend}:open`,
    '    balance random',
    '    timeout connect 10s',
    `    timeout server ${balancer.idleTimeoutSeconds}s`,
    ...usableTargets(balancer, node, listener.targetGroup).map(
      (target) =>
        `    server ${serverOf(target)} ${target.address}:${target.port} namespace ${node.netns} send-proxy-v2`,
    ),
  ];
}

/** What the nodes check, for whoever asks the HAProxy how they are. */
export function checkedBy(
  balancer: NetworkLoadBalancer,
  nodes: readonly LoadBalancerNode[],
): CheckedTarget[] {
  return nodes.flatMap((node) =>
    balancer.listeners.flatMap((listener) =>
      usableTargets(balancer, node, listener.targetGroup).map((target) => ({
        node,
        group: listener.targetGroup.name,
        target,
        checkPort: listener.targetGroup.healthCheck.port,
        stat: `${backendOf({ balancer, node, listener })} ${serverOf(target)}`,
      })),
    ),
  );
}

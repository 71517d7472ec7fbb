/**
 * Access log: an entry for each request that a load balancer got, in the format that AWS puts into a bucket.
 *
 * HAProxy writes the line itself, into a file for each node below `/run/hoplab/s3`, at once and for ever: where AWS delivers
 * a compressed file every five minutes, this one grows.
 *
 * @fidelity same - the fields up to classification_reason, 460 where the client leaves first; simplified - one file a node;
 *   what is no HTTP at all is not logged, and nothing is classified
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html "Access log entries"
 */

import { sha256Hex } from '../base/hash.ts';
import type {
  AccessLog,
  Listener,
  LoadBalancer,
  LoadBalancerNode,
  RuleAction,
} from './application-load-balancer.ts';
import type { TargetGroup } from './target-group.ts';

const BUCKETS = '/run/hoplab/s3';
const ACCOUNT = '123456789012';
const REGION = 'us-east-1';

/** @see load-balancer-access-logs.html "Access log files" */
export function accessLogPath(
  { dnsName }: LoadBalancer,
  { eni }: LoadBalancerNode,
  { bucket, prefix }: AccessLog,
): string {
  const { address, elastic } = eni.addresses[0];
  const id = loadBalancerId(dnsName).replaceAll('/', '.');
  const directory = ['AWSLogs', ACCOUNT, 'elasticloadbalancing', REGION];
  const file = `${ACCOUNT}_elasticloadbalancing_${REGION}_${id}_${elastic ?? address}.log`;
  return [BUCKETS, bucket, ...(prefix === undefined ? [] : [prefix]), ...directory, file].join('/');
}

/** `app/web/50dc6c495c0c9188`. */
function loadBalancerId(dnsName: string): string {
  const name = dnsName.replace(/^internal-/, '').replace(/-\d+\..*$/, '');
  return `app/${name}/${sha256Hex(`app/${name}`).slice(0, 16)}`;
}

function targetGroupArn({ name }: TargetGroup): string {
  const id = sha256Hex(`targetgroup/${name}`).slice(0, 16);
  return `arn:aws:elasticloadbalancing:${REGION}:${ACCOUNT}:targetgroup/${name}/${id}`;
}

/** Microseconds since the epoch as `2018-07-02T22:23:00.186641Z`. */
function iso(us: string): string {
  return `%[${us},div(1000000),utime(%Y-%m-%dT%H:%M:%S)].%[${us},mod(1000000),add(1000000),regsub(^1,)]Z`;
}

/** What is between two moments, as `0.086`. */
function seconds(from: string, to: string): string {
  const us = `var(txn.${to}),sub(txn.${from})`;
  return `%[${us},div(1000000)].%[${us},mod(1000000),div(1000),add(1000),regsub(^1,)]`;
}

/** What is known before any rule: the lines at the beginning of a frontend. */
export function logSettings(
  { dnsName }: LoadBalancer,
  { certificateArn = '-' }: AccessLog,
  { port, tls }: Listener,
  fd: number,
): string[] {
  const isTls = tls !== undefined;
  const type = isTls ? 'https' : 'http';
  const fields = [
    ...[type, iso('date(0,us)'), loadBalancerId(dnsName), '%ci:%cp', '%[var(txn.peer)]'],
    ...['%[var(txn.time1)]', '%[var(txn.time2)]', '%[var(txn.time3)]'],
    ...['%[var(txn.status)]', '%[var(txn.target_status)]', '%U', '%B'],
    ...[String.raw`\"%{+E}[var(txn.request)]\"`, String.raw`\"%{+E}[var(txn.agent)]\"`],
    ...['%sslc', '%sslv', '%[var(txn.arn)]', String.raw`\"%{+E}[var(txn.trace)]\"`],
    ...[isTls ? String.raw`\"%[ssl_fc_sni]\"` : String.raw`\"-\"`],
    String.raw`\"${isTls ? certificateArn : '-'}\"`,
    ...['%[var(txn.priority)]', iso('var(txn.begin)')],
    ...[String.raw`\"%[var(txn.action)]\"`, String.raw`\"%{+E}[var(txn.redirect)]\"`],
    ...[String.raw`\"-\"`, String.raw`\"%[var(txn.peer)]\"`],
    ...[String.raw`\"%[var(txn.target_status)]\"`, String.raw`\"-\"`, String.raw`\"-\"`],
  ];
  const url = `${type}://%[req.hdr(host),field(1,:),lower]:${port}%[pathq]`;
  return [
    // HAProxy says of itself on the same way that it ends, but not as loudly.
    `    log fd@${fd} len 8192 format raw local0 alert`,
    `    log-format "${fields.join(' ')}"`,
    '    http-request set-log-level alert',
    // Whoever leaves before there is an answer leaves this.
    '    http-request set-var(txn.status) int(460)',
    ...[1, 2, 3].map((number) => `    http-request set-var(txn.time${number}) str(-1)`),
    '    http-request set-var(txn.priority) int(0)',
    '    http-request set-var(txn.action) str(fixed-response)',
    '    http-request set-var(txn.agent) req.fhdr(user-agent)',
    `    http-request set-var-fmt(txn.request) "%[method] ${url} HTTP/%[req.ver]"`,
  ];
}

/** What a rule does that a request has met; `mine` says so. */
export function logRule(action: RuleAction, priority: number, mine: string): string[] {
  const words = { forward: 'forward', fixed: 'fixed-response', redirect: 'redirect' } as const;
  const [only, ...others] = action.kind === 'forward' ? action.groups : [];
  return [
    `    http-request set-var(txn.priority) int(${priority}) ${mine}`,
    `    http-request set-var(txn.action) str(${words[action.kind]}) ${mine}`,
    // An answer of the load balancer's own ends the rules, and a group may be one without targets.
    ...(only === undefined || others.length > 0
      ? []
      : [`    http-request set-var(txn.arn) str(${targetGroupArn(only.group)}) ${mine}`]),
  ];
}

/** Whom a request goes to, and what comes back: the lines at the end of a frontend, behind those that change the status. */
export function logOutcome(groups: readonly TargetGroup[], hasTargets: string): string[] {
  const isHeard = '{ var(txn.heard) -m found }';
  return [
    ...groups.map(
      (group) =>
        `    http-request set-var(txn.arn) str(${targetGroupArn(group)}) if { var(txn.target) -m str ${group.name} }`,
    ),
    `    http-request set-var(txn.sent) date(0,us) if ${hasTargets}`,
    '    http-response set-var(txn.heard) date(0,us)',
    '    http-response set-var(txn.target_status) status',
    // The name of a server ends with its address.
    `    http-after-response set-var-fmt(txn.peer) "%[srv_name,field(-2,:)]:%[srv_name,field(-1,:)]" if ${hasTargets} { srv_name -m found }`,
    '    http-after-response set-var(txn.status) status',
    // HAProxy would answer 400 to who is not there any more.
    `    http-after-response set-var(txn.status) int(460) if { status 400 } ${hasTargets} !{ var(txn.target_status) -m found }`,
    '    http-after-response set-var(txn.redirect) res.fhdr(location) if { var(txn.action) -m str redirect }',
    '    http-after-response set-var(txn.end) date(0,us)',
    `    http-after-response set-var-fmt(txn.time1) "${seconds('begin', 'sent')}" if { var(txn.sent) -m found }`,
    `    http-after-response set-var-fmt(txn.time2) "${seconds('sent', 'heard')}" if ${isHeard}`,
    `    http-after-response set-var-fmt(txn.time3) "${seconds('heard', 'end')}" if ${isHeard}`,
  ];
}

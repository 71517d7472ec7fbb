/**
 * A target's health as a load balancer's own checks see it now, in the words of describe-target-health.
 *
 * @fidelity same - states, reasons, descriptions; simplified - each node of a load balancer has its own say, where AWS puts
 *   them together; one that fails its first check is unhealthy at once
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html "Target health status"
 */

import type { ServerCheck, ServerStat } from './haproxy-stat.ts';

export interface TargetHealth {
  readonly state: 'initial' | 'healthy' | 'unhealthy' | 'draining';
  /** None for a healthy one. */
  readonly reason?: string;
  readonly description?: string;
  /** What the last check met with, in plain words. */
  readonly seen?: string;
}

export const DRAINING: TargetHealth = {
  state: 'draining',
  reason: 'Target.DeregistrationInProgress',
  description: 'Target deregistration is in progress',
};

/** Undefined for one that nobody checks. */
export function targetHealth({ isUp, check }: ServerStat): TargetHealth | undefined {
  if (check === undefined) return undefined;
  // A new one is down before its first check.
  if (check.status === 'INI') {
    return {
      state: 'initial',
      reason: 'Elb.InitialHealthChecking',
      description: 'Initial health checks in progress',
    };
  }
  if (isUp) return { state: 'healthy' };
  return { state: 'unhealthy', ...reasonOf(check), seen: seenIn(check) };
}

/** @see HAProxy management guide 9.1 "check_status" */
function reasonOf({ status, code }: ServerCheck): { reason: string; description: string } {
  // It comes back, and has not passed as many as it needs.
  if (status.endsWith('OK')) {
    return { reason: 'Target.FailedHealthChecks', description: 'Health checks failed' };
  }
  if (code !== undefined && status.startsWith('L7')) {
    return {
      reason: 'Target.ResponseCodeMismatch',
      description: `Health checks failed with these codes: [${code}]`,
    };
  }
  return status.endsWith('TOUT')
    ? { reason: 'Target.Timeout', description: 'Request timed out' }
    : { reason: 'Target.FailedHealthChecks', description: 'Health checks failed' };
}

function seenIn({ status, code, text }: ServerCheck): string {
  if (status === 'L4TOUT') return 'connection timed out';
  if (status === 'L6TOUT') return 'TLS handshake timed out';
  if (status === 'L7TOUT') return 'no answer in time';
  if (status.endsWith('OK')) return `passed the last check, ${code ?? text}`;
  return code === undefined ? text : `${code} ${text}`;
}

/**
 * Target group: whom a load balancer hands requests to, and how it knows that they are well.
 *
 * @fidelity same - health checks from every node of the load balancer, thresholds, matcher, algorithm, stickiness, fail-open
 *   (where all are unhealthy all are used); simplified - a new target is in use until its first check has failed
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
 */

import type { Ipv4 } from '../base/ip.ts';

export interface HealthCheck {
  readonly path: string;
  /** Undefined: the port that traffic goes to. */
  readonly port: number | undefined;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  /** Any of them is a status of somebody who is well. */
  readonly successCodes: readonly StatusRange[];
}

/** Both ends are in it. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

export function isSuccess(
  { successCodes }: Pick<HealthCheck, 'successCodes'>,
  status: number,
): boolean {
  return successCodes.some(({ from, to }) => status >= from && status <= to);
}

export interface Target {
  readonly address: Ipv4;
  readonly port: number;
  /** Who it is, as the user names it: `pod/web-1`, `node/node-1`. */
  readonly who: string;
}

export interface TargetGroup {
  readonly name: string;
  readonly targetType: 'ip' | 'instance';
  readonly protocol: 'HTTP' | 'HTTPS';
  readonly healthCheck: HealthCheck;
  readonly algorithm: 'round_robin' | 'least_outstanding_requests';
  /** How long the cookie lasts; undefined without stickiness. */
  readonly stickinessSeconds: number | undefined;
  /** In which a target that has come back gets more and more; 0 for none. */
  readonly slowStartSeconds: number;
  readonly targets: readonly Target[];
}

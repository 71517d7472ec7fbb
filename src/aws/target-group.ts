/**
 * Target group: whom a load balancer hands requests to, and how it knows that they are well.
 *
 * A target that leaves gets nothing new; a request that it has in flight may end within the deregistration delay, and is
 * answered 502 then. A new one gets requests when it has passed its first check.
 *
 * @fidelity same - health checks from every node of the load balancer, thresholds, matcher, algorithm, stickiness, fail-open
 *   (where all are unhealthy all are used), deregistration; simplified - where all targets are new they are used at once; a
 *   new one whose first check fails is unhealthy, and comes back like any other; after a change of any target the longest
 *   delay of all holds for every request that is in flight then
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
 */

import type { Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';

export interface HealthCheck {
  /** The targets themselves may speak the other one. */
  readonly protocol: 'HTTP' | 'HTTPS';
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
  /** How long requests in flight may go on when their target leaves. */
  readonly deregistrationDelaySeconds: number;
  readonly targets: readonly Target[];
}

/** A target as one node of a load balancer checks it. */
export interface CheckedTarget {
  readonly node: { readonly netns: NetnsName; readonly eni: { readonly thing: string } };
  readonly group: string;
  readonly target: Target;
  readonly checkPort: number | undefined;
  /** `BACKEND SERVER`, as the HAProxy that checks it has it. */
  readonly stat: string;
}

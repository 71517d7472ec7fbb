/**
 * What an Application Load Balancer does with a request: the rule that fits, a target that is well, and a connection of its
 * own to it. What the target does, or does not, comes back as a status.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
 */

import { fittingRule, type LoadBalancer, NOTHING_FITS } from '../aws/application-load-balancer.ts';
import type { RuleRequest } from '../aws/rule-condition.ts';
import type { HealthCheck, Target, TargetGroup } from '../aws/target-group.ts';
import type { SourceRef } from '../base/diagnostic.ts';

/** One answer of the load balancer's own, or a target to ask. */
export type Choice =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly because: string;
      readonly at: SourceRef;
    }
  | {
      readonly kind: 'target';
      readonly group: TargetGroup;
      readonly targets: readonly [Target, ...Target[]];
      readonly because: string;
      readonly at: SourceRef;
    };

/** `isWell` says what a health check from this node finds. */
export function chooseTargets(
  balancer: LoadBalancer,
  reference: string,
  request: RuleRequest & { readonly port: number },
  isWell: (target: Target, check: HealthCheck) => boolean,
  /** Which of so many that are as likely as each other, as far as it matters. */
  pick: (of: number) => number,
): Choice | undefined {
  const listener = balancer.listeners.find(({ port }) => port === request.port);
  if (listener === undefined) return undefined;
  const rule = fittingRule(listener, request);
  const what = `${request.host}${request.path}`;
  if (rule === undefined) {
    const because = `${reference} has no rule for ${what}`;
    return { kind: 'answer', status: NOTHING_FITS.status, because, at: balancer.at };
  }
  const { action, at } = rule;
  switch (action.kind) {
    case 'fixed':
      return {
        kind: 'answer',
        status: action.status,
        because: `a rule of ${reference} answers ${what} itself`,
        at,
      };
    case 'redirect':
      return {
        kind: 'answer',
        status: action.status,
        because: `a rule of ${reference} sends ${what} elsewhere`,
        at,
      };
    case 'forward': {
      const dealt = action.groups.filter(({ weight }) => weight > 0);
      const group = dealt[pick(dealt.length)]?.group;
      if (group === undefined) {
        const because = `all target groups of a rule of ${reference} have weight 0`;
        return { kind: 'answer', status: 503, because, at };
      }
      const well = group.targets.filter((target) => isWell(target, group.healthCheck));
      const [first, ...others] = well.length > 0 ? well : group.targets;
      if (first === undefined) {
        const because = `target group ${group.name} of ${reference} has no targets`;
        return { kind: 'answer', status: 503, because, at };
      }
      const many = others.length === 0 ? 'its one target' : `one of ${others.length + 1} targets`;
      const state = well.length > 0 ? '' : ', of which none is healthy';
      const because = `${reference} sends ${what} to ${many} of target group ${group.name}${state}`;
      return { kind: 'target', group, targets: [first, ...others], because, at };
    }
  }
}

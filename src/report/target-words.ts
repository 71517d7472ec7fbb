/** What the nodes of a load balancer say of a target, in a word or two: each of them checks for itself. */

import type { Target } from '../aws/target-group.ts';
import type { TargetReport } from './balancer.ts';

/** `healthy`, `unhealthy`, or `healthy at 1 of 2 nodes`. */
export function targetWords(
  reports: readonly TargetReport[],
  group: string,
  target: Target,
): string {
  const states = reports
    .filter((one) => one.group === group && one.address === `${target.address}:${target.port}`)
    .map(({ health }) => health?.state ?? 'unknown');
  const [first = 'unknown', ...others] = states;
  if (others.every((state) => state === first)) return first;
  const well = states.filter((state) => state === HEALTHY).length;
  return `${HEALTHY} at ${well} of ${states.length} nodes`;
}

export const HEALTHY = 'healthy';

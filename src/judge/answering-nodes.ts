/** Which nodes of a Network Load Balancer its name leads to: where none of a zone's targets is well, others are told. */

import { type NetworkLoadBalancer, usableTargets } from '../aws/network-load-balancer.ts';
import type { NetnsName } from '../base/names.ts';
import type { Cloud } from '../cloud.ts';
import { isWell } from './judge.ts';

/** @see network-load-balancers.html "DNS failover"; where all are unwell, all stay */
export function answeringNodes(cloud: Cloud, balancer: NetworkLoadBalancer): Set<NetnsName> {
  const answering = balancer.nodes.filter((node) =>
    balancer.listeners.every(({ targetGroup }) =>
      usableTargets(balancer, node, targetGroup).some((target) =>
        isWell(cloud, node.eni.thing, target, targetGroup.healthCheck),
      ),
    ),
  );
  const those = answering.length > 0 ? answering : balancer.nodes;
  return new Set(those.map(({ netns }) => netns));
}

/**
 * What the nodes of a load balancer say of their targets now: how its HAProxy finds them, and, of those that have left, which
 * connections still bring them requests.
 */

import { backendName, HAPROXY_SOCKET, serverName } from '../aws/alb-haproxy.ts';
import {
  type LoadBalancer,
  type LoadBalancerNode,
  targetGroupsOf,
} from '../aws/application-load-balancer.ts';
import type { Cloud } from '../cloud.ts';
import { run } from '../host/exec.ts';
import { enter, type Sandbox } from '../host/sandbox.ts';
import { parseHaproxyStat } from '../observe/haproxy-stat.ts';
import { DRAINING, targetHealth } from '../observe/target-health.ts';
import type { TargetReport } from '../report/balancer.ts';

export async function askForTargets(
  { things }: Pick<Cloud, 'things'>,
  balancer: LoadBalancer,
  nodes: readonly LoadBalancerNode[],
  sandbox: Sandbox,
): Promise<TargetReport[]> {
  const [said = '', ...connections] = (
    await run(
      enter(sandbox, [
        'sh',
        '-c',
        [
          `echo 'show stat' | socat -t 5 - UNIX-CONNECT:${HAPROXY_SOCKET} 2>/dev/null`,
          ...nodes.map(({ netns }) => `printf '\\036'; ip netns exec ${netns} ss -Htn`),
        ].join('\n'),
      ]),
    )
  ).stdout.split('\u001E');
  const stats = new Map(
    parseHaproxyStat(said).map((stat) => [`${stat.backend} ${stat.server}`, stat] as const),
  );
  const groups = targetGroupsOf(balancer);
  const registered = groups.flatMap((group) =>
    group.targets.flatMap((target) =>
      nodes.map((node): TargetReport => {
        const stat = stats.get(`${backendName(node, group)} ${serverName(target)}`);
        return {
          node: node.eni.thing,
          group: group.name,
          who: target.who,
          address: `${target.address}:${target.port}`,
          health: stat === undefined ? undefined : targetHealth(stat),
        };
      }),
    ),
  );
  const ports = balancer.listeners.map(({ port }) => port);
  const known = new Set(
    groups.flatMap(({ targets, healthCheck }) =>
      targets.flatMap(({ address, port }) => [
        `${address}:${port}`,
        `${address}:${healthCheck.port ?? port}`,
      ]),
    ),
  );
  const draining = nodes.flatMap((node, index) => {
    const left = new Set(
      peers(connections[index] ?? '', ports).filter((address) => !known.has(address)),
    );
    return [...left].map((address): TargetReport => {
      const [host] = address.split(':');
      const who = [...things.values()].find((one) => one.address === host)?.reference ?? '';
      return { node: node.eni.thing, group: undefined, who, address, health: DRAINING };
    });
  });
  return [...registered, ...draining];
}

/** Whom a node is connected to, but for those who have come to its listeners: `STATE RECV-Q SEND-Q LOCAL PEER`. */
function peers(ss: string, listeners: readonly number[]): string[] {
  return ss.split('\n').flatMap((line) => {
    const [state, , , local = '', peer = ''] = line.trim().split(/\s+/);
    const isOurs = listeners.includes(Number(local.split(':').at(-1)));
    return state === 'ESTAB' && !isOurs ? [peer] : [];
  });
}

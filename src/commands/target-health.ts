/**
 * What the nodes of a load balancer say of their targets now: how its HAProxy finds them, and, of those that have left, which
 * connections still bring them requests.
 */

import { checkedTargets, HAPROXY_SOCKET } from '../aws/alb-haproxy.ts';
import type { LoadBalancer, LoadBalancerNode } from '../aws/application-load-balancer.ts';
import type { NetworkLoadBalancer } from '../aws/network-load-balancer.ts';
import { checkedBy, NLB_HAPROXY_SOCKET } from '../aws/nlb-health.ts';
import type { CheckedTarget } from '../aws/target-group.ts';
import type { Cloud } from '../cloud.ts';
import { run } from '../host/exec.ts';
import { enter, type Sandbox } from '../host/sandbox.ts';
import { parseHaproxyStat } from '../observe/haproxy-stat.ts';
import { DRAINING, targetHealth } from '../observe/target-health.ts';
import type { TargetReport } from '../report/balancer.ts';

export async function askForTargets(
  cloud: Pick<Cloud, 'things'>,
  balancer: LoadBalancer,
  nodes: readonly LoadBalancerNode[],
  sandbox: Sandbox,
): Promise<TargetReport[]> {
  const ports = balancer.listeners.map(({ port }) => port);
  return ask(cloud, HAPROXY_SOCKET, checkedTargets(balancer, nodes), nodes, ports, sandbox);
}

/** Whom connections still lead to that has left is in the nodes' connection tracking. */
export async function askForNlbTargets(
  cloud: Pick<Cloud, 'things'>,
  balancer: NetworkLoadBalancer,
  nodes: readonly LoadBalancerNode[],
  sandbox: Sandbox,
): Promise<TargetReport[]> {
  return ask(cloud, NLB_HAPROXY_SOCKET, checkedBy(balancer, nodes), nodes, [], sandbox);
}

/** Of all load balancers: `alb/web`, `nlb/web`. */
export async function askForAllTargets(
  cloud: Pick<Cloud, 'things' | 'loadBalancers' | 'networkLoadBalancers'>,
  sandbox: Sandbox,
): Promise<Map<string, TargetReport[]>> {
  return new Map(
    await Promise.all([
      ...cloud.loadBalancers.map(async (one) => {
        const reports = await askForTargets(cloud, one, one.nodes, sandbox);
        return [`alb/${one.name}`, reports] as const;
      }),
      ...cloud.networkLoadBalancers.map(async (one) => {
        const reports = await askForNlbTargets(cloud, one, one.nodes, sandbox);
        return [`nlb/${one.name}`, reports] as const;
      }),
    ]),
  );
}

async function ask(
  { things }: Pick<Cloud, 'things'>,
  socket: string,
  checked: readonly CheckedTarget[],
  nodes: readonly LoadBalancerNode[],
  ports: readonly number[],
  sandbox: Sandbox,
): Promise<TargetReport[]> {
  const [said = '', ...connections] = (
    await run(
      enter(sandbox, [
        'sh',
        '-c',
        [
          `echo 'show stat' | socat -t 5 - UNIX-CONNECT:${socket} 2>/dev/null`,
          ...nodes.map(({ netns }) => `printf '\\036'; ip netns exec ${netns} ss -Htn`),
        ].join('\n'),
      ]),
    )
  ).stdout.split('\u001E');
  const stats = new Map(
    parseHaproxyStat(said).map((stat): [string, typeof stat] => [
      `${stat.backend} ${stat.server}`,
      stat,
    ]),
  );
  const registered = checked.map(({ node, group, target, stat: name }): TargetReport => {
    const stat = stats.get(name);
    return {
      node: node.eni.thing,
      group,
      who: target.who,
      address: `${target.address}:${target.port}`,
      health: stat === undefined ? undefined : targetHealth(stat),
    };
  });
  const known = new Set(
    checked.flatMap(({ target: { address, port }, checkPort }) => [
      `${address}:${port}`,
      `${address}:${checkPort ?? port}`,
    ]),
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

/**
 * What conntrack is made to forget when datagrams are to be translated otherwise: flows to an endpoint that is gone, and,
 * where nobody was there before, flows that were not translated at all. A connection of TCP ends by itself.
 *
 * @see kubernetes v1.31 pkg/proxy/conntrack/cleanup.go CleanStaleEntries
 */

import type { NetnsName } from '../base/names.ts';
import { type Command, inNetns } from './command.ts';
import type { Step } from './diff.ts';
import type { UdpFlow } from './state.ts';

/** After the rules: what comes in between is translated anew. A new namespace remembers nothing. */
export function renderForgottenFlows(
  steps: readonly Step[],
  born: ReadonlySet<NetnsName>,
): Command[] {
  const forget = new Map<NetnsName, { words: string[]; because: Step['planned']['because'] }>();
  for (const step of steps) {
    const { object, because } = step.planned;
    if (object.kind !== 'udp-flow' || born.has(object.netns)) continue;
    const entry = forget.get(object.netns) ?? { words: [], because };
    entry.words.push(...staleFlows(step, object));
    forget.set(object.netns, entry);
  }
  return [...forget].flatMap(([netns, { words, because }]) =>
    words.length === 0
      ? []
      : [
          {
            phase: 4,
            netns,
            // It fails where there was nothing to forget.
            shell: `${inNetns(netns)} sh -c '${words.map((one) => `conntrack -D -p udp ${one}`).join('; ')}; :' >/dev/null 2>&1`,
            because,
          },
        ],
  );
}

function staleFlows(step: Step, flow: UdpFlow): string[] {
  const { address, port } = flow;
  const to = `${address === undefined ? '' : `-d ${address} `}--dport ${port}`;
  const before =
    step.action === 'change' && step.before.kind === 'udp-flow'
      ? step.before.endpoints
      : step.action === 'remove'
        ? flow.endpoints
        : [];
  const after = step.action === 'remove' ? [] : flow.endpoints;
  if (before.length === 0) return after.length === 0 ? [] : [to];
  return before
    .filter((endpoint) => !after.includes(endpoint))
    .map((endpoint) => {
      const [host = '', hostPort = ''] = endpoint.split(':');
      return `${to} --reply-src ${host} --reply-port-src ${hostPort}`;
    });
}

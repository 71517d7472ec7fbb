/**
 * The source ports of probes, each given out once: a port does not come back for over two minutes, also in another run.
 * An unanswered connection lives that long in conntrack (tcp_timeout_syn_sent, 120 s), and its next packet would be
 * translated as the first one was, whatever the rules are by then.
 *
 * Where a run begins follows the clock, so that runs in a row do not begin at the same port. One that takes more than the
 * clock has moved on meanwhile overlaps the next, but asks each of its questions from another port than the one before.
 */

import type { PortRange } from '../aws/ip-permission.ts';

/** Below are a node's ports of services, above what the kernel itself gives out last. */
const FIRST_PORT = 33_000;
const PORTS = 27_000;
export const LAST_PORT = FIRST_PORT + PORTS - 1;
const PORTS_PER_SECOND = 200;

let next = Math.floor((Date.now() / 1000) * PORTS_PER_SECOND);

/** So many ports in a row. */
export function takePorts(count: number): PortRange {
  // A row does not go round the end.
  const left = PORTS - (next % PORTS);
  if (left < count) next += left;
  const from = FIRST_PORT + (next % PORTS);
  next += count;
  return { from, to: from + count - 1 };
}

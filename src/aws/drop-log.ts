/**
 * The log of denied packets: which security group, network ACL, network policy or check let a packet go no further. What VPC flow logs
 * say as REJECT, here with the rule that rejected, at once, and a line for each packet.
 *
 * Kernel: each rule that denies logs to an NFLOG group of its netns (the VPC's, a node's) first, with its reason. One process for the whole
 * lab (`host/drop-log.pl`) has bound the group in each of these, and appends a line for each packet to a file that is
 * bounded. What is lost when it can't keep up is counted in the file; the counters of the rules always count everything.
 *
 * @fidelity invented - AWS says which packets were rejected (flow logs, after minutes), not by what
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html "action"
 */

import { because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { kill, restartedDaemon } from '../kernel/daemon.ts';
import { Fragment } from '../kernel/fragment.ts';
import type { Programs } from '../kernel/server.ts';

/** Also in `host/drop-log.pl`. Group 0 is what programs take that ask for none. */
const GROUP = 1;
/** The longest IPv4 header (60 bytes) and the longest TCP header (60). */
const HEAD_BYTES = 128;
/** @see linux/include/net/netfilter/nf_log.h NF_LOG_PREFIXLEN, which counts a closing zero */
export const MAX_REASON_BYTES = 127;

/** The start of a rule that denies: the packet is logged with the reason, each one at once. As `nft` prints it. */
export function logged(reason: string): string {
  const prefix = reason.slice(0, MAX_REASON_BYTES);
  return `log prefix "${prefix}" group ${GROUP} snaplen ${HEAD_BYTES} queue-threshold 1`;
}

/** @see linux/include/uapi/linux/netfilter/xt_NFLOG.h xt_nflog_info, which counts a closing zero */
const MAX_IPTABLES_REASON_BYTES = 63;

/** The same for a rule of iptables, which does nothing else. As `iptables-save` prints it. */
export function logIptables(reason: string): string {
  const prefix = reason.slice(0, MAX_IPTABLES_REASON_BYTES);
  return `-j NFLOG --nflog-prefix "${prefix}" --nflog-group ${GROUP} --nflog-size ${HEAD_BYTES} --nflog-threshold 1`;
}

export const DROP_LOG = '/run/hoplab/drops.log';
/** A named pipe: whose path is written into it, that file is made once all is in the log that was denied before. */
export const DROP_LOG_FLUSH = '/run/hoplab/drops.flush';

const PROGRAM = '/run/hoplab/drop-log.pl';
const PID_FILE = '/run/hoplab/drop-log.pid';

/** In the namespaces where something is denied: the VPCs', and those of nodes with network policies. */
export function planDropLog(
  places: readonly NetnsName[],
  { dropLog: content }: Pick<Programs, 'dropLog'>,
): Fragment {
  const fragment = new Fragment();
  if (places.length === 0) return fragment;
  const words = `${PID_FILE} ${DROP_LOG} ${DROP_LOG_FLUSH} ${places.join(' ')}`;
  return fragment.add(
    because('drop-log', 'lab'),
    { kind: 'file', path: PROGRAM, content },
    restartedDaemon({
      name: 'drop-log',
      pidFile: PID_FILE,
      command: `perl ${PROGRAM} ${words}`,
      reads: content + words,
      stop: kill(PID_FILE),
      sockets: places.map((netns) => ({ netns, protocol: 'nflog', port: GROUP })),
    }),
  );
}

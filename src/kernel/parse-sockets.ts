/** What `/proc/net/tcp`, `udp` and `netfilter/nfnetlink_log` say: the ports and groups that somebody listens on. */

/** TCP_LISTEN; a UDP socket that takes datagrams from anybody is in TCP_CLOSE. @see linux/include/net/tcp_states.h */
const STATE = { tcp: '0A', udp: '07' } as const;

/** `tcp 8080`, `udp 53`, whatever the address. */
export function parseSockets(protocol: 'tcp' | 'udp', lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    if (state !== STATE[protocol]) return [];
    return [`${protocol} ${Number.parseInt(local.slice(local.indexOf(':') + 1), 16)}`];
  });
}

/** `nflog 1`: the groups of rules that log which a process has bound. @see linux/net/netfilter/nfnetlink_log.c seq_show */
export function parseLogGroups(lines: readonly string[]): string[] {
  return lines.map((line) => `nflog ${Number.parseInt(line, 10)}`);
}

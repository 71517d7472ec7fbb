/** What `/proc/net/tcp` and `/proc/net/udp` say: the ports that somebody listens on. */

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

/** What `/proc/net/tcp` and then `/proc/net/udp` say: the ports that somebody listens on. */

/** TCP_LISTEN; a UDP socket that takes datagrams from anybody is in TCP_CLOSE. @see linux/include/net/tcp_states.h */
const STATE = { tcp: '0A', udp: '07' } as const;

/** `tcp 8080`, `udp 53`, whatever the address. */
export function parseSockets(text: string): Set<string> {
  const ports = new Set<string>();
  let protocol: keyof typeof STATE | undefined;
  for (const line of text.split('\n')) {
    const [first, local = '', , state] = line.trim().split(/\s+/);
    // Each of the two begins with a line of headers.
    if (first === 'sl') protocol = protocol === undefined ? 'tcp' : 'udp';
    else if (protocol !== undefined && state === STATE[protocol]) {
      ports.add(`${protocol} ${Number.parseInt(local.slice(local.indexOf(':') + 1), 16)}`);
    }
  }
  return ports;
}

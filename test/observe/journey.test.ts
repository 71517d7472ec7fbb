import t from 'tap';
import { ipv4 } from '../../src/base/ip.ts';
import { answers, firstPacket, sightings } from '../../src/observe/journey.ts';
import type { Capture, Sighting } from '../../src/observe/journey.ts';
import type { IcmpHeader, Packet, TcpHeader } from '../../src/observe/pcap.ts';

const POD = ipv4('10.0.1.10');
const NODE = ipv4('10.0.1.5');
const SERVICE = ipv4('172.20.0.10');
const SERVER = ipv4('10.0.2.20');

const bytes = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value));

const base: Packet = {
  timeMs: 0,
  ifindex: 1,
  direction: 'in',
  protocol: 'other',
  source: POD,
  destination: SERVER,
  sourcePort: 0,
  destinationPort: 0,
  ttl: 64,
  ipId: 1,
  fragmentOffset: 0,
  moreFragments: false,
  lengthBytes: 60,
  tcp: undefined,
  icmp: undefined,
  payload: bytes(''),
};

const NO_FLAGS = { acknowledgement: 0, syn: false, ack: false, fin: false, rst: false };

function tcp(timeMs: number, header: Partial<TcpHeader>, more: Partial<Packet> = {}): Packet {
  return {
    ...base,
    timeMs,
    protocol: 'tcp',
    sourcePort: 40000,
    destinationPort: 80,
    ...more,
    tcp: { sequence: 100, ...NO_FLAGS, ...header },
  };
}

function udp(timeMs: number, payload: string, more: Partial<Packet> = {}): Packet {
  return {
    ...base,
    timeMs,
    protocol: 'udp',
    sourcePort: 40000,
    destinationPort: 53,
    lengthBytes: 28 + payload.length,
    payload: bytes(payload),
    ...more,
  };
}

function icmp(
  timeMs: number,
  header: Partial<IcmpHeader>,
  payload: string,
  more: Partial<Packet> = {},
): Packet {
  return {
    ...base,
    timeMs,
    protocol: 'icmp',
    lengthBytes: 28 + payload.length,
    payload: bytes(payload),
    ...more,
    icmp: { type: 8, code: 0, identifier: 5, sequence: 1, ...header },
  };
}

const captured = (place: string, ...packets: Packet[]): Capture => ({
  place,
  links: new Map([
    [1, 'eth0'],
    [2, 'eth1'],
  ]),
  packets,
});

const LEAVES = { direction: 'out' } as const;
const ROUTED = { direction: 'out', ifindex: 2, ttl: 63 } as const;

/** What the node makes of the pod's packet to the service: another destination and another source. */
const TRANSLATED = { source: NODE, sourcePort: 1024, destination: SERVER, destinationPort: 8080 };
const TO_SERVICE = { destination: SERVICE };
const BACK = {
  source: SERVER,
  sourcePort: 8080,
  destination: NODE,
  destinationPort: 1024,
};
const BACK_TRANSLATED = {
  source: SERVICE,
  sourcePort: 53,
  destination: POD,
  destinationPort: 40000,
};

/** A line a sighting, as a person would read a journey. */
const lines = (seen: readonly Sighting[]): string[] =>
  seen.map(({ place, link, packet }) => {
    const { timeMs, direction, source, sourcePort, destination, destinationPort } = packet;
    const ends = `${source}:${sourcePort} > ${destination}:${destinationPort}`;
    return `${timeMs} ${place} ${link} ${direction} ${ends}`;
  });

t.test(
  'a SYN is followed through NAT, in time order whatever the order of the captures',
  async (t) => {
    const syn = tcp(1, { syn: true }, { ...LEAVES, ...TO_SERVICE });
    const atNode = tcp(2, { syn: true }, TO_SERVICE);
    const translated = tcp(3, { syn: true }, { ...ROUTED, ...TRANSLATED });
    const atServer = tcp(4, { syn: true }, { ...TRANSLATED, ttl: 63, ifindex: 9 });
    const captures = [
      captured('server', atServer),
      captured('node', atNode, translated),
      captured('pod', syn),
    ];
    t.strictSame(sightings(captures, syn), [
      { place: 'pod', link: 'eth0', packet: syn },
      { place: 'node', link: 'eth0', packet: atNode },
      { place: 'node', link: 'eth1', packet: translated },
      { place: 'server', link: 'if9', packet: atServer },
    ]);
  },
);

t.test('a retransmitted SYN adds only the places that the first one did not reach', async (t) => {
  const syn = tcp(1, { syn: true }, LEAVES);
  const captures = [
    captured('pod', syn, tcp(1001, { syn: true }, LEAVES)),
    captured(
      'node',
      tcp(2, { syn: true }),
      tcp(1002, { syn: true }),
      tcp(1003, { syn: true }, ROUTED),
    ),
  ];
  t.strictSame(lines(sightings(captures, syn)), [
    '1 pod eth0 out 10.0.1.10:40000 > 10.0.2.20:80',
    '2 node eth0 in 10.0.1.10:40000 > 10.0.2.20:80',
    '1003 node eth1 out 10.0.1.10:40000 > 10.0.2.20:80',
  ]);
});

t.test('two hops in one microsecond are ordered by their TTL', async (t) => {
  const syn = tcp(1, { syn: true }, LEAVES);
  const captures = [
    captured('server', tcp(1, { syn: true }, { ttl: 63 })),
    captured('pod', syn),
    captured('node', tcp(1, { syn: true })),
  ];
  t.strictSame(
    sightings(captures, syn).map(({ place }) => place),
    ['pod', 'node', 'server'],
  );
});

t.test('segments differ by numbers, flags and whether they carry data', async (t) => {
  const handshake = tcp(1, { ack: true, acknowledgement: 9 });
  const others = [
    tcp(2, { ack: true, acknowledgement: 9 }, { payload: bytes('GET /') }),
    tcp(2, { ack: true, acknowledgement: 10 }),
    tcp(2, { ack: true, acknowledgement: 9, sequence: 101 }),
    tcp(2, { ack: false, acknowledgement: 9 }),
    tcp(2, { ack: true, acknowledgement: 9, syn: true }),
    tcp(2, { ack: true, acknowledgement: 9, fin: true }),
    tcp(2, { ack: true, acknowledgement: 9, rst: true }),
    udp(2, ''),
  ];
  t.strictSame(sightings([captured('pod', handshake), captured('node', ...others)], handshake), [
    { place: 'pod', link: 'eth0', packet: handshake },
  ]);
});

t.test(
  'an echo request is followed by sequence and payload, also where NAT changes its identifier',
  async (t) => {
    const ping = icmp(1, {}, 'stamp-1', LEAVES);
    const captures = [
      captured(
        'node',
        icmp(2, {}, 'stamp-1'),
        icmp(3, { identifier: 99 }, 'stamp-1', { ...ROUTED, source: NODE }),
        icmp(4, { type: 0 }, 'stamp-1', { source: SERVER, destination: NODE }),
        icmp(5, { sequence: 2 }, 'stamp-1', { source: SERVICE }),
        icmp(6, {}, 'stamp-2', { source: SERVICE }),
        icmp(7, {}, 'stamp-10', { source: SERVICE }),
      ),
      captured('pod', ping),
    ];
    t.strictSame(lines(sightings(captures, ping)), [
      '1 pod eth0 out 10.0.1.10:0 > 10.0.2.20:0',
      '2 node eth0 in 10.0.1.10:0 > 10.0.2.20:0',
      '3 node eth1 out 10.0.1.5:0 > 10.0.2.20:0',
    ]);
  },
);

t.test(
  'an ICMP error and a protocol without ports are followed by the IP identification',
  async (t) => {
    const error = icmp(1, { type: 3, code: 3 }, 'quoted', LEAVES);
    const sameError = icmp(2, { type: 3, code: 3 }, 'QUOTED');
    const otherError = icmp(3, { type: 3, code: 3 }, 'quoted', { ipId: 2 });
    const otherCode = icmp(4, { type: 3, code: 1 }, 'quoted');
    const tunnel = { ...base, timeMs: 5, payload: bytes('esp') };
    const otherTunnel = { ...tunnel, timeMs: 6, ipId: 2, source: NODE };
    const captures = [
      captured('node', error),
      captured('pod', otherError, otherCode, sameError, otherTunnel, tunnel),
    ];
    t.strictSame(sightings(captures, error), [
      { place: 'node', link: 'eth0', packet: error },
      { place: 'pod', link: 'eth0', packet: sameError },
    ]);
    t.strictSame(sightings(captures, tunnel), [{ place: 'pod', link: 'eth0', packet: tunnel }]);
  },
);

t.test('a packet that is fragmented on its way is followed by its first fragment', async (t) => {
  const whole = udp(1, 'a long payload', LEAVES);
  const head = udp(2, 'a long ', { ...ROUTED, moreFragments: true });
  const rest = udp(3, 'payload', { ...ROUTED, fragmentOffset: 16 });
  const captures = [captured('pod', whole), captured('node', head, rest)];
  t.strictSame(sightings(captures, whole), [
    { place: 'pod', link: 'eth0', packet: whole },
    { place: 'node', link: 'eth1', packet: head },
  ]);
  t.strictSame(sightings(captures, rest), []);
});

t.test(
  'a datagram is not the longer one that begins like it, but one of which less was captured',
  async (t) => {
    const hi = udp(1, 'hi there', LEAVES);
    const captures = [
      captured('pod', hi),
      captured('node', udp(2, 'hi'), udp(3, 'hi', { lengthBytes: 36 })),
    ];
    t.strictSame(lines(sightings(captures, hi)), [
      '1 pod eth0 out 10.0.1.10:40000 > 10.0.2.20:53',
      '3 node eth0 in 10.0.1.10:40000 > 10.0.2.20:53',
    ]);
  },
);

t.test('a server that echoes: the datagram and its answer are two journeys', async (t) => {
  const request = udp(1, 'token', { ...LEAVES, ...TO_SERVICE });
  const captures = [
    captured(
      'node',
      udp(2, 'token', TO_SERVICE),
      udp(3, 'token', { ...ROUTED, ...TRANSLATED }),
      udp(5, 'token', { ...BACK, ifindex: 2 }),
      udp(6, 'token', { ...LEAVES, ...BACK_TRANSLATED }),
    ),
    captured(
      'pod',
      udp(0, 'token', { ...LEAVES, source: NODE }),
      request,
      udp(7, 'token', BACK_TRANSLATED),
    ),
    captured('server', udp(4, 'token', TRANSLATED), udp(4.5, 'token', { ...LEAVES, ...BACK })),
  ];
  t.strictSame(lines(sightings(captures, request)), [
    '1 pod eth0 out 10.0.1.10:40000 > 172.20.0.10:53',
    '2 node eth0 in 10.0.1.10:40000 > 172.20.0.10:53',
    '3 node eth1 out 10.0.1.5:1024 > 10.0.2.20:8080',
    '4 server eth0 in 10.0.1.5:1024 > 10.0.2.20:8080',
  ]);
  t.strictSame(lines(answers(captures, request)), [
    '4.5 server eth0 out 10.0.2.20:8080 > 10.0.1.5:1024',
    '5 node eth1 in 10.0.2.20:8080 > 10.0.1.5:1024',
    '6 node eth0 out 172.20.0.10:53 > 10.0.1.10:40000',
    '7 pod eth0 in 172.20.0.10:53 > 10.0.1.10:40000',
  ]);
});

t.test(
  'what came before a datagram, a fragment or another protocol is no answer to it',
  async (t) => {
    const request = udp(5, 'ask', LEAVES);
    const swap = { source: SERVER, sourcePort: 53, destination: POD, destinationPort: 40000 };
    const captures = [
      captured(
        'pod',
        udp(4, 'before', swap),
        request,
        udp(5.5, 'ask', LEAVES),
        udp(6, 'fragment', { ...swap, fragmentOffset: 8 }),
        tcp(7, { ack: true }, swap),
        udp(8, 'answer', swap),
        udp(9, 'second', swap),
      ),
      captured('elsewhere', udp(8, 'answer', swap)),
    ];
    t.strictSame(lines(answers(captures, request)), [
      '8 pod eth0 in 10.0.2.20:53 > 10.0.1.10:40000',
    ]);
  },
);

t.test(
  'a SYN is answered by a SYN-ACK or RST that acknowledges it, also past 32 bits',
  async (t) => {
    const back = { source: SERVER, destination: POD };
    const cases: [string, Packet, boolean][] = [
      ['SYN-ACK', tcp(2, { syn: true, ack: true, acknowledgement: 0 }, back), true],
      ['RST', tcp(2, { rst: true, ack: true, acknowledgement: 0 }, back), true],
      ['another number', tcp(2, { syn: true, ack: true, acknowledgement: 1 }, back), false],
      ['a mere ACK', tcp(2, { ack: true, acknowledgement: 0 }, back), false],
      ['no ACK', tcp(2, { syn: true, acknowledgement: 0 }, back), false],
      ['before the SYN', tcp(0, { syn: true, ack: true, acknowledgement: 0 }, back), false],
      ['an echo reply', icmp(2, { type: 0 }, '', back), false],
    ];
    const syn = tcp(1, { syn: true, sequence: 0xffffffff }, LEAVES);
    for (const [title, packet, isAnswer] of cases) {
      const expected = isAnswer ? [{ place: 'pod', link: 'eth0', packet }] : [];
      t.strictSame(answers([captured('pod', syn, packet)], syn), expected, title);
    }
  },
);

t.test('only the SYN of a connection is answered', async (t) => {
  const data = tcp(1, { ack: true });
  const ack = tcp(2, { syn: true, ack: true, acknowledgement: 101 });
  t.strictSame(answers([captured('pod', data, ack)], data), []);
});

t.test('an answer is seen wherever it went, of two transmissions the first', async (t) => {
  const syn = tcp(1, { syn: true }, LEAVES);
  const header = { sequence: 7, syn: true, ack: true, acknowledgement: 101 };
  const sent = { ...LEAVES, ...BACK };
  const captures = [
    captured('pod', syn, tcp(4, header, BACK_TRANSLATED)),
    captured('other-node', tcp(3, header, BACK)),
    captured('server', tcp(2, header, sent), tcp(1002, header, sent)),
  ];
  t.strictSame(lines(answers(captures, syn)), [
    '2 server eth0 out 10.0.2.20:8080 > 10.0.1.5:1024',
    '3 other-node eth0 in 10.0.2.20:8080 > 10.0.1.5:1024',
    '4 pod eth0 in 172.20.0.10:53 > 10.0.1.10:40000',
  ]);
});

t.test('an echo request is answered by the reply with its sequence and payload', async (t) => {
  const ping = icmp(1, {}, 'stamp-1', LEAVES);
  const back = { source: SERVER, destination: POD };
  const reply = icmp(3, { type: 0 }, 'stamp-1', back);
  const captures = [
    captured(
      'pod',
      ping,
      icmp(2, { type: 0 }, 'stamp-2', back),
      icmp(2, { type: 0, sequence: 2 }, 'stamp-1', back),
      icmp(2, { type: 3 }, 'stamp-1', back),
      reply,
    ),
  ];
  t.strictSame(answers(captures, ping), [{ place: 'pod', link: 'eth0', packet: reply }]);
  t.strictSame(answers(captures, reply), []);
});

t.test(
  'the first packet of a TCP flow is its SYN, the earliest of the range of ports',
  async (t) => {
    const early = tcp(2, { syn: true, sequence: 1 }, { sourcePort: 50001 });
    const late = tcp(3, { syn: true, sequence: 2 }, { sourcePort: 50002 });
    const captures = [
      captured('node', late, tcp(1, { ack: true }, { sourcePort: 50001 })),
      captured('pod', early, tcp(1, { syn: true, ack: true })),
    ];
    const flow = { protocol: 'tcp', source: POD } as const;
    t.strictSame(firstPacket(captures, flow), early);
    t.strictSame(firstPacket(captures, { ...flow, payloadContains: 'x' }), early);
    t.strictSame(firstPacket(captures, { ...flow, sourcePorts: { from: 50002, to: 50009 } }), late);
    t.strictSame(firstPacket(captures, { ...flow, sourcePorts: { from: 1, to: 50001 } }), early);
    t.strictSame(
      firstPacket(captures, { ...flow, sourcePorts: { from: 1, to: 50000 } }),
      undefined,
    );
    t.strictSame(
      firstPacket(captures, { ...flow, destination: SERVER, destinationPort: 80 }),
      early,
    );
    t.strictSame(firstPacket(captures, { ...flow, destination: SERVICE }), undefined);
    t.strictSame(firstPacket(captures, { ...flow, destinationPort: 81 }), undefined);
    t.strictSame(firstPacket(captures, { ...flow, source: NODE }), undefined);
  },
);

t.test('the first packet of a UDP or ICMP flow may be asked for by what it carries', async (t) => {
  const first = udp(2, 'ask token-1');
  const second = udp(3, 'ask token-2');
  const fragment = udp(1, 'token-2', { fragmentOffset: 8 });
  const ping = icmp(4, {}, 'token-2');
  const reply = icmp(3, { type: 0 }, 'token-2');
  const captures = [captured('pod', second, fragment, first, ping, reply)];
  const flow = { protocol: 'udp', source: POD } as const;
  t.strictSame(firstPacket(captures, flow), first);
  t.strictSame(firstPacket(captures, { ...flow, payloadContains: 'token-2' }), second);
  const echo = { protocol: 'icmp', source: POD } as const;
  t.strictSame(firstPacket(captures, { ...echo, destinationPort: 80 }), ping);
  t.strictSame(firstPacket(captures, { ...echo, payloadContains: 'token-2' }), ping);
  t.strictSame(firstPacket(captures, { ...echo, payloadContains: 'token-3' }), undefined);
});

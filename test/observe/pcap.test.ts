import t from 'tap';
import { ipv4, toNumber } from '../../src/base/ip.ts';
import { decodePcap } from '../../src/observe/pcap.ts';

type Bytes = readonly number[];

const u16 = (value: number): Bytes => [(value >> 8) & 0xff, value & 0xff];
const u32 = (value: number): Bytes => [...u16(value >>> 16), ...u16(value & 0xffff)];
const text = (value: string): Bytes => [...Buffer.from(value)];
const bytes = (value: string): Uint8Array => Uint8Array.from(text(value));

const POD = ipv4('10.0.1.10');
const SERVER = ipv4('10.0.2.20');

function ip(
  protocol: number,
  content: Bytes,
  header: { fragment?: number; totalBytes?: number; options?: Bytes } = {},
): Bytes {
  const { fragment = 0x4000, options = [] } = header;
  const headerBytes = 20 + options.length;
  return [
    ...[0x40 + headerBytes / 4, 0],
    ...u16(header.totalBytes ?? headerBytes + content.length),
    ...u16(0x1234),
    ...u16(fragment),
    ...[63, protocol, 0, 0],
    ...u32(toNumber(POD)),
    ...u32(toNumber(SERVER)),
    ...options,
    ...content,
  ];
}

const udp = (payload: Bytes): Bytes => [
  ...u16(40000),
  ...u16(53),
  ...u16(8 + payload.length),
  ...u16(0),
  ...payload,
];

const tcp = (flags: number, options: Bytes, payload: Bytes = []): Bytes => [
  ...u16(40000),
  ...u16(80),
  ...u32(0xfffffffe),
  ...u32(7),
  ...[(5 + options.length / 4) << 4, flags],
  ...[0xff, 0xff, 0, 0, 0, 0],
  ...options,
  ...payload,
];

const icmp = (type: number, code: number, rest: Bytes, payload: Bytes): Bytes => [
  ...[type, code, 0, 0],
  ...rest,
  ...payload,
];

const sll2 = (content: Bytes, packetType = 0, protocol = 0x0800): Bytes => [
  ...u16(protocol),
  ...[0, 0],
  ...u32(7),
  ...u16(1),
  ...[packetType, 6],
  ...[0x0a, 1, 2, 3, 4, 5, 0, 0],
  ...content,
];

const ethernet = (content: Bytes, protocol = 0x0800): Bytes => [
  ...[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2],
  ...u16(protocol),
  ...content,
];

/** As a capture of one machine is written: every frame at the same time, 1700000000 s and 250 ms. */
function pcap(
  frames: readonly Bytes[],
  file: { bigEndian?: boolean; nanoseconds?: boolean; linkType?: number } = {},
): Uint8Array {
  const { bigEndian = false, nanoseconds = false, linkType = 276 } = file;
  const u = (value: number): Bytes => (bigEndian ? u32(value) : u32(value).toReversed());
  const version = bigEndian ? [0, 2, 0, 4] : [2, 0, 4, 0];
  return Uint8Array.from([
    ...u(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4),
    ...version,
    ...[u(0), u(0), u(256), u(linkType)].flat(),
    ...frames.flatMap((frame) => [
      ...u(1700000000),
      ...u(nanoseconds ? 250_000_000 : 250_000),
      ...[...u(frame.length), ...u(frame.length)],
      ...frame,
    ]),
  ]);
}

const outer = {
  timeMs: 1700000000250,
  ifindex: 7,
  direction: 'in',
  source: POD,
  destination: SERVER,
  ttl: 63,
  ipId: 0x1234,
  fragmentOffset: 0,
  moreFragments: false,
};

const datagram = {
  ...outer,
  protocol: 'udp',
  sourcePort: 40000,
  destinationPort: 53,
  lengthBytes: 30,
  tcp: undefined,
  icmp: undefined,
  payload: bytes('hi'),
};

const noPorts = { sourcePort: 0, destinationPort: 0, tcp: undefined };

t.test('both byte orders and both units of time read the same', async (t) => {
  for (const bigEndian of [false, true]) {
    for (const nanoseconds of [false, true]) {
      const file = pcap([sll2(ip(17, udp(text('hi'))))], { bigEndian, nanoseconds });
      t.strictSame(decodePcap(file), [datagram]);
    }
  }
});

t.test('microseconds are the fraction of timeMs', async (t) => {
  const file = pcap([sll2(ip(17, udp(text('hi'))))]);
  new DataView(file.buffer).setUint32(28, 123_456, true);
  t.strictSame(decodePcap(file), [{ ...datagram, timeMs: 1700000000123.456 }]);
});

t.test('a Buffer that begins inside its memory reads like an array of its own', async (t) => {
  const file = Buffer.concat([Buffer.alloc(3), pcap([sll2(ip(17, udp(text('hi'))))])]);
  t.strictSame(decodePcap(file.subarray(3)), [datagram]);
});

t.test('the packet type of a cooked frame is the direction', async (t) => {
  const frames = [0, 1, 2, 3, 4, 5].map((type) => sll2(ip(17, udp([])), type));
  t.strictSame(
    decodePcap(pcap(frames)).map(({ direction }) => direction),
    ['in', 'in', 'in', 'other', 'out', 'other'],
  );
});

t.test(
  'an Ethernet capture says neither interface nor direction, and its padding is no payload',
  async (t) => {
    const padding = Array.from({ length: 16 }, () => 0);
    const frame = ethernet([...ip(17, udp(text('hi'))), ...padding]);
    t.strictSame(decodePcap(pcap([frame], { linkType: 1 })), [
      { ...datagram, ifindex: 0, direction: 'other' },
    ]);
  },
);

t.test(
  'a SYN has its MSS behind whatever option comes first, and sequence numbers are unsigned',
  async (t) => {
    const options = [1, 1, 4, 2, 2, 4, ...u16(8961), 1, 3, 3, 7];
    t.strictSame(decodePcap(pcap([sll2(ip(6, tcp(0x02, options)))])), [
      {
        ...outer,
        protocol: 'tcp',
        sourcePort: 40000,
        destinationPort: 80,
        lengthBytes: 52,
        tcp: {
          sequence: 0xfffffffe,
          acknowledgement: 7,
          syn: true,
          ack: false,
          fin: false,
          rst: false,
          mss: 8961,
        },
        icmp: undefined,
        payload: bytes(''),
      },
    ]);
  },
);

t.test('options of TCP that end, break off or have no length give no MSS', async (t) => {
  const broken = [
    [0, 2, 4, 9],
    [9, 0, 2, 4],
    [1, 1, 1, 2],
    [1, 2, 4, 9],
    [1, 1, 1, 1],
  ];
  const packets = decodePcap(pcap(broken.map((options) => sll2(ip(6, tcp(0x12, options))))));
  t.strictSame(
    packets.map(({ tcp }) => tcp),
    broken.map(() => ({
      sequence: 0xfffffffe,
      acknowledgement: 7,
      syn: true,
      ack: true,
      fin: false,
      rst: false,
    })),
  );
});

t.test('the payload of a segment begins after the options of both headers', async (t) => {
  const options = [1, 1, 1, 1];
  const packet = ip(6, tcp(0x15, options, text('GET /')), { options });
  const [decoded] = decodePcap(pcap([sll2(packet)]));
  t.strictSame(decoded?.payload, bytes('GET /'));
  t.strictSame(decoded?.tcp, {
    sequence: 0xfffffffe,
    acknowledgement: 7,
    syn: false,
    ack: true,
    fin: true,
    rst: true,
  });
});

t.test('an echo request has identifier and sequence, its payload comes after them', async (t) => {
  const echo = icmp(8, 0, [...u16(77), ...u16(3)], text('abc'));
  t.strictSame(decodePcap(pcap([sll2(ip(1, echo))])), [
    {
      ...outer,
      ...noPorts,
      protocol: 'icmp',
      lengthBytes: 31,
      icmp: { type: 8, code: 0, identifier: 77, sequence: 3 },
      payload: bytes('abc'),
    },
  ]);
});

t.test('an ICMP error quotes the packet that it is about', async (t) => {
  const ends = { source: POD, destination: SERVER };
  const ports = { sourcePort: 40000, destinationPort: 53 };
  const none = { sourcePort: 0, destinationPort: 0 };
  const errors = [
    icmp(3, 4, [0, 0, ...u16(1500)], ip(17, udp([]))),
    icmp(11, 0, u32(0), ip(6, tcp(2, []).slice(0, 8))),
    icmp(3, 1, u32(0), ip(1, icmp(8, 0, u32(1), []))),
    icmp(3, 1, u32(0), ip(17, udp([]), { fragment: 185 })),
    icmp(3, 1, u32(0), ip(17, [])),
    icmp(3, 1, u32(0), [1, 2, 3]),
    icmp(5, 1, u32(0), ip(17, udp([]))),
  ];
  const header = { identifier: 0, sequence: 0 };
  t.strictSame(
    decodePcap(pcap(errors.map((error) => sll2(ip(1, error))))).map((packet) => packet.icmp),
    [
      { type: 3, code: 4, ...header, quoted: { protocol: 'udp', ...ends, ...ports } },
      {
        type: 11,
        code: 0,
        ...header,
        quoted: { protocol: 'tcp', ...ends, sourcePort: 40000, destinationPort: 80 },
      },
      { type: 3, code: 1, ...header, quoted: { protocol: 'icmp', ...ends, ...none } },
      { type: 3, code: 1, ...header, quoted: { protocol: 'udp', ...ends, ...none } },
      { type: 3, code: 1, ...header, quoted: { protocol: 'udp', ...ends, ...none } },
      { type: 3, code: 1, ...header },
      { type: 5, code: 1, ...header },
    ],
  );
});

t.test('the first fragment has ports, a later one only bytes', async (t) => {
  const frames = [
    ip(17, udp(text('hi')), { fragment: 0x2000 }),
    ip(17, text('rest'), { fragment: 2 }),
  ];
  t.strictSame(decodePcap(pcap(frames.map((frame) => sll2(frame)))), [
    { ...datagram, moreFragments: true },
    {
      ...outer,
      ...noPorts,
      protocol: 'udp',
      fragmentOffset: 16,
      lengthBytes: 24,
      icmp: undefined,
      payload: bytes('rest'),
    },
  ]);
});

t.test('a packet that was cut by the snapshot length keeps its real length', async (t) => {
  const cut = ip(17, udp(text('hi')), { totalBytes: 1500 });
  const big = ip(17, udp(text('hi')), { totalBytes: 0 });
  t.strictSame(decodePcap(pcap([sll2(cut), sll2(big)])), [
    { ...datagram, lengthBytes: 1500 },
    { ...datagram, lengthBytes: 0 },
  ]);
});

t.test(
  'what is cut inside the layer 4 header, or is of another protocol, has no ports',
  async (t) => {
    const contents: [number, Bytes][] = [
      [6, [1]],
      [17, [1]],
      [1, [1]],
      [50, [1]],
    ];
    const packets = decodePcap(
      pcap(contents.map(([number, content]) => sll2(ip(number, content)))),
    );
    t.strictSame(
      packets,
      ['tcp', 'udp', 'icmp', 'other'].map((protocol) => ({
        ...outer,
        ...noPorts,
        protocol,
        lengthBytes: 21,
        icmp: undefined,
        payload: Uint8Array.of(1),
      })),
    );
  },
);

t.test('a TCP header that was cut inside its options has an empty payload', async (t) => {
  const segment = tcp(0x02, [2, 4, ...u16(1460)]).slice(0, 22);
  const [packet] = decodePcap(pcap([sll2(ip(6, segment))]));
  t.strictSame(packet?.payload, bytes(''));
});

t.test('frames that are no IPv4 are skipped', async (t) => {
  const good = ip(17, udp(text('hi')));
  const frames = [
    sll2(good, 0, 0x0806),
    sll2([0x60, ...good.slice(1)]),
    sll2([0x44, ...good.slice(1)]),
    sll2([0x4f, ...good.slice(1)]),
    sll2(ip(17, udp([]), { totalBytes: 5 })),
    sll2(good.slice(0, 19)),
    sll2([]).slice(0, 19),
    sll2(good),
  ];
  t.strictSame(decodePcap(pcap(frames)), [datagram]);
  const others = [ethernet(good, 0x86dd), ethernet([]).slice(0, 13)];
  t.strictSame(decodePcap(pcap(others, { linkType: 1 })), []);
});

t.test('a record that the end of the capture cut off is dropped', async (t) => {
  const frame = sll2(ip(17, udp(text('hi'))));
  const file = pcap([frame, frame]);
  const secondRecord = 24 + 16 + frame.length;
  for (let length = secondRecord; length < file.length; length += 1) {
    t.strictSame(decodePcap(file.subarray(0, length)), [datagram]);
  }
});

t.test('nothing was captured: neither an empty file nor a header alone has packets', async (t) => {
  t.strictSame(decodePcap(new Uint8Array()), []);
  t.strictSame(decodePcap(pcap([])), []);
});

t.test('what is no pcap file is an error that says what it is', async (t) => {
  const message = (file: Uint8Array): string => {
    try {
      decodePcap(file);
      return 'no error';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const pcapng = Uint8Array.from([...u32(0x0a0d0d0a), ...Array.from({ length: 20 }, () => 0)]);
  t.equal(message(pcapng), 'not a pcap file: it begins with 0x0a0d0d0a');
  t.equal(message(bytes('tcpdump')), 'not a pcap file: 7 bytes, its header alone has 24');
  t.equal(
    message(pcap([], { linkType: 113 })),
    'pcap link type 113 is not known: 276 (LINUX_SLL2) and 1 (ETHERNET) are',
  );
});

/** A small reader of pcapng, written from the specification and not from our writer: little-endian, IPv4 in SLL2. */

interface PacketRead {
  /** The name of its interface. */
  readonly at: string;
  readonly timeNs: bigint;
  readonly direction: 'in' | 'out' | undefined;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** Of TCP: S, SA, A, …; empty for everything else. */
  readonly flags: string;
}

export interface PcapngRead {
  readonly application: string | undefined;
  readonly interfaces: readonly { readonly name: string; readonly description: string }[];
  readonly packets: readonly PacketRead[];
}

const SLL2_BYTES = 20;

/** What is whole of a file; a block that was broken off ends it. */
export function readPcapng(file: Buffer): PcapngRead {
  let application: string | undefined;
  const interfaces: { name: string; description: string }[] = [];
  const packets: PacketRead[] = [];
  for (let at = 0; at + 12 <= file.length;) {
    const length = file.readUInt32LE(at + 4);
    if (at + length > file.length) break;
    if (file.readUInt32LE(at + length - 4) !== length) throw new Error(`broken block at ${at}`);
    const body = file.subarray(at + 8, at + length - 4);
    switch (file.readUInt32LE(at)) {
      case 0x0a0d0d0a:
        application = readOptions(body.subarray(16)).get(4)?.toString();
        break;
      case 1: {
        const options = readOptions(body.subarray(8));
        const text = (code: number): string => options.get(code)?.toString() ?? '';
        interfaces.push({ name: text(2), description: text(3) });
        break;
      }
      case 6:
        packets.push(readPacket(body, interfaces));
        break;
      default:
    }
    at += length;
  }
  return { application, interfaces, packets };
}

function readPacket(body: Buffer, interfaces: readonly { name: string }[]): PacketRead {
  const captured = body.readUInt32LE(12);
  const end = 20 + captured;
  const options = readOptions(body.subarray(end + ((4 - (captured % 4)) % 4)));
  const ip = body.subarray(20 + SLL2_BYTES, end);
  const protocol = ip[9] ?? 0;
  const bits = protocol === 6 ? (ip[20 + 13] ?? 0) : 0;
  const names = ['F', 'S', 'R', 'P', 'A'];
  return {
    at: interfaces[body.readUInt32LE(0)]?.name ?? '',
    timeNs: (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8)),
    direction: ([undefined, 'in', 'out'] as const)[(options.get(2)?.readUInt32LE(0) ?? 0) & 3],
    source: ip.subarray(12, 16).join('.'),
    destination: ip.subarray(16, 20).join('.'),
    protocol,
    flags: names.filter((_, bit) => (bits & (1 << bit)) !== 0).join(''),
  };
}

function readOptions(bytes: Buffer): Map<number, Buffer> {
  const options = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length;) {
    const code = bytes.readUInt16LE(at);
    const length = bytes.readUInt16LE(at + 2);
    if (code === 0) break;
    options.set(code, bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  return options;
}

import t from 'tap';

import { PcapStream, pcapHeader, pcapRecord } from '../../src/observe/pcap-stream.ts';

const frame = (timeNs: bigint, ...bytes: number[]) => ({
  timeNs,
  originalBytes: bytes.length + 100,
  bytes: Uint8Array.from(bytes),
});
const FRAMES = [frame(1_795_520_885_504_302_466n, 1, 2, 3), frame(1_795_520_885_504_302_467n)];
const FILE = Buffer.concat([pcapHeader(276, 16_000), ...FRAMES.map(pcapRecord)]);

t.test('a pcap is read however it was cut', async (t) => {
  for (let size = 1; size <= FILE.length; size += 1) {
    const stream = new PcapStream();
    const frames = [];
    for (let at = 0; at < FILE.length; at += size) {
      const chunk = stream.push(FILE.subarray(at, at + size));
      frames.push(...chunk.map((one) => ({ ...one, bytes: Uint8Array.from(one.bytes) })));
    }
    t.strictSame(frames, FRAMES, `in chunks of ${size} bytes`);
    t.equal(stream.linkType, 276);
  }
});

t.test('a packet that is not whole waits', async (t) => {
  const stream = new PcapStream();
  t.strictSame(stream.push(FILE.subarray(0, 20)), []);
  t.equal(stream.linkType, undefined);
  t.equal(stream.push(FILE.subarray(20, -1)).length, 1);
  t.equal(stream.push(FILE.subarray(-1)).length, 1);
});

t.test('microseconds and big-endian bytes are read too', async (t) => {
  const file = Buffer.alloc(24 + 16 + 2);
  [0xa1b2c3d4, 0x0002_0004, 0, 0, 65_535, 1, 7, 250_000, 2, 60].forEach((word, index) => {
    file.writeUInt32BE(word, index * 4);
  });
  const stream = new PcapStream();
  const [one] = stream.push(file);
  t.equal(stream.linkType, 1);
  t.strictSame([one?.timeNs, one?.originalBytes, one?.bytes.length], [7_250_000_000n, 60, 2]);
});

t.test('what is no pcap is refused', async (t) => {
  t.throws(() => new PcapStream().push(Buffer.alloc(24, 0x41)), {
    message: 'not a pcap file: it begins with 0x41414141',
  });
});

import t from 'tap';

import { ipv4 } from '../../src/base/ip.ts';
import {
  enhancedPacket,
  interfaceDescription,
  nameResolution,
  sectionHeader,
} from '../../src/observe/pcapng.ts';

/** Bytes in lines as one reads them in the specification: words of four, `|` where an option begins. */
const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/(.{8})(?=.)/g, '$1 ');

const bytes = (...lines: string[]): string => lines.join(' ');

t.test('a section says who wrote it and why, and that nobody knows its length', async (t) => {
  t.equal(
    hex(sectionHeader('hoplab', 'why')),
    bytes(
      '0a0d0d0a 34000000',
      '4d3c2b1a 01000000 ffffffff ffffffff',
      '01000300 77687900', // opt_comment
      '04000600 686f706c 61620000', // shb_userappl
      '00000000',
      '34000000',
    ),
  );
});

t.test(
  'an interface has its name, its description, nanoseconds, and a filter if any',
  async (t) => {
    const link = { type: 276, snapLength: 16_000 };
    const one = { name: 'igw:vpc', description: 'igw', filter: '' };
    const beginning = bytes(
      '14010000 803e0000',
      '02000700 6967773a 76706300', // if_name
      '03000300 69677700', // if_description
      '09000100 09000000', // if_tsresol: 10^-9
    );
    t.equal(
      hex(interfaceDescription(one, link)),
      bytes('01000000 34000000', beginning, '00000000', '34000000'),
    );
    t.equal(
      hex(interfaceDescription({ ...one, filter: 'icmp' }, link)),
      bytes(
        '01000000 40000000',
        beginning,
        '0b000500 0069636d 70000000', // if_filter: libpcap's words
        '00000000',
        '40000000',
      ),
    );
  },
);

t.test(
  'a packet has its interface, its time, both lengths, its bytes, and its direction',
  async (t) => {
    const packet = {
      interfaceId: 3,
      timeNs: 0x0102_0304_0506_0708n,
      originalBytes: 9000,
      bytes: Uint8Array.of(1, 2, 3, 4, 5),
      direction: 'out',
    } as const;
    t.equal(
      hex(enhancedPacket(packet)),
      bytes(
        '06000000 34000000',
        '03000000 04030201 08070605 05000000 28230000',
        '01020304 05000000', // padded to four bytes
        '02000400 02000000', // epb_flags: outbound
        '00000000',
        '34000000',
      ),
    );
    t.match(hex(enhancedPacket({ ...packet, direction: 'in' })), '02000400 01000000');
  },
);

t.test('addresses have names', async (t) => {
  const names = [{ address: ipv4('10.0.1.50'), name: 'nat/nat-1' }];
  t.equal(
    hex(nameResolution(names)),
    bytes(
      '04000000 24000000',
      '01000e00 0a000132 6e61742f 6e61742d 31000000',
      '00000000',
      '24000000',
    ),
  );
});

import t from 'tap';

import { ipv4 } from '../../src/base/ip.ts';
import { parseDropLog } from '../../src/observe/drop.ts';
import type { Packet } from '../../src/observe/pcap.ts';
import { deniedOf } from '../../src/probe/evidence.ts';

const packet = (fields: Partial<Packet>): Packet => ({
  ...{ timeMs: 0, ifindex: 1, direction: 'in', protocol: 'tcp', ttl: 64, ipId: 1 },
  ...{ fragmentOffset: 0, moreFragments: false, lengthBytes: 60, tcp: undefined },
  ...{ icmp: undefined, payload: new Uint8Array() },
  ...{ source: ipv4('10.0.3.50'), sourcePort: 33_000 },
  ...{ destination: ipv4('203.0.113.5'), destinationPort: 80 },
  ...fields,
});

t.test('a denial belongs to the probe whose packets bear its addresses and ports', async (t) => {
  const seen = [
    packet({}),
    packet({ source: ipv4('10.0.1.50'), sourcePort: 1024 }),
    packet({ destination: ipv4('10.0.1.9') }),
  ];
  const line = (what: string): string => `1764000000.123456 vpc-main ${what} 60 x\n`;
  const its = [
    'tcp 10.0.3.50:33000 -> 203.0.113.5:80',
    'tcp 10.0.1.50:1024 -> 203.0.113.5:80',
    'tcp[SA] 10.0.1.9:80 -> 10.0.3.50:33000',
  ].map(line);
  const others = [
    'tcp 10.0.3.50:33001 -> 203.0.113.5:80',
    'udp 10.0.3.50:33000 -> 203.0.113.5:80',
    'tcp 10.0.3.50:33000 -> 203.0.113.5:81',
  ].map(line);
  const { drops } = parseDropLog([...its, ...others].join(''));
  t.strictSame(deniedOf(seen, drops), drops.slice(0, its.length));
});

t.test('a ping is known by its identifier, and so is its reply', async (t) => {
  const icmp = { type: 8, code: 0, identifier: 17, sequence: 1 };
  const ping = packet({ protocol: 'icmp', icmp, sourcePort: 0, destinationPort: 0 });
  const line = (what: string): string => `1764000000.123456 vpc-main ${what} 84 x\n`;
  const { drops } = parseDropLog(
    [
      'icmp echo-request id 17 10.0.3.50 -> 203.0.113.5',
      'icmp echo-reply id 17 203.0.113.5 -> 10.0.3.50',
      'icmp echo-request id 18 10.0.3.50 -> 203.0.113.5',
    ]
      .map(line)
      .join(''),
  );
  t.strictSame(deniedOf([ping], drops), drops.slice(0, 2));
});

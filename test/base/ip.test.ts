import t from 'tap';

import {
  blockOf,
  cidr,
  contains,
  containsCidr,
  fromNumber,
  ipv4,
  nth,
  overlaps,
  parseCidr,
  parseIpv4,
  size,
  toNumber,
} from '../../src/base/ip.ts';

t.test('an address is four numbers from 0 to 255, and nothing else', async (t) => {
  const cases: Record<string, string | undefined> = {
    '10.0.3.50': '10.0.3.50',
    '0.0.0.0': '0.0.0.0',
    '255.255.255.255': '255.255.255.255',
    '10.0.3.256': undefined,
    '10.0.3': undefined,
    '10.0.3.50.1': undefined,
    '10.0.3.50/24': undefined,
    ' 10.0.3.50': undefined,
    '10.0.3.-1': undefined,
    '10.0.3.0x1': undefined,
    '10.0..1': undefined,
    'example.com': undefined,
    '': undefined,
  };
  const found = Object.fromEntries(Object.keys(cases).map((text) => [text, parseIpv4(text)]));
  t.strictSame(found, cases);
});

t.test('a block loses its host bits, as EC2 canonicalises it', async (t) => {
  const cases: Record<string, string | undefined> = {
    '10.0.3.0/24': '10.0.3.0/24',
    '10.0.3.77/24': '10.0.3.0/24',
    '100.68.0.18/18': '100.68.0.0/18',
    '255.255.255.255/1': '128.0.0.0/1',
    '10.0.3.50/32': '10.0.3.50/32',
    '10.0.3.50/0': '0.0.0.0/0',
    '0.0.0.0/0': '0.0.0.0/0',
    '10.0.0.0/08': '10.0.0.0/8',
    '10.0.0.0/33': undefined,
    '10.0.0.0/-1': undefined,
    '10.0.0.0/': undefined,
    '10.0.0.0': undefined,
    '10.0.0.0/8/8': undefined,
    '10.0.0/8': undefined,
    '/8': undefined,
    all: undefined,
  };
  const found = Object.fromEntries(Object.keys(cases).map((text) => [text, parseCidr(text)]));
  t.strictSame(found, cases);
});

t.test('a constant of ours that is none is a bug', async (t) => {
  t.throws(() => ipv4('10.0.0.256'), { message: 'not an IPv4 address: 10.0.0.256' });
  t.throws(() => cidr('10.0.0.0'), { message: 'not a CIDR block: 10.0.0.0' });
});

t.test('addresses are counted from both ends of a block', async (t) => {
  const block = cidr('10.0.3.0/28');
  t.strictSame(
    [nth(block, 0), nth(block, 4), nth(block, -1), nth(block, -16)],
    ['10.0.3.0', '10.0.3.4', '10.0.3.15', '10.0.3.0'],
  );
  t.throws(() => nth(block, 16), { message: '10.0.3.0/28 has no address 16' });
  t.throws(() => nth(block, -17), { message: '10.0.3.0/28 has no address -17' });
  t.strictSame([size(block), size(cidr('0.0.0.0/0')), size(cidr('10.0.0.1/32'))], [16, 2 ** 32, 1]);
});

t.test('the highest address is no negative number', async (t) => {
  t.equal(toNumber(ipv4('255.255.255.255')), 2 ** 32 - 1);
  t.equal(fromNumber(2 ** 31), '128.0.0.0');
});

t.test('what lies in what', async (t) => {
  const inside = (block: string, address: string): boolean => contains(cidr(block), ipv4(address));
  t.strictSame(
    [
      inside('10.0.3.0/24', '10.0.3.0'),
      inside('10.0.3.0/24', '10.0.3.255'),
      inside('10.0.3.0/24', '10.0.4.0'),
      inside('10.0.3.0/24', '10.0.2.255'),
      inside('0.0.0.0/0', '255.255.255.255'),
      inside('10.0.3.50/32', '10.0.3.50'),
      inside('10.0.3.50/32', '10.0.3.51'),
    ],
    [true, true, false, false, true, true, false],
  );
  const within = (outer: string, inner: string): boolean => containsCidr(cidr(outer), cidr(inner));
  t.strictSame(
    [
      within('10.0.0.0/16', '10.0.3.0/24'),
      within('10.0.3.0/24', '10.0.0.0/16'),
      within('10.0.0.0/16', '10.0.0.0/16'),
      within('10.0.0.0/16', '10.1.0.0/24'),
      within('0.0.0.0/0', '10.0.0.0/8'),
      within('0.0.0.0/0', '0.0.0.0/0'),
      within('10.0.0.0/16', '10.0.255.255/32'),
    ],
    [true, false, true, false, true, true, true],
  );
  const common = (a: string, b: string): boolean => overlaps(cidr(a), cidr(b));
  t.strictSame(
    [
      common('10.0.3.0/24', '10.0.0.0/16'),
      common('10.0.2.0/24', '10.0.3.0/24'),
      common('0.0.0.0/0', '10.0.3.50/32'),
    ],
    [true, false, true],
  );
});

t.test('an address and a length give the block', async (t) => {
  t.strictSame(
    [24, 32, 0].map((length) => blockOf(ipv4('10.0.3.10'), length)),
    ['10.0.3.0/24', '10.0.3.10/32', '0.0.0.0/0'],
  );
});

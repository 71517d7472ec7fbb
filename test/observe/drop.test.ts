import t from 'tap';

import {
  foldDrops,
  parseDrop,
  parseDropLog,
  parseReason,
  renderDecision,
} from '../../src/observe/drop.ts';

const HEAD = '1764000000.123456 vpc-main';
const SYN = `${HEAD} tcp 10.0.3.50:33366 -> 10.0.5.20:5432 60 SG db ingress (no rule)`;

t.test('a line is a packet and what denied it', async (t) => {
  t.strictSame(parseDrop(SYN), {
    time: 1_764_000_000.123456,
    netns: 'vpc-main',
    protocol: 'tcp',
    source: '10.0.3.50',
    sourcePort: 33_366,
    destination: '10.0.5.20',
    destinationPort: 5432,
    flags: 'S',
    lengthBytes: 60,
    reason: 'SG db ingress (no rule)',
    decision: { kind: 'sg', groups: ['db'], leftOut: 0, direction: 'ingress' },
  });
});

t.test('what a packet is beside its addresses', async (t) => {
  const parsed = (packet: string): unknown => {
    const { protocol, sourcePort, destinationPort, flags, icmpType, icmpId, icmpCode } =
      parseDrop(`${HEAD} ${packet} 84 x`) ?? {};
    return [protocol, sourcePort, destinationPort, flags ?? icmpType, icmpId ?? icmpCode];
  };
  t.strictSame(
    [
      'tcp[SA] 10.0.0.1:80 -> 10.0.0.2:33000',
      'tcp[] 10.0.0.1:80 -> 10.0.0.2:33000',
      'tcp 10.0.0.1 -> 10.0.0.2',
      'udp 10.0.0.1:53 -> 10.0.0.2:33000',
      'icmp echo-request id 17 10.0.0.1 -> 10.0.0.2',
      'icmp destination-unreachable code 4 10.0.0.1 -> 10.0.0.2',
      'icmp type-42 10.0.0.1 -> 10.0.0.2',
      'icmp 10.0.0.1 -> 10.0.0.2',
      '47 10.0.0.1 -> 10.0.0.2',
    ].map(parsed),
    [
      ['tcp', 80, 33_000, 'SA', undefined],
      ['tcp', 80, 33_000, '', undefined],
      ['tcp', undefined, undefined, undefined, undefined],
      ['udp', 53, 33_000, undefined, undefined],
      ['icmp', undefined, undefined, 'echo-request', 17],
      ['icmp', undefined, undefined, 'destination-unreachable', 4],
      ['icmp', undefined, undefined, 'type-42', undefined],
      ['icmp', undefined, undefined, undefined, undefined],
      ['47', undefined, undefined, undefined, undefined],
    ],
  );
});

t.test('a reason is a decision, and has a name', async (t) => {
  const table = [
    [
      'SG web,base egress (no rule)',
      { kind: 'sg', groups: ['web', 'base'], leftOut: 0, direction: 'egress' },
      'sg/web,sg/base egress',
    ],
    [
      'SG web and 4 more egress (no rule)',
      { kind: 'sg', groups: ['web'], leftOut: 4, direction: 'egress' },
      'sg/web and 4 more egress',
    ],
    [
      'SG web,and-4-more egress (no rule)',
      { kind: 'sg', groups: ['web', 'and-4-more'], leftOut: 0, direction: 'egress' },
      'sg/web,sg/and-4-more egress',
    ],
    [
      'NACL private egress (rule 90)',
      { kind: 'acl', acl: 'private', direction: 'egress', rule: 90 },
      'acl/private egress rule 90',
    ],
    [
      'NACL private ingress (rule *)',
      { kind: 'acl', acl: 'private', direction: 'ingress', rule: '*' },
      'acl/private ingress rule *',
    ],
    ['ENI source/destination check', { kind: 'source-dest-check' }, 'source/destination check'],
    ['SG tracking allowance exceeded', { kind: 'allowance' }, 'tracking allowance'],
    ['SG web inward (no rule)', { kind: 'other' }, 'SG web inward (no rule)'],
  ] as const;
  for (const [reason, decision, name] of table) {
    t.strictSame(parseReason(reason), decision);
    t.equal(renderDecision({ decision: parseReason(reason), reason }), name);
  }
});

t.test('what was cut off says nothing, and what was lost is counted', async (t) => {
  const text = `33366 -> 10.0.5.20:5432 60 SG db ingress (no rule)\n${SYN}\n${HEAD} lost 12\n${HEAD} lost 3\n${SYN.slice(0, 50)}`;
  const { drops, lost } = parseDropLog(text);
  t.strictSame(drops, [parseDrop(SYN)]);
  t.equal(lost, 15);
  t.strictSame(parseDropLog(''), { drops: [], lost: 0 });
});

t.test('equal packets are one with a count', async (t) => {
  const again = SYN.replace('1764000000.1', '1764000001.1');
  const other = SYN.replace('33366', '33367');
  const elsewhere = SYN.replace('SG db ingress (no rule)', 'NACL db ingress (rule *)');
  const { drops } = parseDropLog([SYN, other, again, elsewhere].join('\n'));
  t.strictSame(
    foldDrops(drops).map(({ first, last, count }) => [
      drops.indexOf(first),
      drops.indexOf(last),
      count,
    ]),
    [
      [0, 2, 2],
      [1, 1, 1],
      [3, 3, 1],
    ],
  );
});

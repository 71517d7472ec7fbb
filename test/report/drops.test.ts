import t from 'tap';

import { ipv4 } from '../../src/base/ip.ts';
import { netnsName } from '../../src/base/names.ts';
import type { InterfaceAddress, KernelState, NftChain } from '../../src/kernel/state.ts';
import { objectKey } from '../../src/kernel/state.ts';
import { foldDrops, parseDropLog } from '../../src/observe/drop.ts';
import {
  nameAddresses,
  renderDrop,
  renderDrops,
  renderDropSummary,
  whereRulesStand,
} from '../../src/report/drops.ts';

const VIEW = {
  names: new Map([
    ['10.0.3.50', 'pod/client'],
    ['10.0.5.20', 'instance/db'],
  ]),
  utcOffsetMinutes: 90,
};
const { drops } = parseDropLog(
  [
    '1764000000.123456 vpc-main tcp 10.0.3.50:33366 -> 10.0.5.20:5432 60 SG db ingress (no rule)',
    '1764000000.500000 vpc-main icmp destination-unreachable code 4 10.0.5.1 -> 10.0.3.50 576 NACL a egress (rule 90)',
    '1764000001.123456 vpc-main tcp 10.0.3.50:33366 -> 10.0.5.20:5432 60 SG db ingress (no rule)',
    '1764000002.000001 vpc-main tcp[SA] 10.0.5.20:5432 -> 10.0.3.50:33366 60 NACL a egress (rule *)',
    '1764000003.000001 vpc-main tcp[] 10.0.5.20:5432 -> 10.0.3.50:33366 60 NACL a egress (rule *)',
  ].join('\n'),
);

t.test('equal packets are a line, with local time and names', async (t) => {
  t.equal(
    renderDrops(foldDrops(drops), VIEW),
    `TIME          DENIED BY                PACKET                               FROM                            TO
17:30:00.123  SG db ingress (no rule)  tcp                                  10.0.3.50:33366 pod/client  ->  10.0.5.20:5432 instance/db  2 times
17:30:00.500  NACL a egress (rule 90)  icmp destination-unreachable code 4  10.0.5.1                    ->  10.0.3.50 pod/client
17:30:02.000  NACL a egress (rule *)   tcp SA                               10.0.5.20:5432 instance/db  ->  10.0.3.50:33366 pod/client
17:30:03.000  NACL a egress (rule *)   tcp no flags                         10.0.5.20:5432 instance/db  ->  10.0.3.50:33366 pod/client`,
  );
});

t.test('a packet is a line by itself', async (t) => {
  t.strictSame(
    drops.slice(3).map((drop) => renderDrop(drop, VIEW)),
    [
      '17:30:02.000  NACL a egress (rule *)  tcp SA 10.0.5.20:5432 instance/db -> 10.0.3.50:33366 pod/client',
      '17:30:03.000  NACL a egress (rule *)  tcp no flags 10.0.5.20:5432 instance/db -> 10.0.3.50:33366 pod/client',
    ],
  );
  const [first] = drops;
  if (first === undefined) throw new Error('there is one');
  t.match(
    renderDrop(first, { ...VIEW, utcOffsetMinutes: -16 * 60 }),
    /^00:00:00\.123 /,
    'west of Greenwich',
  );
});

t.test('the summary says what is not shown', async (t) => {
  t.equal(renderDropSummary({ denied: 0, shown: 0, lost: 0 }), 'nothing was denied');
  t.equal(renderDropSummary({ denied: 1, shown: 1, lost: 0 }), '1 packet denied');
  t.equal(
    renderDropSummary({ denied: 60, shown: 50, lost: 7 }),
    '60 packets denied; the last 50 are shown; -n shows more; 7 more that the log could not keep up with; the rules’ counters count all',
  );
});

t.test('an address has the name of the thing in whose namespace it stands', async (t) => {
  const because = { concept: 'x', thing: 'x', at: undefined };
  const address = (netns: string, link: string, last: number): InterfaceAddress => ({
    ...{ kind: 'address', netns: netnsName(netns), link, address: ipv4(`10.0.3.${last}`) },
    ...{ prefixLength: 24, connectedRoute: true },
  });
  const state: KernelState = new Map(
    [
      address('node-1', 'eth0', 10),
      address('node-1', 'eth1', 11),
      address('node-1', 'lo', 12),
      address('other', 'eth0', 13),
    ].map((object) => [objectKey(object), { object, because }]),
  );
  const thingIn = (netns: string): string | undefined =>
    netns === 'node-1' ? 'node/node-1' : undefined;
  t.strictSame(
    [...nameAddresses(state, thingIn)],
    [
      ['10.0.3.10', 'node/node-1'],
      ['10.0.3.11', 'node/node-1:eth1'],
    ],
  );
});

t.test('the rule is where the plan has its reason', async (t) => {
  const chain = (netns: string, name: string, reason: string): NftChain => ({
    ...{ kind: 'nft-chain', netns: netnsName(netns), family: 'inet', table: 'vpc', chain: name },
    rules: ['accept', `log prefix "${reason}" group 1 counter drop`],
  });
  const because = { concept: 'x', thing: 'x', at: undefined };
  const state: KernelState = new Map(
    [
      chain('vpc-main', 'sg-db-ingress', 'SG db ingress (no rule)'),
      chain('vpc-main', 'sg-web-ingress', 'SG web ingress (no rule)'),
      chain('vpc-two', 'sg-db-ingress', 'SG db ingress (no rule)'),
    ].map((object) => [objectKey(object), { object, because }]),
  );
  t.strictSame(
    whereRulesStand(drops, state, (netns) => netns.replace('-', '/')),
    ['npx hoplab exec vpc/main -- nft list chain inet vpc sg-db-ingress'],
  );
});

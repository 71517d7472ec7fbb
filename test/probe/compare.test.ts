/** What stops a request: as a probe expects it, as the model says it, and as the log of denied packets does. */

import t from 'tap';

import { parseReason } from '../../src/observe/drop.ts';
import { isBlockedBy, isDeniedBy } from '../../src/probe/compare.ts';

t.test('an expectation may say less than what decides, and nothing else', async (t) => {
  const rows: readonly (readonly [expected: string, by: string | undefined, is: boolean])[] = [
    ['sg/db', 'sg/db ingress', true],
    ['sg/db ingress', 'sg/db ingress', true],
    ['sg/db egress', 'sg/db ingress', false],
    ['sg/web', 'sg/db,sg/web ingress', true],
    ['sg/d', 'sg/db ingress', false],
    ['acl/private', 'acl/private egress rule 90', true],
    ['acl/private egress rule 90', 'acl/private egress rule 90', true],
    ['acl/private egress rule *', 'acl/private egress rule 90', false],
    ['rtb/private', 'rtb/private', true],
    ['rtb/private', undefined, false],
  ];
  for (const [expected, by, is] of rows) {
    t.equal(isBlockedBy(expected, by), is, `${expected} of ${by ?? 'nothing'}`);
  }
});

t.test('the log names what the model names, or as much of it as it has room for', async (t) => {
  const five = 'sg/web,sg/b,sg/c,sg/d,sg/e egress';
  const rows: readonly (readonly [by: string, reason: string, is: boolean])[] = [
    ['sg/db ingress', 'SG db ingress (no rule)', true],
    ['sg/db ingress', 'SG db egress (no rule)', false],
    ['sg/web,sg/b egress', 'SG web,b egress (no rule)', true],
    ['sg/web,sg/b egress', 'SG b,web egress (no rule)', false],
    [five, 'SG web and 4 more egress (no rule)', true],
    [five, 'SG web and 3 more egress (no rule)', false],
    [five, 'SG web and 4 more ingress (no rule)', false],
    [five, 'SG b and 4 more egress (no rule)', false],
    [five, 'NACL web egress (rule *)', false],
    ['acl/private egress rule 90', 'NACL private egress (rule 90)', true],
    ['acl/private egress rule 90', 'NACL private egress (rule *)', false],
    ['acl/private egress rule 90', 'SG web and 4 more egress (no rule)', false],
  ];
  for (const [by, reason, is] of rows) {
    t.equal(isDeniedBy(by, { decision: parseReason(reason), reason }), is, `${by}: ${reason}`);
  }
});

/** Which object a probe expects to be stopped by, held against the one that decides. */

import t from 'tap';

import { isBlockedBy } from '../../src/probe/compare.ts';

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

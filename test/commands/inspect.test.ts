import t from 'tap';

import { describe } from '../../src/commands/inspect.ts';
import { cloudOf } from '../judge/cloud.ts';

const TWO = `
vpcs:
  one: { cidr: 10.0.0.0/16, securityGroups: { web: {}, lone: {} } }
  two: { cidr: 10.1.0.0/16, securityGroups: { web: {} } }
`;

const two = cloudOf(TWO, '', 'as written');

t.test('where two VPCs have a group of one name, the word needs the VPC', async (t) => {
  t.throws(() => describe(two, 'sg/web'), {
    message: `error[several-of-that-name]: "sg/web" is in vpc/one and vpc/two
  hint: say which: sg/one/web or sg/two/web`,
  });
  t.equal(describe(two, 'sg/two/web').thing, 'sg/two/web');
  t.throws(() => describe(two, 'sg/three/web'), { message: /no-such-thing/ });
});

t.test('where one VPC has it, the word may have the VPC and need not', async (t) => {
  t.equal(describe(two, 'sg/lone').thing, 'sg/lone');
  t.equal(describe(two, 'sg/one/lone').thing, 'sg/lone');
});

t.test('things are found as ever, and a name that is nearly one is asked back', async (t) => {
  t.equal(describe(two, 'vpc/one').thing, 'vpc/one');
  t.throws(() => describe(two, 'sg/lome'), {
    message: `error[no-such-thing]: there is no "sg/lome" in test
  hint: did you mean "sg/lone"?`,
  });
});

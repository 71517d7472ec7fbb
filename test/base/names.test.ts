import fc from 'fast-check';
import t from 'tap';

import { assignNumbers, hashModulo } from '../../src/base/hash.ts';
import { awsId, hostVethName, linkName, macAddress, podMacAddress } from '../../src/base/names.ts';

t.test("a pod's host veth has the name that the VPC CNI gives it", async (t) => {
  // amazon-vpc-cni-k8s pkg/networkutils/names_test.go and its documentation.
  t.equal(hostVethName('eni', 'default', 'sample-pod'), 'enicc21c2d7785');
  t.equal(hostVethName('eni', 'kube-system', 'coredns-57ff979f67-qqbdh'), 'enib5faff8a083');
});

t.test('a link has its own name where the kernel takes it', async (t) => {
  t.strictSame(['igw', 'private-1', 'fifteen-letters', 'a.b_c'].map(linkName), [
    'igw',
    'private-1',
    'fifteen-letters',
    'a.b_c',
  ]);
});

t.test('a longer or stranger name keeps its beginning', async (t) => {
  t.match(linkName('sixteen-letters-'), /^sixteen--[0-9a-f]{6}$/);
  t.match(linkName('a/b'), /^a-b-[0-9a-f]{6}$/);
  t.not(linkName('a/b'), linkName('a:b'), 'two names stay two');
});

t.test('whatever a thing is called, its link has 1 to 15 bytes', async (t) => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'binary' }), (name) => {
      const link = linkName(name);
      return Buffer.byteLength(link) <= 15 && /^[A-Za-z0-9_.-]+$/.test(link);
    }),
  );
  t.pass();
});

t.test('ids and MACs have the shape of the real ones and depend on the name alone', async (t) => {
  t.match(awsId('eni', 'main/node/node-1/eth0'), /^eni-0[0-9a-f]{16}$/);
  t.match(macAddress('x'), /^0a(:[0-9a-f]{2}){5}$/);
  t.match(podMacAddress('x'), /^ee(:[0-9a-f]{2}){5}$/);
  t.strictSame([awsId('eni', 'x'), macAddress('x')], [awsId('eni', 'x'), macAddress('x')]);
  t.not(macAddress('x'), macAddress('y'));
});

t.test('numbers: each name has one of its own, whatever order they come in', async (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { maxLength: 20 }), (names) => {
      const numbers = assignNumbers(names, 100, 20);
      t.strictSame(assignNumbers([...names].reverse(), 100, 20), numbers);
      const values = [...numbers.values()];
      return (
        new Set(values).size === names.length && values.every((one) => one >= 100 && one < 120)
      );
    }),
    { numRuns: 30 },
  );
});

t.test('numbers: a name that collides with nobody has the one of its hash', async (t) => {
  t.strictSame(
    [...assignNumbers(['public'], 1000, 9000)],
    [['public', 1000 + hashModulo('public', 9000)]],
  );
});

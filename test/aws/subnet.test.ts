import fc from 'fast-check';
import t from 'tap';

import { AddressBook, reservedFor, type Subnet, usableAddresses } from '../../src/aws/subnet.ts';
import { Diagnostics } from '../../src/base/diagnostic.ts';
import { cidr, ipv4 } from '../../src/base/ip.ts';

const at = { file: 'lab.yaml', line: 1, column: 1 };

function subnet(block: string, vpc = 'main'): Subnet {
  return {
    name: 's',
    id: `subnet-${vpc}`,
    vpc,
    cidr: cidr(block),
    az: 'az-1',
    routeTable: 'main',
    networkAcl: 'default',
    router: ipv4('10.0.3.1'),
    bridge: 's',
    at,
  };
}

t.test('AWS keeps the first four addresses of a subnet and the last one', async (t) => {
  const addresses = [0, 1, 2, 3, 4, 254, 255].map((last) => ipv4(`10.0.3.${last}`));
  t.strictSame(
    addresses.map((address) => reservedFor(subnet('10.0.3.0/24'), address)),
    [
      'the network address',
      "the VPC router's",
      "the DNS server's",
      'kept for future use',
      undefined,
      undefined,
      'the broadcast address',
    ],
  );
});

t.test('a /28 gives 11 addresses, a /24 gives 251', async (t) => {
  t.strictSame([cidr('10.0.3.0/28'), cidr('10.0.3.0/24')].map(usableAddresses), [11, 251]);
  const diagnostics = new Diagnostics();
  const book = new AddressBook(diagnostics);
  const small = subnet('10.0.3.0/28');
  const given = Array.from({ length: 11 }, (_, index) => book.take(small, `i${index}`, at)).sort();
  t.strictSame(given, Array.from({ length: 11 }, (_, index) => `10.0.3.${index + 4}`).sort());
  t.strictSame(diagnostics.list, []);
  book.take(small, 'one-more', at);
  book.take(small, 'two-more', at);
  t.strictSame(
    diagnostics.list.map(({ code }) => code),
    ['subnet-full'],
    'reported once',
  );
});

t.test('one name more moves nobody who was there before', async (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 60 }), (names) => {
      const give = (list: readonly string[]): string[] => {
        const book = new AddressBook(new Diagnostics());
        return list.map((name) => book.take(subnet('10.0.3.0/24'), name, at));
      };
      t.strictSame(give(names).slice(0, -1), give(names.slice(0, -1)));
    }),
    { numRuns: 30 },
  );
});

t.test('two VPCs may give the same address', async (t) => {
  const diagnostics = new Diagnostics();
  const book = new AddressBook(diagnostics);
  for (const vpc of ['one', 'other']) {
    book.pin(subnet('10.0.3.0/24', vpc), ipv4('10.0.3.50'), `instance/${vpc}`, at);
  }
  t.strictSame(diagnostics.list, []);
});

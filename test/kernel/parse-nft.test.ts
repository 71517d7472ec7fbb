import t from 'tap';

import { netnsName } from '../../src/base/names.ts';
import { parseNft } from '../../src/kernel/parse-nft.ts';

const netns = netnsName('n');
const FABRIC = { netns, family: 'bridge', table: 'fabric' } as const;

t.test(
  'tables, sets with their elements over several lines, chains with hooks and rules',
  async (t) => {
    const text = `table bridge fabric {
	set assigned {
		type ether_addr . ipv4_addr
		elements = { 0a:e2:05:eb:22:fd . 10.0.3.10,
			     0a:59:ff:6a:4b:7b . 10.0.1.50 }
	}

	map egress-of {
		type ether_addr : verdict
		elements = { 0a:59:ff:6a:4b:7b : accept, 0a:ac:5a:57:3c:60 : jump sg-default-egress }
	}

	counter dropped {
		packets 3 bytes 180
	}

	chain from-eni {
		type filter hook prerouting priority -250; policy drop;
		meta pkttype { broadcast, multicast } counter drop comment "no { in a comment"
		ether saddr @nocheck goto to-router
	}

	chain to-router {
	}
}
`;
    t.strictSame(parseNft(netns, text), [
      { kind: 'nft-table', ...FABRIC },
      {
        kind: 'nft-set',
        ...FABRIC,
        type: 'set',
        set: 'assigned',
        body: 'type ether_addr . ipv4_addr;',
      },
      { kind: 'nft-element', ...FABRIC, set: 'assigned', element: '0a:e2:05:eb:22:fd . 10.0.3.10' },
      { kind: 'nft-element', ...FABRIC, set: 'assigned', element: '0a:59:ff:6a:4b:7b . 10.0.1.50' },
      {
        kind: 'nft-set',
        ...FABRIC,
        type: 'map',
        set: 'egress-of',
        body: 'type ether_addr : verdict;',
      },
      {
        kind: 'nft-element',
        ...FABRIC,
        set: 'egress-of',
        element: '0a:59:ff:6a:4b:7b',
        data: 'accept',
      },
      {
        kind: 'nft-element',
        ...FABRIC,
        set: 'egress-of',
        element: '0a:ac:5a:57:3c:60',
        data: 'jump sg-default-egress',
      },
      { kind: 'nft-set', ...FABRIC, type: 'counter', set: 'dropped', body: '' },
      {
        kind: 'nft-chain',
        ...FABRIC,
        chain: 'from-eni',
        hook: 'type filter hook prerouting priority -250; policy drop;',
        rules: [
          'meta pkttype { broadcast, multicast } counter drop comment "no { in a comment"',
          'ether saddr @nocheck goto to-router',
        ],
      },
      { kind: 'nft-chain', ...FABRIC, chain: 'to-router', rules: [] },
    ]);
  },
);

t.test('what packets put into a dynamic set is no state of ours', async (t) => {
  const text = `table ip nat-gateway {
	set tcp-connections {
		type ipv4_addr . inet_service
		size 65535
		flags dynamic
		elements = { 198.51.100.10 . 80 ct count over 55000 }
	}
}`;
  t.strictSame(parseNft(netns, text), [
    { kind: 'nft-table', netns, family: 'ip', table: 'nat-gateway' },
    {
      kind: 'nft-set',
      netns,
      family: 'ip',
      table: 'nat-gateway',
      type: 'set',
      set: 'tcp-connections',
      body: 'type ipv4_addr . inet_service; size 65535; flags dynamic;',
    },
  ]);
});

t.test('each line of a set is looked at once, however many there are', async (t) => {
  const count = 20_000;
  const elements = Array.from({ length: count }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  const text = `table inet vpc {
	set many {
		type ipv4_addr
		elements = { ${elements.join(',\n\t\t\t     ')} }
	}
}`;
  const began = performance.now();
  const objects = parseNft(netns, text);
  t.equal(objects.length, 2 + count);
  t.match(objects.at(-1), { kind: 'nft-element', element: elements.at(-1) });
  // As long again for each line it took minutes.
  t.ok(performance.now() - began < 2000);
});

t.test('the tables of iptables-nft are left to iptables-save', async (t) => {
  const text = `# Warning: table ip nat is managed by iptables-nft, do not touch!
table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority -100; policy accept;
		counter xt target DNAT
	}
}
table inet mine {
}
`;
  t.strictSame(parseNft(netns, text), [
    { kind: 'nft-table', netns, family: 'inet', table: 'mine' },
  ]);
});

t.test('numbers are decimal, whichever nftables printed them', async (t) => {
  const text = `table ip t {
	chain c {
		ip frag-off & 0x3fff != 0x0 counter drop comment "0x3fff"
	}
}`;
  const [, chain] = parseNft(netns, text);
  t.strictSame(chain, {
    kind: 'nft-chain',
    netns,
    family: 'ip',
    table: 't',
    chain: 'c',
    rules: ['ip frag-off & 16383 != 0 counter drop comment "0x3fff"'],
  });
});

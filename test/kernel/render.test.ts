import t from 'tap';

import { because } from '../../src/base/because.ts';
import { ipv4 } from '../../src/base/ip.ts';
import { netnsName } from '../../src/base/names.ts';
import { diff } from '../../src/kernel/diff.ts';
import { bareNetns, hostNetns } from '../../src/kernel/netns.ts';
import { render, renderScript } from '../../src/kernel/render.ts';
import {
  EMPTY,
  type KernelObject,
  type KernelState,
  type Netns,
  objectKey,
} from '../../src/kernel/state.ts';

const vpc = netnsName('vpc');
const node = netnsName('node');

function state(...objects: readonly KernelObject[]): KernelState {
  return new Map(
    objects.map((object) => [objectKey(object), { object, because: because('c', 't') }]),
  );
}

/** The script without its head. */
function script(from: KernelState, to: KernelState): string {
  return renderScript(render(diff(from, to))).replace(/^[\s\S]*?set -e\n\n/, '');
}

const NODE: Netns = { kind: 'netns', netns: node };
const NAMESPACES: readonly KernelObject[] = [...bareNetns(vpc), ...hostNetns(node)];
const LINKS: readonly KernelObject[] = [
  {
    kind: 'veth',
    ends: [
      { netns: vpc, link: 'port', mac: '0a:00:00:00:00:01' },
      { netns: node, link: 'eth0', mac: '0a:00:00:00:00:02' },
    ],
    mtuBytes: 1500,
  },
  { kind: 'bridge-port', netns: vpc, link: 'port', bridge: 'br' },
  { kind: 'bridge', netns: vpc, link: 'br', mac: '0a:00:00:00:00:03', mtuBytes: 1500 },
  { kind: 'fdb-entry', netns: vpc, link: 'port', mac: '0a:00:00:00:00:02' },
  { kind: 'link-up', netns: vpc, link: 'br' },
  { kind: 'link-up', netns: vpc, link: 'port' },
  { kind: 'link-up', netns: node, link: 'eth0' },
];

t.test('namespaces, links, what lies on them: whatever the order of the plan', async (t) => {
  const onLinks: readonly KernelObject[] = [
    { kind: 'rule', netns: node, priority: 512, to: ipv4('10.0.0.9'), table: 254 },
    {
      kind: 'route',
      netns: node,
      table: 2,
      type: 'unicast',
      destination: 'default',
      via: ipv4('10.0.0.1'),
      link: 'eth0',
      onlink: true,
    },
    { kind: 'sysctl', netns: node, path: 'net/ipv4/ip_forward', value: '1', ifThere: true },
    {
      kind: 'address',
      netns: node,
      link: 'eth0',
      address: ipv4('10.0.0.5'),
      prefixLength: 24,
      broadcast: ipv4('10.0.0.255'),
      connectedRoute: false,
    },
  ];
  t.equal(
    script(EMPTY, state(...onLinks, ...LINKS, ...NAMESPACES)),
    `ip -batch - <<'EOF'
netns add vpc
netns add node
EOF

ip -batch - <<'EOF'
link add name port netns vpc address 0a:00:00:00:00:01 mtu 1500 gso_max_size 2048 type veth peer name eth0 netns node address 0a:00:00:00:00:02 mtu 1500 gso_max_size 2048
EOF

cat >/run/hoplab/fdb.vpc <<'EOF'
fdb replace 0a:00:00:00:00:02 dev port master static sticky
EOF

nsenter --net=/run/netns/node sh -ec '[ ! -e /proc/sys/net/ipv4/ip_forward ] || echo 1 >/proc/sys/net/ipv4/ip_forward; exec ip -batch -' <<'EOF'
link set dev eth0 up
link set dev lo up
addr add 10.0.0.5/24 broadcast 10.0.0.255 dev eth0
route del 10.0.0.0/24 dev eth0 proto kernel
rule add priority 512 to 10.0.0.9 lookup main
route replace default via 10.0.0.1 dev eth0 onlink table 2
EOF

nsenter --net=/run/netns/vpc ip -batch - <<'EOF' && nsenter --net=/run/netns/vpc bridge -batch /run/hoplab/fdb.vpc
rule del priority 32766
rule del priority 32767
link add name br address 0a:00:00:00:00:03 type bridge mcast_snooping 0 forward_delay 0
link set dev br mtu 1500
link set dev port master br
link set dev port type bridge_slave isolated on learning off flood off mcast_flood off bcast_flood off proxy_arp on
link set dev br up
link set dev port up
link set dev lo up
EOF

nsenter --net=/run/netns/vpc sh -c 'tries=0; while ip -o -d link show type bridge_slave | grep -q "bridge_slave state disabled" && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.02; done' </dev/null
`,
  );
});

t.test('a namespace goes last, with all that is in it', async (t) => {
  t.equal(
    script(state(...NAMESPACES, ...LINKS), EMPTY),
    "ip -batch - <<'EOF'\nnetns del vpc\nnetns del node\nEOF\n",
  );
});

const own: KernelObject = {
  kind: 'iptables-chain',
  netns: node,
  table: 'nat',
  chain: 'OWN',
  rules: ['-j RETURN'],
};
const kernels = (rules: readonly string[]): KernelObject => ({
  kind: 'iptables-chain',
  netns: node,
  table: 'nat',
  chain: 'POSTROUTING',
  policy: 'ACCEPT',
  rules,
});
const forward: KernelObject = {
  kind: 'iptables-chain',
  netns: node,
  table: 'filter',
  chain: 'FORWARD',
  policy: 'DROP',
  rules: ['-j DROP'],
};

t.test('iptables: one restore a namespace, chains before rules', async (t) => {
  t.equal(
    script(state(NODE), state(NODE, forward, kernels(['-j OWN']), own)),
    `nsenter --net=/run/netns/node iptables-nft-restore --noflush <<'EOF'
*nat
:OWN - [0:0]
:POSTROUTING ACCEPT [0:0]
-F POSTROUTING
-A POSTROUTING -j OWN
-A OWN -j RETURN
COMMIT
*filter
:FORWARD DROP [0:0]
-F FORWARD
-A FORWARD -j DROP
COMMIT
EOF
`,
  );
});

t.test('iptables: an own chain is emptied, unhooked, then deleted', async (t) => {
  t.equal(
    script(state(NODE, own, kernels(['-j OWN']), forward), state(NODE, kernels([]))),
    `nsenter --net=/run/netns/node iptables-nft-restore --noflush <<'EOF'
*nat
:OWN - [0:0]
:POSTROUTING ACCEPT [0:0]
-F POSTROUTING
-X OWN
COMMIT
*filter
:FORWARD ACCEPT [0:0]
-F FORWARD
COMMIT
EOF
`,
  );
});

const TABLE = { netns: node, family: 'inet', table: 't' } as const;
const table: KernelObject = { kind: 'nft-table', ...TABLE };
const NFT: readonly KernelObject[] = [
  { kind: 'nft-element', ...TABLE, set: 'm', element: '10.0.0.5', data: 'jump c' },
  { kind: 'nft-chain', ...TABLE, chain: 'f', hook: 'HOOK', rules: ['ip daddr vmap @m'] },
  { kind: 'nft-chain', ...TABLE, chain: 'c', rules: ['accept'] },
  { kind: 'nft-set', ...TABLE, type: 'map', set: 'm', body: 'type ipv4_addr : verdict;' },
  table,
];

t.test('nft: table, map, chains, elements, rules, in one transaction', async (t) => {
  t.equal(
    script(state(NODE), state(NODE, ...NFT)),
    `nsenter --net=/run/netns/node nft -f - <<'EOF'
add table inet t
add map inet t m { type ipv4_addr : verdict; }
add chain inet t f { HOOK }
add chain inet t c
add element inet t m { 10.0.0.5 : jump c }
add rule inet t f ip daddr vmap @m
add rule inet t c accept
EOF
`,
  );
});

t.test('nft: what is used goes after what uses it', async (t) => {
  t.equal(
    script(state(NODE, ...NFT), state(NODE, table)),
    `nsenter --net=/run/netns/node nft -f - <<'EOF'
flush chain inet t f
flush chain inet t c
delete element inet t m { 10.0.0.5 }
delete chain inet t f
delete chain inet t c
delete map inet t m
EOF
`,
  );
});

t.test('nft: a table that goes takes all of it along', async (t) => {
  t.equal(
    script(state(NODE, ...NFT), state(NODE)),
    "nsenter --net=/run/netns/node nft -f - <<'EOF'\ndelete table inet t\nEOF\n",
  );
});

/** The VPC CNI's wiring of pods on the real kernel (fidelity rows CNI-01 to CNI-07). */

import t from 'tap';

import { edit, pods, refusals, type TestLab, withLab, OPEN_GROUPS } from '../support/with-lab.ts';

// Most of the time is waiting for what does not come.
t.jobs = 4;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
      other: { cidr: 10.0.4.0/24, az: az-2, routeTable: private }
    internetGateway: igw
    natGateways: { nat: { subnet: public, address: 10.0.1.50, elasticIp: 203.0.113.50 } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat }] }
    instances:
      db: { subnet: other, address: 10.0.4.80 }
cluster:
  vpc: main
  addons: { coredns: false, kube-proxy: false }
  nodes:
    node-1: { subnet: private, address: 10.0.3.11, interfaces: { eth1: { address: 10.0.3.12 } } }
    node-2: { subnet: other, address: 10.0.4.11 }
    node-p: { subnet: public, address: 10.0.1.11, elasticIp: 203.0.113.11 }
  cni: { AWS_VPC_K8S_CNI_EXTERNALSNAT: false, AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "" }
  pins:
    pod/a: { node: node-1, address: 10.0.3.50, eni: eth0 }
    pod/a2: { node: node-1, address: 10.0.3.51, eni: eth0 }
    pod/c: { node: node-1, address: 10.0.3.60, eni: eth1 }
    pod/c2: { node: node-1, address: 10.0.3.61, eni: eth1 }
    pod/b: { node: node-2, address: 10.0.4.50 }
    pod/p: { node: node-p, address: 10.0.1.60 }
internet:
  server: { address: 198.51.100.10 }
  other: { address: 192.0.2.10 }
`;

const MANIFESTS = pods(['a', 'a2', 'b', 'c', 'c2', 'p']);
const EXTERNAL = edit(LAB, 'EXTERNALSNAT: false', 'EXTERNALSNAT: true');
const EXCLUDING = edit(LAB, 'SNAT_CIDRS: ""', 'SNAT_CIDRS: "198.51.100.0/24,172.16.0.0/12"');

/** `eni` and the first eleven digits of `printf default.NAME | sha1sum`. */
const VETH = {
  a: 'eniacd53aa4120',
  a2: 'enif932eb697ec',
  c: 'enidbc51878acf',
  c2: 'eni1ed4252148f',
};

/** The lines that a tool prints, without the spaces at their ends. */
async function shown(lab: TestLab, where: string, line: string): Promise<string[]> {
  return (await lab.out(where, line)).split('\n').map((one) => one.trimEnd());
}

t.test('CNI-01 a pod has a /32, and one neighbour that is its node', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const hostMac = await lab.out('node/node-1', `cat /sys/class/net/${VETH.a}/address`);
    t.strictSame(
      [
        ...(await shown(lab, 'pod/a', 'ip -4 -o addr show dev eth0')).map((line) =>
          line.replaceAll(/ +|\\/g, ' ').replace(/ +valid_lft.*/, ''),
        ),
        ...(await shown(lab, 'pod/a', 'ip route')),
        ...(await shown(lab, 'pod/a', 'ip neigh')),
      ],
      [
        '2: eth0 inet 10.0.3.50/32 scope global eth0',
        'default via 169.254.1.1 dev eth0',
        '169.254.1.1 dev eth0 scope link',
        `169.254.1.1 dev eth0 lladdr ${hostMac} PERMANENT`,
      ],
    );
    t.equal(await lab.out('node/node-1', `ip -4 addr show dev ${VETH.a}`), '');
    t.strictSame(await lab.curl({ peer: ['pod/a', '10.0.3.51:8080'] }), {
      peer: 'client 10.0.3.50',
    });
    // The entry is what carries: with another MAC the node does not hear the pod.
    await lab.out('pod/a', 'ip neigh replace 169.254.1.1 lladdr 02:00:00:00:00:01 dev eth0');
    t.strictSame(await lab.curl({ peer: ['pod/a', '10.0.3.51:8080'] }), { peer: 'exit 28' });
  });
});

t.test('CNI-02 the rules and routes of a node, as ip prints them', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    t.strictSame((await shown(lab, 'node/node-1', 'ip rule')).sort(), [
      '0:\tfrom all lookup local',
      '1024:\tfrom all fwmark 0x80/0x80 lookup main',
      '1536:\tfrom 10.0.3.60 lookup 2',
      '1536:\tfrom 10.0.3.61 lookup 2',
      '32765:\tfrom 10.0.3.12 lookup 2',
      '32766:\tfrom all lookup main',
      '32767:\tfrom all lookup default',
      '512:\tfrom all to 10.0.3.50 lookup main',
      '512:\tfrom all to 10.0.3.51 lookup main',
      '512:\tfrom all to 10.0.3.60 lookup main',
      '512:\tfrom all to 10.0.3.61 lookup main',
    ]);
    t.strictSame(await shown(lab, 'node/node-1', 'ip route'), [
      'default via 10.0.3.1 dev eth0',
      '10.0.3.0/24 dev eth0 proto kernel scope link src 10.0.3.11',
      `10.0.3.50 dev ${VETH.a} scope link`,
      `10.0.3.51 dev ${VETH.a2} scope link`,
      `10.0.3.60 dev ${VETH.c} scope link`,
      `10.0.3.61 dev ${VETH.c2} scope link`,
    ]);
    t.strictSame(await shown(lab, 'node/node-1', 'ip route show table 2'), [
      'default via 10.0.3.1 dev eth1',
      '10.0.3.1 dev eth1 scope link',
    ]);
    // A pod on eth1 leaves by eth1; without its rule it leaves by eth0, whose address it has not.
    const eth1 = { link: 'eth1', filter: 'tcp', until: /10\.0\.3\.60\.\d+ > 10\.0\.4\.50\.8080: / };
    await lab.capture('node/node-1', eth1, async () => {
      t.strictSame(await lab.curl({ c: ['pod/c', '10.0.4.50:8080'] }), { c: 'client 10.0.3.60' });
    });
    await lab.out('node/node-1', 'ip rule del priority 1536 from 10.0.3.60');
    t.strictSame(
      await lab.curl({
        'without its rule': ['pod/c', '10.0.4.50:8080'],
        'with its rule': ['pod/c2', '10.0.4.50:8080'],
      }),
      { 'without its rule': 'exit 28', 'with its rule': 'client 10.0.3.61' },
    );
  });
});

const MANGLE = [
  '-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80',
  '-A PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80',
  '-A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80',
];

const NAT_HOOKS = [
  '-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0',
  '-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80',
  '-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0',
];

const EXCLUDED = ['172.16.0.0/12', '198.51.100.0/24'];

function natRules(excluded: readonly string[], random: string): string[] {
  const connmark = (block: string, comment: string): string =>
    `-A AWS-CONNMARK-CHAIN-0 -d ${block} -m comment --comment "AWS CONNMARK CHAIN, ${comment}" -j RETURN`;
  const snat = (block: string, comment: string): string =>
    `-A AWS-SNAT-CHAIN-0 -d ${block} -m comment --comment "AWS SNAT CHAIN${comment}" -j RETURN`;
  return [
    ...NAT_HOOKS,
    ...excluded.map((block) => connmark(block, 'EXCLUDED CIDR')),
    connmark('10.0.0.0/16', 'VPC CIDR'),
    '-A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80',
    ...excluded.map((block) => snat(block, ' EXCLUSION')),
    snat('10.0.0.0/16', ''),
    `-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 10.0.3.11${random}`,
  ];
}

/** iptables-save of one table: its own chains and all rules. */
async function iptables(lab: TestLab, table: string): Promise<string[]> {
  const lines = await shown(lab, 'node/node-1', `iptables-save -t ${table}`);
  return lines.filter((line) => /^-A|^:AWS/.test(line)).map((line) => line.replace(/ \[.*\]$/, ''));
}

t.test('CNI-04, CNI-05 the rules of a node, as iptables-save prints them', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const chains = [':AWS-CONNMARK-CHAIN-0 -', ':AWS-SNAT-CHAIN-0 -'];
    t.strictSame(await iptables(lab, 'mangle'), MANGLE);
    t.strictSame(await iptables(lab, 'nat'), [...chains, ...natRules([], ' --random-fully')]);
    await lab.change(EXCLUDING);
    t.strictSame(await iptables(lab, 'nat'), [...chains, ...natRules(EXCLUDED, ' --random-fully')]);
    await lab.change(EXTERNAL);
    t.strictSame(await iptables(lab, 'mangle'), MANGLE);
    t.strictSame(await iptables(lab, 'nat'), chains);
    t.match(
      await lab.out('node/node-1', 'ip rule'),
      /1024:\tfrom all fwmark 0x80\/0x80 lookup main/,
    );
    await lab.change(edit(EXTERNAL, '  cni: {', '  cni: { AWS_VPC_CNI_NODE_PORT_SUPPORT: false,'));
    t.strictSame(await iptables(lab, 'mangle'), []);
    t.notMatch(await lab.out('node/node-1', 'ip rule'), /1024:/);
    await lab.change(edit(LAB, '  cni: {', '  cni: { AWS_VPC_CNI_NODE_PORT_SUPPORT: false,'));
    t.strictSame(await iptables(lab, 'mangle'), [MANGLE[1]]);
    t.match(await lab.out('node/node-1', 'ip rule'), /1024:/);
  });
});

t.test('CNI-04 the ways to choose a source port, as the rule says them', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    for (const [word, flag] of [
      ['prng', ' --random-fully'],
      ['hashrandom', ' --random'],
      ['none', ''],
    ] as const) {
      const text = edit(LAB, '  cni: {', `  cni: { AWS_VPC_K8S_CNI_RANDOMIZESNAT: ${word},`);
      const chain = lab.load(text).state.get('node-1 iptables nat AWS-SNAT-CHAIN-0')?.object;
      t.match(chain, {
        rules: [
          '-d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN',
          `! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 10.0.3.11${flag}`,
        ],
      });
      t.ok(chain?.kind === 'iptables-chain' && chain.rules[1]?.endsWith(`10.0.3.11${flag}`));
    }
    t.match(
      refusals(edit(LAB, '  cni: {', '  cni: { AWS_VPC_K8S_CNI_RANDOMIZESNAT: yes,'), MANIFESTS),
      [/RANDOMIZESNAT/],
    );
  });
});

t.test(
  'CNI-03 pods see each other by their own addresses, whichever ENI they are on',
  async (t) => {
    await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
      const address = {
        a: '10.0.3.50',
        a2: '10.0.3.51',
        b: '10.0.4.50',
        c: '10.0.3.60',
        c2: '10.0.3.61',
      };
      const names = Object.keys(address) as (keyof typeof address)[];
      const pairs = names.flatMap((from) =>
        names.filter((to) => to !== from).map((to) => [from, to] as const),
      );
      const requests = Object.fromEntries(
        pairs.map(([from, to]) => [
          `${from} to ${to}`,
          [`pod/${from}`, `${address[to]}:8080`] as const,
        ]),
      );
      const seen = await lab.capture(
        'vpc/main',
        { link: 'other', until: /10\.0\.3\.60\.\d+ > 10\.0\.4\.50/ },
        async () => {
          t.strictSame(
            await lab.curl(requests),
            Object.fromEntries(
              pairs.map(([from, to]) => [`${from} to ${to}`, `client ${address[from]}`]),
            ),
          );
        },
      );
      t.notMatch(seen, /VXLAN|IPIP|GRE|10\.0\.3\.1[12]\./, 'no overlay, no node in between');
      t.match(
        await lab.curl({
          'node to its pod': ['node/node-1', '10.0.3.50:8080'],
          'node to its pod on eth1': ['node/node-1', '10.0.3.60:8080'],
          'node to a pod elsewhere': ['node/node-2', '10.0.3.60:8080'],
          'pod to an instance': ['pod/c', '10.0.4.80'],
          'instance to a pod on eth1': ['instance/db', '10.0.3.60:8080'],
          'nobody there': ['pod/a', '10.0.4.51:8080'],
        }),
        {
          'node to its pod': 'client 10.0.3.11',
          'node to its pod on eth1': 'client 10.0.3.11',
          'node to a pod elsewhere': 'client 10.0.4.11',
          'pod to an instance': 'client 10.0.3.60',
          'instance to a pod on eth1': 'client 10.0.4.80',
          'nobody there': 'exit 28',
        },
      );
      t.match(await lab.out('pod/a', 'ping -c 1 -W 2 10.0.3.51'), / ttl=63 /, 'one node');
      t.match(await lab.out('pod/a', 'ping -c 1 -W 2 10.0.4.50'), / ttl=62 /, 'two nodes');
    });
  },
);

/** Which addresses the node's cards send with, while pods ask an internet host and an instance. */
async function sources(lab: TestLab, link: string, until: RegExp): Promise<Set<string>> {
  const capture = { link, filter: 'tcp[tcpflags] & tcp-syn != 0 and src net 10.0.3.0/24', until };
  const seen = await lab.capture('node/node-1', capture, async () =>
    lab.curl({
      a: ['pod/a', '198.51.100.10'],
      c: ['pod/c', '198.51.100.10'],
      'a inside': ['pod/a', '10.0.4.80'],
      'c inside': ['pod/c', '10.0.4.80'],
    }),
  );
  return new Set(
    [...seen.matchAll(/(10\.0\.3\.\d+)\.\d+ > ([\d.]+)\.80: /g)].map(([, from, to]) =>
      [from, to].join(' > '),
    ),
  );
}

async function bothCards(lab: TestLab): Promise<Record<string, string[]>> {
  const eth0 = await sources(lab, 'eth0', /10\.0\.3\.50\.\d+ > 10\.0\.4\.80/);
  const eth1 = await sources(lab, 'eth1', /10\.0\.3\.60\.\d+ > 10\.0\.4\.80/);
  return { eth0: [...eth0].sort(), eth1: [...eth1].sort() };
}

t.test('CNI-04 outside the VPC a pod is its node, inside it is itself', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const ask = async (): Promise<Record<string, string>> =>
      lab.curl({
        a: ['pod/a', '198.51.100.10'],
        'c on eth1': ['pod/c', '198.51.100.10'],
        b: ['pod/b', '198.51.100.10'],
        'p on a public node': ['pod/p', '198.51.100.10'],
        'a to an instance': ['pod/a', '10.0.4.80'],
      });
    t.strictSame(await ask(), {
      a: 'client 203.0.113.50',
      'c on eth1': 'client 203.0.113.50',
      b: 'client 203.0.113.50',
      'p on a public node': 'client 203.0.113.11',
      'a to an instance': 'client 10.0.3.50',
    });
    t.strictSame(await bothCards(lab), {
      eth0: ['10.0.3.11 > 198.51.100.10', '10.0.3.50 > 10.0.4.80'],
      eth1: ['10.0.3.60 > 10.0.4.80'],
    });

    // CNI-05: the pod's own address leaves, by its own card; a public node's pod has nobody to translate it.
    await lab.change(EXTERNAL);
    t.strictSame(await ask(), {
      a: 'client 203.0.113.50',
      'c on eth1': 'client 203.0.113.50',
      b: 'client 203.0.113.50',
      'p on a public node': 'exit 28',
      'a to an instance': 'client 10.0.3.50',
    });
    t.strictSame(await bothCards(lab), {
      eth0: ['10.0.3.50 > 10.0.4.80', '10.0.3.50 > 198.51.100.10'],
      eth1: ['10.0.3.60 > 10.0.4.80', '10.0.3.60 > 198.51.100.10'],
    });
  });
});

t.test(
  'CNI-05, CNI-06 an excluded block sees the pod, every other outside sees the node',
  async (t) => {
    await withLab(t, { lab: EXCLUDING, manifests: MANIFESTS }, async (lab) => {
      const seen = await lab.capture(
        'node/node-1',
        { link: 'any', filter: 'tcp', until: /out.*10\.0\.3\.11\.\d+ > 192\.0\.2\.10\.80: .*\[F/i },
        async () => {
          t.strictSame(
            await lab.curl({
              'a, excluded': ['pod/a', '198.51.100.10'],
              'c on eth1, excluded': ['pod/c', '198.51.100.10'],
              'p, excluded': ['pod/p', '198.51.100.10'],
              'p, not excluded': ['pod/p', '192.0.2.10'],
            }),
            {
              'a, excluded': 'client 203.0.113.50',
              'c on eth1, excluded': 'client 203.0.113.50',
              'p, excluded': 'exit 28',
              'p, not excluded': 'client 203.0.113.11',
            },
          );
          await lab.curl({ 'a, not excluded': ['pod/a', '192.0.2.10'] });
        },
      );
      t.notMatch(seen, /10\.0\.3\.11\.\d+ > 198\.51\.100\.10/);
      t.match(seen, /eth0 +Out.* 10\.0\.3\.50\.\d+ > 198\.51\.100\.10\.80: Flags \[S\]/);
      t.match(seen, /eth1 +Out.* 10\.0\.3\.60\.\d+ > 198\.51\.100\.10\.80: Flags \[S\]/);
    });
  },
);

t.test('CNI-07 a pod with hostNetwork is its node', async (t) => {
  const manifests = MANIFESTS + pods(['h'], 'hostNetwork: true');
  const text = edit(LAB, '  pins:\n', '  pins:\n    pod/h: { node: node-1 }\n');
  await withLab(t, { lab: text, manifests }, async (lab) => {
    t.equal(lab.netns('pod/h'), lab.netns('node/node-1'));
    t.strictSame(
      await lab.curl({
        out: ['pod/h', '10.0.4.80'],
        'out of the VPC': ['pod/h', '198.51.100.10'],
        in: ['pod/b', '10.0.3.11:8080'],
        'at the ENI of its neighbour pods': ['pod/a', '10.0.3.12:8080'],
        'a node without such a pod': ['pod/b', '10.0.4.11:8080'],
      }),
      {
        out: 'client 10.0.3.11',
        'out of the VPC': 'client 203.0.113.50',
        in: 'client 10.0.4.50',
        'at the ENI of its neighbour pods': 'client 10.0.3.50',
        'a node without such a pod': 'exit 7',
      },
    );
  });
});

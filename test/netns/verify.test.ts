/** The kernel held against the plan: nothing differs in a lab that was just built, and whatever is broken is named and mended. */

import t from 'tap';

import { renderDrift } from '../../src/report/drift.ts';
import { edit, pods, type TestLab, withLab, OPEN_GROUPS } from '../support/with-lab.ts';

/** A bit of everything: two nodes and two ENIs, a NAT and an internet gateway, an appliance, UDP, excluded blocks. */
const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    secondaryCidrs: [10.1.0.0/16]
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
      empty: { cidr: 10.1.0.0/24, az: az-1 }
    internetGateway: igw
    natGateways: { nat: { subnet: public, address: 10.0.1.50, elasticIp: 203.0.113.50, idleTimeout: 20s } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private:
        routes:
          - { destination: 0.0.0.0/0, target: nat/nat }
          - { destination: 10.0.1.0/24, target: instance/firewall }
          - { destination: 192.0.2.0/24, target: blackhole }
    instances:
      bastion: { subnet: public, elasticIp: 203.0.113.10, secondaryAddresses: [10.0.1.40] }
      firewall:
        subnet: public
        sourceDestCheck: false
        interfaces: [{ subnet: private, sourceDestCheck: false }]
cluster:
  vpc: main
  cni:
    AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: 192.168.0.0/16,172.16.0.0/12
    AWS_VPC_K8S_CNI_RANDOMIZESNAT: hashrandom
  nodes:
    node-1: { subnet: private, address: 10.0.3.10 }
    node-2: { subnet: private, address: 10.0.3.11 }
  pins:
    pod/a: { node: node-1, address: 10.0.3.50 }
    pod/b: { node: node-2, address: 10.0.3.60, eni: eth1 }
internet:
  server: { address: 198.51.100.10 }
`;
const MANIFESTS = `${pods(['a', 'b'])}
apiVersion: v1
kind: Pod
metadata: { name: udp }
spec: { containers: [{ name: main, ports: [{ containerPort: 5353, protocol: UDP }] }] }
`;

async function says(lab: TestLab): Promise<string[]> {
  const { drift } = await lab.verify();
  return drift.length === 0 ? [] : renderDrift(drift, false).split('\n');
}

interface Break {
  readonly what: string;
  /** Those of a round are made together: none of them touches what another one does. */
  readonly round: number;
  /** Where the line runs: a thing, or the sandbox itself. */
  readonly where: string | undefined;
  readonly line: string;
  readonly says: readonly string[];
}

const BREAKS: readonly Break[] = [
  {
    what: 'a route of a route table',
    round: 1,
    where: 'vpc/main',
    line: 'ip route del $(ip route show table all | grep "^default via 10.0.1.50")',
    says: ['✗ rtb/private: route 0.0.0.0/0 -> nat/nat is gone'],
  },
  {
    what: 'a policy rule',
    round: 1,
    where: 'node/node-1',
    line: 'ip rule del priority 512 to 10.0.3.50',
    says: ['✗ pod/a: rule 512 to 10.0.3.50 lookup main is gone'],
  },
  {
    what: 'an iptables chain, flushed',
    round: 1,
    where: 'node/node-1',
    line: 'iptables -t nat -F AWS-SNAT-CHAIN-0',
    says: ['✗ node/node-1: chain AWS-SNAT-CHAIN-0 (iptables -t nat) lacks 5 rules'],
  },
  {
    what: 'an iptables rule more, at the head of a chain',
    round: 2,
    where: 'node/node-1',
    line: 'iptables -t nat -I AWS-SNAT-CHAIN-0 -s 9.9.9.9 -j RETURN',
    says: ['✗ node/node-1: chain AWS-SNAT-CHAIN-0 (iptables -t nat) has a rule more'],
  },
  {
    what: 'the policy of a chain',
    round: 1,
    where: 'igw',
    line: 'iptables -P FORWARD ACCEPT',
    says: ['✗ igw: chain FORWARD (iptables -t filter) has the policy ACCEPT, not DROP'],
  },
  {
    what: 'an address, with the route over it',
    round: 1,
    where: 'node/node-2',
    line: 'ip addr del 10.0.3.11/24 dev eth0',
    says: [
      '✗ node/node-2: address 10.0.3.11/24 dev eth0 is gone',
      '✗ node/node-2: route default via 10.0.3.1 dev eth0 is gone',
    ],
  },
  {
    what: 'a connected route',
    round: 2,
    where: 'node/node-2',
    line: 'ip route del 10.0.3.0/24 dev eth0',
    says: ['✗ node/node-2: the connected route of address 10.0.3.11/24 dev eth0 is gone'],
  },
  {
    what: 'a neighbour',
    round: 1,
    where: 'pod/a',
    line: 'ip neigh del 169.254.1.1 dev eth0',
    says: ['✗ pod/a: neighbour 169.254.1.1 lladdr ee:79:76:63:9c:1a dev eth0 is gone'],
  },
  {
    what: 'a sysctl, and what the kernel changes with it',
    round: 2,
    where: 'node/node-1',
    line: 'echo 0 >/proc/sys/net/ipv4/ip_forward',
    says: [
      '✗ node/node-1: sysctl net.ipv4.ip_forward is 0, not 1',
      '✗ node/node-1: sysctl net.ipv4.conf.all.accept_redirects is 1, not 0',
    ],
  },
  {
    what: 'a link, down',
    round: 1,
    where: 'nat/nat',
    line: 'ip link set eth0 down',
    says: ['✗ nat/nat:eth0: link eth0 is down, and 1 object with it'],
  },
  {
    what: "a pod's network namespace, deleted",
    round: 3,
    where: undefined,
    line: 'ip netns del pod-a',
    says: ['✗ pod/a: network namespace pod-a is gone, and 15 objects with it'],
  },
  {
    what: 'a cable, deleted',
    round: 3,
    where: 'node/node-2',
    line: 'ip link del eth1',
    says: [
      '✗ node/node-2:eth1: cable eth1 (to node-2-eth1 of vpc-main) is gone, and 8 objects with it',
    ],
  },
  {
    what: 'HAProxy, killed',
    round: 1,
    where: undefined,
    line: 'kill -9 $(cat /run/hoplab/servers.pid)',
    says: ['✗ lab: the server haproxy does not run'],
  },
  {
    what: 'the responder, killed',
    round: 2,
    where: undefined,
    line: 'kill -9 $(cat /run/hoplab/responder.pid)',
    says: ['✗ lab: the server responder does not run'],
  },
  {
    what: 'the log of denied packets, killed',
    round: 3,
    where: undefined,
    line: 'kill -9 $(cat /run/hoplab/drop-log.pid)',
    says: ['✗ lab: the server drop-log does not run'],
  },
  {
    what: "an element of a security group's gate",
    round: 1,
    where: 'vpc/main',
    line: "nft delete element inet vpc ingress-of '{ 10.0.3.50 }'",
    says: ['✗ node/node-1:eth0: the gate of the security groups for 10.0.3.50 (ingress) is gone'],
  },
  {
    what: 'an nft rule, replaced',
    round: 1,
    where: 'vpc/main',
    line: 'nft flush chain inet vpc sg-default-ingress && nft add rule inet vpc sg-default-ingress drop',
    says: [
      '✗ sg/default: chain sg-default-ingress (nft inet vpc) lacks a rule and has a rule more',
    ],
  },
  {
    what: 'an nft base chain, hung elsewhere',
    round: 2,
    where: 'nat/nat',
    line: "nft delete chain ip nat-gateway input && nft add chain ip nat-gateway input '{ type filter hook input priority 5; policy accept; }'",
    says: [
      '✗ nat/nat: chain input (nft ip nat-gateway) hangs elsewhere (type filter hook input priority 5; policy accept;)',
    ],
  },
  {
    what: 'a whole nft table',
    round: 4,
    where: 'vpc/main',
    line: 'nft delete table bridge fabric',
    says: ['✗ vpc/main: nft table bridge fabric is gone, and 25 objects with it'],
  },
  {
    what: 'a flag of a bridge port',
    round: 1,
    where: 'vpc/main',
    line: 'ip link set node-1-eth0 type bridge_slave flood on isolated off',
    says: ['✗ node/node-1:eth0: port node-1-eth0 of private: isolated off, flood on'],
  },
  {
    what: 'an entry of a forwarding table',
    round: 2,
    where: 'vpc/main',
    line: 'bridge fdb del $(bridge fdb show dev node-1-eth0 | grep sticky | cut -d" " -f1) dev node-1-eth0 master',
    says: ['✗ node/node-1:eth0: fdb 0a:e2:05:eb:22:fd dev node-1-eth0 is gone'],
  },
  {
    what: 'an MTU, on one end',
    round: 4,
    where: 'node/node-1',
    line: 'ip link set eth0 mtu 1400',
    says: ['✗ node/node-1:eth0: cable eth0 (to node-1-eth0 of vpc-main): node-1 eth0 mtu 1400'],
  },
  {
    what: 'a MAC',
    round: 1,
    where: 'instance/bastion',
    line: 'ip link set eth0 address 0a:00:00:00:00:99',
    says: [
      '✗ instance/bastion:eth0: cable eth0 (to bastion-eth0 of vpc-main): bastion eth0 has the MAC 0a:00:00:00:00:99, not 0a:1c:af:df:dd:96',
    ],
  },
  {
    what: 'a file of the sandbox',
    round: 1,
    where: undefined,
    line: 'echo nameserver 1.2.3.4 >/etc/netns/pod-a/resolv.conf',
    says: ['✗ pod/a: file /etc/netns/pod-a/resolv.conf has another content'],
  },
  {
    what: 'a file of the sandbox, gone with its directory',
    round: 2,
    where: undefined,
    line: 'rm -r /etc/netns/pod-a',
    says: ['✗ pod/a: file /etc/netns/pod-a/resolv.conf is gone'],
  },
  {
    what: 'an address of a loopback',
    round: 2,
    where: 'vpc/main',
    line: 'ip addr del 169.254.169.253/32 dev lo && ip addr add 10.9.9.9/32 dev lo',
    says: [
      '✗ vpc/main: address 169.254.169.253/32 dev lo is gone',
      '✗ vpc/main: an address more: 10.9.9.9/32 dev lo',
    ],
  },
  {
    what: 'a DNS server, killed',
    round: 4,
    where: undefined,
    line: 'kill -9 $(cat /run/hoplab/dnsmasq-vpc-main.pid)',
    says: ['✗ vpc/main: the server dnsmasq-vpc-main does not run'],
  },
  {
    what: 'links, routes, rules, chains and tables that nobody planned',
    round: 3,
    where: 'node/node-1',
    line: `ip link add more type veth peer name more-peer
      ip route add blackhole 9.9.9.0/24
      ip rule add priority 7 from 9.9.9.9 lookup main
      iptables -t raw -A PREROUTING -s 9.9.9.9 -j DROP
      iptables -N MORE
      nft add table inet more && nft add chain inet more inner
      ip addr add 10.0.3.99/32 dev eth0
      ip neigh add 10.0.3.99 lladdr 0a:00:00:00:00:01 dev eth0`,
    says: [
      '✗ node/node-1: an address more: 10.0.3.99/32 dev eth0',
      '✗ node/node-1: a route more: blackhole 9.9.9.0/24',
      '✗ node/node-1: a rule more: 7 from 9.9.9.9 lookup main',
      '✗ node/node-1: a neighbour more: 10.0.3.99 lladdr 0a:00:00:00:00:01 dev eth0',
      '✗ node/node-1: an nft table more: inet more, and 1 object with it',
      '✗ node/node-1: a chain more: PREROUTING (iptables -t raw)',
      '✗ node/node-1: a chain more: MORE (iptables -t filter)',
      '✗ node/node-1: a cable more: more (to more-peer of node-1)',
    ],
  },
  {
    what: 'a network namespace that nobody planned',
    round: 1,
    where: undefined,
    line: 'ip netns add more',
    says: ['✗ more: a network namespace more: more, and 3 objects with it'],
  },
];

t.test('whatever is broken is named, mended, and nothing else is touched', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    t.strictSame(await says(lab), [], 'nothing differs at first');
    const rounds = [...new Set(BREAKS.map(({ round }) => round))].sort();
    for (const round of rounds) {
      const broken = BREAKS.filter((one) => one.round === round);
      for (const { what, where, line } of broken) {
        const done = await (where === undefined ? lab.sh(line) : lab.in(where, line));
        t.equal(done.exitCode, 0, `${what}: ${done.stderr}`);
      }
      const { before, after } = await lab.repair();
      const named = before.drift.length === 0 ? [] : renderDrift(before.drift, false).split('\n');
      for (const { what, says: words } of broken) {
        const missing = words.filter((word) => !named.includes(word));
        t.strictSame(missing, [], `${what}: named (among ${named.join('; ')})`);
      }
      t.strictSame(
        named.toSorted(),
        broken.flatMap((one) => one.says).toSorted(),
        `round ${round}: nothing else is named`,
      );
      t.equal(renderDrift(after.drift, true), '', `round ${round}: mended`);
    }
    t.strictSame(
      await lab.curl({
        out: ['pod/a', '198.51.100.10'],
        across: ['pod/b', '10.0.3.50:8080'],
        bastion: ['internet/server', '203.0.113.10'],
      }),
      { out: 'client 203.0.113.50', across: 'client 10.0.3.60', bastion: 'client 198.51.100.10' },
      'and the lab works',
    );
  });
});

t.test('verify ends with 1 while something differs, repair with 0 once nothing does', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    t.strictSame(await lab.cli('verify'), {
      exitCode: 0,
      stdout: `${lab.name} stands as planned: ${lab.lab.state.size} objects looked at\n`,
      stderr: '',
    });
    await lab.out('node/node-1', 'iptables -t nat -A AWS-SNAT-CHAIN-0 -s 9.9.9.9 -j RETURN');
    const { exitCode, stdout } = await lab.cli('verify', '-v');
    t.equal(exitCode, 1);
    t.equal(
      stdout,
      `✗ node/node-1: chain AWS-SNAT-CHAIN-0 (iptables -t nat) has a rule more
    + iptables -t nat: -A AWS-SNAT-CHAIN-0 -s 9.9.9.9/32 -j RETURN    (netns node-1)
${lab.name}: 1 difference; the kernel’s own lines: npx hoplab verify -v -l ${lab.name}; mend: npx hoplab repair -l ${lab.name}
`,
    );
    const json = JSON.parse((await lab.cli('verify', '--json')).stdout) as object;
    t.match(json, {
      lab: lab.name,
      drift: [
        {
          thing: 'node/node-1',
          what: 'chain AWS-SNAT-CHAIN-0 (iptables -t nat) has a rule more',
          drift: 'changed',
          netns: 'node-1',
          raw: ['+ iptables -t nat: -A AWS-SNAT-CHAIN-0 -s 9.9.9.9/32 -j RETURN    (netns node-1)'],
        },
      ],
    });
    const repaired = await lab.cli('repair');
    t.equal(repaired.exitCode, 0);
    t.match(repaired.stdout, `${lab.name}: 1 object mended`);
    t.equal((await lab.cli('verify')).exitCode, 0);
  });
});

t.test('a lab that was changed by hand can be changed and taken back all the same', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    await lab.out(
      'vpc/main',
      'ip route del $(ip route show table all | grep "^default via 10.0.1.50")',
    );
    // The steps from the plan would take this very route away.
    await lab.change(edit(LAB, '- { destination: 0.0.0.0/0, target: nat/nat }', ''));
    t.strictSame(await says(lab), []);
  });
});

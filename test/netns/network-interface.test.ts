/** Subnets and network interfaces on the real kernel (fidelity rows VPC-01, VPC-02, L2-01 to L2-04). */

import t from 'tap';

import { edit, pods, refusals, withLab, OPEN_GROUPS } from '../support/with-lab.ts';

// Most of the time is waiting for what does not come.
t.jobs = 4;

/** A subnet of sixteen addresses. */
function instancesInSlash28(count: number): string {
  const names = Array.from({ length: count }, (_, index) => `      i${index}: { subnet: s }`);
  return `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets: { s: { cidr: 10.0.1.16/28, az: az-1 } }
    instances:
${names.join('\n')}
`;
}

t.test('VPC-01 a /28 has eleven addresses to give', async (t) => {
  await withLab(t, { lab: instancesInSlash28(11) }, async (lab) => {
    const offsets = [...lab.lab.cloud.things.values()]
      .flatMap(({ address }) => (address === undefined ? [] : [Number(address.split('.')[3]) - 16]))
      .sort((a, b) => a - b);
    t.strictSame(offsets, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    const all = Object.fromEntries(
      offsets.map((offset) => [offset, ['instance/i0', `10.0.1.${16 + offset}`] as const]),
    );
    const answers = new Set(Object.values(await lab.curl(all)));
    const own = await lab.out('instance/i0', 'ip -4 -o addr show dev eth0');
    t.ok(answers.size === 1, 'each of them answers');
    t.match([...answers], [`client ${/inet ([\d.]+)/.exec(own)?.[1] ?? ''}`]);
  });
});

t.test('VPC-01 a twelfth address and the five reserved ones are refused', async (t) => {
  t.match(refusals(instancesInSlash28(12)), [/^subnet-full: instance\/i11 .* 10\.0\.1\.16\/28 /]);
  const pinned = (address: string): string[] =>
    refusals(edit(instancesInSlash28(1), '{ subnet: s }', `{ subnet: s, address: ${address} }`));
  t.match(pinned('10.0.1.16'), [/^address-reserved: .* the network address /]);
  t.match(pinned('10.0.1.17'), [/^address-reserved: .* the VPC router's /]);
  t.match(pinned('10.0.1.18'), [/^address-reserved: .* the DNS server's /]);
  t.match(pinned('10.0.1.19'), [/^address-reserved: .* kept for future use /]);
  t.match(pinned('10.0.1.31'), [/^address-reserved: .* the broadcast address /]);
  t.strictSame(pinned('10.0.1.30'), []);
  const size = (length: number): string[] =>
    refusals(`vpcs: { main: { cidr: 10.0.0.0/${length} } }`);
  t.match(size(15), [/^block-size: /]);
  t.strictSame(size(16), []);
  t.strictSame(size(28), []);
  t.match(size(29), [/^block-size: /]);
});

const TWO_ZONES = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      one: { cidr: 10.0.1.0/24, az: az-1 }
      two: { cidr: 10.0.2.0/24, az: az-2 }
    instances:
      i: { subnet: one, interfaces: [{ subnet: one }] }
`;

t.test('VPC-02 subnets do not overlap, and an ENI stays in its zone', async (t) => {
  t.strictSame(refusals(TWO_ZONES), []);
  t.match(refusals(edit(TWO_ZONES, '10.0.2.0/24', '10.0.0.0/23')), [
    /^subnets-overlap: subnet \"two\" /,
  ]);
  t.match(refusals(edit(TWO_ZONES, '[{ subnet: one }]', '[{ subnet: two }]')), [
    /^eni-other-az: instance\/i:eth1 /,
  ]);
});

const NEIGHBOURS = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      one: { cidr: 10.0.1.0/24, az: az-1 }
      two: { cidr: 10.0.2.0/24, az: az-1 }
    instances:
      a: { subnet: one, address: 10.0.1.10 }
      b: { subnet: one, address: 10.0.1.20 }
`;

t.test('L2-01 broadcast and multicast reach nobody', async (t) => {
  await withLab(t, { lab: NEIGHBOURS }, async (lab) => {
    const seen = await lab.capture(
      'instance/b',
      { filter: 'icmp', until: /echo reply/ },
      async () => {
        const [directed, limited, multicast] = await Promise.all([
          lab.in('instance/a', 'ping -b -c 1 -W 1 10.0.1.255'),
          lab.in('instance/a', 'ping -b -c 1 -W 1 255.255.255.255'),
          lab.in('instance/a', 'ping -c 1 -W 1 224.0.0.1'),
        ]);
        for (const { stdout } of [directed, limited, multicast]) {
          t.match(stdout, /1 packets transmitted, 0 received/);
        }
        t.equal((await lab.in('instance/a', 'ping -c 1 -W 2 10.0.1.20')).exitCode, 0);
      },
    );
    t.notMatch(seen, /10\.0\.1\.255|255\.255\.255\.255|224\.0\.0\.1/);
    t.match(
      await lab.out('vpc/main', 'nft list chain bridge fabric from-eni'),
      /counter packets 3 bytes \d+ drop comment "no broadcast, no multicast in a VPC"/,
      'they had left the sender',
    );
  });
});

t.test('L2-02 ARP is answered by the platform, for assigned addresses only', async (t) => {
  await withLab(t, { lab: NEIGHBOURS }, async (lab) => {
    const filter = 'arp or icmp';
    const seen = await lab.capture('instance/b', { filter, until: /echo reply/ }, async () => {
      const [first, unused] = await Promise.all([
        lab.out('instance/a', 'ping -c 1 -W 2 10.0.1.20'),
        lab.in('instance/a', 'ping -c 1 -W 1 10.0.1.77'),
      ]);
      const ms = Number(/time=([\d.]+) ms/.exec(first)?.[1]);
      t.ok(ms < 300, `the first ping waits for no proxy: ${ms} ms`);
      t.equal(unused.exitCode, 1);
    });
    t.notMatch(seen, /who-has 10\.0\.1\.(20|77)/, 'the question never gets to the neighbour');
    const mac = await lab.out('instance/b', 'cat /sys/class/net/eth0/address');
    const neighbours = await lab.out('instance/a', 'ip neigh');
    t.match(neighbours, new RegExp(`^10\\.0\\.1\\.20 dev eth0 lladdr ${mac} `, 'm'));
    t.match(neighbours, /^10\.0\.1\.77 dev eth0 +(INCOMPLETE|FAILED)/m);

    // An address that a host gives to itself is not the VPC's to deliver; one that was assigned is.
    await lab.out('instance/b', 'ip addr add 10.0.1.88/24 dev eth0');
    t.strictSame(await lab.exits({ ghost: ['instance/a', 'ping -c 1 -W 1 10.0.1.88'] }), {
      ghost: 1,
    });
    await lab.change(
      edit(NEIGHBOURS, 'address: 10.0.1.20', 'address: 10.0.1.20, secondaryAddresses: [10.0.1.89]'),
    );
    t.strictSame(await lab.curl({ assigned: ['instance/a', '10.0.1.89'] }), {
      assigned: 'client 10.0.1.10',
    });
  });
});

t.test('L2-02 a card asks for its neighbours with an address of its own', async (t) => {
  const text = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      one: { cidr: 10.0.1.0/24, az: az-1 }
      two: { cidr: 10.0.2.0/24, az: az-1 }
    instances:
      peer: { subnet: two, address: 10.0.2.10 }
      both:
        subnet: one
        address: 10.0.1.10
        interfaces: [{ subnet: two, address: 10.0.2.20 }]
`;
  await withLab(t, { lab: text }, async (lab) => {
    // The answer goes by the second card, whose address it does not bear, and is lost at the source check.
    const ping = 'ping -c 1 -W 0.3 10.0.1.10 >/dev/null; true';
    await lab.out('instance/peer', ping);
    const neighbour = 'ip neigh show to 10.0.2.10 dev eth1';
    t.match(
      await lab.out('instance/both', neighbour),
      /lladdr/,
      'its neighbour is known all the same',
    );
    t.match(await lab.curl({ 'both to peer': ['instance/both', '10.0.2.10'] }), {
      'both to peer': 'client 10.0.2.20',
    });
    await lab.out(
      'instance/both',
      'echo 0 >/proc/sys/net/ipv4/conf/eth1/arp_announce; ip neigh flush all',
    );
    await lab.out('instance/peer', ping);
    t.notMatch(await lab.out('instance/both', neighbour), /lladdr/, 'by default it is not');
  });
});

t.test('L2-03 an ENI sends from its own addresses only, unless the check is off', async (t) => {
  await withLab(t, { lab: NEIGHBOURS }, async (lab) => {
    await lab.out('instance/a', 'ip addr add 10.0.9.9/32 dev lo');
    const spoof = 'ping -c 1 -W 1 -I 10.0.9.9 10.0.1.20';
    const seen = await lab.capture(
      'instance/b',
      { filter: 'icmp', until: /echo reply/ },
      async () => {
        await lab.in('instance/a', spoof);
        await lab.in('instance/a', 'ping -c 1 -W 2 10.0.1.20');
      },
    );
    t.notMatch(seen, /10\.0\.9\.9/);
    t.match(
      await lab.out('vpc/main', 'nft list chain bridge fabric from-eni'),
      /counter packets 1 bytes \d+ drop comment "source\/destination check: source"/,
    );
    await lab.change(edit(NEIGHBOURS, '10.0.1.10', '10.0.1.10, sourceDestCheck: false'));
    const arrived = await lab.capture(
      'instance/b',
      { filter: 'icmp', until: /10\.0\.9\.9 >/ },
      () => lab.in('instance/a', spoof),
    );
    t.match(arrived, /10\.0\.9\.9 > 10\.0\.1\.20: ICMP echo request/);
  });
});

const APPLIANCE = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      clients: { cidr: 10.0.1.0/24, az: az-1, routeTable: clients }
      servers: { cidr: 10.0.2.0/24, az: az-1, routeTable: servers }
      firewall: { cidr: 10.0.5.0/24, az: az-1 }
    routeTables:
      clients: { routes: [{ destination: 10.0.2.0/24, target: instance/fw }] }
      servers: { routes: [{ destination: 10.0.1.0/24, target: instance/fw }] }
    instances:
      client: { subnet: clients, address: 10.0.1.10 }
      server: { subnet: servers, address: 10.0.2.10 }
      fw: { subnet: firewall, address: 10.0.5.10, sourceDestCheck: false }
`;

t.test('L2-03 an appliance forwards only when its check is off', async (t) => {
  await withLab(t, { lab: APPLIANCE }, async (lab) => {
    const ping = async (): Promise<string> =>
      (await lab.in('instance/client', 'ping -c 1 -W 1 10.0.2.10')).stdout;
    const seen = await lab.capture(
      'instance/fw',
      { filter: 'icmp', until: /echo reply/ },
      async () => {
        t.match(await ping(), /from 10\.0\.2\.10: icmp_seq=1 ttl=63 /, 'the appliance is a hop');
      },
    );
    t.match(seen, /ttl 64, .* 10\.0\.1\.10 > 10\.0\.2\.10: ICMP echo request/);
    t.match(seen, /ttl 63, .* 10\.0\.1\.10 > 10\.0\.2\.10: ICMP echo request/);
    t.strictSame(await lab.curl({ server: ['instance/client', '10.0.2.10'] }), {
      server: 'client 10.0.1.10',
    });

    // The check is on again: what is not for the appliance is not delivered to it.
    await lab.change(edit(APPLIANCE, ', sourceDestCheck: false', ''));
    const checked = await lab.capture(
      'instance/fw',
      { filter: 'icmp', until: /10\.0\.5\.10/ },
      async () => {
        t.match(await ping(), /0 received/);
        await lab.in('instance/client', 'ping -c 1 -W 2 10.0.5.10');
      },
    );
    t.notMatch(checked, /10\.0\.2\.10/);
    t.match(
      await lab.out('vpc/main', 'nft list chain bridge fabric to-eni'),
      /counter packets 1 bytes \d+ drop comment "source\/destination check: destination"/,
    );
    // Without the routes nobody needs the appliance.
    const direct = edit(APPLIANCE, '[{ destination: 10.0.2.0/24, target: instance/fw }]', '[]');
    await lab.change(edit(direct, '[{ destination: 10.0.1.0/24, target: instance/fw }]', '[]'));
    t.match(await ping(), /from 10\.0\.2\.10: icmp_seq=1 ttl=64 /);
  });
});

const MOVING = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets: { one: { cidr: 10.0.3.0/24, az: az-1 } }
    instances:
      active: { subnet: one, address: 10.0.3.21, secondaryAddresses: [10.0.3.100] }
      standby: { subnet: one, address: 10.0.3.22 }
cluster:
  vpc: main
  nodes:
    node-1: { subnet: one, address: 10.0.3.11 }
    node-2: { subnet: one, address: 10.0.3.12 }
  pins:
    pod/client: { node: node-1 }
    pod/server: { node: node-1, address: 10.0.3.50 }
`;

t.test('L2-04 a secondary address that moves takes its traffic along at once', async (t) => {
  await withLab(t, { lab: MOVING, manifests: pods(['client', 'server']) }, async (lab) => {
    const who = async (target: string): Promise<unknown> =>
      JSON.parse(await lab.out('pod/client', `curl -s -m 2 http://${target}/`));
    t.match(await who('10.0.3.50:8080'), { pod: 'server', node: 'node-1' });
    t.match(await who('10.0.3.100'), { instance: 'active' });

    const moved = edit(MOVING, 'pod/server: { node: node-1', 'pod/server: { node: node-2');
    const secondary = ', secondaryAddresses: [10.0.3.100]';
    await lab.change(edit(edit(moved, secondary, ''), '10.0.3.22', `10.0.3.22${secondary}`));
    t.match(await who('10.0.3.50:8080'), { pod: 'server', node: 'node-2' });
    t.match(await who('10.0.3.100'), { instance: 'standby' });
    t.match(await lab.out('node/node-2', 'ip route get 10.0.3.50'), / dev eni[0-9a-f]{11} /);
    t.match(await lab.out('node/node-1', 'ip route get 10.0.3.50'), / dev eth0 /);
  });
});

/** Packet sizes on the real kernel (fidelity rows MTU-01 to MTU-03). */

import t from 'tap';

import { edit, pods, type TestLab, withLab, OPEN_GROUPS } from '../support/with-lab.ts';

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
    internetGateway: igw
    natGateways: { nat: { subnet: public, elasticIp: 203.0.113.50 } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat }] }
    instances:
      bastion: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10 }
cluster:
  vpc: main
  nodes:
    node-1: { subnet: private, address: 10.0.3.11 }
    node-2: { subnet: private, address: 10.0.3.12 }
  cni: { AWS_VPC_ENI_MTU: 9001 }
  pins:
    pod/a: { node: node-1, address: 10.0.3.50 }
    pod/b: { node: node-2, address: 10.0.3.60 }
internet:
  server: { address: 198.51.100.10 }
`;

async function ping(lab: TestLab, where: string, options: string): Promise<string> {
  const { stdout, stderr } = await lab.in(where, `LC_ALL=C ping -c 1 -W 1 ${options} 2>&1`);
  return stdout + stderr;
}

t.test('MTU-01 jumbo frames fit inside the VPC and 1500 bytes beyond its gateway', async (t) => {
  await withLab(t, { lab: LAB, manifests: pods(['a', 'b']) }, async (lab) => {
    t.match(await ping(lab, 'pod/a', '-M do -s 8973 10.0.3.60'), / 1 received/);
    t.match(await ping(lab, 'pod/a', '-M do -s 8974 10.0.3.60'), /message too long, mtu=9001/);

    t.match(await ping(lab, 'instance/bastion', '-M do -s 1472 198.51.100.10'), / 1 received/);
    t.match(
      await ping(lab, 'instance/bastion', '-M do -s 8000 198.51.100.10'),
      /From 10\.0\.1\.1 icmp_seq=1 Frag needed and DF set \(mtu = 1500\)/,
    );
    // The second time the sender knows.
    t.match(
      await ping(lab, 'instance/bastion', '-M do -s 8000 198.51.100.10'),
      /message too long, mtu=1500/,
    );

    // The error goes back through the NAT gateway and the node's own translation.
    t.match(
      await ping(lab, 'pod/a', '-M do -s 8000 198.51.100.10'),
      /From 10\.0\.1\.1 icmp_seq=1 Frag needed and DF set \(mtu = 1500\)/,
    );
  });
});

t.test('MTU-01 without DF the gateway fragments', async (t) => {
  await withLab(t, { lab: LAB, manifests: pods(['a', 'b']) }, async (lab) => {
    const size = 3000;
    const seen = await lab.capture(
      'internet/server',
      { filter: 'icmp', until: /echo reply/ },
      async () => {
        t.match(
          await ping(lab, 'instance/bastion', `-M dont -s ${size} 198.51.100.10`),
          / 1 received/,
        );
      },
    );
    t.match(
      seen,
      /offset 0, flags \[\+\], .* length 1500\) 203\.0\.113\.10 > 198\.51\.100\.10: ICMP/,
    );
    t.match(seen, /offset 1480, flags \[\+\]/);
    t.match(await ping(lab, 'pod/a', `-M dont -s ${size} 10.0.3.60`), / 1 received/);
  });
});

t.test('MTU-02 a path that is narrower needs its ICMP errors', async (t) => {
  await withLab(t, { lab: LAB, manifests: pods(['a', 'b']) }, async (lab) => {
    // Narrower than both ends offer each other, so that the sender depends on being told.
    await lab.out('vpc/main', 'ip link set dev igw mtu 1400');
    const upload = async (where: string, port: number): Promise<number> => {
      const file = `/run/hoplab/got-${port}`;
      const receive = `socat -u TCP-LISTEN:${port} OPEN:${file},creat`;
      const send = `head -c 200000 /dev/zero | socat -u - TCP:198.51.100.10:${port},connect-timeout=2`;
      await lab.in('internet/server', `setsid ${receive} >/dev/null 2>&1 &`);
      await lab.poll(
        async () => lab.out('internet/server', 'ss -Hltn'),
        (listening) => listening.includes(`:${port} `),
      );
      await lab.in(where, `timeout 1.5 sh -c '${send}'`);
      return Number((await lab.sh(`stat -c %s ${file}`)).stdout);
    };
    t.strictSame(
      await Promise.all([upload('instance/bastion', 9001), upload('pod/a', 9002)]),
      [200_000, 200_000],
    );
    const forget = 'ip route flush cache; iptables -A INPUT -p icmp -j DROP';
    await Promise.all(
      ['instance/bastion', 'node/node-1', 'pod/a'].map((one) => lab.out(one, forget)),
    );
    const [bastion, pod] = await Promise.all([
      upload('instance/bastion', 9003),
      upload('pod/a', 9004),
    ]);
    t.ok(bastion < 200_000 && pod < 200_000, `it hangs: ${bastion} and ${pod} bytes`);
    // What fits needs no error.
    t.strictSame(await lab.curl({ small: ['instance/bastion', '198.51.100.10'] }), {
      small: 'client 203.0.113.10',
    });
  });
});

t.test('MTU-03 pods have the MTU of the CNI, and their SYN says so', async (t) => {
  await withLab(t, { lab: LAB, manifests: pods(['a', 'b']) }, async (lab) => {
    const mtu = async (): Promise<string[]> =>
      Promise.all(
        ['pod/a', 'node/node-1'].map((one) => lab.out(one, 'cat /sys/class/net/e*/mtu | sort -u')),
      );
    t.strictSame(await mtu(), ['9001', '9001']);
    const seen = await lab.capture(
      'pod/a',
      { filter: 'tcp', until: /198\.51\.100\.10\.80.*\[F/ },
      () =>
        lab
          .curl({ pod: ['pod/a', '10.0.3.60:8080'] })
          .then(() => lab.curl({ internet: ['pod/a', '198.51.100.10'] })),
    );
    t.match(seen, /> 10\.0\.3\.60\.8080: Flags \[S\],.*\bmss 8961,/);
    t.match(seen, /10\.0\.3\.60\.8080 > .* Flags \[S\.\],.*\bmss 8961,/);
    t.match(seen, /198\.51\.100\.10\.80 > .* Flags \[S\.\],.*\bmss 1460,/);
    await lab.change(edit(LAB, 'AWS_VPC_ENI_MTU: 9001', 'AWS_VPC_ENI_MTU: 1500'));
    t.strictSame(await mtu(), ['1500', '1500\n9001']);
  });
});

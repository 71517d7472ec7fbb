/** Services on the real kernel (fidelity rows KP-01 to KP-08), each with what must not be. */

import t from 'tap';

import { ipv4 } from '../../src/base/ip.ts';
import { findThing } from '../../src/cloud.ts';
import { judge } from '../../src/judge/judge.ts';
import { known } from '../../src/judge/places.ts';
import { renderDrift } from '../../src/report/drift.ts';
import { differences } from '../support/matrix.ts';
import { edit, OPEN_GROUPS, type TestLab, withLab } from '../support/with-lab.ts';

// Most of the time is waiting for what does not come.
t.jobs = 3;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    ${OPEN_GROUPS}
    subnets:
      one: { cidr: 10.0.1.0/24, az: az-1 }
      two: { cidr: 10.0.2.0/24, az: az-2 }
    instances: { bastion: { subnet: one, address: 10.0.1.20 } }
cluster:
  vpc: main
  addons: { coredns: false }
  nodes:
    node-1: { subnet: one, address: 10.0.1.10, interfaces: { eth1: { address: 10.0.1.11 } } }
    node-2: { subnet: two, address: 10.0.2.10 }
    node-3: { subnet: one, address: 10.0.1.12 }
  cni: { AWS_VPC_CNI_NODE_PORT_SUPPORT: true }
  pins:
    pod/client: { node: node-1, address: 10.0.1.50 }
    pod/web-1: { node: node-1, address: 10.0.1.51 }
    pod/web-2: { node: node-2, address: 10.0.2.51 }
    pod/web-3: { node: node-2, address: 10.0.2.52 }
    pod/alone: { node: node-1, address: 10.0.1.60, eni: eth1 }
    pod/going: { node: node-2, address: 10.0.2.60 }
`;

const PORTS =
  '{ containers: [{ name: main, ports: [{ name: http, containerPort: 8080 }, { name: echo, containerPort: 5353, protocol: UDP }] }] }';
const pod = (name: string, app: string, annotations = ''): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${app} }, annotations: {${annotations}} }
spec: ${PORTS}
---`;
const service = (name: string, app: string, more = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: ${app} }, ports: [{ port: 80, targetPort: http${more.startsWith('nodePort') ? `, ${more.split(';')[0] ?? ''}` : ''} }]${more.startsWith('nodePort') ? (more.split(';')[1] ?? '') : more} }
---`;

const PODS = [
  pod('client', 'client'),
  pod('web-1', 'web'),
  pod('web-2', 'web'),
  pod('web-3', 'web'),
  pod('alone', 'alone'),
  pod('going', 'going', 'hoplab.io/terminating: "true"'),
];
const MANIFESTS = [
  ...PODS,
  service('web', 'web', ', clusterIP: 172.20.0.50'),
  service('nobody', 'nobody', ', clusterIP: 172.20.0.51'),
  service('outer', 'web', 'nodePort: 30080; , type: NodePort, clusterIP: 172.20.0.52'),
  service(
    'kept',
    'web',
    'nodePort: 30081; , type: LoadBalancer, clusterIP: 172.20.0.53, externalTrafficPolicy: Local, healthCheckNodePort: 30333',
  ),
  service('near', 'web', ', clusterIP: 172.20.0.54, internalTrafficPolicy: Local'),
  service('same', 'web', ', clusterIP: 172.20.0.55, sessionAffinity: ClientIP'),
  service('alone', 'alone', 'nodePort: 30082; , type: NodePort, clusterIP: 172.20.0.56'),
  service('going', 'going', ', clusterIP: 172.20.0.57'),
  service('given', 'web', ', clusterIP: 172.20.0.58, externalIPs: [203.0.113.77]'),
  `
apiVersion: v1
kind: Service
metadata: { name: ranged }
spec: { type: LoadBalancer, clusterIP: 172.20.0.59, loadBalancerSourceRanges: [10.0.1.50/32], selector: { app: web }, ports: [{ port: 80, targetPort: http, nodePort: 30083 }] }
status: { loadBalancer: { ingress: [{ ip: 203.0.113.78 }] } }
---
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { clusterIP: 172.20.0.60, selector: { app: web }, ports: [{ port: 53, targetPort: echo, protocol: UDP }] }
---`,
].join('');

const PROBES = `
probes:
  KP-01-spread: { from: pod/client, http: svc/web/, samples: 300, expect: { sourceSeen: 10.0.1.50, spread: even } }
  KP-01-from-a-node: { from: node/node-3, http: svc/web/, samples: 30, expect: { sourceSeen: 10.0.1.12 } }
  KP-01-no-ping: { from: pod/client, ping: 172.20.0.50, expect: timeout }
  KP-01-no-other-port: { from: pod/client, tcp: "172.20.0.50:81", expect: timeout }
  KP-01-not-in-the-vpc: { from: instance/bastion, tcp: "172.20.0.50:80", expect: timeout }
  KP-02-pod: { from: pod/client, tcp: "svc/nobody:80", expect: refused }
  KP-02-node: { from: node/node-2, tcp: "svc/nobody:80", expect: refused }
  KP-03-a-node-without-a-pod: { from: instance/bastion, http: "node/node-3:30080/", samples: 300, expect: { sourceSeen: 10.0.1.12, spread: even } }
  KP-03-no-service-there: { from: instance/bastion, tcp: "node/node-3:30079", expect: refused }
  KP-05-local: { from: instance/bastion, http: "node/node-1:30081/", samples: 20, expect: { sourceSeen: 10.0.1.20, answeredBy: pod/web-1, spread: one } }
  KP-05-two-of-them: { from: instance/bastion, http: "node/node-2:30081/", samples: 100, expect: { sourceSeen: 10.0.1.20, spread: even } }
  KP-05-none-local: { from: instance/bastion, tcp: "node/node-3:30081", expect: timeout }
  KP-05-pod-of-a-node-with-none: { from: pod/client, tcp: "node/node-3:30081", expect: timeout }
  KP-05-node-itself: { from: node/node-3, http: "node/node-3:30081/", samples: 20, expect: { sourceSeen: 10.0.1.12 } }
  internal-local: { from: pod/client, http: svc/near/, samples: 20, expect: { spread: one, answeredBy: pod/web-1 } }
  internal-none-local: { from: node/node-3, tcp: "svc/near:80", expect: timeout }
  affinity: { from: pod/client, http: svc/same/, samples: 60, expect: { spread: one } }
  KP-07-hairpin: { from: pod/alone, http: svc/alone/, expect: { sourceSeen: 10.0.1.10, answeredBy: pod/alone } }
  KP-07-others: { from: pod/client, http: svc/alone/, expect: { sourceSeen: 10.0.1.50 } }
  KP-08-second-interface: { from: instance/bastion, http: "node/node-1:30082/", expect: { sourceSeen: 10.0.1.10, answeredBy: pod/alone } }
  the-last-one-serves: { from: pod/client, http: svc/going/, expect: { answeredBy: pod/going } }
  external-ip: { from: pod/client, http: "http://203.0.113.77/", expect: { status: 200 } }
  ranged-let-in: { from: pod/client, http: "http://203.0.113.78/", expect: { status: 200 } }
  ranged-not: { from: pod/web-1, tcp: "203.0.113.78:80", expect: timeout }
  ranged-by-node-port: { from: instance/bastion, http: "node/node-1:30083/", expect: { status: 200 } }
  udp: { from: pod/client, udp: "svc/echo:53", expect: { sourceSeen: 10.0.1.50 } }
`;

const stands = async (lab: TestLab): Promise<string> =>
  renderDrift((await lab.verify()).drift, true);

t.test('KP-01 to KP-08 by packets: whom a Service sends to, and whom he sees', async (t) => {
  await withLab(t, { lab: LAB + PROBES, manifests: MANIFESTS }, async (lab) => {
    t.equal(await stands(lab), '', 'the rules are what iptables-save prints');
    t.equal(await lab.failedProbes(), '');
  });
});

t.test('everybody asks every Service and node port, as predicted', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    t.strictSame(differences(await lab.matrix()), []);
  });
});

t.test('KP-02 a refusal takes no time, and silence takes all there is', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const ask = (where: string, url: string): Promise<string> =>
      lab
        .in(where, `curl -s -m 1 -o /dev/null -w '%{exitcode} %{time_total}' http://${url}/`)
        .then(({ stdout }) => stdout);
    const took = async (where: string, url: string): Promise<[code: number, seconds: number]> => {
      const [code = '', seconds = ''] = (await ask(where, url)).split(' ');
      return [Number(code), Number(seconds)];
    };
    const [refused, inSeconds] = await took('pod/client', '172.20.0.51');
    t.equal(refused, 7);
    t.ok(inSeconds < 0.5, `${inSeconds} s`);
    t.strictSame((await took('instance/bastion', '10.0.1.12:30081'))[0], 28);
    // No route leads to a Service: the packet would leave by the default route.
    t.match(await lab.out('node/node-1', 'ip route get 172.20.0.50'), 'via 10.0.1.1 dev eth0');
  });
});

t.test('KP-04 the way by a node without a pod: it asks in its own name', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const asked = { hop: ['instance/bastion', '10.0.1.12:30080'] } as const;
    const seen = await lab.capture(
      'node/node-3',
      {
        filter: 'tcp[tcpflags] & tcp-syn != 0',
        until: /10\.0\.1\.12\.\d+ > 10\.0\.[12]\.5\d\.8080: Flags \[S\]/,
      },
      () => lab.curl(asked),
    );
    t.match(seen, /10\.0\.1\.20\.\d+ > 10\.0\.1\.12\.30080: Flags \[S\]/, 'it comes to the node');
    t.match(
      seen,
      /10\.0\.1\.12\.30080 > 10\.0\.1\.20\.\d+: Flags \[S\.\]/,
      'and is answered by it',
    );
    t.strictSame(await lab.curl(asked), { hop: 'client 10.0.1.12' });
    const conntrack = await lab.out('node/node-3', 'conntrack -L -p tcp --dport 30080 2>/dev/null');
    t.match(
      conntrack,
      /src=10\.0\.1\.20 dst=10\.0\.1\.12 .* dport=30080 .*src=10\.0\.[12]\.5\d dst=10\.0\.1\.12 sport=8080/,
    );
    await lab.out('node/node-3', 'iptables -t nat -F KUBE-MARK-MASQ');
    const [one, other] = await Promise.all([
      lab.curl(asked),
      lab.curl({ hop: ['instance/bastion', '10.0.1.10:30080'] }),
    ]);
    t.strictSame(one, { hop: 'exit 28' }, 'without the mark the answer goes past the node');
    t.strictSame(other, { hop: 'client 10.0.1.10' }, 'and by another node it is as before');
  });
});

t.test('KP-06 the health check says how many endpoints the node has', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const ask = async (node: string): Promise<string[]> =>
      (await lab.out('instance/bastion', `curl -si -m 1 http://${node}:30333/healthz`))
        .split(/\r?\n/)
        .filter((line) => /^HTTP|weight|\{/i.test(line))
        .map((line) => line.toLowerCase());
    const body = (count: number): string =>
      `{"service":{"namespace":"default","name":"kept"},"localendpoints":${count},"serviceproxyhealthy":true}`;
    const weight = 'x-load-balancing-endpoint-weight';
    t.strictSame(await ask('10.0.1.10'), ['http/1.1 200 ok', `${weight}: 1`, body(1)]);
    t.strictSame(await ask('10.0.2.10'), ['http/1.1 200 ok', `${weight}: 2`, body(2)]);
    t.strictSame(await ask('10.0.1.12'), [
      'http/1.1 503 service unavailable',
      `${weight}: 0`,
      body(0),
    ]);
    await lab.change(
      LAB,
      edit(
        MANIFESTS,
        'name: web-1, labels: { app: web }, annotations: {',
        'name: web-1, labels: { app: web }, annotations: { hoplab.io/ready: "false"',
      ),
    );
    t.strictSame((await ask('10.0.1.10'))[0], 'http/1.1 503 service unavailable');
  });
});

t.test(
  'KP-08 without AWS_VPC_CNI_NODE_PORT_SUPPORT the answer leaves by the wrong card',
  async (t) => {
    const without = edit(LAB, 'PORT_SUPPORT: true', 'PORT_SUPPORT: false');
    await withLab(t, { lab: without, manifests: MANIFESTS }, async (lab) => {
      const asked = {
        'pod on eth1': ['instance/bastion', '10.0.1.10:30082'],
        'pod on eth0': ['instance/bastion', '10.0.1.10:30081'],
      } as const;
      // The answer makes the node look for its router on the other card.
      await lab.out('node/node-1', 'ip neigh flush dev eth1');
      t.strictSame(await lab.curl(asked), {
        'pod on eth1': 'exit 28',
        'pod on eth0': 'client 10.0.1.20',
      });
      const { cloud } = lab.lab;
      const from = known(findThing(cloud, 'instance/bastion'), 'bastion');
      const question = {
        protocol: 'tcp',
        from,
        destination: ipv4('10.0.1.10'),
        port: 30082,
      } as const;
      t.match(judge(cloud, question), { verdict: 'timeout', code: 'SOURCE_DEST_CHECK' });
      const seen = await lab.sh('ip netns exec vpc-main nft list chain bridge fabric from-eni');
      t.match(seen.stdout, /counter packets 0 bytes 0 drop comment "ARP for an address/);
      t.strictSame(differences(await lab.matrix()), []);
      await lab.change(LAB);
      t.match(await lab.curl(asked), { 'pod on eth1': 'client 10.0.1.10' });
    });
  },
);

t.test('localhost has the node ports too', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const asked = {
      open: ['node/node-3', '127.0.0.1:30080'],
      closed: ['node/node-3', '127.0.0.1:30079'],
      'a pod has none': ['pod/client', '127.0.0.1:30080'],
    } as const;
    const answers = { open: 'client 10.0.1.12', closed: 'exit 7', 'a pod has none': 'exit 7' };
    t.strictSame(await lab.curl(asked), answers);
    await lab.out('node/node-3', 'sysctl -qw net.ipv4.conf.all.route_localnet=0');
    t.strictSame(await lab.curl(asked), { ...answers, open: 'exit 28' }, 'by route_localnet');
    t.match(await stands(lab), 'sysctl net.ipv4.conf.all.route_localnet is 0, not 1');
  });
});

t.test(
  'a change touches the chains of its Service, and the end is what a fresh load is',
  async (t) => {
    await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
      const chain = async (name: string): Promise<string> =>
        (
          await lab.out(
            'node/node-1',
            `iptables-save -t nat | sed -n 's/.*"default\\/${name} cluster IP".* -j //p'`,
          )
        ).trim();
      const counted = async (name: string): Promise<boolean> =>
        / [1-9]\d* +\d+ KUBE-SEP/.test(
          await lab.out('node/node-1', `iptables -t nat -L ${name} -n -v -x`),
        );
      await lab.curl({ one: ['pod/client', '172.20.0.50'], other: ['pod/client', '172.20.0.52'] });
      const untouched = await chain('alone');
      await lab.curl({ one: ['pod/client', '172.20.0.56'] });
      t.equal(await counted(untouched), true);
      const steps: [string, string][] = [
        [
          'an endpoint less',
          edit(MANIFESTS, 'name: web-3, labels: { app: web }', 'name: web-3, labels: { app: no }'),
        ],
        [
          'one that is not ready',
          edit(
            MANIFESTS,
            'name: web-1, labels: { app: web }, annotations: {',
            'name: web-1, labels: { app: web }, annotations: { hoplab.io/ready: "false"',
          ),
        ],
        [
          'another policy',
          edit(
            MANIFESTS,
            'externalTrafficPolicy: Local, healthCheckNodePort: 30333',
            'externalTrafficPolicy: Cluster',
          ),
        ],
        ['another node port', edit(MANIFESTS, 'nodePort: 30080', 'nodePort: 30090')],
        ['no affinity', edit(MANIFESTS, ', sessionAffinity: ClientIP', '')],
        ['a Service more', `${MANIFESTS}${service('more', 'web')}`],
        [
          'no endpoints at all',
          MANIFESTS.replaceAll('labels: { app: web }', 'labels: { app: nothing }'),
        ],
        ['and all again', MANIFESTS],
      ];
      for (const [what, manifests] of steps) {
        t.ok((await lab.change(LAB, manifests)) > 0, what);
        t.equal(await stands(lab), '', `${what}: as planned, and so as a fresh load`);
      }
      t.equal(await counted(untouched), true, 'who did not change still has his counters');
    });
  },
);

t.test('a flow of datagrams leaves an endpoint that is gone, a connection stays', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const say = async (): Promise<string> => {
      const { stdout } = await lab.in(
        'pod/client',
        'echo x | socat -t 0.5 -T 0.5 - UDP4:172.20.0.60:53,sourceport=40000',
      );
      return /"pod":"([^"]+)"/.exec(stdout)?.[1] ?? stdout;
    };
    const first = await say();
    t.match(first, /^web-\d$/);
    t.equal(await say(), first, 'the same flow stays where it is');
    await lab.change(
      LAB,
      edit(
        MANIFESTS,
        `name: ${first}, labels: { app: web }`,
        `name: ${first}, labels: { app: no }`,
      ),
    );
    const second = await say();
    t.match(second, /^web-\d$/);
    t.not(second, first, 'until its endpoint goes');
    await lab.change(LAB, MANIFESTS.replaceAll('labels: { app: web }', 'labels: { app: nothing }'));
    t.match(
      (
        await lab.in(
          'pod/client',
          'echo x | socat -t 0.5 -T 0.5 - UDP4:172.20.0.60:53,sourceport=40000',
        )
      ).stderr,
      'refused',
    );
    await lab.change(LAB, MANIFESTS);
    t.match(await say(), /^web-\d$/, 'and it comes back when somebody is there again');
  });
});

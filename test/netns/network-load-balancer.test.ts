/** Network Load Balancers on the real kernel (fidelity rows NLB-01 to NLB-10). */

import t from 'tap';

import { renderDrift } from '../../src/report/drift.ts';
import { edit, SILENCE_MS, type TestLab, withLab } from '../support/with-lab.ts';

t.jobs = 3;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public-1: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      public-2: { cidr: 10.0.2.0/24, az: az-2, routeTable: public }
      one: { cidr: 10.0.3.0/24, az: az-1 }
      two: { cidr: 10.0.4.0/24, az: az-2 }
    routeTables: { public: { routes: [{ destination: 0.0.0.0/0, target: igw }] } }
    instances: { inside: { subnet: one, address: 10.0.3.200, securityGroups: [default] } }
cluster:
  vpc: main
  addons: { coredns: false }
  nodes:
    node-1: { subnet: one, address: 10.0.3.10 }
    node-2: { subnet: two, address: 10.0.4.10 }
  pins:
    pod/web-1: { node: node-1, address: 10.0.3.50 }
    pod/web-2: { node: node-1, address: 10.0.3.51 }
    pod/web-3: { node: node-2, address: 10.0.4.50 }
    pod/api: { node: node-1, address: 10.0.3.60 }
internet: { user: { address: 198.51.100.10 } }
`;

const pod = (name: string, app: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${app} } }
spec: { containers: [{ name: main, ports: [{ containerPort: 8080 }, { containerPort: 8053, protocol: UDP }] }] }
---
`;
const PREFIX = 'service.beta.kubernetes.io/aws-load-balancer-';
const FAST = {
  'healthcheck-interval': '5',
  'healthcheck-timeout': '2',
  'healthcheck-healthy-threshold': '2',
  'healthcheck-unhealthy-threshold': '2',
};
const service = (
  name: string,
  app: string,
  annotations: Readonly<Record<string, string>>,
  more = '',
  ports = '{ port: 80, targetPort: 8080 }',
): string => `
apiVersion: v1
kind: Service
metadata:
  name: ${name}
  annotations:
${Object.entries({ ...FAST, ...annotations })
  .map(([word, value]) => `    ${PREFIX}${word}: '${value}'`)
  .join('\n')}
spec: { type: LoadBalancer, ${more}selector: { app: ${app} }, ports: [${ports}] }
---
`;

const PUBLIC = { type: 'external', scheme: 'internet-facing' };
const IP = { ...PUBLIC, 'nlb-target-type': 'ip' };
const KEPT = { 'target-group-attributes': 'preserve_client_ip.enabled=true' };
const PODS = [
  pod('web-1', 'web'),
  pod('web-2', 'web'),
  pod('web-3', 'web'),
  pod('api', 'api'),
].join('');
const MANIFESTS = [
  PODS,
  service('cloud', 'web', { type: 'nlb' }),
  service('local', 'api', PUBLIC, 'externalTrafficPolicy: Local, '),
  service(
    'direct',
    'web',
    IP,
    '',
    '{ name: web, port: 80, targetPort: 8080 }, { name: dns, protocol: UDP, port: 53, targetPort: 8053 }',
  ),
  service('kept', 'web', { ...IP, ...KEPT }),
  service('inner', 'web', {
    type: 'external',
    'nlb-target-type': 'ip',
    ...KEPT,
    attributes: 'load_balancing.cross_zone.enabled=true',
  }),
].join('');

const PROBES = `
probes:
  the-client-of-a-node-port-is-the-node:
    from: internet/user
    http: nlb/cloud/az-1:80/
    expect: { status: 200 }
  the-pod-sees-the-client:
    about: NLB-02 - instance targets and externalTrafficPolicy Local
    from: internet/user
    http: nlb/local/az-1:80/
    expect: { status: 200, sourceSeen: 198.51.100.10, answeredBy: pod/api, path: [internet/user, igw, nlb/local/az-1, node/node-1, pod/api] }
  without-a-target-in-its-zone:
    about: NLB-05 - node-2 has no endpoint and fails its health check; as the only target it is used all the same
    from: internet/user
    http: nlb/local/az-2:80/
    expect: { verdict: timeout }
  ip-targets-see-the-load-balancer:
    from: internet/user
    http: nlb/direct/az-2:80/
    expect: { status: 200, answeredBy: pod/web-3 }
  datagrams-bear-the-client:
    from: internet/user
    udp: nlb/direct/az-2:53
    expect: { sourceSeen: 198.51.100.10, answeredBy: pod/web-3 }
  unless-it-is-asked-for:
    from: internet/user
    http: nlb/kept/az-2:80/
    expect: { status: 200, sourceSeen: 198.51.100.10, answeredBy: pod/web-3 }
  even-in-its-zone:
    about: NLB-01, NLB-05
    from: internet/user
    http: nlb/direct/az-1:80/
    samples: 100
    expect: { status: 200, spread: even }
  even-over-zones:
    from: instance/inside
    http: nlb/inner/az-1:80/
    samples: 100
    expect: { status: 200, spread: even, sourceSeen: 10.0.3.200 }
  no-listener:
    about: NLB-07
    from: internet/user
    tcp: nlb/cloud/az-1:81
    expect: { verdict: timeout, silent: [node/node-1] }
  no-ping:
    from: internet/user
    ping: nlb/cloud/az-1
    expect: timeout
  internal-is-inside:
    from: internet/user
    tcp: nlb/inner/az-1:80
    expect: { verdict: timeout, silent: [nlb/inner/az-1] }
  by-its-name:
    from: internet/user
    http: nlb/direct/
    expect: { status: 200 }
  the-nodes-group-is-open-to-clients:
    about: The cloud provider has no security group for the load balancer; a node port is open to everybody
    from: instance/inside
    tcp: svc/cloud:80
    expect: timeout
`;

t.test(
  'NLB-01 NLB-02 NLB-05 NLB-07 whom a connection reaches, and whom the target sees',
  async (t) => {
    await withLab(t, { lab: LAB + PROBES, manifests: MANIFESTS }, async (lab) => {
      t.equal(renderDrift((await lab.verify()).drift, true), '');
      t.equal(await lab.failedProbes(), '');
    });
  },
);

/** Which pod answers, by many ports. */
async function pods(lab: TestLab, where: string, target: string, count = 30): Promise<string[]> {
  const line = `for i in $(seq ${count}); do curl -s -m 2 http://${target}/ | tr -d '\\n'; echo; done`;
  const answers = (await lab.out(where, line)).split('\n').filter((one) => one !== '');
  const names = answers.map((one) => (JSON.parse(one) as { pod: string }).pod);
  return [...new Set(names)].sort();
}

function nodeOf(lab: TestLab, reference: string): { private: string; public: string } {
  const node = lab.lab.cloud.networkLoadBalancers
    .flatMap(({ nodes }) => nodes)
    .find(({ eni }) => eni.thing === reference);
  const [first] = node?.eni.addresses ?? [];
  return { private: first?.address ?? '', public: first?.elastic ?? '' };
}

t.test('NLB-05 cross-zone: a node uses all targets', async (t) => {
  const cross = service('direct', 'web', {
    ...IP,
    attributes: 'load_balancing.cross_zone.enabled=true',
  });
  await withLab(t, { lab: LAB, manifests: PODS + service('direct', 'web', IP) }, async (lab) => {
    const before = nodeOf(lab, 'nlb/direct/az-1');
    t.strictSame(await pods(lab, 'internet/user', before.public), ['web-1', 'web-2']);
    await lab.change(LAB, PODS + cross);
    t.strictSame(await pods(lab, 'internet/user', before.public), ['web-1', 'web-2', 'web-3']);
    t.strictSame(nodeOf(lab, 'nlb/direct/az-1'), before, 'NLB-10 its addresses stay');
  });
});

t.test('NLB-03 the targets’ group lets in the client, or the load balancer’s group', async (t) => {
  const groups = (rule: string): string =>
    edit(
      LAB,
      '    instances:',
      `    securityGroups: { front: { ingress: [{ ports: 80, from: 0.0.0.0/0 }] }, eks-cluster-sg: { ingress: [{ from: self }, ${rule}] } }\n    instances:`,
    );
  const manifests = PODS + service('kept', 'web', { ...IP, ...KEPT, 'security-groups': 'front' });
  await withLab(t, { lab: groups('{ from: 10.0.0.0/16 }'), manifests }, async (lab) => {
    const ask = async (): Promise<string> =>
      (await lab.curl({ one: ['internet/user', nodeOf(lab, 'nlb/kept/az-1').public] })).one;
    t.equal(await ask(), 'exit 28', 'the VPC’s block is not the client');
    await lab.change(groups('{ from: sg/front }'));
    t.equal(await ask(), 'client 198.51.100.10');
    await lab.change(groups('{ from: 198.51.100.0/24 }'));
    t.equal(await ask(), 'client 198.51.100.10');
  });
});

t.test('NLB-04 a target that reaches itself hangs, and reaches others', async (t) => {
  const manifests =
    PODS + service('inner', 'web', { type: 'external', 'nlb-target-type': 'ip', ...KEPT });
  const text = `${LAB}
probes:
  by-itself-or-a-neighbour: { from: pod/web-3, tcp: 'nlb/inner/az-2:80', expect: timeout }
  from-elsewhere: { from: instance/inside, http: 'nlb/inner/az-2:80/', expect: { status: 200 } }
`;
  await withLab(t, { lab: text, manifests }, async (lab) => {
    t.equal(await lab.failedProbes(), '');
    // The load balancer is the source instead.
    await lab.change(
      LAB,
      edit(manifests, 'preserve_client_ip.enabled=true', 'preserve_client_ip.enabled=false'),
    );
    t.strictSame(await pods(lab, 'pod/web-3', nodeOf(lab, 'nlb/inner/az-2').private, 3), ['web-3']);
  });
});

t.test('NLB-06 NLB-07 what was silent for too long is reset, at both ends', async (t) => {
  const manifests = PODS + service('kept', 'web', { ...IP, ...KEPT }, '', '{ port: 9000 }');
  await withLab(t, { lab: LAB, manifests }, async (lab) => {
    await lab.echoServer('pod/web-3', 9000);
    const target = `${nodeOf(lab, 'nlb/kept/az-2').public}:9000`;
    const [one, two] = [
      await lab.connect('internet/user', target),
      await lab.connect('internet/user', target),
    ];
    t.strictSame([await one.say(), await two.say()], ['echo', 'echo']);
    const table = await lab.out('nlb/kept/az-2', 'conntrack -L -p tcp --dport 9000 2>/dev/null');
    const left = Number(/^tcp +6 (\d+) ESTABLISHED/.exec(table)?.[1]);
    t.ok(left > 340 && left <= 350, `${left} s left of 350`);
    // As if that time had gone by.
    await lab.out('nlb/kept/az-2', 'conntrack -D -p tcp --dport 9000 2>/dev/null');
    t.strictSame([await one.say(), await two.say()], ['reset', 'reset']);
  });
});

t.test(
  'NLB-08 NLB-10 who is unwell gets nothing new and his connections are reset; who leaves keeps them',
  async (t) => {
    const manifests = PODS + service('kept', 'web', { ...IP, ...KEPT }, '', '{ port: 9000 }');
    await withLab(t, { lab: LAB, manifests }, async (lab) => {
      for (const name of ['web-1', 'web-2', 'web-3']) await lab.echoServer(`pod/${name}`, 9000);
      const slots = async (): Promise<string> =>
        lab.out('nlb/kept/az-1', 'nft list map ip nlb tcp-9000');
      const has = (text: string, one: string): boolean => text.includes(`${one} . 9000`);
      // Until the echo servers were there all were unwell.
      await lab.poll(slots, (text) => has(text, '10.0.3.50') && has(text, '10.0.3.51'));
      const target = `${nodeOf(lab, 'nlb/kept/az-1').public}:9000`;
      // With many connections some are at either target.
      const open = await Promise.all(
        Array.from({ length: 12 }, () => lab.connect('internet/user', target)),
      );
      t.ok((await Promise.all(open.map((each) => each.say()))).every((said) => said === 'echo'));
      t.ok(has(await slots(), '10.0.3.50'));
      // Health checks alone are refused: what stands goes on until the load balancer ends it.
      await lab.out(
        'pod/web-1',
        'iptables -I INPUT -p tcp --dport 9000 --syn -j REJECT --reject-with tcp-reset',
      );
      const without = await lab.poll(slots, (text) => !text.includes('10.0.3.50'));
      t.notOk(has(without, '10.0.3.50'), 'out');
      // The map is changed first, and then the connections are forgotten.
      const said = await lab.poll(
        async () => Promise.all(open.map((each) => each.say())),
        (all) => all.includes('reset'),
      );
      t.ok(said.includes('reset') && said.includes('echo'), said.join(' '));
      await lab.out(
        'pod/web-1',
        'iptables -D INPUT -p tcp --dport 9000 --syn -j REJECT --reject-with tcp-reset',
      );
      t.ok(has(await lab.poll(slots, (text) => has(text, '10.0.3.50')), '10.0.3.50'), 'in again');

      const staying = await Promise.all(
        Array.from({ length: 8 }, () => lab.connect('internet/user', target)),
      );
      t.ok((await Promise.all(staying.map((each) => each.say()))).every((each) => each === 'echo'));
      await lab.change(
        LAB,
        edit(manifests, 'name: web-1, labels: { app: web }', 'name: web-1, labels: { app: gone }'),
      );
      t.notOk(has(await slots(), '10.0.3.50'), 'deregistered');
      t.ok(
        (await Promise.all(staying.map((each) => each.say()))).every((each) => each === 'echo'),
        'connections of who was deregistered go on',
      );
      // All of them are unwell: all are used, for what it is worth.
      await lab.out('pod/web-2', 'iptables -I INPUT -p tcp --dport 9000 --syn -j DROP');
      t.equal(await (await lab.connect('internet/user', target)).say(SILENCE_MS), 'silence');
      t.ok(has(await slots(), '10.0.3.51'), 'fail-open');
    });
  },
);

t.test('NLB-01 what nobody has answered yet is dealt anew when the targets change', async (t) => {
  const manifests = PODS + service('direct', 'api', IP);
  await withLab(t, { lab: LAB, manifests }, async (lab) => {
    const { public: address } = nodeOf(lab, 'nlb/direct/az-1');
    const ask = async (): Promise<string> =>
      (await lab.curl({ it: ['internet/user', address] }, '--local-port 1234')).it;
    await lab.out('pod/api', 'iptables -I INPUT -p tcp --dport 8080 --syn -j DROP');
    t.equal(await ask(), 'exit 28');
    const entries = async (): Promise<string> =>
      lab.out('nlb/direct/az-1', 'conntrack -L -p tcp --state SYN_SENT 2>/dev/null; true');
    t.match(await entries(), /sport=1234 .*src=10\.0\.3\.60 /);
    await lab.change(edit(LAB, 'node-1, address: 10.0.3.60', 'node-1, address: 10.0.3.61'));
    await lab.out('pod/api', 'iptables -F INPUT');
    const left = await lab.poll(entries, (text) => !text.includes('sport=1234 '));
    t.notMatch(left, 'sport=1234 ', 'no later packet from there goes to who is gone');
    t.match(await ask(), /^client /, 'from the same port');
  });
});

t.test('NLB-08 externalTrafficPolicy Local: the load balancer follows the pod', async (t) => {
  const manifests =
    PODS +
    service(
      'local',
      'api',
      { ...PUBLIC, attributes: 'load_balancing.cross_zone.enabled=true' },
      'externalTrafficPolicy: Local, ',
    );
  await withLab(t, { lab: LAB, manifests }, async (lab) => {
    const { public: address } = nodeOf(lab, 'nlb/local/az-2');
    const map = 'nft list map ip nlb tcp-80';
    const only = (text: string, wanted: string, other: string): boolean =>
      text.includes(wanted) && !text.includes(other);
    const first = await lab.poll(
      async () => lab.out('nlb/local/az-2', map),
      (text) => only(text, '10.0.3.10', '10.0.4.10'),
    );
    t.ok(only(first, '10.0.3.10', '10.0.4.10'), 'the node with the pod');
    t.strictSame(await pods(lab, 'internet/user', address, 10), ['api']);
    await lab.change(
      edit(
        LAB,
        'pod/api: { node: node-1, address: 10.0.3.60 }',
        'pod/api: { node: node-2, address: 10.0.4.60 }',
      ),
    );
    const second = await lab.poll(
      async () => lab.out('nlb/local/az-2', map),
      (text) => only(text, '10.0.4.10', '10.0.3.10'),
    );
    t.ok(only(second, '10.0.4.10', '10.0.3.10'), 'the node that it moved to');
    t.strictSame(await pods(lab, 'internet/user', address, 10), ['api']);
  });
});

t.test(
  'DNS-02 DNS-03 a zone whose targets are unwell is not told; where all are unwell, all are',
  async (t) => {
    const named = service('direct', 'web', IP).replace(
      '  annotations:\n',
      '  annotations:\n    external-dns.alpha.kubernetes.io/hostname: shop.example\n',
    );
    await withLab(t, { lab: LAB, manifests: PODS + named }, async (lab) => {
      const [one, two] = ['az-1', 'az-2'].map((az) => nodeOf(lab, `nlb/direct/${az}`).public);
      const dig = async (): Promise<string[]> =>
        (await lab.out('internet/user', 'dig +short shop.example')).split('\n').sort();
      const both = [one, two].sort();
      t.strictSame(await lab.poll(dig, (all) => all.length === 2), both, 'an address a zone');
      const answer = await lab.out('internet/user', 'dig shop.example');
      t.match(answer, /^shop\.example\.\s+60\s+IN\s+A/m, 'an A, no CNAME');
      const stop = async (pod: string): Promise<string> =>
        lab.out(pod, 'iptables -I INPUT -p tcp --dport 8080 -j REJECT');
      await stop('pod/web-3');
      t.strictSame(await lab.poll(dig, (all) => all.length === 1), [one], 'its zone is withdrawn');
      await Promise.all(['pod/web-1', 'pod/web-2'].map(stop));
      t.strictSame(await lab.poll(dig, (all) => all.length === 2), both, 'none is better');
    });
  },
);

t.test('NLB-09 proxy protocol v2: the first bytes tell who the client is', async (t) => {
  const manifests =
    PODS + service('proxied', 'api', { ...IP, 'proxy-protocol': '*' }, '', '{ port: 9000 }');
  await withLab(t, { lab: LAB, manifests }, async (lab) => {
    const { public: address } = nodeOf(lab, 'nlb/proxied/az-1');
    // The first 12 bytes are the signature, then version and command, family and protocol, length, addresses.
    await lab.sh(
      `setsid ip netns exec ${lab.netns('pod/api')} socat -u TCP-LISTEN:9000,fork,reuseaddr OPEN:/run/hoplab/heard,creat,append >/dev/null 2>&1 &`,
    );
    await lab.poll(
      async () => lab.out('pod/api', 'ss -Hltn'),
      (text) => text.includes(':9000 '),
    );
    // Version 2, PROXY, TCP over IPv4, the length, 198.51.100.10.
    const first = /^0d0a0d0a000d0a515549540a(20\w{6})?(0d0a0d0a000d0a515549540a)?2111\w{4}c633640a/;
    const heard = await lab.poll(
      async () => {
        await lab.in('internet/user', `echo hello | socat -t 0.2 - TCP:${address}:9000`);
        return (await lab.sh('head -c 60 /run/hoplab/heard | od -An -v -tx1 | tr -d " \\n"'))
          .stdout;
      },
      (text) => first.test(text),
    );
    t.match(heard, first);
  });
});

t.test(
  'the keeper of the slots is started anew when it dies, and fills what was emptied',
  async (t) => {
    await withLab(t, { lab: LAB, manifests: PODS + service('direct', 'web', IP) }, async (lab) => {
      const worker = async (): Promise<string> =>
        (await lab.sh('pgrep -P $(cat /run/hoplab/nlb-targets.pid)')).stdout.trim();
      const first = await worker();
      t.match(first, /^\d+$/);
      await lab.sh(`kill -9 ${first}`);
      const second = await lab.poll(worker, (pid) => /^\d+$/.test(pid) && pid !== first);
      t.match(second, /^\d+$/);
      await lab.out('nlb/direct/az-1', 'nft flush map ip nlb tcp-80');
      const { public: address } = nodeOf(lab, 'nlb/direct/az-1');
      t.equal(
        await lab.poll(
          async () => (await lab.curl({ one: ['internet/user', address] })).one.split(' ')[0],
          (said) => said === 'client',
        ),
        'client',
      );
      await lab.sh('kill -9 $(cat /run/hoplab/nlb-targets.pid)');
      const drift = await lab.poll(
        async () => (await lab.verify()).drift,
        (found) => found.length > 0,
      );
      t.match(renderDrift(drift, false), /nlb-targets/);
      await lab.repair();
      t.strictSame((await lab.verify()).drift, []);
      const gone = await lab.poll(
        async () => (await lab.sh('pgrep -c -f [n]lb-targets.pl')).stdout.trim(),
        (count) => count === '2',
      );
      t.equal(gone, '2', 'a watcher and a worker, no orphan');
    });
  },
);

t.test('a Service and an Ingress as they are usually written lead to the same pods', async (t) => {
  const manifests = `${PODS}
apiVersion: v1
kind: Service
metadata:
  name: web-service
  annotations:
    service.beta.kubernetes.io/aws-load-balancer-type: "nlb"
spec:
  type: LoadBalancer
  selector:
    app: web
  ports:
    - port: 80
      targetPort: 8080
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web-ingress
  annotations:
    kubernetes.io/ingress.class: alb
    alb.ingress.kubernetes.io/scheme: internet-facing
    alb.ingress.kubernetes.io/target-type: ip
spec:
  rules:
  - host: myapp.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service:
            name: web-service
            port:
              number: 80
`;
  const text = `${LAB}
probes:
  by-the-ingress: { from: internet/user, http: 'http://myapp.com/', expect: { status: 200 } }
  by-the-service: { from: internet/user, http: nlb/web-service/, expect: { status: 200 } }
  not-by-another-host: { from: internet/user, http: alb/web-ingress/az-1/, expect: { status: 404 } }
`;
  await withLab(t, { lab: text, manifests }, async (lab) => {
    t.equal(await lab.failedProbes(), '');
  });
});

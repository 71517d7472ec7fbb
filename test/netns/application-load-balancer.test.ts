/** Application Load Balancers on the real kernel (fidelity rows ALB-01 to ALB-06, ALB-09 to ALB-11, ALB-13, DNS-02, DNS-03). */

import t from 'tap';

import { filesOf } from '../../src/commands/logs.ts';
import { askForTargets } from '../../src/commands/target-health.ts';
import { parseAccessLogEntry } from '../../src/observe/access-log.ts';
import { parseHaproxyStat } from '../../src/observe/haproxy-stat.ts';
import { describeBalancer, findBalancer } from '../../src/report/balancer.ts';
import { renderDrift } from '../../src/report/drift.ts';
import { renderThing, type ThingDescription, thingAsJson } from '../../src/report/thing.ts';
import { edit, type TestLab, withLab } from '../support/with-lab.ts';

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
    instances: { bastion: { subnet: public-1, address: 10.0.1.20, elasticIp: 203.0.113.20 } }
cluster:
  vpc: main
  addons: { coredns: false }
  nodes:
    node-1: { subnet: one, address: 10.0.3.10 }
    node-2: { subnet: two, address: 10.0.4.10 }
  pins:
    pod/web-1: { node: node-1, address: 10.0.3.50 }
    pod/web-2: { node: node-2, address: 10.0.4.50 }
    pod/broken: { node: node-1 }
    pod/sick: { node: node-2 }
internet: { user: { address: 198.51.100.10 } }
`;

const pod = (name: string, app: string, annotations = ''): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${app} }, annotations: {${annotations}} }
spec: { containers: [{ name: main, ports: [{ containerPort: 8080 }] }] }
---
`;
const service = (name: string, more = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ${more}selector: { app: ${name} }, ports: [{ port: 80, targetPort: 8080 }] }
---
`;
const ingress = (
  name: string,
  annotations: string,
  paths: readonly string[],
  host = '',
): string => `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: ${name}
  annotations:
    alb.ingress.kubernetes.io/scheme: internet-facing
    alb.ingress.kubernetes.io/healthcheck-interval-seconds: '5'
    alb.ingress.kubernetes.io/healthcheck-timeout-seconds: '2'
${annotations}
spec:
  ingressClassName: alb
  rules:
    - ${host === '' ? '' : `host: ${host}\n      `}http:
        paths:
${paths
  .map((one) => {
    const [path, type, backend] = one.split(' ');
    return `          - { path: ${path ?? ''}, pathType: ${type ?? ''}, backend: { service: { name: ${backend ?? ''}, port: { number: 80 } } } }`;
  })
  .join('\n')}
---
`;

const PATHS = [
  '/ Prefix web',
  '/foo Prefix web',
  '/foo Exact api',
  '/empty Exact empty',
  '/broken Exact broken',
  '/sick Exact sick',
];
const MANIFESTS = [
  pod('web-1', 'web'),
  pod('web-2', 'web'),
  pod('api', 'api'),
  pod('broken', 'broken', 'hoplab.io/fails: "true"'),
  pod('sick', 'sick', 'hoplab.io/status: "500"'),
  service('web'),
  service('api', 'type: NodePort, '),
  service('empty'),
  service('broken'),
  service('sick'),
  ingress('front', '    alb.ingress.kubernetes.io/target-type: ip', PATHS, 'app.example'),
  ingress('ports', '', ['/ Prefix api'], 'ports.example'),
  ingress(
    'wild',
    '',
    ['/img/*.png ImplementationSpecific api', '/one ImplementationSpecific api'],
    'wild.example',
  ),
  // Whom the conditions of the first two leave, the third answers, with 500.
  ingress(
    'beta',
    `    alb.ingress.kubernetes.io/target-type: ip
    alb.ingress.kubernetes.io/conditions.api: >-
      [{"field": "http-header", "httpHeaderConfig": {"httpHeaderName": "X-Beta", "values": ["y*"]}},
       {"field": "host-header", "hostHeaderConfig": {"values": ["shop-?.example"]}},
       {"field": "source-ip", "sourceIpConfig": {"values": ["198.51.100.0/24"]}}]
    alb.ingress.kubernetes.io/conditions.web: >-
      [{"field": "query-string", "queryStringConfig": {"values": [{"key": "stage", "value": "beta*"}]}},
       {"field": "path-pattern", "pathPatternConfig": {"values": ["/img/*.png"]}}]
    alb.ingress.kubernetes.io/conditions.sick: >-
      [{"field": "http-request-method", "httpRequestMethodConfig": {"Values": ["GET", "HEAD"]}}]`,
    ['/ Prefix api', '/only Prefix web', '/ Prefix sick'],
    'beta.example',
  ),
].join('');

const PROBES = `
probes:
  ALB-02-root: { from: internet/user, http: "http://app.example/", expect: { status: 200 } }
  ALB-02-prefix: { from: internet/user, http: "http://app.example/foo/bar", expect: { status: 200 } }
  ALB-02-exact-first: { from: internet/user, http: "http://app.example/foo", expect: { status: 200, answeredBy: pod/api } }
  ALB-02-no-host: { from: instance/bastion, http: "alb/front/az-2:80/", expect: { status: 404 } }
  ALB-02-wildcard: { from: internet/user, http: "http://wild.example/img/a/b.png", expect: { status: 200 } }
  ALB-02-not-the-wildcard: { from: internet/user, http: "http://wild.example/img/a/b.jpg", expect: { status: 404 } }
  ALB-02-as-written: { from: internet/user, http: "http://wild.example/one", expect: { status: 200 } }
  ALB-02-more-than-written: { from: internet/user, http: "http://wild.example/oneself", expect: { status: 404 } }
  ALB-03-header: { from: internet/user, http: "http://beta.example/", headers: { X-Beta: "Yes" }, expect: { answeredBy: pod/api } }
  ALB-03-no-header: { from: internet/user, http: "http://beta.example/", expect: { status: 500 } }
  ALB-03-other-header: { from: internet/user, http: "http://beta.example/", headers: { X-Beta: "no" }, expect: { status: 500 } }
  ALB-03-host: { from: internet/user, http: "http://beta.example/", headers: { X-Beta: "y", Host: "shop-7.example" }, expect: { answeredBy: pod/api } }
  ALB-03-other-host: { from: internet/user, http: "http://beta.example/", headers: { X-Beta: "y", Host: "shop-77.example" }, expect: { status: 404 } }
  ALB-03-query: { from: internet/user, http: "http://beta.example/only?a=1&stage=beta2", expect: { status: 200 } }
  ALB-03-other-query: { from: internet/user, http: "http://beta.example/only?stage=alpha", expect: { status: 500 } }
  ALB-03-path: { from: internet/user, http: "http://beta.example/img/a/b.png?stage=beta", expect: { status: 200 } }
  ALB-03-other-source: { from: instance/bastion, http: "http://beta.example/", headers: { X-Beta: "yes" }, expect: { status: 500 } }
  ALB-03-instance: { from: internet/user, http: "http://ports.example/", expect: { status: 200, answeredBy: pod/api } }
  ALB-04-no-targets: { from: internet/user, http: "http://app.example/empty", expect: { status: 503 } }
  ALB-05-fail-open: { from: internet/user, http: "http://app.example/sick", expect: { status: 500 } }
  ALB-06-reset: { from: internet/user, http: "http://app.example/broken", expect: { status: 502 } }
  ALB-10-round-robin: { from: instance/bastion, http: "http://app.example/", samples: 60, expect: { spread: even } }
  ALB-13-past-it: { from: instance/bastion, tcp: "pod/web-1:8080", expect: { verdict: timeout, blockedBy: sg/eks-cluster-sg } }
  no-listener: { from: instance/bastion, tcp: "alb/front/az-1:81", expect: { verdict: timeout } }
`;

t.test('ALB-02 to ALB-13 by packets: whom each rule leads to, and what comes back', async (t) => {
  await withLab(t, { lab: LAB + PROBES, manifests: MANIFESTS }, async (lab) => {
    t.equal(renderDrift((await lab.verify()).drift, true), '');
    t.equal(await lab.failedProbes(), '');
  });
});

t.test('ALB-01 the target sees the load balancer, and the client in a header', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const nodes = lab.lab.cloud.loadBalancers[0]?.nodes ?? [];
    const own = nodes.map(({ eni }) => String(eni.addresses[0].address));
    const ask = async (words: string): Promise<Record<string, string>> =>
      JSON.parse(
        await lab.out('internet/user', `curl -s -m 2 ${words} http://app.example/`),
      ) as Record<string, string>;
    const plain = await ask('');
    t.ok(own.includes(plain['client'] ?? ''), 'one of its nodes');
    t.match(plain, {
      xForwardedFor: '198.51.100.10',
      xForwardedProto: 'http',
      xForwardedPort: '80',
    });
    const forged = await ask("-H 'X-Forwarded-For: 1.2.3.4' -H 'Host: APP.example'");
    t.equal(
      forged['xForwardedFor'],
      '1.2.3.4, 198.51.100.10',
      'what the client says of itself stays in front',
    );
    t.equal(forged['host'], 'app.example');
    // Other load balancers check the pod, too.
    const until = new RegExp(`(${own.join('|')}).* > 10\\.0\\.3\\.50\\.8080: Flags \\[S\\]`);
    const seen = await lab.capture(
      'node/node-1',
      { link: 'eth0', filter: 'tcp port 8080 and dst 10.0.3.50', until },
      () => ask(''),
    );
    t.match(seen, until);
    t.equal(
      (
        await lab.in(
          'internet/user',
          'curl -s -o /dev/null -w "%{http_code}" -X TRACE http://app.example/',
        )
      ).stdout,
      '405',
    );
  });
});

t.test('ALB-06 a target that nobody lets through: 504 after ten seconds', async (t) => {
  const closed = edit(
    LAB,
    '    instances:',
    '    networkAcls: { shut: { ingress: { "100": { action: allow, protocol: tcp, ports: 10250 } }, egress: { "100": { action: allow } } } }\n    instances:',
  )
    .replace(
      'one: { cidr: 10.0.3.0/24, az: az-1 }',
      'one: { cidr: 10.0.3.0/24, az: az-1, networkAcl: shut }',
    )
    .replace(
      'two: { cidr: 10.0.4.0/24, az: az-2 }',
      'two: { cidr: 10.0.4.0/24, az: az-2, networkAcl: shut }',
    );
  await withLab(t, { lab: closed, manifests: MANIFESTS }, async (lab) => {
    const said = await lab.out(
      'internet/user',
      'curl -s -o /dev/null -m 14 -w "%{http_code} %{time_total}" http://app.example/',
    );
    const [status = '', seconds = ''] = said.split(' ');
    t.equal(status, '504');
    t.ok(Number(seconds) >= 9.5, seconds);
  });
});

const WEIGHTS = [
  ...['blue', 'green', 'never'].flatMap((name) => [pod(name, name), service(name)]),
  ...['deal', 'stay'].map((name) =>
    ingress(
      name,
      `    alb.ingress.kubernetes.io/target-type: ip
    alb.ingress.kubernetes.io/actions.both: >-
      {"type": "forward", "forwardConfig": {
        "targetGroups": [
          {"serviceName": "blue", "servicePort": 80, "weight": 10},
          {"serviceName": "green", "servicePort": "80", "weight": 20},
          {"serviceName": "never", "servicePort": 80, "weight": 0}],
        "targetGroupStickinessConfig": {"enabled": ${String(name === 'stay')}, "durationSeconds": 600}}}`,
      [],
      `${name}.example`,
    ).replace(
      'paths:\n',
      'paths:\n          - { path: /, pathType: Prefix, backend: { service: { name: both, port: { name: use-annotation } } } }\n',
    ),
  ),
].join('');

t.test('ALB-02 weights deal requests to target groups, a cookie keeps a client', async (t) => {
  const asked = `${LAB.replace(/ {2}pins:[^]*(?=internet:)/, '')}
probes:
  weights: { from: instance/bastion, http: "http://deal.example/", samples: 20, expect: { status: 200 } }
`;
  await withLab(t, { lab: asked, manifests: WEIGHTS }, async (lab) => {
    t.equal(await lab.failedProbes(), '');
    const answers = async (line: string): Promise<string[]> =>
      (await lab.out('internet/user', line))
        .split('\n')
        .map((text) => (JSON.parse(text) as { pod: string }).pod);
    // With a chance of 1/3 the number is 100 with a standard deviation of 8.2; five of them are one failure in a million.
    const dealt = await answers("curl -s -m 10 'http://deal.example/?[1-300]'");
    t.equal(dealt.length, 300);
    const blue = dealt.filter((name) => name === 'blue').length;
    t.ok(blue > 59 && blue < 141, `blue has ${blue} of 300`);
    t.notOk(dealt.includes('never'));
    const head = await lab.out('internet/user', 'curl -si -m 2 http://stay.example/');
    t.match(head, /set-cookie: AWSALBTG=\w+; Expires=\w{3}, .* GMT; Path=\/\r?\n/i);
    t.match(head, /set-cookie: AWSALBTGCORS=\w+; .*; SameSite=None; Secure\r?\n/i);
    const jar = '-c /run/hoplab/jar -b /run/hoplab/jar';
    const stayed = await answers(`curl -s -m 5 ${jar} 'http://stay.example/?[1-30]'`);
    t.equal(new Set(stayed).size, 1);
    t.equal(new Set(await answers("curl -s -m 5 'http://stay.example/?[1-60]'")).size, 2);
    t.notMatch(await lab.out('internet/user', 'curl -si -m 2 http://deal.example/'), /set-cookie/i);
    // Whoever has its cookie stays with a group that has no targets left.
    await lab.change(asked, edit(WEIGHTS, `labels: { app: ${stayed[0] ?? ''} }`, 'labels: {}'));
    const line = "curl -s -o /dev/null -m 2 -w '%{http_code}' http://stay.example/";
    t.equal(await lab.out('internet/user', `${line} ${jar}`), '503');
  });
});

const STAT = 'echo "show stat" | socat -t 5 - UNIX-CONNECT:/run/hoplab/alb.sock';

/** What the load balancers know of their servers, a line each, without the address behind the name. */
async function servers(lab: TestLab): Promise<string[]> {
  const { stdout } = await lab.sh(STAT);
  return parseHaproxyStat(stdout).map(
    ({ backend, server, isUp, check, requests }) =>
      `${backend} ${server.split(':').slice(0, 2).join('/')} ${isUp ? 'up' : 'down'} ${check?.status ?? '-'} ${requests}`,
  );
}

/** The same when each has been checked: on a busy machine that may be after `up`. */
async function checkedServers(lab: TestLab): Promise<string[]> {
  return lab.poll(
    () => servers(lab),
    (all) => !all.some((one) => one.includes(' INI ')),
  );
}

async function ask(lab: TestLab, name: string): Promise<ThingDescription> {
  const { cloud } = lab.lab;
  const balancer = findBalancer(cloud, name);
  if (balancer === undefined) throw new Error(`${name} is not in the lab`);
  const reports = await askForTargets(cloud, balancer, balancer.nodes, await lab.sandbox());
  return describeBalancer(balancer, cloud.hostedZones, reports);
}

/** A line a target and node. */
async function targets(lab: TestLab, name: string): Promise<string[]> {
  const { targets: rows } = thingAsJson(await ask(lab, name)) as {
    targets: Record<string, string>[];
  };
  return rows.map(({ group, target, node, state, reason }) =>
    [group, target, node, state, reason].join(' ').trimEnd(),
  );
}

t.test('inspect says how targets are now, in the words of AWS', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    await checkedServers(lab);
    t.strictSame((await targets(lab, 'alb/front')).filter((one) => one.includes('az-2')).sort(), [
      'default-api-80-ip pod/api alb/front/az-2 healthy',
      'default-broken-80-ip pod/broken alb/front/az-2 unhealthy Target.FailedHealthChecks',
      'default-sick-80-ip pod/sick alb/front/az-2 unhealthy Target.ResponseCodeMismatch',
      'default-web-80-ip pod/web-1 alb/front/az-2 healthy',
      'default-web-80-ip pod/web-2 alb/front/az-2 healthy',
    ]);
    const text = renderThing(await ask(lab, 'front'));
    t.match(text, /Health checks failed with these codes: \[500\] +500 Internal Server Error/);
    t.equal((await targets(lab, 'front')).length, 10, 'every node has its say');
  });
});

t.test('ALB-12 who leaves gets nothing new, and what is in flight may end in time', async (t) => {
  const two = (seconds: number): string =>
    [
      pod('slow', 'slow', 'hoplab.io/delay: 3s'),
      pod('quick', 'quick'),
      service('slow'),
      service('quick'),
      ingress(
        'front',
        `    alb.ingress.kubernetes.io/target-type: ip
    alb.ingress.kubernetes.io/target-group-attributes: deregistration_delay.timeout_seconds=${seconds}`,
        ['/slow Exact slow', '/quick Exact quick'],
        'app.example',
      ),
    ].join('');
  const unpinned = LAB.replace(/ {2}pins:[^]*(?=internet:)/, '');
  const ask = "curl -s -o /dev/null -m 20 -w '%{http_code}' http://app.example/slow";
  for (const [seconds, status] of [
    [30, '200'],
    [1, '502'],
  ] as const) {
    await withLab(t, { lab: unpinned, manifests: two(seconds) }, async (lab) => {
      const inFlight = lab.out('internet/user', ask);
      await lab.poll(
        () => servers(lab),
        (all) => all.some((one) => one.includes('slow') && one.endsWith(' 1')),
      );
      await lab.change(unpinned, edit(two(seconds), 'labels: { app: slow }', 'labels: {}'));
      t.equal(await lab.out('internet/user', ask), '503', 'nothing new');
      if (status === '200') {
        const left = (await targets(lab, 'alb/front')).filter((one) => one.includes('slow'));
        t.match(left, [/^ pod\/slow alb\/front\/az-\d draining Target.DeregistrationInProgress$/]);
      }
      t.equal(await inFlight, status);
    });
  }
});

t.test('ALB-09 what is known of targets outlives a change', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const before = await checkedServers(lab);
    // How a reset shows depends on when it comes.
    const known = before.filter((one) => !one.includes(':open') && !one.includes('pod/broken'));
    t.ok(known.includes('alb-front-az-1:default-web-80-ip pod/web-1 up L7OK 0'));
    t.ok(known.includes('alb-front-az-1:default-sick-80-ip pod/sick down L7STS 0'));
    // Nobody answers the new one's checks: where others are well, it gets no requests.
    const more = MANIFESTS + pod('web-3', 'web', 'hoplab.io/fails: "true"');
    await lab.change(LAB, more);
    const after = await servers(lab);
    t.strictSame(
      after.filter((one) => known.includes(one)),
      known,
    );
    t.match(
      after.find((one) => one.startsWith('alb-front-az-2:default-web-80-ip pod/web-3')),
      / down (INI|L7RSP|L4CON|SOCKERR)/,
    );
    const line = "curl -s -m 5 -o /dev/null -w '%{http_code}\\n' 'http://app.example/?[1-30]'";
    const statuses = (await lab.out('internet/user', line)).split('\n');
    t.strictSame([statuses.length, ...new Set(statuses)], [30, '200']);
    t.equal(renderDrift((await lab.verify()).drift, true), '');
  });
});

t.test('ALB-09 checks may speak another protocol than the requests', async (t) => {
  const checked = edit(
    MANIFESTS,
    'alb.ingress.kubernetes.io/target-type: ip',
    'alb.ingress.kubernetes.io/target-type: ip\n    alb.ingress.kubernetes.io/healthcheck-protocol: HTTPS',
  );
  await withLab(t, { lab: LAB + PROBES, manifests: checked }, async (lab) => {
    const all = await checkedServers(lab);
    t.match(
      all.find((one) => one.startsWith('alb-front-az-1:default-web-80-ip pod/web-1')),
      / down L6/,
      'the pods speak no TLS',
    );
    t.match(
      all.find((one) => one.startsWith('alb-beta-az-1:default-web-80-ip pod/web-1')),
      / up L7OK/,
      'another load balancer asks in plain HTTP',
    );
    t.equal(await lab.failedProbes(), '', 'all are unhealthy, and all are used');
  });
});

t.test('the access log says what became of each request', async (t) => {
  const logged = edit(
    MANIFESTS + pod('late', 'late', 'hoplab.io/delay: 30s') + service('late'),
    'alb.ingress.kubernetes.io/target-type: ip',
    `alb.ingress.kubernetes.io/target-type: ip
    alb.ingress.kubernetes.io/load-balancer-attributes: access_logs.s3.enabled=true,access_logs.s3.bucket=logs,access_logs.s3.prefix=a/b
    alb.ingress.kubernetes.io/certificate-arn: arn:aws:acm:us-east-1:123456789012:certificate/web
    alb.ingress.kubernetes.io/listen-ports: '[{"HTTP": 80}, {"HTTPS": 443}]'`,
  );
  const late = edit(
    logged,
    '          - { path: /sick,',
    '          - { path: /late, pathType: Exact, backend: { service: { name: late, port: { number: 80 } } } }\n          - { path: /sick,',
  );
  await withLab(t, { lab: LAB, manifests: late }, async (lab) => {
    const balancer = lab.lab.cloud.loadBalancers.find(({ name }) => name === 'front');
    const [first] = balancer?.nodes ?? [];
    const address = first?.eni.addresses[0].elastic ?? '';
    const at = `--resolve app.example:80:${address} --resolve app.example:443:${address}`;
    const ask = (words: string): Promise<unknown> =>
      lab.in('internet/user', `curl -s -k -o /dev/null ${at} ${words}`);
    await ask("'http://app.example/foo?a=b' -A 'a \"b\"'");
    await ask('http://app.example/nothing -H "Host: other"');
    await ask('http://app.example/empty');
    await ask('http://app.example/broken');
    await ask('https://app.example/');
    await ask('-m 1 http://app.example/late');
    const [file] = filesOf(lab.lab.cloud, 'alb/front/az-1');
    t.match(
      file,
      /\/logs\/a\/b\/AWSLogs\/123456789012\/elasticloadbalancing\/us-east-1\/.*_203\.0\.113\.\d+\.log$/,
    );
    const lines = await lab.poll(
      async () => (await lab.sh(`cat ${file}`)).stdout.trim().split('\n'),
      (all) => all.length >= 6,
    );
    const entries = lines.map(parseAccessLogEntry);
    t.strictSame(
      entries.map((one) =>
        [
          one.type,
          one.request.split(' ')[1],
          one['target:port'].replace(/^10.*:/, 'a target:'),
          one.elb_status_code,
          one.target_status_code,
          one.actions_executed,
          one.target_processing_time === '-1' ? 'no time' : 'a time',
          /targetgroup\/([^/]*)/.exec(one.target_group_arn)?.[1] ?? '-',
        ].join(' '),
      ),
      [
        'http http://app.example:80/foo?a=b a target:8080 200 200 forward a time default-api-80-ip',
        'http http://other:80/nothing - 404 - fixed-response no time -',
        'http http://app.example:80/empty - 503 - forward no time default-empty-80-ip',
        'http http://app.example:80/broken a target:8080 502 - forward no time default-broken-80-ip',
        'https https://app.example:443/ a target:8080 200 200 forward a time default-web-80-ip',
        'http http://app.example:80/late a target:8080 460 - forward no time default-late-80-ip',
      ],
    );
    t.match(entries[0], {
      user_agent: 'a "b"',
      elb: /^app\/k8s-default-front-\w{10}\/\w{16}$/,
      'client:port': /^198\.51\.100\.10:\d+$/,
      trace_id: /^Root=1-\w{8}-\w{24}$/,
      time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
    });
    t.match(entries[4], {
      ssl_protocol: /^TLSv1/,
      ssl_cipher: /^TLS_|^ECDHE/,
      domain_name: 'app.example',
      chosen_cert_arn: 'arn:aws:acm:us-east-1:123456789012:certificate/web',
    });
    // Another HAProxy goes on with the same file.
    await lab.change(LAB, edit(late, 'labels: { app: api }', 'labels: { app: gone }'));
    await ask('http://app.example/foo');
    const more = await lab.poll(
      async () => (await lab.sh(`cat ${file}`)).stdout.trim().split('\n'),
      (all) => all.length > lines.length,
    );
    t.strictSame(more.slice(0, -1), lines, 'and says nothing of itself there');
    t.equal(parseAccessLogEntry(more.at(-1) ?? '').elb_status_code, '503');
  });
});

t.test('ALB-07 requests that it takes from nobody', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const ask = (header: string): Promise<string> =>
      lab.out(
        'internet/user',
        `curl -s -o /dev/null -m 5 -w '%{http_code}' -H '${header}' http://app.example/`,
      );
    const addresses = (count: number): string =>
      `X-Forwarded-For: ${Array.from({ length: count }, (_, index) => `192.0.2.${index}`).join(', ')}`;
    t.equal(await ask(addresses(30)), '200');
    t.equal(await ask(addresses(31)), '463');
    t.equal(await ask(`X-Long: ${'x'.repeat(10_000)}`), '200');
    t.equal(await ask(`X-Long: ${'x'.repeat(20_000)}`), '400');
  });
});

t.test('HTTPS has a certificate of the cluster, and HTTP leads there', async (t) => {
  const tls = edit(
    MANIFESTS,
    'alb.ingress.kubernetes.io/target-type: ip',
    `alb.ingress.kubernetes.io/target-type: ip
    alb.ingress.kubernetes.io/certificate-arn: arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012
    alb.ingress.kubernetes.io/listen-ports: '[{"HTTP": 80}, {"HTTPS": 443}]'
    alb.ingress.kubernetes.io/ssl-redirect: '443'`,
  );
  await withLab(t, { lab: LAB, manifests: tls }, async (lab) => {
    const head = await lab.out('internet/user', "curl -si 'http://app.example/a?b=c'");
    t.match(head, /^HTTP\/1\.1 301 /);
    t.match(head, /location: https:\/\/app\.example\/a\?b=c\r?\n/i);
    const ca = '--cacert /var/run/secrets/kubernetes.io/serviceaccount/ca.crt';
    const answer = JSON.parse(
      await lab.out('internet/user', `curl -s ${ca} https://app.example/`),
    ) as unknown;
    t.match(answer, { xForwardedProto: 'https', xForwardedPort: '443' });
    t.equal(
      (await lab.in('internet/user', 'curl -s -m 2 https://app.example/')).exitCode,
      60,
      'nobody else trusts it',
    );
  });
});

t.test('ALB-11 a sticky client stays, and goes when its pod does', async (t) => {
  const sticky = edit(
    MANIFESTS,
    'alb.ingress.kubernetes.io/target-type: ip',
    'alb.ingress.kubernetes.io/target-type: ip\n    alb.ingress.kubernetes.io/target-group-attributes: stickiness.enabled=true',
  );
  await withLab(t, { lab: LAB, manifests: sticky }, async (lab) => {
    const jar = '-c /run/hoplab/jar -b /run/hoplab/jar';
    const ask = async (options: string): Promise<string> =>
      (
        JSON.parse(
          await lab.out('internet/user', `curl -s -m 2 ${options} http://app.example/`),
        ) as { pod: string }
      ).pod;
    const first = await ask(jar);
    const again = [];
    for (let count = 0; count < 6; count += 1) again.push(await ask(jar));
    t.strictSame([...new Set(again)], [first]);
    const others = [];
    for (let count = 0; count < 6; count += 1) others.push(await ask(''));
    t.strictSame([...new Set(others)].sort(), ['web-1', 'web-2'], 'who has no cookie goes round');
    await lab.change(
      LAB,
      edit(sticky, `name: ${first}, labels: { app: web }`, `name: ${first}, labels: { app: gone }`),
    );
    t.not(await ask(jar), first);
  });
});

t.test(
  'DNS-03 the name has an address of each zone, and a host of an Ingress is an alias',
  async (t) => {
    await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
      const balancer = lab.lab.cloud.loadBalancers.find(({ name }) => name === 'front');
      const dig = async (where: string, name: string): Promise<string[]> =>
        (await lab.out(where, `dig +short ${name}`)).split('\n').sort();
      const all = await dig('internet/user', balancer?.dnsName ?? '');
      t.equal(all.length, 2);
      t.match(all, [/^203\.0\.113\./, /^203\.0\.113\./]);
      t.strictSame(await dig('internet/user', 'app.example'), all);
      t.strictSame(await dig('instance/bastion', 'app.example'), all, 'inside it is public, too');
      t.match(
        await lab.out('internet/user', 'dig app.example'),
        /^app\.example\.\s+\d+\s+IN\s+A/m,
        'an A, no CNAME',
      );
      await lab.change(LAB, MANIFESTS.replaceAll('scheme: internet-facing', 'scheme: internal'));
      t.match(
        await dig('internet/user', 'app.example'),
        [/^10\.0\.3\./, /^10\.0\.4\./],
        'an internal one has private addresses, for everybody',
      );
      t.equal((await lab.in('internet/user', 'curl -s -m 1 http://app.example/')).exitCode, 28);
      t.equal(
        await lab.out(
          'instance/bastion',
          "curl -s -o /dev/null -m 2 -w '%{http_code}' http://app.example/",
        ),
        '200',
      );
    });
  },
);

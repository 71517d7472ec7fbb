import t from 'tap';

import { Diagnostics, renderDiagnostic } from '../../src/base/diagnostic.ts';
import { type AlbIngresses, readAlbIngresses } from '../../src/eks/alb-ingress.ts';
import type { AlbSettings } from '../../src/eks/alb-annotations.ts';
import { type AlbTargetSettings, targetSettings } from '../../src/eks/alb-target.ts';
import { readManifests } from '../../src/k8s/manifest.ts';
import { readYaml } from '../../src/source/yaml.ts';

const PREFIX = 'alb.ingress.kubernetes.io/';

interface Read extends AlbIngresses {
  /** Without those of the manifests themselves. */
  readonly problems: readonly string[];
}

function read(text: string): Read {
  const diagnostics = new Diagnostics();
  const manifests = readManifests(readYaml('m.yaml', text, diagnostics), diagnostics);
  t.notOk(diagnostics.hasErrors, 'the manifests are right');
  const before = diagnostics.list.length;
  const albs = readAlbIngresses(manifests, diagnostics);
  return { ...albs, problems: diagnostics.list.slice(before).map(renderDiagnostic) };
}

type Values = Readonly<Record<string, string>>;

function written(annotations: Values): string {
  return Object.entries(annotations)
    .map(([word, value]) => `    ${PREFIX}${word}: ${JSON.stringify(value)}\n`)
    .join('');
}

/** Paths of an Ingress as `path service port`. */
function ingress(annotations: Values, paths = ['/ web 80'], host = ''): string {
  const rules = paths.map((line) => {
    const [path, service, port = ''] = line.split(' ');
    const key = /^\d/.test(port) ? 'number' : 'name';
    return `{ path: ${path ?? ''}, pathType: Prefix, backend: { service: { name: ${service ?? ''}, port: { ${key}: ${port} } } } }`;
  });
  return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    x: ""
${written(annotations)}spec: { ingressClassName: alb, rules: [{ host: "${host}", http: { paths: [${rules.join(', ')}] } }] }
---
`;
}

function service(annotations: Values): string {
  return `apiVersion: v1
kind: Service
metadata:
  name: web
  annotations:
    x: ""
${written(annotations)}spec: { ports: [{ port: 80 }] }
---
`;
}

function only({ ingresses }: Read): AlbSettings {
  const [first] = ingresses;
  if (first === undefined || ingresses.length > 1) throw new Error('not one Ingress');
  return first.settings;
}

/** The settings of one Ingress that has nothing wrong. */
function settings(annotations: Values, paths?: string[]): AlbSettings {
  const found = read(ingress(annotations, paths));
  t.strictSame(found.problems, []);
  return only(found);
}

/** What is said of one annotation. */
function problem(word: string, value: string, paths?: string[]): string {
  const { problems } = read(ingress({ [word]: value }, paths));
  return problems.join('\n').replaceAll(`${PREFIX}${word}: `, '');
}

function target(ofIngress: Values, ofService: Values = {}): AlbTargetSettings {
  const found = read(ingress(ofIngress) + service(ofService));
  t.strictSame(found.problems, []);
  return targetSettings(only(found).target, found.services.get('default/web'));
}

t.test("without annotations there are the controller's defaults", async (t) => {
  const { target: ofIngress, at, ...rest } = settings({});
  t.strictSame(rest, {
    scheme: 'internal',
    loadBalancerName: undefined,
    groupName: undefined,
    groupOrder: 0,
    subnets: undefined,
    securityGroups: undefined,
    managesBackendRules: false,
    inboundCidrs: ['0.0.0.0/0'],
    listeners: [{ protocol: 'HTTP', port: 80 }],
    certificates: [],
    sslRedirect: undefined,
    idleTimeoutSeconds: 60,
    accessLog: undefined,
    attributes: new Map(),
    actions: new Map(),
    conditions: new Map(),
  });
  t.equal(at('scheme'), undefined);
  t.strictSame(targetSettings(ofIngress, undefined), {
    targetType: 'instance',
    protocol: 'HTTP',
    healthCheck: {
      protocol: 'HTTP',
      port: undefined,
      path: '/',
      intervalSeconds: 15,
      timeoutSeconds: 5,
      successCodes: [{ from: 200, to: 200 }],
      healthyThreshold: 2,
      unhealthyThreshold: 2,
    },
    stickinessSeconds: undefined,
    deregistrationDelaySeconds: 300,
    algorithm: 'round_robin',
    slowStartSeconds: 0,
  });
});

t.test("the guide's Ingress leads internet clients to the pods themselves", async (t) => {
  const found = settings({ scheme: 'internet-facing', 'target-type': 'ip' });
  t.equal(found.scheme, 'internet-facing');
  t.equal(targetSettings(found.target, undefined).targetType, 'ip');
});

t.test('what a load balancer is like is read, with where it is written', async (t) => {
  const found = settings({
    scheme: 'internet-facing',
    'load-balancer-name': 'shop',
    'group.name': 'shop.team-a',
    'group.order': '-10',
    'ip-address-type': 'ipv4',
    subnets: 'public-a , public-b,',
    'security-groups': 'web',
    'manage-backend-security-group-rules': 'true',
    'listen-ports': '[{"HTTP": 80, "HTTPS": 8443}, {"HTTP": 8080}]',
    'certificate-arn': 'arn:aws:acm:us-east-1:111122223333:certificate/a',
    'ssl-redirect': '443',
    'load-balancer-attributes':
      'idle_timeout.timeout_seconds=30, access_logs.s3.enabled=true,access_logs.s3.bucket=logs',
    tags: 'team=a',
  });
  t.match(found, {
    scheme: 'internet-facing',
    loadBalancerName: 'shop',
    groupName: 'shop.team-a',
    groupOrder: -10,
    subnets: ['public-a', 'public-b'],
    securityGroups: ['web'],
    managesBackendRules: true,
    listeners: [
      { protocol: 'HTTP', port: 80 },
      { protocol: 'HTTPS', port: 8443 },
      { protocol: 'HTTP', port: 8080 },
    ],
    certificates: ['arn:aws:acm:us-east-1:111122223333:certificate/a'],
    sslRedirect: 443,
    idleTimeoutSeconds: 30,
    accessLog: {
      bucket: 'logs',
      prefix: undefined,
      certificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/a',
    },
  });
  t.strictSame(
    [...found.attributes],
    [
      ['idle_timeout.timeout_seconds', '30'],
      ['access_logs.s3.enabled', 'true'],
      ['access_logs.s3.bucket', 'logs'],
    ],
  );
  t.strictSame(found.at('scheme'), { file: 'm.yaml', line: 7, column: 39 });
});

t.test('a certificate alone makes the listener HTTPS at 443', async (t) => {
  const found = settings({
    'certificate-arn': 'arn:aws:iam::111122223333:server-certificate/a',
    'ssl-redirect': '443',
  });
  t.strictSame(found.listeners, [{ protocol: 'HTTPS', port: 443 }]);
});

t.test('IPv6 blocks beside IPv4 ones let nobody in', async (t) => {
  t.strictSame(settings({ 'inbound-cidrs': '203.0.113.7/24, ::/0' }).inboundCidrs, [
    '203.0.113.0/24',
  ]);
});

t.test('what a Service says stands in place of what the Ingress says, one by one', async (t) => {
  const found = target(
    {
      'target-type': 'ip',
      'backend-protocol': 'HTTPS',
      'healthcheck-path': '/a',
      'healthcheck-port': 'http',
      'healthcheck-interval-seconds': '5',
      'healthcheck-timeout-seconds': '4',
      'target-group-attributes': 'slow_start.duration_seconds=30,stickiness.enabled=true',
    },
    {
      'healthcheck-path': '/healthz',
      'healthcheck-port': 'traffic-port',
      'success-codes': '200, 300-310',
      'healthy-threshold-count': '3',
      'unhealthy-threshold-count': '4',
      'target-group-attributes':
        'stickiness.enabled=true,stickiness.lb_cookie.duration_seconds=60,deregistration_delay.timeout_seconds=0,load_balancing.algorithm.type=least_outstanding_requests',
    },
  );
  t.strictSame(found, {
    targetType: 'ip',
    protocol: 'HTTPS',
    healthCheck: {
      protocol: 'HTTPS',
      port: undefined,
      path: '/healthz',
      intervalSeconds: 5,
      timeoutSeconds: 4,
      successCodes: [
        { from: 200, to: 200 },
        { from: 300, to: 310 },
      ],
      healthyThreshold: 3,
      unhealthyThreshold: 4,
    },
    stickinessSeconds: 60,
    deregistrationDelaySeconds: 0,
    algorithm: 'least_outstanding_requests',
    slowStartSeconds: 0,
  });
  t.equal(target({ 'healthcheck-port': '9090' }).healthCheck.port, 9090);
  t.equal(target({ 'healthcheck-port': 'metrics' }).healthCheck.port, 'metrics');
  t.equal(
    target({ 'target-group-attributes': 'stickiness.enabled=true' }).stickinessSeconds,
    86_400,
  );
});

t.test(
  'a Service and an Ingress that contradict one another are told at the Service',
  async (t) => {
    const diagnostics = new Diagnostics();
    const text =
      ingress({ 'healthcheck-interval-seconds': '10' }) +
      service({ 'healthcheck-timeout-seconds': '10' });
    const found = readAlbIngresses(
      readManifests(readYaml('m.yaml', text, diagnostics), diagnostics),
      diagnostics,
    );
    const [first] = found.ingresses;
    if (first === undefined) throw new Error('no Ingress');
    const before = diagnostics.list.length;
    targetSettings(first.settings.target, found.services.get('default/web'));
    t.strictSame(diagnostics.list.slice(before).map(renderDiagnostic), [
      'm.yaml:16:60: error[wrong-annotation]: alb.ingress.kubernetes.io/healthcheck-timeout-seconds: a health check that may take 10 s does not end before the next, 10 s later\n  hint: make the timeout shorter than the interval; without annotations they are 5 s and 15 s',
    ]);
  },
);

t.test(
  'a value that the controller refuses is an error that says what would be right',
  async (t) => {
    const cases: [string, string, RegExp][] = [
      [
        'scheme',
        'internet',
        /is not one of internal, internet-facing\n {2}hint: "internet-facing" for/,
      ],
      ['target-type', 'IP', /"IP" is not one of instance, ip\n {2}hint: did you mean "ip"\?$/],
      ['load-balancer-name', 'internal-a', /"internal-a" is not a name that a load balancer can/],
      ['load-balancer-name', 'a'.repeat(33), /is not a name that a load balancer can have/],
      ['group.name', 'Team', /"Team" is not a name that a group can have/],
      ['group.order', '1001', /"1001" is not a whole number from -1000 to 1000/],
      ['ip-address-type', 'dualstack', /"dualstack" is not what Hoplab has addresses for/],
      ['subnets', ' , ', /" , " is not a list of names/],
      ['manage-backend-security-group-rules', 'yes', /"yes" is not "true" or "false"/],
      ['inbound-cidrs', '10.0.0.0/8, all', /"all" is not a CIDR block/],
      ['listen-ports', '80', /this is not a list\n {2}hint: write it like '\[\{"HTTP": 80\}/],
      ['listen-ports', "[{'HTTP': 80}]", /this is not JSON/],
      ['listen-ports', '[]', /no port is in this list/],
      ['listen-ports', '[80]', /80 is not HTTP or HTTPS/],
      ['listen-ports', '[{"http": 80}]', /"http" is not HTTP or HTTPS/],
      ['listen-ports', '[{"HTTP": "80"}]', /"80" is not a port from 1 to 65535/],
      ['listen-ports', '[{"HTTP": 80}, {"HTTPS": 80}]', /port 80 is in it twice/],
      ['certificate-arn', 'web', /"web" is not a list of ARNs of certificates/],
      ['ssl-redirect', '443', /no HTTPS listener is at port 443/],
      ['backend-protocol', 'GRPC', /"GRPC" is not one of HTTP, HTTPS/],
      ['healthcheck-port', '0', /"0" is not a port/],
      ['healthcheck-port', 'Web UI', /"Web UI" is not a port/],
      ['healthcheck-path', 'healthz', /"healthz" is not a path\n {2}hint: write it like \/healthz/],
      [
        'healthcheck-interval-seconds',
        '15s',
        /"15s" is not a whole number from 5 to 300\n {2}hint: write the number alone$/,
      ],
      ['healthcheck-timeout-seconds', '15', /may take 15 s does not end before the next, 15 s/],
      ['healthcheck-interval-seconds', '5', /may take 5 s does not end before the next, 5 s later/],
      ['success-codes', '2xx', /"2xx" is not a list of statuses from 200 to 499/],
      ['success-codes', '200-', /"200-" is not a list of statuses/],
      ['success-codes', '300-200', /is not a list of statuses/],
      ['success-codes', '500', /is not a list of statuses/],
      ['healthy-threshold-count', '1', /"1" is not a whole number from 2 to 10/],
      ['target-group-attributes', 'stickiness', /"stickiness" is not KEY=VALUE/],
      [
        'target-group-attributes',
        'deregistration_delay=30',
        /hint: did you mean "deregistration_delay\.timeout_seconds"\?$/,
      ],
      [
        'target-group-attributes',
        'stickines.enabled=true',
        /there is no attribute "stickines.enabled"\n {2}hint: did you mean "stickiness.enabled"\?/,
      ],
      [
        'target-group-attributes',
        'slow_start.duration_seconds=10',
        /slow_start.duration_seconds: "10" is not a whole number from 30 to 900, or 0/,
      ],
      [
        'target-group-attributes',
        'slow_start.duration_seconds=30,load_balancing.algorithm.type=least_outstanding_requests',
        /slow start is not to be had with least_outstanding_requests/,
      ],
      ['target-group-attributes', 'stickiness.type=app_cookie', /"app_cookie" is not one of lb_/],
      ['load-balancer-attributes', 'idle_timeout.timeout_seconds=0', /: "0" is not a whole number/],
    ];
    for (const [word, value, expected] of cases) {
      const found = problem(word, value);
      t.match(found, /^m\.yaml:7:\d+: error\[wrong-annotation\]: [^\n]*(\n {2}hint: .*)?$/, value);
      t.match(found, expected, `${word}: ${value}`);
    }
  },
);

t.test('an annotation that the controller does not know is a warning at its name', async (t) => {
  t.equal(
    problem('healthcheck-paht', '/'),
    'm.yaml:7:5: warning[unknown-alb-annotation]: the AWS Load Balancer Controller knows no annotation "alb.ingress.kubernetes.io/healthcheck-paht": it reads it as if it were not there\n  hint: did you mean "healthcheck-path"?',
  );
  t.match(problem('action.web', '{}'), /hint: write it like actions\.NAME/);
  t.match(problem('something-else', ''), /warning\[unknown-alb-annotation\]/);
});

t.test('what has no effect here, or at this place, is named in a warning', async (t) => {
  const cases: [string, string, string][] = [
    ['wafv2-acl-arn', 'arn', 'no firewall looks into requests'],
    ['frontend-nlb-scheme', 'internal', 'there is no network load balancer in front'],
    ['listener-attributes.HTTP-80', 'a=b', 'listeners have no attributes'],
    ['backend-protocol-version', 'GRPC', 'targets are spoken to in HTTP/1.1'],
  ];
  for (const [word, value, why] of cases) {
    t.match(
      problem(word, value),
      new RegExp(`warning\\[alb-without-effect\\]: this has no effect in Hoplab: ${why}$`),
      word,
    );
  }
  t.equal(problem('backend-protocol-version', 'HTTP1'), '');
  t.match(
    problem('load-balancer-attributes', 'routing.http2.enabled=false'),
    /warning\[alb-without-effect\]: routing\.http2\.enabled: Hoplab's load balancers do not have/,
  );
  t.match(
    problem('manage-backend-security-group-rules', 'true'),
    /warning\[alb-without-effect\]: this is for security-groups of your own/,
  );
  t.match(read(ingress({ 'security-groups': 'a', 'inbound-cidrs': '10.0.0.0/8' })).problems, [
    /this is for the security group that the controller makes/,
  ]);
  t.match(read(service({ scheme: 'internal' })).problems, [
    /warning\[alb-without-effect\]: .*scheme: the controller does not read this on a Service/,
  ]);
});

t.test('actions are read as JSON, with keys in any case', async (t) => {
  const { actions } = settings(
    {
      'actions.sorry':
        '{"type":"fixed-response","fixedResponseConfig":{"contentType":"text/html","statusCode":"503","messageBody":"later"}}',
      'actions.to-tls':
        '{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}',
      'actions.split':
        '{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"a","servicePort":"80","weight":20},{"serviceName":"b","servicePort":"http","weight":80}],"targetGroupStickinessConfig":{"enabled":true,"durationSeconds":200}}}',
      'actions.one':
        '{"type":"forward","forwardConfig":{"targetGroups":[{"serviceName":"a","servicePort":8080}]}}',
    },
    [
      '/a sorry use-annotation',
      '/b to-tls use-annotation',
      '/c split use-annotation',
      '/ one use-annotation',
    ],
  );
  t.strictSame(Object.fromEntries(actions), {
    sorry: {
      type: 'fixed-response',
      statusCode: 503,
      contentType: 'text/html',
      messageBody: 'later',
    },
    'to-tls': {
      type: 'redirect',
      statusCode: 301,
      protocol: 'HTTPS',
      host: '#{host}',
      port: '443',
      path: '/#{path}',
      query: '#{query}',
    },
    split: {
      type: 'forward',
      targetGroups: [
        { service: 'a', port: 80, weight: 20 },
        { service: 'b', port: 'http', weight: 80 },
      ],
      stickinessSeconds: 200,
    },
    one: {
      type: 'forward',
      targetGroups: [{ service: 'a', port: 8080, weight: 1 }],
      stickinessSeconds: undefined,
    },
  });
});

t.test('a mistake in the JSON of an action is told with its place in it', async (t) => {
  const fixed = (inside: string): string =>
    `{"type":"fixed-response","fixedResponseConfig":{${inside}}}`;
  const redirect = (inside: string): string =>
    `{"type":"redirect","redirectConfig":{"statusCode":"HTTP_302"${inside}}}`;
  const forward = (...groups: string[]): string =>
    `{"type":"forward","forwardConfig":{"targetGroups":[${groups.join(',')}]}}`;
  const cases: [string, string][] = [
    ['{', 'this is not JSON'],
    ['[]', 'is a list, not a map {…}'],
    ['{}', 'type is missing, not a text'],
    ['{"type":"Forward"}', 'type is "Forward", not one of fixed-response, redirect, forward'],
    ['{"type":"redirect"}', 'redirectConfig is missing, not a map {…}'],
    [fixed('"statusCode":503'), 'fixedResponseConfig.statusCode is 503, not a text'],
    [fixed('"statusCode":"302"'), 'fixedResponseConfig.statusCode is "302", not a status from'],
    [fixed('"statusCode":"200","contentType":"text"'), 'fixedResponseConfig.contentType is "text"'],
    [redirect(''), 'redirectConfig redirects every request to where it came from'],
    [redirect(',"port":"x"'), 'redirectConfig.port is "x", not a port from 1 to 65535, or #{port}'],
    [redirect(',"path":"x"'), 'redirectConfig.path is "x", not a path that begins with "/"'],
    [redirect(',"protocol":"https"'), 'redirectConfig.protocol is "https", not HTTP, HTTPS or'],
    [forward(), 'forwardConfig.targetGroups is an empty list'],
    [forward('{"serviceName":"a"}'), 'forwardConfig.targetGroups.0.servicePort is missing'],
    [
      forward(
        '{"serviceName":"a","servicePort":80}',
        '{"serviceName":"b","servicePort":80,"weight":1}',
      ),
      'forwardConfig.targetGroups.0.weight is missing, not a whole number from 0 to 999',
    ],
    [
      forward('{"serviceName":"a","servicePort":80,"weight":"10"}'),
      'forwardConfig.targetGroups.0.weight is "10", not a whole number from 0 to 999\n  hint: write it without quotes',
    ],
    [
      forward('{"targetGroupARN":"arn"}'),
      'forwardConfig.targetGroups.0.targetGroupARN names a target group that no Service has',
    ],
    ['{"type":"forward","targetGroupARN":"arn"}', 'targetGroupARN names a target group that no'],
  ];
  for (const [json, expected] of cases) {
    const found = problem('actions.web', json, ['/ web use-annotation']);
    t.ok(found.includes(`error[wrong-annotation]: ${expected}`), `${json}: ${found}`);
  }
  t.equal(
    problem('actions.web', redirect(',"port":"8080","prot":"HTTPS"'), ['/ web use-annotation']),
    'm.yaml:7:44: warning[alb-without-effect]: there is no "prot" in redirectConfig, it is not read\n  hint: did you mean "port"?',
  );
});

t.test('conditions are read as JSON', async (t) => {
  const all = [
    '{"field":"host-header","hostHeaderConfig":{"values":["*.example.com"]}}',
    '{"field":"path-pattern","pathPatternConfig":{"values":["/v?/*"]}}',
    '{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"X-Beta","values":["yes"]}}',
  ];
  const { conditions } = settings({ 'conditions.web': `[${all.join(',')}]` });
  t.strictSame(conditions.get('web'), [
    { field: 'host-header', values: ['*.example.com'] },
    { field: 'path-pattern', values: ['/v?/*'] },
    { field: 'http-header', header: 'X-Beta', values: ['yes'] },
  ]);
  const others = [
    '{"field":"http-request-method","httpRequestMethodConfig":{"values":["GET"]}}',
    '{"field":"query-string","queryStringConfig":{"values":[{"key":"v","value":"1"},{"value":"a"}]}}',
    '{"field":"source-ip","sourceIPConfig":{"values":["10.0.0.9/8"]}}',
  ];
  t.strictSame(settings({ 'conditions.web': `[${others.join(',')}]` }).conditions.get('web'), [
    { field: 'http-request-method', values: ['GET'] },
    {
      field: 'query-string',
      values: [
        { key: 'v', value: '1' },
        { key: undefined, value: 'a' },
      ],
    },
    { field: 'source-ip', values: ['10.0.0.0/8'] },
  ]);
});

t.test('a mistake in the JSON of a condition is told with its place in it', async (t) => {
  const cases: [string, string][] = [
    ['{}', 'is a map, not a list […]'],
    ['[{"field":"host"}]', '0.field is "host", not one of host-header, path-pattern,'],
    ['[{"field":"host-header"}]', '0.hostHeaderConfig is missing, not a map'],
    [
      '[{"field":"host-header","hostHeaderConfig":{"values":[1]}}]',
      '0.hostHeaderConfig.values.0 is 1, not a text',
    ],
    [
      '[{"field":"path-pattern","pathPatternConfig":{"regexValues":["a"]}}]',
      '0.pathPatternConfig.regexValues are regular',
    ],
    [
      '[{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"Host","values":["a"]}}]',
      '0.httpHeaderConfig.httpHeaderName is "Host", not a name',
    ],
    [
      '[{"field":"http-request-method","httpRequestMethodConfig":{"values":["get"]}}]',
      '0.httpRequestMethodConfig.values.0 is "get", not a method in capitals',
    ],
    [
      '[{"field":"query-string","queryStringConfig":{"values":[{"key":"a"}]}}]',
      '0.queryStringConfig.values.0.value is missing',
    ],
    [
      '[{"field":"source-ip","sourceIPConfig":{"values":["10.0.0.9"]}}]',
      '0.sourceIPConfig.values.0 is "10.0.0.9", not an IPv4 CIDR block',
    ],
    [
      '[{"field":"source-ip","sourceIPConfig":{"values":["1.0.0.0/8","2.0.0.0/8","3.0.0.0/8","4.0.0.0/8","5.0.0.0/8"]}}]',
      'with its host and path, a rule would have 6 values',
    ],
  ];
  for (const [json, expected] of cases) {
    const found = problem('conditions.web', json);
    t.ok(found.includes(`error[wrong-annotation]: ${expected}`), `${json}: ${found}`);
  }
});

t.test('actions, conditions and backends need one another', async (t) => {
  const fixed = '{"type":"fixed-response","fixedResponseConfig":{"statusCode":"503"}}';
  const found = read(
    ingress(
      {
        'actions.sorry': fixed,
        'conditions.wbe': '[{"field":"source-ip","sourceIPConfig":{"values":["10.0.0.0/8"]}}]',
      },
      ['/a sory use-annotation', '/ web 80'],
    ),
  );
  t.match(found.problems, [
    /^m\.yaml:9:\d+: warning\[missing-alb-action\]: there is no annotation alb\.ingress\.kubernetes\.io\/actions\.sory: the load balancer answers 503\n {2}hint: did you mean "sorry"\?$/,
    /^m\.yaml:7:\d+: warning\[alb-without-effect\]: .*actions\.sorry: no backend leads to this action/,
    /^m\.yaml:8:\d+: warning\[alb-without-effect\]: .*conditions\.wbe: no backend has this name\n {2}hint: did you mean "web"\?$/,
  ]);
});

t.test('only a path of type ImplementationSpecific may have wildcards', async (t) => {
  t.match(read(ingress({}, ['/a* web 80'])).problems, [
    /error\[ingress-path\]: Ingress "web": the path "\/a\*" of type Prefix has a wildcard/,
  ]);
});

t.test('an Ingress is served by its class, written, annotated or the default', async (t) => {
  const one = (spec: string, annotation = ''): string => `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, annotations: { ${annotation} } }
spec: { ${spec}defaultBackend: { service: { name: web, port: { number: 80 } } } }
---
`;
  const ofClass = (name: string, controller: string, isDefault = false): string =>
    `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: ${name}, annotations: { ingressclass.kubernetes.io/is-default-class: "${String(isDefault)}" } }
spec: { controller: ${controller} }
---
`;
  const alb = 'ingress.k8s.aws/alb';
  const served: Record<string, string> = {
    'by the class that the chart brings': one('ingressClassName: alb, '),
    'by the annotation': one('', 'kubernetes.io/ingress.class: alb'),
    'by a class of another name': one('ingressClassName: aws, ') + ofClass('aws', alb),
    'by the default class': one('') + ofClass('aws', alb, true),
  };
  for (const [how, text] of Object.entries(served)) {
    const { ingresses, problems } = read(text);
    t.strictSame([ingresses.length, problems], [1, []], how);
  }
  const others: [string, RegExp][] = [
    [one(''), /names no class, and none is the default: no load balancer is built/],
    [one('ingressClassName: abl, '), /is of class "abl", which there is not.*\n.*mean "alb"/],
    [
      one('ingressClassName: nginx, ') + ofClass('nginx', 'k8s.io/ingress-nginx'),
      /is of class "nginx", whose controller, k8s\.io\/ingress-nginx, is not here/,
    ],
    [
      one('', 'kubernetes.io/ingress.class: nginx'),
      /is of class "nginx", which nobody serves here/,
    ],
    [one('') + ofClass('a', alb, true) + ofClass('b', alb, true), /two are the default: "a" at m/],
  ];
  for (const [text, expected] of others) {
    const { ingresses, problems } = read(text);
    t.strictSame(ingresses, []);
    t.match(problems, [/warning\[ingress-class\]/]);
    t.match(problems, [expected]);
  }
});

import t from 'tap';

import { whereAnnotations } from '../../src/k8s/object.ts';
import { lab, problems } from './lab.ts';

/** An Ingress on few lines; `spec` is the inside of its spec. */
function ingress(spec: string, annotations = ''): string {
  return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, annotations: { ${annotations} } }
spec: { ${spec} }
`;
}

const path = (inside: string): string => ingress(`rules: [{ http: { paths: [{ ${inside} }] } }]`);
const BACKEND = 'backend: { service: { name: web, port: { number: 80 } } }';

t.test("the guide's Ingress is read without a word", async (t) => {
  const { manifests, problems } = lab(`
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
`);
  t.strictSame(problems, []);
  const [found] = manifests.ingresses;
  t.match(found, {
    namespace: 'default',
    name: 'web-ingress',
    className: 'alb',
    isClassAnnotated: true,
    annotations: { 'alb.ingress.kubernetes.io/target-type': 'ip' },
    rules: [
      {
        host: 'myapp.com',
        paths: [{ path: '/', pathType: 'Prefix', backend: { service: 'web-service', port: 80 } }],
      },
    ],
    defaultBackend: undefined,
    tls: [],
    at: { file: 'm.yaml', line: 5, column: 9 },
  });
  const where = found === undefined ? undefined : whereAnnotations(found);
  const name = 'alb.ingress.kubernetes.io/scheme';
  t.strictSame(where?.at(name), { file: 'm.yaml', line: 8, column: 39 }, 'where a value stands');
  t.strictSame(where?.keyAt(name), { file: 'm.yaml', line: 8, column: 5 }, 'where a name stands');
});

t.test('hosts, path types, ports by name, TLS and a default backend are read', async (t) => {
  const { manifests, problems } = lab(
    ingress(`
  ingressClassName: alb,
  defaultBackend: { service: { name: sorry, port: { name: http } } },
  tls: [{ hosts: [a.example.com, "*.example.com"], secretName: cert }, {}],
  rules: [
    { host: "*.example.com", http: { paths: [
      { path: /a, pathType: Exact, ${BACKEND} },
      { pathType: ImplementationSpecific, ${BACKEND} },
      { path: "/*.png", pathType: ImplementationSpecific, backend: { service: { name: to-tls, port: { name: use-annotation } } } } ] } },
    { host: a.example.com } ]
`),
  );
  t.strictSame(problems, []);
  const [found] = manifests.ingresses;
  t.equal(found?.className, 'alb');
  t.equal(found?.isClassAnnotated, false);
  t.strictSame(
    found?.rules.map(({ host, paths }) => [
      host,
      ...paths.map(({ path, pathType, backend }) => [
        path,
        pathType,
        backend.service,
        backend.port,
      ]),
    ]),
    [
      [
        '*.example.com',
        ['/a', 'Exact', 'web', 80],
        ['', 'ImplementationSpecific', 'web', 80],
        ['/*.png', 'ImplementationSpecific', 'to-tls', 'use-annotation'],
      ],
      ['a.example.com'],
    ],
  );
  t.match(found?.defaultBackend, { service: 'sorry', port: 'http' });
  t.strictSame(found?.tls, [
    { hosts: ['a.example.com', '*.example.com'], secretName: 'cert' },
    { hosts: [], secretName: undefined },
  ]);
});

t.test('a path has a type, and its type says what it may be', async (t) => {
  const cases: Record<string, string | undefined> = {
    [`path: /, ${BACKEND}`]:
      'm.yaml:4:35: error[missing-key]: Ingress "web": the path "/" lacks "pathType"\n  hint: write "pathType: Prefix", or Exact',
    [`path: /, pathType: prefix, ${BACKEND}`]:
      'm.yaml:4:56: error[wrong-value]: spec.rules.0.http.paths.0.pathType is "prefix", not one of Exact, Prefix, ImplementationSpecific\n  hint: did you mean "Prefix"?',
    [`path: a, pathType: Prefix, ${BACKEND}`]:
      'm.yaml:4:43: error[ingress-path]: Ingress "web": the path "a" does not begin with "/"\n  hint: write it like /a',
    [`pathType: Exact, ${BACKEND}`]:
      'm.yaml:4:35: error[ingress-path]: Ingress "web": a path of type Exact is empty\n  hint: write "path: /" for all paths',
    [`path: a, pathType: ImplementationSpecific, ${BACKEND}`]:
      'm.yaml:4:43: error[ingress-path]: Ingress "web": the path "a" does not begin with "/"\n  hint: write it like /a',
    [`path: /a//b, pathType: Prefix, ${BACKEND}`]:
      'm.yaml:4:43: error[ingress-path]: Ingress "web": the path "/a//b" holds "//", which paths of type Prefix must not\n  hint: write the path as it is after normalization',
    [`path: /a/.., pathType: Exact, ${BACKEND}`]:
      'm.yaml:4:43: error[ingress-path]: Ingress "web": the path "/a/.." holds "/..", which paths of type Exact must not\n  hint: write the path as it is after normalization',
    [`path: /a//b, pathType: ImplementationSpecific, ${BACKEND}`]: undefined,
  };
  for (const [inside, expected] of Object.entries(cases)) {
    t.strictSame(problems(path(inside)), expected === undefined ? [] : [expected], inside);
  }
});

t.test('a backend is a Service and exactly one of the number and the name of a port', async (t) => {
  const cases: Record<string, string> = {
    '{}': '4:25: error[ingress-backend]: Ingress "web": a backend has no service',
    '{ resource: { kind: Bucket, name: a } }':
      '4:27: error[ingress-backend]: Ingress "web": a backend is a resource, which the AWS Load Balancer Controller does not serve',
    '{ service: { name: web } }':
      '4:36: error[ingress-backend]: Ingress "web": the backend "web" has no port',
    '{ service: { name: web, port: { name: http, number: 80 } } }':
      '4:55: error[ingress-backend]: Ingress "web": the port of Service "web" has both a number and a name',
    '{ service: { name: web, port: { name: "80" } } }':
      '4:63: error[ingress-backend]: Ingress "web": "80" is no name that a port can have',
    '{ service: { name: web, port: { name: Http } } }':
      '4:63: error[ingress-backend]: Ingress "web": "Http" is no name that a port can have',
    '{ service: { name: web, port: { number: 0 } } }':
      '4:65: error[out-of-range]: spec.defaultBackend.service.port.number is 0, which is less than 1',
    '{ service: { name: web:80, port: { number: 80 } } }':
      '4:44: error[ingress-backend]: Ingress "web": "web:80" is no name that a Service can have',
    '{ service: { port: { number: 80 } } }':
      '4:27: error[missing-key]: spec.defaultBackend.service lacks "name"',
  };
  for (const [backend, expected] of Object.entries(cases)) {
    const found = problems(ingress(`defaultBackend: ${backend}`));
    t.strictSame(
      found.map((text) => text.replace(/\n.*/s, '')),
      [`m.yaml:${expected}`],
      backend,
    );
  }
});

t.test('a host is a DNS name, with a wildcard at most for its first label', async (t) => {
  const rule = (host: string): string =>
    ingress(
      `rules: [{ host: "${host}", http: { paths: [{ path: /, pathType: Prefix, ${BACKEND} }] } }]`,
    );
  const cases: Record<string, string> = {
    '10.0.0.1': 'the host 10.0.0.1 is an address',
    '*': 'the host "*" has a "*" elsewhere than in "*." at its beginning',
    'a.*.com': 'the host "a.*.com" has a "*" elsewhere than in "*." at its beginning',
    '*a.com': 'the host "*a.com" has a "*" elsewhere than in "*." at its beginning',
    'Example.com': 'the host "Example.com" is not a DNS name',
    'example.com:80': 'the host "example.com:80" is not a DNS name',
  };
  for (const [host, expected] of Object.entries(cases)) {
    t.strictSame(
      problems(rule(host)).map((text) => text.replace(/\n.*/s, '')),
      [`m.yaml:4:25: error[ingress-host]: Ingress "web": ${expected}`],
      host,
    );
  }
  t.strictSame(problems(rule('*.example.com')), []);
  t.strictSame(problems(rule('')), []);
});

t.test(
  'an Ingress without rules has a default backend, and its class is written once',
  async (t) => {
    t.match(problems(ingress('ingressClassName: alb')), [
      /^m\.yaml:4:7: error\[ingress-without-rules\]: Ingress "web" has neither rules nor a defaultBackend/,
    ]);
    t.strictSame(
      problems(
        ingress(
          'ingressClassName: alb, defaultBackend: { service: { name: web, port: { number: 80 } } }',
          'kubernetes.io/ingress.class: alb',
        ),
      ),
      [
        'm.yaml:3:39: error[ingress-class]: Ingress "web" has its class twice: in this annotation and in spec.ingressClassName\n  hint: take the annotation out, it is the older way',
      ],
    );
  },
);

t.test('an IngressClass has a controller, and may be the default', async (t) => {
  const { manifests, problems } = lab(`
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: alb, annotations: { ingressclass.kubernetes.io/is-default-class: "true" } }
spec: { controller: ingress.k8s.aws/alb }
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: nginx }
spec: { controller: nginx }
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: none }
spec: {}
`);
  t.strictSame(manifests.ingressClasses, [
    {
      name: 'alb',
      controller: 'ingress.k8s.aws/alb',
      isDefault: true,
      at: { file: 'm.yaml', line: 4, column: 19 },
    },
  ]);
  t.strictSame(problems, [
    'm.yaml:10:21: error[ingress-class]: IngressClass "nginx": the controller "nginx" is not a domain and a path\n  hint: known here: ingress.k8s.aws/alb',
    'm.yaml:15:1: error[missing-key]: spec lacks "controller"\n  hint: give a text for "controller"',
  ]);
});

t.test("a Service's annotations are kept, with where they stand", async (t) => {
  const { manifests } = lab(`
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations: { alb.ingress.kubernetes.io/healthcheck-path: /healthz }
spec: { ports: [{ port: 80 }] }
`);
  const [service] = manifests.services;
  const name = 'alb.ingress.kubernetes.io/healthcheck-path';
  t.strictSame(service?.annotations, { [name]: '/healthz' });
  t.strictSame(service === undefined ? undefined : whereAnnotations(service).at(name), {
    file: 'm.yaml',
    line: 6,
    column: 62,
  });
});

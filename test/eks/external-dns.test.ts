import t from 'tap';

import type { HostedZone } from '../../src/aws/hosted-zone.ts';
import type { Cloud } from '../../src/cloud.ts';
import { describe } from '../../src/commands/inspect.ts';
import { resolveName } from '../../src/probe/resolve-name.ts';
import { renderThing } from '../../src/report/thing.ts';
import { cloudOf } from '../judge/cloud.ts';

const lab = (zones: string, addons = ''): string => `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      one: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      two: { cidr: 10.0.2.0/24, az: az-2, routeTable: public }
    routeTables: { public: { routes: [{ destination: 0.0.0.0/0, target: igw }] } }
cluster:
  vpc: main
  addons: { coredns: false${addons} }
  nodes: { node-1: { subnet: one } }
internet: { user: { address: 198.51.100.10 } }
${zones === '' ? '' : `hostedZones:\n${zones}`}`;

/** `host host…`, and annotations of ExternalDNS. */
function ingress(
  name: string,
  hosts: string,
  annotations: Readonly<Record<string, string>> = {},
  more = '',
): string {
  const backend = '{ service: { name: web, port: { number: 80 } } }';
  const paths = `http: { paths: [{ path: /, pathType: Prefix, backend: ${backend} }] }`;
  const rules = hosts.split(' ').map((host) => `{ host: ${JSON.stringify(host)}, ${paths} }`);
  const written = Object.entries(annotations).map(
    ([word, value]) => `    external-dns.alpha.kubernetes.io/${word}: ${JSON.stringify(value)}\n`,
  );
  return `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: ${name}
  annotations:
    alb.ingress.kubernetes.io/scheme: internet-facing
    alb.ingress.kubernetes.io/target-type: ip
${written.join('')}spec: { ingressClassName: alb, rules: [${rules.join(', ')}]${more} }
---
apiVersion: v1
kind: Service
metadata: { name: ${name === 'web' ? 'web' : `${name}-unused`} }
spec: { ports: [{ port: 80 }] }
---
`;
}

/** `ZONE: NAME TYPE TTL VALUE`, without what the ownership texts all have in common. */
function records({ hostedZones }: Cloud): string[] {
  return hostedZones.flatMap(({ key, records: all }: HostedZone) =>
    all.map(({ name, data, ttlSeconds, owner }) => {
      const value = 'texts' in data ? data.texts : 'target' in data ? data.target : data.addresses;
      const text = String(value).replace(
        /^heritage=external-dns,external-dns\/owner=default,external-dns\/resource=/,
        'of ',
      );
      return `${key}: ${name} ${data.type} ${ttlSeconds} ${text}${owner === undefined ? ' declared' : ''}`;
    }),
  );
}

t.test('without zones a public one is implied, of the last two labels', async (t) => {
  const cloud = cloudOf(lab(''), ingress('web', 'myapp.com www.myapp.com a.b.example'));
  t.strictSame(records(cloud), [
    'myapp.com: myapp.com alias 60 alb/web',
    'myapp.com: myapp.com TXT 60 of ingress/default/web',
    'myapp.com: www.myapp.com alias 60 alb/web',
    'myapp.com: www.myapp.com TXT 60 of ingress/default/web',
    'myapp.com: cname-www.myapp.com TXT 60 of ingress/default/web',
    'b.example: a.b.example alias 60 alb/web',
    'b.example: a.b.example TXT 60 of ingress/default/web',
    'b.example: cname-a.b.example TXT 60 of ingress/default/web',
  ]);
  t.ok(cloud.hostedZones.every(({ isImplied }) => isImplied));
  t.match(renderThing(describe(cloud, 'zone/myapp.com')), /implied by +pods\.yaml:9:/);
});

t.test('without the addon nobody makes records', async (t) => {
  t.strictSame(cloudOf(lab('', ', external-dns: false'), ingress('web', 'a.b')).hostedZones, []);
});

t.test('a name is in the best public zone and in every private one', async (t) => {
  const cloud = cloudOf(
    lab(`
  example.com: {}
  shop.example.com: {}
  split: { name: example.com, vpcs: [main] }
  inner: { name: shop.example.com, vpcs: [main] }
  other: { name: example.net, vpcs: [main] }
`),
    ingress('web', 'a.shop.example.com'),
  );
  const zones = records(cloud).filter((one) => one.includes(' alias '));
  t.strictSame(
    zones.map((one) => one.split(':')[0]),
    ['shop.example.com', 'split', 'inner'],
  );
});

t.test('what the annotations say', async (t) => {
  const zones = '  example.com: {}';
  const of = (annotations: Readonly<Record<string, string>>, more = ''): string[] =>
    records(cloudOf(lab(zones), ingress('web', 'a.example.com', annotations, more)))
      .filter((one) => !one.includes(' TXT '))
      .map((one) => one.replace('example.com: ', ''));
  const own = 'a.example.com alias 60 alb/web';
  t.strictSame(of({}, ', tls: [{ hosts: [tls.example.com] }]'), [
    own,
    'tls.example.com alias 60 alb/web',
  ]);
  t.strictSame(of({ hostname: 'b.example.com, *.C.example.com.' }), [
    own,
    'b.example.com alias 60 alb/web',
    '*.c.example.com alias 60 alb/web',
  ]);
  t.strictSame(of({ hostname: 'b.example.com', 'ingress-hostname-source': 'annotation-only' }), [
    'b.example.com alias 60 alb/web',
  ]);
  t.strictSame(of({ hostname: 'b.example.com', 'ingress-hostname-source': 'defined-hosts-only' }), [
    own,
  ]);
  t.strictSame(of({ ttl: '90' }), [own], 'an alias has no TTL of its own');
  t.strictSame(of({ ttl: '1m', target: '198.51.100.7,198.51.100.8' }), [
    'a.example.com A 60 198.51.100.7,198.51.100.8',
  ]);
  t.strictSame(of({ target: 'far.example.net' }), ['a.example.com CNAME 300 far.example.net']);
  t.match(of({ alias: 'false' }), [/^a\.example\.com CNAME 300 k8s-default-web-.*\.elb\./]);
  t.strictSame(of({ controller: 'somebody-else' }), []);
});

t.test('a record that is not its own stays; one that has its mark is its own', async (t) => {
  const mark =
    'heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/default/old';
  const other = mark.replace('default,', 'another,');
  const cloud = cloudOf(
    lab(`
  example.com:
    records:
      a: { a: [198.51.100.1] }
      b: { a: [198.51.100.2] }
      cname-b: { txt: "${mark}" }
      c: { a: [198.51.100.3], txt: "${other}" }
`),
    ingress('web', 'a.example.com b.example.com c.example.com'),
  );
  t.strictSame(records(cloud), [
    'example.com: a.example.com A 300 198.51.100.1 declared',
    'example.com: c.example.com A 300 198.51.100.3 declared',
    `example.com: c.example.com TXT 60 ${other} declared`,
    'example.com: b.example.com alias 60 alb/web',
    'example.com: b.example.com TXT 60 of ingress/default/web',
    'example.com: cname-b.example.com TXT 60 of ingress/default/web',
  ]);
});

t.test('two load balancers want one name: one has it, whatever their order', async (t) => {
  const [one, two] = [ingress('web', 'a.b'), ingress('other', 'a.b')];
  const owners = [one + two, two + one].map((text) => records(cloudOf(lab(''), text))[0]);
  t.strictSame(new Set(owners).size, 1);
});

t.test('a probe’s name leads where the sender’s name server says', async (t) => {
  const cloud = cloudOf(
    lab(`
  example.com: { records: { api: { a: [198.51.100.1] }, far: { cname: api.example.com } } }
  split: { name: example.com, vpcs: [main], records: { api: { a: [10.0.1.9] }, loop: { cname: loop.example.com } } }
`),
    ingress('web', 'shop.example.com'),
  );
  const ask = (from: string, name: string): string =>
    resolveName(cloud, cloud.things.get(from), name).join(' ');
  t.equal(ask('internet/user', 'api.example.com'), '198.51.100.1');
  t.equal(ask('node/node-1', 'API.example.com.'), '10.0.1.9');
  t.equal(ask('internet/user', 'far.example.com'), '198.51.100.1');
  t.equal(ask('node/node-1', 'far.example.com'), '');
  t.equal(ask('node/node-1', 'loop.example.com'), '');
  t.match(ask('node/node-1', 'shop.example.com'), /^203\.0\.113\.\d+ 203\.0\.113\.\d+$/);
  t.match(ask('node/node-1', 'ip-10-0-1-7.ec2.internal'), '10.0.1.7');
});

/** Hosted zones and ExternalDNS on the real kernel (fidelity rows DNS-02, DNS-03, DNS-04), each with what must not be. */

import t from 'tap';

import { renderDrift } from '../../src/report/drift.ts';
import { edit, type TestLab, withLab } from '../support/with-lab.ts';

t.jobs = 2;

const OPEN = 'securityGroups: { default: { ingress: [{ from: 0.0.0.0/0 }] } }';
const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    ${OPEN}
    subnets:
      public-1: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      public-2: { cidr: 10.0.2.0/24, az: az-2, routeTable: public }
      one: { cidr: 10.0.3.0/24, az: az-1 }
      two: { cidr: 10.0.4.0/24, az: az-2 }
    routeTables: { public: { routes: [{ destination: 0.0.0.0/0, target: igw }] } }
    instances: { web: { subnet: public-1, address: 10.0.1.20, elasticIp: 203.0.113.20, ports: [80] } }
  other:
    cidr: 10.1.0.0/16
    subnets: { only: { cidr: 10.1.1.0/24, az: az-1 } }
    instances: { stranger: { subnet: only, address: 10.1.1.20 } }
cluster:
  vpc: main
  nodes: { node-1: { subnet: one, address: 10.0.3.10 } }
internet:
  user: { address: 198.51.100.10 }
  shop.example.net: { address: 198.51.100.20 }
hostedZones:
  example.com:
    records:
      '@': { alias: alb/front }
      www: { cname: example.com, ttl: 120 }
      api: { a: [203.0.113.20], ttl: 17 }
      two: { a: [198.51.100.20, 198.51.100.30] }
      text: { txt: [hello world, again] }
      public-only: { a: [198.51.100.20] }
      taken: { a: [198.51.100.20] }
      '*.any': { a: [198.51.100.20] }
  split:
    name: example.com
    vpcs: [main]
    records:
      api: { a: [10.0.1.20] }
      db: { cname: api.example.com }
      '*.dev': { a: [10.0.1.20] }
  dev: { name: x.dev.example.com, vpcs: [main], records: { '@': { a: [10.0.1.21] } } }
  example.net: { vpcs: [main] }
`;
const PROBES = `
probes:
  pod-inside: { from: pod/web, dns: api.example.com, expect: { addresses: [10.0.1.20] } }
  instance-inside: { from: instance/web, http: "http://api.example.com/", expect: { answeredBy: instance/web, sourceSeen: 10.0.1.20 } }
  outside: { from: internet/user, http: "http://api.example.com/", expect: { answeredBy: instance/web, sourceSeen: 198.51.100.10 } }
  another-vpc: { from: instance/stranger, dns: api.example.com, expect: { addresses: [203.0.113.20] } }
  a-cname-inside: { from: pod/web, dns: db.example.com, expect: { addresses: [10.0.1.20] } }
  a-cname-outside: { from: internet/user, dns: db.example.com, expect: no-such-name }
  no-way-round: { from: pod/web, dns: public-only.example.com, expect: no-such-name }
  a-way-outside: { from: internet/user, dns: public-only.example.com, expect: { addresses: [198.51.100.20] } }
  hides-a-host: { from: pod/web, dns: shop.example.net, expect: no-such-name }
  a-host-outside: { from: internet/user, dns: shop.example.net, expect: { addresses: [198.51.100.20] } }
  wildcard: { from: pod/web, dns: a.dev.example.com, expect: { addresses: [10.0.1.20] } }
  more-specific: { from: pod/web, dns: x.dev.example.com, expect: { addresses: [10.0.1.21] } }
  more-specific-without: { from: pod/web, dns: a.x.dev.example.com, expect: no-such-name }
  public-wildcard: { from: internet/user, dns: a.any.example.com, expect: { addresses: [198.51.100.20] } }
  public-wildcard-inside: { from: instance/web, dns: a.any.example.com, expect: no-such-name }
  through-the-balancer: { from: internet/user, http: "http://shop.example.com/", expect: { status: 200, answeredBy: pod/web } }
  at-the-apex: { from: internet/user, http: "http://example.com/", expect: { status: 404 } }
  nobody: { from: internet/user, dns: nobody.example.com, expect: no-such-name }
`;
const MANIFESTS = `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec: { containers: [{ name: main, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: front
  annotations:
    alb.ingress.kubernetes.io/scheme: internet-facing
    alb.ingress.kubernetes.io/target-type: ip
    external-dns.alpha.kubernetes.io/hostname: more.example.com
spec:
  ingressClassName: alb
  rules:
    - host: shop.example.com
      http: &web { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] }
    - { host: taken.example.com, http: *web }
`;
const INPUT = { lab: LAB, manifests: MANIFESTS };
const OUTSIDE = 'internet/user';

/** The status, then each record of the answer as `TTL TYPE DATA`. */
async function dig(lab: TestLab, where: string, question: string): Promise<string[]> {
  const said = await lab.out(where, `dig +time=2 +tries=2 +noall +comments +answer ${question}`);
  const [, status = ''] = /status: (\w+)/.exec(said) ?? [];
  const rows = said.split('\n').flatMap((line) => {
    const match = /^[^;]\S*\s+(\d+)\s+IN\s+(\S+)\s+(.*)$/.exec(line);
    return match === null ? [] : [match.slice(1).join(' ')];
  });
  return [status, ...rows];
}

function nodesOf(lab: TestLab): string[] {
  const nodes = lab.lab.cloud.loadBalancers[0]?.nodes ?? [];
  return nodes.map(({ eni }) => eni.addresses[0].elastic ?? eni.addresses[0].address);
}

t.test('who asks decides what a name leads to: the split view, by packets', async (t) => {
  await withLab(t, { ...INPUT, lab: LAB + PROBES }, async (lab) => {
    t.equal(renderDrift((await lab.verify()).drift, true), '');
    t.equal(await lab.failedProbes(), '');
  });
});

t.test('DNS-02 an alias answers with addresses, at the apex too, and 60 s', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    const all = nodesOf(lab).map((address) => `60 A ${address}`);
    t.equal(all.length, 2);
    for (const name of ['example.com', 'shop.example.com', 'more.example.com']) {
      const [status, ...records] = await dig(lab, OUTSIDE, name);
      t.strictSame([status, ...records.sort()], ['NOERROR', ...all.sort()], name);
    }
    const [, first, ...rest] = await dig(lab, OUTSIDE, 'www.example.com');
    t.equal(first, '120 CNAME example.com.', 'what is no alias is a CNAME, with its own TTL');
    t.strictSame(rest.sort(), all.sort());
    t.strictSame(await dig(lab, OUTSIDE, 'api.example.com'), ['NOERROR', '17 A 203.0.113.20']);
    t.match(await dig(lab, OUTSIDE, 'two.example.com'), ['NOERROR', /^300 A/, /^300 A/]);
    t.strictSame(await dig(lab, OUTSIDE, 'AAAA shop.example.com'), ['NOERROR']);
    t.strictSame(await dig(lab, OUTSIDE, 'none.example.com'), ['NXDOMAIN']);
    // The load balancer gets other addresses; nobody touches the record.
    await lab.change(LAB, edit(MANIFESTS, 'scheme: internet-facing', 'scheme: internal'));
    const [, ...inside] = await dig(lab, OUTSIDE, 'example.com');
    t.match(inside.sort(), [/^60 A 10\.0\.3\./, /^60 A 10\.0\.4\./]);
  });
});

t.test('DNS-03 a load balancer has an address a zone, in rotating order', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    const name = lab.lab.cloud.loadBalancers[0]?.dnsName ?? '';
    const order = async (where: string): Promise<string> =>
      (await dig(lab, where, name)).slice(1).join(', ');
    const [one, two] = nodesOf(lab).map((address) => `60 A ${address}`);
    for (const where of [OUTSIDE, 'instance/web', 'instance/stranger']) {
      const seen = [await order(where), await order(where), await order(where), await order(where)];
      t.strictSame(
        new Set(seen),
        new Set([`${one ?? ''}, ${two ?? ''}`, `${two ?? ''}, ${one ?? ''}`]),
        where,
      );
    }
    await lab.change(LAB, edit(MANIFESTS, 'scheme: internet-facing', 'scheme: internal'));
    const internal = lab.lab.cloud.loadBalancers[0]?.dnsName ?? '';
    t.match(internal, /^internal-/);
    t.match((await dig(lab, OUTSIDE, internal)).sort(), [
      /^60 A 10\.0\.3\./,
      /^60 A 10\.0\.4\./,
      'NOERROR',
    ]);
    t.strictSame(await dig(lab, OUTSIDE, name), ['NXDOMAIN'], 'the old name is gone');
    const [first = ''] = nodesOf(lab);
    t.match(await dig(lab, 'instance/web', `-x ${first}`), [
      'NOERROR',
      /PTR ip-10-0-[34]-\d+\.ec2\.internal\.$/,
    ]);
  });
});

t.test('DNS-04 a name of an Ingress has its owner in a TXT; a foreign record stays', async (t) => {
  await withLab(t, INPUT, async (lab) => {
    const owner =
      '60 TXT "heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/default/front"';
    for (const where of [OUTSIDE, 'instance/web']) {
      for (const name of ['shop.example.com', 'cname-shop.example.com', 'more.example.com']) {
        t.strictSame(await dig(lab, where, `TXT ${name}`), ['NOERROR', owner], `${where} ${name}`);
      }
    }
    t.strictSame(await dig(lab, OUTSIDE, 'taken.example.com'), ['NOERROR', '300 A 198.51.100.20']);
    t.strictSame(await dig(lab, OUTSIDE, 'TXT taken.example.com'), ['NOERROR']);
    t.equal(
      (await dig(lab, 'instance/web', 'taken.example.com')).length,
      3,
      'in the private zone nobody had it: there it is an alias',
    );
    t.strictSame((await dig(lab, OUTSIDE, 'TXT text.example.com')).sort(), [
      '60 TXT "again"',
      '60 TXT "hello world"',
      'NOERROR',
    ]);
    await lab.change(
      edit(LAB, 'nodes: { node-1', 'addons: { external-dns: false }\n  nodes: { node-1'),
    );
    t.strictSame(await dig(lab, OUTSIDE, 'shop.example.com'), ['NXDOMAIN'], 'without ExternalDNS');
    t.equal((await dig(lab, OUTSIDE, 'example.com')).length, 3, 'what the lab declares is there');
  });
});

t.test(
  'DNS-04 a VPC without the attributes, or that is not associated, asks the public',
  async (t) => {
    await withLab(t, INPUT, async (lab) => {
      t.strictSame(await dig(lab, 'instance/web', 'api.example.com'), [
        'NOERROR',
        '300 A 10.0.1.20',
      ]);
      await lab.change(
        edit(LAB, 'cidr: 10.0.0.0/16', 'cidr: 10.0.0.0/16\n    enableDnsHostnames: false'),
      );
      t.strictSame(await dig(lab, 'instance/web', 'api.example.com'), [
        'NOERROR',
        '17 A 203.0.113.20',
      ]);
      t.match(await dig(lab, 'instance/web', 'public-only.example.com'), [
        'NOERROR',
        /198\.51\.100\.20$/,
      ]);
    });
  },
);

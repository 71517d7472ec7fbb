import t from 'tap';

import {
  type Asker,
  decidingZone,
  isHidden,
  lookUpInZones,
  privateDomains,
  zoneAnswers,
} from '../../src/aws/dns-view.ts';
import { HostedZoneSpec, type HostedZone, resolveHostedZones } from '../../src/aws/hosted-zone.ts';
import type { AliasTarget } from '../../src/aws/zone-record.ts';
import { Diagnostics, renderDiagnostic } from '../../src/base/diagnostic.ts';
import { ipv4 } from '../../src/base/ip.ts';
import { readYaml, SourceTree } from '../../src/source/yaml.ts';

const BALANCER: AliasTarget = {
  reference: 'alb/web',
  dnsName: 'web-1.us-east-1.elb.amazonaws.com',
  addresses: [ipv4('203.0.113.1'), ipv4('203.0.113.2')],
};
const MAIN = { name: 'main', enableDnsSupport: true, enableDnsHostnames: true };
const DEAF = { name: 'deaf', enableDnsSupport: true, enableDnsHostnames: false };

function read(text: string): { zones: HostedZone[]; problems: string[] } {
  const diagnostics = new Diagnostics();
  const [tree = new SourceTree('lab.yaml', {}, new Map())] = readYaml(
    'lab.yaml',
    text,
    diagnostics,
  );
  const specs = Object.fromEntries(
    Object.entries(tree.value as object).map(([key, value]) => [key, HostedZoneSpec.parse(value)]),
  );
  const needs = {
    vpcs: new Map([MAIN, DEAF].map((vpc) => [vpc.name, vpc])),
    targets: [BALANCER],
    hosts: new Map([['host.example.com', { file: 'lab.yaml', line: 9, column: 9 }]]),
  };
  const zones = resolveHostedZones(specs, needs, tree.where(), diagnostics);
  return { zones, problems: diagnostics.list.map(renderDiagnostic) };
}

const { zones, problems } = read(`
example.com:
  records:
    '@': { alias: alb/web }
    www: { cname: Example.com. }
    api: { a: [198.51.100.1], txt: [one, two], ttl: 5 }
    deep.dev: { a: [198.51.100.2] }
    '*.any': { a: [198.51.100.3] }
split:
  name: example.com
  vpcs: [main, deaf]
  records: { api: { a: [10.0.0.1] }, host: { a: [10.0.0.3] } }
dev.example.com: { vpcs: [main], records: { '*': { a: [10.0.0.2] } } }
child: { name: child.example.com, records: { '@': { a: [198.51.100.4] } } }
`);

function addresses(name: string, asker: Asker): string {
  const found = lookUpInZones(name, zones, [BALANCER], asker);
  if (found === undefined) return 'not said';
  return 'cname' in found ? `cname ${found.cname}` : found.addresses.join(' ') || 'nothing';
}

t.test('zones and records are read, each with its time to live', async (t) => {
  t.strictSame(problems, [
    'lab.yaml:6:53: warning[record-ttl]: a TXT has a TTL of 60 s in Hoplab, whatever is written',
    'lab.yaml:11:16: warning[hosted-zone-off]: the DNS server of VPC "deaf" does not look into private zones\n  hint: that takes both enableDnsSupport and enableDnsHostnames',
  ]);
  t.strictSame(
    zones[0]?.records.map(({ name, data, ttlSeconds }) => `${name} ${data.type} ${ttlSeconds}`),
    [
      'example.com alias 60',
      'www.example.com CNAME 300',
      'api.example.com A 5',
      'api.example.com TXT 60',
      'deep.dev.example.com A 300',
      '*.any.example.com A 60',
    ],
  );
});

t.test('an alias is asked back when it is nearly a load balancer', async (t) => {
  const { problems } = read('example.com: { records: { "@": { alias: alb/wep } } }');
  t.match(problems, [/unknown-alias.*\n {2}hint: did you mean "alb\/web"\?$/]);
});

t.test(
  'a private zone comes first, the most specific of them, and only where it is for',
  async (t) => {
    const key = (name: string, asker: Asker): string | undefined =>
      decidingZone(name, zones, asker)?.key;
    t.equal(key('api.example.com', undefined), 'example.com');
    t.equal(key('api.example.com', MAIN), 'split');
    t.equal(key('api.example.com', DEAF), 'example.com', 'without the attributes it is public');
    t.equal(key('api.example.com', { ...MAIN, name: 'other' }), 'example.com');
    t.equal(key('x.dev.example.com', MAIN), 'dev.example.com');
    t.equal(key('x.child.example.com', undefined), 'child');
    t.equal(key('x.child.example.com', MAIN), 'split', 'a public zone is never more specific');
    t.equal(key('notexample.com', MAIN), undefined);
  },
);

t.test('what a name leads to depends on who asks', async (t) => {
  const both = (name: string): [string, string] => [
    addresses(name, undefined),
    addresses(name, MAIN),
  ];
  t.strictSame(both('example.com'), ['203.0.113.1 203.0.113.2', 'nothing']);
  t.strictSame(both('www.example.com'), ['cname example.com', 'nothing']);
  t.strictSame(both('api.example.com'), ['198.51.100.1', '10.0.0.1']);
  t.strictSame(both('deep.dev.example.com'), ['198.51.100.2', '10.0.0.2']);
  t.strictSame(both('a.any.example.com'), ['198.51.100.3', 'nothing']);
  t.strictSame(
    both('dev.example.com'),
    ['not said', 'nothing'],
    'a wildcard is not for its own zone',
  );
  t.strictSame(both('example.net'), ['not said', 'not said']);
});

t.test('what a name server is told', async (t) => {
  const lines = (asker: Asker): string[] =>
    zoneAnswers(zones, [BALANCER], asker).map((one) => Object.values(one).join(' '));
  t.strictSame(lines(undefined), [
    'example.com 203.0.113.1 60',
    'example.com 203.0.113.2 60',
    'www.example.com example.com 300',
    'api.example.com 198.51.100.1 5',
    'api.example.com one',
    'api.example.com two',
    'deep.dev.example.com 198.51.100.2 300',
    '*.any.example.com 198.51.100.3 60',
    'child.example.com 198.51.100.4 300',
  ]);
  t.strictSame(lines(DEAF), lines(undefined));
  t.strictSame(lines(MAIN), [
    'api.example.com 10.0.0.1 300',
    'host.example.com 10.0.0.3 300',
    '*.dev.example.com 10.0.0.2 60',
  ]);
  t.strictSame(privateDomains(zones, MAIN), ['example.com', 'dev.example.com']);
  t.strictSame(privateDomains(zones, DEAF), []);
  t.ok(isHidden('Shop.example.com', zones, MAIN));
  t.notOk(isHidden('shop.example.com', zones, undefined));
  t.notOk(isHidden('example.org', zones, MAIN));
});

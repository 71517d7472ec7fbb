import t from 'tap';

import { Diagnostics } from '../../src/base/diagnostic.ts';
import { cidr, ipv4 } from '../../src/base/ip.ts';
import { netnsName } from '../../src/base/names.ts';
import { clusterRecords, lookUpClusterName, podResolvConf } from '../../src/k8s/cluster-dns.ts';
import { resolveServices, type Service } from '../../src/k8s/cluster-services.ts';
import { readManifests } from '../../src/k8s/manifest.ts';
import type { PodSpec } from '../../src/k8s/pod.ts';
import { readYaml } from '../../src/source/yaml.ts';

/** Services of manifests; the pods of the manifests have the addresses 10.0.1.1, 10.0.1.2, … */
function services(text: string): Service[] {
  const diagnostics = new Diagnostics();
  const manifests = readManifests(readYaml('m.yaml', text, diagnostics), diagnostics);
  const pods = manifests.pods.map((spec, index) => ({
    spec,
    node: 'node-1',
    address: ipv4(`10.0.1.${index + 1}`),
  }));
  const needs = {
    own: [],
    serviceCidr: cidr('172.20.0.0/16'),
    pods,
    slices: manifests.slices,
    zoneOf: () => undefined,
  };
  return resolveServices(manifests.services, needs, diagnostics);
}

const pod = (name: string, more = '', meta = ''): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: web }${meta} }
spec: { ${more} containers: [{ name: main, ports: [{ name: http, containerPort: 8080 }] }] }
---
`;

const ALL = services(`
${pod('web-0', 'hostname: web-0, subdomain: web,')}
${pod('plain')}
${pod('sick', '', ', annotations: { hoplab.io/ready: "false" }')}
apiVersion: v1
kind: Service
metadata: { name: front }
spec: { clusterIP: 172.20.0.50, selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }, { name: dns, port: 53, protocol: UDP }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { clusterIP: None, selector: { app: web }, ports: [{ name: http, port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: all }
spec: { clusterIP: None, publishNotReadyAddresses: true, selector: { app: web }, ports: [{ port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: kube-system }
spec: { type: ExternalName, externalName: db.example.com. }
`);
const of = (name: string): string[] =>
  clusterRecords(
    ALL.filter((service) => service.name === name),
    [],
  ).slice(1);

t.test(
  'a Service has its address, its way back, its named ports and each endpoint by itself',
  async (t) => {
    t.strictSame(of('front'), [
      'a front.default.svc.cluster.local 172.20.0.50',
      'ptr 172.20.0.50 front.default.svc.cluster.local',
      'srv _http._tcp.front.default.svc.cluster.local 0 100 80 front.default.svc.cluster.local',
      'srv _dns._udp.front.default.svc.cluster.local 0 100 53 front.default.svc.cluster.local',
      'a 10-0-1-1.front.default.svc.cluster.local 10.0.1.1',
      'a 10-0-1-2.front.default.svc.cluster.local 10.0.1.2',
    ]);
  },
);

t.test(
  'a headless one has those of its endpoints that are ready, by hostname where they have one',
  async (t) => {
    t.strictSame(of('web'), [
      'a web-0.web.default.svc.cluster.local 10.0.1.1',
      'a web.default.svc.cluster.local 10.0.1.1',
      'ptr 10.0.1.1 web-0.web.default.svc.cluster.local',
      'srv _http._tcp.web.default.svc.cluster.local 0 100 8080 web-0.web.default.svc.cluster.local',
      'a 10-0-1-2.web.default.svc.cluster.local 10.0.1.2',
      'a web.default.svc.cluster.local 10.0.1.2',
      'ptr 10.0.1.2 10-0-1-2.web.default.svc.cluster.local',
      'srv _http._tcp.web.default.svc.cluster.local 0 100 8080 10-0-1-2.web.default.svc.cluster.local',
      'exists web.default.svc.cluster.local',
    ]);
    t.match(
      of('all'),
      /a all\.default\.svc\.cluster\.local 10\.0\.1\.3/,
      'or all, where it says so',
    );
  },
);

t.test('an ExternalName is another name, and every namespace is there', async (t) => {
  t.strictSame(of('db'), ['cname db.kube-system.svc.cluster.local db.example.com']);
  t.strictSame(clusterRecords([], ['shop']), [
    'txt dns-version.cluster.local 1.1.0',
    'exists shop.svc.cluster.local',
    'exists shop.pod.cluster.local',
    'pods shop',
  ]);
});

t.test('the model searches as a pod does', async (t) => {
  const find = (name: string, namespace = 'default') => lookUpClusterName(name, namespace, ALL);
  const front = { addresses: [ipv4('172.20.0.50')] };
  t.strictSame(find('front'), front);
  t.strictSame(find('FRONT.default.svc'), front);
  t.strictSame(find('front.default.svc.cluster.local.'), front);
  t.strictSame(find('front', 'kube-system'), undefined, 'of its own namespace first, and no other');
  t.strictSame(
    lookUpClusterName('front', undefined, ALL),
    undefined,
    'who searches nothing needs the whole name',
  );
  t.strictSame(lookUpClusterName('front.default.svc.cluster.local', undefined, ALL), front);
  t.strictSame(find('web'), { addresses: [ipv4('10.0.1.1'), ipv4('10.0.1.2')] });
  t.strictSame(find('web-0.web'), { addresses: [ipv4('10.0.1.1')] });
  t.strictSame(find('nobody.web'), undefined);
  t.strictSame(find('db.kube-system'), { externalName: 'db.example.com.' });
  t.strictSame(find('10-9-8-7.default.pod.cluster.local'), { addresses: [ipv4('10.9.8.7')] });
  t.strictSame(find('example.com'), undefined);
});

t.test('a pod asks where its dnsPolicy says', async (t) => {
  const needs = {
    clusterDns: ipv4('172.20.0.10'),
    nodeServer: ipv4('10.0.0.2'),
    nodeSearch: ['ec2.internal'],
  };
  const conf = (
    dnsPolicy: PodSpec['dnsPolicy'],
    dnsConfig: Partial<PodSpec['dnsConfig']> = {},
    clusterDns: typeof needs.clusterDns | undefined = needs.clusterDns,
  ): string[] => {
    const spec = {
      namespace: 'shop',
      dnsPolicy,
      dnsConfig: { nameservers: [], searches: [], options: [], ...dnsConfig },
    } as unknown as PodSpec;
    const file = podResolvConf(spec, netnsName('pod-shop-a'), { ...needs, clusterDns });
    return file.content.trimEnd().split('\n');
  };
  const search = 'search shop.svc.cluster.local svc.cluster.local cluster.local ec2.internal';
  t.strictSame(conf('ClusterFirst'), [search, 'nameserver 172.20.0.10', 'options ndots:5']);
  t.strictSame(conf('Default'), ['search ec2.internal', 'nameserver 10.0.0.2']);
  t.strictSame(
    conf('ClusterFirst', {
      searches: ['example.com'],
      options: [
        { name: 'ndots', value: '1' },
        { name: 'edns0', value: undefined },
      ],
    }),
    [`${search} example.com`, 'nameserver 172.20.0.10', 'options ndots:1 edns0'],
  );
  t.strictSame(conf('None', { nameservers: [ipv4('198.51.100.53')], searches: ['example.com'] }), [
    'search example.com',
    'nameserver 198.51.100.53',
  ]);
});

/** The EKS endpoint and the cluster's DNS on the real kernel (fidelity rows EKS-01, EKS-03, DNS-01). */

import t from 'tap';

import { renderDrift } from '../../src/report/drift.ts';
import { edit, OPEN_GROUPS, withLab } from '../support/with-lab.ts';

t.jobs = 3;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    ${OPEN_GROUPS}
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      one: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
      two: { cidr: 10.0.4.0/24, az: az-2, routeTable: private }
    natGateways: { nat: { subnet: public, elasticIp: 203.0.113.50 } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat }] }
    instances: { bastion: { subnet: public, elasticIp: 203.0.113.60 } }
cluster:
  vpc: main
  subnets: [one, two]
  endpointPrivateAccess: false
  publicAccessCidrs: [0.0.0.0/0]
  nodes:
    node-1: { subnet: one, address: 10.0.3.10 }
    node-2: { subnet: two, address: 10.0.4.10 }
  pins:
    pod/client: { node: node-1, address: 10.0.3.50 }
internet: { example.com: { address: 198.51.100.10 } }
`;

const MANIFESTS = `
apiVersion: v1
kind: Pod
metadata: { name: client }
spec: { containers: [{ name: main, ports: [{ containerPort: 8080 }] }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  replicas: 2
  serviceName: db
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec: { containers: [{ name: main, ports: [{ name: http, containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, selector: { app: db }, ports: [{ name: http, port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { clusterIP: 172.20.0.50, selector: { app: db }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: outside }
spec: { type: ExternalName, externalName: example.com }
`;

const PROBES = `
probes:
  web: { from: pod/client, http: "http://web/", expect: { status: 200 } }
  by-hostname: { from: pod/client, http: "http://db-1.db:8080/", expect: { answeredBy: pod/db-1 } }
  headless: { from: pod/client, dns: db, expect: { asked: [db.default.svc.cluster.local] } }
  external-name: { from: pod/client, http: "http://outside/", expect: { answeredBy: internet/example.com, sourceSeen: 203.0.113.50 } }
  DNS-01-ndots:
    from: pod/client
    dns: example.com
    expect:
      addresses: [198.51.100.10]
      asked:
        [example.com.default.svc.cluster.local, example.com.svc.cluster.local, example.com.cluster.local, example.com.ec2.internal, example.com]
  DNS-01-trailing-dot: { from: pod/client, dns: "example.com.", expect: { addresses: [198.51.100.10], asked: [example.com] } }
  DNS-01-nobody: { from: pod/client, dns: nobody.default.svc.cluster.local, expect: no-such-name }
  a-node-asks-the-vpc: { from: node/node-1, dns: web.default.svc.cluster.local, expect: no-such-name }
  EKS-01-by-name: { from: pod/client, http: "https://kubernetes.default.svc/version", expect: { status: 200 } }
  EKS-01-either: { from: pod/client, http: "https://172.20.0.1/readyz", expect: { status: 200 } }
  EKS-01-forbidden: { from: pod/client, http: "https://kubernetes/api/v1/pods", expect: { status: 403 } }
  EKS-01-from-the-vpc: { from: instance/bastion, tcp: "eks/api-1:443", expect: allowed }
  EKS-02-to-the-kubelet: { from: eks/api-2, http: "https://10.0.3.10:10250/containerLogs/", expect: { status: 401 } }
  EKS-02-to-a-pod: { from: eks/api-1, http: "pod/client:8080/", expect: { status: 200 } }
`;

const CA = '--cacert /var/run/secrets/kubernetes.io/serviceaccount/ca.crt';

t.test('names and the API server, as a pod, a node and an instance see them', async (t) => {
  await withLab(t, { lab: LAB + PROBES, manifests: MANIFESTS }, async (lab) => {
    t.equal(renderDrift((await lab.verify()).drift, true), '');
    t.equal(await lab.failedProbes(), '');
  });
});

t.test(
  'EKS-01 the API server is two ENIs in two zones, with the cluster security group',
  async (t) => {
    const closed = edit(
      LAB,
      'eks-cluster-sg: { ingress: [{ from: 0.0.0.0/0 }] }',
      'eks-cluster-sg: { ingress: [{ from: self }] }',
    );
    await withLab(t, { lab: closed, manifests: MANIFESTS }, async (lab) => {
      const { interfaces } = { interfaces: lab.lab.cloud.cluster?.controlPlane.servers ?? [] };
      t.strictSame(
        interfaces.map(({ interfaces: [eni] }) => [eni.subnet.az, eni.securityGroups]),
        [
          ['az-1', ['eks-cluster-sg']],
          ['az-2', ['eks-cluster-sg']],
        ],
      );
      const nat = await lab.out('node/node-2', 'iptables-save -t nat');
      for (const {
        interfaces: [eni],
      } of interfaces) {
        t.match(nat, `--to-destination ${eni.addresses[0].address}:443`);
      }
      const ask = (where: string): Promise<number> =>
        lab
          .in(where, `curl -s ${CA} -m 1.5 https://kubernetes.default.svc/livez`)
          .then(({ exitCode }) => exitCode);
      t.equal(await ask('pod/client'), 0, 'a member of the group reaches it');
      const address = interfaces[0]?.interfaces[0].addresses[0].address ?? '';
      t.equal(
        (await lab.in('instance/bastion', `curl -sk -m 1 https://${address}/livez`)).exitCode,
        28,
        'nobody else does',
      );
      t.not(
        (await lab.in('pod/client', `curl -s -m 1.5 https://kubernetes.default.svc/livez`))
          .exitCode,
        0,
        'and nobody trusts it who has not its authority',
      );
    });
  },
);

t.test("EKS-03 where the endpoint's name leads, and whom it lets in", async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    const name = lab.lab.cloud.cluster?.controlPlane.endpoint ?? '';
    const find = async (where: string): Promise<string[]> =>
      (await lab.out(where, `dig +short ${name}`)).split('\n').sort();
    const ask = async (where: string): Promise<string> =>
      (
        await lab.in(where, `curl -s ${CA} -m 1.5 https://${name}/healthz; echo " $?"`)
      ).stdout.trim();
    const PUBLIC = await find('internet/example.com');
    t.strictSame(await find('pod/client'), PUBLIC, 'public access alone: inside it is public, too');
    t.equal(await ask('pod/client'), 'ok 0');
    t.equal(await ask('internet/example.com'), 'ok 0');

    await lab.change(
      edit(LAB, 'publicAccessCidrs: [0.0.0.0/0]', 'publicAccessCidrs: [203.0.113.50/32]'),
    );
    t.equal(await ask('pod/client'), 'ok 0', "the NAT gateway's address is let in");
    t.equal(await ask('internet/example.com'), '28');
    t.equal(await ask('instance/bastion'), '28');

    await lab.change(edit(LAB, 'endpointPrivateAccess: false', 'endpointPrivateAccess: true'));
    const enis = (lab.lab.cloud.cluster?.controlPlane.servers ?? []).map(({ interfaces: [eni] }) =>
      String(eni.addresses[0].address),
    );
    t.strictSame(
      await find('pod/client'),
      enis.sort(),
      'private access: inside the name is the ENIs',
    );
    t.strictSame(await find('internet/example.com'), PUBLIC);
    t.equal(await ask('node/node-2'), 'ok 0');

    await lab.change(
      edit(
        LAB,
        'endpointPrivateAccess: false',
        'endpointPrivateAccess: true\n  endpointPublicAccess: false',
      ),
    );
    t.strictSame(
      await find('internet/example.com'),
      [''],
      'private access alone: nobody outside knows it',
    );
    t.equal(await ask('pod/client'), 'ok 0');
  });
});

t.test(
  'DNS-01 names are asked of CoreDNS, which asks the VPC for what is not of the cluster',
  async (t) => {
    await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
      const pods = lab.lab.cloud.pods.filter(({ spec }) => spec.runsCoreDns);
      t.strictSame(pods.map(({ node }) => node).sort(), ['node-1', 'node-2']);
      const seen = await lab.capture(
        'node/node-1',
        {
          link: 'any',
          filter: 'udp port 53',
          until:
            /10\.0\.3\.50\.\d+.* \d\/\d\/\d A 198\.51\.100\.10|A 198\.51\.100\.10 .*10\.0\.3\.50|172\.20\.0\.10\.53 > 10\.0\.3\.50.*198\.51\.100\.10/,
        },
        () => lab.out('pod/client', 'getent ahostsv4 example.com'),
      );
      t.match(
        seen,
        /10\.0\.3\.50\.\d+ > 172\.20\.0\.10\.53: .*example\.com\.default\.svc\.cluster\.local/,
      );
      t.match(seen, /172\.20\.0\.10\.53 > 10\.0\.3\.50\.\d+: .*NXDomain/);
      const dig = (words: string): Promise<string> => lab.out('pod/client', `dig ${words}`);
      t.match(
        await dig('+short _http._tcp.db.default.svc.cluster.local SRV'),
        /^0 100 8080 db-[01]\.db\.default\.svc\.cluster\.local\./,
      );
      t.match(await dig('+short -x 172.20.0.50'), 'web.default.svc.cluster.local.');
      t.match(
        await dig('+short -x 10.0.3.10'),
        'ip-10-0-3-10.ec2.internal.',
        'the way back of a node is asked of the VPC',
      );
      t.match(await dig('+tcp +short web.default.svc.cluster.local'), '172.20.0.50');
      t.match(
        await dig('nobody.default.svc.cluster.local'),
        /status: NXDOMAIN[^]*SOA\s+ns\.dns\.cluster\.local/,
      );

      // Both replicas gone: nobody answers, and kube-proxy says so at once.
      await lab.change(
        edit(LAB, 'vpc: main\n  subnets', 'vpc: main\n  addons: { coredns: false }\n  subnets'),
      );
      t.match((await lab.in('pod/client', 'cat /etc/resolv.conf')).stdout, 'nameserver 10.0.0.2');
      t.equal((await lab.in('pod/client', 'curl -s -m 1 http://web/')).exitCode, 6);
    });
  },
);

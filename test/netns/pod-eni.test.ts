/** Security groups for pods, on the real kernel (fidelity rows SGP-01, SGP-02). */

import t from 'tap';

import { renderDrift } from '../../src/report/drift.ts';
import { differences } from '../support/matrix.ts';
import { edit, pods, refusals, type TestLab, withLab } from '../support/with-lab.ts';

// Much of the time is waiting for what does not come.
t.jobs = 2;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      data: { cidr: 10.0.5.0/24, az: az-1 }
    routeTables: { public: { routes: [{ destination: 0.0.0.0/0, target: igw }] } }
    securityGroups:
      clients: {}
      db: { ingress: [{ protocol: tcp, ports: 5432, from: sg/clients }] }
    instances:
      db: { subnet: data, address: 10.0.5.20, securityGroups: [db], ports: [5432] }
cluster:
  vpc: main
  cni: { ENABLE_POD_ENI: true }
  nodes:
    node-1: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10 }
    node-2: { subnet: public, address: 10.0.1.11 }
  pins:
    pod/client: { node: node-1, address: 10.0.1.50 }
    pod/other: { node: node-1, address: 10.0.1.51 }
    pod/third: { node: node-1, address: 10.0.1.52 }
    pod/far: { node: node-2, address: 10.0.1.60 }
internet: { example.com: { address: 198.51.100.10 } }
`;
const STANDARD = edit(
  LAB,
  'ENABLE_POD_ENI: true',
  'ENABLE_POD_ENI: true, POD_SECURITY_GROUP_ENFORCING_MODE: standard',
);
/** Nodes and ordinary pods let the clients in. */
const LET_IN =
  'eks-cluster-sg: { ingress: [{ from: self }, { from: sg/clients }] }\n      clients: {}';

const POLICY = `apiVersion: vpcresources.k8s.aws/v1beta1
kind: SecurityGroupPolicy
metadata: { name: clients }
spec:
  podSelector: { matchLabels: { app: client } }
  securityGroups: { groupIds: [clients] }
`;
const MANIFESTS = `${pods(['client', 'other', 'third', 'far']).replace('{ name: client }', '{ name: client, labels: { app: client } }')}${POLICY}`;

async function agrees(lab: TestLab): Promise<string[]> {
  return differences(await lab.matrix());
}

async function stands(lab: TestLab): Promise<string> {
  return renderDrift((await lab.verify()).drift, true);
}

t.test('SGP-01 strict: the pod has its own groups, in all that it sends and gets', async (t) => {
  await withLab(t, { lab: LAB, manifests: MANIFESTS }, async (lab) => {
    t.equal(await stands(lab), '');
    const rules = await lab.out('node/node-1', 'ip rule');
    const veth = /iif (vlan[0-9a-f]{11}) lookup 101/.exec(rules)?.[1];
    t.match(rules, '10:\tfrom all iif vlan.eth.1 lookup 101');
    t.match(rules, /^20:\tfrom all lookup local$/m);
    t.notMatch(rules, /^0:/m, 'local addresses come later');
    t.notMatch(rules, '10.0.1.50', 'neither rule 512 nor 1536');
    t.strictSame((await lab.out('node/node-1', 'ip route show table 101')).split(/ *\n/), [
      'default via 10.0.1.1 dev vlan.eth.1',
      '10.0.1.1 dev vlan.eth.1 scope link',
      `10.0.1.50 dev ${veth ?? ''} scope link`,
    ]);
    t.equal(await lab.out('node/node-1', 'ip route show 10.0.1.50'), '', 'and no route in main');

    const ask = {
      'the client, the database': ['pod/client', '10.0.5.20:5432'],
      'its neighbour, the database': ['pod/other', '10.0.5.20:5432'],
      'the client, its neighbour': ['pod/client', '10.0.1.51:8080'],
      'its neighbour, the client': ['pod/other', '10.0.1.50:8080'],
      'two ordinary neighbours': ['pod/other', '10.0.1.52:8080'],
      'the client, the internet': ['pod/client', '198.51.100.10'],
      'its neighbour, the internet': ['pod/other', '198.51.100.10'],
    } as const;
    const closed = {
      'the client, the database': 'client 10.0.1.50',
      'its neighbour, the database': 'exit 28',
      'the client, its neighbour': 'exit 28',
      'its neighbour, the client': 'exit 28',
      'two ordinary neighbours': 'client 10.0.1.51',
      // Nobody translates for it, and it has no public address.
      'the client, the internet': 'exit 28',
      'its neighbour, the internet': 'client 203.0.113.10',
    };
    t.strictSame(await lab.curl(ask), closed);
    t.strictSame(await agrees(lab), []);

    await lab.change(edit(LAB, 'clients: {}', LET_IN));
    const path = await lab.capture(
      'vpc/main',
      { link: 'any', filter: 'tcp port 8080', until: /10\.0\.1\.50\.\d+ > 10\.0\.1\.51\.8080/ },
      async () => {
        t.strictSame(await lab.curl(ask), {
          ...closed,
          'the client, its neighbour': 'client 10.0.1.50',
        });
      },
    );
    t.match(path, '10.0.1.51.8080', 'what is for a neighbour on the same node is seen by the VPC');
    t.strictSame(await agrees(lab), []);
  });
});

t.test('SGP-02 strict: its node reaches it by TCP only without early demux', async (t) => {
  const let_in = edit(LAB, 'clients: {}', 'clients: { ingress: [{ from: sg/eks-cluster-sg }] }');
  await withLab(t, { lab: let_in, manifests: MANIFESTS }, async (lab) => {
    const ask = {
      'its own node': ['node/node-1', '10.0.1.50:8080'],
      'another node': ['node/node-2', '10.0.1.50:8080'],
    } as const;
    const ping = await lab.in('node/node-1', 'ping -c 1 -W 2 10.0.1.50');
    t.equal(ping.exitCode, 0, 'a ping is looked up by no socket');
    t.strictSame(await lab.curl(ask), {
      'its own node': 'exit 28',
      'another node': 'client 10.0.1.11',
    });
    t.strictSame(await agrees(lab), []);
    await lab.change(edit(let_in, 'true }', 'true, DISABLE_TCP_EARLY_DEMUX: true }'));
    t.strictSame(await lab.curl(ask), {
      'its own node': 'client 10.0.1.10',
      'another node': 'client 10.0.1.11',
    });
    t.strictSame(await agrees(lab), []);
  });
});

t.test('SGP-02 standard: a neighbour like any other, with groups of its own outside', async (t) => {
  await withLab(t, { lab: STANDARD, manifests: MANIFESTS }, async (lab) => {
    t.equal(await stands(lab), '');
    const rules = await lab.out('node/node-1', 'ip rule');
    t.match(rules, '512:\tfrom all to 10.0.1.50 lookup main');
    t.match(rules, '1536:\tfrom 10.0.1.50 lookup 101');
    t.strictSame(
      await lab.curl({
        'the client, the database': ['pod/client', '10.0.5.20:5432'],
        'its neighbour, the database': ['pod/other', '10.0.5.20:5432'],
        'the client, its neighbour': ['pod/client', '10.0.1.51:8080'],
        'its neighbour, the client': ['pod/other', '10.0.1.50:8080'],
        'its node': ['node/node-1', '10.0.1.50:8080'],
        'from another node': ['pod/far', '10.0.1.50:8080'],
        'the client, the internet': ['pod/client', '198.51.100.10'],
      }),
      {
        'the client, the database': 'client 10.0.1.50',
        'its neighbour, the database': 'exit 28',
        'the client, its neighbour': 'client 10.0.1.50',
        'its neighbour, the client': 'client 10.0.1.51',
        'its node': 'client 10.0.1.10',
        'from another node': 'exit 28',
        // The node translates, and its own groups decide.
        'the client, the internet': 'client 203.0.113.10',
      },
    );
    t.strictSame(await agrees(lab), []);
    await lab.change(LAB);
    t.equal(await stands(lab), '', 'one mode becomes the other');
    await lab.change(edit(LAB, 'cni: { ENABLE_POD_ENI: true }', 'cni: {}'));
    t.equal(await stands(lab), '', 'and neither');
    t.strictSame(await lab.curl({ client: ['pod/client', '10.0.5.20:5432'] }), {
      client: 'exit 28',
    });
  });
});

t.test(
  'SGP-02 a Service leads a branch to all, and a node port of its own node to nobody',
  async (t) => {
    const labels = { client: 'client', other: 'client', third: 'third', far: 'far' };
    const manifests = Object.entries(labels).map(([name, app], index) => {
      const [pod] = pods([name]).split('---');
      return `${edit(pod ?? '', `{ name: ${name} }`, `{ name: ${name}, labels: { name: ${name}, app: ${app} } }`)}---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  type: NodePort
  clusterIP: 172.20.0.${50 + index}
  selector: { name: ${name} }
  ports: [{ port: 80, targetPort: 8080, nodePort: ${30_080 + index} }]
---
`;
    });
    const empty = `apiVersion: v1
kind: Service
metadata: { name: empty }
spec: { clusterIP: 172.20.0.60, selector: { name: nobody }, ports: [{ port: 80 }] }
---
`;
    const outside = `apiVersion: v1
kind: Service
metadata: { name: outside }
spec: { clusterIP: 172.20.0.61, ports: [{ port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: outside, labels: { kubernetes.io/service-name: outside } }
addressType: IPv4
ports: [{ name: '', port: 80 }]
endpoints: [{ addresses: [192.0.2.10] }]
---
`;
    const everybody = '{ ingress: [{ from: 0.0.0.0/0 }] }';
    const open = `clients: ${everybody}\n      eks-cluster-sg: ${everybody}`;
    // One of a range of the site's own, for which the way leads by a NAT gateway: an address of the VPC's is not enough there.
    const behindNat = (lab: string): string =>
      edit(
        edit(
          edit(lab, 'clients: {}', open),
          'target: igw }]',
          'target: igw }, { destination: 192.0.2.0/24, target: nat/nat }]',
        ),
        '    securityGroups:',
        '    natGateways: { nat: { subnet: edge, elasticIp: 203.0.113.5 } }\n    securityGroups:',
      )
        .replace(
          '      data:',
          '      edge: { cidr: 10.0.9.0/24, az: az-1, routeTable: edge }\n      data:',
        )
        .replace(
          'routeTables: {',
          'routeTables: { edge: { routes: [{ destination: 0.0.0.0/0, target: igw }] },',
        )
        .replace('internet: {', 'internet: { site.example: { address: 192.0.2.10 },');
    const strict = behindNat(LAB);
    const standard = behindNat(STANDARD);
    await withLab(
      t,
      { lab: strict, manifests: `${manifests.join('')}${empty}${outside}${POLICY}` },
      async (lab) => {
        const ask = {
          'a branch, another one of its node': ['pod/client', '172.20.0.51'],
          'a branch, itself': ['pod/client', '172.20.0.50'],
          'a branch, an ordinary neighbour': ['pod/client', '172.20.0.52'],
          'an ordinary neighbour, the branch': ['pod/third', '172.20.0.50'],
          'its node, the branch': ['node/node-1', '172.20.0.50'],
          'another node, a node port': ['node/node-2', '10.0.1.10:30080'],
          'a branch, a node port': ['pod/client', '10.0.1.10:30083'],
          'an ordinary neighbour, a node port': ['pod/third', '10.0.1.10:30083'],
          'an ordinary neighbour, a Service without endpoints': ['pod/third', '172.20.0.60'],
          'a branch, a Service without endpoints': ['pod/client', '172.20.0.60'],
          'an ordinary neighbour, a Service on the internet': ['pod/third', '172.20.0.61'],
          'a branch, a Service on the internet': ['pod/client', '172.20.0.61'],
        } as const;
        const seen = {
          'a branch, another one of its node': 'client 10.0.1.50',
          'a branch, itself': 'client 10.0.1.10',
          'a branch, an ordinary neighbour': 'client 10.0.1.50',
          'an ordinary neighbour, the branch': 'client 10.0.1.52',
          'its node, the branch': 'client 10.0.1.10',
          'another node, a node port': 'client 10.0.1.10',
          // It would leave by the branch with the node's address, which the branch's source check does not let pass.
          'a branch, a node port': 'exit 28',
          'an ordinary neighbour, a node port': 'client 10.0.1.10',
          'an ordinary neighbour, a Service without endpoints': 'exit 7',
          // The node's word comes back to it by the branch, and belongs to no connection: it kept none of what it refused.
          'a branch, a Service without endpoints': 'exit 28',
          'an ordinary neighbour, a Service on the internet': 'client 203.0.113.5',
          // By the branch in both modes, and with its own address (`! -o vlan+`): its source check would drop the node's.
          'a branch, a Service on the internet': 'client 203.0.113.5',
        };
        t.strictSame(await lab.curl(ask), seen);
        t.strictSame(await agrees(lab), []);
        await lab.change(standard);
        const refused = { 'a branch, a Service without endpoints': 'exit 7' };
        t.strictSame(await lab.curl(ask), { ...seen, ...refused }, 'mode standard');
        t.strictSame(await agrees(lab), []);
      },
    );
  },
);

t.test('what can have no ENI of its own is refused', async (t) => {
  t.strictSame(
    refusals(
      edit(LAB, 'address: 10.0.1.10,', 'address: 10.0.1.10, instanceType: t3.large,'),
      MANIFESTS,
    ),
    [
      'branch-eni-limit: pod "client" is to have an ENI of its own, but node/node-1 (t3.large) has no trunk',
    ],
  );
  t.strictSame(refusals(LAB, MANIFESTS.replace('groupIds: [clients]', 'groupIds: [cleints]')), [
    'unknown-security-group: security group "cleints" is not declared',
  ]);
});

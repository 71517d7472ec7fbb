import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import t from 'tap';

import type { Cloud } from '../../src/cloud.ts';
import { renderDot } from '../../src/report/graph-dot.ts';
import { layOut } from '../../src/report/graph-layout.ts';
import { renderMermaid } from '../../src/report/graph-mermaid.ts';
import { renderSvg } from '../../src/report/graph-svg.ts';
import type { Graph, GraphGroup, GraphNode } from '../../src/report/graph-parts.ts';
import { graphOf } from '../../src/report/graph.ts';
import { cloudOf as cloudWith } from '../judge/cloud.ts';
import { matchGolden } from '../support/golden.ts';

const GOLDEN = fileURLToPath(new URL('../golden/graph', import.meta.url));

const SMALL = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      private-1: { cidr: 10.0.3.0/24, az: az-1, routeTable: private-1 }
      public-1: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private-2: { cidr: 10.0.4.0/24, az: az-2, routeTable: private-1 }
    natGateways:
      nat-1: { subnet: public-1, address: 10.0.1.50, elasticIp: 203.0.113.50 }
    instances:
      bastion: { subnet: public-1, address: 10.0.1.20, elasticIp: 203.0.113.20 }
    routeTables:
      public:
        routes: [{ destination: 0.0.0.0/0, target: igw }]
      private-1:
        routes:
          - { destination: 0.0.0.0/0, target: nat/nat-1 }
          - { destination: 192.0.2.0/24, target: blackhole }
cluster:
  vpc: main
  nodes:
    node-1: { subnet: private-1, address: 10.0.3.10 }
  pins:
    pod/client: { node: node-1, address: 10.0.3.50 }
    pod/on-eth1: { node: node-1, address: 10.0.3.60, eni: eth1 }
internet:
  example.com: { address: 198.51.100.10 }
`;

/** A picture shows the groups that a lab declares: none may be put into it. */
function cloudOf(lab: string, manifests = ''): Cloud {
  return cloudWith(lab, manifests, 'as written');
}

const PODS = ['client', 'on-eth1'].map(pod).join('---');

const small = cloudOf(SMALL, PODS);
const picture = graphOf(small, 'How does a pod reach the internet?');

function pod(name: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  containers: [{ name: main, image: nginx }]
`;
}

/** Everything that is drawn, as `inside > id`. */
function paths(groups: readonly GraphGroup[], above = ''): string[] {
  return groups.flatMap(({ id, nodes, groups: inner }) => [
    `${above}${id}`,
    ...nodes.map((node) => `${above}${id} > ${node.id}`),
    ...paths(inner, `${above}${id} > `),
  ]);
}

function ids(graph: Graph): string[] {
  return paths(graph.groups).map((path) => path.split(' > ').at(-1) ?? '');
}

function find(graph: Graph, id: string): GraphGroup | GraphNode | undefined {
  const all = (group: GraphGroup): (GraphGroup | GraphNode)[] => [
    group,
    ...group.nodes,
    ...group.groups.flatMap(all),
  ];
  return graph.groups.flatMap(all).find((one) => one.id === id);
}

t.test('things stand in their subnet, zone and VPC, public subnets first', async (t) => {
  t.strictSame(paths(picture.groups), [
    'internet',
    'internet > internet/example.com',
    'vpc/main',
    'vpc/main > igw',
    'vpc/main > az/main/az-1',
    'vpc/main > az/main/az-1 > subnet/main/public-1',
    'vpc/main > az/main/az-1 > subnet/main/public-1 > nat/nat-1',
    'vpc/main > az/main/az-1 > subnet/main/public-1 > instance/bastion',
    'vpc/main > az/main/az-1 > subnet/main/private-1',
    'vpc/main > az/main/az-1 > subnet/main/private-1 > node/node-1',
    'vpc/main > az/main/az-1 > subnet/main/private-1 > node/node-1 > node/node-1:eth0',
    'vpc/main > az/main/az-1 > subnet/main/private-1 > node/node-1 > node/node-1:eth1',
    'vpc/main > az/main/az-1 > subnet/main/private-1 > node/node-1 > pod/client',
    'vpc/main > az/main/az-1 > subnet/main/private-1 > node/node-1 > pod/on-eth1',
    'vpc/main > az/main/az-2',
    'vpc/main > az/main/az-2 > subnet/main/private-2',
  ]);
});

t.test('an arrow leads from a subnet to each target of its route table', async (t) => {
  t.strictSame(
    picture.edges.filter(({ kind }) => kind !== 'eni'),
    [
      { kind: 'uplink', from: 'igw', to: 'internet', destinations: [] },
      {
        kind: 'route',
        from: 'subnet/main/private-1',
        to: 'nat/nat-1',
        destinations: ['0.0.0.0/0'],
      },
      { kind: 'route', from: 'subnet/main/public-1', to: 'igw', destinations: ['0.0.0.0/0'] },
      {
        kind: 'route',
        from: 'subnet/main/private-2',
        to: 'nat/nat-1',
        destinations: ['0.0.0.0/0'],
      },
    ],
  );
});

t.test('a subnet is public when its route table leads to the internet gateway', async (t) => {
  const kinds = ['public-1', 'private-1'].map((name) => find(picture, `subnet/main/${name}`)?.kind);
  t.strictSame(kinds, ['public-subnet', 'private-subnet']);
});

t.test('a line leads from a pod to the network interface that bears its address', async (t) => {
  t.strictSame(
    picture.edges.filter(({ kind }) => kind === 'eni').map(({ from, to }) => [from, to]),
    [
      ['pod/client', 'node/node-1:eth0'],
      ['pod/on-eth1', 'node/node-1:eth1'],
    ],
  );
});

t.test('labels have the private address and the Elastic IP', async (t) => {
  const lines = (id: string) => find(picture, id)?.lines;
  t.strictSame(lines('nat/nat-1'), ['nat/nat-1', '10.0.1.50 = 203.0.113.50']);
  t.strictSame(lines('instance/bastion'), ['instance/bastion', 'eth0 10.0.1.20 = 203.0.113.20']);
  t.strictSame(lines('pod/client'), ['pod/client', '10.0.3.50']);
});

t.test('a route to nowhere is a note of its subnet', async (t) => {
  t.match(find(picture, 'subnet/main/private-1'), { notes: ['192.0.2.0/24 to blackhole'] });
});

t.test('each thing of the lab is drawn exactly once', async (t) => {
  const drawn = ids(picture);
  t.equal(new Set(drawn).size, drawn.length);
  t.strictSame(
    [...small.things.values()]
      .filter(({ isSystem }) => !isSystem)
      .map(({ reference }) => reference)
      .filter((id) => !drawn.includes(id)),
    [],
  );
  const boxes = layOut(picture).boxes.map(({ of }) => of.id);
  t.strictSame(boxes.toSorted(), drawn.toSorted());
});

for (const [format, render] of [
  ['mmd', renderMermaid],
  ['dot', renderDot],
  ['svg', renderSvg],
] as const) {
  t.test(`golden/graph/small.${format} is how a small lab is drawn`, async (t) => {
    matchGolden(t, `${render(picture)}\n`, join(GOLDEN, `small.${format}`), 'picture');
  });
}

t.test('of many pods on a node some are shown, and how many are left out', async (t) => {
  const many = Array.from({ length: 9 }, (_, index) => pod(`p${index}`)).join('---');
  const graph = graphOf(cloudOf(SMALL.replace(/ {2}pins:[^]*(?=internet:)/, ''), many), undefined);
  const pods = ids(graph).filter((id) => id.startsWith('pod/'));
  t.equal(pods.length, 5);
  t.strictSame(find(graph, 'node/node-1/more-pods')?.lines, ['and 4 more pods']);
});

t.test(
  'of many nodes in a subnet some are shown, and what a route leads to among them',
  async (t) => {
    const names = Array.from({ length: 12 }, (_, index) => `n${index}`);
    const lab = SMALL.replace(/ {4}node-1:[^]*(?=internet:)/, '')
      .replace(
        '  nodes:',
        `  nodes:\n${names.map((name) => `    ${name}: { subnet: private-1 }`).join('\n')}\n`,
      )
      .replace('target: blackhole', 'target: node/n11')
      .replace(', az: az-2, routeTable: private-1', ', az: az-1, routeTable: private-1');
    const pods = Array.from({ length: 12 }, (_, index) => pod(`p${index}`)).join('---');
    const cloud = cloudOf(lab, pods);
    const graph = graphOf(cloud, undefined);
    t.strictSame(
      ids(graph).filter((id) => /^node\/n\d+$/.test(id)),
      ['n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n11'].map((name) => `node/${name}`),
    );
    const left = ['n6', 'n7', 'n8', 'n9', 'n10'];
    const podsLeft = cloud.pods.filter(({ node }) => left.includes(node)).length;
    t.strictSame(find(graph, 'subnet/main/private-1/more-nodes')?.lines, [
      'and 5 more nodes',
      `with ${podsLeft} pods`,
    ]);
    const drawn = ids(graph);
    t.ok(graph.edges.every(({ from, to }) => drawn.includes(from) && drawn.includes(to)));
    t.ok(graph.edges.some(({ from, to }) => from === 'subnet/main/private-2' && to === 'node/n11'));
  },
);

t.test('a pod with hostNetwork has the address of its node and no card', async (t) => {
  const host = pod('host').replace('spec:\n', 'spec:\n  hostNetwork: true\n');
  const graph = graphOf(cloudOf(SMALL.replace(/ {2}pins:[^]*(?=internet:)/, ''), host), undefined);
  t.strictSame(find(graph, 'pod/host')?.lines, ['pod/host', '10.0.3.10', 'host network']);
});

t.test(
  'a route to a thing of the same subnet is a note: no arrow leads from a box inwards',
  async (t) => {
    const cloud = cloudOf(`
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      a: { cidr: 10.0.1.0/24, az: az-1 }
      b: { cidr: 10.0.2.0/24, az: az-1 }
    instances:
      fw: { subnet: a, address: 10.0.1.9, interfaces: [{ subnet: b, address: 10.0.2.9 }] }
    routeTables:
      main: { main: true, routes: [{ destination: 0.0.0.0/0, target: 'instance/fw:eth1' }] }
`);
    const graph = graphOf(cloud, undefined);
    t.match(find(graph, 'subnet/main/a'), { notes: ['0.0.0.0/0 to instance/fw:eth1'] });
    t.strictSame(graph.edges, [
      { kind: 'route', from: 'subnet/main/b', to: 'instance/fw', destinations: ['0.0.0.0/0'] },
    ]);
    t.strictSame(find(graph, 'instance/fw')?.lines, [
      'instance/fw',
      'eth0 10.0.1.9',
      'eth1 10.0.2.9 in b',
    ]);
  },
);

const GUARDED = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      a: { cidr: 10.0.1.0/24, az: az-1, networkAcl: private }
      b: { cidr: 10.0.2.0/24, az: az-1 }
    networkAcls: { private: { egress: { 100: { action: allow } } } }
    securityGroups: { web: {}, db: {}, unused: {} }
    instances:
      web: { subnet: a, address: 10.0.1.9, securityGroups: [web, default, db] }
      other: { subnet: b, address: 10.0.2.9 }
      two-cards:
        subnet: a
        address: 10.0.1.10
        securityGroups: [web]
        interfaces: [{ subnet: b, address: 10.0.2.10, securityGroups: [db] }]
cluster:
  vpc: main
  cni: { ENABLE_POD_ENI: true }
  nodes:
    node-1: { subnet: b, address: 10.0.2.20, securityGroups: [web] }
    node-2: { subnet: b, address: 10.0.2.21 }
  pins: { pod/own: { node: node-1 }, pod/shared: { node: node-1 } }
`;

const POLICY = `
apiVersion: vpcresources.k8s.aws/v1beta1
kind: SecurityGroupPolicy
metadata: { name: own }
spec:
  podSelector: { matchLabels: { app: own } }
  securityGroups: { groupIds: [db] }
`;

const own = pod('own').replace('name: own }', 'name: own, labels: { app: own } }');
const guardedCloud = cloudOf(GUARDED, [own, pod('shared'), POLICY].join('---'));
const guarded = graphOf(guardedCloud, undefined);

t.test('a label has the network ACL and the security groups that the lab declares', async (t) => {
  const last = (id: string) => find(guarded, id)?.lines.slice(1);
  t.strictSame(last('subnet/main/a'), ['private subnet, route table main', 'acl private']);
  t.strictSame(last('subnet/main/b'), ['private subnet, route table main']);
  t.strictSame(last('instance/web'), ['eth0 10.0.1.9', 'sg web, db']);
  t.strictSame(last('instance/other'), ['eth0 10.0.2.9']);
  t.strictSame(last('node/node-1'), ['sg web']);
  t.strictSame(last('node/node-2'), []);
});

t.test('cards with different security groups have a line each', async (t) => {
  t.strictSame(find(guarded, 'instance/two-cards')?.lines.slice(3), ['eth0 sg web', 'eth1 sg db']);
});

t.test('a pod has groups of its own on a card of its own alone', async (t) => {
  t.equal(find(guarded, 'pod/own')?.lines.at(2), 'sg db');
  t.equal(find(guarded, 'pod/shared')?.lines.at(2), undefined);
});

const STORED = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      a: { cidr: 10.0.1.0/24, az: az-1 }
      b: { cidr: 10.0.2.0/24, az: az-2 }
    dbSubnetGroups: { data: { subnets: [a, b] } }
    databases:
      shop: { subnetGroup: data, multiAz: true, port: 5433, addresses: { az-1: 10.0.1.9, az-2: 10.0.2.9 } }
      notes: { subnetGroup: data, addresses: { az-1: 10.0.1.10 } }
`;

t.test('a database says whom its endpoint leads to, and who takes over', async (t) => {
  const lines = (lab: string, id: string) => find(graphOf(cloudOf(lab), undefined), id)?.lines;
  t.strictSame(lines(STORED, 'rds/shop'), [
    'rds/shop',
    '10.0.1.9',
    'primary: the endpoint leads here, port 5433',
  ]);
  t.strictSame(lines(STORED, 'rds/shop/standby'), [
    'rds/shop/standby',
    '10.0.2.9',
    'standby: takes over, lets nobody in',
  ]);
  t.equal(lines(STORED, 'rds/notes')?.at(-1), 'the endpoint leads here, port 5432');
  const failedOver = STORED.replace('multiAz: true', 'multiAz: true, availabilityZone: az-2');
  t.equal(lines(failedOver, 'rds/shop')?.at(1), '10.0.2.9');
});

function policy(name: string): string {
  return `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name} }
spec: { podSelector: { matchLabels: { app: own } }, policyTypes: [Ingress] }
`;
}

t.test(
  'a pod says which NetworkPolicy isolates it, and a pod that none isolates nothing',
  async (t) => {
    const last = (...policies: string[]) => {
      const graph = graphOf(cloudOf(SMALL, [PODS, own, ...policies].join('---')), undefined);
      return ['pod/own', 'pod/client'].map((id) => find(graph, id)?.lines.slice(2));
    };
    t.strictSame(last(), [[], []]);
    t.strictSame(last(policy('own-allow')), [['netpol own-allow'], []]);
    t.strictSame(last(policy('b'), policy('a'), policy('c')), [['netpol a and 2 more'], []]);
  },
);

t.test('Mermaid breaks no long line of a box', async (t) => {
  t.notMatch(renderMermaid(picture), 'wrappingWidth');
  t.match(renderMermaid(graphOf(cloudOf(STORED), undefined)), /wrappingWidth: 387$/m);
});

t.test('Mermaid leaves room for a third line of a subnet, where there is one', async (t) => {
  t.match(renderMermaid(guarded), 'subGraphTitleMargin: { top: 4, bottom: 54 }');
  t.match(renderMermaid(picture), 'subGraphTitleMargin: { top: 4, bottom: 30 }');
});

const TWO_VPCS = `
vpcs:
  one:
    cidr: 10.0.0.0/16
    internetGateway: igw-1
    subnets: { a: { cidr: 10.0.1.0/24, az: az-1 } }
  two:
    cidr: 10.0.0.0/16
    internetGateway: igw-2
    subnets: { a: { cidr: 10.0.1.0/24, az: az-1 } }
internet:
  example.com: { address: 198.51.100.10 }
`;

t.test('two VPCs may have subnets and zones of the same name', async (t) => {
  const graph = graphOf(cloudOf(TWO_VPCS), undefined);
  const drawn = ids(graph);
  t.equal(new Set(drawn).size, drawn.length);
  t.strictSame(
    graph.edges.map(({ from }) => from),
    ['igw/igw-1', 'igw/igw-2'],
  );
});

t.test('a lab is drawn however little there is of it', async (t) => {
  const clouds: Record<string, Cloud> = {
    'without a cluster': cloudOf(SMALL.replace(/^cluster:[^]*(?=^internet:)/m, '')),
    'two VPCs': cloudOf(TWO_VPCS),
    'a VPC with nothing in it': cloudOf('vpcs: { main: { cidr: 10.0.0.0/16 } }'),
    'only the internet': cloudOf('internet: { example.com: { address: 198.51.100.10 } }'),
    nothing: { ...small, vpcs: new Map(), cluster: undefined, pods: [], internetHosts: [] },
  };
  for (const [name, cloud] of Object.entries(clouds)) {
    const graph = graphOf(cloud, undefined);
    t.match(renderMermaid(graph), /\nflowchart BT\b/, name);
    t.match(renderDot(graph), /^digraph "test" \{\n[^]*\}$/, name);
    t.match(renderSvg(graph), /^<svg [^]*<\/svg>$/, name);
    t.notMatch(renderSvg(graph), /NaN|Infinity/, name);
  }
});

t.test('what is inside a box is within it, and boxes side by side do not meet', async (t) => {
  const many = Array.from({ length: 25 }, (_, index) => pod(`p${index}`)).join('---');
  const large = cloudOf(
    SMALL.replace(/ {2}pins:[^]*(?=internet:)/, '').replace(
      '{ subnet: private-1, address: 10.0.3.10 }',
      '{ subnet: private-1, address: 10.0.3.10, instanceType: m5.4xlarge, interfaces: { eth1: {}, eth2: {}, eth3: {} } }',
    ),
    many,
  );
  // Of the pods at one card some are higher than others.
  const isolated = cloudOf(SMALL, [PODS, own, ...['x', 'y'].map(pod), policy('a')].join('---'));
  for (const cloud of [small, large, isolated, guardedCloud, cloudOf(TWO_VPCS)]) {
    for (const box of layOut(graphOf(cloud, undefined)).boxes) {
      for (const [index, one] of box.inside.entries()) {
        if (one.of.kind === 'igw') continue;
        t.ok(
          one.x > box.x &&
            one.y > box.y &&
            one.x + one.width < box.x + box.width &&
            one.y + one.height < box.y + box.height,
          `${one.of.id} in ${box.of.id}`,
        );
        for (const other of box.inside.slice(index + 1)) {
          const apart =
            one.x + one.width < other.x ||
            other.x + other.width < one.x ||
            one.y + one.height < other.y ||
            other.y + other.height < one.y;
          t.ok(apart || other.of.kind === 'igw', `${one.of.id} beside ${other.of.id}`);
        }
      }
    }
  }
});

t.test('odd characters of names end no label', async (t) => {
  const odd = 'a "quoted" <b>&amp; \\ `tick` #1; [x]';
  const graph: Graph = {
    lab: odd,
    title: odd,
    groups: [
      {
        id: 'vpc/a-b',
        kind: 'vpc',
        lines: [odd],
        notes: [odd],
        nodes: [
          { id: 'instance/a-b', kind: 'instance', lines: [odd, odd] },
          { id: 'instance/a.b', kind: 'instance', lines: ['x'] },
        ],
        groups: [],
      },
    ],
    edges: [{ kind: 'route', from: 'instance/a-b', to: 'instance/a.b', destinations: [odd, odd] }],
  };
  const mermaid = 'a #34;quoted#34; #60;b#62;#38;amp#59; #92; #96;tick#96; #35;1#59; #91;x#93;';
  t.match(renderMermaid(graph), `  subgraph vpc_a_b["${mermaid}"]`);
  t.match(renderMermaid(graph), `instance_a_b["${mermaid}<br/>${mermaid}"]`);
  t.match(renderMermaid(graph), `instance_a_b -->|"${mermaid}<br/>${mermaid}"| instance_a_b_2\n`);
  t.match(
    renderDot(graph),
    String.raw`label="a \"quoted\" <b>&amp; \\ ${'`tick`'} #1; [x]" labelloc=t`,
  );
  t.match(renderSvg(graph), '<title>a "quoted" &lt;b&gt;&amp;amp; \\ `tick` #1; [x]</title>');
});

t.test('an arrow to what is not in the picture is a bug', async (t) => {
  const graph: Graph = {
    ...picture,
    edges: [{ kind: 'route', from: 'igw', to: 'nat/gone', destinations: [] }],
  };
  t.throws(() => renderMermaid(graph), {
    message: 'an edge names "nat/gone", which is not in the graph',
  });
});

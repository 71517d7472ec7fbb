import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import t from 'tap';

import { builtInLabs } from '../../src/host/lab-files.ts';
import type { TargetHealth } from '../../src/observe/target-health.ts';
import { load } from '../../src/pipeline.ts';
import type { TargetReport } from '../../src/report/balancer.ts';
import { type Box, type Line } from '../../src/report/graph-box.ts';
import { renderDot } from '../../src/report/graph-dot.ts';
import { layOut } from '../../src/report/graph-layout.ts';
import { renderMermaid } from '../../src/report/graph-mermaid.ts';
import { renderSvg } from '../../src/report/graph-svg.ts';
import type { Graph, GraphEdge } from '../../src/report/graph-parts.ts';
import { graphOf } from '../../src/report/graph.ts';
import { cloudOf } from '../judge/cloud.ts';
import { matchGolden } from '../support/golden.ts';

const GOLDEN = fileURLToPath(new URL('../golden/graph', import.meta.url));

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public-1: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      public-2: { cidr: 10.0.2.0/24, az: az-2, routeTable: public }
      private-1: { cidr: 10.0.3.0/24, az: az-1 }
      private-2: { cidr: 10.0.4.0/24, az: az-2 }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
cluster:
  vpc: main
  addons: { external-dns: true }
  nodes:
    node-1: { subnet: private-1, address: 10.0.3.10 }
    node-2: { subnet: private-2, address: 10.0.4.10 }
  pins:
    pod/web-1: { node: node-1, address: 10.0.3.50 }
    pod/web-2: { node: node-2, address: 10.0.4.50 }
internet:
  user: { address: 198.51.100.10, ports: [] }
`;

function deployment(name: string, replicas: number): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: main, image: nginx, ports: [{ containerPort: 8080 }] }] }`;
}

function service(name: string, more = ''): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}${more === '' ? '' : ', annotations: { service.beta.kubernetes.io/aws-load-balancer-type: nlb }'} }
spec: { ${more}selector: { app: ${name === 'flat' ? 'web' : name} }, ports: [{ port: 80, targetPort: 8080 }] }`;
}

function ingress(paths: readonly (readonly [path: string, service: string])[], more = ''): string {
  const backends = paths.map(
    ([path, name]) =>
      `{ path: "${path}", pathType: Prefix, backend: { service: { name: ${name}, port: { number: 80 } } } }`,
  );
  return `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: front
  annotations:
    alb.ingress.kubernetes.io/scheme: internet-facing
    alb.ingress.kubernetes.io/target-type: ip
${more}
spec:
  ingressClassName: alb
  rules: [{ host: shop.example, http: { paths: [${backends.join(', ')}] } }]`;
}

const PATHS = [
  ['/', 'web'],
  ['/empty', 'empty'],
] as const;
const MANIFESTS = [
  deployment('web', 2),
  service('web'),
  service('empty'),
  service('flat', 'type: LoadBalancer, '),
  ingress(PATHS),
];
const cloud = cloudOf(LAB, MANIFESTS.join('\n---'), 'as written');
const picture = graphOf(cloud, undefined);

function linesOf(graph: Graph, id: string): readonly string[] | undefined {
  const groups = graph.groups.flatMap((one) => [one, ...one.groups]);
  return [...groups, ...groups.flatMap(({ nodes }) => nodes)].find((one) => one.id === id)?.lines;
}

function edgesOf(graph: Graph, kind: GraphEdge['kind']): GraphEdge[] {
  return graph.edges.filter((edge) => edge.kind === kind);
}

t.test('a load balancer says its names, its listeners say their rules', async (t) => {
  t.strictSame(linesOf(picture, 'alb/front'), ['alb/front internet-facing', 'shop.example']);
  t.strictSame(linesOf(picture, 'alb/front/listener HTTP:80'), [
    'HTTP:80',
    '1 shop.example /empty (prefix) to default-empty-80-ip',
    '2 shop.example / (prefix) to default-web-80-ip',
  ]);
  t.strictSame(linesOf(picture, 'nlb/flat'), ['nlb/flat internet-facing']);
  t.strictSame(linesOf(picture, 'nlb/flat/listener TCP:80'), ['TCP:80']);
});

t.test(
  'a target group says its type, protocol and port, and whether anybody is in it',
  async (t) => {
    t.strictSame(linesOf(picture, 'alb/front/tg default-web-80-ip'), [
      'default-web-80-ip',
      'ip, HTTP:8080',
    ]);
    t.strictSame(linesOf(picture, 'alb/front/tg default-empty-80-ip'), [
      'default-empty-80-ip',
      'ip, HTTP',
      'no targets',
    ]);
    t.notOk(picture.edges.some(({ from, kind }) => kind === 'target' && from.includes('empty')));
  },
);

t.test(
  'lines lead as a request goes: node, load balancer; listener, target group, target',
  async (t) => {
    const pairs = (kind: GraphEdge['kind']) =>
      edgesOf(picture, kind).map(({ from, to, port }) => [from, to, ...(port ? [port] : [])]);
    t.strictSame(pairs('balancer'), [
      ['alb/front/az-1', 'alb/front'],
      ['alb/front/az-2', 'alb/front'],
      ['nlb/flat/az-1', 'nlb/flat'],
      ['nlb/flat/az-2', 'nlb/flat'],
    ]);
    t.strictSame(pairs('forward'), [
      ['alb/front/listener HTTP:80', 'alb/front/tg default-empty-80-ip'],
      ['alb/front/listener HTTP:80', 'alb/front/tg default-web-80-ip'],
      ['nlb/flat/listener TCP:80', 'nlb/flat/tg default-flat-80-instance'],
    ]);
    const [nodePort] = edgesOf(picture, 'target').flatMap(({ to, port }) =>
      to === 'node/node-1' ? [port] : [],
    );
    t.strictSame(pairs('target'), [
      ['alb/front/tg default-web-80-ip', 'pod/web-1', 8080],
      ['alb/front/tg default-web-80-ip', 'pod/web-2', 8080],
      ['nlb/flat/tg default-flat-80-instance', 'node/node-1', nodePort],
      ['nlb/flat/tg default-flat-80-instance', 'node/node-2', nodePort],
    ]);
  },
);

t.test('of many rules and many targets some are shown, and how many are left out', async (t) => {
  const paths = Array.from({ length: 15 }, (_, index) => [`/p${index}`, 'web'] as const);
  const lab = LAB.replace(/ {2}pins:[^]*(?=internet:)/, '');
  const graph = graphOf(
    cloudOf(lab, [deployment('web', 20), service('web'), ingress(paths)].join('\n---')),
    undefined,
  );
  const rules = linesOf(graph, 'alb/front/listener HTTP:80') ?? [];
  t.equal(rules.length, 9);
  t.equal(rules.at(-1), 'and 8 more');
  t.equal(edgesOf(graph, 'target').length, 7);
  t.equal(linesOf(graph, 'alb/front/tg default-web-80-ip')?.at(-1), 'and 13 more targets');
});

t.test('listeners with the same rules are one', async (t) => {
  const ports = `    alb.ingress.kubernetes.io/listen-ports: '[{"HTTP": 80}, {"HTTP": 8080}]'`;
  const graph = graphOf(
    cloudOf(
      LAB,
      [deployment('web', 2), service('web'), service('empty'), ingress(PATHS, ports)].join('\n---'),
    ),
    undefined,
  );
  t.match(linesOf(graph, 'alb/front/listener HTTP:80, HTTP:8080')?.length, 3);
});

/** What each node says of the ALB's two targets. */
function reports(...states: readonly (readonly [TargetHealth['state'], TargetHealth['state']])[]) {
  return ['az-1', 'az-2'].flatMap((az, node) =>
    ['10.0.3.50:8080', '10.0.4.50:8080'].map((address, target): TargetReport => {
      const state = states[target]?.[node] ?? 'healthy';
      const group = 'default-web-80-ip';
      return { node: `alb/front/${az}`, group, who: '', address, health: { state } };
    }),
  );
}

function withHealth(all: readonly TargetReport[]): Graph {
  return graphOf(cloud, undefined, new Map([['alb/front', all]]));
}

function healthsOf(graph: Graph): (string | undefined)[] {
  return edgesOf(graph, 'target').map(({ health }) => health);
}

t.test('health is what all nodes say, and nothing where nobody was asked', async (t) => {
  t.strictSame(healthsOf(picture), [undefined, undefined, undefined, undefined]);
  const graph = withHealth(reports(['healthy', 'healthy'], ['healthy', 'unhealthy']));
  t.strictSame(healthsOf(graph).slice(0, 2), ['healthy', 'healthy at 1 of 2 nodes']);
  t.equal(linesOf(graph, 'alb/front/tg default-web-80-ip')?.at(-1), '1 of 2 healthy');
  t.strictSame(healthsOf(withHealth([])).slice(0, 2), ['unknown', 'unknown']);
});

t.test('where no target is healthy all are used, and the picture says so', async (t) => {
  const graph = withHealth(reports(['unhealthy', 'unhealthy'], ['unhealthy', 'unhealthy']));
  t.equal(linesOf(graph, 'alb/front/tg default-web-80-ip')?.at(-1), '0 of 2 healthy: all are used');
});

t.test('who is not well has a line of its own look, in every format', async (t) => {
  const sick = withHealth(reports(['healthy', 'healthy'], ['unhealthy', 'unhealthy']));
  const well = withHealth(reports(['healthy', 'healthy'], ['healthy', 'healthy']));
  const marks = [
    [renderMermaid, /linkStyle \d+ stroke:#d13212,stroke-dasharray:5 5/, '|"8080 unhealthy"|'],
    [renderDot, /color="#d13212" style=dashed label="8080 unhealthy"/, '8080 unhealthy'],
    [renderSvg, /<path class="unwell"[^>]*marker-end="url\(#arrow-unwell\)"/, '>8080 unhealthy<'],
  ] as const;
  for (const [render, look, words] of marks) {
    t.match(render(sick), look);
    t.match(render(sick), words);
    t.notMatch(render(well), /#d13212|unhealthy/);
    t.match(render(well), '8080 healthy');
  }
});

t.test('Mermaid styles the lines of requests and no others', async (t) => {
  const [, indices = ''] = /linkStyle ([\d,]+) /.exec(renderMermaid(picture)) ?? [];
  t.strictSame(
    indices.split(',').map((index) => picture.edges[Number(index)]),
    picture.edges.filter(({ kind }) => ['balancer', 'forward', 'target'].includes(kind)),
  );
});

for (const [format, render] of [
  ['mmd', renderMermaid],
  ['dot', renderDot],
  ['svg', renderSvg],
] as const) {
  t.test(`golden/graph/balancers.${format} is how load balancers are drawn`, async (t) => {
    matchGolden(t, `${render(picture)}\n`, join(GOLDEN, `balancers.${format}`), 'picture');
  });
}

type Segment = readonly [readonly [number, number], readonly [number, number]];

function segments({ points }: Pick<Line, 'points'>): Segment[] {
  return points.slice(1).flatMap((to, index): Segment[] => {
    const from = points[index];
    return from === undefined ? [] : [[from, to]];
  });
}

function crosses([[x1, y1], [x2, y2]]: Segment, { x, y, width, height }: Box): boolean {
  return (
    Math.max(x1, x2) > x &&
    Math.min(x1, x2) < x + width &&
    Math.max(y1, y2) > y &&
    Math.min(y1, y2) < y + height
  );
}

/** Whether one lies upon the other for a while. */
function overlap([[x1, y1], [x2, y2]]: Segment, [[x3, y3], [x4, y4]]: Segment): boolean {
  const common = (a: number, b: number, c: number, d: number): number =>
    Math.min(Math.max(a, b), Math.max(c, d)) - Math.max(Math.min(a, b), Math.min(c, d));
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 2;
  return (
    (near(x1, x2) && near(x3, x4) && near(x1, x3) && common(y1, y2, y3, y4) > 2) ||
    (near(y1, y2) && near(y3, y4) && near(y1, y3) && common(x1, x2, x3, x4) > 2)
  );
}

/** Whose lane a line runs in. */
function laneOf({ kind, from, to }: GraphEdge): string {
  return kind === 'balancer' ? to : from;
}

t.test(
  'a request’s line runs through no box but those around its ends, and upon no other’s',
  async (t) => {
    const threeCards = LAB.replace(
      'address: 10.0.3.10 }',
      'address: 10.0.3.10, instanceType: m5.4xlarge, interfaces: { eth1: {}, eth2: {} } }',
    ).replace('10.0.3.50 }', '10.0.3.50, eni: eth2 }');
    const names = ['flat', 'f2', 'f3', 'f4', 'f5'];
    const many = names.map((name) => service(name, 'type: LoadBalancer, '));
    const fiveDoors = cloudOf(LAB, [deployment('web', 2), ...many].join('\n---'));
    const unknown = new Map(names.map((name) => [`nlb/${name}`, []]));
    const labs = new Map([
      ['five balancers', graphOf(fiveDoors, undefined, unknown)],
      ['small', picture],
      ['three cards', graphOf(cloudOf(threeCards, MANIFESTS.join('\n---')), undefined)],
      ...builtInLabs().map((name) => [name, graphOf(load(name).cloud, undefined)] as const),
    ]);
    for (const [name, graph] of labs) {
      const { boxes, lines } = layOut(graph);
      const requests = lines.filter(({ edge }) => /balancer|forward|target/.test(edge.kind));
      t.equal(
        requests.length,
        graph.edges.filter(({ kind }) => /balancer|forward|target/.test(kind)).length,
        `${name}: all are drawn`,
      );
      const leaves = boxes.filter(({ of }) => !('groups' in of));
      for (const line of requests) {
        const { edge } = line;
        const through = leaves.filter((box) => segments(line).some((one) => crosses(one, box)));
        t.strictSame(
          through.map(({ of }) => of.id),
          [],
          `${name}: ${edge.from} to ${edge.to}`,
        );
        const upon = requests.filter(
          (other) =>
            laneOf(other.edge) !== laneOf(edge) &&
            segments(line).some((one) => segments(other).some((two) => overlap(one, two))),
        );
        t.strictSame(
          upon.map((other) => `${other.edge.from} to ${other.edge.to}`),
          [],
          `${name}: ${edge.from} to ${edge.to}`,
        );
      }
      for (const box of boxes) {
        for (const one of box.inside) {
          if (one.of.kind === 'igw') continue;
          t.ok(
            one.x > box.x &&
              one.y > box.y &&
              one.x + one.width < box.x + box.width &&
              one.y + one.height < box.y + box.height,
            `${name}: ${one.of.id} in ${box.of.id}`,
          );
          for (const other of box.inside) {
            if (other === one || other.of.kind === 'igw') continue;
            const apart =
              one.x + one.width < other.x ||
              other.x + other.width < one.x ||
              one.y + one.height < other.y ||
              other.y + other.height < one.y;
            t.ok(apart, `${name}: ${one.of.id} beside ${other.of.id}`);
          }
        }
      }
    }
  },
);

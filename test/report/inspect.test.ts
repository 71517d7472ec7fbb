import t from 'tap';

import { type Cloud, findThing } from '../../src/cloud.ts';
import { labAsJson, renderLab } from '../../src/report/inspect.ts';
import { describeThing, renderThing, thingAsJson } from '../../src/report/thing.ts';
import { cloudOf } from '../judge/cloud.ts';

const GUARDED = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      a: { cidr: 10.0.1.0/24, az: az-1, networkAcl: private }
      b: { cidr: 10.0.2.0/24, az: az-1, networkAcl: private }
      c: { cidr: 10.0.3.0/24, az: az-1 }
    networkAcls:
      private:
        ingress:
          110: { action: allow, protocol: tcp, ports: 1024-65535 }
          100: { action: deny, protocol: icmp, icmpType: 8, from: 10.0.3.0/24 }
    prefixLists: { offices: [192.0.2.0/24] }
    securityGroups:
      web:
        ingress: [{ ports: 80, from: 0.0.0.0/0 }, { ports: 22, from: pl/offices }, { from: self }]
      unused: { egress: [] }
    instances:
      one: { subnet: a, address: 10.0.1.9, securityGroups: [web] }
      two: { subnet: b, address: 10.0.2.9, securityGroups: [web, default] }
`;

const lab = (text: string): Cloud => cloudOf(text, '', 'as written');

/** The part of the text under a title. */
function under(title: string, text: string): string[] {
  const lines = text.split('\n');
  const begin = lines.indexOf(title) + 1;
  const end = lines.indexOf('', begin);
  return lines.slice(begin, end < 0 ? undefined : end);
}

t.test('a lab’s security groups say who may, and who carries them', async (t) => {
  t.strictSame(under('security groups', renderLab(lab(GUARDED))), [
    '  GROUP       DIRECTION  RULE                         MEMBERS',
    '  sg/default  ingress    all traffic from sg/default  instance/two:eth0',
    '              egress     all traffic to 0.0.0.0/0',
    '  sg/web      ingress    tcp 80 from 0.0.0.0/0        instance/one:eth0, instance/two:eth0',
    '              ingress    tcp 22 from pl/offices',
    '              ingress    all traffic from sg/web',
    '              egress     all traffic to 0.0.0.0/0',
    '  sg/unused   ingress    nothing',
    '              egress     nothing',
  ]);
});

t.test('a lab’s network ACLs stand by number, and end with the rule that denies', async (t) => {
  t.strictSame(under('network ACLs', renderLab(lab(GUARDED))), [
    '  ACL          SUBNETS  DIRECTION  RULE  ACTION  WHAT',
    '  acl/default  c        ingress    100   allow   all traffic from 0.0.0.0/0',
    '                        egress     100   allow   all traffic to 0.0.0.0/0',
    '  acl/private  a, b     ingress    100   deny    icmp type 8 from 10.0.3.0/24',
    '                        ingress    110   allow   tcp 1024-65535 from 0.0.0.0/0',
    '                        ingress    *     deny    all traffic from 0.0.0.0/0',
    '                        egress     *     deny    all traffic to 0.0.0.0/0',
  ]);
});

t.test('the JSON says in each row what the text says once', async (t) => {
  const { sections } = labAsJson(lab(GUARDED)) as {
    sections: { title: string; rows: unknown[] }[];
  };
  const rows = sections.find(({ title }) => title === 'network ACLs')?.rows;
  t.strictSame(rows?.[1], {
    acl: 'acl/default',
    subnets: 'c',
    direction: 'egress',
    rule: 100,
    action: 'allow',
    what: 'all traffic to 0.0.0.0/0',
  });
});

t.test('of what AWS makes unasked, only what something carries is shown', async (t) => {
  const nothing = 'vpcs: { main: { cidr: 10.0.0.0/16 } }';
  t.notMatch(renderLab(lab(nothing)), /default/);
  const nodes = `${nothing.replace(' }', ', subnets: { a: { cidr: 10.0.1.0/24, az: az-1 } } }')}
cluster: { vpc: main, nodes: { node-1: { subnet: a } } }
`;
  t.strictSame(
    under('security groups', renderLab(lab(nodes))).map((line) => line.slice(2, 20)),
    ['GROUP             ', 'sg/eks-cluster-sg ', '                  '],
  );
});

t.test('of many members the first are named, and the others counted', async (t) => {
  const names = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}: { subnet: a }`);
  const many = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets: { a: { cidr: 10.0.1.0/24, az: az-1 } }
    instances: { ${names.join(', ')} }
`;
  t.match(
    renderLab(lab(many)),
    / {2}instance\/a:eth0, instance\/b:eth0, instance\/c:eth0 and 2 more\n/,
  );
});

t.test('a thing is described with its cards and the commands that look inside', async (t) => {
  const cloud = lab(GUARDED);
  const thing = findThing(cloud, 'instance/two');
  if (thing === undefined) throw new Error('instance/two is in the lab');
  const description = describeThing(cloud, thing);
  const text = renderThing(description).replaceAll(/eni-[0-9a-f]+|(?<=mac +)\S+/g, '…');
  t.strictSame(text.split('\n'), [
    'instance/two',
    '  netns  two',
    '  ports  80',
    '',
    'eth0 …',
    '  address          10.0.2.9',
    '  mac              …',
    '  subnet           b (10.0.2.0/24, az-1)',
    '  route table      main',
    '  security groups  web, default',
    '',
    'look inside',
    '  npx hoplab exec instance/two -- ip address',
    '  npx hoplab exec instance/two -- ip route',
    '  npx hoplab exec instance/two -- ss -ltn',
  ]);
  t.match(thingAsJson(description), {
    thing: 'instance/two',
    interfaces: [{ link: 'eth0', address: '10.0.2.9' }],
    lookInside: ['npx hoplab exec instance/two -- ip address', String, String],
  });
});

t.test('a rule’s further conditions stand beside host and path', async (t) => {
  const cloud = cloudOf(
    `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      one: { cidr: 10.0.1.0/24, az: az-1 }
      two: { cidr: 10.0.2.0/24, az: az-2 }
cluster:
  vpc: main
  nodes: { node-1: { subnet: one } }
`,
    `
apiVersion: v1
kind: Pod
metadata: { name: web, labels: { app: web } }
spec: { containers: [{ ports: [{ containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    alb.ingress.kubernetes.io/conditions.web: >-
      [{"field":"http-header","httpHeaderConfig":{"httpHeaderName":"x-canary","values":["yes","true"]}},
       {"field":"query-string","queryStringConfig":{"values":[{"key":"v","value":"2"}]}},
       {"field":"source-ip","sourceIpConfig":{"values":["10.0.0.0/8"]}}]
spec:
  ingressClassName: alb
  rules: [{ http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] } }]
`,
    'as written',
  );
  const [, first = '', last = ''] = under('listener rules', renderLab(cloud));
  t.match(
    first,
    '/ (prefix), and header x-canary: yes or true, and query v=2, and from 10.0.0.0/8',
  );
  t.notMatch(last, ', and');
});

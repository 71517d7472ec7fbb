import t from 'tap';

import { findGates } from '../../src/aws/gate.ts';
import { planVpc } from '../../src/aws/vpc.ts';
import { describeGate } from '../../src/report/gate.ts';
import { renderThing, type ThingDescription, thingAsJson } from '../../src/report/thing.ts';
import { cloudOf, pod } from '../judge/cloud.ts';

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      app: { cidr: 10.0.1.0/24, az: az-1 }
      db: { cidr: 10.0.2.0/24, az: az-2, networkAcl: private }
    networkAcls:
      private:
        ingress:
          100: { action: allow, ports: 5432, from: 10.0.1.0/24 }
    securityGroups:
      web: {}
      db:
        ingress:
          - { ports: 5432, from: sg/web }
        egress: []
    instances:
      web: { subnet: app, address: 10.0.1.9, securityGroups: [web] }
      db: { subnet: db, address: 10.0.2.9, securityGroups: [db] }
cluster:
  vpc: main
  cni: { ENABLE_POD_ENI: true }
  nodes: { node-1: { subnet: app, address: 10.0.1.20 } }
  pins: { pod/own: { address: 10.0.1.30 } }
`;

const POLICY = `
---
apiVersion: vpcresources.k8s.aws/v1beta1
kind: SecurityGroupPolicy
metadata: { name: own }
spec:
  podSelector: {}
  securityGroups: { groupIds: [web] }
`;

const cloud = cloudOf(LAB, pod('own', ['80']) + POLICY, 'as written');

function describe(word: string): ThingDescription {
  const [gate, ...others] = findGates(cloud.vpcs.values(), word);
  if (gate === undefined || others.length > 0) throw new Error(`${word} is not one gate`);
  return describeGate(cloud, gate);
}

function text(word: string): string[] {
  return renderThing(describe(word))
    .replace(/(?<=(sg|acl)-)[0-9a-f]{17}/, '…')
    .split('\n');
}

t.test('a security group is described by its rules, its members and its chains', async (t) => {
  t.strictSame(text('sg/db'), [
    'sg/db',
    '  id        sg-…',
    '  vpc       main',
    '  declared  lab.yaml:14:7',
    '',
    'rules',
    '  DIRECTION  RULE                  WRITTEN',
    '  ingress    tcp 5432 from sg/web  lab.yaml:16:13',
    '  egress     nothing',
    '',
    'members',
    '  ENI               SUBNET  ADDRESSES',
    '  instance/db:eth0  db      10.0.2.9',
    '',
    'look inside',
    '  npx hoplab exec vpc/main -- nft list chain inet vpc sg-db-ingress',
    '  npx hoplab exec vpc/main -- nft list chain inet vpc sg-db-egress',
    '  npx hoplab exec vpc/main -- nft list set inet vpc sg-db',
  ]);
});

t.test('a group says whose rules name it, and which pod an ENI is for', async (t) => {
  const lines = text('sg/web');
  t.ok(lines.includes('  named by rules of  sg/db'));
  t.ok(lines.includes('  instance/web:eth0                 app     10.0.1.9'));
  t.ok(lines.includes('  node/node-1:vlan.eth.1 (pod/own)  app     10.0.1.30'));
});

t.test('a network ACL is described by its rules, its subnets and its chains', async (t) => {
  t.strictSame(text('acl/private'), [
    'acl/private',
    '  id        acl-…',
    '  vpc       main',
    '  declared  lab.yaml:9:7',
    '',
    'rules',
    '  DIRECTION  RULE  ACTION  WHAT                        WRITTEN',
    '  ingress    100   allow   tcp 5432 from 10.0.1.0/24   lab.yaml:11:11',
    '  ingress    *     deny    all traffic from 0.0.0.0/0',
    '  egress     *     deny    all traffic to 0.0.0.0/0',
    '',
    'subnets',
    '  SUBNET  CIDR         AZ',
    '  db      10.0.2.0/24  az-2',
    '',
    'look inside',
    '  npx hoplab exec vpc/main -- nft list chain inet vpc acl-private-ingress',
    '  npx hoplab exec vpc/main -- nft list chain inet vpc acl-private-egress',
  ]);
});

t.test('what AWS makes unasked is written nowhere', async (t) => {
  t.strictSame(text('acl/default').slice(3, 9), [
    '  declared  nowhere: AWS makes it',
    '',
    'rules',
    '  DIRECTION  RULE  ACTION  WHAT                        WRITTEN',
    '  ingress     100  allow   all traffic from 0.0.0.0/0',
    '  egress      100  allow   all traffic to 0.0.0.0/0',
  ]);
});

t.test('the JSON of a gate has its rules, who is behind it, and no interfaces', async (t) => {
  const { id, ...others } = thingAsJson(describe('sg/db')) as { id: string };
  t.match(id, /^sg-[0-9a-f]{17}$/);
  t.strictSame(others, {
    thing: 'sg/db',
    vpc: 'main',
    declared: 'lab.yaml:14:7',
    rules: [
      { direction: 'ingress', rule: 'tcp 5432 from sg/web', written: 'lab.yaml:16:13' },
      { direction: 'egress', rule: 'nothing', written: '' },
    ],
    members: [{ eni: 'instance/db:eth0', subnet: 'db', addresses: '10.0.2.9' }],
    lookInside: [
      'npx hoplab exec vpc/main -- nft list chain inet vpc sg-db-ingress',
      'npx hoplab exec vpc/main -- nft list chain inet vpc sg-db-egress',
      'npx hoplab exec vpc/main -- nft list set inet vpc sg-db',
    ],
  });
});

t.test('what looks inside a gate names chains and sets that are planned', async (t) => {
  const vpc = cloud.vpcs.get('main');
  if (vpc === undefined) throw new Error('vpc/main is in the lab');
  const planned = planVpc(vpc).contributions.flatMap(({ part }) => {
    if (part.kind === 'nft-chain') return [`nft list chain inet vpc ${part.chain}`];
    return part.kind === 'nft-set' ? [`nft list set inet vpc ${part.set}`] : [];
  });
  for (const word of ['sg/web', 'sg/default', 'acl/private', 'acl/default']) {
    for (const [place, command] of describe(word).lookInside) {
      t.equal(place, 'vpc/main');
      t.ok(planned.includes(command), command);
    }
  }
});

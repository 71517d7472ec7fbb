import t from 'tap';

import { describeLinks, nameAddresses } from '../../src/report/link-names.ts';
import { cloudOf, pod } from '../judge/cloud.ts';

const cloud = cloudOf(
  `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets: { public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public } }
    natGateways: { nat-1: { subnet: public, address: 10.0.1.50, elasticIp: 203.0.113.50 } }
    routeTables: { public: { routes: [{ destination: 0.0.0.0/0, target: igw }] } }
cluster:
  vpc: main
  addons: { coredns: false }
  endpointPublicAccess: false
  nodes: { node-1: { subnet: public, address: 10.0.1.10 } }
  pins: { pod/web: { address: 10.0.1.60 } }
internet: { example.com: { address: 198.51.100.10 } }
`,
  pod('web', ['8080']) + pod('agent', ['9100'], 'hostNetwork: true'),
);

t.test('every link of a lab has words', async (t) => {
  const words = [...describeLinks(cloud)].map(([key, text]) =>
    `${key} = ${text}`.replace(/eni[0-9a-f]{11}/, 'eni…'),
  );
  t.strictSame(words.sort(), [
    'eks-api-1:eth0 = eks/api-1 eth0 10.0.1.237',
    'eks-api-2:eth0 = eks/api-2 eth0 10.0.1.213',
    'example.com:eth0 = internet/example.com eth0 198.51.100.10',
    'igw:internet = igw, to the internet',
    'igw:vpc = igw, to vpc/main',
    'internet:example.com = internet, to internet/example.com',
    'internet:igw = internet, to igw',
    'nat-1:eth0 = nat/nat-1 eth0 10.0.1.50 (203.0.113.50)',
    'node-1:eni… = node/node-1, to pod/web 10.0.1.60',
    'node-1:eth0 = node/node-1 eth0 10.0.1.10',
    'pod-web:eth0 = pod/web eth0 10.0.1.60',
    'vpc-main:eks-api-1-eth0 = vpc/main, port of eks/api-1 eth0 10.0.1.237',
    'vpc-main:eks-api-2-eth0 = vpc/main, port of eks/api-2 eth0 10.0.1.213',
    'vpc-main:igw = vpc/main, to igw',
    'vpc-main:nat-1-eth0 = vpc/main, port of nat/nat-1 eth0 10.0.1.50',
    'vpc-main:node-1-eth0 = vpc/main, port of node/node-1 eth0 10.0.1.10',
    'vpc-main:public = vpc/main, subnet public 10.0.1.0/24',
  ]);
});

t.test('every address has one name, an Elastic IP another than the private one', async (t) => {
  t.strictSame(
    nameAddresses(cloud).map(({ address, name }) => `${address} ${name}`),
    [
      '10.0.1.50 nat/nat-1',
      '10.0.1.10 node/node-1',
      '10.0.1.237 eks/api-1',
      '10.0.1.213 eks/api-2',
      '198.51.100.10 internet/example.com',
      '10.0.1.60 pod/web',
      '203.0.113.50 nat/nat-1:elastic',
    ],
  );
});

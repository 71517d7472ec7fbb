import t from 'tap';

import { ipv4 } from '../../src/base/ip.ts';
import { type Cloud, findThing } from '../../src/cloud.ts';
import { conversation } from '../../src/judge/conversation.ts';
import { cloudOf, pod } from './cloud.ts';

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
      isolated: { cidr: 10.0.5.0/24, az: az-1 }
    natGateways:
      nat-1: { subnet: public, elasticIp: 203.0.113.50 }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat-1 }] }
    instances:
      bastion: { subnet: public, elasticIp: 203.0.113.10 }
      hidden: { subnet: isolated }
cluster:
  vpc: main
  cni: { AWS_VPC_K8S_CNI_EXTERNALSNAT: true }
  nodes:
    node-1: { subnet: private }
    node-2: { subnet: private }
  pins:
    pod/a: { node: node-1, address: 10.0.3.50 }
    pod/b: { node: node-1, address: 10.0.3.51 }
    pod/second: { node: node-1, address: 10.0.3.52, eni: eth1 }
    pod/c: { node: node-2, address: 10.0.3.60 }
internet:
  example.com: { address: 198.51.100.10 }
`;

const PODS = [
  ...['a', 'b', 'second', 'c'].map((name) => pod(name, ['8080'])),
  pod('host', ['9100'], 'hostNetwork: true\n  nodeName: node-2'),
].join('');

const cloud = cloudOf(LAB, PODS);

/** `pod/a:eth0 …`; the node's side of a pod's link is called after the pod. */
function heard(from: string, to: string, of: Cloud = cloud): string {
  const sender = findThing(of, from);
  if (sender === undefined) throw new Error(from);
  const destination = findThing(of, to)?.address ?? ipv4(to);
  const veths = new Map(of.pods.map((one) => [one.hostVeth, `to-${one.spec.name}`]));
  return conversation(of, sender, destination)
    .crossings.map(({ place, link }) => `${place}:${veths.get(link) ?? link}`)
    .join(' ');
}

const inside = (from: string, veth = from, eni = 'eth0'): string =>
  `pod/${from}:eth0 node/node-1:to-${veth} node/node-1:${eni}`;

t.test('on the way to the internet every translation stands between two links', async (t) => {
  t.equal(
    heard('pod/a', 'internet/example.com'),
    `${inside('a')} vpc/main:node-1-eth0 vpc/main:nat-1-eth0 nat/nat-1:eth0 vpc/main:igw igw:vpc igw:internet internet/example.com:eth0`,
  );
});

t.test('what stays on a node is heard on the links of its pods alone', async (t) => {
  t.equal(heard('pod/a', 'pod/b'), 'pod/a:eth0 node/node-1:to-a node/node-1:to-b pod/b:eth0');
});

t.test('between two nodes the ports of both at the router are heard', async (t) => {
  t.equal(
    heard('pod/a', 'pod/c'),
    `${inside('a')} vpc/main:node-1-eth0 vpc/main:node-2-eth0 node/node-2:eth0 node/node-2:to-c pod/c:eth0`,
  );
});

t.test('a pod of a further ENI is heard there, and where its node would translate', async (t) => {
  t.match(
    heard('pod/second', 'pod/c'),
    /^pod\/second:eth0 node\/node-1:to-second node\/node-1:eth0 node\/node-1:eth1 vpc\/main:node-1-eth0 vpc\/main:node-1-eth1 vpc\/main:node-2-eth0 /,
  );
});

t.test("a pod on its node's network is its node", async (t) => {
  const ways = ['vpc/main:node-1-eth0 node/node-1:eth0 node/node-1:to-a pod/a:eth0'];
  t.equal(heard('pod/host', 'pod/a'), `node/node-2:eth0 vpc/main:node-2-eth0 ${ways.join('')}`);
  t.equal(heard('node/node-2', 'pod/a'), heard('pod/host', 'pod/a'));
});

t.test('where the model lets a packet end early, its receiver is heard too', async (t) => {
  const route = '{ destination: 0.0.0.0/0, target: nat/nat-1 }';
  const withoutRoute = cloudOf(LAB.replace(route, ''), PODS);
  t.equal(
    heard('pod/a', 'internet/example.com', withoutRoute),
    `${inside('a')} vpc/main:node-1-eth0 internet/example.com:eth0`,
  );
  t.equal(
    heard('internet/example.com', '10.0.3.50'),
    'internet/example.com:eth0 vpc/main:node-1-eth0 node/node-1:eth0 node/node-1:to-a pod/a:eth0',
  );
  t.equal(
    heard('internet/example.com', '203.0.113.50'),
    'internet/example.com:eth0 igw:internet igw:vpc vpc/main:igw vpc/main:nat-1-eth0 nat/nat-1:eth0',
  );
  t.equal(heard('instance/hidden', '198.51.100.99'), 'instance/hidden:eth0 vpc/main:hidden-eth0');
});

t.test('a reply that takes another way is heard there too', async (t) => {
  const byBastion = LAB.replace(
    'routes: [{ destination: 0.0.0.0/0, target: nat/nat-1 }]',
    'routes: [{ destination: 10.0.5.0/24, target: instance/bastion }]',
  ).replace('bastion: {', 'bastion: { sourceDestCheck: false,');
  const there = 'vpc/main:node-2-eth0 vpc/main:bastion-eth0 instance/bastion:eth0';
  const cloudByBastion = cloudOf(byBastion, PODS);
  t.equal(
    heard('node/node-2', 'instance/hidden', cloudByBastion),
    `node/node-2:eth0 ${there} vpc/main:hidden-eth0 instance/hidden:eth0`,
  );
  t.equal(
    heard('instance/hidden', 'node/node-2', cloudByBastion),
    'instance/hidden:eth0 vpc/main:hidden-eth0 vpc/main:node-2-eth0 node/node-2:eth0 vpc/main:bastion-eth0 instance/bastion:eth0',
  );
});

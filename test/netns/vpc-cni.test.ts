/** The VPC CNI's wiring of pods on the real kernel (fidelity rows CNI-01 to CNI-07). */

import t from 'tap';

import { edit, pods, refusals, type TestLab, withLab } from '../support/with-lab.ts';

// Most of the time is waiting for what does not come.
t.jobs = 4;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.3.0/24, az: az-1, routeTable: private }
      other: { cidr: 10.0.4.0/24, az: az-2, routeTable: private }
    internetGateway: igw
    natGateways: { nat: { subnet: public, address: 10.0.1.50, elasticIp: 203.0.113.50 } }
    routeTables:
      public: { routes: [{ destination: 0.0.0.0/0, target: igw }] }
      private: { routes: [{ destination: 0.0.0.0/0, target: nat/nat }] }
    instances:
      db: { subnet: other, address: 10.0.4.80 }
cluster:
  vpc: main
  nodes:
    node-1: { subnet: private, address: 10.0.3.11, interfaces: { eth1: { address: 10.0.3.12 } } }
    node-2: { subnet: other, address: 10.0.4.11 }
    node-p: { subnet: public, address: 10.0.1.11, elasticIp: 203.0.113.11 }
  cni: { AWS_VPC_K8S_CNI_EXTERNALSNAT: false, AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "" }
  pins:
    pod/a: { node: node-1, address: 10.0.3.50, eni: eth0 }
    pod/a2: { node: node-1, address: 10.0.3.51, eni: eth0 }
    pod/c: { node: node-1, address: 10.0.3.60, eni: eth1 }
    pod/c2: { node: node-1, address: 10.0.3.61, eni: eth1 }
    pod/b: { node: node-2, address: 10.0.4.50 }
    pod/p: { node: node-p, address: 10.0.1.60 }
internet:
  server: { address: 198.51.100.10 }
  other: { address: 192.0.2.10 }
`;

const MANIFESTS = pods(['a', 'a2', 'b', 'c', 'c2', 'p']);
const EXTERNAL = edit(LAB, 'EXTERNALSNAT: false', 'EXTERNALSNAT: true');
const EXCLUDING = edit(LAB, 'SNAT_CIDRS: ""', 'SNAT_CIDRS: "198.51.100.0/24,172.16.0.0/12"');

/** The first two are the hash of `default.a` and so on; see names_test.go of the CNI for its own examples. */
const VETH = {
  a: 'eniadef7e1bd2a',
  a2: 'eni3ad95cb7b96',
  c: 'eni8b4a7c1f6ae',
  c2: 'eni8b4a7c1f6af',
};

/** Text as the tools print it, without the spaces at the ends of lines. */
async function shown(lab: TestLab, where: string, line: string): Promise<string[]> {
  return (await lab.out(where, line)).split('\n').map((one) => one.trimEnd());
}

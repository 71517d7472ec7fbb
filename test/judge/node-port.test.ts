import t from 'tap';

import { ask, cloudOf, told } from './cloud.ts';

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      app: { cidr: 10.0.1.0/24, az: az-1 }
      edge: { cidr: 10.0.2.0/24, az: az-1, routeTable: edge }
    routeTables: { edge: { routes: [{ destination: 10.0.1.0/24, target: instance/firewall }] } }
    instances:
      legacy: { subnet: app, address: 10.0.1.10, ports: [80] }
      firewall: { subnet: edge, address: 10.0.2.11, ports: [], sourceDestCheck: false }
      client: { subnet: edge, address: 10.0.2.12, ports: [] }
cluster:
  vpc: main
  nodes: { node-1: { subnet: edge, address: 10.0.2.10 } }
`;
const MANIFESTS = `apiVersion: v1
kind: Service
metadata: { name: legacy }
spec: { type: NodePort, ports: [{ port: 80, nodePort: 30080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: legacy, labels: { kubernetes.io/service-name: legacy } }
addressType: IPv4
ports: [{ name: '', port: 80 }]
endpoints: [{ addresses: [10.0.1.10] }]
`;

t.test('what is said on the way behind a node port comes back from the node port', async (t) => {
  // The firewall's subnet leads what it forwards to itself: it says that the time to live has ended, to the node.
  const cloud = cloudOf(LAB, MANIFESTS);
  for (const client of ['instance/client', 'instance/firewall']) {
    // With the firewall's own address the node's source check would drop it, and nobody would hear of it.
    t.match(told(ask(cloud, client, 'tcp 10.0.2.10:30080')), 'unreachable TTL_EXCEEDED', client);
  }
});

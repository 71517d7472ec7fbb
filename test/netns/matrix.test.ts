/**
 * Everybody asks everybody, on the real kernel: what the model predicts is what the packets say, and breaks show. The labs
 * that come with the project are asked in isolation.test.ts.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import t from 'tap';

import { findThing } from '../../src/cloud.ts';
import { differences } from '../support/matrix.ts';
import { OPEN_GROUPS, pods, withLab } from '../support/with-lab.ts';

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    ${OPEN_GROUPS}
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      private: { cidr: 10.0.2.0/24, az: az-1 }
    routeTables: { public: { routes: [{ destination: 0.0.0.0/0, target: igw }] } }
    instances:
      a: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10 }
      b: { subnet: private, address: 10.0.2.10, ports: [5432] }
cluster:
  vpc: main
  nodes: { node-1: { subnet: private } }
  pins: { pod/slow: { address: 10.0.2.30 } }
internet: { example.com: { address: 198.51.100.10 } }
`;

/** One that fails, one that is slow, one that speaks UDP, one that says nothing by HTTP, one on its node's network. */
const PODS = `${pods(['fails'])}
apiVersion: v1
kind: Pod
metadata: { name: slow, annotations: { hoplab.io/delay: 400ms } }
spec:
  containers:
    - name: main
      ports: [{ containerPort: 8080 }, { containerPort: 53, protocol: UDP }, { containerPort: 90, name: tcp-x }]
---
apiVersion: v1
kind: Pod
metadata: { name: agent }
spec: { hostNetwork: true, containers: [{ name: main, ports: [{ containerPort: 61678 }] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: mute, annotations: { hoplab.io/fails: 'true' } }
spec:
  containers:
    - name: main
      ports: [{ containerPort: 8080 }, { containerPort: 53, protocol: UDP }, { containerPort: 90, name: tcp-x }]
`;

t.test('what is broken by hand shows, and nothing else', async (t) => {
  await withLab(t, { lab: LAB, manifests: PODS }, async (lab) => {
    const cells = await lab.matrix();
    t.strictSame(differences(cells), []);
    const seen = (from: string, address: string, port: number): unknown =>
      cells.find(
        (cell) => cell.from.reference === from && cell.address === address && cell.port === port,
      )?.observed;
    t.match(seen('internet/example.com', '203.0.113.10', 80), {
      verdict: 'allowed',
      sourceSeen: '198.51.100.10',
    });
    t.match(seen('instance/a', '10.0.2.30', 53), { verdict: 'allowed', sourceSeen: '10.0.1.10' });
    t.match(seen('instance/b', '10.0.1.10', 9999), { verdict: 'refused' });
    const mute = findThing(lab.lab.cloud, 'pod/mute')?.address ?? '';
    t.match(seen('instance/a', mute, 8080), { verdict: 'allowed' }, 'it stands, then it is reset');
    t.match(seen('instance/a', mute, 53), { verdict: 'timeout' });

    const drop = 'FORWARD -s 10.0.1.10 -d 10.0.2.10 -p tcp --dport 5432 -j DROP';
    await lab.out('vpc-main', `iptables -I ${drop}`);
    t.strictSame(differences(await lab.matrix()), [
      'instance/a > instance/b, tcp 5432: allowed, seen timeout',
    ]);
    // The command line reads the lab's files.
    const { directory } = lab.lab;
    mkdirSync(join(directory, 'manifests'));
    writeFileSync(join(directory, 'lab.yaml'), LAB);
    writeFileSync(join(directory, 'manifests', 'pods.yaml'), PODS);
    const { exitCode, stdout } = await lab.cli('matrix', '--from', 'instance/a');
    t.equal(exitCode, 1);
    t.match(stdout, /✓≠✗/);
    t.match(stdout, /ask again by hand: npx hoplab exec instance\/a -- socat .*10\.0\.2\.10:5432/);
    t.match(stdout, /\d+ requests in .* s: 1 differs\n$/);
    await lab.out('vpc-main', `iptables -D ${drop}`);

    await lab.out('vpc-main', 'ip route del 10.0.2.10/32');
    const cut = differences(await lab.matrix());
    t.ok(cut.length > 0);
    t.strictSame(
      cut.filter((line) => !line.includes('instance/b')),
      [],
      'only who is cut off',
    );
    const predicted = cells.filter(
      ({ from, to, predicted: { verdict } }) =>
        [from.reference, to.reference].includes('instance/b') && verdict !== 'timeout',
    );
    t.equal(cut.length, predicted.length, 'in both directions, in all that was predicted to work');
  });
});

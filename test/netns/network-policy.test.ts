/**
 * NetworkPolicies on the real kernel: nine pods in three namespaces, from one set of policies to the next, and everybody
 * asks everybody. What each case means stands in test/support/network-policy-cases.ts, by hand.
 *
 * Packets walk through one case in nine, and other ones with another seed; the model is held against all of them in
 * test/judge/policy.test.ts. All on packets:
 *
 *     HOPLAB_POLICY_EVERY=1 sh scripts/test.sh test/netns/network-policy.test.ts
 */

import t from 'tap';

import { runMatrix } from '../../src/probe/matrix.ts';
import { matrixQuestions } from '../../src/probe/questions.ts';
import {
  POLICY_CASES,
  POLICY_LAB,
  policyManifests,
  whoIs,
} from '../support/network-policy-cases.ts';
import { renderDrift } from '../../src/report/drift.ts';
import { differences } from '../support/matrix.ts';
import { withLab } from '../support/with-lab.ts';

const EVERY = Number(process.env['HOPLAB_POLICY_EVERY'] ?? 9);
const SEED = Number(process.env['HOPLAB_SEED'] ?? 1);
const CASES = [...POLICY_CASES.entries()].filter(([index]) => index % EVERY === SEED % EVERY);

const CASES_WITH_NODES = 8;
const NOBODY_LISTENS = 9999;

function isPod({ reference }: { readonly reference: string }): boolean {
  return reference.startsWith('pod/');
}

t.test(
  `${CASES.length} of ${POLICY_CASES.length} sets of policies, one after the other`,
  async (t) => {
    await withLab(t, { lab: POLICY_LAB, manifests: policyManifests({}) }, async (lab) => {
      let requests = 0;
      for (const [index, { title, policies, labels, isAllowed }] of CASES) {
        await lab.change(POLICY_LAB, policyManifests(policies, labels));
        // A node asks its own pods and others' in the first cases; that is the same whatever the policies are about.
        const questions = matrixQuestions(lab.lab.cloud).filter(
          ({ from, to, port }) =>
            index < CASES_WITH_NODES || (isPod(from) && isPod(to) && port !== NOBODY_LISTENS),
        );
        const { cells } = await runMatrix(lab.lab.cloud, await lab.sandbox(), questions);
        requests += cells.length;
        const disagreeing = cells.filter(({ agrees }) => !agrees);
        // Who had to wait for a busy machine is asked again.
        const again =
          disagreeing.length === 0
            ? []
            : (await runMatrix(lab.lab.cloud, await lab.sandbox(), disagreeing)).cells;
        t.strictSame(differences(again), [], `${title}: as predicted`);
        const wrong = cells.filter(({ from, address, protocol, port, observed, agrees }) => {
          const [sender, receiver] = [whoIs(from.address ?? ''), whoIs(address)];
          if (sender === undefined || receiver === undefined || !agrees) return false;
          const wanted = isAllowed(sender, receiver, { protocol, port });
          return wanted !== (observed.verdict !== 'timeout');
        });
        t.strictSame(
          wrong.map(({ from, to, protocol, port }) => [
            from.reference,
            to.reference,
            protocol,
            port,
          ]),
          [],
          `${title}: as the table says`,
        );
      }
      t.comment(`${requests} requests`);
      t.strictSame((await lab.verify()).drift, [], 'all stands as planned at the end');
    });
  },
);

t.test('what is broken by hand is named and mended, and lets nobody pass any more', async (t) => {
  const policies = {
    'x/in':
      'podSelector: { matchLabels: { pod: a } }, ingress: [{ from: [{ podSelector: { matchLabels: { pod: b } } }], ports: [{ port: 80 }] }]',
  };
  const manifests = policyManifests(policies);
  await withLab(t, { lab: POLICY_LAB, manifests }, async (lab) => {
    const node = 'node/node-1';
    const set = async (kind: string): Promise<string> =>
      lab.out(node, `ipset -n list | grep NETPOL-${kind}`);
    const [pods, peers] = [await set('PODS'), await set('PEER')];
    const asks = async (): Promise<Record<string, string>> =>
      lab.curl({ b: ['pod/x/b', '10.0.3.11:80'], c: ['pod/x/c', '10.0.3.11:80'] });
    t.match(await asks(), { b: 'client 10.0.4.12', c: 'exit 28' });

    const breaks: readonly (readonly [line: string, said: RegExp, seen: Record<string, string>])[] =
      [
        [
          `ipset del ${peers} 10.0.4.12`,
          /netpol\/x\/in: ipset NETPOL-PEER-\S+ lacks a member/,
          { b: 'exit 28', c: 'exit 28' },
        ],
        [
          `ipset add ${peers} 10.0.3.13`,
          /netpol\/x\/in: ipset NETPOL-PEER-\S+ has a member more/,
          { b: 'client 10.0.4.12', c: 'client 10.0.3.13' },
        ],
        [
          `ipset flush ${pods}`,
          /netpol\/x\/in: ipset NETPOL-PODS-\S+ lacks a member/,
          { b: 'client 10.0.4.12', c: 'client 10.0.3.13' },
        ],
        [
          'iptables -F NETPOL-INGRESS',
          /node\/node-1: chain NETPOL-INGRESS \(iptables -t filter\) lacks 8 rules/,
          { b: 'client 10.0.4.12', c: 'client 10.0.3.13' },
        ],
        [
          'ipset create more hash:net && iptables -I FORWARD -m set --match-set more src -j ACCEPT',
          /an ipset more: more/,
          { b: 'client 10.0.4.12', c: 'exit 28' },
        ],
        [
          `iptables -F && iptables -X && ipset destroy ${peers} && ipset create ${peers} hash:net`,
          /netpol\/x\/in: ipset NETPOL-PEER-\S+/,
          { b: 'client 10.0.4.12', c: 'client 10.0.3.13' },
        ],
      ];
    for (const [line, said, seen] of breaks) {
      await lab.out(node, line);
      t.match(await asks(), seen, line);
      const { before, after } = await lab.repair();
      t.match(renderDrift(before.drift, false), said, line);
      t.strictSame(after.drift, [], `mended: ${line}`);
    }
    t.match(await asks(), { b: 'client 10.0.4.12', c: 'exit 28' });

    const { stdout } = await lab.cli('drops');
    t.match(
      stdout,
      /NETPOL x\/in ingress +tcp +10\.0\.3\.13:\d+ pod\/x\/c +-> +10\.0\.3\.11:80 pod\/x\/a/,
    );
    t.match(stdout, /look: npx hoplab exec node\/node-1 -- iptables -L NETPOL-IN-DENY-\S+ -n -v/);

    await lab.change(POLICY_LAB, policyManifests({}));
    t.equal((await lab.in(node, 'ipset -n list')).stdout, '', 'without policies nothing is left');
    t.notMatch(await lab.out(node, 'iptables-save'), /NETPOL/);
  });
});

t.test('an open connection goes on when a policy comes that would not let it begin', async (t) => {
  await withLab(t, { lab: POLICY_LAB, manifests: policyManifests({}) }, async (lab) => {
    await lab.echoServer('pod/x/a', 7000);
    const connection = await lab.connect('pod/y/b', '10.0.3.11:7000');
    t.equal(await connection.say(), 'echo');
    const deny = { 'x/deny': 'podSelector: {}, policyTypes: [Ingress, Egress]' };
    await lab.change(POLICY_LAB, policyManifests(deny));
    t.equal(await connection.say(), 'echo');
    const { exitCode } = await lab.in(
      'pod/y/b',
      'socat -u OPEN:/dev/null TCP:10.0.3.11:7000,connect-timeout=0.5',
    );
    t.not(exitCode, 0, 'a new one does not begin');
    await connection.close();
  });
});

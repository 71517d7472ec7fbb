/**
 * NetworkPolicies on the real kernel: nine pods in three namespaces, from one set of policies to the next, and everybody
 * asks everybody. What each case means stands in test/support/network-policy-cases.ts, by hand.
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
import { differences } from '../support/matrix.ts';
import { withLab } from '../support/with-lab.ts';

const CASES_WITH_NODES = 8;
const NOBODY_LISTENS = 9999;

function isPod({ reference }: { readonly reference: string }): boolean {
  return reference.startsWith('pod/');
}

t.test(`${POLICY_CASES.length} sets of policies, one after the other`, async (t) => {
  await withLab(t, { lab: POLICY_LAB, manifests: policyManifests({}) }, async (lab) => {
    let requests = 0;
    for (const [index, { title, policies, isAllowed }] of POLICY_CASES.entries()) {
      await lab.change(POLICY_LAB, policyManifests(policies));
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
        wrong.map(({ from, to, protocol, port }) => [from.reference, to.reference, protocol, port]),
        [],
        `${title}: as the table says`,
      );
    }
    t.comment(`${requests} requests`);
    t.strictSame((await lab.verify()).drift, [], 'all stands as planned at the end');
  });
});

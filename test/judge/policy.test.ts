/** What the model says of NetworkPolicies, held against a table that was written by hand. */

import t from 'tap';

import { predict } from '../../src/probe/matrix.ts';
import { matrixQuestions } from '../../src/probe/questions.ts';
import { loadText } from '../../src/pipeline.ts';
import {
  POLICY_CASES,
  POLICY_LAB,
  policyManifests,
  PORT_PAIR_CASES,
  whoIs,
} from '../support/network-policy-cases.ts';

for (const { title, policies, labels, isAllowed } of [...POLICY_CASES, ...PORT_PAIR_CASES]) {
  t.test(title, async (t) => {
    const { cloud } = loadText({
      name: 'policies',
      directory: '/',
      lab: { file: 'lab.yaml', text: POLICY_LAB },
      manifests: [{ file: 'policies.yaml', text: policyManifests(policies, labels) }],
    });
    const wrong: string[] = [];
    let asked = 0;
    for (const question of matrixQuestions(cloud)) {
      const from = whoIs(question.from.address ?? '');
      const to = whoIs(question.address);
      if (from === undefined || to === undefined) continue;
      asked += 1;
      const { protocol, port } = question;
      const wanted = isAllowed(from, to, { protocol, port });
      const [{ verdict, code }] = predict(cloud, question);
      const isRight = wanted ? code !== 'NETWORK_POLICY' : code === 'NETWORK_POLICY';
      if (isRight && wanted === (verdict !== 'timeout')) continue;
      wrong.push(
        `${question.from.reference} > ${from === to ? '' : question.address} ${protocol} ${port}: ${verdict} ${code}`,
      );
    }
    t.strictSame(wrong, []);
    // A ping, four ports that are served and one that is not, between any two.
    t.equal(asked, 9 * 8 * 6);
  });
}

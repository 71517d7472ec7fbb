import t from 'tap';

import { cellOf, type Observation, parseAnswer, predict } from '../../src/probe/matrix.ts';
import { matrixQuestions } from '../../src/probe/questions.ts';
import { takePorts } from '../../src/probe/ports.ts';
import { cloudOf } from '../judge/cloud.ts';

t.test('a line of the prober is read', async (t) => {
  t.strictSame(parseAnswer('12 allowed 1.3 10.0.1.5'), [
    12,
    { verdict: 'allowed', timeMs: 1.3, sourceSeen: '10.0.1.5', said: undefined },
  ]);
  t.strictSame(parseAnswer('3 unreachable 0.1 - Network is unreachable'), [
    3,
    {
      verdict: 'unreachable',
      timeMs: 0.1,
      sourceSeen: undefined,
      said: 'Network is unreachable',
    },
  ]);
  t.throws(() => parseAnswer('Segmentation fault'));
});

t.test(
  'what agrees: the verdict, the source where it was said, and what nobody can know',
  async (t) => {
    const cloud = cloudOf(`
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets: { one: { cidr: 10.0.1.0/24, az: az-1 } }
    instances: { a: { subnet: one, address: 10.0.1.10 }, b: { subnet: one, address: 10.0.1.20 } }
`);
    const [question] = matrixQuestions(cloud, { port: 80 });
    if (question === undefined) throw new Error('two instances have a question');
    const [predicted] = predict(cloud, question);
    const seen = (verdict: Observation['verdict'], source?: string): Observation =>
      parseAnswer(`0 ${verdict} 1.0 ${source ?? '-'}`)[1];
    const agrees = (observed: Observation, depends?: string): boolean =>
      cellOf(question, [depends === undefined ? predicted : { ...predicted, depends }], observed)
        .agrees;
    t.match(predicted, { verdict: 'allowed', sourceSeen: '10.0.1.10' });
    t.equal(agrees(seen('allowed')), true);
    t.equal(agrees(seen('allowed', '10.0.1.10')), true);
    t.equal(agrees(seen('allowed', '10.0.1.11')), false);
    t.equal(agrees(seen('timeout')), false);
    t.equal(agrees(seen('timeout'), 'the source port'), true);
  },
);

t.test('source ports are given out once, in rows that do not go round the end', async (t) => {
  const seen = new Set<number>();
  for (let taken = 0; taken < 26_000; taken += 8) {
    const { from, to } = takePorts(8);
    if (to - from !== 7) t.fail(`${from} to ${to}`);
    for (let port = from; port <= to; port += 1) seen.add(port);
  }
  t.equal(seen.size, 26_000);
  t.ok(Math.min(...seen) >= 33_000);
  t.ok(Math.max(...seen) < 60_000);
});

import t from 'tap';

import { judge } from '../../src/judge/judge.ts';
import { loadText } from '../../src/pipeline.ts';
import { parseDrop } from '../../src/observe/drop.ts';
import type { ProbeResult } from '../../src/probe/run.ts';
import { resolveRequest } from '../../src/probe/request.ts';
import { Diagnostics } from '../../src/base/diagnostic.ts';
import { renderGroups, renderSummary } from '../../src/report/probes.ts';

const LAB = loadText({
  name: 'report',
  directory: '/nowhere',
  lab: {
    file: 'lab.yaml',
    text: `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets: { one: { cidr: 10.0.1.0/24, az: az-1 } }
    instances: { a: { subnet: one }, b: { subnet: one, address: 10.0.1.9 } }
probes:
  gets-through: { from: instance/a, http: 'http://10.0.1.9/', expect: { status: 200 } }
  does-not: { from: instance/a, tcp: '10.0.1.77:80', expect: timeout }
`,
  },
  manifests: [],
});

function result(name: string, seen: Pick<ProbeResult, 'outcome' | 'evidence'>): ProbeResult {
  const probe = LAB.spec.file.probes[name];
  if (probe === undefined) throw new Error(name);
  const where = LAB.spec.where.in('probes', name);
  const request = resolveRequest(probe, LAB.cloud, where, new Diagnostics());
  if (request === undefined) throw new Error(name);
  return {
    name,
    probe,
    request,
    judgement: judge(LAB.cloud, {
      protocol: 'tcp',
      from: request.from,
      destination: request.destination,
      port: request.port,
      http: request.kind === 'http',
    }),
    timeMs: 1.26,
    sourceSeen: undefined,
    differences: [],
    byHand: '',
    ...seen,
  };
}

const evidence = (path: readonly string[]): ProbeResult['evidence'] => ({
  path,
  first: undefined,
  last: undefined,
  roundTripMs: undefined,
  denied: [],
});
const GROUPS = [
  {
    experiment: undefined,
    about: undefined,
    changes: {},
    cloud: LAB.cloud,
    results: [
      result('gets-through', {
        outcome: { verdict: 'allowed', status: 200 },
        evidence: evidence(['instance/a', 'instance/b']),
      }),
      result('does-not', { outcome: { verdict: 'timeout' }, evidence: evidence(['instance/a']) }),
    ],
  },
];
const WIDE = `   FLOW          FROM        TO                EXPECTED  SEEN     TIME    PATH (observed)
✓  gets-through  instance/a  http 10.0.1.9/    200       200      1.3 ms  instance/a > instance/b
✓  does-not      instance/a  tcp 10.0.1.77:80  timeout   timeout  1.3 ms  instance/a`;

t.test('a probe is a line in a pipe, and on a terminal that is wide enough', async (t) => {
  t.equal(renderGroups(GROUPS), WIDE);
  t.equal(renderGroups(GROUPS, undefined, 200), WIDE);
});

t.test('on a narrow terminal the path stands under the probe', async (t) => {
  t.equal(
    renderGroups(GROUPS, undefined, 80),
    `   FLOW          SEEN                  TIME
✓  gets-through  200                   1.3 ms
   instance/a > instance/b
✓  does-not      timeout, as expected  1.3 ms
   instance/a`,
  );
});

t.test('what denied a probe stands under it, each once', async (t) => {
  const line = '1764000000.123456 vpc-main tcp 10.0.1.4:33000 -> 10.0.1.77:80 60';
  const denied = ['SG db ingress (no rule)', 'SG db ingress (no rule)', 'NACL a egress (rule 90)'];
  const drops = denied.flatMap((reason) => parseDrop(`${line} ${reason}`) ?? []);
  const [group] = GROUPS;
  const results = (group?.results ?? []).map((one, index) =>
    index === 0 ? one : { ...one, evidence: { ...one.evidence, denied: drops } },
  );
  const groups = GROUPS.map((one) => ({ ...one, results }));
  const under = '\n   denied by sg/db ingress\n   denied by acl/a egress rule 90';
  t.equal(renderGroups(groups), `${WIDE}${under}`);
  t.ok(renderGroups(groups, undefined, 80).endsWith(`\n   instance/a${under}`));
});

t.test(
  'the names that a server was asked for stand under a probe; none where it was silent',
  async (t) => {
    const [group] = GROUPS;
    const under = (asked: readonly string[]): string => {
      const results = (group?.results ?? []).map((one, index) =>
        index === 0 ? one : { ...one, outcome: { ...one.outcome, asked } },
      );
      return renderGroups(GROUPS.map((one) => ({ ...one, results })));
    };
    t.equal(under(['a.b', 'a']), `${WIDE}\n   asked for a.b, a`);
    t.equal(under([]), WIDE);
  },
);

t.test('the summary counts what was as expected', async (t) => {
  t.equal(renderSummary(GROUPS), '2 probes, all as expected and as the model predicts');
});

import t from 'tap';

import {
  cellOf,
  type Matrix,
  type MatrixCell,
  parseAnswer,
  predict,
} from '../../src/probe/matrix.ts';
import { matrixQuestions } from '../../src/probe/questions.ts';
import {
  matrixToJson,
  renderMatrix,
  renderMatrixDifferences,
  renderMatrixSummary,
  renderRequests,
} from '../../src/report/matrix.ts';
import { cloudOf } from '../judge/cloud.ts';

const CLOUD = cloudOf(`
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      one: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
    routeTables: { public: { routes: [{ destination: 0.0.0.0/0, target: igw }] } }
    instances:
      web: { subnet: one, address: 10.0.1.10, elasticIp: 203.0.113.10 }
      db: { subnet: one, address: 10.0.1.20, ports: [5432] }
internet: { example.com: { address: 198.51.100.10 } }
`);

/** All as predicted, but for what stands here: `FROM > ADDRESS PORT` to a line of the prober. */
function cells(others: Readonly<Record<string, string>> = {}, depends?: string): MatrixCell[] {
  return matrixQuestions(CLOUD).map((question) => {
    const { from, address, port } = question;
    const [predicted] = predict(CLOUD, question);
    const answer = others[`${from.reference} > ${address} ${port}`] ?? `${predicted.verdict} 1.0 -`;
    const [, observed] = parseAnswer(`0 ${answer}`);
    const isUnknown = depends === `${from.reference} > ${address} ${port}`;
    return cellOf(
      question,
      [isUnknown ? { ...predicted, depends: 'a port' } : predicted],
      observed,
    );
  });
}

const matrix = (list: readonly MatrixCell[]): Matrix => ({ cells: list, seconds: 1.24 });

t.test('rows ask, columns are asked, and over the marks stands what was asked', async (t) => {
  t.strictSame(renderMatrix(cells()).split('\n'), [
    '                      instance/web  instance/web  instance/db     internet/example.com',
    '                      10.0.1.10     203.0.113.10  10.0.1.20       198.51.100.10',
    'FROM                  ping 80 9999  ping 80 9999  ping 5432 9999  ping 80 9999',
    'instance/web                                      ✓    ✓    r     ✓    ✓  r',
    'instance/db           ✓    ✓  r     ✗    ✗  ✗                     ✗    ✗  ✗',
    'internet/example.com  ✗    ✗  ✗     ✓    ✓  r     ✗    ✗    ✗',
    '✓ allowed  ✗ timeout  r refused',
  ]);
});

const BROKEN = cells({
  'instance/db > 10.0.1.10 80': 'timeout 300.2 -',
  'instance/web > 198.51.100.10 80': 'allowed 2.1 203.0.113.77',
  'instance/web > 10.0.1.20 0': 'unreachable 0.1 - Network is unreachable',
});

t.test('where it differs, both verdicts stand there', async (t) => {
  t.strictSame(renderMatrix(BROKEN).split('\n').slice(3), [
    'instance/web                                       ✓≠u  ✓    r     ✓    ✓≠src r',
    'instance/db           ✓    ✓≠✗ r     ✗    ✗  ✗                     ✗    ✗     ✗',
    'internet/example.com  ✗    ✗   ✗     ✓    ✓  r     ✗    ✗    ✗',
    '✓ allowed  ✗ timeout  r refused  u unreachable  predicted≠seen',
  ]);
});

t.test('what does not fit is a list by sender', async (t) => {
  t.strictSame(renderMatrix(BROKEN, undefined, 60).split('\n').slice(0, 7), [
    'instance/web',
    '  instance/db           10.0.1.20      ping ✓≠u  5432 ✓  9999 r',
    '  internet/example.com  198.51.100.10  ping ✓  80 ✓≠src  9999 r',
    'instance/db',
    '  instance/web          10.0.1.10      ping ✓  80 ✓≠✗  9999 r',
    '  instance/web          203.0.113.10   ping ✗  80 ✗  9999 ✗',
    '  internet/example.com  198.51.100.10  ping ✗  80 ✗  9999 ✗',
  ]);
});

t.test('each difference comes with what decides in the model, and how to ask again', async (t) => {
  t.strictSame(renderMatrixDifferences(BROKEN.slice(0, 5)).split('\n'), [
    '✗ instance/web -> instance/db, ping 10.0.1.20',
    '  predicted allowed, seen unreachable (Network is unreachable)',
    '  model: instance/web reaches instance/db: route table "public" of subnet "one" has 10.0.1.20 as "local" [REACHABLE]',
    '  ask again by hand: npx hoplab exec instance/web -- ping -c 1 10.0.1.20',
    '✗ instance/web -> internet/example.com, tcp 198.51.100.10:80',
    '  predicted the source 203.0.113.10, the receiver saw 203.0.113.77',
    '  model: instance/web reaches internet/example.com: route table "public" of subnet "one" sends 0.0.0.0/0 to igw, igw maps 10.0.1.10 to 203.0.113.10 (lab.yaml:8) [REACHABLE]',
    '  ask again by hand: npx hoplab exec instance/web -- socat -u OPEN:/dev/null TCP4:198.51.100.10:80,connect-timeout=0.3',
  ]);
});

t.test('what hangs on a source port is marked, and is no difference', async (t) => {
  const question = 'instance/web > 10.0.1.20 5432';
  const list = cells({ [question]: 'timeout 300.0 -' }, question);
  const lines = renderMatrix(list).split('\n');
  t.match(lines[3], /^instance\/web +✓ {4}✗\? {3}r/);
  t.match(lines.at(-1), /\? depends on a source port$/);
  t.equal(
    renderMatrixSummary(matrix(list)),
    '24 requests in 1.2 s: all as predicted but 1 that depends on a source port',
  );
});

t.test('the summary counts', async (t) => {
  t.equal(renderMatrixSummary(matrix(cells())), '24 requests in 1.2 s: all as predicted');
  t.equal(renderMatrixSummary(matrix(BROKEN)), '24 requests in 1.2 s: 3 differ');
  t.equal(renderMatrixSummary(matrix(BROKEN.slice(0, 1))), '1 request in 1.2 s: 1 differs');
  t.equal(renderMatrix([]), '');
});

t.test('every request has a line, and is JSON', async (t) => {
  t.match(
    renderRequests(BROKEN).split('\n')[5],
    /^✗ {2}instance\/web +internet\/example.com +tcp 198\.51\.100\.10:80 +allowed +allowed +203\.0\.113\.77 +2\.1 ms +instance\/web reaches/,
  );
  t.match(matrixToJson(matrix(BROKEN)), {
    requests: 24,
    differ: 3,
    cells: [
      {
        from: 'instance/web',
        to: 'instance/db',
        address: '10.0.1.20',
        protocol: 'icmp',
        port: null,
        predicted: { verdict: 'allowed', code: 'REACHABLE' },
        observed: { verdict: 'unreachable', sourceSeen: null, said: 'Network is unreachable' },
        agrees: false,
      },
    ],
  });
});

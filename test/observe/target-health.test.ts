import t from 'tap';

import { targetHealth } from '../../src/observe/target-health.ts';
import { parseHaproxyStat } from '../../src/observe/haproxy-stat.ts';

/** With a few of its eighty columns, which are found by their names. */
const STAT = `# pxname,svname,scur,status,check_status,check_code,last_chk,check_desc,
front:80,FRONTEND,1,OPEN,,,,,
b,one,2,UP,* L7OK,200,"OK, ""well""",Layer7 check passed,
b,two,0,DOWN,L7STS,500,Internal Server Error,Layer7 wrong status,
b,three,0,UP 1/2,L4CON,,Connection refused,Layer4 connection problem,
b,four,0,DOWN,L4TOUT,,,Layer4 timeout,
b,five,0,DOWN,INI,,,Initializing,
b,six,0,DOWN 1/2,L7OK,200,OK,Layer7 check passed,
b,seven,0,DOWN,L4CON,,Connection refused,Layer4 connection problem,
b,BACKEND,2,UP,,,,,
b:open,one,0,no check,,,,,

`;

t.test('servers alone, and their last check that has ended', async (t) => {
  const stats = parseHaproxyStat(STAT);
  t.equal(stats.length, 8);
  t.strictSame(stats[0], {
    ...{ backend: 'b', server: 'one', isUp: true, requests: 2 },
    check: { status: 'L7OK', code: 200, text: 'OK, "well"' },
  });
  t.strictSame(stats[3]?.check, { status: 'L4TOUT', code: undefined, text: 'Layer4 timeout' });
  t.strictSame(stats[7], {
    ...{ backend: 'b:open', server: 'one', isUp: true, requests: 0 },
    check: undefined,
  });
  t.strictSame(parseHaproxyStat(''), []);
  t.strictSame(parseHaproxyStat('Unknown command\n'), []);
});

t.test('what AWS says of each', async (t) => {
  const said = parseHaproxyStat(STAT).map((stat) => {
    const { state, reason, description, seen } = targetHealth(stat) ?? {};
    return `${stat.server}: ${[state, reason, description, seen].filter(Boolean).join(', ')}`;
  });
  t.strictSame(said, [
    'one: healthy',
    'two: unhealthy, Target.ResponseCodeMismatch, Health checks failed with these codes: [500], 500 Internal Server Error',
    'three: healthy',
    'four: unhealthy, Target.Timeout, Request timed out, connection timed out',
    'five: initial, Elb.InitialHealthChecking, Initial health checks in progress',
    'six: unhealthy, Target.FailedHealthChecks, Health checks failed, passed the last check, 200',
    'seven: unhealthy, Target.FailedHealthChecks, Health checks failed, Connection refused',
    'one: ',
  ]);
});

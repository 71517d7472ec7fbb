import t from 'tap';

import {
  fittingRule,
  type Listener,
  type ListenerRule,
  loadBalancerDnsName,
  type PathCondition,
} from '../../src/aws/application-load-balancer.ts';
import {
  fitsCondition,
  type RuleCondition,
  type RuleRequest,
} from '../../src/aws/rule-condition.ts';
import { type HealthCheck, isSuccess } from '../../src/aws/target-group.ts';
import { cidr, ipv4 } from '../../src/base/ip.ts';

const AT = { file: 'm.yaml', line: 1, column: 1 };

function rule(
  priority: number,
  hosts: readonly string[],
  kind?: PathCondition['kind'],
  path = '/',
): ListenerRule {
  const action = { kind: 'fixed', status: priority, contentType: 'text/plain', body: '' } as const;
  const paths = kind === undefined ? [] : [{ kind, path }];
  return { priority, hosts, paths, conditions: [], action, at: AT };
}

const REQUEST: RuleRequest = {
  ...{ host: 'h', path: '/', query: '', method: 'GET', headers: new Map() },
  source: ipv4('198.51.100.10'),
};

/** The priority of the rule that fits. */
function fit(rules: readonly ListenerRule[], url: string): number | undefined {
  const listener: Listener = { port: 80, tls: undefined, rules };
  const [host = '', ...rest] = url.split('/');
  return fittingRule(listener, { ...REQUEST, host, path: `/${rest.join('/')}` })?.priority;
}

t.test('the lowest priority that fits decides', async (t) => {
  const rules = [rule(3, []), rule(1, ['a.example']), rule(2, ['a.example', 'b.example'])];
  t.equal(fit(rules, 'a.example/'), 1);
  t.equal(fit(rules, 'B.example/'), 2);
  t.equal(fit(rules, 'c.example/'), 3);
  t.equal(fit(rules.slice(1), 'c.example/'), undefined);
});

t.test('a prefix is of whole elements, an exact path of all of it', async (t) => {
  const prefix = [rule(1, [], 'prefix', '/foo')];
  for (const url of ['h/foo', 'h/foo/', 'h/foo/bar']) t.equal(fit(prefix, url), 1, url);
  for (const url of ['h/foobar', 'h/', 'h/fo']) t.equal(fit(prefix, url), undefined, url);
  t.equal(fit([rule(1, [], 'prefix', '/')], 'h/anything'), 1);
  const exact = [rule(1, [], 'exact', '/foo')];
  t.equal(fit(exact, 'h/foo'), 1);
  for (const url of ['h/foo/', 'h/foo/bar']) t.equal(fit(exact, url), undefined, url);
  t.equal(fit([rule(1, [], 'pattern', '/foo/*')], 'h/foo/bar'), 1);
});

t.test('a star stands for what is before a domain', async (t) => {
  const rules = [rule(1, ['*.example.com'])];
  t.equal(fit(rules, 'a.example.com/'), 1);
  t.equal(fit(rules, 'example.com/'), undefined);
});

t.test('in hosts and paths stars and question marks stand for anything', async (t) => {
  t.equal(fit([rule(1, ['api?.*.com'])], 'api1.example.com/'), 1);
  t.equal(fit([rule(1, ['api?.*.com'])], 'api.example.com/'), undefined);
  const pattern = [rule(1, [], 'pattern', '/img/*.png')];
  t.equal(fit(pattern, 'h/img/a/b.png'), 1);
  for (const url of ['h/img/a.pngx', 'h/img/apng', 'h/IMG/a.png']) {
    t.equal(fit(pattern, url), undefined, url);
  }
});

t.test('conditions look at a header, the method, the query and the source', async (t) => {
  const fits = (condition: RuleCondition, request: Partial<RuleRequest>): boolean =>
    fitsCondition(condition, { ...REQUEST, ...request });
  const beta: RuleCondition = { field: 'http-header', header: 'X-Beta', values: ['y*', '1.0'] };
  const header = (value: string): Partial<RuleRequest> => ({
    headers: new Map([['x-beta', value]]),
  });
  for (const value of ['yes', 'Y', '1.0']) t.ok(fits(beta, header(value)), value);
  for (const value of ['no', 'xy', '1x0']) t.notOk(fits(beta, header(value)), value);
  t.notOk(fits(beta, {}));
  const reads: RuleCondition = { field: 'http-request-method', values: ['GET', 'HEAD'] };
  t.ok(fits(reads, {}));
  t.notOk(fits(reads, { method: 'POST' }));
  const query: RuleCondition = { field: 'query-string', values: [{ key: 'v', value: '2*' }] };
  for (const text of ['v=2', 'a=1&v=20', 'V=2&b=3']) t.ok(fits(query, { query: text }), text);
  for (const text of ['', 'v=1', 'av=2', 'v=1&w=2']) t.notOk(fits(query, { query: text }), text);
  const alone: RuleCondition = { field: 'query-string', values: [{ key: undefined, value: 'x' }] };
  for (const text of ['x', 'a=x', 'b=1&a=x']) t.ok(fits(alone, { query: text }), text);
  t.notOk(fits(alone, { query: 'x=1' }));
  const source: RuleCondition = { field: 'source-ip', values: [cidr('198.51.100.0/28')] };
  t.ok(fits(source, {}));
  t.notOk(fits(source, { source: ipv4('198.51.100.16') }));
});

t.test('a matcher is a list of statuses and ranges', async (t) => {
  const check = (...successCodes: HealthCheck['successCodes']): HealthCheck => ({
    ...{ protocol: 'HTTP', path: '/', port: undefined, intervalSeconds: 5, timeoutSeconds: 2 },
    ...{ healthyThreshold: 2, unhealthyThreshold: 2, successCodes },
  });
  const one = { from: 200, to: 200 };
  t.equal(isSuccess(check(one), 200), true);
  t.equal(isSuccess(check(one, { from: 300, to: 310 }), 302), true);
  t.equal(isSuccess(check({ from: 200, to: 299 }), 500), false);
});

t.test('a load balancer has a name of AWS, and an internal one says so', async (t) => {
  t.match(
    loadBalancerDnsName('k8s-x', 'internet-facing'),
    /^k8s-x-\d+\.us-east-1\.elb\.amazonaws\.com$/,
  );
  t.match(loadBalancerDnsName('k8s-x', 'internal'), /^internal-k8s-x-/);
});

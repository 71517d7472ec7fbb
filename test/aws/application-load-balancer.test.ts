import t from 'tap';

import {
  fittingRule,
  type Listener,
  type ListenerRule,
  loadBalancerDnsName,
  type PathCondition,
} from '../../src/aws/application-load-balancer.ts';
import { isSuccess } from '../../src/judge/balancer.ts';

const AT = { file: 'm.yaml', line: 1, column: 1 };

function rule(
  priority: number,
  hosts: readonly string[],
  kind?: PathCondition['kind'],
  path = '/',
): ListenerRule {
  const action = { kind: 'fixed', status: priority, contentType: 'text/plain', body: '' } as const;
  return { priority, hosts, paths: kind === undefined ? [] : [{ kind, path }], action, at: AT };
}

/** The priority of the rule that fits. */
function fit(rules: readonly ListenerRule[], url: string): number | undefined {
  const listener: Listener = { port: 80, tls: undefined, rules };
  const [host = '', ...rest] = url.split('/');
  return fittingRule(listener, { host, path: `/${rest.join('/')}` })?.priority;
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
  t.equal(fit([rule(1, [], 'any', '/foo/*')], 'h/foo/bar'), 1);
});

t.test('a star stands for what is before a domain', async (t) => {
  const rules = [rule(1, ['*.example.com'])];
  t.equal(fit(rules, 'a.example.com/'), 1);
  t.equal(fit(rules, 'example.com/'), undefined);
});

t.test('a matcher is a list of statuses and ranges', async (t) => {
  t.equal(isSuccess(200, '200'), true);
  t.equal(isSuccess(302, '200,300-310'), true);
  t.equal(isSuccess(500, '200-299'), false);
});

t.test('a load balancer has a name of AWS, and an internal one says so', async (t) => {
  t.match(
    loadBalancerDnsName('k8s-x', 'internet-facing'),
    /^k8s-x-\d+\.us-east-1\.elb\.amazonaws\.com$/,
  );
  t.match(loadBalancerDnsName('k8s-x', 'internal'), /^internal-k8s-x-/);
});

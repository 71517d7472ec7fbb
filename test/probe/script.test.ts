import { execFileSync } from 'node:child_process';

import t from 'tap';

import { renderSampleConfig } from '../../src/probe/script.ts';

const config = (text: string, from: number, to: number): string =>
  execFileSync('sh', ['-c', renderSampleConfig({ text }, { from, to }, 0.3)], { encoding: 'utf8' });

t.test('each sample has a connection and a source port of its own', async (t) => {
  const sample = (port: number): string => `url = "http://172.20.0.50/a%20b?c"
header = "Connection: close"
write-out = "%{stderr}%{time_total}\\n"
connect-timeout = 0.3
max-time = 3.3
local-port = ${port}-59999
`;
  t.equal(
    config('http://172.20.0.50/a%20b?c', 40_000, 40_002),
    [40_000, 40_001, 40_002].map(sample).join('next\n'),
  );
});

t.test('who asks by TLS trusts the cluster', async (t) => {
  t.match(
    config('https://kubernetes.default.svc/', 40_000, 40_000),
    'cacert = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"\n',
  );
});

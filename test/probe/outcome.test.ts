import t from 'tap';

import type { RequestKind } from '../../src/observe/probe-spec.ts';
import { readOutcome, type ToolResult } from '../../src/probe/outcome.ts';

function verdict(kind: RequestKind, result: Partial<ToolResult>): string {
  return readOutcome(kind, { exitCode: 1, out: '', err: '', body: '', ...result }).verdict;
}

t.test('curl: an answer says its status, who answered, and whom it saw', async (t) => {
  const found = readOutcome('http', {
    exitCode: 0,
    out: '{"http_code":200,"time_total":0.0125}',
    err: '',
    body: '{"pod":"web","namespace":"shop","client":"10.0.3.50"}',
  });
  t.match(found, {
    verdict: 'allowed',
    status: 200,
    timeMs: 12.5,
    client: '10.0.3.50',
    answeredBy: 'pod/shop/web',
  });
});

t.test('curl: how a request fails', async (t) => {
  const cases: [number, string, string][] = [
    [
      7,
      'curl: (7) Failed to connect to 10.0.3.50 port 80 after 0 ms: Connection refused',
      'refused',
    ],
    [
      7,
      'curl: (7) Failed to connect to 10.0.3.50 port 80 after 0 ms: No route to host',
      'unreachable',
    ],
    [28, 'curl: (28) Connection timed out after 301 milliseconds', 'timeout'],
    [52, 'curl: (52) Empty reply from server', 'reset'],
    [56, 'curl: (56) Recv failure: Connection reset by peer', 'reset'],
  ];
  t.strictSame(
    cases.map(([exitCode, err]) => verdict('http', { exitCode, err, out: '{}' })),
    cases.map(([, , wanted]) => wanted),
  );
});

t.test('curl: why there is no connection, in the words of any version', async (t) => {
  const failed = (...lines: string[]): string => lines.map((line) => `* ${line}\n`).join('');
  const cases: [string, string, string][] = [
    [
      failed('connect to 10.0.3.50 port 80 failed: Connection refused', 'Closing connection 0') +
        "curl: (7) Failed to connect to 10.0.3.50 port 80 after 0 ms: Couldn't connect to server",
      'refused',
      'Failed to connect to 10.0.3.50 port 80 after 0 ms: Connection refused',
    ],
    [
      failed('connect to 10.0.3.50 port 80 from 10.0.3.51 port 1024 failed: No route to host') +
        'curl: (7) Failed to connect to 10.0.3.50 port 80 after 9 ms: Could not connect to server',
      'unreachable',
      'Failed to connect to 10.0.3.50 port 80 after 9 ms: No route to host',
    ],
    [
      failed('Immediate connect fail for 10.0.3.50: Network is unreachable') +
        "curl: (7) Failed to connect to web port 80 after 0 ms: Couldn't connect to server",
      'unreachable',
      'Failed to connect to web port 80 after 0 ms: Network is unreachable',
    ],
    [
      failed('connect to 10.0.3.50 port 80 failed: No route to host') +
        failed('connect to 10.0.3.51 port 80 failed: Connection refused') +
        "curl: (7) Failed to connect to web port 80 after 9 ms: Couldn't connect to server",
      'refused',
      'Failed to connect to web port 80 after 9 ms: Connection refused',
    ],
    [
      'nsenter: failed to execute curl: No such file or directory\n',
      'unreachable',
      'nsenter: failed to execute curl: No such file or directory',
    ],
  ];
  for (const [err, wanted, said] of cases) {
    const found = readOutcome('http', { exitCode: 7, out: '{}', err, body: '' });
    t.match(found, { verdict: wanted, said });
  }
});

t.test('ping: replies, refusals and silence', async (t) => {
  const reply = '64 bytes from 10.0.4.50: icmp_seq=1 ttl=62 time=0.123 ms';
  t.match(readOutcome('ping', { exitCode: 0, out: reply, err: '', body: '' }), {
    verdict: 'allowed',
    ttl: 62,
    timeMs: 0.123,
  });
  t.strictSame(
    [
      verdict('ping', { out: 'From 10.0.3.1 icmp_seq=1 Frag needed and DF set (mtu = 1500)' }),
      verdict('ping', { err: 'ping: local error: message too long, mtu=9001' }),
      verdict('ping', { out: 'From 10.0.3.10 icmp_seq=1 Destination Host Unreachable' }),
      verdict('ping', { out: '1 packets transmitted, 0 received, 100% packet loss' }),
    ],
    ['too-big', 'too-big', 'unreachable', 'timeout'],
  );
});

t.test('socat: TCP and UDP', async (t) => {
  const says = (what: string) => ({
    err: `2026/01/01 00:00:00 socat[1] E connect(5, AF=2 10.0.3.50:80, 16): ${what}`,
  });
  t.strictSame(
    [
      verdict('tcp', { exitCode: 0 }),
      verdict('tcp', says('Connection refused')),
      verdict('tcp', says('Connection timed out')),
      verdict('tcp', says('No route to host')),
      verdict('udp', { exitCode: 0, out: '{"pod":"web","client":"10.0.3.50"}' }),
      verdict('udp', { exitCode: 0 }),
      verdict('udp', says('Connection refused')),
    ],
    ['allowed', 'refused', 'timeout', 'unreachable', 'allowed', 'timeout', 'refused'],
  );
});

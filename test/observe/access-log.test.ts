import t from 'tap';

import { parseAccessLogEntry, sortByTime } from '../../src/observe/access-log.ts';

const LINE =
  'http 2026-11-28T01:55:43.821628Z app/web/b8b24b4e153661a4 198.51.100.10:40310 10.0.3.50:8080 0.000 0.086 0.000 200 200 85 338 "GET http://ip.example.com:80/a?b=c HTTP/1.1" "my \\"agent\\"" - - arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/1ff2b6620c36efd1 "Root=1-09b61393-60f9b5e00d0341c8b862bc16" "-" "-" 1 2026-11-28T01:55:43.820855Z "forward" "-" "-" "10.0.3.50:8080" "200" "-" "-"';

t.test('an entry has its fields, in quotes or not', async (t) => {
  const entry = parseAccessLogEntry(LINE);
  t.match(entry, {
    ...{ type: 'http', 'target:port': '10.0.3.50:8080', target_processing_time: '0.086' },
    ...{ request: 'GET http://ip.example.com:80/a?b=c HTTP/1.1', user_agent: 'my "agent"' },
    ...{ ssl_cipher: '-', matched_rule_priority: '1', actions_executed: 'forward' },
    ...{ target_status_code_list: '200', classification_reason: '-' },
  });
  t.equal(Object.keys(entry).length, 29);
});

t.test('the entries of several nodes are in the order of their time', async (t) => {
  const later = LINE.replace('01:55:43.8', '01:55:43.9');
  t.strictSame(sortByTime([later, LINE]), [LINE, later]);
});

import t from 'tap';

import { Diagnostics, renderDiagnostic } from '../../src/base/diagnostic.ts';
import { findLab } from '../../src/host/lab-files.ts';
import { ProbeSpec } from '../../src/observe/probe-spec.ts';
import { load } from '../../src/pipeline.ts';
import { resolveRequest } from '../../src/probe/request.ts';
import { SourceTree } from '../../src/source/yaml.ts';

const { cloud } = load(findLab('scenario-4'));
const where = new SourceTree('f', {}, new Map()).where();

/** `destination port text`, or what is wrong. */
function target(kind: 'http' | 'tcp' | 'udp' | 'ping', text: string, from = 'node/node-1'): string {
  const diagnostics = new Diagnostics();
  const probe = ProbeSpec.parse({ from, [kind]: text });
  const request = resolveRequest(probe, cloud, where, diagnostics);
  if (request !== undefined) return `${request.destination} ${request.port} ${request.text}`;
  return diagnostics.list.map((one) => renderDiagnostic(one).replace(/^.*\[/, '[')).join();
}

t.test('a target is an address or a name, with a port and for HTTP a path', async (t) => {
  t.strictSame(
    [
      target('http', 'http://example.com/'),
      target('http', 'example.com'),
      target('http', 'pod/client:8080/a/b?c'),
      target('http', 'pod/client/path'),
      target('tcp', 'pod/client:8080'),
      target('udp', '10.0.3.99:53'),
      target('ping', '10.0.3.99'),
    ],
    [
      '198.51.100.10 80 http://example.com/',
      '198.51.100.10 80 http://example.com/',
      '10.0.3.50 8080 http://10.0.3.50:8080/a/b?c',
      '10.0.3.50 80 http://10.0.3.50/path',
      '10.0.3.50 8080 10.0.3.50:8080',
      '10.0.3.99 53 10.0.3.99:53',
      '10.0.3.99 0 10.0.3.99',
    ],
  );
});

t.test('a name of EC2 leads where it leads whoever asks', async (t) => {
  const name = 'ec2-203-0-113-50.compute-1.amazonaws.com';
  t.strictSame(
    [
      target('http', `http://${name}/`),
      target('http', `http://${name}/`, 'internet/example.com'),
      target('tcp', 'ip-10-0-3-50.ec2.internal:8080'),
      target('http', 'ip-10-0-3-50:8080'),
      target('ping', name),
    ],
    [
      `10.0.1.50 80 http://${name}/`,
      `203.0.113.50 80 http://${name}/`,
      '10.0.3.50 8080 10.0.3.50:8080',
      '10.0.3.50 8080 http://ip-10-0-3-50:8080/',
      `10.0.1.50 0 ${name}`,
    ],
  );
  for (const [text, from] of [
    ['ip-10-0-3-50.ec2.internal', 'internet/example.com'],
    ['ip-10-9-3-50.ec2.internal', 'node/node-1'],
    ['ip-10-0-3-500.ec2.internal', 'node/node-1'],
    ['ec2-203-0-113-99.compute-1.amazonaws.com', 'node/node-1'],
  ] as const) {
    t.match(target('ping', text, from), /is neither an address nor anything/, text);
  }
});

t.test('what is no target', async (t) => {
  t.match(target('tcp', 'pod/client'), /names no port/);
  t.match(target('tcp', 'pod/client:70000'), /is no target of tcp/);
  t.match(target('ping', 'pod/clinet'), /did you mean "pod\/client"/);
});

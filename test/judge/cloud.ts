/** A lab's text to its cloud, and one line to a question. */

import { Diagnostics, renderDiagnostic } from '../../src/base/diagnostic.ts';
import { ipv4 } from '../../src/base/ip.ts';
import { type Cloud, findThing, resolveCloud } from '../../src/cloud.ts';
import { judge, type Judgement, type Question } from '../../src/judge/judge.ts';
import { type LabSource, parseLab, patchesOf, patchLab, readLab } from '../../src/lab.ts';

/** Groups that let everything in, for what is not about them. */
const OPEN = { ingress: [{ from: '0.0.0.0/0' }] };

export function cloudOf(
  lab: string,
  manifests = '',
  groups: 'open' | 'as written' = 'open',
): Cloud {
  const diagnostics = new Diagnostics();
  const source = parseLab(
    'test',
    { file: 'lab.yaml', text: lab },
    [{ file: 'pods.yaml', text: manifests }],
    diagnostics,
  );
  const patched =
    source === undefined || groups === 'as written'
      ? source
      : patchLab(source, patchesOf(openGroups(source), source.lab, []), diagnostics);
  const spec = patched === undefined ? undefined : readLab(patched, diagnostics);
  const cloud = spec === undefined ? undefined : resolveCloud(spec, diagnostics);
  if (cloud === undefined || diagnostics.hasErrors) {
    throw new Error(diagnostics.list.map(renderDiagnostic).join('\n'));
  }
  return cloud;
}

function openGroups({ lab }: LabSource): Record<string, unknown> {
  const { vpcs = {} } = lab.value as { vpcs?: Record<string, unknown> };
  return Object.fromEntries(
    Object.keys(vpcs).map((vpc) => [
      `vpcs.${vpc}.securityGroups`,
      { default: OPEN, 'eks-cluster-sg': OPEN },
    ]),
  );
}

/** `ask(cloud, 'pod/a', 'tcp 10.0.4.50:8080')`, `ask(cloud, 'pod/a', 'icmp 10.0.4.50')`. */
export function ask(
  cloud: Cloud,
  from: string,
  request: string,
  more: Partial<Question> = {},
): Judgement {
  const [, protocol, address = '', port = '0'] = /^(\w+) ([\d.]+)(?::(\d+))?$/.exec(request) ?? [];
  const thing = findThing(cloud, from);
  if (thing === undefined) throw new Error(`${from} is not in the lab`);
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'icmp') throw new Error(request);
  return judge(cloud, {
    protocol,
    from: thing,
    destination: ipv4(address),
    port: Number(port),
    ...more,
  });
}

/** From, request, then verdict, code and path as `told` writes them. */
export type Row = readonly [from: string, request: string, outcome: string];

export function told({ verdict, code, path }: Judgement): string {
  return `${verdict} ${code}: ${path.join(' ')}`;
}

/** A pod with ports like `8080` or `53/UDP`. */
export function pod(name: string, ports: readonly string[], spec = '', annotations = ''): string {
  const list = ports.map((port) => {
    const [number, protocol = 'TCP'] = port.split('/');
    return `{ containerPort: ${number ?? ''}, protocol: ${protocol} }`;
  });
  return `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, annotations: { ${annotations} } }
spec:
  ${spec}
  containers: [{ name: one, image: one, ports: [${list.join(', ')}] }]
`;
}

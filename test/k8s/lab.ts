/** A few lines of manifests to what Hoplab makes of them. */

import { Diagnostics, renderDiagnostic } from '../../src/base/diagnostic.ts';
import { expandPods } from '../../src/k8s/controller.ts';
import { type Manifests, readManifests } from '../../src/k8s/manifest.ts';
import type { PodSpec } from '../../src/k8s/pod.ts';
import { type NodeForScheduling, type Pin, schedule } from '../../src/k8s/scheduler.ts';
import { readYaml } from '../../src/source/yaml.ts';

interface Lab {
  readonly manifests: Manifests;
  readonly pods: readonly PodSpec[];
  /** Each diagnostic as it is printed. */
  readonly problems: readonly string[];
}

export function lab(text: string, nodes: readonly NodeForScheduling[] = []): Lab {
  const diagnostics = new Diagnostics();
  const manifests = readManifests(readYaml('m.yaml', text, diagnostics), diagnostics);
  const pods = expandPods(manifests, nodes, diagnostics);
  return { manifests, pods, problems: diagnostics.list.map(renderDiagnostic) };
}

export function problems(text: string): readonly string[] {
  return lab(text).problems;
}

/** `pod` to `node`, and the diagnostics of the scheduler alone. */
export function placed(
  text: string,
  nodes: readonly NodeForScheduling[],
  pins: ReadonlyMap<string, Pin> = new Map(),
): { readonly nodes: Record<string, string>; readonly problems: readonly string[] } {
  const diagnostics = new Diagnostics();
  const placements = schedule(lab(text, nodes).pods, nodes, pins, diagnostics);
  return {
    nodes: Object.fromEntries(placements.map(({ pod, node }) => [pod.name, node])),
    problems: diagnostics.list.map(renderDiagnostic),
  };
}

/** A workload on few lines; `pod` is the inside of its pod template's spec. */
export function workload(kind: string, name: string, spec = '', pod = ''): string {
  return `apiVersion: apps/v1
kind: ${kind}
metadata: { name: ${name} }
spec:
  ${spec === '' ? '' : `${spec}\n  `}selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      ${pod === '' ? '' : `${pod}\n      `}containers: [{ ports: [{ containerPort: 80 }] }]
---
`;
}

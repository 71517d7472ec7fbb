/** Fold 1: the lab's files to what they say, every mistake at its place. Nothing is looked up or decided yet. */

import * as z from 'zod';

import { HostedZoneSpec } from './aws/hosted-zone.ts';
import { VpcSpec } from './aws/vpc.ts';
import { type Diagnostics, type SourceRef } from './base/diagnostic.ts';
import { type AlbIngresses, readAlbIngresses } from './eks/alb-ingress.ts';
import { type NlbService, readNlbServices } from './eks/nlb-annotations.ts';
import { ClusterSpec } from './eks/cluster.ts';
import { InternetHostSpec } from './internet/host.ts';
import { type PatchedManifests, patchManifests } from './k8s/manifest-patch.ts';
import { type Manifests, readManifests } from './k8s/manifest.ts';
import { ExperimentSpec, ProbeSpec } from './observe/probe-spec.ts';
import { named } from './source/scalar.ts';
import { pathsOf, readWith } from './source/schema.ts';
import { type Path, readYaml, resolvePath, SourceTree, type Where } from './source/yaml.ts';

export const LabFile = z.strictObject({
  question: z.string().describe('What the lab asks its reader; `hoplab list` shows it').optional(),
  vpcs: named(VpcSpec).describe('VPCs by name: subnets, gateways, route tables, instances'),
  cluster: ClusterSpec.describe('The EKS cluster: nodes, VPC CNI settings, pins').optional(),
  hostedZones: named(HostedZoneSpec).describe(
    "Route 53's hosted zones, by name: public, or private with the VPCs that they are for",
  ),
  internet: named(InternetHostSpec).describe('Hosts on the internet by name, like example.com'),
  probes: named(ProbeSpec).describe('Who sends what to whom, and what must be seen'),
  experiments: named(ExperimentSpec).describe(
    'Probes of a lab that is changed for their sake, and changed back',
  ),
});

export type LabFile = z.output<typeof LabFile>;

/** A lab's text, parsed but not yet held against the schema. */
export interface LabSource {
  readonly name: string;
  readonly lab: SourceTree;
  readonly manifests: readonly SourceTree[];
  /** The names of the Kubernetes objects that a patch has taken away. */
  readonly gone: ReadonlySet<string>;
}

export interface LabSpec {
  readonly name: string;
  readonly file: LabFile;
  readonly where: Where;
  readonly manifests: Manifests;
  /** What the AWS Load Balancer Controller is told. */
  readonly albs: AlbIngresses;
  /** The Services that get a Network Load Balancer. */
  readonly nlbs: readonly NlbService[];
}

/** A replacement of a part of the lab: an experiment's `with:`, or `--set` on the command line. */
export interface Patch {
  readonly path: string;
  readonly value: unknown;
  /** Where the replacement was written. */
  readonly tree: SourceTree;
  readonly treePath: Path;
  readonly at: SourceRef;
}

/** `lab.yaml` and the manifests, by the names that diagnostics show. */
export function parseLab(
  name: string,
  labFile: { file: string; text: string },
  manifestFiles: readonly { file: string; text: string }[],
  diagnostics: Diagnostics,
): LabSource | undefined {
  const documents = readYaml(labFile.file, labFile.text, diagnostics);
  const manifests = manifestFiles.flatMap(({ file, text }) => readYaml(file, text, diagnostics));
  const [lab, ...more] = documents;
  if (more[0] !== undefined) {
    diagnostics.error(
      'two-documents',
      more[0].at([]),
      'lab.yaml holds more than one document',
      'one lab is one document; Kubernetes objects go into manifests/',
    );
  }
  if (lab === undefined) {
    if (!diagnostics.hasErrors) emptyLab(labFile.file, diagnostics);
    return undefined;
  }
  if (lab.value === null) {
    emptyLab(labFile.file, diagnostics);
    return undefined;
  }
  return { name, lab, manifests, gone: new Set() };
}

function emptyLab(file: string, diagnostics: Diagnostics): void {
  diagnostics.error(
    'empty-lab',
    { file, line: 1, column: 1 },
    'this lab is empty',
    'begin with "vpcs:"; labs/scenario-3/lab.yaml is a small one to start from',
  );
}

/** The parts of an experiment's `with:`, or of `--set`, as patches. */
export function patchesOf(values: Record<string, unknown>, tree: SourceTree, path: Path): Patch[] {
  return Object.entries(values).map(([target, value]) => ({
    path: target,
    value,
    tree,
    treePath: [...path, target],
    at: tree.keyAt([...path, target]),
  }));
}

/** What a patch's path begins with that leads to a Kubernetes object. */
const IN_MANIFESTS = 'manifests.';

export function patchLab(
  source: LabSource,
  patches: readonly Patch[],
  diagnostics: Diagnostics,
): LabSource {
  let { lab } = source;
  let manifests: PatchedManifests = { trees: source.manifests, gone: source.gone };
  for (const patch of patches) {
    const { path, value, tree, treePath, at } = patch;
    if (path.startsWith(IN_MANIFESTS)) {
      const inManifests = { ...patch, path: path.slice(IN_MANIFESTS.length) };
      manifests = patchManifests(manifests, inManifests, diagnostics);
      continue;
    }
    const resolved = resolvePath(lab.value, path, pathsOf(LabFile), at, diagnostics);
    if (resolved === undefined) continue;
    lab = lab.patched(resolved, value ?? undefined, tree, treePath);
  }
  return { ...source, lab, manifests: manifests.trees, gone: manifests.gone };
}

/** `--set vpcs.main.routeTables.private.routes=[]` as a patch; the value is YAML. */
export function parseSet(text: string, diagnostics: Diagnostics): Patch | undefined {
  const file = `--set ${text}`;
  const at = { file, line: 1, column: 1 };
  const equals = text.indexOf('=');
  if (equals <= 0) {
    diagnostics.error(
      'set-syntax',
      at,
      `"${text}" is not PATH=VALUE`,
      'write it like --set cluster.cni.AWS_VPC_K8S_CNI_EXTERNALSNAT=false',
    );
    return undefined;
  }
  const written = readYaml(file, text.slice(equals + 1), diagnostics);
  // Nothing behind the sign is null, as behind a key.
  const [tree] =
    written.length > 0 || diagnostics.hasErrors ? written : readYaml(file, 'null', diagnostics);
  if (tree === undefined) return undefined;
  return { path: text.slice(0, equals), value: tree.value, tree, treePath: [], at };
}

export function readLab(source: LabSource, diagnostics: Diagnostics): LabSpec | undefined {
  const file = readWith(LabFile, source.lab, diagnostics);
  const manifests = readManifests(source.manifests, diagnostics);
  const albs = readAlbIngresses(manifests, diagnostics);
  const nlbs = readNlbServices(manifests.services, diagnostics);
  if (file === undefined) return undefined;
  return { name: source.name, file, where: source.lab.where(), manifests, albs, nlbs };
}

/**
 * The kinds of Kubernetes objects that Hoplab knows, in which API they are, and what Hoplab does with each.
 *
 * Manifests of a real cluster hold much that moves no packet. It is accepted, so that a lab can use them unchanged.
 *
 * @see https://kubernetes.io/docs/reference/kubernetes-api/ for the kinds, their API groups and versions.
 */

import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';

export interface KnownKind {
  readonly kind: string;
  /** The first is the one that a hint names. */
  readonly apiVersions: readonly [string, ...string[]];
  /** `read`: Hoplab builds it. `none`: it moves no packet. A text: what a warning says is not done. */
  readonly effect: 'read' | 'none' | { readonly code: string; readonly what: string };
  /** False for what stands beside all namespaces, such as a ClusterRole. */
  readonly namespaced: boolean;
}

type Row = readonly [apiVersions: KnownKind['apiVersions'], kinds: readonly string[]];

const READ: readonly Row[] = [
  [['v1'], ['Pod', 'Namespace', 'Service', 'Endpoints']],
  [['apps/v1'], ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet']],
  [['discovery.k8s.io/v1'], ['EndpointSlice']],
  [['networking.k8s.io/v1'], ['Ingress', 'IngressClass', 'NetworkPolicy']],
  [['vpcresources.k8s.aws/v1beta1'], ['SecurityGroupPolicy']],
];

const NO_EFFECT: readonly Row[] = [
  [['v1'], ['ConfigMap', 'Secret', 'ServiceAccount', 'PersistentVolume', 'PersistentVolumeClaim']],
  [['v1'], ['LimitRange', 'ResourceQuota', 'PodTemplate']],
  [['v1', 'events.k8s.io/v1'], ['Event']],
  [['apps/v1'], ['ControllerRevision']],
  [['rbac.authorization.k8s.io/v1'], ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding']],
  [['storage.k8s.io/v1'], ['StorageClass', 'CSIDriver', 'VolumeAttachment']],
  [['autoscaling/v2', 'autoscaling/v1'], ['HorizontalPodAutoscaler']],
  [['policy/v1'], ['PodDisruptionBudget']],
  [['scheduling.k8s.io/v1'], ['PriorityClass']],
  [['node.k8s.io/v1'], ['RuntimeClass']],
  [['coordination.k8s.io/v1'], ['Lease']],
  [['apiextensions.k8s.io/v1'], ['CustomResourceDefinition']],
  [['apiregistration.k8s.io/v1'], ['APIService']],
  [
    ['admissionregistration.k8s.io/v1'],
    [
      'MutatingWebhookConfiguration',
      'ValidatingWebhookConfiguration',
      'ValidatingAdmissionPolicy',
      'ValidatingAdmissionPolicyBinding',
    ],
  ],
];

const CLUSTER_SCOPED: ReadonlySet<string> = new Set([
  ...['Namespace', 'PersistentVolume', 'ClusterRole', 'ClusterRoleBinding', 'StorageClass'],
  ...['CSIDriver', 'VolumeAttachment', 'PriorityClass', 'RuntimeClass', 'APIService'],
  ...['CustomResourceDefinition', 'IngressClass', 'ENIConfig', 'Node'],
  'IngressClassParams',
  ...['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'],
  ...['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'],
]);

/** API version, kind, and what the traffic does without it. */
const NOT_ENFORCED: readonly (readonly [string, string, string])[] = [
  [
    'crd.k8s.amazonaws.com/v1alpha1',
    'ENIConfig',
    'pods take addresses of the subnet of their node',
  ],
  ['elbv2.k8s.aws/v1beta1', 'TargetGroupBinding', 'no target is registered'],
  ['elbv2.k8s.aws/v1beta1', 'IngressClassParams', 'load balancers take no settings of it'],
];

const NOT_RUN: readonly (readonly [string, string, string])[] = [
  ['batch/v1', 'Job', 'its pods are not built'],
  ['batch/v1', 'CronJob', 'its pods are not built'],
  ['v1', 'ReplicationController', 'its pods are not built'],
  ['v1', 'Node', "a lab's nodes are declared in its lab file"],
];

export const LIST: KnownKind = {
  kind: 'List',
  apiVersions: ['v1'],
  effect: 'none',
  namespaced: false,
};

const KINDS: ReadonlyMap<string, KnownKind> = new Map(
  [
    LIST,
    ...rows(READ, 'read'),
    ...rows(NO_EFFECT, 'none'),
    ...NOT_ENFORCED.map(([apiVersion, kind, rest]) =>
      known(kind, [apiVersion], {
        code: 'not-enforced-yet',
        what: `is not enforced yet: ${rest}`,
      }),
    ),
    ...NOT_RUN.map(([apiVersion, kind, rest]) =>
      known(kind, [apiVersion], { code: 'not-run', what: `is not run: ${rest}` }),
    ),
  ].map((one) => [one.kind, one]),
);

function rows(list: readonly Row[], effect: 'read' | 'none'): KnownKind[] {
  return list.flatMap(([apiVersions, kinds]) =>
    kinds.map((kind) => known(kind, apiVersions, effect)),
  );
}

function known(
  kind: string,
  apiVersions: KnownKind['apiVersions'],
  effect: KnownKind['effect'],
): KnownKind {
  return { kind, apiVersions, effect, namespaced: !CLUSTER_SCOPED.has(kind) };
}

/** kubectl's own for what Hoplab builds. @see kubectl api-resources; amazon-vpc-resource-controller-k8s SecurityGroupPolicy */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  Namespace: 'ns',
  Service: 'svc',
  Endpoints: 'ep',
  Deployment: 'deploy',
  ReplicaSet: 'rs',
  StatefulSet: 'sts',
  DaemonSet: 'ds',
  Ingress: 'ing',
  NetworkPolicy: 'netpol',
  SecurityGroupPolicy: 'sgp',
};

/** What kubectl calls it in `KIND/NAME`, the shortest first. */
export function wordsOfKind({ kind }: KnownKind): readonly string[] {
  const short = SHORT_NAMES[kind];
  const long = kind.toLowerCase();
  return short === undefined || short === long ? [long] : [short, long];
}

export function kindOfWord(word: string): KnownKind | undefined {
  return [...KINDS.values()].find((known) => known !== LIST && wordsOfKind(known).includes(word));
}

/** The kind of that name, or undefined after reporting `unknown-kind`. */
export function findKind(
  kind: string,
  at: SourceRef,
  diagnostics: Diagnostics,
): KnownKind | undefined {
  const found = KINDS.get(kind);
  if (found === undefined) {
    diagnostics.error(
      'unknown-kind',
      at,
      `unknown kind "${kind}"`,
      suggest(kind, KINDS.keys()) ??
        `Hoplab runs ${READ.flatMap(([, kinds]) => kinds).join(', ')}, and accepts what else is built into Kubernetes`,
    );
  }
  return found;
}

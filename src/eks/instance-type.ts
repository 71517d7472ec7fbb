/**
 * How many ENIs an instance type has, and how many IPv4 addresses each of them: what bounds the pods of a node.
 *
 * @fidelity same - for the families listed here; another type is a diagnostic, not a guess
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html
 * @see amazon-vpc-cni-k8s@b5218838 pkg/vpc/vpc_ip_resource_limit.go (the CNI's own copy)
 */

export interface InstanceType {
  readonly name: string;
  readonly maxEnis: number;
  readonly ipv4PerEni: number;
  /** How many pods may have an ENI of their own, on a trunk; 0 where there is no trunk. */
  readonly branchEnis: number;
}

type Limits = readonly [maxEnis: number, ipv4PerEni: number];

/** The sizes of the general purpose, compute and memory families since the fifth generation agree. */
const COMMON: Readonly<Record<string, Limits>> = {
  large: [3, 10],
  xlarge: [4, 15],
  '2xlarge': [4, 15],
  '4xlarge': [8, 30],
  '8xlarge': [8, 30],
  '12xlarge': [8, 30],
  '16xlarge': [15, 50],
  '24xlarge': [15, 50],
};

const BURSTABLE_T3: Readonly<Record<string, Limits>> = {
  nano: [2, 2],
  micro: [2, 2],
  small: [3, 4],
  medium: [3, 6],
  large: [3, 12],
  xlarge: [4, 15],
  '2xlarge': [4, 15],
};

/** Graviton families have a medium size, and none above 16xlarge. */
const GRAVITON: Readonly<Record<string, Limits>> = {
  medium: [2, 4],
  ...Object.fromEntries(Object.entries(COMMON).filter(([size]) => size !== '24xlarge')),
};

const FAMILIES: Readonly<Record<string, Readonly<Record<string, Limits>>>> = {
  t3: BURSTABLE_T3,
  t3a: { ...BURSTABLE_T3, small: [2, 4] },
  t4g: BURSTABLE_T3,
  m5: COMMON,
  m5a: COMMON,
  r5: COMMON,
  m6i: COMMON,
  r6i: COMMON,
  c6i: COMMON,
  c5: {
    large: [3, 10],
    xlarge: [4, 15],
    '2xlarge': [4, 15],
    '4xlarge': [8, 30],
    '9xlarge': [8, 30],
    '12xlarge': [8, 30],
    '18xlarge': [15, 50],
    '24xlarge': [15, 50],
  },
  m6g: GRAVITON,
  c6g: GRAVITON,
  r6g: GRAVITON,
  m7g: GRAVITON,
};

/** They have no trunk. */
const BURSTABLE = /^t\d/;

/** By size, in the families listed here. @see amazon-vpc-resource-controller-k8s pkg/aws/vpc/limits.go BranchInterface */
const BRANCH_ENIS: Readonly<Record<string, number>> = {
  large: 9,
  xlarge: 18,
  '2xlarge': 38,
  '4xlarge': 54,
  '8xlarge': 54,
  '9xlarge': 54,
  '12xlarge': 54,
  '16xlarge': 107,
  '18xlarge': 107,
  '24xlarge': 107,
};

export function instanceType(name: string): InstanceType | undefined {
  const [family = '', size = ''] = name.split('.');
  const limits = FAMILIES[family]?.[size];
  if (limits === undefined) return undefined;
  const branchEnis = BURSTABLE.test(family) ? 0 : (BRANCH_ENIS[size] ?? 0);
  return { name, maxEnis: limits[0], ipv4PerEni: limits[1], branchEnis };
}

export function instanceTypes(): string[] {
  return Object.entries(FAMILIES).flatMap(([family, sizes]) =>
    Object.keys(sizes).map((size) => `${family}.${size}`),
  );
}

/** Pods that can get an address: an ENI's primary one is the node's. */
export function podAddresses({ maxEnis, ipv4PerEni }: InstanceType): number {
  return maxEnis * (ipv4PerEni - 1);
}

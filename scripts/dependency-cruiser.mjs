/**
 * Who may import whom in src. The house has ten floors and no arrow upwards:
 * cli, commands, pipeline, (judge, probe, report, plan), cloud, lab, eks,
 * (k8s, aws, internet, observe), (kernel, host, source), base.
 *
 * Each comment says why the rule is there; it is printed with a violation.
 */

const concept = '^src/(aws|k8s|eks|internet)/';
/** The nouns of the kernel that a concept needs to say what it wants. */
const kernelNouns =
  '^src/kernel/(state|fragment|netns|sysctl|daemon|checking-haproxy|server|name-server|nft|postgres)\\.ts$';

/** `from` may import the listed folders and files of src, itself, and nothing else of src. */
function only(name, from, allowed, comment) {
  return {
    name,
    comment,
    severity: 'error',
    from: { path: from },
    to: { path: '^src/', pathNot: [from, ...allowed] },
  };
}

function never(name, from, to, comment) {
  return { name, comment, severity: 'error', from: { path: from }, to: { path: to } };
}

/** The package is imported in one place, so that its manners stay in that place. */
function fence(dependency, home, comment) {
  return {
    name: `${dependency}-only-there`,
    comment,
    severity: 'error',
    from: { path: '^src/', ...(home === undefined ? {} : { pathNot: home }) },
    to: { path: `(^|/)node_modules/(@types/)?${dependency}/` },
  };
}

const base = '^src/base/';
const source = '^src/source/';
const aboveConcepts = '^src/(lab|cloud|plan)\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    only(
      'base-knows-nothing',
      base,
      [],
      'base holds words without a domain; everything stands on it.',
    ),
    only(
      'source-knows-only-base',
      source,
      [base],
      'source turns text into located values; what they mean is for the concepts.',
    ),
    only(
      'kernel-knows-only-base',
      '^src/kernel/',
      [base],
      'kernel speaks of Linux alone: it must work for any plan, whatever cloud it came from.',
    ),
    only(
      'host-knows-only-kernel-and-source',
      '^src/host/',
      [base, source, '^src/kernel/'],
      'host changes the machine: it carries out steps, and knows neither AWS nor Kubernetes.',
    ),

    only(
      'aws-knows-no-other-concept',
      '^src/aws/',
      [base, source, kernelNouns, '^src/k8s/', aboveConcepts],
      'An AWS concept says what it wants of the kernel, and needs nothing else.',
    ),
    only(
      'k8s-knows-no-other-concept',
      '^src/k8s/',
      [base, source, kernelNouns, '^src/aws/', aboveConcepts],
      'A Kubernetes concept says what it wants of the kernel, and needs nothing else.',
    ),
    only(
      'internet-knows-no-other-concept',
      '^src/internet/',
      [base, source, kernelNouns, aboveConcepts],
      'The internet is the same for whoever is connected to it.',
    ),
    only(
      'eks-joins-concepts',
      '^src/eks/',
      [base, source, kernelNouns, '^src/(aws|k8s|internet)/', aboveConcepts],
      'eks is the join of AWS and Kubernetes; it needs them and what they need.',
    ),
    never(
      'aws-without-k8s',
      '^src/aws/',
      '^src/k8s/',
      'AWS knows nothing of Kubernetes: where the two meet is eks, and that is the lesson.',
    ),
    never(
      'k8s-without-aws',
      '^src/k8s/',
      '^src/aws/',
      'Kubernetes knows nothing of AWS: where the two meet is eks, and that is the lesson.',
    ),
    never(
      'concepts-below-folds',
      concept,
      aboveConcepts,
      'A concept takes what it needs as a narrow argument, never the whole Cloud: so a test needs one subnet, not a world.',
    ),

    never(
      'judge-without-kernel',
      '^src/judge/',
      '^src/kernel/',
      'A prediction read from the planned kernel state would only agree with itself.',
    ),
    only(
      'judge-knows-the-model',
      '^src/judge/',
      [base, source, concept, '^src/cloud\\.ts$', '^src/kernel/'],
      'judge predicts from the Cloud, not from a plan or from what was observed.',
    ),
    never('report-without-host', '^src/report/', '^src/host/', 'report is values in, strings out.'),

    ...noArrowUpwards(),

    fence(
      'execa',
      '^src/host/exec\\.ts$',
      'Processes are started in one place: argument lists, never a shell.',
    ),
    fence(
      'ip-num',
      '^src/base/ip\\.ts$',
      'ip-num keeps host bits and names no value in its errors; base/ip.ts mends both.',
    ),
    fence(
      'yaml',
      '^src/source/yaml\\.ts$',
      'YAML is parsed in one place, which keeps the positions.',
    ),
    fence(
      'yargs',
      '^src/(cli\\.ts$|commands/)',
      'The command line ends in commands/; below, arguments are typed values.',
    ),
    fence('zx', undefined, 'zx is for scripts/ and labs/, where a shell is the point.'),
    fence('tap', undefined, 'tap is for test/.'),

    {
      name: 'no-cycles',
      comment:
        'A cycle is one module in several files: it can only be read, tested and moved as a whole.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment:
        'Nothing imports this file and it imports nothing: it is dead, or its import is missing.',
      severity: 'error',
      from: { orphan: true, pathNot: '^src/cli\\.ts$' },
      to: {},
    },
    {
      name: 'no-vague-names',
      comment:
        'index, utils, types and common say nothing of what is inside; name the file for its noun.',
      severity: 'error',
      from: {},
      to: {
        path: ['^src/.*/(index|utils|types)\\.ts$', '^src/(index|utils|types)\\.ts$', '/common/'],
        pathNot: 'node_modules/',
      },
    },
    {
      name: 'no-unresolved',
      comment: 'This import leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};

/** For the floors that no rule above names. */
function noArrowUpwards() {
  const floors = [
    ['observe'],
    ['lab.ts'],
    ['cloud.ts'],
    ['judge', 'probe', 'report', 'plan.ts'],
    ['standing.ts'],
    ['pipeline.ts'],
    ['commands'],
    ['cli.ts'],
  ];
  const path = (names) =>
    `^src/(${names.map((name) => (name.endsWith('.ts') ? `${name.replace('.', '\\.')}$` : `${name}/`)).join('|')})`;
  return floors
    .slice(0, -1)
    .map((floor, index) =>
      never(
        `${floor.join('-').replaceAll('.ts', '')}-without-what-stands-on-it`,
        path(floor),
        path(floors.slice(index + 1).flat()),
        'The house has no arrow upwards: what is below can be read and tested without what is above.',
      ),
    );
}

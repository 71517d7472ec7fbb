/**
 * The verbs of the command line: what each may carry, and its words as the help shows them. What yargs reads
 * (`verb-parser.ts`) becomes a `Verb`, a plain value; the verb's own file is imported only when it runs (`cli.ts`).
 */

export type Verb =
  | { readonly verb: 'help'; readonly text: string }
  | { readonly verb: 'run' | 'up'; readonly lab: string; readonly set: readonly string[] }
  | { readonly verb: 'down'; readonly lab: string | undefined; readonly all: boolean }
  | { readonly verb: 'ps' | 'list' | 'doctor' | 'schema' }
  | { readonly verb: 'verify' | 'repair'; readonly lab: string | undefined }
  | {
      readonly verb: 'inspect' | 'shell';
      readonly thing: string | undefined;
      readonly lab: string | undefined;
    }
  | {
      readonly verb: 'probe';
      readonly probes: readonly string[];
      readonly lab: string | undefined;
      readonly every: string | undefined;
    }
  | WhyVerb
  | {
      readonly verb: 'matrix';
      readonly from: string | undefined;
      readonly to: string | undefined;
      readonly port: number | undefined;
      /** Every request on a line of its own. */
      readonly all: boolean;
      readonly lab: string | undefined;
    }
  | {
      readonly verb: 'exec';
      readonly thing: string;
      readonly command: readonly [string, ...string[]];
      readonly lab: string | undefined;
    }
  | CaptureVerb
  | DropsVerb
  | LogsVerb
  | {
      readonly verb: 'plan';
      readonly lab: string;
      readonly format: PlanFormat;
      /** The one thing of which the plan is shown. */
      readonly node: string | undefined;
      readonly set: readonly string[];
    }
  | {
      readonly verb: 'graph';
      readonly lab: string;
      readonly format: GraphFormat;
      /** Asks the load balancers of the lab, which is up, how their targets are. */
      readonly health: boolean;
      readonly set: readonly string[];
    }
  | { readonly verb: 'validate'; readonly lab: string; readonly set: readonly string[] }
  | { readonly verb: 'completion'; readonly shell: CompletionShell };

export interface WhyVerb {
  readonly verb: 'why';
  readonly from: string;
  /** A thing, an address, or a name, with or without a port. */
  readonly to: string;
  readonly port: number | undefined;
  readonly udp: boolean;
  readonly icmp: boolean;
  readonly lab: string | undefined;
  readonly set: readonly string[];
}

export interface CaptureVerb {
  readonly verb: 'capture';
  /** `node/node-1`, `node/node-1:eth1`, … */
  readonly places: readonly string[];
  /** All places between the two. */
  readonly path: readonly [from: string, to: string] | undefined;
  /** A file, or `-` for standard output. */
  readonly write: string | undefined;
  /** Ends by itself after so many packets. */
  readonly count: number | undefined;
  /** Ends by itself after this time: `10s`. */
  readonly duration: string | undefined;
  /** What stands behind `--`: a filter as tcpdump takes it. */
  readonly filter: readonly string[];
  readonly lab: string | undefined;
}

export interface DropsVerb {
  readonly verb: 'drops';
  /** Goes on with what is denied from now on. */
  readonly follow: boolean;
  /** Not what was denied longer ago: `10s`. */
  readonly since: string | undefined;
  /** How many lines at most. */
  readonly number: number;
  readonly lab: string | undefined;
}

export interface LogsVerb {
  readonly verb: 'logs';
  /** `alb/web`, or a node of it. */
  readonly thing: string;
  /** Goes on with what comes from now on. */
  readonly follow: boolean;
  /** How many lines at most, of those that are there. */
  readonly number: number;
  readonly lab: string | undefined;
}

export const PLAN_FORMATS = ['text', 'sh', 'iptables', 'json'] as const;
export type PlanFormat = (typeof PLAN_FORMATS)[number];

export const GRAPH_FORMATS = ['mermaid', 'dot', 'svg', 'json'] as const;
export type GraphFormat = (typeof GRAPH_FORMATS)[number];

export const COMPLETION_SHELLS = ['bash', 'zsh'] as const;
export type CompletionShell = (typeof COMPLETION_SHELLS)[number];

/** Each verb with its words, as the help and the messages show them. */
export const USAGE = {
  run: 'run <lab>',
  up: 'up <lab>',
  down: 'down [lab]',
  ps: 'ps',
  inspect: 'inspect [thing]',
  probe: 'probe [probes..]',
  why: 'why <from> <to>',
  matrix: 'matrix',
  exec: 'exec <thing>',
  shell: 'shell [thing]',
  capture: 'capture [places..]',
  drops: 'drops',
  logs: 'logs <thing>',
  verify: 'verify',
  repair: 'repair',
  plan: 'plan <lab>',
  validate: 'validate <lab>',
  graph: 'graph <lab>',
  list: 'list',
  doctor: 'doctor',
  schema: 'schema',
  completion: 'completion <shell>',
} as const;

export const VERBS: readonly string[] = Object.keys(USAGE);

/** What each flag takes: so many words behind it are its values. */
export const VALUES_OF_FLAG: Readonly<Record<string, number>> = {
  '-l': 1,
  '--lab': 1,
  '--set': 1,
  '--format': 1,
  '--every': 1,
  '--from': 1,
  '--to': 1,
  '--port': 1,
  '--path': 2,
  '-p': 1,
  '-w': 1,
  '--write': 1,
  '-c': 1,
  '--count': 1,
  '--duration': 1,
  '--since': 1,
  '-n': 1,
  '--number': 1,
};

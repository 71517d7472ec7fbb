/**
 * The program on one screen:
 *
 *   lab.yaml, manifests -> read -> LabSpec -> resolve -> Cloud -> plan -> KernelState -> diff -> Step[] -> render -> apply
 *
 * Everything up to `apply` is pure. Up, change and down differ in nothing but the two states that are compared.
 */

import { join } from 'node:path';

import { gatesOf, isOfInterest } from './aws/gate.ts';
import { Diagnostics, InputError, sortDiagnostics, type Diagnostic } from './base/diagnostic.ts';
import { type Cloud, databasesOf, resolveCloud } from './cloud.ts';
import {
  findLab,
  hasFile,
  type LabText,
  readLabText,
  readPrograms,
  shorten,
} from './host/lab-files.ts';
import { bringPostgres } from './host/packages.ts';
import { findSandbox, type Sandbox, startSandbox } from './host/sandbox.ts';
import { type LabRecord, LabStore } from './host/store.ts';
import { writeThings } from './host/thing-index.ts';
import { diff, type Step } from './kernel/diff.ts';
import type { KernelState } from './kernel/state.ts';
import {
  type LabSource,
  type LabSpec,
  parseLab,
  parseSet,
  type Patch,
  patchesOf,
  patchLab,
  readLab,
} from './lab.ts';
import { planCloud } from './plan.ts';
import { checkExperiment, checkProbes } from './probe/check.ts';
import { type Matrix, runMatrix } from './probe/matrix.ts';
import { type MatrixFilter, matrixQuestions } from './probe/questions.ts';
import { runGroup } from './probe/run.ts';
import type { GroupResult } from './report/probes.ts';
import * as standing from './standing.ts';
import { converge, type Progress, type Repaired, type Verified, whileLocked } from './standing.ts';

/** A lab as it is wanted: what its files say, what that means, and the kernel state that stands for it. */
export interface Lab {
  readonly name: string;
  readonly directory: string;
  /** What `--set` replaced. */
  readonly sets: readonly string[];
  readonly source: LabSource;
  readonly spec: LabSpec;
  readonly cloud: Cloud;
  readonly state: KernelState;
  /** The lab as it is during each of its experiments. */
  readonly experiments: ReadonlyMap<string, Lab>;
  readonly warnings: readonly Diagnostic[];
}

/** Reads, resolves and plans; throws an InputError with every mistake of the first stage that found any. */
export function load(word: string, sets: readonly string[] = []): Lab {
  return loadText(readLabText(findLab(word)), sets);
}

/** The lab that is up, as its files and what `--set` replaced say now. */
export function loadUp(name: string, record: LabRecord | undefined): Lab {
  return load(record?.directory ?? name, record?.sets ?? []);
}

export function loadText(text: LabText, sets: readonly string[] = []): Lab {
  const diagnostics = new Diagnostics();
  const source = parseLab(text.name, text.lab, text.manifests, diagnostics);
  const patches = sets.flatMap((set) => parseSet(set, diagnostics) ?? []);
  stopOnErrors(diagnostics);
  if (source === undefined) throw new Error('a lab without diagnostics has a source');
  const patched = patchLab(source, patches, diagnostics);
  stopOnErrors(diagnostics);
  const lab = plan(patched, text.directory, sets, undefined, diagnostics);
  // An experiment is the lab with a patch: what is wrong with it is wrong with the lab.
  const names = Object.keys(lab.spec.file.experiments);
  const experiments = names.map((name) => ({ name, ...experiment(lab, name) }));
  return {
    ...lab,
    experiments: new Map(experiments.map(({ name, changed }) => [name, changed])),
    warnings: [...lab.warnings, ...experiments.flatMap(({ ofPatch }) => ofPatch)],
  };
}

/** The lab as it is during one of its experiments. What it is warned of then is its own; what is said of the patch is not. */
function experiment(
  lab: Lab,
  name: string,
): { readonly changed: Lab; readonly ofPatch: readonly Diagnostic[] } {
  const patches: Patch[] = patchesOf(lab.spec.file.experiments[name]?.with ?? {}, lab.source.lab, [
    'experiments',
    name,
    'with',
  ]);
  const diagnostics = new Diagnostics();
  const source = patchLab(lab.source, patches, diagnostics);
  stopOnErrors(diagnostics);
  const ofPatch = [...diagnostics.list];
  try {
    return { changed: plan(source, lab.directory, lab.sets, name, diagnostics), ofPatch };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // The place may be far from the patch that made it wrong.
    throw new InputError(
      error.diagnostics.map((one) => ({ ...one, what: `in experiment "${name}": ${one.what}` })),
    );
  }
}

function plan(
  source: LabSource,
  directory: string,
  sets: readonly string[],
  experimentName: string | undefined,
  diagnostics: Diagnostics,
): Lab {
  const spec = readLab(source, diagnostics);
  stopOnErrors(diagnostics);
  if (spec === undefined) throw new Error('a lab without diagnostics has a spec');
  const cloud = resolveCloud(spec, diagnostics);
  if (experimentName === undefined) checkProbes(spec, cloud, diagnostics);
  else checkExperiment(spec, experimentName, cloud, diagnostics);
  stopOnErrors(diagnostics);
  const state = planCloud(cloud, readPrograms(), diagnostics);
  stopOnErrors(diagnostics);
  return {
    name: source.name,
    directory,
    sets,
    source,
    spec,
    cloud,
    state,
    experiments: new Map(),
    warnings: sortDiagnostics(diagnostics.list),
  };
}

function stopOnErrors(diagnostics: Diagnostics): void {
  if (diagnostics.hasErrors) throw new InputError(sortDiagnostics(diagnostics.list));
}

export interface Converged {
  readonly sandbox: Sandbox;
  readonly steps: readonly Step[];
  readonly wasUp: boolean;
}

/** Builds the lab, or turns the one that is up into what its files say now. */
export async function up(lab: Lab, progress: Progress): Promise<Converged> {
  const store = new LabStore(lab.name);
  if (databasesOf(lab.cloud).length > 0) await bringPostgres();
  return whileLocked(store, progress, async (lock) => {
    let sandbox = await findSandbox(store);
    if (sandbox !== undefined) checkDirectory(store, lab);
    const wasUp = sandbox !== undefined;
    if (sandbox === undefined) {
      store.forget();
      progress.step('making the sandbox');
      sandbox = await startSandbox(store);
    }
    store.writeRecord({
      name: lab.name,
      directory: lab.directory,
      sets: lab.sets,
      probes: probeNames(lab),
      gates: gateNames(lab.cloud),
      since: (wasUp ? store.readRecord()?.since : undefined) ?? new Date().toISOString(),
    });
    writeThings(store, lab.cloud.things.values());
    const steps = await converge(store, sandbox, lab.state, progress, lock);
    store.endExperiment();
    return { sandbox, steps, wasUp };
  });
}

/** What a person may name of a lab's probes: the probes, the experiments and their probes. */
export function probeNames(lab: Lab): string[] {
  const { probes, experiments } = lab.spec.file;
  const inner = Object.values(experiments).flatMap((one) => Object.keys(one.probes));
  return [...Object.keys(probes), ...Object.keys(experiments), ...inner];
}

function gateNames({ vpcs, cluster }: Cloud): string[] {
  const gates = gatesOf(vpcs.values()).filter(isOfInterest);
  const policies = (cluster?.networkPolicies ?? []).map(({ spec }) => spec.reference);
  return [...gates.map(({ reference }) => reference), ...policies];
}

/** Where the lab's exercise stands, as short as it can be said from here; undefined when it has none. */
export function readmeOf(lab: Lab): string | undefined {
  const path = join(lab.directory, 'README.md');
  return hasFile(path) ? shorten(path) : undefined;
}

/**
 * Asks the lab's probes, then each experiment's: change the lab, ask, and when all are done change it back. `only` names
 * probes or experiments; none means all.
 */
export async function probe(
  lab: Lab,
  sandbox: Sandbox,
  only: readonly string[],
  progress: Progress,
): Promise<GroupResult[]> {
  const { file, where } = lab.spec;
  const wanted = (name: string): boolean => only.length === 0 || only.includes(name);
  const base = Object.entries(file.probes).filter(([name]) => wanted(name));
  const groups: GroupResult[] = [];
  const store = new LabStore(lab.name);
  noteOtherThanFiles(store, lab, progress);
  if (base.length > 0) {
    progress.step(`probing: ${base.length} requests at once`);
    const results = await runGroup(lab.cloud, sandbox, base, where.in('probes'));
    groups.push({
      experiment: undefined,
      about: undefined,
      changes: {},
      cloud: lab.cloud,
      results,
    });
  }
  const experiments = Object.entries(file.experiments).flatMap(([name, experiment]) => {
    const asked = Object.entries(experiment.probes).filter(
      ([one]) => wanted(name) || (wanted(one) && !(one in file.probes)),
    );
    return asked.length === 0 ? [] : [{ name, asked, ...experiment }];
  });
  if (experiments.length === 0) return groups;
  return whileLocked(store, progress, async (lock) => {
    await checkStanding(store, sandbox);
    try {
      // From one experiment straight to the next: what both leave as it is in the lab is not touched in between.
      for (const { name, asked, about, with: changes } of experiments) {
        const changed = lab.experiments.get(name);
        if (changed === undefined) throw new Error(`experiment ${name} was planned with its lab`);
        progress.step(`experiment ${name}`);
        store.beginExperiment(name, lab.state);
        await converge(store, sandbox, changed.state, progress, lock);
        const at = where.in('experiments', name, 'probes');
        const results = await runGroup(changed.cloud, sandbox, asked, at);
        groups.push({ experiment: name, about, changes, cloud: changed.cloud, results });
      }
    } finally {
      await converge(store, sandbox, lab.state, progress, lock);
      store.endExperiment();
    }
    return groups;
  });
}

/** Everybody asks everybody, or whom the filter lets; predicted beside observed. */
export async function matrix(
  lab: Lab,
  sandbox: Sandbox,
  filter: MatrixFilter,
  progress: Progress,
): Promise<Matrix> {
  noteOtherThanFiles(new LabStore(lab.name), lab, progress);
  const questions = matrixQuestions(lab.cloud, filter);
  progress.step(`asking: ${questions.length} requests at once`);
  return runMatrix(lab.cloud, sandbox, questions);
}

function noteOtherThanFiles(store: LabStore, lab: Lab, progress: Progress): void {
  if (store.journal === 'committed' && diff(store.readPlan(), lab.state).length === 0) return;
  progress.note(
    `${lab.name} does not stand as its files say (they changed, or a change or an experiment was broken off); to mend it: npx hoplab up ${shorten(lab.directory)}`,
  );
}

/** While we waited, the lab may have gone down, or come up anew; half built it is nothing to change. */
async function checkStanding(store: LabStore, sandbox: Sandbox): Promise<void> {
  const now = await findSandbox(store);
  if (now?.token === sandbox.token && store.journal === 'committed') return;
  throw InputError.of({
    code: 'lab-not-up',
    what:
      now?.token === sandbox.token
        ? `the lab "${store.name}" was cut off in mid-change`
        : `the lab "${store.name}" went down meanwhile`,
    hint: `complete it: npx hoplab up ${store.name}`,
  });
}

function checkDirectory(store: LabStore, lab: Lab): void {
  const record = store.readRecord();
  if (record === undefined || record.directory === lab.directory) return;
  throw InputError.of({
    code: 'lab-name-taken',
    what: `a lab named "${lab.name}" is up from another directory: ${record.directory}`,
    hint: `take it down first (npx hoplab down ${lab.name}), or rename this directory`,
  });
}

/** Waits for whoever changes the lab, then holds the kernel against what is to stand there. */
export async function verify(
  store: LabStore,
  sandbox: Sandbox,
  progress: Progress,
): Promise<Verified> {
  return whileLocked(store, progress, () => {
    checkBuilt(store);
    return standing.verify(store, sandbox, progress);
  });
}

export async function repair(
  store: LabStore,
  sandbox: Sandbox,
  progress: Progress,
): Promise<Repaired> {
  return whileLocked(store, progress, (lock) => {
    checkBuilt(store);
    return standing.repair(store, sandbox, progress, lock);
  });
}

/** Between the sandbox and the first step there is nothing to hold against anything. */
function checkBuilt(store: LabStore): void {
  if (store.journal !== 'none') return;
  throw InputError.of({
    code: 'lab-not-up',
    what: `the lab "${store.name}" was cut off before anything of it was built`,
    hint: `build it: npx hoplab up ${store.name}`,
  });
}

export { down } from './standing.ts';

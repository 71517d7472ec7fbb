/**
 * Labs that nobody thought of: the kernel stands as planned, and everybody sees what the model predicts. One sandbox goes
 * from lab to lab, so that every change is from one unforeseen lab to another.
 *
 *     HOPLAB_RANDOM_LABS=200 HOPLAB_SEED=7 sh scripts/test.sh --timeout=3600 test/netns/random-labs.test.ts
 */

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import t, { type Test } from 'tap';

import type { Cloud } from '../../src/cloud.ts';
import { runMatrix } from '../../src/probe/matrix.ts';
import { matrixQuestions } from '../../src/probe/questions.ts';
import { renderDrift } from '../../src/report/drift.ts';
import { renderMatrixDifferences } from '../../src/report/matrix.ts';
import { PLAIN } from '../../src/report/style.ts';
import { type RandomLab, randomLab } from '../support/random-lab.ts';
import { type TestLab, withLab } from '../support/with-lab.ts';

const LABS = Number(process.env['HOPLAB_RANDOM_LABS'] ?? 8);
const SEED = Number(process.env['HOPLAB_SEED'] ?? 1);

/** A fault is found in this time and made as small as there is time for. */
const SECONDS = 200 + 10 * Math.max(0, LABS - 8);

const NOTHING: RandomLab = {
  lab: 'vpcs: { main: { cidr: 10.0.0.0/16, subnets: { one: { cidr: 10.0.1.0/24, az: az-1 } } } }',
  manifests: '',
};

t.test('random labs stand as planned, and all is as predicted', async (t) => {
  await withLab(t, NOTHING, async (lab) => {
    const hunt = new Hunt(t, lab);
    const property = fc.asyncProperty(randomLab, async (one) => {
      const faults = await hunt.faultsOf(one);
      if (faults !== '') throw new Error(faults);
    });
    const { failed, counterexample, numRuns } = await fc.check(property, {
      numRuns: LABS,
      seed: SEED,
      // Also making it smaller comes to an end, before the test runner ends all.
      interruptAfterTimeLimit: SECONDS * 1000,
    });
    t.comment(`${numRuns} labs, ${hunt.requests} requests, ${hunt.late} of them answered late`);
    t.comment(`of the labs there were ${hunt.tellKinds()}`);
    if (!failed) {
      t.pass(`${numRuns} labs`);
      return;
    }
    const [found = NOTHING] = counterexample ?? [];
    t.fail(`seed ${SEED}: ${await hunt.tell(found)}`);
  });
});

/** What makes a lab worth counting. */
const KINDS: Readonly<Record<string, (cloud: Cloud) => boolean>> = {
  'strict branch ENIs': ({ pods }) => pods.some(({ branch }) => branch?.mode === 'strict'),
  'standard branch ENIs': ({ pods }) => pods.some(({ branch }) => branch?.mode === 'standard'),
  'branch ENIs, NetworkPolicies and Services': ({ pods, cluster }) =>
    pods.some(({ branch }) => branch !== undefined) &&
    declaredServices(cluster) > 0 &&
    (cluster?.networkPolicies.length ?? 0) > 0,
  NetworkPolicies: ({ cluster }) => (cluster?.networkPolicies.length ?? 0) > 0,
  Services: ({ cluster }) => declaredServices(cluster) > 0,
  'Services of no pods': ({ cluster }) =>
    (cluster?.services ?? []).some(
      ({ name, ports }) =>
        name !== 'kubernetes' &&
        ports.some((port) => port.endpoints.some(({ pod }) => pod === undefined)),
    ),
  'no node port support': ({ cluster }) =>
    cluster?.settings.AWS_VPC_CNI_NODE_PORT_SUPPORT === false && declaredServices(cluster) > 0,
};

/** Every cluster has one, for its API server. */
function declaredServices(cluster: Cloud['cluster']): number {
  return (cluster?.services ?? []).filter(({ name }) => name !== 'kubernetes').length;
}

class Hunt {
  readonly #t: Test;
  readonly #lab: TestLab;
  /** By the text of a lab that had faults: which, and what was there before. */
  readonly #found = new Map<string, { readonly faults: string; readonly before: RandomLab }>();
  readonly #kinds = new Map<string, number>(Object.keys(KINDS).map((kind) => [kind, 0]));
  #now: RandomLab = NOTHING;
  requests = 0;
  late = 0;

  constructor(t: Test, lab: TestLab) {
    this.#t = t;
    this.#lab = lab;
  }

  /** Makes the one sandbox this lab; what is not as it should be, or nothing. */
  async faultsOf(one: RandomLab): Promise<string> {
    const before = this.#now;
    this.#now = one;
    const faults = await this.#look(one);
    if (faults !== '') this.#found.set(one.lab + one.manifests, { faults, before });
    return faults;
  }

  async #look(one: RandomLab): Promise<string> {
    await this.#lab.change(one.lab, one.manifests);
    const { drift } = await this.#lab.verify();
    if (drift.length > 0) return renderDrift(drift, true, PLAIN);
    const { cloud } = this.#lab.lab;
    for (const [kind, isOf] of Object.entries(KINDS)) {
      if (isOf(cloud)) this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    }
    const sandbox = await this.#lab.sandbox();
    const { cells } = await runMatrix(cloud, sandbox, matrixQuestions(cloud));
    this.requests += cells.length;
    const differing = cells.filter(({ agrees }) => !agrees);
    if (differing.length === 0) return '';
    // Who had to wait for a busy machine is asked again.
    const again = await runMatrix(cloud, sandbox, differing);
    const still = again.cells.filter(({ agrees }) => !agrees);
    this.late += differing.length - still.length;
    if (still.length < differing.length) {
      const passing = differing.filter((_, index) => again.cells[index]?.agrees === true);
      this.#t.comment(`only once, in ${keep(one)}:\n${renderMatrixDifferences(passing)}`);
    }
    return renderMatrixDifferences(still);
  }

  /** How many there were with what. */
  tellKinds(): string {
    return [...this.#kinds].map(([kind, labs]) => `${labs} with ${kind}`).join(', ');
  }

  /** What was wrong, and a directory with the lab; also where it is right in a sandbox of its own. */
  async tell(one: RandomLab): Promise<string> {
    const found = this.#found.get(one.lab + one.manifests);
    await this.#lab.down();
    const isRepeatable = (await this.faultsOf(one)) !== '';
    const origin = isRepeatable
      ? ''
      : `\nbut not in a new sandbox; what stood before: ${keep(found?.before ?? NOTHING)}`;
    return `${keep(one)}${origin}\n${found?.faults ?? ''}\n\n${one.lab}---\n${one.manifests}`;
  }
}

/** A lab directory, to be built by hand. */
function keep({ lab, manifests }: RandomLab): string {
  const directory = mkdtempSync(join(tmpdir(), 'hoplab-random-'));
  writeFileSync(join(directory, 'lab.yaml'), lab);
  if (manifests !== '') {
    mkdirSync(join(directory, 'manifests'));
    writeFileSync(join(directory, 'manifests', 'pods.yaml'), manifests);
  }
  return directory;
}

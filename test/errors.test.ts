/** Each case of `test/errors` is a lab with mistakes; `expected.txt` is all that a person is told of them. */

import { join } from 'node:path';

import t from 'tap';

import { InputError, renderDiagnostic } from '../src/base/diagnostic.ts';
import { findLab } from '../src/host/lab-files.ts';
import {
  codesIn,
  codesOfSources,
  complaints,
  errorCases,
  ERRORS,
  readCase,
} from './support/errors.ts';
import { matchGolden } from './support/golden.ts';

/** Codes that no file of a lab can bring about. */
const NOT_FROM_FILES: Readonly<Record<string, string>> = {
  'set-syntax': 'written on the command line; tested below',
  'no-such-lab': 'written on the command line; tested below',
  usage: 'written on the command line (src/commands/grammar.ts)',
  'no-such-thing': 'named on the command line (src/commands)',
  'no-access-log': 'named on the command line (src/commands/logs.ts); tested in test/commands',
  'several-of-that-name': 'named on the command line (src/commands/inspect.ts)',
  'lab-not-up': 'the lab went down while a probe ran (src/pipeline.ts), or is named and not up',
  'no-lab-up': 'a command without a lab to be about (src/commands/lab-choice.ts)',
  'several-labs-up': 'a command that leaves open which (src/commands/lab-choice.ts)',
  'no-such-probe': 'named on the command line (src/commands/probe.ts)',
  'capture-filter':
    'behind "--" of capture; tested in test/netns/capture.test.ts, like the next three',
  'capture-path': 'named on the command line (src/commands/capture-places.ts)',
  'no-such-interface': 'named on the command line (src/commands/capture-places.ts)',
  'cannot-write': 'named on the command line (src/host/output.ts)',
  'not-a-port': 'written on the command line (src/commands/matrix.ts)',
  'lab-name-taken': 'needs a lab that is up (src/pipeline.ts, checkDirectory)',
};

const seen = new Set<string>();

for (const name of errorCases()) {
  t.test(`errors/${name}`, async (t) => {
    const text = complaints(readCase(name));
    for (const code of codesIn(text)) seen.add(code);
    t.not(text, '', 'something is wrong with this lab');
    matchGolden(t, text, join(ERRORS, name, 'expected.txt'), 'all that is said of it, in order');
  });
}

t.test('every diagnostic code has a case', async (t) => {
  const missing = [...codesOfSources()]
    .filter(([code]) => !seen.has(code) && NOT_FROM_FILES[code] === undefined)
    .map(([code, files]) => `${code} (${files.join(', ')})`);
  t.strictSame(missing, []);
});

t.test('no code is excused that a case shows, or that is gone', async (t) => {
  const codes = codesOfSources();
  const stale = Object.keys(NOT_FROM_FILES).filter((code) => seen.has(code) || !codes.has(code));
  t.strictSame(stale, []);
});

t.test('a --set without a value says how one is written', async (t) => {
  t.equal(
    complaints(readCase('patch-of-nothing'), ['cluster.cni']),
    `--set cluster.cni:1:1: error[set-syntax]: "cluster.cni" is not PATH=VALUE
  hint: write it like --set cluster.cni.AWS_VPC_K8S_CNI_EXTERNALSNAT=false
`,
  );
});

t.test('a --set that leads nowhere is reported where it was written', async (t) => {
  t.equal(
    complaints(readCase('warnings-only'), ['vpc.main.cidr=10.1.0.0/16']),
    `--set vpc.main.cidr=10.1.0.0/16:1:1: error[unknown-path]: "vpc.main.cidr": there is no "vpc" in the lab
  hint: did you mean "vpcs"?
`,
  );
});

t.test('a --set with a wrong value is reported where it was written', async (t) => {
  t.equal(
    complaints(readCase('patch-with-mistake'), ['vpcs.main.cidr=10.0.0.0/33']),
    `--set vpcs.main.cidr=10.0.0.0/33:1:1: error[not-a-cidr]: vpcs.main.cidr: "10.0.0.0/33" is not a CIDR block
  hint: write it like 10.0.3.0/24
`,
  );
});

t.test('a lab that is not there: the names that are', async (t) => {
  const say = (word: string): string => {
    try {
      return findLab(word);
    } catch (error) {
      if (error instanceof InputError) return error.diagnostics.map(renderDiagnostic).join('\n');
      throw error;
    }
  };
  t.equal(
    say('scenario3'),
    'error[no-such-lab]: there is no lab "scenario3"\n  hint: did you mean "scenario-3"?',
  );
  t.match(say('xyz'), /^error\[no-such-lab\]: there is no lab "xyz"\n {2}hint: .*scenario-3/);
  const empty = t.testdir({});
  t.match(say(empty), /^error\[no-such-lab\]: ".*" is a directory without a lab\.yaml\n {2}hint: /);
});

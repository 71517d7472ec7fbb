/** What README.md and the labs' READMEs tell one to type does what they show, in the order in which they tell it. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import t from 'tap';

import { run } from '../../src/host/exec.ts';
import { builtInLabs, LABS } from '../../src/host/lab-files.ts';
import { load } from '../../src/pipeline.ts';
import { missingLines, shownCommands } from '../support/markdown.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
/** A command that goes on until somebody ends it has shown by then what it can. */
const ENDLESS_SECONDS = 3;
const SECONDS = 30;
/** Without npx between, which only looks for the launcher. */
const SHORT = `npx() { shift; sh ${PROJECT}/scripts/hoplab "$@"; }`;

/** What can't be run here, each with the reason. */
const LEFT_OUT: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^npm test/, 'this is one of the tests'],
  [/\bvagrant\b/, 'it needs a hypervisor; test/scripts tries it with a stand-in'],
  [/\bwireshark\b/, 'it needs a screen; test/netns/capture.test.ts reads the same stream'],
  [/\b(limactl|multipass|brew|winget|apt-get|git clone)\b/, 'it changes the machine'],
];

const FILES = [
  join(PROJECT, 'README.md'),
  ...builtInLabs().map((name) => join(LABS, name, 'README.md')),
];

for (const file of FILES) {
  const name = relative(PROJECT, file);
  // The lab of the directory, else the one that the README begins with. Experiments are no traffic: they change the lab.
  const lab = file.startsWith(LABS) ? basename(dirname(file)) : 'scenario-4';
  const probes = Object.keys(load(lab).spec.file.probes).join(' ');
  // Not by the function below, whose own process would be ended in the place of the program's.
  const traffic = `sh ${PROJECT}/scripts/hoplab probe --every 100ms -l ${lab} ${probes} >/dev/null 2>&1 & traffic=$!; trap "kill $traffic" EXIT`;
  t.test(`every command in ${name} does what it shows`, async (t) => {
    const state = mkdtempSync(join(tmpdir(), 'hoplab-docs-'));
    const sh = (line: string): ReturnType<typeof run> =>
      run([
        'env',
        '-u',
        'NODE_OPTIONS',
        `XDG_STATE_HOME=${state}`,
        'bash',
        '-c',
        `cd ${PROJECT}; ${SHORT}\n${line}`,
      ]);
    t.teardown(async () => {
      await sh('npx hoplab down --all');
      rmSync(state, { recursive: true, force: true });
    });
    for (const { line, command, output } of shownCommands(readFileSync(file, 'utf8'))) {
      const where = `${name}:${line}: ${command}`;
      const reason = LEFT_OUT.find(([pattern]) => pattern.test(command))?.[1];
      if (reason !== undefined) {
        t.comment(`left out: ${command} (${reason})`);
        continue;
      }
      // Whoever listens needs somebody who sends.
      const listens = /\btcpdump\b|hoplab capture\b/.test(command);
      const script = listens ? `${traffic}\n${command}` : command;
      const isEndless = listens && !/ (-c \d+|timeout \d+) /.test(command);
      const seconds = isEndless ? ENDLESS_SECONDS : SECONDS;
      const { exitCode, stdout, stderr } = await sh(
        `timeout -k 10 -s INT ${seconds} bash -c ${quote(`${SHORT}\n${script}`)} </dev/null`,
      );
      const missing = missingLines(output, stdout + stderr);
      t.strictSame(missing, [], `${where}\n${stdout}${stderr}`);
      // Where something is broken on purpose the text shows how that looks; 124 is the end of what never ends.
      // Where verify stands without output, something was broken for it to find.
      const fine = /hoplab verify\b/.test(command) ? [0, 1] : [0, 124];
      if (output.length === 0) t.ok(fine.includes(exitCode), `${where}: ${exitCode}\n${stderr}`);
    }
  });
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

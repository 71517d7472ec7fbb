/** `list`: the labs that come with the project, and the question that each asks. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { builtInLabs, LABS } from '../host/lab-files.ts';
import { questionOf, renderLabList } from '../report/labs.ts';
import { labsUp } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function list(terminal: Terminal): Promise<number> {
  const directories = new Set((await labsUp()).map(({ record }) => record?.directory));
  const labs = builtInLabs().map((name) => {
    const directory = join(LABS, name);
    const question = questionOf(readFileSync(join(directory, 'lab.yaml'), 'utf8'));
    return { name, directory, isUp: directories.has(directory), question };
  });
  if (terminal.json) terminal.printJson(labs);
  else terminal.print(renderLabList(labs, terminal.style));
  return 0;
}

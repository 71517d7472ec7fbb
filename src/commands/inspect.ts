/** `inspect [thing]`: what is in the lab that is up, or what one thing of it is. */

import { InputError, suggest } from '../base/diagnostic.ts';
import { findThing } from '../cloud.ts';
import { loadUp } from '../pipeline.ts';
import { labAsJson, renderLab } from '../report/inspect.ts';
import { describeThing, renderThing, thingAsJson } from '../report/thing.ts';
import { chooseLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function inspect(
  { thing: word, lab: option }: { thing: string | undefined; lab: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const { name, record } = await chooseLab(option, terminal);
  const { cloud } = loadUp(name, record);
  if (word === undefined) {
    if (terminal.json) terminal.printJson(labAsJson(cloud));
    else terminal.print(renderLab(cloud, terminal.style));
    return 0;
  }
  const thing = findThing(cloud, word);
  if (thing === undefined) {
    const hint = suggest(word, cloud.things.keys()) ?? 'npx hoplab inspect lists what there is';
    const what = `there is no "${word}" in ${name}`;
    throw InputError.of({ code: 'no-such-thing', what, hint });
  }
  const description = describeThing(cloud, thing);
  if (terminal.json) terminal.printJson(thingAsJson(description));
  else terminal.print(renderThing(description, terminal.style));
  return 0;
}

/** The places of `capture`: words of a person, or a path of the model, to links that are there. */

import { InputError, suggest } from '../base/diagnostic.ts';
import { parseIpv4 } from '../base/ip.ts';
import { type Cloud, findThing, type Thing } from '../cloud.ts';
import { type LinkUp, readLinks } from '../host/links.ts';
import type { LabStore } from '../host/store.ts';
import type { Sandbox } from '../host/sandbox.ts';
import { readThings } from '../host/thing-index.ts';
import { conversation } from '../judge/conversation.ts';
import type { Ear } from '../probe/capture.ts';
import { netnsOfThing } from './inside.ts';
import type { Terminal } from './terminal.ts';

/** A place as it was meant: all links of a namespace, or one. */
interface Wanted {
  readonly place: string;
  readonly netns: string;
  readonly link: string | undefined;
}

/** `node/node-1` or `node/node-1:eth1`; a pod on its node's network is its node. */
export function placeNamed(store: LabStore, word: string): Wanted {
  const [, thing = '', link] = /^(.*?)(?::([^:]*))?$/.exec(word) ?? [];
  const netns = netnsNamed(store, thing);
  const owner = readThings(store).find((one) => one.netns === netns);
  return { place: owner?.reference ?? thing, netns, link };
}

function netnsNamed(store: LabStore, thing: string): string {
  try {
    return netnsOfThing(store, thing);
  } catch (error) {
    if (!(error instanceof InputError) || thing.includes('/')) throw error;
    const behind = 'a filter stands behind "--"';
    throw new InputError(
      error.diagnostics.map((one) => ({ ...one, hint: `${one.hint ?? ''}; ${behind}` })),
    );
  }
}

/** Where a ping from one to the other would pass, there and back; says so where the model lets it end early. */
export function placesOnPath(
  cloud: Cloud,
  [from, to]: readonly [string, string],
  terminal: Terminal,
): Wanted[] {
  const sender = endpointNamed(cloud, from);
  const destination =
    parseIpv4(to) ??
    findThing(cloud, to)?.address ??
    cloud.internetHosts.find(({ name }) => name === to)?.address;
  if (destination === undefined) {
    const known = [...cloud.things.values()].flatMap((one) =>
      one.address === undefined ? [] : [one.reference],
    );
    throw InputError.of({
      code: 'capture-path',
      what: `--path: "${to}" is neither an address nor anything that has one in this lab`,
      hint: suggest(to, known) ?? 'npx hoplab inspect lists what there is',
    });
  }
  const { judgement, crossings } = conversation(cloud, sender, destination);
  if (judgement.verdict !== 'allowed') {
    terminal.note(`the model says that a ping fails here: ${judgement.because}`);
  }
  return crossings.map((one) => ({ ...one }));
}

function endpointNamed(cloud: Cloud, word: string): Thing {
  const thing = findThing(cloud, word);
  if (thing?.isEndpoint === true) return thing;
  const known = [...cloud.things.values()].filter((one) => one.isEndpoint);
  throw InputError.of({
    code: 'capture-path',
    what:
      thing === undefined
        ? `--path: "${word}" is nothing in this lab`
        : `--path: "${word}" sends nothing of its own`,
    hint:
      suggest(
        word,
        known.map(({ reference }) => reference),
      ) ?? 'a path begins at pod/NAME, node/NAME, instance/NAME or internet/NAME',
  });
}

/** The links behind the places, each once; throws an InputError with those that are there for one that is not. */
export async function earsAt(sandbox: Sandbox, wanted: readonly Wanted[]): Promise<Ear[]> {
  const netnses = [...new Set(wanted.map(({ netns }) => netns))];
  const links = await readLinks(sandbox, netnses);
  const ears = new Map<string, Ear>();
  for (const { place, netns, link } of wanted) {
    for (const { name, index } of linksOf(links.get(netns) ?? [], place, link)) {
      ears.set(`${netns}/${index}`, { place, netns, link: name, index });
    }
  }
  return [...ears.values()];
}

/** Of a whole place without its bridges: their ports show the same packets. */
function linksOf(
  links: readonly LinkUp[],
  place: string,
  link: string | undefined,
): readonly LinkUp[] {
  if (link === undefined) return links.filter(({ isBridge }) => !isBridge);
  const found = links.filter(({ name }) => name === link);
  if (found.length > 0) return found;
  const names = links.map(({ name }) => name);
  const there = `it has ${names.join(', ')}`;
  const near = suggest(link, names);
  throw InputError.of({
    code: 'no-such-interface',
    what: `${place} has no interface "${link}"`,
    hint: near?.startsWith('did') === true ? `${near} (${there})` : there,
  });
}

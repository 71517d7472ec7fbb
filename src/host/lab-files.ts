/** Finds a lab and reads its files; a lab is a directory, or a name under `labs/`. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';

import { InputError, suggest } from '../base/diagnostic.ts';
import type { Programs } from '../kernel/server.ts';
import { programFile, PROJECT } from './project.ts';

export interface LabText {
  readonly name: string;
  readonly directory: string;
  readonly lab: { file: string; text: string };
  readonly manifests: readonly { file: string; text: string }[];
}

export const LABS = join(PROJECT, 'labs');

export function readPrograms(): Programs {
  const read = (name: string): string => readFileSync(programFile(name), 'utf8');
  const server = read('netns-server.pl');
  return {
    responder: server + read('responder.pl'),
    dropLog: read('drop-log.pl'),
    clusterDns: server + read('cluster-dns.pl'),
    nlbTargets: server + read('nlb-targets.pl'),
    postgres: read('postgres.sh'),
  };
}

/** The labs that come with the project. */
export function builtInLabs(): string[] {
  return readdirSync(LABS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(LABS, entry.name, 'lab.yaml')))
    .map((entry) => entry.name)
    .sort();
}

/** The directory that a person means; throws an InputError when there is none. */
export function findLab(word: string): string {
  const direct = resolve(word);
  if (existsSync(join(direct, 'lab.yaml'))) return direct;
  const builtIn = join(LABS, word);
  if (!word.includes('/') && existsSync(join(builtIn, 'lab.yaml'))) return builtIn;
  const isDirectory = existsSync(direct) && statSync(direct).isDirectory();
  throw InputError.of({
    code: 'no-such-lab',
    what: isDirectory ? `"${word}" is a directory without a lab.yaml` : `there is no lab "${word}"`,
    hint:
      suggest(word, builtInLabs()) ??
      `the labs here: ${builtInLabs().join(', ')}; or name a directory with a lab.yaml`,
  });
}

export function hasFile(path: string): boolean {
  return existsSync(path);
}

/** A path as a person would write it who stands here. */
export function shorten(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}

export function readLabText(directory: string): LabText {
  const labFile = join(directory, 'lab.yaml');
  const manifests = join(directory, 'manifests');
  const files = existsSync(manifests)
    ? readdirSync(manifests)
        .filter((name) => /\.ya?ml$/.test(name))
        .sort()
        .map((name) => join(manifests, name))
    : [];
  const read = (path: string): { file: string; text: string } => ({
    file: shorten(path),
    text: readFileSync(path, 'utf8'),
  });
  return { name: basename(directory), directory, lab: read(labFile), manifests: files.map(read) };
}

/** Holds every probe of a lab against its cloud before anything is built: whoever it names must be there. */

import { type Diagnostics, suggest } from '../base/diagnostic.ts';
import { type Cloud, findThing } from '../cloud.ts';
import type { LabSpec } from '../lab.ts';
import type { ProbeSpec } from '../observe/probe-spec.ts';
import type { Where } from '../source/yaml.ts';
import { resolveRequest } from './request.ts';

/** The lab's own probes against the lab. */
export function checkProbes(lab: LabSpec, cloud: Cloud, diagnostics: Diagnostics): void {
  for (const [name, probe] of Object.entries(lab.file.probes)) {
    checkProbe(probe, cloud, lab.where.in('probes', name), diagnostics);
  }
}

/** An experiment's probes against the lab as the experiment makes it. */
export function checkExperiment(
  lab: LabSpec,
  name: string,
  cloud: Cloud,
  diagnostics: Diagnostics,
): void {
  for (const [probeName, probe] of Object.entries(lab.file.experiments[name]?.probes ?? {})) {
    const where = lab.where.in('experiments', name, 'probes', probeName);
    checkProbe(probe, cloud, where, diagnostics);
  }
}

function checkProbe(probe: ProbeSpec, cloud: Cloud, where: Where, diagnostics: Diagnostics): void {
  resolveRequest(probe, cloud, where, diagnostics);
  const { expect } = probe;
  const names: [string, readonly string[]][] = [
    ['path', expect.path ?? []],
    ['silent', expect.silent],
    ['conntrack', expect.conntrack.map(({ at }) => at)],
    ['answeredBy', expect.answeredBy === undefined ? [] : [expect.answeredBy]],
  ];
  for (const [key, list] of names) {
    list.forEach((text, index) => {
      if (findThing(cloud, text) !== undefined) return;
      const at = key === 'answeredBy' ? where.at('expect', key) : where.at('expect', key, index);
      diagnostics.error(
        'unknown-thing',
        at,
        `"${text}" is nothing in this lab`,
        suggest(text, cloud.things.keys()),
      );
    });
  }
  const onlyFor = (
    key: 'status' | 'ttl' | 'addresses' | 'asked' | 'spread' | 'answer',
    kind: 'http' | 'ping' | 'dns' | 'samples' | 'query',
  ): void => {
    if (expect[key] === undefined || probe[kind] !== undefined) return;
    diagnostics.error(
      'expectation',
      where.at('expect', key),
      `"${key}" is seen by ${kind} only`,
      kind === 'samples'
        ? 'say how many "samples", or leave it out'
        : kind === 'query'
          ? 'say what is to be asked by psql, or leave it out'
          : `ask by ${kind}, or leave "${key}" out`,
    );
  };
  onlyFor('status', 'http');
  onlyFor('ttl', 'ping');
  onlyFor('addresses', 'dns');
  onlyFor('asked', 'dns');
  onlyFor('spread', 'samples');
  onlyFor('answer', 'query');
}

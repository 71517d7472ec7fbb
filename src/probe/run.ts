/**
 * Asks a lab's probes with real packets and holds what was seen against what the lab expects, and against the model.
 *
 * All probes of a group go at once. An experiment changes the lab first; after the last one it is changed back (pipeline.ts).
 */

import { type Diagnostics, Diagnostics as DiagnosticList } from '../base/diagnostic.ts';
import type { Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { type Cloud, findThing } from '../cloud.ts';
import { runBinary } from '../host/exec.ts';
import { enterWithScript, type Sandbox } from '../host/sandbox.ts';
import { type Judgement, judgeAll } from '../judge/judge.ts';
import type { Capture } from '../observe/journey.ts';
import { parseDropLog } from '../observe/drop.ts';
import { decodePcap } from '../observe/pcap.ts';
import type { ProbeSpec } from '../observe/probe-spec.ts';
import type { Where } from '../source/yaml.ts';
import { readArchive } from './archive.ts';
import { capturePlaces, type Evidence, landmarks, readEvidence } from './evidence.ts';
import { findDifferences } from './compare.ts';
import { type Outcome, readOutcome } from './outcome.ts';
import { takePorts } from './ports.ts';
import { protocolOf, type Request, resolveRequest } from './request.ts';
import { type Ask, maxMs, renderByHand, renderProbeScript } from './script.ts';

export interface ProbeResult {
  readonly name: string;
  readonly probe: ProbeSpec;
  readonly request: Request;
  readonly outcome: Outcome;
  readonly evidence: Evidence;
  readonly judgement: Judgement;
  readonly timeMs: number | undefined;
  readonly sourceSeen: string | undefined;
  /** Empty when all is as expected and as predicted. */
  readonly differences: readonly string[];
  /** The same request by hand. */
  readonly byHand: string;
}

/** Each probe has a few source ports to itself, so that its packets are known by them. */
const PORTS_PER_PROBE = 8;

export async function runGroup(
  cloud: Cloud,
  sandbox: Sandbox,
  probes: readonly (readonly [name: string, probe: ProbeSpec])[],
  where: Where,
): Promise<ProbeResult[]> {
  const asks = makeAsks(cloud, probes, where, new DiagnosticList());
  if (asks.length === 0) return [];
  const places = capturePlaces(cloud, asks);
  const tracked = new Set<NetnsName>(
    asks.flatMap(({ probe }) =>
      probe.expect.conntrack.flatMap(({ at }) => findThing(cloud, at)?.netns ?? []),
    ),
  );
  const script = renderProbeScript(asks, places, [...tracked]);
  const files = readArchive(await runBinary(enterWithScript(sandbox, script)));
  const text = (name: string): string => new TextDecoder().decode(files.get(name));
  const captures = places.map((place): Capture => readCapture(place, files, text));
  const marks = landmarks(cloud);
  const { drops } = parseDropLog(text('drops'));
  const entries = new Map([...tracked].map((netns) => [netns, text(`${netns}.conntrack`)]));

  return asks.map((ask, index) => {
    const { request, probe } = ask;
    const said = readOutcome(request.kind, {
      exitCode: exitCodeOf(text(`${index}.exit`), ask.name),
      out: text(`${index}.out`),
      err: text(`${index}.err`),
      body: text(`${index}.body`),
      ...(probe.samples === undefined
        ? {}
        : { samples: text(`${index}.samples`), times: text(`${index}.times`) }),
    });
    const answeredBy = said.answeredBy ?? databaseAt(cloud, said.server);
    const outcome = { ...said, answeredBy };
    const evidence = readEvidence(cloud, marks, captures, drops, ask);
    const chosen = request.destinations.find((one) => one === evidence.first?.destination);
    const alternatives = judgeAll(cloud, {
      protocol: protocolOf(request.kind),
      from: request.from,
      destination: chosen ?? request.destination,
      port: request.port,
      http: request.kind === 'http',
      byName: request.isByName,
      isDns: request.kind === 'dns',
      waitMs: maxMs(ask),
      ...(request.url === undefined ? {} : { url: request.url }),
      ...(probe.fragment ? {} : { dontFragment: true, sizeBytes: (probe.size ?? 56) + 28 }),
    });
    const judgement = closest(alternatives, outcome, evidence);
    const reached = evidence.path.at(-1) === judgement.path.at(-1);
    const shown = reached ? evidence.last?.source : undefined;
    const sourceSeen = outcome.client ?? shown;
    return {
      name: ask.name,
      probe,
      request,
      outcome,
      evidence,
      judgement,
      timeMs: outcome.timeMs ?? evidence.roundTripMs,
      sourceSeen,
      differences: findDifferences(
        cloud,
        { request, probe, outcome, evidence, judgement, alternatives, sourceSeen },
        entries,
      ),
      byHand: renderByHand(ask),
    };
  });
}

/** An empty file is no success: nothing was sent. */
function exitCodeOf(written: string, probe: string): number {
  if (!/^\d+\n$/.test(written))
    throw new Error(`nothing is known of probe "${probe}": it was not sent`);
  return Number(written);
}

/** A database knows no more of itself than its address. */
function databaseAt(cloud: Cloud, address: Ipv4 | undefined): string | undefined {
  return [...cloud.things.values()].find(
    (thing) => thing.kind === 'rds' && thing.address === address,
  )?.reference;
}

/** Of what may become of a request, what did, or the first. */
function closest(
  alternatives: readonly [Judgement, ...Judgement[]],
  { verdict }: Outcome,
  { path }: Evidence,
): Judgement {
  const hasPath = (one: Judgement): boolean => one.path.join(' ') === path.join(' ');
  return (
    alternatives.find((one) => one.verdict === verdict && hasPath(one)) ??
    alternatives.find(hasPath) ??
    alternatives.find((one) => one.verdict === verdict) ??
    alternatives[0]
  );
}

function makeAsks(
  cloud: Cloud,
  probes: readonly (readonly [name: string, probe: ProbeSpec])[],
  where: Where,
  diagnostics: Diagnostics,
): (Ask & { name: string })[] {
  return probes.flatMap(([name, probe], index) => {
    const request = resolveRequest(probe, cloud, where.in(name), diagnostics);
    if (request === undefined) return [];
    const ports = takePorts(PORTS_PER_PROBE);
    const samplePorts = probe.samples === undefined ? undefined : takePorts(probe.samples - 1);
    return [
      { name, request, probe, ports, samplePorts, token: `hop${String(index).padStart(4, '0')}x` },
    ];
  });
}

function readCapture(
  place: NetnsName,
  files: ReadonlyMap<string, Uint8Array>,
  text: (name: string) => string,
): Capture {
  const links = new Map<number, string>();
  for (const line of text(`${place}.links`).split('\n')) {
    const match = /^(\d+): ([^:@]+)/.exec(line);
    if (match !== null) links.set(Number(match[1]), match[2] ?? '');
  }
  return { place, links, packets: decodePcap(files.get(`${place}.pcap`) ?? new Uint8Array()) };
}

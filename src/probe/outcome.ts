/** What the tool that sent a request said of it, as a verdict. */

import type { Ipv4 } from '../base/ip.ts';
import { parseIpv4 } from '../base/ip.ts';
import type { RequestKind, Verdict } from '../observe/probe-spec.ts';
import { isRecord } from '../source/yaml.ts';
import { TIMED_OUT } from './script.ts';

export interface Outcome {
  readonly verdict: Verdict;
  readonly status?: number | undefined;
  readonly timeMs?: number | undefined;
  /** What the receiver itself said that it saw. */
  readonly client?: Ipv4 | undefined;
  readonly answeredBy?: string | undefined;
  readonly ttl?: number | undefined;
  /** Who answered each sample: how often. */
  readonly answers?: ReadonlyMap<string, number> | undefined;
  /** How long each further sample took, the shortest first. */
  readonly samplesMs?: readonly number[] | undefined;
  /** What a name leads to, and which names the server was asked for. */
  readonly addresses?: readonly Ipv4[] | undefined;
  readonly asked?: readonly string[] | undefined;
  /** Which address the server says that it is. */
  readonly server?: Ipv4 | undefined;
  /** What the database said to the query. */
  readonly answer?: string | undefined;
  /** The tool's own words when it failed. */
  readonly said?: string | undefined;
}

export interface ToolResult {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  readonly body: string;
  /** The bodies of the further samples, a line each; undefined where one is all. */
  readonly samples?: string | undefined;
  /** How long each of them took, in seconds, a line each. */
  readonly times?: string | undefined;
}

export function readOutcome(kind: RequestKind, result: ToolResult): Outcome {
  switch (kind) {
    case 'http':
      return withSamples(readCurl(result), result);
    case 'dns':
      return readDig(result);
    case 'psql':
      return readPsql(result);
    case 'ping':
      return readPing(result);
    case 'tcp':
    case 'udp':
      return readSocat(kind, result);
  }
}

/** @see curl(1) "EXIT CODES": 7 failed to connect, 28 time-out, 52 empty reply, 56 failure in receiving */
function readCurl({ exitCode, out, err, body }: ToolResult): Outcome {
  const said = lastWords(err);
  const facts = parseJson(out);
  const timeMs = typeof facts['time_total'] === 'number' ? facts['time_total'] * 1000 : undefined;
  if (exitCode === 0) {
    const status = typeof facts['http_code'] === 'number' ? facts['http_code'] : undefined;
    return { verdict: 'allowed', status, timeMs, ...readAnswer(body) };
  }
  if (exitCode === 28) return { verdict: 'timeout', timeMs, said };
  if (exitCode === 52 || exitCode === 56) return { verdict: 'reset', timeMs, said };
  return { verdict: /refused/i.test(said) ? 'refused' : 'unreachable', timeMs, said };
}

/**
 * Why there is no connection curl 7.77 and later say only on the way (`-v`), in the kernel's words: of the last address
 * that they tried. What is no curl's own is what could not start it.
 */
function lastWords(err: string): string {
  const said = [...err.matchAll(/^curl: \(\d+\) (.*)$/gm)].at(-1)?.[1];
  if (said === undefined) return err.replaceAll(/^[*<>{}].*\n?/gm, '').trim();
  const why = [...err.matchAll(/^\* .*\b(?:failed|connect fail for \S+): (.*)$/gm)].at(-1)?.[1];
  return why === undefined ? said : said.replace(/Could(?:n't| not) connect to server$/, why);
}

function withSamples(first: Outcome, { samples, times = '' }: ToolResult): Outcome {
  if (samples === undefined) return first;
  const answers = new Map<string, number>();
  const count = (who: string | undefined): void => {
    if (who !== undefined) answers.set(who, (answers.get(who) ?? 0) + 1);
  };
  count(first.answeredBy);
  for (const line of samples.split('\n')) count(readAnswer(line).answeredBy);
  const samplesMs = times
    .split('\n')
    .filter((line) => /^\d+\.\d+$/.test(line))
    .map((line) => Number(line) * 1000)
    .sort((a, b) => a - b);
  return { ...first, answers, samplesMs };
}

/** @see dig(1): 9 is "no reply from server", `-u` counts in microseconds */
function readDig({ exitCode, out, err }: ToolResult): Outcome {
  const said = `${out}\n${err}`;
  const asked = [...out.matchAll(/^;(\S+)\s+IN\s+A$/gm)].map((match) =>
    (match[1] ?? '').replace(/\.$/, ''),
  );
  if (/connection refused/i.test(said))
    return { verdict: 'refused', asked, said: firstWords(said) };
  if (exitCode === 9 || /no servers could be reached|timed out/.test(said)) {
    return { verdict: 'timeout', asked, said: firstWords(said) };
  }
  const addresses = [...out.matchAll(/^\S+\s+\d+\s+IN\s+A\s+(\S+)$/gm)].flatMap(
    (match) => parseIpv4(match[1] ?? '') ?? [],
  );
  const time = /^;; Query time: (\d+) usec$/m.exec(out);
  return {
    verdict: addresses.length > 0 ? 'allowed' : 'no-such-name',
    addresses,
    asked,
    timeMs: time === null ? undefined : Number(time[1]) / 1000,
  };
}

/**
 * The first line is whom the server sees and who it says that it is, the rest the answer to the query.
 * @see psql(1) "Exit Status": 1 a fatal error, 2 no connection, 3 an error in a script; timeout(1): 124 it was ended
 */
function readPsql({ exitCode, out, err }: ToolResult): Outcome {
  const said =
    err
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^psql: error: /, '') ?? '';
  if (exitCode === TIMED_OUT) return { verdict: 'timeout' };
  if (exitCode === 2) {
    if (/Connection refused/.test(err)) return { verdict: 'refused', said };
    if (/timeout expired|Connection timed out/.test(err)) return { verdict: 'timeout', said };
    return { verdict: /closed the connection|reset/.test(err) ? 'reset' : 'unreachable', said };
  }
  const [addresses = '', ...rows] = out.trimEnd().split('\n');
  const [client = '', server = ''] = addresses.split('|');
  return {
    verdict: 'allowed',
    client: parseIpv4(client),
    server: parseIpv4(server),
    ...(rows.length === 0 ? {} : { answer: rows.join('\n') }),
    ...(exitCode === 0 ? {} : { said }),
  };
}

function firstWords(said: string): string | undefined {
  return said
    .split('\n')
    .find((line) => /;;.*(refused|timed out|no servers)/i.test(line))
    ?.replace(/^;; /, '');
}

function readPing({ exitCode, out, err }: ToolResult): Outcome {
  const reply = /ttl=(\d+) time=([\d.]+)/.exec(out);
  if (exitCode === 0 && reply !== null) {
    return { verdict: 'allowed', ttl: Number(reply[1]), timeMs: Number(reply[2]) };
  }
  const said = `${out}\n${err}`;
  const tooBig = /(From .*Frag(?:mentation)? needed.*|.*[Mm]essage too long.*)/.exec(said);
  if (tooBig !== null) return { verdict: 'too-big', said: tooBig[1] };
  const refusal = /From .* icmp_seq=\d+ (.*)/.exec(said);
  if (refusal !== null) return { verdict: 'unreachable', said: refusal[0] };
  return { verdict: 'timeout' };
}

function readSocat(kind: 'tcp' | 'udp', { exitCode, out, err }: ToolResult): Outcome {
  const said = err.trim().replace(/^.* E /s, '');
  if (/refused/i.test(err)) return { verdict: 'refused', said };
  if (/reset by peer/i.test(err)) return { verdict: 'reset', said };
  if (kind === 'tcp') {
    if (exitCode === 0) return { verdict: 'allowed' };
    return { verdict: /timed? ?out/i.test(err) ? 'timeout' : 'unreachable', said };
  }
  if (out !== '') return { verdict: 'allowed', ...readAnswer(out) };
  return exitCode === 0 ? { verdict: 'timeout' } : { verdict: 'unreachable', said };
}

/** Our own servers say who they are and whom they saw. */
function readAnswer(body: string): Pick<Outcome, 'client' | 'answeredBy'> {
  const answer = parseJson(body);
  const text = (key: string): string | undefined => {
    const value = answer[key];
    return typeof value === 'string' ? value : undefined;
  };
  const pod = text('pod');
  const namespace = text('namespace');
  const instance = text('instance');
  const host = text('address') === undefined ? undefined : text('internet');
  const answeredBy =
    pod !== undefined
      ? `pod/${namespace === undefined || namespace === 'default' ? '' : `${namespace}/`}${pod}`
      : instance !== undefined
        ? `instance/${instance}`
        : host === undefined
          ? undefined
          : `internet/${host}`;
  return { client: parseIpv4(text('client') ?? ''), answeredBy };
}

function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

/** What the tool that sent a request said of it, as a verdict. */

import type { Ipv4 } from '../base/ip.ts';
import { parseIpv4 } from '../base/ip.ts';
import type { RequestKind, Verdict } from '../observe/probe-spec.ts';
import { isRecord } from '../source/yaml.ts';

export interface Outcome {
  readonly verdict: Verdict;
  readonly status?: number | undefined;
  readonly timeMs?: number | undefined;
  /** What the receiver itself said that it saw. */
  readonly client?: Ipv4 | undefined;
  readonly answeredBy?: string | undefined;
  readonly ttl?: number | undefined;
  /** The tool's own words when it failed. */
  readonly said?: string | undefined;
}

export interface ToolResult {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  readonly body: string;
}

export function readOutcome(kind: RequestKind, result: ToolResult): Outcome {
  switch (kind) {
    case 'http':
      return readCurl(result);
    case 'ping':
      return readPing(result);
    case 'tcp':
    case 'udp':
      return readSocat(kind, result);
  }
}

/** @see curl(1) "EXIT CODES": 7 failed to connect, 28 time-out, 52 empty reply, 56 failure in receiving */
function readCurl({ exitCode, out, err, body }: ToolResult): Outcome {
  const said = err.trim().replace(/^curl: \(\d+\) /, '');
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

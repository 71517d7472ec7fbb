/**
 * Everybody asks everybody, for real and all at once, and what is seen stands beside what the model predicts. The two know
 * nothing of each other: a difference is a bug of one of them, or somebody changed the lab by hand.
 */

import { type Ipv4, parseIpv4 } from '../base/ip.ts';
import type { Cloud } from '../cloud.ts';
import { sendRequests } from '../host/prober.ts';
import type { Sandbox } from '../host/sandbox.ts';
import { type Judgement, judgeAll } from '../judge/judge.ts';
import { type Verdict, VERDICTS } from '../observe/probe-spec.ts';
import { takePorts } from './ports.ts';
import type { MatrixQuestion } from './questions.ts';
import { PATIENCE_MS, renderByHand } from './script.ts';

/** Silence that is predicted is waited for so long; an answer that is predicted gets PATIENCE_MS. */
const SILENCE_MS = 300;

export interface Observation {
  readonly verdict: Verdict;
  readonly timeMs: number;
  /** The sender's address, as the receiver says that it saw it. */
  readonly sourceSeen: Ipv4 | undefined;
  /** The kernel's own words. */
  readonly said: string | undefined;
}

export interface MatrixCell extends MatrixQuestion {
  readonly predicted: Judgement;
  readonly observed: Observation;
  readonly agrees: boolean;
  /** The same request by hand. */
  readonly byHand: string;
}

export interface Matrix {
  readonly cells: readonly MatrixCell[];
  readonly seconds: number;
}

export async function runMatrix(
  cloud: Cloud,
  sandbox: Sandbox,
  questions: readonly MatrixQuestion[],
): Promise<Matrix> {
  const began = performance.now();
  const asked = questions.map((question) => ({ question, predicted: predict(cloud, question) }));
  const lines = await sendRequests(
    sandbox,
    asked.map(({ question, predicted }, id) => renderRequest(id, question, predicted)),
  );
  const observations = new Map(lines.map(parseAnswer));
  const cells = asked.map(({ question, predicted }, id): MatrixCell => {
    const observed = observations.get(id);
    if (observed === undefined) throw new Error(`prober.pl said nothing of request ${id}`);
    return cellOf(question, predicted, observed);
  });
  return { cells, seconds: (performance.now() - began) / 1000 };
}

/** Of all that may become of the request, the cell holds what did, or the first. */
export function cellOf(
  question: MatrixQuestion,
  alternatives: readonly [Judgement, ...Judgement[]],
  observed: Observation,
): MatrixCell {
  const found = alternatives.find((one) => agrees(one, observed));
  const predicted = found ?? alternatives[0];
  return {
    ...question,
    predicted,
    observed,
    agrees: found !== undefined,
    byHand: byHand(question),
  };
}

export function predict(
  cloud: Cloud,
  { from, address, protocol, port }: MatrixQuestion,
): [Judgement, ...Judgement[]] {
  return judgeAll(cloud, { protocol, from, destination: address, port, http: false });
}

function renderRequest(
  id: number,
  question: MatrixQuestion,
  predicted: readonly Judgement[],
): string {
  const { from, protocol, address, port, delayMs } = question;
  // What can't be predicted may be silence, and is not to cost more than that.
  const expectsAnswer = predicted.some(
    ({ verdict, depends }) => verdict !== 'timeout' && depends === undefined,
  );
  const waitMs = expectsAnswer ? PATIENCE_MS + delayMs : SILENCE_MS;
  return [id, from.netns, protocol, takePorts(1).from, address, port, waitMs].join(' ');
}

/** `12 allowed 1.3 10.0.1.5`, `13 unreachable 0.1 - Network is unreachable`. */
export function parseAnswer(line: string): [id: number, observation: Observation] {
  const [id = '', word, timeMs = '', client = '', ...said] = line.split(' ');
  const verdict = VERDICTS.find((one) => one === word);
  if (verdict === undefined) throw new Error(`prober.pl said "${line}"`);
  return [
    Number(id),
    {
      verdict,
      timeMs: Number(timeMs),
      sourceSeen: parseIpv4(client),
      said: said.length === 0 ? undefined : said.join(' '),
    },
  ];
}

/** In the verdict, and where the receiver says whom it saw, in that. */
function agrees({ verdict, depends, sourceSeen }: Judgement, observed: Observation): boolean {
  if (depends !== undefined) return true;
  if (verdict !== observed.verdict) return false;
  return observed.sourceSeen === undefined || observed.sourceSeen === sourceSeen;
}

function byHand({ from, protocol, address, port }: MatrixQuestion): string {
  const request =
    protocol === 'icmp'
      ? ({ kind: 'ping', from, text: address } as const)
      : { kind: protocol, from, text: `${address}:${port}` };
  return renderByHand({ request, probe: { timeout: SILENCE_MS, size: undefined, fragment: true } });
}

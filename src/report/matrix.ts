/** Everybody's questions to everybody as a table of marks, and each difference from what was predicted in words. */

import { stripVTControlCharacters } from 'node:util';

import type { Matrix, MatrixCell } from '../probe/matrix.ts';
import { count, PLAIN, type Style } from './style.ts';
import { table } from './table.ts';

type Verdict = MatrixCell['observed']['verdict'];

const MARKS: Readonly<Record<Verdict, string>> = {
  allowed: '✓',
  timeout: '✗',
  refused: 'r',
  reset: 'R',
  'too-big': 'b',
  unreachable: 'u',
  'no-such-name': 'n',
};

const GAP = '  ';

/** `columns` is the width of the terminal; where the table is wider it becomes a list by sender. */
export function renderMatrix(
  cells: readonly MatrixCell[],
  style: Style = PLAIN,
  columns?: number,
): string {
  if (cells.length === 0) return '';
  const wide = renderTable(cells, style);
  const width = Math.max(...wide.split('\n').map(widthOf));
  const body = columns !== undefined && width > columns ? renderList(cells, style) : wide;
  return `${body}\n${style.dim(renderLegend(cells))}`;
}

/** Rows are who asks, columns who is asked; over the marks stands what was asked. */
function renderTable(cells: readonly MatrixCell[], style: Style): string {
  const senders = [...new Set(cells.map(({ from }) => from.reference))];
  const groups = groupBy(cells, ({ to, address }) => `${to.reference} ${address}`);
  // The first sender is not asked by itself, and so is met last; its place is the first all the same.
  const isFirst = ([one]: readonly MatrixCell[]): boolean => one?.to.reference === senders[0];
  groups.sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
  const blocks = groups.map((group) => renderColumn(group, senders, style));
  const rows = blockOf(['', '', 'FROM', ...senders]);
  return rows
    .map((head, line) =>
      [line < 3 ? style.dim(head) : head, ...blocks.map((block) => block[line] ?? '')]
        .join(GAP)
        .trimEnd(),
    )
    .join('\n');
}

/** What one address is asked, by everybody: three lines of headers, and a line for each sender. */
function renderColumn(
  group: readonly MatrixCell[],
  senders: readonly string[],
  style: Style,
): string[] {
  const [first] = group;
  const marks = groupBy(group, label).map((cells) => {
    const [one] = cells;
    const bySender = new Map(cells.map((cell) => [cell.from.reference, mark(cell, style)]));
    const lines = senders.map((from) => bySender.get(from) ?? '');
    return blockOf([one === undefined ? '' : style.dim(label(one)), ...lines]);
  });
  const lines = ['', ...senders].map((_, line) => marks.map((block) => block[line]).join(' '));
  return blockOf([first?.to.reference ?? '', style.dim(first?.address ?? ''), ...lines]);
}

/** A line for each address that a sender asks: `ping ✓  80 ✓  9999 r`. */
function renderList(cells: readonly MatrixCell[], style: Style): string {
  return groupBy(cells, ({ from }) => from.reference)
    .map((asked) => {
      const rows = groupBy(asked, ({ to, address }) => `${to.reference} ${address}`).map(
        (group) => [
          group[0]?.to.reference ?? '',
          group[0]?.address ?? '',
          group.map((cell) => `${style.dim(label(cell))} ${mark(cell, style)}`).join(GAP),
        ],
      );
      // The headers say nothing that one does not see.
      const [, ...lines] = table(['', '', ''], rows, style, GAP).split('\n');
      return [asked[0]?.from.reference ?? '', ...lines].join('\n');
    })
    .join('\n');
}

/** Every request on a line of its own, with what decides in the model. */
export function renderRequests(cells: readonly MatrixCell[], style: Style = PLAIN): string {
  const rows = cells.map((cell) => [
    cell.agrees ? style.green('✓') : style.red('✗'),
    cell.from.reference,
    cell.to.reference,
    what(cell),
    cell.predicted.verdict,
    cell.observed.verdict,
    cell.observed.sourceSeen ?? '',
    `${cell.observed.timeMs.toFixed(1)} ms`,
    cell.predicted.because,
  ]);
  const headers = ['', 'FROM', 'TO', 'REQUEST', 'PREDICTED', 'SEEN', 'SOURCE', 'TIME', 'MODEL'];
  return table(headers, rows, style);
}

/** What differs, one by one: what the model says, and how to ask again. */
export function renderMatrixDifferences(
  cells: readonly MatrixCell[],
  style: Style = PLAIN,
): string {
  return differing(cells)
    .map((cell) => {
      const { predicted, observed, from, to, byHand } = cell;
      const said = observed.said === undefined ? '' : ` (${observed.said})`;
      return [
        style.red(`✗ ${from.reference} -> ${to.reference}, ${what(cell)}`),
        predicted.verdict === observed.verdict
          ? `  predicted the source ${predicted.sourceSeen ?? 'of nobody'}, the receiver saw ${observed.sourceSeen ?? 'nobody'}`
          : `  predicted ${predicted.verdict}, seen ${observed.verdict}${said}`,
        `  model: ${predicted.because} [${predicted.code}]`,
        `  ask again by hand: ${byHand}`,
      ].join('\n');
    })
    .join('\n');
}

/** `342 requests in 1.2 s: all as predicted`. */
export function renderMatrixSummary({ cells, seconds }: Matrix, style: Style = PLAIN): string {
  const differ = differing(cells).length;
  const unknown = cells.filter(({ predicted }) => predicted.depends !== undefined).length;
  const all = `${count(cells.length, 'request')} in ${seconds.toFixed(1)} s`;
  const but =
    unknown === 0
      ? ''
      : ` but ${unknown} that ${unknown === 1 ? 'depends' : 'depend'} on a source port`;
  return differ === 0
    ? style.green(`${all}: all as predicted${but}`)
    : style.red(`${all}: ${differ} ${differ === 1 ? 'differs' : 'differ'}`);
}

export function matrixToJson({ cells, seconds }: Matrix): Record<string, unknown> {
  return {
    requests: cells.length,
    seconds,
    differ: differing(cells).length,
    cells: cells.map(({ from, to, address, protocol, port, predicted, observed, ...rest }) => ({
      from: from.reference,
      to: to.reference,
      address,
      protocol,
      port: protocol === 'icmp' ? null : port,
      predicted,
      observed: {
        verdict: observed.verdict,
        timeMs: observed.timeMs,
        sourceSeen: observed.sourceSeen ?? null,
        said: observed.said ?? null,
      },
      agrees: rest.agrees,
      byHand: rest.byHand,
    })),
  };
}

function differing(cells: readonly MatrixCell[]): MatrixCell[] {
  return cells.filter((cell) => !cell.agrees);
}

/** Predicted and seen where they differ: `✓≠✗`, or `✓≠src` where it is the source that the receiver saw. */
function mark({ predicted, observed, agrees }: MatrixCell, style: Style): string {
  const seen = MARKS[observed.verdict];
  if (!agrees) {
    const but = predicted.verdict === observed.verdict ? 'src' : seen;
    return style.red(`${MARKS[predicted.verdict]}≠${but}`);
  }
  if (predicted.depends !== undefined) return style.yellow(`${seen}?`);
  return observed.verdict === 'allowed' ? style.green(seen) : seen;
}

function renderLegend(cells: readonly MatrixCell[]): string {
  const used = new Set(
    cells.flatMap(({ predicted, observed }) => [predicted, observed]).map(({ verdict }) => verdict),
  );
  const words = Object.entries(MARKS)
    .filter(([verdict]) => used.has(verdict as Verdict))
    .map(([verdict, sign]) => `${sign} ${verdict}`);
  if (differing(cells).length > 0) words.push('predicted≠seen');
  if (cells.some(({ predicted }) => predicted.depends !== undefined)) {
    words.push('? depends on a source port');
  }
  return words.join(GAP);
}

function label({ protocol, port }: MatrixCell): string {
  if (protocol === 'icmp') return 'ping';
  return protocol === 'udp' ? `udp/${port}` : String(port);
}

function what({ protocol, address, port }: MatrixCell): string {
  return protocol === 'icmp' ? `ping ${address}` : `${protocol} ${address}:${port}`;
}

/** In the order in which each key comes first. */
function groupBy<Item>(items: readonly Item[], key: (item: Item) => string): Item[][] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** Lines of one width. */
function blockOf(lines: readonly string[]): string[] {
  const width = Math.max(...lines.map(widthOf));
  return lines.map((line) => line + ' '.repeat(width - widthOf(line)));
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** What a program wrote to a terminal, as cells, and cells as SVG. Knows what Hoplab writes: colours, bold, dim, one line that is overwritten. */

export interface Cell {
  readonly text: string;
  readonly colour: keyof typeof COLOURS | undefined;
  readonly isBold: boolean;
  readonly isDim: boolean;
}

const COLOURS = { red: '#ff7b72', green: '#56d364', yellow: '#e3b341', cyan: '#56d4dd' } as const;
const SGR_COLOURS = new Map<number, keyof typeof COLOURS>([
  [31, 'red'],
  [32, 'green'],
  [33, 'yellow'],
  [36, 'cyan'],
]);
const FOREGROUND = '#c9d1d9';
const DIM = '#8b949e';
const BACKGROUND = '#0d1117';
const CHARACTER_PX = 7.83;
const LINE_PX = 18;
const FONT_PX = 13;
const MARGIN_PX = 16;

/** A line is a list of runs of one style. @see ECMA-48 8.3.117 SGR, 8.3.41 EL */
export function readTerminal(output: string): Cell[][] {
  return output
    .replaceAll('\r\n', '\n')
    .replace(/\n+$/, '')
    .split('\n')
    .map((line) => {
      // What was written before the line was cleared is seen no more.
      const seen = line.slice(line.lastIndexOf('\u001B[2K') + 1).replace(/^\[2K/, '');
      return readLine(seen.replaceAll('\r', ''));
    });
}

function readLine(line: string): Cell[] {
  const cells: Cell[] = [];
  let style: Omit<Cell, 'text'> = { colour: undefined, isBold: false, isDim: false };
  for (const part of line.split(/(\u001B\[[\d;]*m)/)) {
    const codes = /^\u001B\[([\d;]*)m$/.exec(part)?.[1];
    if (codes === undefined) {
      if (part !== '') cells.push({ text: part, ...style });
      continue;
    }
    for (const code of codes.split(';').map(Number)) {
      if (code === 0) style = { colour: undefined, isBold: false, isDim: false };
      else if (code === 1) style = { ...style, isBold: true };
      else if (code === 2) style = { ...style, isDim: true };
      else if (code === 22) style = { ...style, isBold: false, isDim: false };
      else if (code === 39) style = { ...style, colour: undefined };
      else style = { ...style, colour: SGR_COLOURS.get(code) };
    }
  }
  return cells;
}

/** Long lines are wrapped as a terminal wraps them. */
export function renderTerminal(
  prompt: string,
  lines: readonly (readonly Cell[])[],
  columns: number,
): string {
  const first: Cell = { text: prompt, colour: undefined, isBold: true, isDim: false };
  const rows = [[first], [], ...lines.flatMap((line) => wrap(line, columns))];
  const width = Math.ceil(columns * CHARACTER_PX) + 2 * MARGIN_PX;
  const height = rows.length * LINE_PX + 2 * MARGIN_PX;
  const texts = rows.flatMap((row, index) => {
    const y = MARGIN_PX + index * LINE_PX + FONT_PX;
    let column = 0;
    return row.flatMap((cell) => {
      const text = cell.text.trimStart();
      const x = MARGIN_PX + (column + cell.text.length - text.length) * CHARACTER_PX;
      column += cell.text.length;
      return text === '' ? [] : [renderCell({ ...cell, text }, x, y)];
    });
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(prompt)}, and what it prints">
<style>text{font:${FONT_PX}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:${FOREGROUND};white-space:pre}.b{font-weight:bold}.d{fill:${DIM}}${Object.entries(
    COLOURS,
  )
    .map(([name, value]) => `.${name}{fill:${value}}`)
    .join('')}</style>
<rect width="${width}" height="${height}" rx="8" fill="${BACKGROUND}"/>
${texts.join('')}</svg>
`;
}

function wrap(line: readonly Cell[], columns: number): Cell[][] {
  const rows: Cell[][] = [[]];
  let room = columns;
  for (const cell of line) {
    let { text } = cell;
    while (text.length > room) {
      rows.at(-1)?.push({ ...cell, text: text.slice(0, room) });
      text = text.slice(room);
      rows.push([]);
      room = columns;
    }
    if (text !== '') rows.at(-1)?.push({ ...cell, text });
    room -= text.length;
  }
  return rows;
}

/** Each run stands at its own place: viewers differ in what they make of spaces at a run's ends. */
function renderCell({ text, colour, isBold, isDim }: Cell, x: number, y: number): string {
  const classes = [
    ...(isBold ? ['b'] : []),
    ...(isDim ? ['d'] : []),
    ...(colour === undefined ? [] : [colour]),
  ];
  const style = classes.length === 0 ? '' : ` class="${classes.join(' ')}"`;
  // Several plain spaces would be one.
  const content = escape(text).replaceAll(' ', '\u00A0');
  return `<text x="${x.toFixed(1)}" y="${y}"${style}>${content}</text>\n`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** The commands of a Markdown file, with the output that it shows for each. */

export interface ShownCommand {
  readonly line: number;
  readonly command: string;
  /** What the text shows under it; empty where it shows nothing. */
  readonly output: readonly string[];
}

/** Blocks of `sh` hold a command a line, blocks of `console` commands behind `$ ` and their output. */
export function shownCommands(markdown: string): ShownCommand[] {
  const found: { line: number; command: string; output: string[] }[] = [];
  let language: string | undefined;
  markdown.split('\n').forEach((text, index) => {
    const fence = /^```(\w*)/.exec(text);
    if (fence !== null) {
      language = language === undefined ? (fence[1] ?? '') : undefined;
      return;
    }
    const last = found.at(-1);
    if (language === 'sh') {
      const isComment = text.trim() === '' || text.startsWith('#');
      if (!isComment) found.push({ line: index + 1, command: text, output: [] });
    } else if (language === 'console') {
      if (text.startsWith('$ '))
        found.push({ line: index + 1, command: text.slice(2), output: [] });
      else if (text.trim() !== '') last?.output.push(text);
    }
  });
  return found;
}

/**
 * The lines of `shown` that a real run did not print. Numbers count by and by (times, ports, packets), so they are equal
 * to any other; addresses and blocks are not. `…` stands for anything.
 */
export function missingLines(shown: readonly string[], printed: string): string[] {
  const lines = printed.split('\n').map(withoutNumbers);
  return shown.filter((line) => {
    const parts = line.split('…').map((part) => withoutNumbers(part).trim());
    return !lines.some((other) => containsInOrder(other, parts));
  });
}

function containsInOrder(text: string, parts: readonly string[]): boolean {
  let at = 0;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}

function withoutNumbers(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\d+(\.\d+){3}(\/\d+)?|\d+(\.\d+)?/g, (number) =>
      /^\d+(\.\d+){3}/.test(number) ? number : '0',
    );
}

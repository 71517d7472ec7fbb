/** What a person hands on to tcpdump: a filter, and before it options that say how packets are printed. */

/** Those that change nothing but the text of a packet. */
const TEXT_OPTION = /^-([AeqSvXx]|nn?|l)+$/;

export interface TcpdumpWords {
  readonly options: readonly string[];
  readonly filter: string;
  /** Options that `capture` cannot hand on. */
  readonly refused: readonly string[];
}

/** Whatever stands before the first word without a dash is an option. */
export function readTcpdumpWords(words: readonly string[]): TcpdumpWords {
  const first = words.findIndex((word) => !word.startsWith('-'));
  const flags = words.slice(0, first < 0 ? words.length : first);
  return {
    options: flags.filter((word) => TEXT_OPTION.test(word)),
    filter: words.slice(flags.length).join(' '),
    refused: flags.filter((word) => !TEXT_OPTION.test(word)),
  };
}

/** The filter of one namespace's `-i any`, for some of its links. */
export function filterOfLinks(indexes: readonly number[], filter: string): string {
  const links = indexes.map((index) => `ifindex ${index}`).join(' or ');
  return filter === '' ? links : `(${links}) and (${filter})`;
}

/** `    7  11:31:49.997114 eth0  In  IP …`: how tcpdump prints a packet of `-i any` with --number. */
const HEAD = /^ *(\d+) {2}(\S+) \S+ +\S+ +(.*)$/;

export interface HeadLine {
  readonly time: string;
  /** What comes behind the link and the direction. */
  readonly text: string;
}

/** The first line of a packet's text in its parts; undefined for the lines behind it. */
export function readHeadLine(line: string, number: number): HeadLine | undefined {
  const [, counted, time = '', text = ''] = HEAD.exec(line) ?? [];
  return Number(counted) === number ? { time, text } : undefined;
}

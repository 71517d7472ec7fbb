/**
 * What HAProxy says of its servers at `show stat`: CSV with the columns' names in the first line.
 *
 * @see HAProxy management guide 9.1 "CSV format"
 */

export interface ServerStat {
  /** The backend's name. */
  readonly backend: string;
  readonly server: string;
  /** Requests go to it, as far as its checks are concerned. */
  readonly isUp: boolean;
  /** Undefined for one that is not checked. */
  readonly check: ServerCheck | undefined;
  /** How many requests it has in this moment. */
  readonly requests: number;
}

export interface ServerCheck {
  /** Of the last one that has ended: `L7OK`, `L7STS`, `L4CON`; `INI` where none has. */
  readonly status: string;
  /** The status of the HTTP answer; undefined where there was none. */
  readonly code: number | undefined;
  /** What came of it in words: `Connection refused`, `Internal Server Error`; the status in words where nothing came. */
  readonly text: string;
}

/** Frontends and the sums of backends are left out; empty where the text is something else. */
export function parseHaproxyStat(text: string): ServerStat[] {
  const [head = '', ...lines] = text.trim().split('\n');
  const columns = cells(head.replace(/^# /, ''));
  return lines.flatMap((line) => {
    const values = cells(line);
    const value = (name: string): string => values[columns.indexOf(name)] ?? '';
    const [backend, server] = [value('pxname'), value('svname')];
    if (server === '' || server === 'FRONTEND' || server === 'BACKEND') return [];
    // A star is before the last result while the next check runs.
    const status = value('check_status').replace(/^\* /, '');
    const code = Number(value('check_code'));
    const words = value('last_chk');
    const check = {
      status,
      code: code === 0 ? undefined : code,
      text: words === '' ? value('check_desc') : words,
    };
    return [
      {
        backend,
        server,
        isUp: /^(UP|no check)/.test(value('status')),
        check: status === '' ? undefined : check,
        requests: Number(value('scur')),
      },
    ];
  });
}

/** Some are in quotes, in which a quote is written twice. */
function cells(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}

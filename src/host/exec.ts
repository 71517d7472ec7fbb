/** The one place that starts processes: argument lists, never a shell's parsing of ours. */

import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';

import { execa } from 'execa';

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs to the end; a failing exit code is a result, a program that is not there is an error (exit code 127). `inherit` is
 * an open file that the program gets as its file descriptor 3.
 */
export async function run(
  argv: readonly [string, ...string[]],
  options: { input?: string | undefined; inherit?: number } = {},
): Promise<Finished> {
  const [file, ...args] = argv;
  const { input, inherit } = options;
  const result = await execa(file, args, {
    reject: false,
    stripFinalNewline: false,
    stdio: [
      input === undefined ? 'ignore' : 'pipe',
      'pipe',
      'pipe',
      ...(inherit === undefined ? [] : [{ value: inherit as 3 }]),
    ],
    ...(input === undefined ? {} : { input }),
  });
  return {
    exitCode: result.exitCode ?? (result.signal === undefined ? 127 : 128),
    stdout: result.stdout,
    stderr: result.stderr === '' ? (result.originalMessage ?? '') : result.stderr,
  };
}

/** With our terminal as its own; the exit code is the program's. */
export async function runInTerminal(argv: readonly [string, ...string[]]): Promise<number> {
  const [file, ...args] = argv;
  const result = await execa(file, args, { reject: false, stdio: 'inherit' });
  // As a shell says it: 130 for a program that Ctrl-C ended.
  return (
    result.exitCode ?? 128 + (result.signal === undefined ? 0 : constants.signals[result.signal])
  );
}

/**
 * Closes the files that whoever started us left open for us and that our children would inherit, Node's own are none of
 * these: a program that lives on would hold them, and who waits for the end of such a pipe would wait for the lab's.
 */
export function closeInheritedFiles(): void {
  const CLOSE_ON_EXEC = 0o2_000_000;
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    if (fd <= 2) continue;
    try {
      const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
      const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '', 8);
      if ((flags & CLOSE_ON_EXEC) === 0) closeSync(fd);
    } catch {
      // The one that listed the directory is closed by now.
    }
  }
}

/**
 * A process that lives on after us: nothing of ours is its parent, its terminal, its input, its output or its directory,
 * which would keep a file system busy for as long as it lives.
 */
export function startDetached(
  argv: readonly [string, ...string[]],
  logFile: string,
): { readonly ended: Promise<number> } {
  closeInheritedFiles();
  // A shell opens the file: a pipe through us would end when we end.
  const redirect = ['-c', 'exec "$@" >"$0" 2>&1', logFile];
  const child = execa('sh', [...redirect, ...argv], {
    reject: false,
    detached: true,
    cleanup: false,
    cwd: '/',
    stdio: 'ignore',
  });
  child.nodeChildProcess.unref();
  return { ended: child.then((result) => result.exitCode ?? 128) };
}

/**
 * A shell that runs scripts one after the other, so that a batch costs no process of its own. It ends when we end: its
 * standard input is our pipe.
 */
export class ShellSession {
  readonly #stdin: Writable;
  readonly #done: Promise<unknown>;
  #stdout = '';
  #stderr = '';
  #waiting: (() => void) | undefined;
  #ended = false;

  /** `inherit` is an open file that the shell, and whatever it starts, keeps open. */
  constructor(argv: readonly [string, ...string[]], inherit?: number) {
    const [file, ...args] = argv;
    const more = inherit === undefined ? [] : [{ value: inherit as 3 }];
    const child = execa(file, args, {
      reject: false,
      buffer: false,
      stdio: ['pipe', 'pipe', 'pipe', ...more],
    });
    this.#stdin = child.stdin;
    child.stdout.on('data', (chunk: Buffer) => {
      this.#stdout += chunk.toString();
      this.#waiting?.();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    // A shell that died reads no more; the reason comes by its exit and its standard error.
    child.stdin.on('error', () => undefined);
    this.#done = child.then(() => {
      this.#ended = true;
      this.#waiting?.();
    });
  }

  /** Writes the script and waits until it is done, or until the shell has ended on a failure. */
  async script(text: string): Promise<{ ok: boolean; stderr: string }> {
    const marker = '@done\n';
    this.#stderr = '';
    this.#stdin.write(`${text}\necho @done\n`);
    await this.#until(() => this.#stdout.includes(marker));
    const ok = this.#stdout.includes(marker);
    this.#stdout = this.#stdout.replace(marker, '');
    return { ok, stderr: this.#stderr };
  }

  /** The next line of standard output, or undefined when the shell has ended. */
  async line(): Promise<string | undefined> {
    await this.#until(() => this.#stdout.includes('\n'));
    const end = this.#stdout.indexOf('\n');
    if (end < 0) return undefined;
    const line = this.#stdout.slice(0, end);
    this.#stdout = this.#stdout.slice(end + 1);
    return line;
  }

  get stderr(): string {
    return this.#stderr;
  }

  async end(): Promise<void> {
    this.#stdin.end();
    await this.#done;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
      this.#waiting = undefined;
    }
  }
}

export interface Streaming {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** The exit code, 128 and more for a signal. */
  readonly ended: Promise<number>;
  /** Asks it to end (SIGTERM). */
  stop(): void;
}

/**
 * A program whose output is read while it runs, and whose input is written. It is in a session of its own: Ctrl-C in the
 * terminal is for us, who end it in order.
 */
export function startStreaming(argv: readonly [string, ...string[]]): Streaming {
  const [file, ...args] = argv;
  const child = execa(file, args, {
    reject: false,
    buffer: false,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A program that ended reads no more; that is said by its exit.
  child.stdin.on('error', () => undefined);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    ended: child.then((result) => result.exitCode ?? (result.signal === undefined ? 127 : 128)),
    stop: () => {
      child.kill('SIGTERM');
    },
  };
}

/** Like `run`, for output that is not text; what the program says on standard error is lost. */
export async function runBinary(argv: readonly [string, ...string[]]): Promise<Uint8Array> {
  const [file, ...args] = argv;
  const result = await execa(file, args, {
    reject: false,
    stdin: 'ignore',
    encoding: 'buffer',
    maxBuffer: 1_000_000_000,
  });
  return result.stdout;
}

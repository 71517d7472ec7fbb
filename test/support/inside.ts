/**
 * A shell that lives inside a lab's sandbox and runs what a test asks for, side by side: a test asks a hundred times, and to
 * enter the sandbox anew each time costs more than most of what is asked.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';

import { renderArgv } from '../../src/commands/inside.ts';
import type { Finished } from '../../src/host/exec.ts';
import { enter, type Sandbox } from '../../src/host/sandbox.ts';

export class Inside {
  readonly sandbox: Sandbox;
  readonly #shell: ChildProcess;
  readonly #waiting = new Map<number, (exitCode: number) => void>();
  #said = '';
  #count = 0;
  #state: 'up' | 'down' = 'up';

  constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
    const [file, ...args] = enter(sandbox, ['sh', '-s']);
    this.#shell = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    // It ends with the lab, whoever still writes to it.
    this.#shell.stdin?.on('error', () => undefined);
    this.#shell.stdout?.on('data', (chunk: Buffer) => {
      this.#hear(chunk.toString());
    });
    this.#shell.on('close', () => {
      this.#state = 'down';
      for (const finish of this.#waiting.values()) finish(128);
    });
  }

  async run(argv: readonly string[]): Promise<Finished> {
    if (this.#isDown()) throw new Error('the lab is down');
    this.#count += 1;
    const id = this.#count;
    const base = `/run/hoplab/test-${id}`;
    const exitCode = await new Promise<number>((finish) => {
      this.#waiting.set(id, finish);
      this.#shell.stdin?.write(
        `{ ${renderArgv(argv)} </dev/null >${base}.out 2>${base}.err; echo "${id} $?"; } &\n`,
      );
    });
    this.#waiting.delete(id);
    const read = (name: string): string => {
      // Files of the lab, seen from outside.
      const path = `/proc/${this.sandbox.pid}/root${base}.${name}`;
      const text = readFileSync(path, 'utf8');
      rmSync(path);
      return text;
    };
    if (this.#isDown()) return { exitCode, stdout: '', stderr: 'the lab went down' };
    return { exitCode, stdout: read('out'), stderr: read('err') };
  }

  #isDown(): boolean {
    return this.#state === 'down';
  }

  #hear(text: string): void {
    const lines = (this.#said + text).split('\n');
    this.#said = lines.pop() ?? '';
    for (const line of lines) {
      const [id, exitCode] = line.split(' ').map(Number);
      this.#waiting.get(id ?? 0)?.(exitCode ?? 128);
    }
  }
}

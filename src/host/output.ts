/** A file that grows: what is written is there, however we end. */

import { closeSync, openSync, writeSync } from 'node:fs';

import { InputError } from '../base/diagnostic.ts';
import { MachineError } from './machine-error.ts';

export class OutputFile {
  readonly #path: string;
  readonly #file: number;

  /** Throws an InputError where no file can be made. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, 'w');
    } catch (error) {
      throw InputError.of({
        code: 'cannot-write',
        what: `"${path}" can't be written: ${reason(error)}`,
        hint: 'name a file in a directory that is there and yours',
      });
    }
  }

  write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      throw new MachineError(
        `"${this.#path}" can't be written on: ${reason(error)}`,
        'what is there so far can be read; write to where there is room',
      );
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** `ENOENT: no such file or directory, open '…'`, `ENOSPC: no space left on device, write`. */
function reason(error: unknown): string {
  const { message } = error as Error;
  return /^\w+: ([^,]*), /.exec(message)?.[1] ?? message;
}

/** A file that grows: what is written is there, however we end. */

import { closeSync, openSync, writeSync } from 'node:fs';

import { InputError } from '../base/diagnostic.ts';

export class OutputFile {
  readonly #file: number;

  /** Throws an InputError where no file can be made. */
  constructor(path: string) {
    try {
      this.#file = openSync(path, 'w');
    } catch (error) {
      // `ENOENT: no such file or directory, open '…'`
      const [, words = String(error)] = /^\w+: (.*), open/.exec((error as Error).message) ?? [];
      throw InputError.of({
        code: 'cannot-write',
        what: `"${path}" can't be written: ${words}`,
        hint: 'name a file in a directory that is there and yours',
      });
    }
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
  }

  close(): void {
    closeSync(this.#file);
  }
}

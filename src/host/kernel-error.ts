/** A refused kernel operation, with the object of the lab that wanted it. */

import { type Because, renderBecause } from '../base/because.ts';

export class KernelError extends Error {
  readonly command: string;
  readonly line: string | undefined;
  readonly because: Because | undefined;
  readonly stderr: string;

  constructor(fields: {
    command: string;
    line: string | undefined;
    because: Because | undefined;
    stderr: string;
  }) {
    const { command, line, because, stderr } = fields;
    const wanted = because === undefined ? '' : `, wanted by ${renderBecause(because)}`;
    const what = line === undefined ? command : `"${line}"`;
    super(`the kernel refused ${what}${wanted}\n  command: ${command}\n  answer: ${stderr.trim()}`);
    this.name = 'KernelError';
    this.command = command;
    this.line = line;
    this.because = because;
    this.stderr = stderr;
  }
}

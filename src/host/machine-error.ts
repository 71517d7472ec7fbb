/** What this machine can't do, and the command that mends it; the program ends with exit code 3. */
export class MachineError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.name = 'MachineError';
    this.hint = hint;
  }
}

/**
 * Carries commands out inside a sandbox: few processes, big batches, all cores busy.
 *
 * A few shells live as long as the whole change; each takes the next command of a phase when it has done one. It says on
 * standard error which, so that a refusal leads back to the line, and the line to the object of the lab.
 */

import type { Because } from '../base/because.ts';
import { type Command, PHASES } from '../kernel/command.ts';
import { renderCommand } from '../kernel/render.ts';
import { ShellSession } from './exec.ts';
import { KernelError } from './kernel-error.ts';
import type { Lock } from './lock.ts';
import { STARTING } from '../kernel/read-script.ts';
import { enter, type Sandbox } from './sandbox.ts';

/** One more than the cores of the smallest machine: changes of the network often wait for the kernel, and not for a core. */
const WORKERS = 3;
/** What a command takes that reads nothing, in lines of a batch: most of those start a program that stays. */
const PROCESS_COST = 150;

export async function apply(
  sandbox: Sandbox,
  commands: readonly Command[],
  lock: Lock,
): Promise<void> {
  if (commands.length === 0) return;
  const count = Math.min(WORKERS, Math.ceil(commands.length / 3));
  const sessions = Array.from(
    { length: count },
    () => new ShellSession(enter(sandbox, ['sh', '-s']), lock.fd),
  );
  try {
    for (const phase of PHASES) {
      // The longest first, so that nobody waits for one that began last.
      const waiting = commands
        .map((command, id) => ({ command, id }))
        .filter(({ command }) => command.phase === phase)
        .sort((a, b) => cost(b.command) - cost(a.command));
      const refusals: string[] = [];
      await Promise.all(
        sessions.map(async (session) => {
          while (refusals.length === 0) {
            const next = waiting.shift();
            if (next === undefined) return;
            const { ok, stderr } = await session.script(scriptOf(next.command, next.id));
            if (!ok) refusals.push(stderr);
          }
        }),
      );
      if (refusals[0] !== undefined) throw explain(refusals[0], commands);
    }
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
}

/**
 * A process that lives on would keep the lock, which the shell has as file descriptor 3, for as long as it lives. While it
 * starts, another lock is held in its place, for whoever comes when we were killed in this very moment; shared, because
 * several start at once.
 */
function withoutLock(command: Command): Command {
  if (command.leavesProcess !== true) return command;
  const line = command.shell.replaceAll("'", String.raw`'\''`);
  return { ...command, shell: `flock -s -o ${STARTING} sh -c '${line}' 3>&-` };
}

function cost({ input }: Command): number {
  return input?.length ?? PROCESS_COST;
}

function scriptOf(command: Command, id: number): string {
  // Servers that are not root read what is written here, whatever the user's own files are like.
  return `umask 022; echo @${id} >&2\n${renderCommand(withoutLock(command), ' || exit 9')}`;
}

/** From what a shell said last to the object that wanted it. */
function explain(stderr: string, commands: readonly Command[]): KernelError {
  const sections = stderr.split(/^@(\d+)\n/m);
  const text = sections.at(-1) ?? stderr;
  const command = commands[Number(sections.at(-2))];
  if (command === undefined) {
    return new KernelError({ command: 'sh', line: undefined, because: undefined, stderr });
  }
  const number = Number(
    /(?:Command failed \S*?:|line:? |(?:stdin|-):)(\d+)/.exec(text)?.[1] ?? Number.NaN,
  );
  const line = command.input?.[number - 1];
  let because: Because | undefined = line?.because ?? command.because;
  for (const [path, cause] of command.sysctls ?? []) {
    if (text.includes(`/proc/sys/${path}`)) because = cause;
  }
  return new KernelError({
    command: command.shell,
    line: line?.text,
    because: because ?? command.input?.find((one) => one.because !== undefined)?.because,
    stderr: text,
  });
}

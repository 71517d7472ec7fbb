/**
 * Carries commands out inside a sandbox: few processes, big batches, both cores busy.
 *
 * Two shells live as long as the whole change; each gets its half of a phase as one script. A script says on standard
 * error which command it has come to, so that a refusal leads back to the line, and the line to the object of the lab.
 */

import type { Because } from '../base/because.ts';
import { type Command, PHASES } from '../kernel/command.ts';
import { renderCommand } from '../kernel/render.ts';
import { closeInheritedFiles, ShellSession } from './exec.ts';
import { KernelError } from './kernel-error.ts';
import type { Lock } from './lock.ts';
import { STARTING } from '../kernel/read-script.ts';
import { enter, type Sandbox } from './sandbox.ts';

const WORKERS = 2;
/** What starting a process costs, in lines of a batch. */
const PROCESS_COST = 30;

export async function apply(
  sandbox: Sandbox,
  commands: readonly Command[],
  lock: Lock,
): Promise<void> {
  if (commands.length === 0) return;
  closeInheritedFiles();
  const count = commands.length < 4 ? 1 : WORKERS;
  const sessions = Array.from(
    { length: count },
    () => new ShellSession(enter(sandbox, ['sh', '-s']), lock.fd),
  );
  try {
    for (const phase of PHASES) {
      const numbered = commands
        .map((command, id) => ({ command, id }))
        .filter(({ command }) => command.phase === phase);
      const shares = share(numbered, count);
      const results = await Promise.all(
        shares.map(async (list, index) => {
          const session = sessions[index];
          if (session === undefined || list.length === 0) return undefined;
          const script = list.map(
            ({ command, id }) =>
              `echo @${id} >&2\n${renderCommand(withoutLock(command), ' || exit 9')}`,
          );
          return session.script(script.join('\n'));
        }),
      );
      for (const result of results) {
        if (result?.ok === false) throw explain(result.stderr, commands);
      }
    }
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
}

/**
 * A process that lives on would keep the lock, which the shell has as file descriptor 3, for as long as it lives. While it
 * starts, another lock is held in its place, for whoever comes when we were killed in this very moment.
 */
function withoutLock(command: Command): Command {
  if (command.leavesProcess !== true) return command;
  const line = command.shell.replaceAll("'", String.raw`'\''`);
  return { ...command, shell: `flock -o ${STARTING} sh -c '${line}' 3>&-` };
}

/** The largest first, each to whoever has least to do. */
function share<Item extends { command: Command }>(items: readonly Item[], count: number): Item[][] {
  const shares = Array.from({ length: count }, (): { load: number; items: Item[] } => ({
    load: 0,
    items: [],
  }));
  const cost = ({ command }: Item): number => PROCESS_COST + (command.input?.length ?? 0);
  for (const item of [...items].sort((a, b) => cost(b) - cost(a))) {
    const least = shares.reduce((a, b) => (b.load < a.load ? b : a));
    least.items.push(item);
    least.load += cost(item);
  }
  return shares.map(({ items: list }) => list);
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

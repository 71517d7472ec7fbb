/** `shell [thing]`: a shell in the lab, or inside a thing; a script on standard input runs as it is. */

import { runInTerminal } from '../host/exec.ts';
import { enterHere, hasProgram, netnsOfThing, renderArgv } from './inside.ts';
import { chooseLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function shell(
  { thing, lab: option }: { thing: string | undefined; lab: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const { name, store, sandbox } = await chooseLab(option, terminal);
  const netns = thing === undefined ? undefined : netnsOfThing(store, thing);
  const into = netns === undefined ? [] : ['ip', 'netns', 'exec', netns];
  if (terminal.verbose && netns !== undefined) {
    terminal.note(terminal.errorStyle.dim(renderArgv([...into, 'bash'])));
  }
  const environment = [`HOPLAB_LAB=${name}`, `PATH=${pathWithSbin()}`];
  if (!terminal.isInteractive) {
    return runInTerminal(enterHere(sandbox, ['env', ...environment, ...into, 'sh', '-s']));
  }
  const program = hasProgram('bash') ? ['bash', '--noprofile', '--norc', '-i'] : ['sh', '-i'];
  const prompt = `${thing === undefined ? '' : `${thing}@`}${name} # `;
  terminal.note(
    terminal.errorStyle.dim(
      netns === undefined
        ? 'ip netns list shows the namespaces, ip netns exec NAME ip route looks into one; exit leaves, the lab stays up'
        : `inside netns ${netns}: ip address, ip route, tcpdump -ni any; exit leaves, the lab stays up`,
    ),
  );
  const argv = ['env', ...environment, `PS1=${prompt}`, ...into, ...program] as const;
  return runInTerminal(enterHere(sandbox, argv));
}

function pathWithSbin(): string {
  const { PATH: path = '/usr/bin:/bin' } = process.env;
  const missing = ['/usr/sbin', '/sbin'].filter((one) => !path.split(':').includes(one));
  return [path, ...missing].join(':');
}

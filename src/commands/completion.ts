/** `completion bash|zsh`: the script that makes a shell complete `hoplab …` and `npx hoplab …`; it asks `__complete`. */

import { join } from 'node:path';

import { PROJECT } from '../host/project.ts';
import type { Terminal } from './terminal.ts';
import type { CompletionShell } from './verbs.ts';

export function completion({ shell }: { shell: CompletionShell }, terminal: Terminal): number {
  const launcher = `'${join(PROJECT, 'scripts', 'hoplab').replaceAll("'", String.raw`'\''`)}'`;
  terminal.print(shell === 'bash' ? bash(launcher) : zsh(launcher));
  return 0;
}

/** In bash a colon ends a word, so that only what stands behind the last one is put in. */
function bash(launcher: string): string {
  return `# hoplab in bash. Put this into ~/.bashrc: source <(npx hoplab completion bash)
_hoplab() {
  local line=\${COMP_LINE:0:COMP_POINT} word
  [[ $line =~ (^|[[:space:]/])hoplab[[:space:]] ]] || return
  local last=\${line##*[[:space:]]} IFS=$'\\n'
  local prefix=\${last%"\${last##*:}"}
  COMPREPLY=()
  for word in $(${launcher} __complete "$line" 2>/dev/null); do
    COMPREPLY+=("\${word#"$prefix"}")
  done
}
complete -o default -F _hoplab hoplab
complete -o default -F _hoplab npx`;
}

function zsh(launcher: string): string {
  return `# hoplab in zsh. Put this into ~/.zshrc, behind compinit: source <(npx hoplab completion zsh)
_hoplab() {
  local line="\${(j: :)words[1,CURRENT]}"
  if [[ ! $line =~ '(^|[[:space:]/])hoplab[[:space:]]' ]]; then
    _default
    return
  fi
  local -a found
  found=("\${(@f)$(${launcher} __complete "$line" 2>/dev/null)}")
  [[ -z $found[1] ]] && { _default; return; }
  compadd -- $found
}
compdef _hoplab hoplab npx`;
}

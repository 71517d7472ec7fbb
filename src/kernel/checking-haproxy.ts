/**
 * An HAProxy that checks the health of servers and keeps what it knows of them when another takes its place.
 *
 * A small script starts it. Who runs already is asked what it knows; that goes into the file from which the new one begins. A
 * server that it does not know is down until it has passed a check. HAProxy makes the first ones at once; whoever passes his
 * first is told to be up, since otherwise he would have to pass as many as one that comes back. The script ends when each
 * new server has been checked, or after two seconds: then the rest may take as long as it takes.
 *
 * The old process accepts nothing any more and ends with its last request; `hard-stop-after` in its configuration says how
 * long that may take.
 *
 * @see HAProxy management guide 9.3 "show servers state", "show stat"; configuration manual 4.2 load-server-state-from-file
 */

import { DIGEST_VARIABLE, digestOf, kill } from './daemon.ts';
import type { Daemon, SandboxFile } from './state.ts';

/** What has to stand in its configuration: [global section, defaults section]. */
export function stateSettings(path: string): readonly [global: string[], defaults: string[]] {
  return [
    [
      `    stats socket ${path}.sock mode 600 level admin`,
      `    server-state-file ${path}.state`,
      // How far apart the first checks of all servers may be; HAProxy would spread them over an interval.
      '    max-spread-checks 20',
    ],
    ['    load-server-state-from-file global'],
  ];
}

/** The first file descriptor that a log is open as: `log fd@100`. A shell and its likes use the low ones. */
export const FIRST_LOG_FD = 100;

/** Its files are below the path, with `.cfg`, `.pid`, `.sock`, `.state` and `.sh` behind; `logs` are appended to. */
export function checkingHaproxyDaemon(
  path: string,
  content: string,
  { name, sockets, logs }: Pick<Daemon, 'name' | 'sockets'> & { readonly logs: readonly string[] },
): [SandboxFile, SandboxFile, Daemon] {
  const script = renderScript(path, logs);
  const digest = digestOf(content + script);
  const start = `${DIGEST_VARIABLE}=${digest} sh ${path}.sh`;
  return [
    { kind: 'file', path: `${path}.cfg`, content },
    { kind: 'file', path: `${path}.sh`, content: script },
    {
      kind: 'daemon',
      name,
      pidFile: `${path}.pid`,
      start,
      // The script sees whether one runs.
      reload: start,
      stop: kill(`${path}.pid`),
      digest,
      sockets,
      asksOthers: true,
    },
  ];
}

/** Of a server that nobody has checked: stopped, its checks on. @see management guide 9.3 "show servers state" */
const UNKNOWN = '- 0 0 1 1 0 1 0 0 6 0 0 0 - 0 - 0 0 - - 0';

const PATIENCE = { tries: 100, seconds: 0.02 } as const;

function renderScript(path: string, logs: readonly string[]): string {
  const directories = [...new Set(logs.map((log) => log.slice(0, log.lastIndexOf('/'))))];
  // A shell can't open more than a few, and HAProxy none.
  const open =
    logs.length === 0
      ? ''
      : `perl -MPOSIX=dup2 -e 'for my $fd (${FIRST_LOG_FD} .. ${FIRST_LOG_FD + logs.length - 1}) { my $log = shift; open my $file, ">>", $log or die "$log: $!\\n"; dup2(fileno $file, $fd) or die $! } exec @ARGV' ${logs.join(' ')} `;
  return `path=${path}
say() { echo "$1" | socat -t 5 - "UNIX-CONNECT:$path.sock" 2>/dev/null; }

say 'show servers state' >"$path.live"
awk -v new="$path.new" '
  BEGIN { print 1; printf "" >new }
  live { if ($1 != "#" && NF > 20) known[$2 " " $4] = $0; next }
  $1 == "backend" { backend = $2 }
  $1 == "server" && / check / {
    key = backend " " $2
    split($3, address, ":")
    ssl = check_port = 0
    for (word = 4; word <= NF; word++) {
      if ($word == "ssl") ssl = 1
      if ($word == "port") check_port = $(word + 1)
    }
    if (!(key in known)) print backend, $2 >new
    $0 = key in known ? known[key] : "0 " backend " 0 " $2 " ${UNKNOWN}"
    # HAProxy would take these from the file, whatever the configuration says now.
    $19 = address[2]; $21 = ssl; $22 = check_port
    print
  }' live=1 "$path.live" live= "$path.cfg" >"$path.state"

${directories.map((directory) => `mkdir -p ${directory}\n`).join('')}old=$(cat "$path.pid" 2>/dev/null)
# A plain -sf: a master-worker or a socket hand-over would keep the sockets of namespaces that are gone.
${open}haproxy -D -f "$path.cfg" -p "$path.pid" \${old:+-sf $old} || exit

tries=0
while [ -s "$path.new" ] && [ $tries -lt ${PATIENCE.tries} ]; do
  tries=$((tries + 1))
  say 'show stat' >"$path.live" || break
  orders=$(awk -v left="$path.left" '
    BEGIN { printf "" >left }
    live { status[$1 " " $2] = $18; check[$1 " " $2] = $37; next }
    {
      key = $1 " " $2
      if (check[key] ~ /INI/) print >left
      else if (status[key] ~ /^DOWN/ && check[key] ~ /OK/) printf "set server %s/%s health up;", $1, $2
    }' FS=, live=1 "$path.live" FS=' ' live= "$path.new")
  [ -z "$orders" ] || say "$orders" >/dev/null
  mv "$path.left" "$path.new"
  [ ! -s "$path.new" ] || sleep ${PATIENCE.seconds}
done
rm -f "$path.live" "$path.new"
`;
}

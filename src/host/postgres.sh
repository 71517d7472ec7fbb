#!/bin/sh
# One PostgreSQL of a database instance, run in its network namespace by the sandbox's root:
#
#   postgres.sh primary NAME PEER                PEER is the name of the other one of a Multi-AZ instance, else -
#   postgres.sh standby NAME PEER ADDRESS PORT   the primary's address on the link between the two
#   postgres.sh stop NAME
#
# Its configuration is NAME.conf, NAME.hba and NAME.sql in /run/hoplab, its data lies in /run/hoplab/postgres/NAME. It
# comes back once the server takes connections (a standby: once it follows its primary), and says in NAME.log why it does
# not.
#
# PostgreSQL refuses to run as root, also as that of a user namespace, and wants its user to have a name: it is the one
# that comes with its package.
set -eu
copying=''
role=$1 name=$2 peer=${3--}
base=/run/hoplab/postgres
data=$base/$name
log=/run/hoplab/$name.log
config=/run/hoplab/$name.conf
sql=/run/hoplab/$name.sql
cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
for directory in /usr/lib/postgresql/*/bin; do
  [ ! -x "$directory/postgres" ] || PATH=$directory:$PATH
done
# Ours for initdb, which would look for the machine's time zone and languages.
export PATH LC_ALL=C TZ=UTC
initdb='initdb -U rdsadmin -A trust -E UTF8 --locale=C --wal-segsize=1 --no-sync --no-instructions'

as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }

fail() {
  tail -n 5 "$log" >&2
  echo "postgres.sh: $name: $1" >&2
  exit 1
}

# --- ending --------------------------------------------------------------------------------------

# The first server and its children are in the data directory, whatever the pid file says.
processes_in() {
  for process in /proc/[0-9]*; do
    [ "$process/cwd" -ef "$1" ] && echo "${process#/proc/}"
  done
  return 0
}

# "Fast": connections are ended, and what was written is sent to the standby first.
end() {
  [ -d "$1" ] || return 0
  if read -r pid <"$1/postmaster.pid" && [ "/proc/$pid/cwd" -ef "$1" ] && kill -INT "$pid"; then
    tries=0
    while [ "/proc/$pid/cwd" -ef "$1" ] && [ $tries -lt 600 ]; do
      tries=$((tries + 1))
      sleep 0.005
    done
  fi 2>/dev/null
  # Who would not end, and children of a server that somebody has killed.
  while processes=$(processes_in "$1") && [ -n "$processes" ]; do
    # shellcheck disable=SC2086 # a list of words
    kill -KILL $processes 2>/dev/null || :
    sleep 0.005
  done
  rm -f "$1/postmaster.pid"
}

# --- its data ------------------------------------------------------------------------------------

# What takes longer to make than all the rest of a lab and comes out the same each time is kept for the user's next labs,
# where other programs keep what they can make anew.

# Of what it is made: of this PostgreSQL, and of what comes on standard input.
key() {
  key=$({ stat -Lc '%n %s %Y' "$(command -v postgres)" && echo "$initdb" && cat; } | sha256sum)
  key=$cache/hoplab/postgres-${key%"${key#????????????????}"}.tar
}

# Leaves open what it unpacked: what is kept by this name may be another one a moment later.
unpack() {
  [ -n "$cache" ] && [ -r "$key" ] || return 1
  exec 5<"$key"
  unpack_again "$1"
}

unpack_again() { as_postgres mkdir "$1" && as_postgres tar -xf - -C "$1" <"/proc/$$/fd/5" 2>/dev/null; }

# One at a time; who was killed at it has left no more than a part, which the next one writes over. Some tens of MB each:
# the newest stay.
keep() {
  [ -n "$cache" ] || return 0
  {
    mkdir -p "$cache/hoplab" &&
      flock -n "$cache/hoplab" sh -c 'tar -cf "$0.part" -C "$1" . && mv "$0.part" "$0"' "$key" "$1" &&
      for old in $(cd "$cache/hoplab" && ls -t | grep '^postgres-.*tar$' | tail -n +7); do rm -f "$cache/hoplab/$old"; done
  } 2>/dev/null || :
}

make_empty() {
  key </dev/null
  if unpack "$1"; then return; fi
  rm -rf "$1"
  # shellcheck disable=SC2086 # a list of words
  as_postgres $initdb -D "$1" >>"$log" 2>&1 || fail 'initdb failed'
  keep "$1"
}

# A cluster with its roles and its database; its standby begins with the same, and would have to ask for a copy later. Each
# gets its name when it is whole.
create() {
  rm -rf "$data" "$data.new"
  standby=''
  if [ "$peer" != - ]; then
    standby=$base/$peer
    end "$standby"
    rm -rf "$standby" "$standby.new"
  fi
  # What has another birth is another database, whatever PostgreSQL's own identifier says, which is kept with it.
  read -r birth </proc/sys/kernel/random/uuid
  key <"$sql"
  if unpack "$data.new"; then
    [ -z "$standby" ] || { unpack_again "$standby.new" && name_whole "$standby"; } &
    copying=$!
  else
    make_empty "$data.new"
    said=$(as_postgres postgres --single -D "$data.new" -c fsync=off -c log_checkpoints=off postgres <"$sql" 2>&1) || fail "$said"
    case $said in *ERROR:* | *FATAL:*) fail "$said" ;; esac
    install -o postgres -g postgres -m 600 "$sql" "$data.new/hoplab.sql"
    key <"$sql"
    keep "$data.new"
    [ -z "$standby" ] || { cp -a "$data.new" "$standby.new" && name_whole "$standby"; }
  fi
  name_whole "$data"
}

name_whole() { echo "$birth" >"$1.new/hoplab.birth" && mv "$1.new" "$1"; }

# --- starting ------------------------------------------------------------------------------------

# Linux sees from the environment what the server was started with (HOPLAB_DIGEST).
start() {
  cd /
  : >>"$log"
  exec 4<"$log"
  tail -c 1 <&4 >/dev/null
  setsid setpriv --reuid postgres --regid postgres --clear-groups postgres -D "$data" -c config_file="$config" >>"$log" 2>&1 </dev/null 4<&- 5<&- &
  server=$!
}

is_running() { [ -e "/proc/$server/cwd" ]; } # a zombie has none

# pidfile.h: line 1 is the server's pid, line 8 its state.
is_ready() {
  first='' state=''
  { read -r first && for _ in 2 3 4 5 6 7 8; do read -r state; done; } <"$data/postmaster.pid" 2>/dev/null || :
  case $first/$state in "$server/ready"*) ;; *) return 1 ;; esac
}

# 0: it follows the timeline of its primary; 1: it can't, from where it is; 2: nothing is known yet.
follows() {
  while read -r line <&4; do
    case $line in
      *' started streaming WAL '*" on timeline $timeline" | *' restarted WAL streaming '*" on timeline $timeline") return 0 ;;
      *'forked off'* | *"is not in this server's history"* | *'has already been removed'*) return 1 ;;
      *'is behind recovery timeline'* | *'is ahead of the WAL flush position'*) return 1 ;;
    esac
  done
  return 2
}

# A timeline begins with each promotion, with a file that tells of those before it.
timeline_of_peer() {
  timeline=1
  for history in "$base/$peer/pg_wal/"*.history; do
    [ ! -e "$history" ] || timeline=${history##*/}
  done
  timeline=$((0x${timeline%.history}))
}

start_primary() {
  start
  until is_ready; do
    is_running || fail 'the server has ended'
    sleep 0.005
  done
}

# 1: what it has does not lead to where its primary is.
start_standby() {
  timeline_of_peer
  start
  tries=0
  while [ $tries -lt 600 ]; do
    follows && return 0 || [ $? = 2 ] || return 1
    is_running || return 1
    tries=$((tries + 1))
    sleep 0.005
  done
  return 1
}

# The base is made by whoever is first.
[ -d "$base" ] || mkdir -p "$base"
chown postgres:postgres "$base"

case $role in
  primary)
    # Whoever else is the primary must take no more writes; its standby goes on.
    [ "$peer" = - ] || [ -e "$base/$peer/standby.signal" ] || end "$base/$peer"
    end "$data"
    cmp -s "$sql" "$data/hoplab.sql" || create
    # Recovery that is no standby's ends where the log ends, and begins a new timeline: that is a promotion.
    [ ! -e "$data/standby.signal" ] || mv "$data/standby.signal" "$data/recovery.signal"
    start_primary
    [ -z "$copying" ] || wait "$copying" || :
    ;;
  standby)
    address=$4 port=$5
    end "$data"
    # Who was the primary until now, or was ended, has what the other one had then, and asks for what came later.
    if cmp -s "$data/hoplab.birth" "$base/$peer/hoplab.birth"; then
      as_postgres touch "$data/standby.signal"
      if start_standby; then exit; fi
      end "$data"
    fi
    rm -rf "$data.new"
    as_postgres pg_basebackup -D "$data.new" -h "$address" -p "$port" -U rdsrepladmin -w -c fast -X stream --no-sync --no-manifest >>"$log" 2>&1 || fail 'pg_basebackup failed'
    as_postgres touch "$data.new/standby.signal"
    rm -rf "$data"
    mv "$data.new" "$data"
    start_standby || fail 'it does not follow its primary'
    ;;
  stop) end "$data" ;;
esac

#!/bin/sh
# One PostgreSQL of a database instance, run in its network namespace by the sandbox's root:
#
#   postgres.sh primary NAME PEER DATABASE       PEER is the name of the other one of a Multi-AZ instance, else -
#   postgres.sh standby NAME PEER ADDRESS PORT   the primary's address on the link between the two
#
# Its configuration is NAME.conf, NAME.hba and NAME.sql in /run/hoplab, its data lies in /run/hoplab/postgres/NAME. It
# comes back once the server takes connections (a standby: once it follows its primary), and says in NAME.log why it does
# not.
#
# PostgreSQL refuses to run as root, also as that of a user namespace, and wants its user to have a name: it is the one
# that comes with its package.
set -eu
umask 022
role=$1 name=$2 peer=$3
base=/run/hoplab/postgres
data=$base/$name
other=$base/$peer
log=/run/hoplab/$name.log
config=/run/hoplab/$name.conf
sql=/run/hoplab/$name.sql
# Relative ones mean nothing: XDG Base Directory Specification, "Basics".
case ${XDG_CACHE_HOME-} in /*) cache=$XDG_CACHE_HOME ;; *) cache=${HOME:+$HOME/.cache} ;; esac
unpacked='' copying=''
for directory in /usr/lib/postgresql/*/bin; do
  [ ! -x "$directory/postgres" ] || PATH=$directory:$PATH
done
# Ours for initdb, which would look for the machine's time zone and languages.
export PATH LC_ALL=C TZ=UTC
initdb='initdb -U rdsadmin -A trust -E UTF8 --locale=C --wal-segsize=1 --no-sync --no-instructions'

as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }

fail() {
  [ -z "$copying" ] || kill "$copying" 2>/dev/null || :
  # Whatever is kept that a server does not start from is made anew next time.
  [ -z "$unpacked" ] || rm -f "$unpacked"
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

# "Fast": connections are ended, and what was written is sent to the standby first; who has none is not waited for long, for
# it may have had one whose link is gone.
end() {
  [ -d "$1" ] || return 0
  tries=$([ "$peer" = - ] && echo 60 || echo 600)
  {
    if read -r pid <"$1/postmaster.pid" && [ "/proc/$pid/cwd" -ef "$1" ] && kill -INT "$pid"; then
      while [ "/proc/$pid/cwd" -ef "$1" ] && [ "$tries" -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.005
      done
    fi
  } 2>/dev/null
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

# Into one directory, or into a second one in the background, too: from the same file, for what is kept by this name may be
# another one a moment later.
unpack() {
  [ -n "$cache" ] && [ -r "$key" ] || return 1
  {
    unpack_open "$1" || return 1
    unpacked=$key
    touch -c "$key" 2>/dev/null || :
    [ -z "${2-}" ] || { unpack_open "$2" && name_standby; } &
    copying=$!
  } 5<"$key"
}

# The last that was packed is there, so all is.
unpack_open() {
  as_postgres mkdir "$1" && as_postgres tar -xf - -C "$1" </proc/self/fd/5 2>/dev/null && [ -e "$1/hoplab.whole" ]
}

# One at a time; who was killed at it has left no more than a part. Some tens of MB each: those that were used last stay.
keep() {
  [ -n "$cache" ] || return 0
  : >"$1/hoplab.whole"
  {
    mkdir -p "$cache/hoplab" &&
      flock -n "$cache/hoplab" sh -c '
        rm -f "${0%/*}"/postgres-*.part
        tar -cf "$0.part" -C "$1" --exclude=./hoplab.whole . hoplab.whole && sync "$0.part" && mv "$0.part" "$0"
        cd "${0%/*}" && ls -t | grep "^postgres-.*tar$" | tail -n +7 | while read -r old; do rm -f "$old"; done
      ' "$key" "$1"
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
  if [ "$peer" != - ]; then
    end "$other"
    rm -rf "$other" "$other.new"
  fi
  read -r line </proc/sys/kernel/random/uuid
  key <"$sql"
  if [ "$peer" = - ]; then second=''; else second=$other.new; fi
  if ! unpack "$data.new" "$second"; then
    rm -rf "$data.new"
    make_empty "$data.new"
    said=$(as_postgres postgres --single -D "$data.new" -c fsync=off -c log_checkpoints=off postgres <"$sql" 2>&1) || fail "$said"
    case $said in *ERROR:* | *FATAL:*) fail "$said" ;; esac
    install -o postgres -g postgres -m 600 "$sql" "$data.new/hoplab.sql"
    key <"$sql"
    keep "$data.new"
    [ "$peer" = - ] || { cp -a "$data.new" "$other.new" && name_standby; }
  fi
  name_whole "$data"
}

name_standby() {
  as_postgres touch "$other.new/standby.signal"
  name_whole "$other"
}

name_whole() {
  echo "$line" >"$1.new/hoplab.line"
  echo "$database" >"$1.new/hoplab.database"
  mv "$1.new" "$1"
}

# A line of a database's history begins when it is made, with each promotion, and when it goes on alone. hoplab.line says
# which line the data are of, and which one that began from: PostgreSQL's own identifier is the same for all that came out of
# the cache, and its timelines are only counted, so that two servers may both be on the second and have different things there.
line_of() {
  line='' parent=''
  read -r line parent 2>/dev/null <"$1/hoplab.line" || :
}

begin_line() {
  line_of "$data"
  read -r next </proc/sys/kernel/random/uuid
  echo "$next $line" >"$data/hoplab.line.new"
  mv "$data/hoplab.line.new" "$data/hoplab.line"
}

# Whether another directory has what was confirmed later than anything here: it went on from here, or has been alone
# meanwhile. Two that are of one line have the same, for nothing is confirmed by one of two.
is_ahead() {
  cmp -s "$sql" "$1/hoplab.sql" || return 1
  cmp -s "$sql" "$data/hoplab.sql" || return 0
  line_of "$1"
  theirs=$line from=$parent
  line_of "$data"
  [ -n "$theirs" ] || return 1
  [ "$from" != "$line" ] || return 0
  [ "$parent" != "$theirs" ] && [ "$theirs" != "$line" ] && [ -e "$1/hoplab.alone" ] && [ ! -e "$data/hoplab.alone" ]
}

# What this database has elsewhere, also of a server that is no more and whose end was cut off, becomes this one's where it is
# ahead; what is nobody's then goes.
take_over() {
  for rival in "$base"/*; do
    case $rival in "$data" | *.new) continue ;; esac
    [ "$(cat "$rival/hoplab.database" 2>/dev/null)" = "$database" ] || continue
    if is_ahead "$rival"; then
      end "$rival"
      rm -rf "$data"
      mv "$rival" "$data"
    elif [ "$rival" != "$other" ]; then
      end "$rival"
      rm -rf "$rival"
    fi
  done
}

# A standby has at most what its primary has. Who wrote itself, and ended well, may have more than what its peer went on
# from: PostgreSQL sees that by where the peer's timeline begins, the first time.
may_follow() {
  line_of "$other"
  theirs=$line from=$parent
  line_of "$data"
  [ -n "$line" ] && [ ! -e "$data/hoplab.trying" ] || return 1
  if [ "$line" = "$theirs" ]; then
    [ -e "$data/standby.signal" ]
  else
    [ "$line" = "$from" ] && pg_controldata "$data" | grep -q 'cluster state: *shut down$'
  fi
}

# --- starting ------------------------------------------------------------------------------------

# Linux sees from the environment what the server was started with (HOPLAB_DIGEST).
start() {
  cd /
  : >>"$log"
  exec 4<"$log"
  tail -c 1 <&4 >/dev/null
  setsid setpriv --reuid postgres --regid postgres --clear-groups postgres -D "$data" -c config_file="$config" >>"$log" 2>&1 </dev/null 4<&- &
  server=$!
}

is_running() { [ -e "/proc/$server/cwd" ]; } # a zombie has none

# pidfile.h: line 1 is the server's pid, line 8 its state.
is_ready() {
  first='' state=''
  { read -r first && for _ in 2 3 4 5 6 7 8; do read -r state; done; } 2>/dev/null <"$data/postmaster.pid" || :
  case $first/$state in "$server/ready"*) ;; *) return 1 ;; esac
}

start_primary() {
  start
  until is_ready; do
    is_running || fail 'the server has ended'
    sleep 0.005
  done
}

# 0: it follows the timeline of its primary; 1: it can't, from where it is; 2: nothing is known yet.
follows() {
  while read -r said <&4; do
    case $said in
      *' started streaming WAL '*" on timeline $timeline" | *' restarted WAL streaming '*" on timeline $timeline") return 0 ;;
      *'forked off'* | *"is not in this server's history"* | *'has already been removed'*) return 1 ;;
      *'is behind recovery timeline'* | *'is ahead of the WAL flush position'*) return 1 ;;
    esac
  done
  return 2
}

# Each timeline but the first has a file that tells of those before it.
timeline_of_peer() {
  timeline=1
  for history in "$other/pg_wal/"*.history; do
    [ ! -e "$history" ] || timeline=${history##*/}
  done
  timeline=$((0x${timeline%.history}))
}

# 1: what it has does not lead to where its primary is.
start_standby() {
  timeline_of_peer
  # It asks for the next timeline when the last one has ended, again and again until there is an answer.
  echo "wal_retrieve_retry_interval = '10ms'" >"$data/postgresql.auto.conf"
  start
  tries=0
  while [ $tries -lt 600 ]; do
    found=0
    follows || found=$?
    if [ $found = 0 ]; then
      : >"$data/postgresql.auto.conf"
      kill -HUP "$server"
      return 0
    fi
    [ $found = 2 ] || return 1
    is_running || return 1
    tries=$((tries + 1))
    sleep 0.005
  done
  return 1
}

# All that its primary has.
copy() {
  rm -rf "$data.new"
  PGCONNECT_TIMEOUT=3 as_postgres pg_basebackup -D "$data.new" -h "$address" -p "$port" -U rdsrepladmin -w -c fast -X stream --no-sync --no-manifest >>"$log" 2>&1 || fail 'pg_basebackup failed'
  as_postgres touch "$data.new/standby.signal"
  rm -rf "$data"
  mv "$data.new" "$data"
  start_standby || {
    end "$data"
    fail 'it does not follow its primary'
  }
}

# --- the roles -----------------------------------------------------------------------------------

# The base is made by whoever is first.
[ -d "$base" ] || mkdir -p "$base"
chown postgres:postgres "$base"

case $role in
  primary)
    database=$4
    # Whoever else is the primary must take no more writes; its standby goes on.
    [ "$peer" = - ] || [ -e "$other/standby.signal" ] || end "$other"
    end "$data"
    take_over
    cmp -s "$sql" "$data/hoplab.sql" || create
    if [ -e "$data/standby.signal" ] || [ "$peer" = - ]; then begin_line; fi
    # Recovery that is no standby's ends where the log ends, and begins a new timeline: that is a promotion.
    [ ! -e "$data/standby.signal" ] || mv "$data/standby.signal" "$data/recovery.signal"
    [ "$peer" != - ] || : >"$data/hoplab.alone"
    rm -f "$data/hoplab.trying"
    start_primary
    [ -z "$copying" ] || wait "$copying" || :
    ;;
  standby)
    address=$4 port=$5
    end "$data"
    # Who was the primary until now, or was ended, has what the other one had then, and asks for what came later.
    if may_follow; then
      : >"$data/hoplab.trying"
      as_postgres touch "$data/standby.signal"
      if start_standby; then
        cp "$other/hoplab.line" "$data/hoplab.line"
      else
        end "$data"
        copy
      fi
    else
      copy
    fi
    # Nothing is confirmed by one of them alone from here on.
    rm -f "$data/hoplab.trying" "$data/hoplab.alone" "$other/hoplab.alone"
    ;;
esac

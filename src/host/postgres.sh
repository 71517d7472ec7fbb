#!/bin/sh
# One PostgreSQL of a database instance, run in its network namespace by the sandbox's root:
#
#   postgres.sh primary NAME PEER           PEER is the name of the other one of a Multi-AZ instance, else -
#   postgres.sh standby NAME ADDRESS PORT   the primary's address on the link between the two
#   postgres.sh stop NAME
#
# Its configuration is NAME.conf, NAME.hba and NAME.sql in /run/hoplab, its data lies in /run/hoplab/postgres/NAME. It
# comes back once the server takes connections (a standby: once it replays), and says in NAME.log why it does not.
#
# PostgreSQL refuses to run as root, also as that of a user namespace, and wants its user to have a name: it is the one
# that comes with its package.
set -eu
role=$1 name=$2
base=/run/hoplab/postgres
data=$base/$name
log=/run/hoplab/$name.log
config=/run/hoplab/$name.conf
sql=/run/hoplab/$name.sql
for directory in /usr/lib/postgresql/*/bin; do
  [ ! -x "$directory/postgres" ] || PATH=$directory:$PATH
done
# Ours for initdb, which would look for the machine's time zone and languages.
export PATH LC_ALL=C TZ=UTC

as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }

fail() {
  tail -n 5 "$log" >&2
  echo "postgres.sh: $name: $1" >&2
  exit 1
}

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
  if read -r pid <"$1/postmaster.pid" && [ "/proc/$pid/cwd" -ef "$1" ]; then kill -INT "$pid"; fi 2>/dev/null
  tries=0
  while processes=$(processes_in "$1") && [ -n "$processes" ]; do
    tries=$((tries + 1))
    # shellcheck disable=SC2086 # a list of words
    [ $tries -lt 300 ] || kill -KILL $processes 2>/dev/null || :
    sleep 0.01
  done
  rm -f "$1/postmaster.pid"
}

# An empty cluster. initdb takes longer than all the rest of a lab and makes the same each time, so that what it made is kept
# for the user's next labs, where other programs keep what they can make anew.
make_empty() {
  cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
  options='-U rdsadmin -A trust -E UTF8 --locale=C --wal-segsize=1 --no-sync --no-instructions'
  which=$(echo "$(postgres --version) $options" | cksum)
  kept=${cache:+$cache/hoplab/postgres-${which%% *}.tar}
  if [ -r "$kept" ] && as_postgres mkdir "$1" && as_postgres tar -xf - -C "$1" <"$kept" 2>/dev/null; then return; fi
  rm -rf "$1"
  # shellcheck disable=SC2086 # a list of words
  as_postgres initdb -D "$1" $options >>"$log" 2>&1 || fail 'initdb failed'
  [ -n "$kept" ] || return 0
  # One at a time; who was killed at it has left no more than a part, which the next one writes over.
  {
    mkdir -p "${kept%/*}" &&
      flock -n "${kept%/*}" sh -c 'tar -cf "$0.part" -C "$1" . && mv "$0.part" "$0"' "$kept" "$1"
  } 2>/dev/null || :
}

# A cluster with its roles and its database. It gets its name when it is whole.
create() {
  rm -rf "$data" "$data.new"
  make_empty "$data.new"
  said=$(as_postgres postgres --single -D "$data.new" -c fsync=off -c log_checkpoints=off postgres <"$sql" 2>&1) || fail "$said"
  case $said in *ERROR:* | *FATAL:*) fail "$said" ;; esac
  install -o postgres -g postgres -m 600 "$sql" "$data.new/hoplab.sql"
  mv "$data.new" "$data"
}

# Linux sees from the environment what the server was started with (HOPLAB_DIGEST).
start() {
  cd /
  setsid setpriv --reuid postgres --regid postgres --clear-groups postgres -D "$data" -c config_file="$config" >>"$log" 2>&1 </dev/null &
  pid=$!
  while :; do
    # pidfile.h: line 1 is the server's pid, line 8 its state.
    state=$(sed -n '1p;8p' "$data/postmaster.pid" 2>/dev/null | tr '\n' ' ') || :
    case $state in "$pid ready"* | "$pid standby"*) return ;; esac
    # It is gone; of a zombie there is no directory either.
    [ -e "/proc/$pid/cwd" ] || fail 'the server has ended'
    sleep 0.01
  done
}

# The base is made by whoever is first.
[ -d "$base" ] || mkdir -p "$base"
chown postgres:postgres "$base"

case $role in
  primary)
    # Whoever else is the primary must take no more writes; its standby goes on.
    peer=$3
    [ "$peer" = - ] || [ -e "$base/$peer/standby.signal" ] || end "$base/$peer"
    end "$data"
    cmp -s "$sql" "$data/hoplab.sql" || create
    # Recovery that is no standby's ends where the log ends, and begins a new timeline: that is a promotion.
    [ ! -e "$data/standby.signal" ] || mv "$data/standby.signal" "$data/recovery.signal"
    start
    ;;
  standby)
    end "$data"
    rm -rf "$data" "$data.new"
    as_postgres pg_basebackup -D "$data.new" -h "$3" -p "$4" -U rdsrepladmin -w -c fast -X stream --no-sync --no-manifest >>"$log" 2>&1 || fail 'pg_basebackup failed'
    as_postgres touch "$data.new/standby.signal"
    mv "$data.new" "$data"
    start
    ;;
  stop) end "$data" ;;
esac

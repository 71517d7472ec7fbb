# Runs a command of `hoplab` in the project's Vagrant machine, where this machine makes no network
# namespaces: macOS, Windows, some containers. Sourced by scripts/hoplab, only where that may be so.
# shellcheck shell=sh disable=SC2154 # here comes from who sources this, say, cannot, quietly from bootstrap.sh

# Vagrant keeps the id of a machine from its making to its destroying, up or off; `vagrant validate`
# alone leaves the directories without one.
machine_was_made() {
  for id in "${here%/*}"/../.vagrant/machines/*/*/id; do
    [ ! -e "$id" ] || return 0
  done
  return 1
}

# Asks only where the answer leads somewhere: else what makes the sandbox says why it can't.
labs_work_here() {
  [ -e /proc/self/ns/net ] || return 1
  machine_was_made || return 0
  user=''
  [ "$(id -u)" = 0 ] || user='--user --map-root-user'
  # The same namespaces as a lab's (src/host/sandbox.ts).
  # shellcheck disable=SC2086 # a list of words
  unshare $user --net --mount --ipc --uts --pid --fork true 2>/dev/null
}

# Never returns. The words, standard input and output, and the exit code are those of the command inside.
run_in_machine() {
  root=$(CDPATH='' cd -P -- "${here%/*}/.." && pwd) || exit 3
  none='a lab needs the network namespaces of Linux, and this machine makes none'
  if ! command -v vagrant >/dev/null; then
    cannot "$none; with Vagrant: vagrant up (README.md names other ways)"
  elif ! machine_was_made; then
    cannot "$none; this makes a machine that does: vagrant up"
  fi
  say "$none; running this in the Vagrant machine"

  line=$(where_in_machine "$@")
  cd "$root" || exit 3
  # MSYS, the sh of Git for Windows, would turn what looks like a path into one of Windows.
  export MSYS_NO_PATHCONV=1 MSYS2_ARG_CONV_EXCL='*'
  quietly vagrant rsync || cannot 'the Vagrant machine does not answer; this starts it: vagrant up'
  # Vagrant asks ssh for a terminal unless it is told otherwise; what goes into a pipe must not
  # come by way of one. (Its own --no-tty never gets as far as ssh.)
  if [ -t 0 ] && [ -t 1 ]; then
    exec vagrant ssh -c "$line"
  fi
  exec vagrant ssh -c "$line" -- -T
}

# The command as one line for the shell there, to run in the directory that is this one.
where_in_machine() {
  place=.
  # npm went to the project's root, and says where from.
  [ "${npm_lifecycle_event-}" != lab ] || place=${INIT_CWD:-.}
  place=$(CDPATH='' cd -P -- "$place" && pwd)
  case $place/ in
    "$root"/*) place=/vagrant${place#"$root"} ;;
    *) place=/vagrant ;;
  esac
  line="cd $(quoted "$place") &&"
  for name in HOPLAB_LAB NO_COLOR FORCE_COLOR; do
    eval "value=\${$name-}"
    [ -z "$value" ] || line="$line $name=$(quoted "$value")"
  done
  line="$line exec sh /vagrant/scripts/hoplab"
  for word in "$@"; do
    line="$line $(quoted "$word")"
  done
  printf '%s' "$line"
}

quoted() {
  printf '%s\n' "$1" | sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/'/"
}

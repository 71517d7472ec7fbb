# Brings what Hoplab needs and is not there yet: Node, npm packages, Debian packages.
#
# Sourced by scripts/hoplab, scripts/test.sh and scripts/check.sh, which set `here` to their own path
# and call `bootstrap`; run by itself, it brings everything that a lab needs, whoever runs it, and ends;
# with the word `tools` it only lists the commands and their packages, with `postgres` it brings what a lab with a database
# needs, too.
# Where nothing is missing it starts no process: it runs before every command.
#
# Sets root (of the project), node (to run TypeScript with), and adds the sbin directories to PATH.
# shellcheck shell=sh disable=SC2034,SC3013,SC2154
# (variables are for who sources this; dash, bash and busybox all know -nt; eval sets the lists)

# Node's own type stripping came, without a flag, with this version.
oldest_node=22.18

say() { printf 'hoplab: %s\n' "$*" >&2; }

# This machine cannot: the message says what is missing and how to mend it.
cannot() {
  say "$@"
  exit 3
}

# bootstrap [dev] [commands] [postgres] [everyone]
#   dev       the development packages too (tests, linters)
#   commands  the kernel's tools too: ip, nft, tcpdump, ...
#   postgres  and PostgreSQL, which only labs with a database need
#   everyone  and what they take for users other than this one
bootstrap() {
  root=$(CDPATH='' cd -P -- "${here%/*}/.." && pwd) || exit 3
  case :$PATH: in
    *:/usr/sbin:*) ;;
    *) PATH=$PATH:/usr/sbin:/sbin ;;
  esac
  export PATH
  dev='' commands='' postgres='' everyone=''
  for part in "$@"; do
    case $part in
      dev) dev=yes ;;
      commands) commands=yes ;;
      postgres) postgres=yes ;;
      everyone) everyone=yes ;;
    esac
  done

  if packages_are_there && find_node && { [ -z "$commands" ] || commands_are_there; }; then
    return
  fi
  # One at a time: two commands may start in a fresh clone together.
  exec 9<"$root"
  if command -v flock >/dev/null; then flock 9; fi
  # Before the npm packages, so that a machine that cannot run a lab at all says so at once.
  [ -z "$commands" ] || install_commands
  install_packages
  exec 9<&-
}

# --- npm packages and Node -----------------------------------------------------------------------

# npm writes node_modules/.package-lock.json last: where it is missing, an install broke off.
packages_are_there() {
  installed=$root/node_modules/.package-lock.json
  if [ ! -e "$installed" ]; then
    why='node_modules is missing'
  elif [ "$root/package-lock.json" -nt "$installed" ]; then
    why='package-lock.json has changed'
  elif [ -n "$dev" ] && [ ! -e "$root/node_modules/tap/package.json" ]; then
    why='the development packages are missing'
  else
    return 0
  fi
  return 1
}

# Looks for a Node that runs TypeScript. The stamp holds two lines, the `node` of the PATH when it
# was looked at, and the one that was chosen then, so that asking node its version happens once.
find_node() {
  own_node=$root/node_modules/.bin/node
  path_node=$(command -v node)
  stamp=$root/node_modules/.hoplab/node
  if [ "$path_node" = "$own_node" ]; then
    node=$own_node
    return 0
  fi
  if [ -r "$stamp" ]; then
    { read -r looked_at && read -r node; } <"$stamp"
    [ "$node" != own ] || node=$own_node
    if [ "$looked_at" = "$path_node" ] && [ -x "$node" ] && [ ! "$node" -nt "$stamp" ]; then
      return 0
    fi
  fi
  node=$([ -z "$path_node" ] || "$path_node" -p 'process.features.typescript ? process.execPath : ""' 2>/dev/null)
  if [ -n "$node" ]; then
    stamp_node "$node"
  elif [ -x "$own_node" ]; then
    node=$own_node
    stamp_node own
  else
    return 1
  fi
}

# Node keeps what it compiled, of TypeScript too.
compile_once() {
  [ -n "${XDG_CACHE_HOME-}${HOME-}" ] || return 0
  : "${NODE_COMPILE_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/hoplab}"
  export NODE_COMPILE_CACHE
}

# The program as one file (scripts/bundle.mjs), of which a start takes half as long; it is made anew when anything of the
# source is newer. Where it can't be made (a tree that another user owns, packages that several trees share, a mistake in
# the source) Node runs the source.
find_program() {
  if program_is_fresh; then return; fi
  if [ -w "$root/node_modules" ] && [ ! -h "$root/node_modules" ]; then
    "$node" "$root/scripts/bundle.mjs" "$program" 2>/dev/null && return
  fi
  program=$root/src/cli.ts
}

program_is_fresh() {
  program=$root/node_modules/.hoplab/hoplab.mjs
  [ -e "$program" ] && [ ! -h "$root/node_modules" ] &&
    [ -z "$(find "$root/src" "$root/scripts/bundle.mjs" "$root/node_modules/.package-lock.json" -newer "$program" | head -n 1)" ]
}

# A tree that another user owns keeps no stamp; then node is asked each time.
stamp_node() {
  { mkdir -p "${stamp%/*}" && printf '%s\n' "$path_node" "$1" >"$stamp"; } 2>/dev/null || return 0
}

install_packages() {
  if ! command -v npm >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say 'installing Debian packages: nodejs npm'
    (without_starting_services apt_install nodejs npm) || exit 3
  fi
  if ! command -v npm >/dev/null; then
    cannot 'npm is missing; Debian, Ubuntu: sudo apt-get install -y nodejs npm, others: https://nodejs.org/en/download'
  fi
  # Who has the development packages keeps them.
  [ ! -e "$root/node_modules/tap/package.json" ] || dev=yes
  kind=--include=dev
  [ -n "$dev" ] || kind=--omit=dev
  if ! packages_are_there; then
    # A checkout may have touched the lock file and left its content as it was.
    if [ "$why" = 'package-lock.json has changed' ] &&
      cmp -s "$root/package-lock.json" "$root/node_modules/.hoplab/package-lock.json"; then
      touch "$installed"
    else
      say "installing npm packages ($why)"
      run_npm ci "$kind" || exit 3
      mkdir -p "$root/node_modules/.hoplab"
      cp "$root/package-lock.json" "$root/node_modules/.hoplab/"
      built=''
    fi
  fi
  # Looked for each time: npm prunes this package when it installs others.
  if ! find_node; then
    say "installing Node 24 from npm (${path_node:-no node} is older than $oldest_node)"
    run_npm install --no-save "$kind" node@24 || exit 3
    find_node || cannot 'npm installed node@24, but node_modules/.bin/node does not run; is ignore-scripts on?'
  fi
  # tap is generated from its list of plugins; left alone, the first test run would do this.
  if [ -n "$dev" ] && [ -n "${built+fresh}" ]; then
    (cd "$root" && PATH=${node%/*}:$PATH quietly "$node" node_modules/tap/dist/esm/run.mjs build) || exit 3
  fi
  # Under sudo, the files belong to whom the clone belongs.
  [ "$(id -u)" != 0 ] || chown -R --reference="$root" "$root/node_modules" 2>/dev/null || return 0
}

# npm runs on the system's own node: Debian's npm does not work with any other. What npm puts
# into the PATH of its scripts (node_modules/.bin, with our node in it) is taken out again.
run_npm() (
  clean=''
  IFS=:
  for entry in $PATH; do
    case $entry in
      */node_modules/.bin) ;;
      *) clean=${clean:+$clean:}$entry ;;
    esac
  done
  unset IFS
  PATH=$clean
  cd "$root" || exit 3
  quietly npm "$@" --ignore-scripts=false --no-audit --no-fund --loglevel=error
)

# Runs a command and shows what it printed only when it failed.
quietly() {
  log=$(mktemp) || return 1
  if "$@" >"$log" 2>&1 </dev/null; then
    rm -f "$log"
  else
    cat "$log" >&2
    rm -f "$log"
    say "failed: $*"
    return 1
  fi
}

# --- the kernel's tools, from the distribution ---------------------------------------------------

# need COMMAND DEBIAN FEDORA ALPINE ARCH: the package that brings the command, per distribution
need() {
  command -v "$1" >/dev/null && return
  missing="$missing $1"
  add_package debian "$2"
  add_package fedora "$3"
  add_package alpine "$4"
  add_package arch "$5"
}

# add_package LIST NAME, once
add_package() {
  eval "list=\$$1"
  case "$list " in
    *" $2 "*) ;;
    *) eval "$1=\"\$list \$2\"" ;;
  esac
}

commands_are_there() {
  [ -e /proc/self/ns/net ] || return 1
  missing='' debian='' fedora='' alpine='' arch=''
  each_command
  [ -z "$missing" ]
}

each_command() {
  need ip iproute2 iproute iproute2 iproute2
  need iptables iptables iptables-nft iptables iptables-nft
  need nft nftables nftables nftables nftables
  need conntrack conntrack conntrack-tools conntrack-tools conntrack-tools
  need tcpdump tcpdump tcpdump tcpdump tcpdump
  need ping iputils-ping iputils iputils-ping iputils
  need curl curl curl curl curl
  need haproxy haproxy haproxy haproxy haproxy
  need dnsmasq dnsmasq-base dnsmasq dnsmasq dnsmasq
  need dig bind9-dnsutils bind-utils bind-tools bind
  need socat socat socat socat socat
  need ethtool ethtool ethtool ethtool ethtool
  need ipset ipset ipset ipset ipset
  need perl perl-base perl-interpreter perl perl
  for tool in nsenter unshare flock setsid setpriv; do
    need $tool util-linux util-linux util-linux util-linux
  done
  # Debian keeps it out of the PATH.
  if [ -n "$postgres" ]; then
    for directory in /usr/lib/postgresql/*/bin; do
      [ ! -x "$directory/postgres" ] || PATH=$PATH:$directory
    done
    need postgres postgresql postgresql-server postgresql postgresql
  fi
  # Only who is not root needs it, for the ids of a user namespace.
  if [ -n "$everyone" ] || { ! command -v newuidmap >/dev/null && [ "$(id -u)" != 0 ]; }; then
    need newuidmap uidmap shadow-utils shadow-uidmap shadow
  fi
}

install_commands() {
  if [ ! -e /proc/self/ns/net ]; then
    cannot "this needs the network namespaces of Linux; with Vagrant: vagrant up && vagrant ssh -c 'cd /vagrant && npm test'"
  fi
  commands_are_there && return
  if ! command -v apt-get >/dev/null; then
    say "these commands are missing:$missing"
    cannot "install them with: $(command_of_distribution)"
  elif [ "$(id -u)" != 0 ]; then
    say "these commands are missing:$missing; install them with:"
    case "$debian " in
      # Not by apt-get alone: see without_making_a_cluster.
      *' postgresql '*) echo "sudo sh $root/scripts/bootstrap.sh postgres" >&2 ;;
      *) echo "sudo apt-get install -y --no-install-recommends$debian" >&2 ;;
    esac
    exit 3
  fi
  say "installing Debian packages:$debian"
  # shellcheck disable=SC2086 # a list of words
  case "$debian " in
    *' postgresql '*) (without_making_a_cluster apt_install $debian) || exit 3 ;;
    *) (without_starting_services apt_install $debian) || exit 3 ;;
  esac
  commands_are_there || cannot "installed, but still missing:$missing"
}

command_of_distribution() {
  if command -v dnf >/dev/null; then
    echo "sudo dnf install -y$fedora"
  elif command -v apk >/dev/null; then
    echo "doas apk add$alpine"
  elif command -v pacman >/dev/null; then
    echo "sudo pacman -S --needed$arch"
  else
    echo "your package manager; Debian calls the packages$debian"
  fi
}

# The package lists are fetched only where what stands does not do: they are the slow part.
apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  set -- apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
  "$@" >/dev/null 2>&1 </dev/null || { quietly apt-get -q update; quietly "$@"; }
}

# Runs in a subshell. Debian asks policy-rc.d before it starts a service; 101 means no.
without_starting_services() {
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  fi
  "$@"
}

# Runs in a subshell. Debian's PostgreSQL makes a cluster when it comes, one that starts with the machine from then on. Labs have their own, so
# it is told not to, for as long as this takes: postgresql-common, which brings the file, comes first.
without_making_a_cluster() {
  settings=/etc/postgresql-common/createcluster.conf
  [ -e "$settings" ] || (without_starting_services apt_install postgresql-common) || return
  cp -p "$settings" "$settings.hoplab" || return
  trap 'mv -f "$settings.hoplab" "$settings"' EXIT
  trap 'exit 130' INT TERM HUP
  echo 'create_main_cluster = false' >>"$settings"
  (without_starting_services "$@")
}

case ${0##*/} in
  bootstrap.sh)
    here=$0
    case $here in */*) ;; *) here=./$here ;; esac
    if [ "${1-}" = tools ]; then
      # The list alone, for `hoplab doctor`: COMMAND<TAB>DEBIAN PACKAGE
      need() { printf '%s\t%s\n' "$1" "$2"; }
      everyone=yes postgres=yes
      each_command
    elif [ "${1-}" = postgres ]; then
      bootstrap commands postgres
    else
      bootstrap commands everyone
    fi
    ;;
esac

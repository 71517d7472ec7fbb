#!/bin/sh
# Runs the checks, the named ones or all of them, each to its end; fails when one of them did.
#   sh scripts/check.sh lint types
# shellcheck disable=SC1091,SC2154,SC2317 # node and root come from bootstrap.sh; steps are called by name
here=$0
case $here in */*) ;; *) here=./$here ;; esac
. "${here%/*}/bootstrap.sh"
bootstrap dev
PATH=${node%/*}:$root/node_modules/.bin:$PATH
cd "$root" || exit

run_step() {
  case $1 in
    # test/errors holds lab files that are wrong on purpose; the schema is written by a program.
    format) prettier --log-level warn --write . '!test/errors/**' '!labs/lab.schema.json' ;;
    format:check) prettier --log-level warn --check . '!test/errors/**' '!labs/lab.schema.json' ;;
    lint) node scripts/lint.ts ;;
    types) tsc --project . ;;
    layers) node scripts/layers.ts ;;
    dead) knip ;;
    docs) node scripts/docs.ts ;;
    docs:check) node scripts/docs.ts --check ;;
    shell) shell ;;
    vagrantfile) vagrantfile ;;
    unit) unit ;;
    golden) UPDATE_GOLDEN=1 unit ;;
    *)
      say "no check is called $1"
      return 2
      ;;
  esac
}

shell() {
  for file in scripts/*.sh scripts/hoplab .ci/run; do
    read -r first <"$file"
    case $first in
      *bash) bash -n "$file" || return ;;
      *) sh -n "$file" || return ;;
    esac
  done
  # Not every machine has it.
  ! command -v shellcheck >/dev/null || shellcheck scripts/*.sh scripts/hoplab .ci/run
}

# Not every machine has Vagrant; .ci/run brings it.
vagrantfile() {
  if command -v vagrant >/dev/null; then
    VAGRANT_CHECKPOINT_DISABLE=1 vagrant validate
  elif [ -n "${REQUIRE_VAGRANT-}" ]; then
    say 'vagrant is missing'
    return 1
  else
    say 'skipped: vagrant is not here'
  fi
}

# What needs no kernel: everything but test/netns.
unit() {
  HOPLAB_PURE_TESTS='' sh scripts/test.sh test/pure.ts test/scripts/*.test.ts
}

[ $# -gt 0 ] || set -- format:check lint types layers dead docs:check shell vagrantfile unit
failed=''
for step in "$@"; do
  [ $# = 1 ] || echo "== $step"
  began=$(date +%s)
  if run_step "$step"; then result=ok; else
    result=failed
    failed="$failed $step"
  fi
  [ $# = 1 ] || echo "== $step: $result, $(($(date +%s) - began)) s"
done
[ -z "$failed" ] || {
  [ $# = 1 ] || say "failed:$failed"
  exit 1
}

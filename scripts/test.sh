#!/bin/sh
# Runs the tests, all of them or the given files; what tap itself understands is handed through:
#   sh scripts/test.sh test/base/ip.test.ts --grep 'host bits'
# The last line is `N passed, N failed`. A test is what stands at the top of a test file; a file
# that breaks outside its tests counts as a failed one.
# shellcheck disable=SC1091,SC2016,SC2154 # node and root come from bootstrap.sh
here=$0
case $here in */*) ;; *) here=./$here ;; esac
. "${here%/*}/bootstrap.sh"
bootstrap dev "${HOPLAB_PURE_TESTS-commands}" "${HOPLAB_PURE_TESTS-postgres}" "${HOPLAB_PURE_TESTS-everyone}"
PATH=${node%/*}:$root/node_modules/.bin:$PATH
cd "$root" || exit
compile_once
# What tests start is what a person starts.
find_program
HOPLAB_PROGRAM=${program#"$root"/}
export HOPLAB_PROGRAM

began=$(date +%s)
results=$(mktemp -d) || exit
trap 'rm -rf "$results"' EXIT
trap 'exit 130' INT TERM HUP

# Turns the TAP of all files into a line a file, and the whole TAP of those that failed.
summarize='
  function end_of_file(result) {
    if (!quiet) {
      if (result == "ok") printf "ok      %s (%d tests, %d s)\n", name, ok + nok, seconds
      else printf "FAILED  %s\n%s", name, block
      fflush()
    }
    passed += ok; failed += nok
    if (result != "ok" && nok == 0) failed++
    ok = nok = 0; block = ""
  }
  # How the file was run: only how it ended says something.
  /^  ---$/ { in_diagnostics = 1 }
  in_diagnostics {
    if (!quiet && /exitCode: [1-9]|signal: S|expired|timeout/) print
    if (/^  [.][.][.]$/) in_diagnostics = 0
    next
  }
  /^    ok .* # (SKIP|TODO)/ { if (!quiet) { sub(/^ *ok [0-9]+ - /, ""); print "skipped " $0 }; next }
  /^    ok / { ok++ }
  /^    not ok / { nok++ }
  /^(not )?ok / {
    seconds = /# time=/ ? $0 : 0; sub(/.*# time=/, "", seconds); seconds /= 1000
    name = $0; sub(/^(not )?ok [0-9]+ - /, "", name); sub(/ # .*/, "", name)
  }
  /^ok / { end_of_file("ok"); next }
  /^not ok / { end_of_file("not ok"); next }
  /^Bail out!/ { failed++; print; next }
  /[^ ]/ { block = block $0 "\n" }
  END {
    print passed + 0 " passed, " failed + 0 " failed" >summary
  }'

if [ -t 1 ]; then
  tap --output-file="$results/tap" "$@"
  status=$?
  awk -v quiet=1 -v summary="$results/summary" "$summarize" "$results/tap"
else
  { tap --reporter=tap "$@"; echo $? >"$results/status"; } |
    awk -v summary="$results/summary" "$summarize"
  read -r status <"$results/status"
fi
read -r summary <"$results/summary"

case $summary in
  '0 passed, 0 failed')
    say 'no test was run'
    status=1
    ;;
  *', 0 failed') [ "$status" = 0 ] || say "tap ended with exit code $status" ;;
  *) status=1 ;;
esac
echo "in $(($(date +%s) - began)) s"
echo "$summary"
exit "$status"

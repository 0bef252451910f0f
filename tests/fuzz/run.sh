#!/bin/sh
# Builds every fuzz target (tests/fuzz/fuzz_*.c) with clang's libFuzzer under AddressSanitizer and
# UndefinedBehaviorSanitizer, and runs each for some seconds on its corpus.
#
#   tests/fuzz/run.sh [SECONDS] [TARGET...]     default: 10 seconds each, all targets
#
# The corpus in the repository (tests/fuzz/corpus/TARGET) is read only; what is found goes to
# build/fuzz/corpus/TARGET and serves as a second corpus the next time. A crash leaves its input in
# build/fuzz/crashes/ and a log in build/fuzz/logs/. Run a single input again with
# `build/fuzz/fuzz/TARGET INPUT`. Ends with "N passed, M failed"; the exit status says the same.
set -u
cd "$(dirname "$0")/../.." || exit 1

seconds=${1:-10}
case $seconds in '' | *[!0-9]*) echo "usage: $0 [SECONDS] [TARGET...]" >&2; exit 2 ;; esac
[ $# -gt 0 ] && shift
PATH=$PWD/.venv/bin:$PATH
build=build/fuzz

clang=${CLANG:-clang}
if ! echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n > 99; }' |
    "$clang" -x c - -fsanitize=fuzzer,address -o /dev/null 2>/dev/null; then
    echo "no clang with libFuzzer: apt install clang libclang-rt-14-dev" >&2
    exit 1
fi

mkdir -p $build/crashes $build/logs
cmake -S . -B $build -G Ninja -DCMAKE_C_COMPILER="$clang" -DRTCORE_FUZZ=ON -DRTCORE_TESTS=OFF -DRTCORE_PYTHON=OFF \
    >$build/logs/cmake.log || { cat $build/logs/cmake.log; exit 1; }
cmake --build $build >$build/logs/build.log 2>&1 || { cat $build/logs/build.log; exit 1; }

if [ $# -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        [ -f "$source" ] && set -- "$@" "$(basename "$source" .c)"
    done
fi

passed=0
failed=0
for target in "$@"; do
    kept=$build/corpus/$target
    seeds=tests/fuzz/corpus/$target
    log=$build/logs/$target.log
    mkdir -p "$kept"
    [ -d "$seeds" ] || { echo "$target: no seeds in $seeds" >&2; failed=$((failed + 1)); continue; }
    if $build/fuzz/"$target" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix=$build/crashes/"$target"- "$kept" "$seeds" >"$log" 2>&1; then
        passed=$((passed + 1))
        verdict=ok
    else
        failed=$((failed + 1))
        verdict=FAILED
        tail -n 60 "$log"
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    printf '%-24s %-7s %10s inputs %8s edges %6s in the corpus\n' "$target" "$verdict" "${runs:-?}" "${edges:-?}" \
        "$(find "$kept" "$seeds" -type f | wc -l | tr -d ' ')"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

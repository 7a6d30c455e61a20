#!/bin/sh
# The paper's results on CIFAR-10 at full length, in the order of what they tell, as far as the time reaches. The same command goes
# on where the last one was stopped or killed, on this machine or on another that was given the folder.
#
#     RESCLI_DATA=DIR sh benchmarks/study.sh STUDY SECONDS [OPTIONS OF rescli reproduce ...]
#
# STUDY.summaries gets the small files of which docs/reproduction.md is made; copy them to docs/reproduction. Exit code 75: the time
# was over first. A run goes on with the backend of its last session: --backend cuda among the options moves one that was begun on a
# processor. Uses `python3` as it is found; PYTHON names another.
set -u

[ $# -ge 2 ] || { echo "usage: sh benchmarks/study.sh STUDY SECONDS [OPTIONS]" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export TORCHINDUCTOR_CACHE_DIR="${TORCHINDUCTOR_CACHE_DIR:-$root/.inductor}"
study=${1%/} end=$(($(date +%s) + $2))
shift 2
worst=0

# part ELEMENT OPTIONS...: until it is done or the time is over; a run that fails does not keep the others from theirs
part() {
    left=$((end - $(date +%s)))
    [ "$left" -gt 0 ] || { worst=75; return; }
    timeout --foreground --preserve-status --signal=TERM "$left" "${PYTHON:-python3}" -m rescli reproduce "$@" --out "$study"
    code=$?
    [ "$code" -ne 143 ] || code=75  # the signal came before rescli could hear it
    [ "$code" -le "$worst" ] || worst=$code
}

part fig6-middle --depth 20 --depth 56 --depth 110 --seeds 1 "$@"
part fig6-left --depth 20 --depth 56 --seeds 1 "$@"
part fig6-middle --depth 32 --depth 44 --seeds 1 "$@"
part fig6-left --depth 32 --depth 44 --seeds 1 "$@"
part fig7 --seeds 1 "$@"
part gradients --seeds 1 "$@"
part fig6-middle --seeds 3 "$@"
part fig6-left --seeds 3 "$@"
part table6 --depth 110 --seeds 5 "$@"
part plain-110 --seeds 1 "$@"
part warmup --seeds 1 "$@"
part fig6-right --seeds 1 "$@"

# Without a run there is nothing to summarize, and what has failed before says more than that.
if ls "$study"/*.h5 > /dev/null 2>&1; then
    "${PYTHON:-python3}" -m rescli reproduce summarize "$study" --out "$study.summaries"
    code=$?
    [ "$worst" -ne 0 ] || worst=$code
fi
exit "$worst"

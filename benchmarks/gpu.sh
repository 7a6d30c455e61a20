#!/bin/sh
# What wants a GPU, in one go: the tests marked `gpu`, then training on the device, its loss against the CPU's, and its speed.
#
#     sh benchmarks/gpu.sh [FOLDER]      # results as JSON into FOLDER, by default ./gpu-results
#
# Uses `python3` as it is found, so that it runs where nothing can be installed; PYTHON names another.
set -eu

cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
out=${1:-gpu-results}
mkdir -p "$out"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
rescli="$python -m rescli"

$rescli backends --json | tee "$out/backends.json"
$python -m pytest -q -m gpu -p no:cacheprovider 2>&1 | tee "$out/tests.log"

for depth in 20 56 110 1202; do
    $rescli train cifar --dataset synthetic --depth $depth --backend cuda --dry-run --json >"$out/dry-run-$depth.json"
done

# The same seed in bf16, in fp32 and on the processor: three curves of one recipe.
run() {
    name=$1; shift
    $rescli train cifar --dataset synthetic --depth 20 --iterations 400 --out "$out/$name.h5" --json "$@" >"$out/$name.json"
    $rescli runs export "$out/$name.h5" --to json --out "$out/$name-metrics.json"
}
run cuda-bf16 --backend cuda --precision bf16
run cuda-fp32 --backend cuda --precision fp32
run cpu-fp32 --backend cpu --precision fp32
rm -f "$out"/*.h5 "$out"/*.h5.*

#!/bin/sh
# What wants a GPU, in one go: the tests marked `gpu`, speed beside a plain loop, loss curves of the captured bf16 step beside
# eager fp32, five seeds at once, ImageNet nets, depth 1202 with and without checkpointed activations. Results as JSON, none of it typed in.
#
#     sh benchmarks/gpu.sh [FOLDER [PART...]]      # by default ./gpu-results, and all parts but for `deep` where QUICK=1
#
# Parts: tests speed curves seeds imagenet deep; each takes minutes, for machines that are lent by the ten minutes.
# Uses `python3` as it is found, so that it runs where nothing can be installed; PYTHON names another. A part that fails does
# not stop the others: failures.txt lists them.
set -u

cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
out=${1:-gpu-results}
[ $# -eq 0 ] || shift
parts=${*:-tests speed curves seeds imagenet $([ -n "${QUICK:-}" ] || echo deep)}
mkdir -p "$out"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export TORCHINDUCTOR_CACHE_DIR="${TORCHINDUCTOR_CACHE_DIR:-$PWD/.inductor}"
rescli() { "$python" -m rescli "$@"; }
touch "$out/failures.txt"
for part in $parts; do
    case $part in
    tests | speed | curves | seeds | imagenet | deep) ;;
    *) echo "there is no part $part" >&2; exit 2 ;;
    esac
done

# try NAME COMMAND...: stdout into NAME.json, stderr into NAME.log
try() {
    what=$1; shift
    echo "== $what"
    sed -i "/^$what: /d" "$out/failures.txt"
    "$@" >"$out/$what.json" 2>"$out/$what.log" || { echo "$what: exit code $?" | tee -a "$out/failures.txt"; tail -3 "$out/$what.log"; }
}

# Each file in a process of its own: after an error of CUDA's nothing in that process works any more.
part_tests() {
    try backends rescli backends --json
    for file in $(grep -rlE 'mark\.gpu' tests --include='test_*.py' | sort); do
        try "$(basename "$file" .py)" "$python" -m pytest -q -m gpu -p no:cacheprovider "$file"
    done
}

part_speed() {
    try bench-train rescli bench train --depth 20 56 110 --backend cuda --steps 100 --pairs 5 --workers 8 --json
    try bench-train-tf32 rescli bench train --depth 20 --backend cuda --precision tf32 --steps 100 --pairs 5 --workers 8 --json
    try bench-eval rescli bench eval --depth 20 56 110 --backend cuda --pairs 5 --workers 8 --json
    try bench-data rescli bench data --backend cuda --pairs 5 --workers 8 --json
    try bench-store rescli bench store --depth 20 110 1202 --pairs 5 --folder "$out" --json
    try overheads "$python" -m benchmarks.overheads --depth 20 --iterations 5000 --backend cuda
}

# The same seed: captured and compiled bf16, captured fp32, fp32 as written, and the processor.
curve() {
    name=$1; shift
    try "$name" rescli train cifar --dataset synthetic --depth 20 --iterations 400 --log-every 10 --out "$out/$name.h5" --json "$@"
    [ -f "$out/$name.h5" ] && rescli runs export "$out/$name.h5" --to json --out "$out/$name-metrics.json"
}
part_curves() {
    curve curve-bf16 --backend cuda --precision bf16
    curve curve-bf16-uncompiled --backend cuda --precision bf16 --no-compile
    curve curve-fp32 --backend cuda --precision fp32
    curve curve-fp32-deterministic --backend cuda --precision fp32 --no-compile --deterministic
    curve curve-cpu-fp32 --backend cpu --precision fp32
}

# Compiled, and as written: how long 2,000 iterations take; five seeds at once against one.
long() {
    name=$1; shift
    try "$name" rescli train cifar --dataset synthetic --iterations 2000 --eval-every 2000 --out "$out/$name-{seed}.h5" --json "$@"
}
part_seeds() {
    for depth in 20 110; do
        long "run-$depth" --depth $depth --seeds 1
        long "run-$depth-uncompiled" --depth $depth --seeds 1 --no-compile
        long "seeds-$depth" --depth $depth --seeds 5
    done
}

# ImageNet nets: IMAGENET names a folder of train/ and val/; without it images of the same size are made.
part_imagenet() {
    photographs=${IMAGENET:-$out/photographs}
    [ -d "$photographs" ] || try photographs "$python" -m benchmarks.photographs "$photographs"
    try imagenet-data rescli bench data --data "$photographs" --batch-size 256 --batches 20 --pairs 3 --workers 16 --json
    for net in resnet18 resnet50; do
        try "imagenet-$net" rescli train imagenet --model $net --data "$photographs" --iterations 150 --eval-every 150 --log-every 10 \
            --precise-bn 10 --mean-images 512 --out "$out/$net.h5" --json
        [ -f "$out/$net.h5" ] && rescli runs export "$out/$net.h5" --to json --out "$out/imagenet-$net-metrics.json"
        try "imagenet-$net-eval" rescli eval "$out/$net.h5" --crops 10 --precision bf16 --json
    done
    for name in decode-cpu-1 decode-gpu-1 decode-cpu-2 decode-gpu-2; do  # in turns: the machine may be slower now than before
        place=${name#decode-}
        try "imagenet-$name" rescli train imagenet --model resnet18 --data "$photographs" --iterations 150 --eval-every 150 --log-every 10 \
            --precise-bn 0 --mean-images 512 --decode "${place%-*}" --out "$out/$name.h5" --json
        [ -f "$out/$name.h5" ] && rescli runs export "$out/$name.h5" --to json --out "$out/imagenet-$name-metrics.json"
    done
    try imagenet-parts rescli train imagenet --model resnet50 --data "$photographs" --iterations 60 --eval-every 60 --precise-bn 0 \
        --mean-images 512 --accumulate 4 --out "$out/parts.h5" --json
    [ -n "${IMAGENET:-}" ] || rm -rf "$photographs"
}

part_deep() {
    try deep rescli train cifar --dataset synthetic --depth 1202 --iterations 200 --eval-every 200 --out "$out/deep.h5" --json
    try deep-thrifty rescli train cifar --dataset synthetic --depth 1202 --iterations 100 --eval-every 100 \
        --checkpoint-activations --out "$out/deep-thrifty.h5" --json
    try memory "$python" -m benchmarks.memory
}

# A part that was cut off leaves runs, which would refuse to be begun again.
rm -f "$out"/*.h5 "$out"/*.h5.*
for part in $parts; do "part_$part"; done
rm -f "$out"/*.h5 "$out"/*.h5.*
echo "== failures:"; cat "$out/failures.txt"

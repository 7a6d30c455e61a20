#!/bin/sh
# The main job end to end: train, kill and resume, evaluate, look. Run by `make demo`; the argument is a folder to work in.
set -eu

folder=${1:?a folder to work in}
mkdir -p "$folder"
run="$folder/resnet8.h5"
rm -f "$run" "$run".*

if rescli data verify cifar10 --json >/dev/null 2>&1; then
    dataset=cifar10
    echo "CIFAR-10 was found: training on it."
else
    dataset=synthetic
    echo "CIFAR-10 was not found (\`rescli data fetch cifar10\` gets it): training on the built-in synthetic images."
fi

set -- rescli train cifar --dataset "$dataset" --depth 8 --iterations 300 --out "$run"

echo; echo "\$ $*   # stopped after 8 seconds"
status=0
timeout --preserve-status -s TERM 8 "$@" || status=$?
echo "exit code $status (75: stopped early, with a checkpoint; 0: done before that)"
[ "$status" -eq 0 ] || [ "$status" -eq 75 ]

echo; echo "\$ $* --resume"
"$@" --resume

echo; echo "\$ rescli eval $run"
rescli eval "$run"

echo; echo "\$ rescli runs list $folder"
rescli runs list "$folder"

cat <<END
Next:
  rescli runs show $run                          # recipe, metrics, machine
  rescli runs export $run --to csv               # every number, for your own plots
  rescli train cifar --depth 20 --dry-run        # what the paper's ResNet-20 would take here
  rescli train cifar --depth 20 --iterations 4000    # the paper's recipe in small
END

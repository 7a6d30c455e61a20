"""rescli beside other counters on one network: what each prints, and how long its process takes.

    python -m benchmarks.counters --net resnet152 --repeats 5

Each runs in a fresh process, in turns. A counter that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from importlib.util import find_spec
from statistics import median, stdev

TORCHVISION = "import torch, torchvision; net = torchvision.models.{net}().eval(); x = torch.zeros(1, 3, 224, 224); "
COUNTERS = {
    "rescli": (
        "rescli",
        "import sys; from rescli.cli import main; sys.argv = ['rescli', 'flops', '{net}', '--json']; main()",
    ),
    "torch FlopCounterMode": (
        "torch",
        TORCHVISION + "from torch.utils.flop_counter import FlopCounterMode as F; c = F(display=False); "
        "c.__enter__(); net(x); c.__exit__(None, None, None); print(c.get_total_flops())",
    ),
    "fvcore": (
        "fvcore",
        TORCHVISION
        + "from fvcore.nn import FlopCountAnalysis as F; print(F(net, x).unsupported_ops_warnings(False).total())",
    ),
    "torchinfo": (
        "torchinfo",
        TORCHVISION + "import torchinfo; print(torchinfo.summary(net, (1, 3, 224, 224), verbose=0).total_mult_adds)",
    ),
    "ptflops": (
        "ptflops",
        TORCHVISION + "import ptflops; print(ptflops.get_model_complexity_info(net, (3, 224, 224), as_strings=False, "
        "print_per_layer_stat=False)[0])",
    ),
    "thop": ("thop", TORCHVISION + "import thop; print(int(thop.profile(net, (x,), verbose=False)[0]))"),
    "calflops": (
        "calflops",
        TORCHVISION + "import calflops; print(calflops.calculate_flops(net, (1, 3, 224, 224), output_as_string=False, "
        "print_results=False)[1])",
    ),
}


def once(code: str) -> tuple[float, str]:
    """Seconds of a process, and the number it printed last."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        return seconds, "failed: " + done.stderr.strip().splitlines()[-1][:80]
    if done.stdout.startswith("{"):
        return seconds, str(json.loads(done.stdout)["macs"])
    return seconds, done.stdout.strip().splitlines()[-1]


def main() -> None:
    """Parse, measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="resnet152")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    here = {name: code.replace("{net}", options.net) for name, (module, code) in COUNTERS.items() if find_spec(module)}
    taken: dict[str, list[float]] = {name: [] for name in here}
    numbers: dict[str, str] = {}
    for _ in range(options.repeats):
        for name, code in here.items():
            seconds, numbers[name] = once(code)
            taken[name].append(seconds)
    print(f"| counter | prints for {options.net} | median | standard deviation |\n|---|---|---|---|")
    for name, times in taken.items():
        spread = f"{stdev(times):.2f} s" if len(times) > 1 else ""
        print(f"| {name} | {numbers[name]} | {median(times):.2f} s | {spread} |")
    print(f"\nnot installed here: {', '.join(sorted(set(COUNTERS) - set(here))) or 'none'}")


if __name__ == "__main__":
    main()

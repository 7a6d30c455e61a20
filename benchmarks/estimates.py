"""How good the estimates of `rescli reproduce --dry-run` are: estimate a small study, run it, compare.

    python -m benchmarks.estimates --scale 0.002 --threads 1 fig1 --depth 20

All that is not known here goes to `rescli reproduce`. Prints a JSON document: seconds and bytes, estimated and found; exits 1
if time is off by more than a factor of 1.5. Measure on a machine that has nothing else to do.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FACTOR = 1.5


def measure(words: list[str], folder: Path) -> dict[str, float]:
    """Estimate, then run."""
    command = [sys.executable, "-m", "rescli", "reproduce", *words, "--out", str(folder), "--json"]
    said = subprocess.run([*command, "--dry-run"], check=True, capture_output=True, text=True)
    estimated = json.loads(said.stdout)
    before = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - before
    stores = (*folder.glob("*.h5"), *folder.glob("*.h5.prev"))
    return {
        "seconds_estimated": estimated["seconds"],
        "seconds": seconds,
        "seconds_factor": estimated["seconds"] / seconds,
        "bytes_estimated": estimated["disk"],
        "bytes": sum(path.stat().st_size for path in stores),
        "steps": estimated["iterations"],
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        found = measure(sys.argv[1:], Path(name) / "study")
    print(json.dumps(found, indent=2))
    sys.exit(0 if 1 / FACTOR < found["seconds_factor"] < FACTOR else 1)

"""Who works on a run: a few facts beside the lock, written by the holder for everybody else to read."""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rescli.program import command_line
from rescli.store.files import NEW, OWNER, beside, real

_CLOCK_SLACK_S = 2.0
_MAX_BYTES = 64 << 10
_LONGEST = 200
"""Characters of a command line."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that holds a run.

    `started` is when the process began (seconds since 1970), and `birth` the same by a clock that nobody sets; `since` is when
    it took the lock (UTC, text). `alive` is None for a process on another host, of which only its own last word is known.
    """

    pid: int
    started: float
    host: str
    user: str
    command: str
    since: str
    birth: str | None = None
    alive: bool | None = None

    def __str__(self) -> str:
        unsure = "; unknown whether it still runs" if self.alive is None else ""
        return f"process {self.pid} of {self.user} on {self.host} ({self.command}, since {self.since}{unsure})"


def holder(path: Path | str) -> Holder | None:
    """Who works on the run at `path` now; None when nobody does, or when nobody said so.

    Looks only at what the holder wrote and at the process table. It does not touch the lock: even a short look with the lock
    in hand could make a trainer fail that starts at that moment.
    """
    said = last_holder(path)
    if said is None or said.host != socket.gethostname():
        return said
    return replace(said, alive=True) if _runs(said) else None


def last_holder(path: Path | str) -> Holder | None:
    """Who took the run at `path` last and did not give it back, dead or alive; None if unknown."""
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        with beside(real(path), OWNER).open("rb") as file:
            said = json.loads(file.read(_MAX_BYTES))
        return Holder(
            pid=int(said["pid"]),
            started=float(said["started"]),
            host=str(said["host"])[:300],
            user=str(said["user"])[:300],
            command=str(said["command"])[:300],
            since=str(said["since"])[:300],
            birth=None if said.get("birth") is None else str(said["birth"])[:300],
        )
    return None


def announce(path: Path, command: str | None = None) -> None:
    """Write who this process is. What cannot be written is only missing from messages, so errors are passed over."""
    import psutil

    with suppress(OSError):
        me = Holder(
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            host=socket.gethostname(),
            user=_user(),
            command=_short(command or command_line()),
            since=time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
            birth=birth(os.getpid()),
        )
        facts = {name: value for name, value in asdict(me).items() if name != "alive"}
        owner = beside(path, OWNER)
        step = beside(owner, NEW)
        step.write_text(json.dumps(facts) + "\n")
        step.replace(owner)


def retract(path: Path) -> None:
    """Remove what `announce` wrote."""
    with suppress(OSError):
        beside(path, OWNER).unlink(missing_ok=True)


def birth(pid: int) -> str | None:
    """Which process has the number `pid`: the boot of this machine and ticks from there. None where Linux does not tell.

    psutil adds the time of the boot, which moves when the clock is set.
    """
    with suppress(OSError, IndexError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        behind_its_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
        return f"{boot} {behind_its_name.split()[19]}"  # field 22 of proc(5): starttime
    return None


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return f"user {os.getuid()}"


def _runs(said: Holder) -> bool:
    """Whether the process that wrote `said` on this host still runs; its number may belong to another one by now."""
    import psutil

    try:
        process = psutil.Process(said.pid)
        same = abs(process.create_time() - said.started) < _CLOCK_SLACK_S
        if said.birth is not None and (now := birth(said.pid)) is not None:
            same = now == said.birth
        return same and bool(process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, ValueError, OverflowError):
        return False

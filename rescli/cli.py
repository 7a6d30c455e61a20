"""The command line: `rescli COMMAND ...`. The one place where an error becomes a message and an exit code.

No module that is loaded here imports torch, numpy or h5py; commands do so when they run.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from typing import Annotated, Any, TextIO

import typer
from typer.main import get_command

import rescli
from rescli import console
from rescli.commands import analyze, backends, bench, build, configuration, data, flops, profile, reproduce, runs, train
from rescli.commands import eval as evaluation
from rescli.errors import Interrupted, RescliError, StoreError, UsageError, failure

app = typer.Typer(
    name="rescli",
    help="Very deep networks as in Deep Residual Learning for Image Recognition (2015): each run one HDF5 file.",
    context_settings={"auto_envvar_prefix": "RESCLI", "help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help answers in half the time
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 failed, 2 bad usage, 3 data missing or damaged, 4 run store unreadable or in use, "
    "5 backend not available, 75 stopped early with a checkpoint, 130 interrupted.",
)
app.add_typer(train.app, name="train")
app.command("eval", short_help="Test the net of a run: error, loss, error per class.")(evaluation.evaluate)
app.command("build", short_help="Show a network of the paper, draw it, convert its weights.")(build.build)
app.add_typer(profile.app, name="profile")
app.command("flops", short_help="Count a network's multiply-adds and parameters, at once.")(flops.flops)
app.add_typer(analyze.app, name="analyze")
app.add_typer(reproduce.app, name="reproduce")
app.add_typer(bench.app, name="bench")
app.add_typer(runs.app, name="runs")
app.add_typer(data.app, name="data")
app.command("backends", short_help="Show where training can run, and why not elsewhere.")(backends.backends)

FIRST = ("train", "eval", "build", "analyze", "reproduce", "profile", "flops", "bench", "runs", "data", "backends")
"""The order of the help: what people do first. Typer by itself puts single commands before groups."""


def _version(value: bool) -> None:
    if value:
        console.say(f"rescli {rescli.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Very deep networks as in Deep Residual Learning for Image Recognition (2015): each run one HDF5 file."""


def command() -> Any:
    """The tree of commands and options."""
    tree: Any = get_command(app)
    rest = [name for name in tree.commands if name not in FIRST]
    tree.commands = {name: tree.commands[name] for name in (*FIRST, *rest)}
    for option in tree.params:  # they show something and leave: no variable such as RESCLI_VERSION may set that off
        option.allow_from_autoenv = option.show_envvar = False
    return tree


def main() -> None:
    """Run the command line and leave with its exit code."""
    # A closed stream (`>&-`) is None for Python, and its number would go to the next file that is opened.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    console.settings.begin(sys.argv[1:])
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("rescli", _as_it_is)
        sys.stdout.reconfigure(errors="rescli")
    warnings.showwarning = _warn
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is in a shell's background job
        signal.signal(signal.SIGINT, _interrupt)
    try:
        try:
            code = _run()
        finally:  # later ones must not turn the last words into a traceback
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt as error:
        code = _report(Interrupted("interrupted"), error)
    # The outcome is settled: a signal that arrives while Python takes itself apart must not change the exit code.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        _let_go(stream)
    sys.exit(code)


def _let_go(stream: TextIO) -> None:
    """Drop what cannot be written: Python would try it once more on its way out, and put 120 in place of our exit code."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _as_it_is(error: UnicodeError) -> tuple[bytes, int]:
    """A file's name need not be text: its bytes go out as they came in. What the terminal has no letter for is spelled out."""
    assert isinstance(error, UnicodeEncodeError)
    part = error.object[error.start : error.end]
    try:
        return part.encode("ascii", "surrogateescape"), error.end
    except UnicodeEncodeError:
        return part.encode("ascii", "backslashreplace"), error.end


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning is a line for people; where in the code it was raised is not for them."""
    console.note(f"Warning: {message}")


def _interrupt(*_: Any) -> None:
    """Ctrl-C ends the command. The next one does where this is lost: Python drops what is raised in a `__del__`, say."""
    raise KeyboardInterrupt


def _run() -> int:
    """The exit code of the command, whose error, if any, has been told."""
    try:
        code = command().main(prog_name="rescli", standalone_mode=False)
        sys.stdout.flush()
    except RescliError as error:
        return _report(error, error)
    except typer.Abort as error:
        return _report(Interrupted("aborted"), error)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        return 1
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # `rescli runs`: what it could be followed by
            console.note(error.format_message())  # type: ignore[attr-defined]
            return UsageError.exit_code
        return _report(_translate(error), error)
    if code == Interrupted.exit_code:  # Typer's word for Ctrl-C; our commands return nothing
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _report(error: RescliError, cause: BaseException) -> int:
    if console.settings.debug:
        with suppress(OSError, ValueError):
            traceback.print_exception(cause)
    if error.told:
        console.document(error)
    else:
        console.fail(error)
    return error.exit_code


# What stdout answers where it takes no more. Errors of files have their names, or are told by the store.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
# What a path on the command line may answer to everything.
_CLOSED = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ESTALE, errno.EIO}


def _translate(error: Exception) -> RescliError:
    """As one of our own: Typer's complaints, an output or a path that cannot be had, lack of memory; the rest is a bug."""
    if hasattr(error, "format_message"):
        context: Any = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "rescli"
        message = error.format_message().rstrip(".") + configuration.origin(context, getattr(error, "param", None))
        return UsageError(message, f"`{path} --help` lists what there is.")
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
        return RescliError(f"the output could not be written: {error.strerror}")
    if isinstance(error, OSError) and error.errno in _CLOSED and error.filename is not None:
        return StoreError(f"{os.fsdecode(error.filename)}: cannot be looked at: {error.strerror}", "Check the path.")
    return failure(error) or RescliError(
        f"unexpected {type(error).__name__}: {error}",
        "This is a bug in rescli. The same command with --debug shows where.",
    )


if __name__ == "__main__":
    main()

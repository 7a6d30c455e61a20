"""Exit codes are part of the product: the same in the code, the README and the help."""

from __future__ import annotations

import re
from pathlib import Path

from rescli import cli, errors

CODES = {
    errors.RescliError: 1,
    errors.UsageError: 2,
    errors.DataError: 3,
    errors.StoreError: 4,
    errors.BackendError: 5,
    errors.StoppedEarly: 75,
    errors.Interrupted: 130,
}


def test_each_kind_has_its_code() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}

    assert kinds == set(CODES)
    assert all(kind("what", "next").exit_code == code for kind, code in CODES.items())


def test_the_readme_and_the_help_list_them_all() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", readme, flags=re.MULTILINE)}

    assert table == {0, *CODES.values()}
    assert {int(code) for code in re.findall(r"(\d+) [a-z]", str(cli.app.info.epilog))} == table


def test_an_error_reads_as_what_and_then_what_next() -> None:
    assert str(errors.DataError("it is not there", "Fetch it.")) == "it is not there\nFetch it."
    assert str(errors.DataError("it is not there")) == "it is not there"

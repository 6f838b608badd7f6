"""The README's table of magics is what the magics say of themselves."""

from pathlib import Path

import pytest

from hf_magics.magics.magics import HFMagics
from tests.magics.readme_table import BEGIN, END, table, with_table

README = Path(__file__).parents[2] / "README.md"


def test_the_table_of_the_readme_is_the_help_of_the_magics(request):
    """It stands between two markers; ``--golden-update`` rewrites it."""
    text = README.read_text(encoding="utf-8")
    if request.config.getoption("--golden-update"):
        README.write_text(with_table(text), encoding="utf-8", newline="\n")
    assert README.read_text(encoding="utf-8") == with_table(text), "rewrite with --golden-update"


def test_every_magic_has_a_row():
    """A row has one line of words that are not the name again."""
    names = {**HFMagics.magics["line"], **HFMagics.magics["cell"]}
    rows = table().splitlines()[2:]
    assert len(rows) == len(names)
    for name in names:
        (row,) = (one for one in rows if f"%{name}`" in one)
        assert row.count("|") == 3
        assert len(row) > len(name) + 20


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}\n{BEGIN}"])
def test_a_readme_without_the_markers_is_refused(text):
    """The table has to stand somewhere."""
    with pytest.raises(ValueError, match="needs a line"):
        with_table(text)


def test_only_the_table_is_replaced():
    """What stands before and after it stays, and a second time changes nothing."""
    text = f"# a\n{BEGIN}\nold\n{END}\nb\n"
    once = with_table(text)
    assert once.startswith(f"# a\n{BEGIN}\n| magic |")
    assert once.endswith(f"|\n{END}\nb\n")
    assert with_table(once) == once

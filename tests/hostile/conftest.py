"""A shell among the checkpoints of a stranger."""

import pytest


@pytest.fixture(scope="session")
def strange(tmp_path_factory):
    """A folder with all the checkpoints of a stranger, and where each is."""
    from tests.hostile.strangers import PLACE, made  # imports torch: not for those who use it not

    place = tmp_path_factory.mktemp("strange") / PLACE
    return place, made(place)


@pytest.fixture
def stranger(shell, strange, monkeypatch):
    """A shell in that folder, with the variables of the cells."""
    from tests.hostile.cells import names

    place, where = strange
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "800")  # cells are not wrapped
    shell.names.update(names(place, where))
    return shell

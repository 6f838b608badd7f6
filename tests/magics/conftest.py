"""What the tests of the magics share: a tiny model in a real shell, its Tab, and a real kernel."""

import shutil

import pytest
from IPython.core.completer import provisionalcompleter

from tests.hostile.reading import Read
from tests.magics.kernels import Kernel
from tests.magics.words import tiny_line


@pytest.fixture
def tiny(shell, minilm):
    """A shell with a tiny BERT named tiny, with all-MiniLM's tokenizer."""
    shell.run(tiny_line("tiny", f'--tokenizer "{minilm}"'))
    return shell


@pytest.fixture
def texts(tiny, session):
    """What the texts of a line or cell are by the time that the verb gets them."""

    def of(cell: str) -> tuple[str, ...]:
        tiny.run(cell)
        return session.log[-1].texts

    return of


@pytest.fixture
def tab(shell):
    """The lines that Tab could make of a line."""

    def offers(line: str) -> list[str]:
        with provisionalcompleter():
            return [
                line[: one.start] + one.text + line[one.end :]
                for one in shell.ip.Completer.completions(line, len(line))
            ]

    return offers


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """Puts repositories into a cache of the hub's that nothing else uses."""
    cache = tmp_path / "hf" / "hub"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def put(repo_id: str, config: str = "{}") -> None:
        snapshot = cache / f"models--{repo_id.replace('/', '--')}" / "snapshots" / ("c" * 40)
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text(config, encoding="utf-8")

    return put


@pytest.fixture
def on(shell):
    """A shell that shows plain objects as pages."""
    shell.run("%config HFMagics.show_plain = True")
    return shell


@pytest.fixture
def bundle(on, capsys, monkeypatch):
    """What IPython makes of an object at the end of a cell, without a word on the side."""
    monkeypatch.setenv("COLUMNS", "200")

    def of(thing) -> dict[str, str]:
        capsys.readouterr()
        drawn, _ = on.ip.display_formatter.format(thing)
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", "")
        return drawn

    return of


@pytest.fixture
def page(bundle):
    """The text of an object's page, which it has in HTML as well."""

    def of(thing) -> str:
        drawn = bundle(thing)
        assert set(drawn) == {"text/html", "text/plain"}
        assert "hf-magics" in drawn["text/html"]
        assert Read(drawn["text/html"]).foreign == []
        return drawn["text/plain"]

    return of


@pytest.fixture(scope="package")
def kernel(tmp_path_factory):
    """A real kernel with the extension loaded, and nobody's settings."""
    home = tmp_path_factory.mktemp("kernel")
    with Kernel.started(home) as one:
        one.run("%load_ext hf_magics")
        yield one
    shutil.rmtree(home, ignore_errors=True)

"""A token is in no output, no error, no verbose traceback, no script and no saved file."""

from pathlib import Path

from tests.hub.children import run_ipython

CANARY = "hf_canary0123456789"
ENDPOINT = "canary-of-the-endpoint"
CELLS = [
    "%load_ext hf_magics",
    "%xmode Verbose",
    "import hf_magics as hf",
    "%hf_load org/tiny-bert -n m",
    "%hf_load org/private-bert",
    "%tb",
    "hf.load('org/private-bert')",
    "%tb",
    "hf.load('org/gated-bert')",
    "hf.load('org/none')",
    f"hf.load('org/tiny-bert', name='n', set={{'token': '{CANARY}'}})",
    "%hf_load org/model -n far --endpoint http://127.0.0.1:9/v1",
    "hf.load('org/model', name='far', endpoint='http://127.0.0.1:9/v1')",
    "%tb",
    "%hf_infer -m m hello",
    "%hf_code --all",
    "%hf_code --all --to script.py",
    "%hf_explain",
    "%hf_save m saved",
    "%hf_models",
    "%hf",
    "hf.session",
    "hf.session.steps",
]


def test_a_token_never_shows(hub_env):
    """Not even where IPython prints the values of every frame."""
    env = {**hub_env, "HF_TOKEN": CANARY, "HF_MAGICS_ENDPOINT_TOKEN": ENDPOINT}
    cells = run_ipython(CELLS, env)
    failed = {cell: ran.error for cell, ran in zip(CELLS, cells, strict=True) if ran.error}
    assert set(failed.values()) == {"UsageError", "HubError", "EngineError"}, failed
    said = {
        cell: f"{ran.stdout}{ran.stderr}{ran.result}{ran.message}"
        for cell, ran in zip(CELLS, cells, strict=True)
    }
    assert "Traceback" in said["hf.load('org/private-bert')"]
    asked = f"set={{'token': '{CANARY}'}}"
    for cell, text in said.items():
        if asked not in cell:  # a verbose traceback has the line that was typed
            assert CANARY not in text, cell
        assert ENDPOINT not in text, cell
    home = Path(env["HOME"])
    written = [*home.joinpath("saved").iterdir(), home / "script.py"]
    assert len(written) > 3
    for path in written:
        assert CANARY.encode() not in path.read_bytes(), path
        assert ENDPOINT.encode() not in path.read_bytes(), path

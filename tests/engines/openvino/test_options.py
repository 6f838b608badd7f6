"""Engines and quantisation on the line: what is refused, and which extra is named."""

import sys

import pytest

from hf_magics.errors import EngineError, MissingExtraError, OptionError
from tests.engines.conftest import SIZES


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "openvin"}, "no engine 'openvin'; did you mean 'openvino'"),
        ({"engine": "openvino", "quantize": "int4"}, "takes --quantize int8, not 'int4'"),
        ({"engine": "openvino", "dtype": "bfloat16"}, "leave out --dtype bfloat16"),
        ({"engine": "openvino", "device": "cuda"}, "leave out --device cuda"),
        ({"engine": "openvino", "set": {"device_map": "auto"}}, "takes no --set device_map"),
        ({"quantize": "int3"}, "--quantize takes int8 or int4"),
        ({"quantize": "int8", "set": {"device_map": "auto"}}, "give one of them"),
    ],
)
def test_what_is_not_taken_is_one_line(hf, tiny, session, options, words):
    """Each names the option; nothing is loaded."""
    with pytest.raises(OptionError, match=words) as caught:
        hf.load(tiny(), **options)
    assert "\n" not in str(caught.value)
    assert len(session) == 0


@pytest.mark.parametrize(
    ("missing", "options"),
    [
        ("openvino", {"engine": "openvino"}),
        ("nncf", {"engine": "openvino", "quantize": "int8"}),
        ("torchao", {"quantize": "int8"}),
        ("torchao", {"quantize": "int4"}),
    ],
)
def test_a_missing_package_names_its_extra(hf, tiny, session, monkeypatch, missing, options):
    """The line holds the command that installs it; nothing is loaded."""
    for name in [one for one in sys.modules if one.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(missing), *sys.meta_path])
    extra = options.get("engine", "quantize")
    with pytest.raises(MissingExtraError, match=rf"{missing} .*pip install 'hf-magics\[{extra}\]'"):
        hf.load(tiny(), device="cpu", **options)
    assert len(session) == 0


@pytest.mark.parametrize("options", [{}, {"gguf": "cut.gguf"}])
def test_a_gguf_file_is_not_quantised_again(hf, session, tmp_path, options):
    """Told at once: nothing of the file is read, and no package is asked for that would not help."""
    (tmp_path / "cut.gguf").write_bytes(b"GGUF")
    source = tmp_path if options else tmp_path / "cut.gguf"
    with pytest.raises(OptionError, match=r"^'cut\.gguf' is a GGUF file, .*leave out --quantize"):
        hf.load(str(source), quantize="int8", device="cpu", **options)
    assert len(session) == 0


class _Without:
    """An importer for which a package is not there."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {self.package!r}", name=self.package)


@pytest.mark.parametrize("kind", ["t5", "vit"])
def test_what_openvino_does_not_run_is_refused_at_the_load(hf, session, tmp_path, kind):
    """A decoder beside the encoder, or pictures: one line, and the session as it was."""
    sizes = {
        "t5": {"d_model": 16, "d_ff": 16, "d_kv": 8, "num_layers": 1, "num_heads": 2},
        "vit": {
            name: SIZES[name]
            for name in ("hidden_size", "num_attention_heads", "num_hidden_layers")
        },
    }
    hf.new(kind, name="made", seed=0, **sizes[kind])
    hf.save("made", str(tmp_path / "made"))
    with pytest.raises(EngineError, match=r"--engine openvino runs .*load it without --engine"):
        hf.load(str(tmp_path / "made"), name="fast", engine="openvino")
    assert list(session) == ["made"]


def test_the_line_of_a_magic(shell, tiny):
    """The same in a cell: a page with the engine, and one line for an error."""
    result = shell.run(f"%hf_load {tiny()} -n fast --engine openvino --quantize int8")
    assert "OpenVINO" in str(result)
    message = shell.error("%hf_infer -m fast --set output_attentions=true a b c")
    assert "converted with output_attentions=false" in message

"""Loading into llama.cpp: the page, what is refused in one line, and what comes back."""

import gc
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import hf_magics as hf
from hf_magics.errors import EngineError
from tests.inference.plain import notes
from tests.magics.kernels import Kernel

LOAD = "%hf_load {} --engine llamacpp -n smol --set n_ctx=512"


@pytest.fixture
def loaded(llama_cpp, shell, smollm2):
    """A real shell with the model in its session."""
    shell.names["path"] = smollm2
    shell.run(LOAD.format("$path"))
    yield shell
    shell.run("%hf_drop --all")


def test_the_page_says_what_there_is(loaded, smollm2):
    """Parameters, size, context and threads; the same line again gives the same model at once."""
    page = repr(loaded.run("%hf_use smol"))
    for word in ("134,515,008", "Q4_1", "512 tokens, trained for 8,192", "threads", ".writer"):
        assert word in page
    again = loaded.run(LOAD.format("$path"))
    assert any("already loaded" in note.text for note in again.page().notes)
    assert "smol" in repr(loaded.run("%hf_models"))
    assert "hf_magics" not in again.code
    row = hf.models().records()[0]
    assert (row["kind"], row["source"]) == ("gguf", smollm2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%hf_save smol out", "smol runs in llama.cpp, which has no torch weights: %hf_load"),
        ("%hf_infer Hello!", "which has no torch weights"),
        ("%hf_tokens Hello!", "which has no tokenizer of transformers"),
        ("%hf_config smol", "which has no torch weights"),
        ("%hf_use smol --dtype float16", "which has no torch weights"),
        ("%hf_generate --beams 2 Hello!", "llama.cpp has no beams: leave out --beams"),
        ("%hf_generate --sequences 2 Hello!", "--sequences 2: the likeliest text is one"),
        ("%hf_generate --set typical_p=0.5 Hello!", "llama.cpp takes no --set typical_p"),
        ("%hf_generate --set min_q=0.5 Hello!", "did you mean 'min_p'?"),
        ("%hf_generate --temperature 1 --seed 4294967295 Hello!", "seeds up to 4,294,967,294"),
        ("%hf_load $path --engine llamacpp --dtype float16", "--dtype means nothing to llama.cpp"),
        ("%hf_load $path --engine llamacpp --task text-generation", "--task means nothing"),
        ("%hf_load $path --engine llamacpp --device cuda", "--set n_gpu_layers=-1"),
        ("%hf_load $path --engine llamacpp --tokenizer x", "--tokenizer means nothing"),
        ("%hf_load $path --engine llamacpp num_labels=3", "takes the model as it is"),
        ("%hf_load $path --engine llamacpp --set n_ctxx=3", "did you mean 'n_ctx'?"),
        ("%hf_load $path --engine llamacpp --set verbose=true", "--set verbose: "),
        ("%hf_load $path --engine llamacpp --set n_ctx=0", "--set n_ctx=0: a whole number"),
        (
            "%hf_load $path --engine llamacpp --set n_ctx=1000000000",
            "there is no room for a context of 1,000,000,000 tokens: it takes 23",
        ),
        (
            "%hf_load $path --engine llamacpp --set lora_path=x",
            "--set lora_path: merge the adapter",
        ),
        ("%hf_load $path --engine llamacpp --set numa=x", "--set numa=x: a number, true or false"),
        *(
            (f"%hf_load $path --engine llamacpp --set rope_freq_{one}", "a finite number is needed")
            for one in ("base=NaN", "base=Infinity", "scale=-Infinity", "scale=1e39")
        ),
        ("%hf_load $path --engine lamacpp", "did you mean 'llamacpp'?"),
        ("%hf_load $path --engine llamacpp -n smol", "'smol' is loaded already"),
    ],
)
def test_what_can_not_be_done_is_one_line(loaded, session, line, said):
    """And the session is as it was."""
    log = list(session.log)
    assert said in loaded.error(line)
    assert list(session) == ["smol"]
    assert session.log == log


def test_what_is_no_gguf_is_one_line(llama_cpp, session, minilm):
    """A folder of safetensors runs in torch."""
    with pytest.raises(hf.HFMagicsError, match=r"is no GGUF file, which llama.cpp runs"):
        hf.load(minilm, engine="llamacpp")
    assert not session


@pytest.mark.parametrize("kept", [0, 3, 10, 5_000, 2_000_000, 98_000_000])
def test_a_file_that_is_cut_off_is_one_line(llama_cpp, session, smollm2, tmp_path, kept, capfd):
    """Wherever the cut is; nothing of what llama.cpp logs is seen."""
    cut = tmp_path / "cut.gguf"
    with Path(smollm2).open("rb") as file:
        cut.write_bytes(file.read(kept))
    with pytest.raises(hf.HFMagicsError) as raised:
        hf.load(str(cut), engine="llamacpp")
    assert "\n" not in str(raised.value)
    assert str(cut) in str(raised.value)
    assert not session
    assert capfd.readouterr() == ("", "")


def test_a_damaged_header_ends_no_process(llama_cpp, session, smollm2, tmp_path):
    """llama.cpp says what is wrong, or reads it."""
    data = bytearray(Path(smollm2).read_bytes())
    draw = random.Random(0)
    for at in range(5):
        broken = bytearray(data[:3_000_000])
        for _ in range(8):
            broken[draw.randrange(4, 1_500)] = draw.randrange(256)
        file = tmp_path / f"{at}.gguf"
        file.write_bytes(broken)
        with pytest.raises(hf.HFMagicsError):
            hf.load(str(file), engine="llamacpp")
    assert not session


def test_a_folder_with_a_gguf_file_is_found(llama_cpp, session, smollm2, tmp_path):
    """``--gguf`` names one of several, and a file that changed is no longer the same."""
    for name in ("a.gguf", "b.gguf"):
        shutil.copy(smollm2, tmp_path / name)
    with pytest.raises(hf.HFMagicsError, match=r"--gguf FILE takes one of"):
        hf.load(str(tmp_path), engine="llamacpp")
    words = {"engine": "llamacpp", "gguf": "b.gguf", "set": {"n_ctx": 256}}
    hf.load(str(tmp_path), name="b", **words)
    assert session["b"].origin.where.endswith("b.gguf")
    os.utime(tmp_path / "b.gguf", (1, 1))
    with pytest.raises(hf.HFMagicsError, match=r"its files have changed since"):
        hf.load(str(tmp_path), name="b", **words)
    hf.load(str(tmp_path), name="b", replace=True, **words)
    hf.drop("b")


def test_dropping_frees_the_memory(loaded, session, llama_cpp):
    """The weights are llama.cpp's own memory: it is given back although a result is shown."""
    loaded.run("r = %hf_generate --max-new-tokens 2 Hello!")
    writer = session["smol"].writer
    llama = writer.llama
    loaded.run("%hf_drop smol")
    assert writer.llama is None
    assert llama._model.model is None
    gc.collect()
    assert "Hello!" in repr(loaded.names["r"])


def test_the_model_of_an_entry_is_refused(loaded, session):
    """In Python too, in one line."""
    with pytest.raises(EngineError, match=r"smol runs in llama\.cpp"):
        _ = session["smol"].model
    assert repr(session["smol"]) == "<smol · llama.cpp llama: .writer>"


def test_a_missing_package_is_one_line(session, shell, smollm2, monkeypatch):
    """With the command that brings it."""
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    monkeypatch.delitem(sys.modules, "llama_cpp")
    monkeypatch.setattr(sys, "meta_path", [_Without("llama_cpp"), *sys.meta_path])
    shell.names["path"] = smollm2
    said = shell.error("%hf_load $path --engine llamacpp")
    assert said == "llama_cpp is not installed: pip install 'hf-magics[llamacpp]'"
    assert not session


class _Without:
    """Finds that a package is not there."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, name, path=None, target=None):
        if name == self._name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_a_real_interrupt_keeps_the_text(llama_cpp, smollm2):
    """SIGINT comes while llama.cpp computes; the result is there, and the next one is right."""
    code = f"""
import sys
import hf_magics as hf
hf.load({smollm2!r}, engine="llamacpp", name="smol", set={{"n_ctx": 2048}})
def told(piece):
    print("writing", file=sys.stderr, flush=True)
cut = hf.generate("Once upon a time", max_new_tokens=2000, set={{"repetition_penalty": 1.1}}, on_text=told)
print(len(cut.ids[0]), cut.page().notes[-1].text, flush=True)
first = hf.generate("Once upon a time", max_new_tokens=8).ids
hf.session["smol"].writer.llama.reset()
assert first == hf.generate("Once upon a time", max_new_tokens=8).ids
print("right")
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while child.stderr.readline() != "writing\n":
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=300)
    count, _, said = out.splitlines()[0].partition(" ")
    assert int(count) > 0
    assert "interrupted after" in said
    assert out.splitlines()[1] == "right"
    assert not err.replace("writing\n", "")


def test_a_kernel_sees_nothing_of_what_is_logged(llama_cpp, smollm2, tmp_path):
    """A cell gives its page and no stream."""
    with Kernel.started(tmp_path) as kernel:
        kernel.run("%load_ext hf_magics")
        kernel.run(f"path = {smollm2!r}")
        for cell in (LOAD.format("$path"), "%hf_generate --max-new-tokens 3 Hello!"):
            kinds = {kind for kind, _ in kernel.run(cell)}
            assert "execute_result" in kinds
            assert "stream" not in kinds
        assert "%hf_use smol" in kernel.offers("%hf_use sm")


@pytest.mark.slow
def test_torch_says_that_the_engine_exists(session, smollm2):
    """On the page of a GGUF file, as a hint."""
    result = hf.load(smollm2, name="torch")
    note = next(note for note in result.page().notes if "--engine llamacpp" in note.text)
    assert note.level == "info"
    assert notes(result)


def test_the_same_line_without_a_name_gives_the_same_model(llama_cpp, session, smollm2):
    """It was numbered: a second copy in memory."""
    first = hf.load(smollm2, engine="llamacpp", set={"n_ctx": 256})
    again = hf.load(smollm2, engine="llamacpp", set={"n_ctx": 256})
    assert first.name == again.name
    assert len(session) == 1

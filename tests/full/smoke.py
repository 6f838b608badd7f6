"""The main job in one shell, for any versions: ``python smoke.py FOLDER HUB_ID``, in an empty folder.

FOLDER holds the real MiniLM, HUB_ID is on the hub of HF_ENDPOINT. Prints the versions that it ran
with, as JSON. Knows neither pytest nor the tests: it runs where only the package is installed.
"""

import importlib.metadata
import json
import sys

from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

FOLDER, HUB_ID = sys.argv[1:]
PACKAGES = "hf-magics ipython traitlets torch transformers huggingface-hub safetensors tokenizers tabulate pygments markupsafe psutil pillow tqdm wcwidth numpy"
TINY = "bert hidden_size=32 num_hidden_layers=1 num_attention_heads=2 intermediate_size=64"
LONG = "lost words " * 400

ip = InteractiveShell.instance()
ip.history_manager.enabled = False  # no thread that writes to a file
ip.run_line_magic("colors", "nocolor")


def run(cell):
    """Run a cell that succeeds, render its value as a notebook would, and return it."""
    ran = ip.run_cell(cell, store_history=True)
    ran.raise_error()
    if ran.result is not None:
        rendered, _ = ip.display_formatter.format(ran.result)
        assert {"text/plain", "text/html"} <= set(rendered), f"{cell}: {set(rendered)}"
        assert "<table" in rendered["text/html"], cell
    return ran.result


def refused(cell):
    """Run a cell that fails with one line, and return the line."""
    error = ip.run_cell(cell, store_history=True).error_in_exec
    assert type(error) is UsageError, f"{cell}: {error!r}"
    assert "\n" not in str(error), error
    return str(error)


def tabbed(line):
    with provisionalcompleter():
        return [one.text for one in ip.Completer.completions(line, len(line))]


ip.run_line_magic("load_ext", "hf_magics")
assert "torch" not in sys.modules
assert "transformers" not in sys.modules
assert "--max-length" in tabbed("%hf_infer --max")
assert "modernbert" in tabbed("%hf_new moder")
ip.run_line_magic("config", "HFMagics.rows = 60")

# load, and the same model by transformers alone
run(f"%hf_load {FOLDER} -n mini")
run("import hf_magics as hf")
mini = ip.user_ns["hf"].session["mini"]
import torch  # noqa: E402 - after the lines that have to come without it
from transformers import AutoModel, AutoTokenizer  # noqa: E402

plain = AutoModel.from_pretrained(FOLDER).eval()
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
state = plain.state_dict()
assert type(mini.model) is type(plain)
assert all(torch.equal(state[name], one) for name, one in mini.model.state_dict().items())

# config
run("%hf_config mini")
run("%hf_config mini --vs bert")

# new, and what it refuses
run(f"%hf_new {TINY} -n tiny --seed 7 --tokenizer mini")
assert "hidden_sizes" in refused("%hf_new bert hidden_sizes=32")
assert "hidden_size" in refused("%hf_new bert hidden_size=100 num_attention_heads=12")
assert "hidden_size" in refused("%hf_new bert hidden_size=much")
assert "100000000" not in refused("%hf_new bert hidden_size=1200000 intermediate_size=9000000")
refused("%hf_load ./no-such-folder")
refused("%hf_infer -m nobody text")

# tokens, with a pair, and back
shown = run("%%hf_tokens -m mini\na first line\ta second one\nhello")
pairs = tokenizer(["a first line"], ["a second one"])["input_ids"]
assert shown.ids[0] == pairs[0], shown.ids
assert shown.ids[1] == tokenizer("hello")["input_ids"]
run("ids = [[101, 7592, 102]]")
run("%hf_tokens -m mini -i ids")
run("%%hf_tokens -m mini -m tiny\nside by side")

# infer: a pair and a text that is cut, against the plain two lines
out = run(f"%%hf_infer -m mini --task features\na first line\ta second one\n{LONG}")
assert "cut" in repr(out), repr(out)
batch = tokenizer(
    ["a first line", LONG.strip()],
    text_pair=["a second one", ""],
    padding=True,
    truncation=True,
    max_length=512,
    return_tensors="pt",
)
one = tokenizer("a first line", "a second one", return_tensors="pt")
with torch.inference_mode():
    want = plain(**one).last_hidden_state[0]
length = len(pairs[0])
got = out.outputs.last_hidden_state[0, :length]
assert torch.allclose(got, want, atol=1e-5), (got - want).abs().max()
assert out.outputs.last_hidden_state.shape[1] == batch["input_ids"].shape[1]
run("%%hf_infer -m tiny --set output_hidden_states=true -o kept\nhello")
assert len(ip.user_ns["kept"].outputs.hidden_states) == 2

# answers by head
SIZES = TINY.removeprefix("bert ")
vectors = run("%%hf_infer -m mini -o vectors\na cat\na kitten").embeddings
assert vectors.shape == (2, 384)
for task in ("text-classification", "token-classification", "question-answering"):
    run(f"%hf_new bert {SIZES} --task {task} -n head --tokenizer mini --replace")
    run(
        "%hf_infer -m head where is it\tit is here"
        if "question" in task
        else "%hf_infer -m head hi"
    )
run(f"%hf_new bert {SIZES} --task fill-mask -n head --tokenizer mini --replace")
assert len(run("%hf_infer -m head a [MASK] day").values) == 1
assert "[MASK]" in refused("%hf_infer -m head a day")
T5 = "d_model=16 d_ff=16 num_layers=1 num_heads=2 d_kv=8 vocab_size=30522"
run(f"%hf_new t5 {T5} --task text2text-generation -n head --tokenizer mini --replace")
run("%hf_infer -m head --max-new-tokens 3 hello")

# text as it is written, against the plain call
run(
    "%hf_new gpt2 n_embd=32 n_layer=1 n_head=2 n_positions=64 vocab_size=30522 bos_token_id=101 "
    "eos_token_id=102 --task text-generation -n writer --tokenizer mini --seed 0"
)
writer = ip.user_ns["hf"].session["writer"]
written = run("%hf_generate -m writer --max-new-tokens 4 -o written hello")
prompt = writer.tokenizer("hello", return_tensors="pt").input_ids
expected = writer.model.generate(prompt, max_new_tokens=4, do_sample=False, pad_token_id=0)
assert written.ids == [expected[0, prompt.shape[1] :].tolist()]
run("%hf_generate -m writer --max-new-tokens 4 --temperature 1 --seed 1 hello")
run("%%hf_generate -m writer --max-new-tokens 4 --beams 2\nhello\nhello again")
writer.tokenizer.chat_template = "{% for one in messages %}{{ one.content }} {% endfor %}"
run("%hf_chat -m writer --max-new-tokens 4 hello")
assert run("%hf_chat -m writer --max-new-tokens 4 again").read.reused

# save, overwrite, load back
run("%hf_save tiny saved")
assert "--overwrite" in refused("%hf_save mini saved")
run("%hf_save tiny saved --overwrite")
run("%hf_load saved -n back")
run("a, b = (hf.session[n].model.state_dict() for n in ('tiny', 'back'))")
first, second = ip.user_ns["a"], ip.user_ns["b"]
assert first.keys() == second.keys()
assert all(torch.equal(first[name], second[name]) for name in first)

# a hub id: over HTTP, then from the cache; an unknown one
run(f"%hf_load {HUB_ID} -n hub")
run(f"%hf_load {HUB_ID} -n cached --offline")
assert "org/nowhere" in refused("%hf_load org/nowhere")

# the rest
run("%hf_use tiny --dtype bfloat16")
run("%hf_models")
run("%hf")
run("%hf_drop mini tiny head writer")
assert list(hf_session := ip.user_ns["hf"].session) == ["back", "hub", "cached"], list(hf_session)
run("%hf_drop --all")
run("%unload_ext hf_magics")

print(json.dumps({name: importlib.metadata.version(name) for name in PACKAGES.split()}))

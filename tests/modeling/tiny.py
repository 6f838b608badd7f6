"""Tiny models and how they are compared: bit by bit, and with plain transformers."""

import json
import subprocess
import sys
from pathlib import Path

import torch
from transformers import BertConfig, BertForMaskedLM

BERT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 100,
}
BERT_LINE = " ".join(f"{name}={value}" for name, value in BERT.items())
DECODER = BERT | {"num_key_value_heads": 1, "num_hidden_layers": 1}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "fox", "##es", "jump"]
CHILD = """
import json, sys
import torch
scripts, folder = json.loads(sys.argv[1]), sys.argv[2]
for name, script in scripts.items():
    made = {}
    exec(script, made)
    assert not made["model"].training, name
    torch.save(made["model"].state_dict(), f"{folder}/{name}.pt")
assert not any(name.startswith("hf_magics") for name in sys.modules)
"""


def bits(tensor: torch.Tensor) -> tuple:
    """A tensor as something that `==` compares bit by bit: NaN equals NaN, -0.0 is not 0.0."""
    raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return tensor.dtype, tuple(tensor.shape), raw.numpy().tobytes()


def state_of(model) -> dict:
    return {name: bits(tensor) for name, tensor in model.state_dict().items()}


def same(one, other) -> bool:
    """Whether two models are of one class and have the same weights, bit by bit."""
    return type(one) is type(other) and state_of(one) == state_of(other)


def states_of_scripts(scripts: dict[str, str], folder: Path) -> dict[str, dict]:
    """Run each script in a fresh process that has no hf_magics, and return the model's weights."""
    command = [sys.executable, "-c", CHILD, json.dumps(scripts), str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: torch.load(folder / f"{name}.pt") for name in scripts}


def bert_folder(folder: Path, model_class=BertForMaskedLM, **sizes) -> Path:
    """Save a tiny BERT as plain transformers does, without a tokenizer."""
    torch.manual_seed(0)
    model_class(BertConfig(**(BERT | sizes))).save_pretrained(folder)
    return folder


def note_texts(result) -> str:
    return " | ".join(note.text for note in result.page().notes)


def vocabulary(folder: Path, words=WORDS) -> Path:
    path = folder / "vocab.txt"
    path.write_text("\n".join(words) + "\n", encoding="utf-8")
    return path

"""Checkpoints that something is wrong with: each a change to a sound one, and what it is called.

``REFUSED`` are those that no model comes of; a change returns the name of the file that the line
has to name. ``FLAGGED`` load, with weights that the page has to say something of.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "fox", "##es", "jump"]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": len(WORDS),
    "max_position_embeddings": 16,
}
WEIGHTS = "model.safetensors"
Change = Callable[[Path], str]


def sound(folder: Path) -> Path:
    """A tiny BERT with a tokenizer, to which nothing was done."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    BertForMaskedLM(BertConfig(**SIZES)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def parts(path: Path) -> tuple[dict[str, Any], bytes]:
    """The header of a safetensors file, and its data."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def packed(header: object, data: bytes, length: int | None = None) -> bytes:
    """A safetensors file of a header, or of bytes in its place; its length may be a lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _written(name: str, content: bytes | str) -> Change:
    def change(folder: Path) -> str:
        raw = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(raw)
        return name

    return change


def _header(edit: Callable[[dict[str, Any]], object]) -> Change:
    """Edit the header; what the edit returns takes its place, where it is anything."""

    def change(folder: Path) -> str:
        header, data = parts(folder / WEIGHTS)
        made = edit(header)
        (folder / WEIGHTS).write_bytes(packed(header if made is None else made, data))
        return WEIGHTS

    return change


def _cut(at: float) -> Change:
    """Cut the weights off: at a byte, from the end where it is negative, or at a share."""

    def change(folder: Path) -> str:
        raw = (folder / WEIGHTS).read_bytes()
        end = int(at) if at == int(at) else int(len(raw) * at)
        (folder / WEIGHTS).write_bytes(raw[:end])
        return WEIGHTS

    return change


def _length(number: int) -> Change:
    def change(folder: Path) -> str:
        raw = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", number) + raw[8:])
        return WEIGHTS

    return change


def _one(header: dict[str, Any]) -> dict[str, Any]:
    """The entry of a matrix that is not square."""
    return header["bert.encoder.layer.0.intermediate.dense.weight"]


def _set(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda header: _one(header).update(values)


def _offsets(edit: Callable[[int, int], list[int]]) -> Callable[[dict[str, Any]], None]:
    return lambda header: _one(header).update(data_offsets=edit(*_one(header)["data_offsets"]))


def _config(**values: object) -> Change:
    def change(folder: Path) -> str:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
        return "config.json"

    return change


def _sharded(edit: Callable[[Path, dict[str, Any]], object]) -> Change:
    """Part the weights in two, and edit their index; what the edit returns is written instead."""

    def change(folder: Path) -> str:
        state = load_file(folder / WEIGHTS)
        (folder / WEIGHTS).unlink()
        names = sorted(state)
        halves = [names[::2], names[1::2]]
        files = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
        for file, half in zip(files, halves, strict=True):
            save_file({name: state[name] for name in half}, folder / file, {"format": "pt"})
        of = {name: file for file, half in zip(files, halves, strict=True) for name in half}
        index: dict[str, Any] = {"metadata": {"total_size": 1}, "weight_map": of}
        made = edit(folder, index)
        path = folder / "model.safetensors.index.json"
        path.write_bytes(made if isinstance(made, bytes) else json.dumps(index).encode())
        return path.name

    return change


def _shard_gone(folder: Path, _: object) -> None:
    (folder / "model-00002-of-00002.safetensors").unlink()


def _shard_cut(folder: Path, _: object) -> None:
    path = folder / "model-00002-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-20])


def _elsewhere(where: str) -> Callable[[Path, dict[str, Any]], None]:
    def edit(folder: Path, index: dict[str, Any]) -> None:
        target = where.replace("ABSOLUTE", str(folder.parent / "outside" / "secret.safetensors"))
        of = index["weight_map"]
        of.update({name: target for name in of if of[name].startswith("model-00002")})

    return edit


class Evil:
    """What makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.path}'",)


def _pickled(make: Callable[[Path], bytes]) -> Change:
    def change(folder: Path) -> str:
        (folder / WEIGHTS).unlink()
        (folder / "pytorch_model.bin").write_bytes(make(folder.parent / "ran"))
        return "pytorch_model.bin"

    return change


def _bare(ran: Path) -> bytes:
    return pickle.dumps({"weight": Evil(ran)})


def _zipped(ran: Path) -> bytes:
    path = ran.with_name("made.bin")
    torch.save({"weight": Evil(ran)}, path)
    return path.read_bytes()


def _cut_zip(ran: Path) -> bytes:
    path = ran.with_name("made.bin")
    torch.save({"weight": torch.zeros(100)}, path)
    return path.read_bytes()[:-200]


def _empty_zip(ran: Path) -> bytes:
    path = ran.with_name("made.bin")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"")
    return path.read_bytes()


def _named(said: str, change: Change) -> Change:
    """Make a change of which the line says something else than the name of a file."""

    def change_and_say(folder: Path) -> str:
        change(folder)
        return said

    return change_and_say


_HTML = "<!DOCTYPE html><html><body>401 Unauthorized</body></html>"
_POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 90868376\n"
)

REFUSED: dict[str, Change] = {
    **{f"weights cut at {at}": _cut(at) for at in (0, 1, 7, 8, 9, 100, 0.3, 0.5, 0.9, -1)},
    **{
        f"a header of {number:,} bytes": _length(number)
        for number in (0, 1, 2, 1_000, 10_000_000, 2**31, 2**40, 2**63 - 1, 2**64 - 1)
    },
    "weights are HTML": _written(WEIGHTS, _HTML),
    "weights are an LFS pointer": _written(WEIGHTS, _POINTER),
    "weights are packed": lambda folder: _written(
        WEIGHTS, gzip.compress((folder / WEIGHTS).read_bytes())
    )(folder),
    "weights are zeros": _written(WEIGHTS, bytes(4_096)),
    "weights are noise": _written(WEIGHTS, bytes(range(256)) * 16),
    "the header is a list": _header(lambda _: []),
    "the header is no JSON": _header(lambda _: b"{not json}"),
    "the header is no UTF-8": _header(lambda _: b'{"\xff\xfe": 1}'),
    "the header is deep": _header(lambda _: b'{"a":' * 50_000),
    "a tensor is a number": _header(lambda header: header.update(weight=3)),
    "a tensor has no dtype": _header(lambda header: _one(header).pop("dtype") and None),
    "a tensor has no shape": _header(lambda header: _one(header).pop("shape") and None),
    "a dtype that is none": _header(_set(dtype="F99")),
    "a dtype of half the size": _header(_set(dtype="F16")),
    "a shape that is larger": _header(_set(shape=[64, 16])),
    "a shape that is negative": _header(_set(shape=[-32, -16])),
    "a shape without end": _header(_set(shape=[2**62, 2**62])),
    "a shape of words": _header(_set(shape=["a", "b"])),
    "offsets that overlap": _header(_offsets(lambda begin, end: [begin - 64, end - 64])),
    "offsets below zero": _header(_offsets(lambda begin, end: [begin - 2**20, end - 2**20])),
    "offsets turned around": _header(_offsets(lambda begin, end: [end, begin])),
    "offsets past the end": _header(_offsets(lambda begin, end: [begin + 2**40, end + 2**40])),
    "a shard is missing": _sharded(_shard_gone),
    "a shard is cut off": _named("model-00002-of-00002.safetensors", _sharded(_shard_cut)),
    "the index is empty": _sharded(lambda *_: b""),
    "the index is a list": _sharded(lambda *_: b"[1, 2]"),
    "the index has no map": _sharded(lambda _, index: index.pop("weight_map") and None),
    "the index maps to numbers": _sharded(
        lambda _, index: index.update(weight_map=dict.fromkeys(index["weight_map"], 3))
    ),
    "the index points above": _sharded(_elsewhere("../outside/secret.safetensors")),
    "the index points anywhere": _sharded(_elsewhere("ABSOLUTE")),
    "a pickle with code": _pickled(_bare),
    "a pickle with code, zipped": _pickled(_zipped),
    "a pickle that is cut off": _pickled(_cut_zip),
    "a pickle that is empty": _pickled(lambda _: b""),
    "a pickle of nothing": _pickled(_empty_zip),
    "a pickle is HTML": _pickled(lambda _: _HTML.encode()),
    "a pickle is an LFS pointer": _pickled(lambda _: _POINTER.encode()),
    "the config is empty": _written("config.json", ""),
    "the config is a list": _written("config.json", "[]"),
    "the config is null": _written("config.json", "null"),
    "the config is a number": _written("config.json", "3"),
    "the config is cut off": _written("config.json", '{"model_type": "bert", "hidden_si'),
    "the config is HTML": _written("config.json", _HTML),
    "the config is no UTF-8": _written("config.json", b'{"model_type": "b\xff"}'),
    "the config is deep": _written("config.json", '{"a":' * 100_000),
    "the config says nothing": _written("config.json", "{}"),
    "the type is a number": _config(model_type=3),
    "the type is a path": _config(model_type="../../outside"),
    "the type is unknown": _config(model_type="no_such_model"),
    "a size is negative": _config(hidden_size=-16),
    "a size is nothing": _config(hidden_size=0),
    "a size is a word": _config(hidden_size="sixteen"),
    "a size is null": _config(hidden_size=None),
    "a size is a fraction": _config(hidden_size=16.5),
    "a size is without end": _named("needs 36,000.0 PB", _config(hidden_size=10**9)),
    "a number of heads that is nothing": _config(num_attention_heads=0),
    "a number of heads that does not fit": _config(num_attention_heads=3),
    "a number of layers without end": _config(num_hidden_layers=10**9),
    "labels without end": _config(num_labels=10**9),
    "a vocabulary without end": _named("needs 68.0 PB", _config(vocab_size=10**15)),
    "a vocabulary that is negative": _config(vocab_size=-9),
    "an activation that is none": _config(hidden_act="__import__('os').system"),
    "labels that are a list": _config(id2label=["a", "b"]),
    "a dtype that is code": _config(dtype="__import__"),
    "quantised by nothing": _config(quantization_config=3),
    "code of its own": _named(
        "--trust-remote-code", _config(auto_map={"AutoConfig": "evil.Config"}, model_type="evil")
    ),
    "the tokenizer is empty": _written("tokenizer.json", ""),
    "the tokenizer is cut off": _written("tokenizer.json", '{"version": "1.0", "trunc'),
    "the tokenizer is a list": _written("tokenizer.json", "[]"),
    "the tokenizer's settings are a list": _written("tokenizer_config.json", "[]"),
    "the tokenizer's settings are cut off": _written("tokenizer_config.json", '{"a": '),
}


def _state(edit: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    def change(folder: Path) -> str:
        state = load_file(folder / WEIGHTS)
        said = str(edit(state))
        save_file(state, folder / WEIGHTS, {"format": "pt"})
        return said

    return change


_LAYER = "bert.encoder.layer.1."


def _without_layer(state: dict[str, torch.Tensor]) -> str:
    for name in [name for name in state if name.startswith(_LAYER)]:
        del state[name]
    return "encoder.layer.1"


def _renamed(state: dict[str, torch.Tensor]) -> str:
    state[f"{_LAYER}output.dense.renamed_weight"] = state.pop(f"{_LAYER}output.dense.weight")
    return "output.dense.weight"


def _with(value: float) -> Callable[[dict[str, torch.Tensor]], str]:
    def edit(state: dict[str, torch.Tensor]) -> str:
        state[f"{_LAYER}output.dense.weight"][3, 3] = value
        return "output.dense.weight"

    return edit


FLAGGED: dict[str, Change] = {
    "a layer is missing": _state(_without_layer),
    "a key is renamed": _state(_renamed),
    "a weight is NaN": _state(_with(float("nan"))),
    "a weight is infinite": _state(_with(float("inf"))),
    "a shape is turned": _named("intermediate.dense.weight", _header(_set(shape=[16, 32]))),
    "quantised by nobody": _named(
        "got nobody", _config(quantization_config={"quant_method": "nobody"})
    ),
}


def outside(folder: Path) -> Path:
    """A file beside the checkpoint, which nothing in it may reach."""
    place = folder.parent / "outside"
    place.mkdir()
    save_file({"secret": torch.ones(4)}, place / "secret.safetensors", {"format": "pt"})
    return place

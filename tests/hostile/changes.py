"""A sound checkpoint, and what can be done to one: each change returns what a line of it has to name."""

from __future__ import annotations

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


def written(name: str, content: bytes | str) -> Change:
    def change(folder: Path) -> str:
        raw = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(raw)
        return name

    return change


def header(edit: Callable[[dict[str, Any]], object]) -> Change:
    """Edit the header; what the edit returns takes its place, where it is anything."""

    def change(folder: Path) -> str:
        header, data = parts(folder / WEIGHTS)
        made = edit(header)
        (folder / WEIGHTS).write_bytes(packed(header if made is None else made, data))
        return WEIGHTS

    return change


def cut(at: float) -> Change:
    """Cut the weights off: at a byte, from the end where it is negative, or at a share."""

    def change(folder: Path) -> str:
        raw = (folder / WEIGHTS).read_bytes()
        end = int(at) if at == int(at) else int(len(raw) * at)
        (folder / WEIGHTS).write_bytes(raw[:end])
        return WEIGHTS

    return change


def length(number: int) -> Change:
    def change(folder: Path) -> str:
        raw = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", number) + raw[8:])
        return WEIGHTS

    return change


def one(header: dict[str, Any]) -> dict[str, Any]:
    """The entry of a matrix that is not square."""
    return header["bert.encoder.layer.0.intermediate.dense.weight"]


def with_values(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda header: one(header).update(values)


def offsets(edit: Callable[[int, int], list[int]]) -> Callable[[dict[str, Any]], None]:
    return lambda header: one(header).update(data_offsets=edit(*one(header)["data_offsets"]))


def config(**values: object) -> Change:
    return settings("config.json", "config.json", **values)


def settings(name: str, said: str, **values: object) -> Change:
    """Set fields of a JSON file, which is made where there is none."""

    def change(folder: Path) -> str:
        path = folder / name
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**before, **values}))
        return said

    return change


def sharded(edit: Callable[[Path, dict[str, Any]], object]) -> Change:
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


def shard_gone(folder: Path, _: object) -> None:
    (folder / "model-00002-of-00002.safetensors").unlink()


def shard_cut(folder: Path, _: object) -> None:
    path = folder / "model-00002-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-20])


def elsewhere(where: str) -> Callable[[Path, dict[str, Any]], None]:
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


def pickled(make: Callable[[Path], bytes]) -> Change:
    def change(folder: Path) -> str:
        (folder / WEIGHTS).unlink()
        (folder / "pytorch_model.bin").write_bytes(make(folder.parent / "ran"))
        return "pytorch_model.bin"

    return change


def bare(ran: Path) -> bytes:
    return pickle.dumps({"weight": Evil(ran)})


def zipped(ran: Path) -> bytes:
    path = ran.with_name("made.bin")
    torch.save({"weight": Evil(ran)}, path)
    return path.read_bytes()


def cut_zip(ran: Path) -> bytes:
    path = ran.with_name("made.bin")
    torch.save({"weight": torch.zeros(100)}, path)
    return path.read_bytes()[:-200]


def empty_zip(ran: Path) -> bytes:
    path = ran.with_name("made.bin")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"")
    return path.read_bytes()


def named(said: str, change: Change) -> Change:
    """Make a change of which the line says something else than the name of a file."""

    def change_and_say(folder: Path) -> str:
        change(folder)
        return said

    return change_and_say


HTML = "<!DOCTYPE html><html><body>401 Unauthorized</body></html>"
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 90868376\n"
)


def state(edit: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    def change(folder: Path) -> str:
        state = load_file(folder / WEIGHTS)
        said = str(edit(state))
        save_file(state, folder / WEIGHTS, {"format": "pt"})
        return said

    return change


LAYER = "bert.encoder.layer.1."


def without_layer(state: dict[str, torch.Tensor]) -> str:
    for name in [name for name in state if name.startswith(LAYER)]:
        del state[name]
    return "encoder.layer.1"


def renamed(state: dict[str, torch.Tensor]) -> str:
    state[f"{LAYER}output.dense.renamed_weight"] = state.pop(f"{LAYER}output.dense.weight")
    return "output.dense.weight"


def with_weight(value: float) -> Callable[[dict[str, torch.Tensor]], str]:
    def edit(state: dict[str, torch.Tensor]) -> str:
        state[f"{LAYER}output.dense.weight"][3, 3] = value
        return "output.dense.weight"

    return edit


def outside(folder: Path) -> Path:
    """A file beside the checkpoint, which nothing in it may reach."""
    place = folder.parent / "outside"
    place.mkdir()
    save_file({"secret": torch.ones(4)}, place / "secret.safetensors", {"format": "pt"})
    return place

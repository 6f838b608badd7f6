"""Checkpoints that something is wrong with: each a change to a sound one, and what it is called.

``REFUSED`` are those that no model comes of; a change returns the name of the file that the line
has to name. ``FLAGGED`` load, and the page has to say something of them.
"""

from __future__ import annotations

import gzip

from tests.hostile.changes import (
    HTML,
    POINTER,
    WEIGHTS,
    Change,
    bare,
    config,
    cut,
    cut_zip,
    elsewhere,
    empty_zip,
    header,
    length,
    named,
    offsets,
    one,
    pickled,
    renamed,
    shard_cut,
    shard_gone,
    sharded,
    state,
    with_values,
    with_weight,
    without_layer,
    written,
    zipped,
)
from tests.hostile.tokenizers import TOKENIZERS

REFUSED: dict[str, Change] = {
    **{f"weights cut at {at}": cut(at) for at in (0, 1, 7, 8, 9, 100, 0.3, 0.5, 0.9, -1)},
    **{
        f"a header of {number:,} bytes": length(number)
        for number in (0, 1, 2, 1_000, 10_000_000, 2**31, 2**40, 2**63 - 1, 2**64 - 1)
    },
    "weights are HTML": written(WEIGHTS, HTML),
    "weights are an LFS pointer": written(WEIGHTS, POINTER),
    "weights are packed": lambda folder: written(
        WEIGHTS, gzip.compress((folder / WEIGHTS).read_bytes())
    )(folder),
    "weights are zeros": written(WEIGHTS, bytes(4_096)),
    "weights are noise": written(WEIGHTS, bytes(range(256)) * 16),
    "the header is a list": header(lambda _: []),
    "the header is no JSON": header(lambda _: b"{not json}"),
    "the header is no UTF-8": header(lambda _: b'{"\xff\xfe": 1}'),
    "the header is deep": header(lambda _: b'{"a":' * 50_000),
    "a tensor is a number": header(lambda header: header.update(weight=3)),
    "a tensor has no dtype": header(lambda header: one(header).pop("dtype") and None),
    "a tensor has no shape": header(lambda header: one(header).pop("shape") and None),
    "a dtype that is none": header(with_values(dtype="F99")),
    "a dtype of half the size": header(with_values(dtype="F16")),
    "a shape that is larger": header(with_values(shape=[64, 16])),
    "a shape that is negative": header(with_values(shape=[-32, -16])),
    "a shape without end": header(with_values(shape=[2**62, 2**62])),
    "a shape of words": header(with_values(shape=["a", "b"])),
    "offsets that overlap": header(offsets(lambda begin, end: [begin - 64, end - 64])),
    "offsets below zero": header(offsets(lambda begin, end: [begin - 2**20, end - 2**20])),
    "offsets turned around": header(offsets(lambda begin, end: [end, begin])),
    "offsets past the end": header(offsets(lambda begin, end: [begin + 2**40, end + 2**40])),
    "a shard is missing": sharded(shard_gone),
    "a shard is cut off": named("model-00002-of-00002.safetensors", sharded(shard_cut)),
    "the index is empty": sharded(lambda *_: b""),
    "the index is a list": sharded(lambda *_: b"[1, 2]"),
    "the index has no map": sharded(lambda _, index: index.pop("weight_map") and None),
    "the index maps to numbers": sharded(
        lambda _, index: index.update(weight_map=dict.fromkeys(index["weight_map"], 3))
    ),
    "the index points above": sharded(elsewhere("../outside/secret.safetensors")),
    "the index points anywhere": sharded(elsewhere("ABSOLUTE")),
    "a pickle with code": pickled(bare),
    "a pickle with code, zipped": pickled(zipped),
    "a pickle that is cut off": pickled(cut_zip),
    "a pickle that is empty": pickled(lambda _: b""),
    "a pickle of nothing": pickled(empty_zip),
    "a pickle is HTML": pickled(lambda _: HTML.encode()),
    "a pickle is an LFS pointer": pickled(lambda _: POINTER.encode()),
    "the config is empty": written("config.json", ""),
    "the config is a list": written("config.json", "[]"),
    "the config is null": written("config.json", "null"),
    "the config is a number": written("config.json", "3"),
    "the config is cut off": written("config.json", '{"model_type": "bert", "hidden_si'),
    "the config is HTML": written("config.json", HTML),
    "the config is no UTF-8": written("config.json", b'{"model_type": "b\xff"}'),
    "the config is deep": written("config.json", '{"a":' * 100_000),
    "the config says nothing": written("config.json", "{}"),
    "the type is a number": config(model_type=3),
    "the type is a path": config(model_type="../../outside"),
    "the type is unknown": config(model_type="no_such_model"),
    "a size is negative": config(hidden_size=-16),
    "a size is nothing": config(hidden_size=0),
    "a size is a word": config(hidden_size="sixteen"),
    "a size is null": config(hidden_size=None),
    "a size is a fraction": config(hidden_size=16.5),
    "a size is without end": named("needs 36,000.0 PB", config(hidden_size=10**9)),
    "a number of heads that is nothing": config(num_attention_heads=0),
    "a number of heads that does not fit": config(num_attention_heads=3),
    "a number of layers without end": config(num_hidden_layers=10**9),
    "labels without end": config(num_labels=10**9),
    "a vocabulary without end": named("needs 68.0 PB", config(vocab_size=10**15)),
    "a vocabulary that is negative": config(vocab_size=-9),
    "an activation that is none": config(hidden_act="__import__('os').system"),
    "labels that are a list": config(id2label=["a", "b"]),
    "a dtype that is code": config(dtype="__import__"),
    "quantised by nothing": config(quantization_config=3),
    "code of its own": named(
        "--trust-remote-code", config(auto_map={"AutoConfig": "evil.Config"}, model_type="evil")
    ),
    "the tokenizer is empty": written("tokenizer.json", ""),
    "the tokenizer is cut off": written("tokenizer.json", '{"version": "1.0", "trunc'),
    "the tokenizer is a list": written("tokenizer.json", "[]"),
    "the tokenizer's settings are a list": written("tokenizer_config.json", "[]"),
    "the tokenizer's settings are cut off": written("tokenizer_config.json", '{"a": '),
    **TOKENIZERS,
}

FLAGGED: dict[str, Change] = {
    "a layer is missing": state(without_layer),
    "a key is renamed": state(renamed),
    "a weight is NaN": state(with_weight(float("nan"))),
    "a weight is infinite": state(with_weight(float("inf"))),
    "a shape is turned": named("intermediate.dense.weight", header(with_values(shape=[16, 32]))),
    "quantised by nobody": named(
        "got nobody", config(quantization_config={"quant_method": "nobody"})
    ),
}

"""A cell for every magic and every task of text, each on what a stranger gave."""

from __future__ import annotations

import os
from typing import Any

from PIL import Image

from tests.hostile.strangers import PARTING, SPECIAL, TEXT
from tests.hostile.texts import ALL, CONTROLS, DIRECTIONS, FORMULAS, LONG, MARKUP, SPOKEN, SURROGATE

LINE = PARTING.join(one for one in SPOKEN if one.isprintable())
MASKED = PARTING.join((*MARKUP, SPECIAL["mask_token"]))

LOADS = (
    '%hf_load "$at_sorter"',
    '%hf_load "$at_tagger" -n tagger',
    '%hf_load "$at_filler" -n filler',
    '%hf_load "$at_finder" -n finder',
    '%hf_load "$at_chooser" -n chooser',
    '%hf_load "$at_follower" -n follower',
    '%hf_load "$at_judge" -n judge',
    '%hf_load "$at_embedder" -n embedder',
    '%hf_load "$at_writer" -n writer',
    '%hf_load "$at_translator" -n translator',
    '%hf_load "$at_seer" -n seer',
)
CELLS = (
    "%hf",
    '%hf_new bert hidden_size=16 num_attention_heads=2 --tokenizer "$at_sorter" -n made',
    *LOADS,
    '%hf_load "$at_fuller" -n fuller',
    '%hf_load "$at_quantised" -n quantised',
    '%hf_load "$at_built" -n built',
    '%hf_load "$at_embedder" --task text-classification num_labels=3 -n partly',
    "%hf_models",
    "%hf_use sorter",
    "%hf_config sorter",
    "%hf_config sorter --all",
    '%hf_config "$at_tagger" --vs writer',
    "%hf_layers sorter",
    "%hf_layers sorter -i texts",
    "%hf_tokens -m sorter -i texts",
    "%hf_tokens -m sorter -m writer -i texts",
    "%hf_tokens -m sorter -i ids",
    f"%%hf_tokens -m sorter\n{LINE}",
    "%hf_infer -m sorter -i texts",
    f"%%hf_infer -m sorter\n{LINE}\n{LINE}\t{LINE}",
    "%hf_infer -m sorter --task features -i texts",
    "%hf_infer -m sorter --capture ** -i texts",
    "%hf_infer -m tagger -i texts",
    f"%hf_infer -m filler {MASKED}",
    "%hf_infer -m finder -i questions --context context",
    "%hf_infer -m chooser -i choices",
    "%hf_infer -m follower -i pairs",
    "%hf_infer -m judge --task zero-shot-classification --labels labels -i texts",
    "%hf_infer -m embedder --task embed -i pieces",
    "%hf_infer -m writer -i texts",
    "%hf_infer -m translator --task text2text-generation --max-new-tokens 8 -i texts",
    "%hf_infer -m translator --task translation --max-new-tokens 8 -i texts",
    "%hf_infer -m translator --task summarization --max-new-tokens 8 -i texts",
    "%hf_infer -m seer -i picture",
    "%hf_generate -m writer --max-new-tokens 20 --temperature 2.0 --seed 0 -i texts",
    f"%hf_chat -m writer --max-new-tokens 4 --show-prompt {LINE}",
    "%hf_chat -m writer",
    "%hf_map column -m sorter",
    "%hf_map pieces -m embedder --task embed",
    '%hf_map "$table" --column "$heading" -m sorter --to "$answers"',
    "%hf_attention -m sorter -i texts",
    "%hf_attention -m sorter --layer 0 --head 0 -i texts",
    "%hf_lens -m writer --hidden -i texts",
    "%hf_score -m writer -i texts",
    "%hf_score -m filler -i texts",
    "%hf_compare sorter tagger",
    "%hf_compare sorter tagger -i texts",
    '%hf_save sorter "$saved"',
    '%hf_load "$saved" -n again',
    "%hf_code sorter",
    '%hf_code --all --to "$script"',
    '%hf_code --all --notebook "$book"',
    "%hf_explain",
    "%hf",
    "%hf_drop again tagger",
)


# each is a line, and no model is there, or gone, because of it
FAILING = (
    '%hf_use "$odd"',
    '%hf_drop "$odd"',
    '%hf_config "$odd"',
    '%hf_load "$odd"',
    '%hf_load "$long"',
    '%hf_load "$at_typed"',
    '%hf_load "$at_active"',
    '%hf_load "$at_sized"',
    '%hf_load "$at_sorter" --dtype "$odd"',
    '%hf_load "$at_sorter" --attn "$odd"',
    '%hf_load "$at_sorter" --gguf "$odd"',
    '%hf_load "$at_sorter" --set "$odd=3"',
    '%hf_load "$at_sorter" --endpoint "$odd"',
    '%hf_load "$no_utf_8"',
    '%hf_new "$odd"',
    '%hf_new bert "$odd"',
    '%hf_new bert "$odd=3"',
    '%hf_new bert -n "$odd"',
    '%hf_new bert --tokenizer "$odd"',
    '%hf_layers "$odd"',
    "%hf_tokens -m sorter -i halves",
    '%hf_infer -m "$odd" x',
    '%hf_infer -m sorter --task "$odd" x',
    '%hf_infer -m sorter --capture "$odd" x',
    '%hf_infer -m sorter -o "$odd" x',
    "%hf_generate -m writer -i halves",
    '%hf_chat -m writer --system "$odd" x',
    '%hf_map "$odd" -m sorter',
    '%hf_map "$table" --column "$odd" -m sorter',
    '%hf_map texts -m sorter --to "$odd.csv"',
    '%hf_attention -m sorter --layer "$odd" x',
    '%hf_lens -m writer --target "$odd" x',
    '%hf_score -m "$odd" x',
    '%hf_compare sorter "$odd"',
    '%hf_save sorter "$odd"',
    '%hf_save sorter "$table"',
    '%hf_code "$odd"',
    '%hf_code --to "$table"',
    '%hf_explain --to "$long.py"',
)


def names(place: Any, where: dict[str, str]) -> dict[str, Any]:
    """The variables that the cells name."""
    heading = MARKUP[1] + "\x1b[31m"
    table = place / f"table {MARKUP[1].replace('/', '')}.csv"
    table.write_text("".join(f'"{one.replace(chr(34), chr(34) * 2)}"\n' for one in (heading, TEXT)))
    picture = place / "picture <b onclick=alert(19)>\x1b[37m\u202e$u$.png"
    Image.new("RGB", (8, 8)).save(picture)
    return {
        **{f"at_{name}": path for name, path in where.items()},
        "texts": [TEXT],
        "pieces": list(SPOKEN),
        "labels": list(SPOKEN),
        "ids": [list(range(20))],
        "questions": [TEXT[:200]],
        "context": TEXT,
        "choices": ["\t".join((TEXT[:200], *SPOKEN[:3]))],
        "pairs": [(TEXT[:200], TEXT[200:400])],
        "halves": [SURROGATE],
        "odd": "".join((*MARKUP, *FORMULAS, *CONTROLS, *DIRECTIONS, SURROGATE)).replace("\0", ""),
        "long": LONG,
        "no_utf_8": os.fsdecode(os.fsencode(place) + b"/\xff\x9b31m"),
        "picture": str(picture),
        "book": str(place / "book <b onclick=alert(18)>\x1b[36m$t$.ipynb"),
        "column": [*ALL, None, 3, ""],
        "table": str(table),
        "heading": heading,
        "answers": str(place / "answers <b onclick=alert(15)>\u202e.jsonl"),
        "saved": str(place / "saved <b onclick=alert(16)>\x1b[35m\u202e$s$"),
        "script": str(place / "script <b onclick=alert(17)>\x1b[36m\u200b.py"),
    }

"""Adapters for tests: made with peft, never trained, every weight random and none of them 0."""

from __future__ import annotations

import copy
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import peft
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel

from tests.modeling.tiny import BERT

IDS = torch.tensor([[5, 6, 7, 8]])
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 100, "n_positions": 64}


def sorter_folder(folder: Path, **more: Any) -> Path:
    """Save a tiny BERT with a head of three labels."""
    torch.manual_seed(0)
    sizes = BERT | {"num_labels": 3} | more
    BertForSequenceClassification(BertConfig(**sizes)).save_pretrained(folder)
    return folder


def writer_folder(folder: Path, **more: Any) -> Path:
    """Save a tiny GPT-2 that writes."""
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config(**(GPT2 | more))).save_pretrained(folder)
    return folder


def adapter_folder(
    folder: Path, model: Any, config: Any = None, *, embeddings: bool = False, **settings: Any
) -> Path:
    """Save an adapter for a model, which stays as it is."""
    given = {"r": 4, "lora_alpha": 8, "target_modules": ["query", "value"]} | settings
    with warnings.catch_warnings(action="ignore"):
        made = peft.get_peft_model(copy.deepcopy(model), config or peft.LoraConfig(**given))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, one in made.named_parameters():
            if one.requires_grad:
                one.copy_(torch.randn(one.shape) * 0.3 + ("ia3" in name))
    with warnings.catch_warnings(action="ignore"):
        made.save_pretrained(folder, save_embedding_layers=embeddings)
    (folder / "README.md").unlink()
    return folder


def by_peft(model: Any, folder: Path) -> Any:
    """What peft itself makes of a model and an adapter."""
    with warnings.catch_warnings(action="ignore"):
        return peft.PeftModel.from_pretrained(model, folder).eval()


def by_hand(model: Any, folder: Path, scale: float) -> Any:
    """A model whose weights are W + scale · B A, and whose head is the adapter's, where it has one."""
    state, given = model.state_dict(), load_file(folder / "adapter_model.safetensors")
    given = {name.removeprefix("base_model.model."): one for name, one in given.items()}
    for name, one in given.items():
        if name.endswith("lora_A.weight"):
            module = name.removesuffix(".lora_A.weight")
            state[f"{module}.weight"] += scale * given[f"{module}.lora_B.weight"] @ one
        elif "lora_" not in name:
            state[name].copy_(one)
    return model.eval()


def logits(model: Any) -> torch.Tensor:
    """What a model says of the tests' token IDs."""
    with torch.inference_mode():
        return model(IDS).logits


def rows(result: Any) -> dict[str, str]:
    """What a page says of the adapter, by label."""
    return dict(result.records()[0]["more"])


def changed(adapter: Path, folder: Path, **settings: Any) -> Path:
    """A copy of an adapter with other settings."""
    shutil.copytree(adapter, folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder

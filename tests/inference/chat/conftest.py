"""Models to talk with: a tiny one whose replies depend on every token, and the real SmolLM2."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import hf_magics as hf
from tests.inference.plain import byte_level

TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|endoftext|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def talking_tokenizer(template: str | None = TEMPLATE):
    """A byte-level tokenizer with a chat template."""
    tokenizer = byte_level()
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<|system|>", "<|user|>", "<|assistant|>"]}
    )
    tokenizer.chat_template = template
    return tokenizer


def talking_model(**more):
    """A llama with weights so large that one wrong key changes what it writes."""
    torch.manual_seed(1)
    tokenizer = talking_tokenizer()
    config = LlamaConfig(
        **{
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
            "initializer_range": 0.5,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": None,
            "bos_token_id": None,
            **more,
        }
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def talker(session):
    """The tiny model in the session as ``talker``."""
    hf.add(talking_model(), talking_tokenizer(), "talker")
    return session["talker"]


def plain_reply(loaded, messages, limit, **words):
    """The tokens that transformers writes by itself, with no cache of earlier turns."""
    inputs = loaded.tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(loaded.model.device)
    inputs.pop("token_type_ids", None)
    words = {"do_sample": False, "pad_token_id": loaded.tokenizer.eos_token_id, **words}
    outputs = loaded.model.generate(**inputs, max_new_tokens=limit, **words)
    return outputs[0, inputs["input_ids"].shape[1] :].tolist()


def said(*texts, limit=6, **more):
    """The result of the last of several turns."""
    return [hf.chat(text, max_new_tokens=limit, **more) for text in texts][-1]


def contents(result, role="user"):
    """What was said in a role, in order."""
    return [one["content"] for one in result.messages if one["role"] == role]

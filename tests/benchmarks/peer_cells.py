"""The cells of ``peers.py``: each question as it is typed here, and as its peer's own pages say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

LINE = "The cat sat on the mat because it was tired."
PROMPT = "The capital of France is"
OURS = "%load_ext hf_magics\n%hf_load $folder -n m"
PLAIN = """
from transformers import AutoModel, AutoTokenizer
model = AutoModel.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
"""
CAUSAL = PLAIN.replace("AutoModel", "AutoModelForCausalLM")


@dataclass(frozen=True)
class Way:
    """Two cells: one that loads, one that asks; ``folder`` is given, and holds the model.

    ``value`` is an expression for what is compared, ``words`` what the page is there to say, and
    ``package`` what has to be installed.
    """

    name: str
    load: str
    ask: str
    value: str = ""
    words: tuple[str, ...] = ()
    package: str = ""

    @property
    def lines(self) -> int:
        """The lines that somebody types."""
        return sum(bool(line.strip()) for line in f"{self.load}\n{self.ask}".splitlines())


@dataclass(frozen=True)
class Question:
    """A question, our way and others, and what it means that two values agree."""

    name: str
    ours: Way
    theirs: tuple[Way, ...]
    agree: Callable[[Any, Any], str]
    model: str = "minilm"


def differ_by(ours: Any, theirs: Any) -> str:
    """The largest difference of two arrays."""
    one, other = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return f"differ by {np.abs(one - other).max():.1g}" if one.shape == other.shape else "no shape"


def same(ours: Any, theirs: Any) -> str:
    """How many entries are the same."""
    if not isinstance(ours, list):
        return "the same" if ours == theirs else f"{ours:,} and {theirs:,}"
    equal = sum(a == b for a, b in zip(ours, theirs, strict=False))
    return f"{equal} of {max(len(ours), len(theirs))} the same"


_LOADED_PLAIN = "%load_ext hf_magics\n%config HFMagics.show_plain = True" + PLAIN
_WRITTEN = "Once upon a time, in a small village by the sea,"
_MASKED = "E V Q L V E S G G G L V Q P G G S L R L S [MASK] A A S G F T F S S Y A M S"
_ATTENTION = f"""
inputs = tokenizer.encode({LINE!r}, return_tensors="pt")
attention = model(inputs, output_attentions=True).attentions
tokens = tokenizer.convert_ids_to_tokens(inputs[0])
VIEW(attention, tokens)
"""


def _bertviz(view: str) -> Way:
    # its README gives output_attentions=True to from_pretrained: see TRAPS
    eager = PLAIN.replace("(folder)", '(folder, attn_implementation="eager")', 1)
    return Way(
        f"BertViz {view}",
        f"from bertviz import {view}" + eager,
        _ATTENTION.replace("VIEW", view),
        "[one[0].tolist() for one in attention]",
        ("cat", "tired", "0."),
        "bertviz",
    )


QUESTIONS = (
    Question(
        "attention",
        Way(
            "%%hf_attention",
            OURS,
            f"%%hf_attention\n{LINE}",
            "_.attention.tolist()",
            ("cat", "tired", "0."),
        ),
        (_bertviz("head_view"), _bertviz("model_view")),
        differ_by,
    ),
    Question(
        "modules",
        Way(
            "%%hf_layers",
            OURS,
            f"%%hf_layers\n{LINE}",
            "_.rows[0].parameters",
            ("BertLayer", "Linear", "22,713,216", "1536"),
        ),
        (
            Way(
                "torchinfo",
                "from torchinfo import summary" + PLAIN,
                f'batch = dict(tokenizer({LINE!r}, return_tensors="pt"))\nsummary('
                'model, input_data=batch, depth=6, col_names=("output_size", "num_params", "mult_adds"))',
                "_.total_params",
                ("BertLayer", "Linear", "22,713,216", "1536"),
                "torchinfo",
            ),
        ),
        same,
    ),
    Question(
        "a model's output",
        Way(
            "show_plain",
            _LOADED_PLAIN,
            f'outputs = model(**tokenizer({LINE!r}, return_tensors="pt"))\noutputs',
            words=("last_hidden_state", "pooler_output", "384", "13"),
        ),
        (
            Way(
                # 0.1.10 asks a tensor for its names, which torch 2.13 has no more: arrays it reads
                "treescope, of arrays",
                "import treescope\ntreescope.basic_interactive_setup(autovisualize_arrays=True)"
                + PLAIN,
                f'outputs = model(**tokenizer({LINE!r}, return_tensors="pt"))\n'
                "{name: one.detach().numpy() for name, one in outputs.items()}",
                words=("last_hidden_state", "pooler_output", "384", "13"),
                package="treescope",
            ),
            Way(
                "lovely-tensors",
                "import lovely_tensors\nlovely_tensors.monkey_patch()" + PLAIN,
                f'outputs = model(**tokenizer({LINE!r}, return_tensors="pt"))\noutputs',
                words=("last_hidden_state", "pooler_output", "384", "13"),
                package="lovely_tensors",
            ),
        ),
        same,
    ),
    Question(
        "logit lens",
        Way(
            "%%hf_lens",
            OURS,
            f"%%hf_lens\n{PROMPT}",
            "_.logits[:, -1].argmax(-1).tolist()",
            ("Paris", "0.77"),
        ),
        (
            Way(
                "TransformerLens",
                "from transformer_lens.model_bridge import TransformerBridge\n"
                "from transformer_lens.tools.analysis import logit_lens\n"
                'model = TransformerBridge.boot_transformers(folder, device="cpu")',
                f"tokens = model.to_tokens({PROMPT!r}, prepend_bos=False)\n"
                'seen = logit_lens(model, tokens, top_k=1, return_type="probs")\n'
                "seen.to_dataframe(model.tokenizer)",
                "seen.readout.top_ids.flatten().tolist()",
                ("Paris", "0.77"),
                "transformer_lens",
            ),
            Way(
                "nnsight",
                "import nnsight\nfrom nnsight import TransformersModel\n"
                'model = TransformersModel(folder, task="text-generation", dispatch=True)',
                f"""
with model.trace({PROMPT!r}):
    seen = nnsight.save([])
    for module in (model.model.embed_tokens, *model.model.layers):
        state = model.model.norm(module.output[0, -1])
        seen.append(model.lm_head(state).softmax(-1).max(-1))
for at, (chance, token) in enumerate(seen):
    print(at, model.tokenizer.decode(token), f"{{chance:.3f}}")
""",
                "[int(one.indices) for one in seen]",
                ("Paris", "0.77"),
                "nnsight",
            ),
            Way(
                "plain transformers",
                "import torch" + CAUSAL,
                f"""
inputs = tokenizer({PROMPT!r}, return_tensors="pt")
with torch.no_grad():
    states = model(**inputs, output_hidden_states=True).hidden_states
    states = [model.model.norm(one) for one in states[:-1]] + [states[-1]]
    seen = [model.lm_head(one[0, -1]).softmax(-1).max(-1) for one in states]
for at, (chance, token) in enumerate(seen):
    print(at, tokenizer.decode(token), f"{{chance:.3f}}")
""",
                "[int(one.indices) for one in seen]",
                ("Paris", "0.77"),
            ),
        ),
        same,
        "smollm2",
    ),
    Question(
        "tokens",
        Way(
            "%%hf_tokens",
            OURS,
            f"%%hf_tokens\n{LINE}",
            "_.ids[0]",
            ("cat", "4937", "4–7"),
        ),
        (
            Way(
                "tokenizer and pandas",
                "import pandas\nfrom transformers import AutoTokenizer\n"
                "tokenizer = AutoTokenizer.from_pretrained(folder)",
                f"""
batch = tokenizer({LINE!r}, return_offsets_mapping=True)
pandas.DataFrame({{
    "token": batch.tokens(), "ID": batch.input_ids, "characters": batch.offset_mapping,
    "word": batch.word_ids(), "mask": batch.attention_mask,
}})
""",
                "batch.input_ids",
                ("cat", "4937", "(4, 7)"),
            ),
        ),
        same,
    ),
    Question(
        "a mask filled",
        Way(
            "%%hf_infer",
            OURS,
            f"%%hf_infer\n{_MASKED}",
            "[row['prob'] for row in _.records()]",
            ("C", "0.9960"),
        ),
        (
            Way(
                "pipeline",
                'from transformers import pipeline\nfiller = pipeline("fill-mask", model=folder)',
                f"filler({_MASKED!r})",
                "[row['score'] for row in _]",
                ("C", "0.99"),
            ),
        ),
        differ_by,
        "antiberty",
    ),
    Question(
        "text, with probabilities",
        Way(
            "%%hf_generate",
            OURS,
            f"%%hf_generate --max-new-tokens 24\n{_WRITTEN}",
            "_.ids[0]",
            ("there", "0."),
        ),
        (
            Way(
                "generate, output_scores",
                CAUSAL,
                f"""
inputs = tokenizer({_WRITTEN!r}, return_tensors="pt")
made = model.generate(
    **inputs, max_new_tokens=24, do_sample=False, return_dict_in_generate=True, output_scores=True)
scores = model.compute_transition_scores(made.sequences, made.scores, normalize_logits=True)
new = made.sequences[0, inputs.input_ids.shape[1]:]
for token, score in zip(new, scores[0]):
    print(repr(tokenizer.decode(token)), f"{{score.exp():.3f}}")
""",
                "new.tolist()",
                ("there", "0."),
            ),
        ),
        same,
        "smollm2",
    ),
)

"""The cells of ``peers.py`` where something is wrong: does the page say so, here and there?"""

from __future__ import annotations

from dataclasses import dataclass

from peer_cells import CAUSAL, LINE, OURS, PLAIN, PROMPT, Way

_LONG = "I love it. " * 300
_OURS_SORTS = "%load_ext hf_magics\n%hf_load $folder --task text-classification -n m"
_SORTS = 'from transformers import pipeline\nsort = pipeline("text-classification", model=folder)'


@dataclass(frozen=True)
class Trap:
    """What can go wrong without a word: cells that walk into it.

    ``says`` is a pattern for the words that would tell; or ``truth`` a cell whose value is as
    torch itself has it, after theirs.
    """

    name: str
    ours: Way
    theirs: Way
    says: str = ""
    truth: str = ""
    model: str = "minilm"


TRAPS = (
    Trap(
        "a head that was never trained",
        Way("%%hf_infer", _OURS_SORTS, "%%hf_infer\nI love it."),
        Way("pipeline", _SORTS, 'sort("I love it.")'),
        says=r"random|untrained|newly initialized",
    ),
    Trap(
        "a text longer than the model takes",
        Way("%%hf_infer", _OURS_SORTS, f"%%hf_infer\n{_LONG}"),
        Way("pipeline", _SORTS, f"sort({_LONG!r})"),
        says=r"\bcut\b|truncate|truncation",
    ),
    Trap(
        "the same, with truncation=True",
        Way("%%hf_infer", _OURS_SORTS, f"%%hf_infer\n{_LONG}"),
        Way("pipeline", _SORTS, f"sort({_LONG!r}, truncation=True)"),
        says=r"\bcut\b|truncate|truncation",
    ),
    Trap(
        "parameters of a model with tied weights",
        Way("%hf_layers", OURS, "%hf_layers m", "_.rows[0].parameters"),
        Way(
            "torchinfo",
            "from torchinfo import summary" + CAUSAL,
            "summary(model)",
            "_.total_params",
        ),
        truth="sum(one.numel() for one in model.parameters())",
        model="smollm2",
    ),
    Trap(
        "operations of a line, multiplications and additions",
        Way("%%hf_layers", OURS, f"%%hf_layers\n{LINE}", "_.records()[0]['flops']"),
        Way(
            "torchinfo",
            "from torchinfo import summary" + PLAIN,
            f'batch = dict(tokenizer({LINE!r}, return_tensors="pt"))\nsummary(model, input_data=batch)',
            "2 * _.total_mult_adds",
        ),
        truth="""
from torch.utils.flop_counter import FlopCounterMode
model.set_attn_implementation("eager")  # the fused one it does not count
with FlopCounterMode(display=False) as counter:
    model(**batch)
counter.get_total_flops()""",
    ),
    Trap(
        "the last layer's likeliest token in the lens",
        Way("%%hf_lens", OURS, f"%%hf_lens\n{PROMPT}", "round(_.chances[-1], 4)"),
        Way(
            "norm and head over hidden_states",
            CAUSAL,
            f"""
inputs = tokenizer({PROMPT!r}, return_tensors="pt")
states = model(**inputs, output_hidden_states=True).hidden_states
seen = [model.lm_head(model.model.norm(one))[0, -1].softmax(-1).max() for one in states]
""",
            "round(seen[-1].item(), 4)",
        ),
        truth="round(model(**inputs).logits[0, -1].softmax(-1).max().item(), 4)",
        model="smollm2",
    ),
    Trap(
        "layers of attention, the model loaded as usual",
        Way("%%hf_attention", OURS, f"%%hf_attention\n{LINE}", "len(_.attention)"),
        Way(
            "output_attentions=True",
            PLAIN,
            f'inputs = tokenizer({LINE!r}, return_tensors="pt")\n'
            "attention = model(**inputs, output_attentions=True).attentions",
            "len(attention)",
        ),
        truth="model.config.num_hidden_layers",
    ),
    Trap(
        "layers of attention, as BertViz's pages load it",
        Way("%%hf_attention", OURS, f"%%hf_attention\n{LINE}", "len(_.attention)"),
        Way(
            "head_view",
            "from bertviz import head_view"
            + PLAIN.replace("(folder)", "(folder, output_attentions=True)", 1),
            f"""
inputs = tokenizer.encode({LINE!r}, return_tensors="pt")
attention = model(inputs)[-1]
head_view(attention, tokenizer.convert_ids_to_tokens(inputs[0]))
""",
            "len(attention)",
            package="bertviz",
        ),
        truth="model.config.num_hidden_layers",
    ),
)

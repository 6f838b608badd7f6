"""Why each step of plain code is there: a comment above it, for people who learn."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

_WIDTH = 80

REASONS: tuple[tuple[str, str], ...] = (
    # making a model
    (
        r"AutoConfig\.from_pretrained\(",
        "The config is the plan of a model: its sizes and its labels, and no weights.",
    ),
    (
        r"^config = \w+Config\(",
        "The config is the plan of a model; what is not given here has the class's default.",
    ),
    (r"^config\.", "A field of the plan that differs from the checkpoint's."),
    (
        r"^quantization = ",
        "Weights are kept as small integers and scales: less memory, and answers that are rounded.",
    ),
    (
        r"torch\.manual_seed\(",
        "Chance is made repeatable: the same seed gives the same numbers again.",
    ),
    (
        r"^\w*model = AutoModel\w*\.from_pretrained\(",
        (
            "The Auto class reads config.json, picks the architecture's class with the right head, "
            "and loads the weights; from_pretrained also switches to eval mode, so that dropout is "
            "off."
        ),
    ),
    (
        r"^\w*model = \w+\.from_pretrained\(",
        (
            "The class says which head sits on the backbone; from_pretrained loads the weights and "
            "switches to eval mode, so that dropout is off."
        ),
    ),
    (
        r"^\w*model = \w+\(\w*config\)",
        (
            "A model from a config alone has random weights: right for training from scratch and "
            "for a look at shapes, and its answers mean nothing."
        ),
    ),
    (
        r"^\w*adapted = PeftModel\.from_pretrained\(",
        (
            "An adapter is small matrices that were trained beside the weights of a base: peft "
            "puts them on the model's own layers."
        ),
    ),
    (
        r"\.merge_and_unload\(",
        "What the adapter adds is folded into the weights: plain layers, and the same answers.",
    ),
    (r"\.get_base_model\(\)", "The model is of its own class, and its layers have the adapter on."),
    (r"^\w*adapted\.save_pretrained\(", "The adapter alone: its base is not written."),
    (
        r"model\.eval\(\)",
        (
            "A model that was just made is in training mode; eval switches dropout off, else two "
            "runs of one input differ."
        ),
    ),
    (r"model\.to\(\"", "Inputs have to go to the same device later."),
    (r"model\.to\(torch\.", "All weights are rounded to another number format."),
    (
        r"model\.config[\w.()]*\.pad_token_id = ",
        "This head looks for the last token that is no padding.",
    ),
    (r"torch\.device\(\"meta\"\)", "On the meta device tensors have shapes and no memory."),
    (
        r"tokenizer = \w+",
        (
            "A model knows only the IDs of its own vocabulary: the tokenizer comes from the same "
            "place as the model."
        ),
    ),
    (r"processor = \w+", "The processor does for images and sound what a tokenizer does for text."),
    (
        r"tokenizer\.pad_token = ",
        (
            "Lines of different lengths are filled up to one; this tokenizer has no token for it, "
            "so the end token is borrowed: the attention mask hides it."
        ),
    ),
    (r"tokenizer\.src_lang = ", "The tokenizer marks the text with the language that it is in."),
    # looking inside
    (r"^(left|right) = ", "Both are kept, to be put side by side."),
    (r"^max_abs_diff, cosine = ", "What is found stands here, by the path of each module."),
    (r"^def weights_of\(", "Buffers that are no part of a checkpoint are left out."),
    (r"^def values\(", "In float64 the comparison itself rounds nothing away."),
    (r"^captured(, calls)? = ", "What the modules give is kept here, by their paths."),
    (r"^def kept\(", "Of what a module gives, so much is kept: all of it would fill the memory."),
    (r"^def hook_of\(", "Each module gets a function of its own, which knows the module's path."),
    (r"^paths = ", "Modules are found by their paths, as named_modules has them."),
    # outputs
    (
        r"batch_decode\(outputs\[:",
        "The prompt is part of what a decoder gives: it is cut off, and IDs go back to text.",
    ),
    (r"batch_decode\(", "IDs go back to text by the vocabulary that they came from."),
    (
        r"\.softmax\(|log_softmax\(",
        "Logits are scores of any size; softmax makes probabilities of them.",
    ),
    (r"\.sigmoid\(", "Each label holds by itself: a sigmoid a label, which need not sum to one."),
    (r"id2label", "The config names the label that each position stands for."),
    (r"^mask = |\bmask\b.* = ", "Padding is no token: it is left out here."),
    (r"^states = ", "The hidden states: a vector a token, behind the last layer."),
    (r"^embeddings = .*normalize", "At length one a dot product is the cosine."),
    (r"^embeddings = ", "One vector a text is made of those of its tokens."),
    (r"\.argmax\(", "The likeliest one."),
    (r"topk\(", "The likeliest ones, best first."),
    (
        r"save_pretrained\(",
        "Folder, config, weights and vocabulary: from_pretrained reads it back.",
    ),
    (
        r"named_modules\(\)",
        "Every part of a model has a path; its parameters include those below it.",
    ),
    (r"^(perplexity) = ", "Perplexity is the exponential of the mean surprise of a token."),
    (r"answers\[row\] = ", "Sorted by length they were out of order: each goes back to its row."),
    (r"cosine_similarity\(", "1 where two point the same way, whatever their lengths."),
    # inputs
    (
        r"padding_side=\"left\"",
        (
            "A decoder writes on behind the last token: padding has to stand on the left, or it "
            "would write on from padding."
        ),
    ),
    (r"apply_chat_template\(", "Each chat model was trained with its own marks around the turns."),
    (
        r"tokenizer\(.*padding=(?!False)",
        (
            "A batch is one rectangle of IDs: shorter lines are filled up, and the attention mask "
            "says which tokens are real, so that padding changes no answer."
        ),
    ),
    (
        r"tokenizer\(.*truncation=True",
        "The model has no positions behind its limit: what is longer is cut here.",
    ),
    (
        r"(tokenizer|processor)\(.*return_tensors",
        "The model takes tensors with a batch axis in front, not lists.",
    ),
    (
        r"tokenizer\.pad\(",
        "Pairs and single texts are encoded one by one, then filled up to one batch.",
    ),
    (r"tokenizer\(", "The text is cut into tokens of the vocabulary, and each gets its ID."),
    (r"tokenizer\.decode\(", "IDs go back to text by the same vocabulary."),
    (
        r"inputs\[\"decoder_input_ids\"\] = ",
        "An encoder-decoder needs something for its decoder: its start token.",
    ),
    (r"^inputs = \{name: tensor\.to\(", "Model and inputs have to be on the same device."),
    (r"^(input_ids|inputs) = (torch\.tensor|\{)", "The IDs as the model takes them: a row a line."),
    (
        r"^(texts|column|messages|inputs|images|questions|contexts|pairs)(, pairs)? = ",
        "What goes in.",
    ),
    # running
    (
        r"set_attn_implementation\(\"eager\"\)",
        "The fast kernels never hold the attention weights: only the eager one can give them.",
    ),
    (r"set_attn_implementation\(", "Back to the fast kernel."),
    (r"output_attentions=True", "The weights are given only to those who ask."),
    (
        r"register_forward_hook",
        "A hook is called with what a module gave, and leaves the model as it is.",
    ),
    (r"\.remove\(\)", "A hook stays until it is taken away."),
    (
        r"torch\.inference_mode\(\)",
        (
            "Nothing is trained here: without the record for gradients a pass takes less memory "
            "and time."
        ),
    ),
    (
        r"\.generate\(",
        "generate calls the model once a token, and puts what it chose behind the input.",
    ),
    (r"pipeline\(", "A pipeline ties reading, the model and decoding together for one task."),
    (r"\bpipe\(", "The pipeline takes raw inputs and gives dictionaries."),
    (r"^order = sorted\(", "Lines of about one length share a batch: less padding, more speed."),
    (r"^for start in range\(", "A batch at a time keeps memory flat, however long the column is."),
)
"""Patterns of a statement, and the reason for it; the first that matches is meant."""


def explained(code: str) -> str:
    """Return code with a comment above each kind of step that says why; each is said once."""
    lines = code.split("\n")
    said: set[str] = set()
    above: dict[int, str] = {}
    for row, text in statements_of(code):
        reason = reason_for(text)
        if reason and reason not in said:
            said.add(reason)
            above[row] = reason
    made: list[str] = []
    for row, line in enumerate(lines):
        if row in above:
            made += _comment(above[row], len(line) - len(line.lstrip()))
        made.append(line)
    return "\n".join(made)


def reason_for(statement: str) -> str:
    """Return why a statement is there, ``""`` where it says so itself."""
    return next((why for pattern, why in REASONS if re.search(pattern, statement)), "")


def statements_of(code: str) -> Iterator[tuple[int, str]]:
    """Yield each statement's row, from 0, and its text in one line; of a block its first line."""
    lines = code.split("\n")
    nodes = (one for one in ast.walk(ast.parse(code)) if isinstance(one, ast.stmt))
    for one in sorted(nodes, key=lambda node: node.lineno):
        if isinstance(one, (ast.Import, ast.ImportFrom)):
            continue
        body = getattr(one, "body", None)
        end = body[0].lineno - 1 if body else (one.end_lineno or one.lineno)
        text = " ".join(line.strip() for line in lines[one.lineno - 1 : max(end, one.lineno)])
        yield one.lineno - 1, text


def _comment(reason: str, indent: int) -> list[str]:
    return textwrap.wrap(
        reason,
        _WIDTH,
        initial_indent=" " * indent + "# ",
        subsequent_indent=" " * indent + "# ",
    )

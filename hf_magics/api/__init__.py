"""The verbs: what the magics call, and what scripts call as ``hf_magics.load(...)``.

This is the one wing that imports our own rooms inside functions: nothing of torch and transformers
is imported before a verb needs it. Each verb takes the words of its magic.
"""

from __future__ import annotations

from hf_magics.api.chatting import chat
from hf_magics.api.keeping import add, config, drop, load, models, new, save, use
from hf_magics.api.looking import attention, compare, layers, lens, score
from hf_magics.api.mapping import map
from hf_magics.api.running import infer, tokens
from hf_magics.api.taking import code, explain
from hf_magics.api.writing import generate
from hf_magics.modeling.store import session

__all__ = [
    "add",
    "attention",
    "chat",
    "code",
    "compare",
    "config",
    "drop",
    "explain",
    "generate",
    "infer",
    "layers",
    "lens",
    "load",
    "map",
    "models",
    "new",
    "save",
    "score",
    "session",
    "tokens",
    "use",
]

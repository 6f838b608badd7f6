"""How much memory the process has, when all that can go has gone."""

import gc

import psutil

from hf_magics.modeling.memory import give_back


def memory() -> int:
    gc.collect()
    give_back()
    return psutil.Process().memory_info().rss

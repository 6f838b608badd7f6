"""A map in a process of its own, to be killed: python child.py SOURCE TO [MODEL]."""

import sys

import hf_magics as hf
from hf_magics.inference.tasks.embed import Embed
from tests.inference.mapping.rows import TINY

if __name__ == "__main__":
    source, to, tokenizer = sys.argv[1:4]
    Embed.window = 16
    hf.new("bert", name="small", seed=0, tokenizer=tokenizer, **TINY)
    print("ready", flush=True)
    hf.map(source, to=to, task="embed")
    print("done", flush=True)

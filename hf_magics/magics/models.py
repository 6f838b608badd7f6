"""The magics of models: load, new, config, models, use, drop, save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument

from hf_magics import api
from hf_magics.display.shown import Shown
from hf_magics.errors import OptionError
from hf_magics.magics.arguments import (
    at_most_one,
    fields_for,
    no_fields,
    only,
    only_options,
)
from hf_magics.magics.asked import pairs
from hf_magics.magics.base import Base, magic
from hf_magics.magics.letting_go import ShellNotebook
from hf_magics.magics.lines import look_up
from hf_magics.magics.options import ENGINE, HEAD, INPUT, NAME, PLACE, REPLACE, SET, options


@magics_class
class ModelMagics(Base):
    """A short method a magic; each gives back what its verb gives."""

    @line_magic
    @magic
    @options(
        "hf_load SOURCE [FIELD=VALUE ...] [options]",
        NAME,
        *HEAD,
        argument("--revision", default="", metavar="R", help="a branch, tag or commit of a hub id"),
        argument(
            "--gguf", default="", metavar="FILE", help="the GGUF file of a folder or repository"
        ),
        *PLACE,
        argument(
            "--attn", default="", metavar="A", help="attention: eager, sdpa, flash_attention_2"
        ),
        SET,
        argument("--trust-remote-code", action="store_true", help="run code of the checkpoint"),
        argument("--offline", action="store_true", help="take what is in the hub's cache"),
        *ENGINE,
        REPLACE,
        INPUT,
    )
    def hf_load(self, line: str) -> Shown:
        """Load a pretrained model: a hub id, a folder, a .gguf file, or with -i a variable.

        Examples:
            %hf_load google-bert/bert-base-uncased -n bert --task fill-mask
            %hf_load ./my_model num_labels=3 --task text-classification --adapter ./my_lora
            %hf_load -i model --tokenizer tokenizer -n mine
        """
        asked = self.ask(self.hf_load, line)
        o = asked.options
        tokenizer = self.word_or_object(o.tokenizer)
        if o.input:
            only(asked, 0, "%hf_load -i VAR")
            only_options(asked, {"input", "name", "tokenizer", "replace"}, "%hf_load -i VAR")
            model = look_up(o.input, self.variables)
            given = tokenizer if o.tokenizer else None
            return api.add(model, given, o.name, replace=o.replace, variable=o.input)
        only(asked, 1, "%hf_load SOURCE")
        words = _words(o, "name", "task", "class_", "revision", "gguf", "dtype", "device", "attn")
        words |= _words(o, "trust_remote_code", "offline", "replace")
        words |= _words(o, "engine", "quantize", "endpoint", "share", "adapter", "merge")
        extra = pairs(o.set)
        _check_variable(asked.names[0], self.variables)
        return api.load(
            asked.names[0],
            **words,
            tokenizer=tokenizer,
            set=extra,
            settings=self.settings,
            **fields_for(api.load, asked),
        )

    @line_magic
    @magic
    @options(
        "hf_new TYPE [FIELD=VALUE ...] [options]",
        NAME,
        *HEAD,
        *PLACE,
        argument("--seed", type=int, default=None, metavar="N", help="make the weights repeatable"),
        REPLACE,
    )
    def hf_new(self, line: str) -> Shown:
        """Make a model with random weights from a config, of any type: bert, gpt2, t5.

        Examples:
            %hf_new bert hidden_size=64 num_hidden_layers=2 num_attention_heads=4 --seed 0
            %hf_new gpt2 -n small n_layer=2 --task text-generation --tokenizer openai-community/gpt2
            %hf_new llava text_config.num_hidden_layers=2 vision_config.num_hidden_layers=2
        """
        asked = self.ask(self.hf_new, line)
        only(asked, 1, "%hf_new TYPE")
        o = asked.options
        words = _words(o, "name", "task", "class_", "dtype", "device", "seed", "replace")
        tokenizer = self.word_or_object(o.tokenizer)
        return api.new(
            asked.names[0],
            **words,
            tokenizer=tokenizer,
            settings=self.settings,
            **fields_for(api.new, asked),
        )

    @line_magic
    @magic
    @options(
        "hf_config [NAME|SOURCE|TYPE] [options]",
        argument(
            "--vs", default="", metavar="OTHER", help="compare with another instead of the defaults"
        ),
        argument("--all", action="store_true", help="show what does not differ unfolded too"),
    )
    def hf_config(self, line: str) -> Shown:
        """Show a config: its fields, their types, and first what differs from the defaults.

        Examples:
            %hf_config bert --all
            %hf_config bert --vs gpt2
            %hf_config ./my_model
        """
        asked = self.ask(self.hf_config, line)
        o = asked.options
        if len(asked.names) == 2 and not o.vs:  # noqa: PLR2004 - a pair
            one, other = asked.names
            raise OptionError(f"to compare two configs: %hf_config {one} --vs {other}")
        target = at_most_one(asked, "%hf_config [NAME|SOURCE|TYPE]")
        return api.config(target, vs=o.vs, all=o.all, settings=self.settings)

    @line_magic
    @magic
    @options("hf_models")
    def hf_models(self, line: str) -> Shown:
        """List the models of the session.

        Examples:
            %hf_models
            listed = %hf_models
        """
        only(self.ask(self.hf_models, line), 0, "%hf_models")
        return api.models()

    @line_magic
    @magic
    @options("hf_use NAME [options]", *PLACE)
    def hf_use(self, line: str) -> Shown:
        """Make a model the current one; move it to a device or cast it.

        Examples:
            %hf_use bert
            %hf_use bert --device cuda --dtype float16
        """
        asked = self.ask(self.hf_use, line)
        name = at_most_one(asked, "%hf_use NAME")
        return api.use(name, device=asked.options.device, dtype=asked.options.dtype)

    @line_magic
    @magic
    @options(
        "hf_drop [NAME ...] [options]",
        argument("--all", action="store_true", help="let go of every model"),
    )
    def hf_drop(self, line: str) -> Shown:
        """Let go of models, Out[] and tracebacks included, and show the memory that came back.

        Examples:
            %hf_drop bert gpt2
            %hf_drop --all
        """
        asked = self.ask(self.hf_drop, line)
        no_fields(asked, "%hf_drop NAME ...")
        everything = asked.options.all
        if everything:
            only(asked, 0, "%hf_drop --all")
        return api.drop(*asked.names, all=everything, notebook=ShellNotebook(self.shell))

    @line_magic
    @magic
    @options(
        "hf_save [NAME] PATH [options]",
        argument("--overwrite", action="store_true", help="replace the checkpoint that is there"),
        argument(
            "--max-shard-size", default="", metavar="S", help="split the weights, such as 2GB"
        ),
    )
    def hf_save(self, line: str) -> Shown:
        """Write a model and its tokenizer to a folder: whole, or not at all.

        Examples:
            %hf_save ./my_model
            %hf_save bert ./my_model --overwrite --max-shard-size 2GB
        """
        asked = self.ask(self.hf_save, line)
        no_fields(asked, "%hf_save [NAME] PATH")
        if len(asked.names) not in {1, 2}:
            raise OptionError(
                "%hf_save [NAME] PATH: say where to save, for example %hf_save my_model"
            )
        *name, path = asked.names
        if not name and path in api.session:
            raise OptionError(f"say where to save it: %hf_save {path} FOLDER")
        o = asked.options
        return api.save(
            path, name="".join(name), overwrite=o.overwrite, max_shard_size=o.max_shard_size
        )


def _check_variable(word: str, variables: dict[str, Any]) -> None:
    """Refuse the bare name of a variable where there is nothing else of that name.

    Raises:
        OptionError: With the way to write it.
    """
    if word not in variables or Path(word).exists():
        return
    value = variables[word]
    if isinstance(value, (str, Path)):
        raise OptionError(f"{word} is a variable: %hf_load ${word}")
    if hasattr(value, "config"):
        raise OptionError(f"{word} is a model in the notebook: %hf_load -i {word}")


def _words(parsed: Any, *names: str) -> Any:
    return {name: getattr(parsed, name) for name in names}

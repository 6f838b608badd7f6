"""Which languages a model translates between, and how it is told: a prefix, a code, a mark."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

from hf_magics.display.words import nearest, sentence_list
from hf_magics.errors import OptionError
from hf_magics.modeling.store import LoadedModel
from hf_magics.snippets import Name


@dataclass(frozen=True)
class Route:
    """From one language to another, in one model's own terms.

    ``prefix`` goes before each text; ``src_lang`` is what the tokenizer is set to while it reads;
    ``arguments`` and ``defaults`` go to ``generate``, and the latter give way to the line's own.
    ``written`` is how the arguments look in plain code.
    """

    source: str = ""
    target: str = ""
    prefix: str = ""
    src_lang: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    written: Mapping[str, Name] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def words(self) -> str:
        """Return ``en_XX to fr_XX``, or as much of it as is known."""
        parts = (self.source, f"to {self.target}" if self.target else "")
        return " ".join(part for part in parts if part)


def route(loaded: LoadedModel, from_: str = "", to: str = "") -> Route:
    """Return how a model is told the languages.

    A T5 has a prefix for each pair in ``task_specific_params``; the tokenizers of mBART, NLLB and
    M2M100 have language codes, for the source and for the first token that is written; those of
    Marian models with several targets have marks such as ``>>fra<<``; others have one pair.

    Args:
        loaded: The model with its tokenizer.
        from_: The language of the input: a code of the model's own, ``fr``, ``fra`` or ``French``.
        to: The language that is wanted, in the same words.

    Raises:
        OptionError: The model has no such language, or several where none is named; it lists them.
    """
    pairs = _prefixed(loaded.config)
    if pairs:
        return _by_prefix(loaded.name, pairs, from_, to)
    codes = _codes(loaded.tokenizer)
    if codes:
        return _by_code(loaded, codes, from_, to)
    marks = _marks(loaded.tokenizer)
    if marks:
        return _by_mark(loaded, marks, from_, to)
    return _one_pair(loaded, from_, to)


@contextlib.contextmanager
def reading(loaded: LoadedModel, src_lang: str) -> Iterator[None]:
    """Set the tokenizer to a source language for the length of the block, under its lock."""
    tokenizer = loaded.tokenizer
    if not src_lang or tokenizer is None:
        yield
        return
    with loaded.lock:
        before = tokenizer.src_lang
        tokenizer.src_lang = src_lang
        try:
            yield
        finally:
            tokenizer.src_lang = before


def settings_for(config: Any, task: str) -> dict[str, Any]:
    """Return what a checkpoint's ``task_specific_params`` say of a task."""
    known = getattr(config, "task_specific_params", None) or {}
    return dict(known.get(task) or {})


_Pair = tuple[str, str]


def _prefixed(config: Any) -> dict[_Pair, dict[str, Any]]:
    """Return the pairs of languages that a checkpoint has a prefix for."""
    known = getattr(config, "task_specific_params", None) or {}
    named = {re.fullmatch(r"translation_(\w+?)_to_(\w+)", task): task for task in known}
    pairs = {(one[1], one[2]): dict(known[task] or {}) for one, task in named.items() if one}
    return {pair: found for pair, found in pairs.items() if found.get("prefix")}


def _by_prefix(name: str, pairs: dict[_Pair, dict[str, Any]], from_: str, to: str) -> Route:
    found = [
        pair for pair in pairs if _same(from_ or pair[0], pair[0]) and _same(to or pair[1], pair[1])
    ]
    listed = sentence_list((f"{source} to {target}" for source, target in pairs), most=30)
    if not found:
        asked = " ".join(part for part in (from_, f"to {to}" if to else "") if part)
        raise OptionError(f"{name} does not translate {asked}; it translates {listed}")
    if len(found) > 1:
        raise OptionError(f"{_unsaid(to)} is needed: {name} translates {listed}")
    (source, target) = found[0]
    params = pairs[found[0]]
    return Route(source, target, prefix=params.pop("prefix"), defaults=params)


def _unsaid(to: str) -> str:
    return "--from LANGUAGE" if to else "--to LANGUAGE"


def _codes(tokenizer: Any) -> dict[str, int]:
    """Return the language codes of a tokenizer that has a source language, with their IDs."""
    if not hasattr(tokenizer, "src_lang"):
        return {}
    known = getattr(tokenizer, "lang_code_to_id", None)
    if known:
        return dict(known)
    words = (str(word) for word in tokenizer.all_special_tokens)
    found = [word for word in words if re.fullmatch(r"[a-z]{2,3}_[A-Z][A-Za-z]{1,3}", word)]
    return {word: int(tokenizer.convert_tokens_to_ids(word)) for word in found}


def _by_code(loaded: LoadedModel, codes: dict[str, int], from_: str, to: str) -> Route:
    tokenizer = loaded.tokenizer
    source = _match(loaded.name, from_, codes, "--from") if from_ else tokenizer.src_lang or ""
    notes = () if from_ else (f"the text was read as {source}: --from LANGUAGE says otherwise",)
    if not to and loaded.model.generation_config.forced_bos_token_id is not None:
        forced = loaded.model.generation_config.forced_bos_token_id
        target = next((code for code, one in codes.items() if one == forced), "")
        return Route(source, target, src_lang=source, notes=notes)
    if not to:
        raise OptionError(f"--to LANGUAGE is needed: {_have(loaded.name, codes)}")
    target = _match(loaded.name, to, codes, "--to")
    argument = _START if type(tokenizer).__name__ in _STARTED_BY_CODE else _FORCED
    return Route(
        source,
        target,
        src_lang=source,
        arguments={argument: codes[target]},
        written={argument: _written(tokenizer, target)},
        notes=notes,
    )


_FORCED, _START = "forced_bos_token_id", "decoder_start_token_id"

# their target code stands where others have the start token, not after it
_STARTED_BY_CODE = ("MBartTokenizer", "MBartTokenizerFast", "PLBartTokenizer")


def _written(tokenizer: Any, code: str) -> Name:
    if hasattr(tokenizer, "get_lang_id"):
        return Name(f'tokenizer.get_lang_id("{code}")')
    if hasattr(tokenizer, "lang_code_to_id"):
        return Name(f'tokenizer.lang_code_to_id["{code}"]')
    return Name(f'tokenizer.convert_tokens_to_ids("{code}")')


def _marks(tokenizer: Any) -> list[str]:
    """Return the languages of a Marian tokenizer's marks: ``fra`` of ``>>fra<<``."""
    return sorted(mark[2:-2] for mark in getattr(tokenizer, "supported_language_codes", ()))


def _by_mark(loaded: LoadedModel, marks: list[str], from_: str, to: str) -> Route:
    _check_end(loaded, "source_lang", from_, "--from")
    if not to:
        raise OptionError(f"--to LANGUAGE is needed: {_have(loaded.name, marks)}")
    target = _match(loaded.name, to, marks, "--to")
    return Route(_end(loaded, "source_lang"), target, prefix=f">>{target}<< ")


def _one_pair(loaded: LoadedModel, from_: str, to: str) -> Route:
    _check_end(loaded, "source_lang", from_, "--from")
    _check_end(loaded, "target_lang", to, "--to")
    return Route(_end(loaded, "source_lang"), _end(loaded, "target_lang"))


def _end(loaded: LoadedModel, end: str) -> str:
    return str(getattr(loaded.tokenizer, end, None) or "")


def _check_end(loaded: LoadedModel, end: str, asked: str, option: str) -> None:
    """Refuse a language other than the tokenizer's one; a group such as ROMANCE takes any."""
    known = _end(loaded, end)
    if not asked or _same(asked, known) or (known and _tongue(known) not in _OTHER_WORDS):
        return
    if not known:
        raise OptionError(
            f"{loaded.name} does not say which languages it has: leave {option} out, and write the "
            "prefix that it was trained with into the text"
        )
    source, target = _end(loaded, "source_lang"), _end(loaded, "target_lang")
    raise OptionError(
        f"{option} {asked}: {loaded.name} translates {source} to {target} alone: leave {option} out"
    )


def _match(name: str, asked: str, codes: Iterable[str], option: str) -> str:
    """Return the model's own code for a language."""
    folded = {_folded(code): code for code in codes}
    if _folded(asked) in folded:
        return folded[_folded(asked)]
    close = [code for code in codes if _same(code, asked)]
    region = _region(asked)
    found = [code for code in close if not region or _region(code) == region]
    if len(found) == 1:
        return found[0]
    if found:
        raise OptionError(f"{option} {asked} may be {' or '.join(found)}: give one of them")
    hint = f"; did you mean '{close[0]}'?" if close else nearest(asked, codes)
    raise OptionError(f"{name} has no language '{asked}'{hint or ';'} {_it_has(codes)}")


def _have(name: str, codes: Iterable[str]) -> str:
    return f"{name} writes {sentence_list(sorted(codes), most=_MOST)}"


def _it_has(codes: Iterable[str]) -> str:
    return f"it has {sentence_list(sorted(codes), most=_MOST)}"


_MOST = 120


def _folded(code: str) -> str:
    return code.lower().replace("-", "_").strip("_")


def _region(code: str) -> str:
    """Return what comes after the language, ``""`` where nothing does: ``latn``."""
    return _folded(code).partition("_")[2]


def _same(one: str, other: str) -> bool:
    return _tongue(one) == _tongue(other)


def _tongue(code: str) -> str:
    """Return a language in two letters where it has them: ``fr`` for ``fra_Latn`` and ``French``.

    Names are those that Whisper knows; three letters are of ISO 639-3, or 639-2 where they differ.
    """
    part = _folded(code).split("_")[0]
    return _TWO_LETTERS.get(part) or TO_LANGUAGE_CODE.get(part, part)


_TABLE = """
af:afr am:amh ar:ara/arb as:asm ast:ast ay:aym/ayr az:aze/azj ba:bak be:bel bg:bul bm:bam
bn:ben bo:bod/tib br:bre bs:bos ca:cat ceb:ceb cs:ces/cze cy:cym/wel da:dan de:deu/ger
el:ell/gre en:eng eo:epo es:spa et:est/ekk eu:eus/baq fa:fas/pes/per ff:ful/fuv fi:fin
fo:fao fr:fra/fre fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj ha:hau he:heb/iw hi:hin
hr:hrv ht:hat hu:hun hy:hye/arm id:ind ig:ibo is:isl/ice it:ita ja:jpn jv:jav ka:kat/geo
kk:kaz km:khm kn:kan ko:kor ku:kur/kmr ky:kir lb:ltz lg:lug ln:lin lo:lao lt:lit
lv:lav/lvs mg:mlg/plt mi:mri/mao mk:mkd/mac ml:mal mn:mon/khk mr:mar ms:msa/zsm/may
mt:mlt my:mya/bur ne:nep/npi nl:nld/dut nn:nno no:nor/nob/nb ny:nya oc:oci om:orm/gaz
or:ori/ory pa:pan pl:pol ps:pus/pbt pt:por qu:que/quy ro:ron/rum ru:rus rw:kin sa:san
sd:snd si:sin sk:slk/slo sl:slv sm:smo sn:sna so:som sq:sqi/als/alb sr:srp ss:ssw
st:sot su:sun sv:swe sw:swa/swh ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl/fil
tn:tsn tr:tur ts:tso tt:tat ug:uig uk:ukr ur:urd uz:uzb/uzn vi:vie wo:wol xh:xho
yi:yid/ydd yo:yor zh:zho/cmn/chi zu:zul
"""

_OTHER_WORDS = {
    entry.partition(":")[0]: entry.partition(":")[2].split("/") for entry in _TABLE.split()
}

_TWO_LETTERS = {word: two for two, words in _OTHER_WORDS.items() for word in words}

"""What goes before the model: its tokenizer, image processor, feature extractor or processor.

Each is loaded where its own files are. ``AutoTokenizer`` invents a tokenizer where they are not, so
that every word is unknown: that is never let through.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedTokenizerBase
from transformers.models.auto import processing_auto
from transformers.models.auto.tokenization_auto import (
    TOKENIZER_MAPPING_NAMES,
    tokenizer_class_from_name,
)

from hf_magics.display.words import one_line, sentence_list
from hf_magics.errors import HFMagicsError, SourceError, TokenizerError
from hf_magics.modeling import checkpoints, own_code
from hf_magics.modeling.checkpoints import Checkpoint
from hf_magics.modeling.damage import damaged_settings
from hf_magics.modeling.tokenizer_checks import check_made
from hf_magics.modeling.weights import embedding_rows
from hf_magics.paths import path_of

_TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "source.spm",
    "tekken.json",
)
_VOCABULARY_SUFFIXES = {".txt", ".json", ".model"}
_SPECIAL = re.compile(r"[\[<].*[\]>]")


def load_tokenizer(checkpoint: Checkpoint, *, trust_remote_code: bool = False) -> tuple[Any, str]:
    """Return the checkpoint's tokenizer, or None, and a note on what is odd about that.

    Raises:
        TokenizerError: Its files are there and can't be read.
    """
    if not checkpoint.gguf and not checkpoint.has("tokenizer_config.json", *_TOKENIZER_FILES):
        return None, ""
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            checkpoint.location, trust_remote_code=trust_remote_code, **checkpoint.arguments()
        )
    except Exception as error:
        if isinstance(error, ImportError):
            return None, f"the tokenizer was not loaded: {why(error)}"
        if "trust_remote_code" in str(error) and not trust_remote_code:
            raise TokenizerError(own_code.refusal(checkpoint.location)) from error
        why_not = damaged_settings(checkpoint) or one_line(error)
        raise TokenizerError(
            f"the tokenizer of '{checkpoint.location}' can't be loaded: {why_not}; "
            "--tokenizer SOURCE takes another"
        ) from error
    if _invented(tokenizer, checkpoint):
        return None, _NO_VOCABULARY
    check_made(tokenizer, checkpoint.location)
    return tokenizer, ""


def find_tokenizer(word: str, *, model_type: str, offline: bool = False) -> tuple[Any, str]:
    """Return the tokenizer at a hub id, a folder or a vocabulary file, and a note.

    Args:
        word: Where it is.
        model_type: The model that it is for: a bare vocabulary file says nothing of the algorithm.
        offline: Whether only the hub's cache may be read.

    Raises:
        TokenizerError: There is none, or it can't be read.
        SourceError: There is nothing at all.
    """
    path = path_of(word, SourceError)
    if path.is_file() and path.suffix in _VOCABULARY_SUFFIXES:
        return _from_file(path, model_type)
    checkpoint = checkpoints.find_files(word, offline=offline)
    tokenizer, note = load_tokenizer(checkpoint)
    if tokenizer is None:
        raise TokenizerError(note or f"'{word}' has no tokenizer: none of its files is there")
    return tokenizer, "; ".join(filter(None, (*checkpoint.notes, note)))


def parted(given: Any) -> tuple[Any, Any]:
    """Return the tokenizer and the processor that an object is, or has in it; None where none.

    An image processor and a feature extractor are processors without a tokenizer.
    """
    # by name: importing these classes takes a second, which texts have no need of
    kinds = {base.__name__ for base in type(given).__mro__}
    if "ProcessorMixin" in kinds:
        return getattr(given, "tokenizer", None), given
    return (None, given) if kinds & _PROCESSORS else (given, None)


_PROCESSORS = {"BaseImageProcessor", "BaseVideoProcessor", "FeatureExtractionMixin"}


def check_tokenizer(tokenizer: Any) -> None:
    """Refuse an object that is no tokenizer.

    Raises:
        TokenizerError: With what it is instead.
    """
    if tokenizer is not None and not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise TokenizerError(f"a tokenizer is needed, not {type(tokenizer).__name__}")


def load_processor(
    checkpoint: Checkpoint, model_type: str, *, trust_remote_code: bool = False
) -> tuple[Any, str]:
    """Return the image processor, feature extractor or processor, or None, and a note."""
    auto = _auto_processor(checkpoint, model_type)
    if auto is None:
        return None, ""
    try:
        return auto.from_pretrained(
            checkpoint.location, trust_remote_code=trust_remote_code, **checkpoint.arguments()
        ), ""
    except (ImportError, ValueError, OSError, KeyError) as error:
        return None, f"the {auto.__name__.removeprefix('Auto')} was not loaded: {why(error)}"


def size_note(tokenizer: Any, model: Any) -> str:
    """Return a note where the tokenizer has IDs that the model's embedding lacks."""
    rows = embedding_rows(model)
    if tokenizer is None or rows is None or len(tokenizer) <= rows:
        return ""
    return (
        f"the tokenizer has {len(tokenizer):,} entries and the model's embedding {rows:,}: tokens "
        f"from {rows:,} on can't be run (vocab_size={len(tokenizer)} makes room)"
    )


_NO_VOCABULARY = (
    "there is no vocabulary among its files, so it has no tokenizer: "
    "--tokenizer SOURCE gives it one"
)


_NEEDED = re.compile(r"(?:the )?(?:🤗 )?([\w -]+?)(?: library| >=|,|\.| and )")
_LACKING = re.compile(r"Missing optional dependencies: ([\w, -]+)")
_INSTALL = re.compile(r"pip\s+install\s+(?:-U )?([\w.\[\]-]+)")
_OTHER_NAMES = {"PIL": "pillow", "PyTorch": "torch", "faiss": "faiss-cpu"}


def why(error: Exception) -> str:
    """Return why something was not loaded; of packages that lack, how to install them.

    Transformers' own words for that are a paragraph a package.
    """
    text = one_line(error)
    listed = _LACKING.search(text)
    needed = {name: name.lower() for name in listed[1].split(", ")} if listed else {}
    for paragraph in text.split(" requires ")[1:] if isinstance(error, ImportError) else ():
        if name := _NEEDED.match(paragraph):
            needed[name[1]] = _to_install(paragraph, name[1])
    if not needed:
        return text
    commands = " ".join(dict.fromkeys(needed.values()))
    return f"it needs {sentence_list(needed)}: pip install {commands}"


def _to_install(paragraph: str, name: str) -> str:
    said = _INSTALL.search(paragraph)
    return said[1] if said else _OTHER_NAMES.get(name, name.lower())


def _invented(tokenizer: Any, checkpoint: Checkpoint) -> bool:
    """Say whether the class wants a vocabulary and none of its files is there."""
    wanted = set(type(tokenizer).vocab_files_names.values())
    return not checkpoint.gguf and bool(wanted) and not checkpoint.has(*wanted, *_TOKENIZER_FILES)


def _from_file(path: Path, model_type: str) -> tuple[Any, str]:
    try:
        if path.name.endswith("tokenizer.json"):
            tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(path))
            check_made(tokenizer, str(path.parent))
            return tokenizer, ""
        return _from_vocabulary(_tokenizer_class(model_type), path)
    except HFMagicsError:
        raise
    except Exception as error:
        raise TokenizerError(f"'{path}' is no vocabulary: {one_line(error)}") from error


def _tokenizer_class(model_type: str) -> Any:
    found = tokenizer_class_from_name(TOKENIZER_MAPPING_NAMES.get(model_type) or "")
    if found is None:
        raise TokenizerError(
            f"the type '{model_type}' has no tokenizer class that reads a vocabulary file: "
            "--tokenizer takes a folder with tokenizer.json, or a variable"
        )
    return found


def _from_vocabulary(tokenizer_class: Any, path: Path) -> tuple[Any, str]:
    if path.suffix != ".txt":
        return tokenizer_class(vocab=str(path)), ""
    entries = path.read_text(encoding="utf-8").splitlines()
    cased = any(entry != entry.lower() for entry in entries if not _SPECIAL.fullmatch(entry))
    tokenizer = tokenizer_class(vocab=str(path), do_lower_case=not cased)
    if not cased:
        return tokenizer, ""
    return (
        tokenizer,
        "the vocabulary has capital letters: text is not lower-cased (do_lower_case=False)",
    )


def _auto_processor(checkpoint: Checkpoint, model_type: str) -> Any:
    """Return the Auto class that reads the files which are there, None where there are none."""
    settings = checkpoint.read_json("preprocessor_config.json")
    if checkpoint.has("processor_config.json") or (
        settings
        and model_type in processing_auto.PROCESSOR_MAPPING_NAMES
        and checkpoint.has("tokenizer_config.json", *_TOKENIZER_FILES)  # a processor holds one
    ):
        return transformers.AutoProcessor
    if not settings:
        return None
    hears = "feature_extractor_type" in settings or "sampling_rate" in settings
    if hears and "image_processor_type" not in settings:
        return transformers.AutoFeatureExtractor
    return transformers.AutoImageProcessor

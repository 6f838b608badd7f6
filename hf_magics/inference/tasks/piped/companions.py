"""What a pipeline needs beside the model: found among what was loaded, never loaded again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import BaseImageProcessor, FeatureExtractionMixin, ProcessorMixin
from transformers.video_processing_utils import BaseVideoProcessor

from hf_magics.errors import InputError
from hf_magics.inference.tokenizing import need_tokenizer
from hf_magics.modeling.store import LoadedModel


@dataclass(frozen=True)
class Parts:
    """Arguments of ``pipeline``: as objects, and as the code that names them."""

    objects: dict[str, Any]
    expressions: dict[str, str]


_KINDS = {
    "image_processor": BaseImageProcessor,
    "video_processor": BaseVideoProcessor,
    "feature_extractor": FeatureExtractionMixin,
    "processor": ProcessorMixin,
}


def find_parts(loaded: LoadedModel, pipeline_class: Any) -> Parts:
    """Return what the class of a pipeline asks for, where the model has it.

    Raises:
        TokenizerError: It needs a tokenizer, and there is none.
        InputError: It needs a processor, and there is none.
    """
    objects, expressions = {}, {}
    for name in ("tokenizer", *_KINDS):
        wanted = getattr(pipeline_class, f"_load_{name}")
        if wanted is False:
            continue
        found, expression = _find(loaded, name)
        if found is not None:
            objects[name], expressions[name] = found, expression
        elif wanted:
            _refuse(loaded, name)
    return Parts(objects, expressions)


def image_processor(loaded: LoadedModel) -> Any:
    """Return the model's image processor, or that of its processor.

    Raises:
        InputError: It has none.
    """
    found, _ = _find(loaded, "image_processor")
    if found is None:
        _refuse(loaded, "image_processor")
    return found


def image_processor_name(loaded: LoadedModel) -> str:
    """Return how plain code names the image processor."""
    return _find(loaded, "image_processor")[1]


def sampling_rate(loaded: LoadedModel, pipeline_class: Any) -> int:
    """Return the samples a second that the model's feature extractor expects."""
    return int(find_parts(loaded, pipeline_class).objects["feature_extractor"].sampling_rate)


def _find(loaded: LoadedModel, name: str) -> tuple[Any, str]:
    if name == "tokenizer" and loaded.tokenizer is not None:
        return loaded.tokenizer, name
    processor = loaded.processor
    if isinstance(processor, _KINDS.get(name, ())):
        return processor, "processor"
    if isinstance(processor, ProcessorMixin):
        return getattr(processor, name, None), f"processor.{name}"
    return None, ""


def _refuse(loaded: LoadedModel, name: str) -> None:
    if name == "tokenizer":
        need_tokenizer(loaded)
    raise InputError(
        f"{loaded.name} has no {name.replace('_', ' ')}: load a checkpoint that comes with "
        "preprocessor_config.json, or give it one: "
        f"hf_magics.session['{loaded.name}'].processor = …"
    )

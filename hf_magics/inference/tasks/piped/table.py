"""The table of the tasks that go through a pipeline: what each reads, takes and shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from hf_magics.inference.answering.answer import Answer
from hf_magics.inference.answering.task import Request
from hf_magics.inference.tasks.piped import code, drawn, pages
from hf_magics.inference.tasks.piped.mechanism import Piped
from hf_magics.inference.tasks.piped.seen import Given, Seen
from hf_magics.snippets import Snippet


class ImageClassification(Piped):
    """Labels of an image."""

    name = "image-classification"
    options: ClassVar[tuple[str, ...]] = ("top_k",)
    sets: ClassVar[tuple[str, ...]] = ("function_to_apply",)

    def show(self, seen: Seen) -> Answer:
        """A row an image."""
        return pages.labels(seen)


class ZeroShotImageClassification(ImageClassification):
    """The labels of the line, each in a sentence that is compared with the image."""

    name = "zero-shot-image-classification"
    options = ("labels", "template")
    sets = ("tokenizer_kwargs",)


class VideoClassification(ImageClassification):
    """Labels of a video file."""

    name = "video-classification"
    takes = "video"
    sets = ("function_to_apply", "num_frames", "frame_sampling_rate")


class AudioClassification(ImageClassification):
    """Labels of a sound."""

    name = "audio-classification"
    takes = "sound"


class ObjectDetection(Piped):
    """Objects in an image, with their boxes."""

    name = "object-detection"
    sets = ("threshold",)

    def show(self, seen: Seen) -> Answer:
        """Draw the boxes."""
        return drawn.boxes(seen)


class ZeroShotObjectDetection(ObjectDetection):
    """Objects of the kinds that the line names."""

    name = "zero-shot-object-detection"
    options = ("labels", "top_k")


class ImageSegmentation(Piped):
    """The segments of an image."""

    name = "image-segmentation"
    sets = ("subtask", "threshold", "mask_threshold", "overlap_mask_area_threshold")

    def show(self, seen: Seen) -> Answer:
        """Tint the segments."""
        return drawn.masks(seen)


class MaskGeneration(Piped):
    """Every segment that a model finds, without labels."""

    name = "mask-generation"
    sets = (
        "points_per_batch",
        "points_per_crop",
        "crops_n_layers",
        "crop_overlap_ratio",
        "crop_n_points_downscale_factor",
        "pred_iou_thresh",
        "stability_score_thresh",
        "stability_score_offset",
        "mask_threshold",
        "max_hole_area",
        "max_sprinkle_area",
        "crops_nms_thresh",
    )

    def show(self, seen: Seen) -> Answer:
        """Tint the masks; the score is the overlap that the model expects."""
        return drawn.masks(drawn.from_masks(seen))


class DepthEstimation(Piped):
    """How far away each pixel is, in the model's own unit."""

    name = "depth-estimation"

    def show(self, seen: Seen) -> Answer:
        """Show the picture of the depth."""
        return drawn.depth(seen)


class KeypointMatching(Piped):
    """Points of two images that show the same."""

    name = "keypoint-matching"
    takes = "pair"
    sets = ("threshold",)

    def show(self, seen: Seen) -> Answer:
        """Draw lines between the points."""
        return drawn.matches(seen)


class SpeechRecognition(Piped):
    """Sound to text."""

    name = "automatic-speech-recognition"
    takes = "sound"
    options = ("max_new_tokens", "beams")
    sets = ("chunk_length_s", "stride_length_s", "return_timestamps", "return_language")
    writes = True

    def show(self, seen: Seen) -> Answer:
        """Show the text."""
        return pages.written(seen)


class ImageTextToText(Piped):
    """An image and a text to a text; through the chat template where the model has one."""

    name = "image-text-to-text"
    asks = "text"
    options = ("max_new_tokens", "beams")
    sets = ("stop_sequence",)
    writes = True

    def call(self, pipe: Callable[..., Any], given: Given, arguments: dict[str, Any]) -> Any:
        """Ask in a chat of one turn where there is a template: the pipeline warns otherwise."""
        if not _has_template(pipe):
            return super().call(pipe, given, arguments)
        image = {"type": "image", "image": given.value}
        turn = {"role": "user", "content": [image, {"type": "text", "text": given.question}]}
        return pipe(text=[turn], return_full_text=False, **arguments)

    def calling(self, request: Request, given: tuple[Given, ...]) -> Snippet:
        """Return the code of such a chat."""
        if not _has_template(request.loaded):
            return super().calling(request, given)
        return code.chatting(given, self.arguments(request))

    def show(self, seen: Seen) -> Answer:
        """Show the text beside its picture."""
        return pages.written(seen)


class DocumentQuestionAnswering(Piped):
    """A question on the picture of a document."""

    name = "document-question-answering"
    asks = "question"
    options = ("top_k",)
    sets = (
        "doc_stride",
        "max_answer_len",
        "max_seq_len",
        "max_question_len",
        "handle_impossible_answer",
        "lang",
        "tesseract_config",
        "padding",
        "word_boxes",
    )

    def show(self, seen: Seen) -> Answer:
        """Show the answers."""
        return pages.replies(seen)


class TableQuestionAnswering(Piped):
    """A question on a table."""

    name = "table-question-answering"
    takes = "table"
    asks = "query"
    sets = ("sequential", "padding", "truncation")

    def show(self, seen: Seen) -> Answer:
        """Show the answers and their cells."""
        return pages.replies(seen)


def _has_template(holder: Any) -> bool:
    return bool(getattr(holder.processor, "chat_template", None))


PIPED: tuple[Piped, ...] = (
    ImageClassification(),
    ZeroShotImageClassification(),
    VideoClassification(),
    AudioClassification(),
    ObjectDetection(),
    ZeroShotObjectDetection(),
    ImageSegmentation(),
    MaskGeneration(),
    DepthEstimation(),
    KeypointMatching(),
    SpeechRecognition(),
    ImageTextToText(),
    DocumentQuestionAnswering(),
    TableQuestionAnswering(),
)
"""One of each."""

"""Tasks and the Auto classes that have a head for them: plain strings, importing nothing.

A task with several classes takes the first that knows the architecture.
"""

from __future__ import annotations

TASKS: dict[str, tuple[str, ...]] = {
    "feature-extraction": ("AutoModel",),
    "pretraining": ("AutoModelForPreTraining",),
    "fill-mask": ("AutoModelForMaskedLM",),
    "text-generation": ("AutoModelForCausalLM",),
    "text2text-generation": ("AutoModelForSeq2SeqLM",),
    "summarization": ("AutoModelForSeq2SeqLM",),
    "translation": ("AutoModelForSeq2SeqLM",),
    "text-classification": ("AutoModelForSequenceClassification",),
    "sentiment-analysis": ("AutoModelForSequenceClassification",),
    "zero-shot-classification": ("AutoModelForSequenceClassification",),
    "token-classification": ("AutoModelForTokenClassification",),
    "ner": ("AutoModelForTokenClassification",),
    "question-answering": ("AutoModelForQuestionAnswering",),
    "multiple-choice": ("AutoModelForMultipleChoice",),
    "next-sentence-prediction": ("AutoModelForNextSentencePrediction",),
    "text-encoding": ("AutoModelForTextEncoding",),
    "table-question-answering": ("AutoModelForTableQuestionAnswering",),
    "document-question-answering": ("AutoModelForDocumentQuestionAnswering",),
    "visual-question-answering": ("AutoModelForVisualQuestionAnswering",),
    "image-text-to-text": ("AutoModelForImageTextToText",),
    "any-to-any": ("AutoModelForMultimodalLM",),
    "image-classification": ("AutoModelForImageClassification",),
    "zero-shot-image-classification": ("AutoModelForZeroShotImageClassification",),
    "image-segmentation": (
        "AutoModelForImageSegmentation",
        "AutoModelForSemanticSegmentation",
        "AutoModelForUniversalSegmentation",
        "AutoModelForInstanceSegmentation",
    ),
    "object-detection": ("AutoModelForObjectDetection",),
    "zero-shot-object-detection": ("AutoModelForZeroShotObjectDetection",),
    "depth-estimation": ("AutoModelForDepthEstimation",),
    "keypoint-detection": ("AutoModelForKeypointDetection",),
    "keypoint-matching": ("AutoModelForKeypointMatching",),
    "mask-generation": ("AutoModelForMaskGeneration",),
    "masked-image-modeling": ("AutoModelForMaskedImageModeling",),
    "image-to-image": ("AutoModelForImageToImage",),
    "image-matting": ("AutoModelForImageMatting",),
    "normal-estimation": ("AutoModelForNormalEstimation",),
    "pointmap-estimation": ("AutoModelForPointmapEstimation",),
    "pose-estimation": ("AutoModelForPoseEstimation",),
    "text-recognition": ("AutoModelForTextRecognition",),
    "table-recognition": ("AutoModelForTableRecognition",),
    "video-classification": ("AutoModelForVideoClassification",),
    "audio-classification": ("AutoModelForAudioClassification",),
    "audio-frame-classification": ("AutoModelForAudioFrameClassification",),
    "audio-xvector": ("AutoModelForAudioXVector",),
    "audio-tokenization": ("AutoModelForAudioTokenization",),
    "automatic-speech-recognition": (
        "AutoModelForSpeechSeq2Seq",
        "AutoModelForCTC",
        "AutoModelForRNNT",
        "AutoModelForTDT",
    ),
    "text-to-audio": ("AutoModelForTextToWaveform", "AutoModelForTextToSpectrogram"),
    "time-series-prediction": ("AutoModelForTimeSeriesPrediction",),
    "backbone": ("AutoBackbone",),
}
"""Task → Auto classes: pipeline's names for tasks, and the Auto classes' own words for the rest."""

AUTO_CLASSES = tuple(dict.fromkeys(name for names in TASKS.values() for name in names))
"""Every Auto class that a task names, each once."""

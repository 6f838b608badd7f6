"""Tiny checkpoints that see, each a folder with its processor, as the hub has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    BlipProcessor,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessorPil,
    LayoutLMConfig,
    LayoutLMForQuestionAnswering,
    OwlViTConfig,
    OwlViTForObjectDetection,
    OwlViTImageProcessorPil,
    OwlViTProcessor,
    SamConfig,
    SamImageProcessorPil,
    SamModel,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SegformerImageProcessorPil,
    SuperGlueConfig,
    SuperGlueForKeypointMatching,
    SuperGlueImageProcessorPil,
    TapasConfig,
    TapasForQuestionAnswering,
    TapasTokenizer,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    YolosConfig,
    YolosForObjectDetection,
    YolosImageProcessorPil,
)

from tests.inference.tasks.training import SPECIAL, train

VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
SIDE = {"height": 32, "width": 32}
LABELS = {"id2label": {0: "red", 1: "blue", 2: "green"}}


def scene() -> Image.Image:
    """A picture with a red and a blue half."""
    image = Image.new("RGB", (64, 48), "red")
    ImageDraw.Draw(image).rectangle((32, 0, 64, 48), fill="blue")
    return image


def colours(folder: Path) -> str:
    """An image classifier that has learned to tell red, blue and green apart."""
    torch.manual_seed(0)
    model = ViTForImageClassification(ViTConfig(**VISION, **LABELS))
    processor = ViTImageProcessorPil(size=SIDE)
    images = [Image.new("RGB", (32, 32), name) for name in LABELS["id2label"].values()]
    batch = processor(images=images, return_tensors="pt")
    train(model, {**batch, "labels": torch.arange(3)}, steps=20)
    return saved(folder, model, processor)


def detector(folder: Path) -> str:
    vision = {**VISION, "image_size": [32, 32], "num_detection_tokens": 5}
    model = YolosForObjectDetection(YolosConfig(**vision, **LABELS))
    return saved(folder, model, YolosImageProcessorPil(size=SIDE))


def segmenter(folder: Path) -> str:
    config = SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[16, 16],
        patch_sizes=[3, 3],
        strides=[2, 2],
        num_attention_heads=[1, 1],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
        **LABELS,
    )
    model = SegformerForSemanticSegmentation(config)
    return saved(folder, model, SegformerImageProcessorPil(size=SIDE))


def deep(folder: Path) -> str:
    config = DPTConfig(
        **{**VISION, "num_hidden_layers": 4},
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
    )
    return saved(folder, DPTForDepthEstimation(config), DPTImageProcessorPil(size=SIDE))


def clip(folder: Path) -> str:
    config = CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=16)
    processor = CLIPProcessor(CLIPImageProcessorPil(size=SIDE, crop_size=SIDE), clip_words(folder))
    return saved(folder, CLIPModel(config), processor)


def owl(folder: Path) -> str:
    config = OwlViTConfig(text_config=TEXT, vision_config=VISION, projection_dim=32)
    processor = OwlViTProcessor(OwlViTImageProcessorPil(size=SIDE), clip_words(folder))
    return saved(folder, OwlViTForObjectDetection(config), processor)


TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 64,
    "max_position_embeddings": 32,
    "bos_token_id": 52,
    "eos_token_id": 53,
    "pad_token_id": 53,
}


def clip_words(folder: Path) -> CLIPTokenizer:
    letters = "abcdefghijklmnopqrstuvwxyz"
    entries = [*letters, *(f"{one}</w>" for one in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(exist_ok=True)
    vocabulary = {word: at for at, word in enumerate(entries)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), model_max_length=32
    )


def table_reader(folder: Path) -> str:
    words = [*SPECIAL, "[EMPTY]", "city", "people", "rome", "oslo", "3", "1", "how", "many", "?"]
    folder.mkdir(exist_ok=True)
    file = folder / "vocab.txt"
    file.write_text("\n".join(words) + "\n", encoding="utf-8")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = TapasConfig(vocab_size=len(words), intermediate_size=32, **sizes)
    return saved(folder, TapasForQuestionAnswering(config), TapasTokenizer(str(file)))


def words(folder: Path, *more: str) -> BertTokenizer:
    folder.mkdir(exist_ok=True)
    file = folder / "vocab.txt"
    file.write_text("\n".join([*SPECIAL, *more]) + "\n", encoding="utf-8")
    return BertTokenizer(str(file), model_max_length=64)


def saved(folder: Path, model: Any, *companions: Any) -> str:
    torch.manual_seed(0)
    model.eval().save_pretrained(folder)
    for one in companions:
        one.save_pretrained(folder)
    return str(folder)


def document_reader(folder: Path) -> str:
    """A LayoutLM, which reads words and boxes."""
    tokenizer = words(folder, "total", "is", "seven", "what", "the")
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LayoutLMConfig(vocab_size=len(tokenizer), intermediate_size=32, **sizes)
    return saved(folder, LayoutLMForQuestionAnswering(config), tokenizer)


def captioner(folder: Path) -> str:
    """A BLIP, which writes a text for an image."""
    tokenizer = words(folder, "a", "red", "blue", "picture", "of")
    text = {**TEXT, "vocab_size": len(tokenizer), "bos_token_id": 2, "eos_token_id": 3}
    text |= {"sep_token_id": 3, "pad_token_id": 0, "encoder_hidden_size": 32}
    config = BlipConfig(text_config=text, vision_config=VISION, projection_dim=16)
    processor = BlipProcessor(BlipImageProcessorPil(size=SIDE), tokenizer)
    return saved(folder, BlipForConditionalGeneration(config), processor)


def finder(folder: Path) -> str:
    """A SAM, which finds masks."""
    vision = {**VISION, "image_size": 64, "patch_size": 16, "output_channels": 16}
    vision |= {"mlp_dim": 32, "num_pos_feats": 8, "global_attn_indexes": [0, 1], "window_size": 2}
    prompt = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 4}
    decoder = {
        "hidden_size": 16,
        "mlp_dim": 16,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 16,
    }
    config = SamConfig(
        vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder
    )
    sizes = {"size": {"longest_edge": 64}, "pad_size": {"height": 64, "width": 64}}
    return saved(folder, SamModel(config), SamImageProcessorPil(**sizes))


def matcher(folder: Path) -> str:
    """A SuperGlue, which matches points."""
    points = {
        "encoder_hidden_sizes": [8, 8, 8, 8],
        "decoder_hidden_size": 8,
        "keypoint_decoder_dim": 65,
        "descriptor_decoder_dim": 16,
        "max_keypoints": 8,
        "keypoint_threshold": 0.0,
        "border_removal_distance": 0,
        "model_type": "superpoint",
    }
    config = SuperGlueConfig(
        keypoint_detector_config=points,
        hidden_size=16,
        keypoint_encoder_sizes=[8, 16],
        gnn_layers_types=["self", "cross"],
        num_attention_heads=2,
        matching_threshold=0.0,
    )
    return saved(
        folder, SuperGlueForKeypointMatching(config), SuperGlueImageProcessorPil(size=SIDE)
    )

"""A tiny checkpoint that watches films, and a film."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import torch
from transformers import (
    VideoMAEConfig,
    VideoMAEForVideoClassification,
    VideoMAEImageProcessorPil,
)

from tests.inference.tasks.seeing import VISION, saved


def film(folder: Path) -> str:
    """Sixteen frames, red first and then blue."""
    path = folder / "film.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(16):
            frame = np.zeros((32, 32, 3), np.uint8)
            frame[..., 0 if number < 8 else 2] = 200
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        file.mux(stream.encode())
    return str(path)


def watcher(folder: Path) -> str:
    """A video classifier with random weights."""
    torch.manual_seed(0)
    config = VideoMAEConfig(**VISION, num_frames=4, id2label={0: "reddens", 1: "turns blue"})
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    model = VideoMAEForVideoClassification(config)
    return saved(folder, model, VideoMAEImageProcessorPil(**sizes))

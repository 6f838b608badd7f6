"""OpenVINO: an encoder's forward pass, compiled for this CPU."""

from __future__ import annotations

from hf_magics.engines.openvino.loading import load

__all__ = ["load"]

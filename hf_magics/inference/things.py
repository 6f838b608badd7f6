"""Images, sounds and tables: a value or a path to what a pipeline takes."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hf_magics.display.words import nearest, one_line
from hf_magics.errors import InputError
from hf_magics.optional import optional
from hf_magics.paths import path_of


def as_path(text: str | Path) -> Path:
    """Return the path of a file that is there.

    Raises:
        InputError: It is an address, a folder, or there is no such file.
    """
    if str(text).startswith(("http://", "https://")):
        raise InputError(f"'{text}' is an address: download the file first, and give its path")
    try:
        path = path_of(text)
    except InputError as error:
        raise InputError(f"{error}; {_READS_PATHS}") from error
    if path.is_file():
        return path
    if path.is_dir():
        raise InputError(f"'{path}' is a folder: give the path of a file in it")
    siblings = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    raise InputError(f"there is no file '{path}'{nearest(path.name, siblings) or _OR_VARIABLE}")


_READS_PATHS = "the task reads paths of files, one a line, or -i VAR"
_OR_VARIABLE = f": {_READS_PATHS}"


def as_image(thing: Any) -> Image.Image:
    """Return a PIL image, an array of bytes, a tensor or a file as an upright RGB image.

    Raises:
        InputError: It is none.
    """
    if isinstance(thing, Image.Image):
        return ImageOps.exif_transpose(thing).convert("RGB")
    if isinstance(thing, (str, Path)):
        return _from_file(as_path(thing))
    if str(getattr(thing, "dtype", "")).endswith("uint8"):
        pixels = np.asarray(thing)
        return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
    raise InputError(
        "an image is needed: a path, a PIL image or an array of bytes, height × width × 3; this is "
        f"{type(thing).__name__}"
    )


def _from_file(path: Path) -> Image.Image:
    try:
        with Image.open(path) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError as error:
        raise InputError(f"'{path}' is no image that Pillow can read") from error
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"'{path}' can't be read as an image: {one_line(error)}") from error


def as_sound(thing: Any, rate: int) -> Any:
    """Return what a pipeline takes for a sound.

    A vector is taken to have the model's sampling rate; of a WAV file in 16 bits that has it, the
    mean of its channels is read here; any other file is left to the pipeline's ffmpeg.

    Args:
        thing: A vector of floats, a dictionary of one and its ``sampling_rate``, or a path.
        rate: The sampling rate of the model's feature extractor, in hertz.

    Raises:
        InputError: It is no sound, or can't be read without ffmpeg.
    """
    if isinstance(thing, Mapping):
        return _at_rate(thing, rate)
    if not isinstance(thing, (str, Path)):
        sound = np.asarray(thing)
        if sound.ndim != 1 or sound.dtype.kind != "f":
            raise InputError(
                "a sound is needed: a path, or a vector of floats from -1 to 1 at "
                f"{rate:,} Hz; this is {type(thing).__name__}"
            )
        return sound.astype(np.float32)
    path = as_path(thing)
    if is_wave(path, rate):
        return _from_wave(path)
    if shutil.which("ffmpeg") is None:
        raise InputError(
            f"'{path}' is no WAV file in 16 bits at {rate:,} Hz: others are read by ffmpeg, which "
            "is not installed"
        )
    return str(path)


def is_wave(path: Path, rate: int) -> bool:
    """Say whether a file is WAV in 16 bits with so many samples a second."""
    try:
        with wave.open(str(path)) as file:
            return (file.getsampwidth(), file.getframerate()) == (2, rate)
    except (OSError, EOFError, wave.Error):
        return False


def _at_rate(thing: Mapping[str, Any], rate: int) -> Any:
    if thing["sampling_rate"] != rate:
        return dict(thing)  # the pipeline resamples it, or says what it needs for that
    return np.asarray(thing["array"] if "array" in thing else thing["raw"], dtype=np.float32)


def _from_wave(path: Path) -> Any:
    with wave.open(str(path)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        channels = file.getnchannels()
    return frames.reshape(-1, channels).mean(axis=1, dtype=np.float32) / np.float32(32768)


def as_table(thing: Any) -> Any:
    """Return a table, or a CSV file, as a pandas table of strings.

    Raises:
        InputError: It is none.
        MissingExtraError: A path was given, and pandas is not installed.
    """
    if isinstance(thing, (str, Path)):
        path = as_path(thing)
        pandas = optional("pandas", extra="data")
        try:
            thing = pandas.read_csv(path)
        except (ValueError, OSError) as error:
            raise InputError(f"'{path}' is no CSV file: {one_line(error)}") from error
    if not hasattr(thing, "columns"):
        raise InputError(
            f"a table is needed: a pandas table or a CSV file; this is {type(thing).__name__}"
        )
    return thing.astype(str).reset_index(drop=True)

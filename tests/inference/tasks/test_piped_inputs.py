"""What the tasks of a pipeline read and refuse: images, sounds, tables, paths of them."""

import importlib.util
import shutil
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from transformers import pipeline

import hf_magics as hf
from hf_magics.errors import (
    InputError,
    MissingExtraError,
    OptionError,
    TokenizerError,
)
from tests.inference.tasks import hearing, seeing, watching
from tests.inference.tasks.piping import best, run_code, same

IMAGE, SOUND = seeing.scene(), hearing.tone()


def test_a_trained_model_names_the_colours(load_tiny, tmp_path):
    """The label is right, for an image, an array, a tensor, a grey array and paths."""
    load_tiny("colours")
    red = np.zeros((48, 64, 3), dtype=np.uint8)
    red[..., 0] = 255
    Image.new("RGB", (64, 48), "blue").save(tmp_path / "blue.png")
    assert best(hf.infer(Image.new("RGB", (9, 9), "green"))) == ("green",)
    assert best(hf.infer(red)) == ("red",)
    assert best(hf.infer(torch.from_numpy(red))) == ("red",)
    assert len(best(hf.infer(red[..., 0]))) == 1
    path = tmp_path / "blue.png"
    assert best(hf.infer(path)) == ("blue",)
    mixed = hf.infer([str(path), str(path)])
    assert best(mixed) == ("blue", "blue")
    assert [row["name"] for row in mixed.records() if row["rank"] == 1] == ["blue.png"] * 2
    assert mixed.df["prob"].max() > 0.9
    assert run_code(mixed.code)["answers"][0][0]["label"] == "blue"
    assert run_code(hf.infer(red, variable="red").code, red=red)["answers"][0][0]["label"] == "red"


def test_a_table_is_asked(load_tiny, tmp_path):
    """A table or a CSV file with its question, in a tuple, by a tab or for all inputs."""
    where = load_tiny("table_reader")
    table = pd.DataFrame({"city": ["rome", "oslo"], "people": [3, 1]})
    file = tmp_path / "cities.csv"
    table.to_csv(file, index=False)
    asked = "how many people ?"
    expected = pipeline("table-question-answering", model=where)(table.astype(str), query=asked)
    for value, line in (
        (table, {"set": {"question": asked}}),
        ([(table, asked)], {}),
        (f"{file}\t{asked}", {}),
        (file, {"set": {"question": asked}}),
    ):
        result = hf.infer(value, variable="value", **line)
        assert best(result) == (expected["answer"],)
        assert run_code(result.code, value=value)["answers"] == [expected]
    with pytest.raises(InputError, match="needs a question"):
        hf.infer(table)


def test_two_images_are_matched(load_tiny, tmp_path):
    """A pair of images, as a tuple or as two paths with a tab between; one image is refused."""
    where = load_tiny("matcher")
    expected = pipeline("keypoint-matching", model=where)([IMAGE, IMAGE])
    result = hf.infer([(IMAGE, IMAGE)], variable="pairs")
    assert [row["prob"] for row in result.records()] == pytest.approx(
        [one["score"] for one in expected]
    )
    assert same(run_code(result.code, pairs=[(IMAGE, IMAGE)])["answers"], [expected])
    IMAGE.save(tmp_path / "a.png")
    path = tmp_path / "a.png"
    assert same(run_code(hf.infer(f"{path}\t{path}").code)["answers"], [expected])
    with pytest.raises(InputError, match="two are compared"):
        hf.infer(IMAGE)


def test_sounds_come_as_files_dictionaries_and_vectors(load_tiny, tmp_path):
    """A WAV file gives what its samples give; a vector's rate is said to be assumed."""
    load_tiny("listener")
    plain = hf.infer(SOUND)
    assert "16,000 samples a second" in repr(plain)
    rated = hf.infer({"array": SOUND, "sampling_rate": 16_000})
    assert rated.records() == plain.records()
    assert "samples a second" not in repr(rated)
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((SOUND * 32767).astype("<i2").tobytes())
    read = hf.infer(str(path))
    assert read.records()[0]["prob"] == pytest.approx(plain.records()[0]["prob"], abs=1e-3)
    answers = run_code(read.code)["answers"]
    assert answers[0][0]["score"] == pytest.approx(read.records()[0]["prob"], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "line", "error", "said"),
    [
        ("colours", {"set": {"treshold": 1}}, OptionError, "no --set treshold"),
        ("detector", {"set": {"treshold": 1}}, OptionError, "did you mean 'threshold'?"),
        ("colours", {"top_k": 0}, OptionError, "--top-k 0"),
        ("colours", {"labels": "a,b"}, OptionError, "takes no --labels"),
        ("clip", {}, OptionError, "--labels cat,dog"),
        ("clip", {"labels": "a", "template": "a photo"}, OptionError, "in the place of the label"),
        ("captioner", {}, InputError, "needs a question"),
        ("finder", {"set": {"points_per_crop": 2}}, MissingExtraError, "pip install torchvision"),
    ],
)
def test_what_a_line_can_not_ask_is_refused(load_tiny, name, line, error, said):
    """One line that names the option and says what to type."""
    load_tiny(name)
    with pytest.raises(error) as caught:
        hf.infer(IMAGE, **line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_paths_that_hold_no_image_are_named(load_tiny, tmp_path):
    """A missing file, a folder, an address and a text file each have their line."""
    load_tiny("colours")
    IMAGE.save(tmp_path / "scene.png")
    (tmp_path / "notes.png").write_text("no image", encoding="utf-8")
    for text, said in (
        (f"{tmp_path}/scen.png", "did you mean 'scene.png'?"),
        (f"{tmp_path}/notes.png", "is no image that Pillow can read"),
        (str(tmp_path), "is a folder"),
        ("https://example.org/cat.png", "download the file first"),
        ("I like this film", "reads paths of files"),
        ("long " * 2000, "is no path"),
        ("~nobody_at_all/cat.png", "is no path"),
    ):
        with pytest.raises(InputError) as caught:
            hf.infer(text)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_model_without_a_processor_says_so(load_tiny, session, tiny_folder, tmp_path):
    """It names what is missing and how to give it; then it runs."""
    bare = tmp_path / "bare"
    shutil.copytree(tiny_folder("colours"), bare)
    (bare / "preprocessor_config.json").unlink()
    hf.load(str(bare), name="bare")
    with pytest.raises(InputError, match=r"hf_magics\.session\['bare'\]\.processor"):
        hf.infer(IMAGE)
    load_tiny("colours")
    session["bare"].processor = session["colours"].processor
    assert best(hf.infer(IMAGE, model="bare")) == best(hf.infer(IMAGE, model="colours"))
    hearer = tmp_path / "hearer"
    shutil.copytree(tiny_folder("hearer"), hearer)
    for file in ("vocab.json", "tokenizer_config.json", "special_tokens_map.json"):
        Path(hearer / file).unlink(missing_ok=True)
    hf.load(str(hearer), name="mute")
    with pytest.raises(TokenizerError, match="mute has no tokenizer"):
        hf.infer(SOUND)


def test_other_models_take_no_things(session):
    """A text model names what it was given; of a table it takes a column."""
    hf.new("bert", hidden_size=32, num_attention_heads=2, num_hidden_layers=1)
    for value, said in (
        (IMAGE, "not an image"),
        (SOUND, "not a sound"),
        (pd.DataFrame({"text": ["a"]}), "a Series, such as -i df.text"),
    ):
        with pytest.raises(InputError) as caught:
            hf.infer(value)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_in_a_notebook_cell(load_tiny, shell, tmp_path):
    """Lines of a cell are paths; -i takes the notebook's images; -o keeps the outputs."""
    IMAGE.save(tmp_path / "scene.png")
    load_tiny("colours")
    result = shell.run(f"%%hf_infer --top-k 1\n{tmp_path}/scene.png\n{tmp_path}/scene.png")
    assert [row["name"] for row in result.records()] == ["scene.png", "scene.png"]
    shell.names["photo"] = IMAGE
    assert shell.run("%hf_infer -i photo -o seen") is not None
    assert shell.names["seen"].outputs.logits.shape == (1, 3)
    assert "inputs = [photo]" in shell.names["seen"].code
    assert "no file" in shell.error("%hf_infer nowhere.png")
    load_tiny("clip")
    result = shell.run("%hf_infer -i photo --labels cat,dog --template 'a {}'")
    assert result.task == "zero-shot-image-classification"
    load_tiny("detector")
    assert shell.run("%hf_infer -i photo --set threshold=0.1").records()
    load_tiny("captioner")
    result = shell.run('%hf_infer -i photo --set question="a picture of" --max-new-tokens 3')
    assert len(result.text) == 1


def test_a_video_is_labelled(session, tmp_path):
    """As the pipeline does; the script reads the same file. What is no video is a line."""
    hf.load(watching.watcher(tmp_path / "watcher"), name="m")
    film = watching.film(tmp_path)
    result = hf.infer(film)
    (expected,) = [pipeline("video-classification", model=str(tmp_path / "watcher"))(film)]
    assert same(run_code(result.code)["answers"], [expected])
    assert [(row["label"], pytest.approx(row["prob"], abs=1e-5)) for row in result.records()] == [
        (one["label"], one["score"]) for one in expected
    ]
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(InputError, match=r"film\.mp4"):
        hf.infer(film)


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="it is here")
def test_masks_need_a_package(load_tiny):
    """Without the package that finds masks the line names it."""
    load_tiny("finder")
    with pytest.raises(MissingExtraError, match="pip install torchvision"):
        hf.infer(seeing.scene(), task="mask-generation")

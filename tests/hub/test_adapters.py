"""Adapters on a hub: put on by their id, from the cache as well, and never where nobody asked."""

from __future__ import annotations

import ast
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from transformers import BertForMaskedLM

from tests.hub.checkpoints import digest
from tests.hub.children import Cell, one_line, page, run_magics

pytest.importorskip("peft")
from tests.modeling.lora import adapter_folder, by_peft

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

TINY, LORA, BESIDE = "org/tiny-bert", "org/lora", "org/beside"
BEGIN = "import hf_magics as hf; from tests.hub.checkpoints import digest; s = hf.session"
WEIGHTS = "digest(s.current.model)"


@pytest.fixture
def folders(hub, checkpoints, tmp_path) -> dict[str, Path]:
    """What the hub serves besides: an adapter, and a model with a hostile one beside its weights."""
    tiny = checkpoints["main"]
    lora = adapter_folder(tmp_path / "lora", BertForMaskedLM.from_pretrained(tiny))
    path = lora / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": TINY}))
    beside = shutil.copytree(tiny, tmp_path / "beside")
    for one in lora.iterdir():
        shutil.copy(one, beside / one.name)
    path = beside / "adapter_config.json"
    other = {"base_model_name_or_path": "org/elsewhere"}
    path.write_text(json.dumps(json.loads(path.read_text()) | other))
    hub.add(LORA, lora)
    hub.add(BESIDE, beside)
    hub.add("org/elsewhere", checkpoints["v1"])
    return {"tiny": tiny, "lora": lora}


def value(cell: Cell) -> object:
    return ast.literal_eval(page(cell))


def test_an_adapter_is_put_on_by_its_id(hub, hub_env, folders):
    """The values of peft, the commit on the page and in the code; then without the hub."""
    line = f"%hf_load {TINY} --adapter {LORA} -n tuned"
    cells = run_magics(
        [BEGIN, line, WEIGHTS, "s.steps[-1].code", line, f"%hf_load {LORA}"], hub_env
    )
    wanted = by_peft(BertForMaskedLM.from_pretrained(folders["tiny"]), folders["lora"])
    shown, code = page(cells[1]), value(cells[3])
    assert value(cells[2]) == digest(wanted.get_base_model())
    assert f"adapter from  {LORA}" in shown
    assert hub.commit(LORA) in shown
    assert "Warning" not in shown
    call = f'PeftModel.from_pretrained( model, "{LORA}", revision="{hub.commit(LORA)}", )'
    assert call in " ".join(code.split())
    assert "already loaded" in page(cells[4])
    assert f"%hf_load {TINY} --adapter {LORA}" in one_line(cells[5])
    hub.stop()
    try:
        again = run_magics([BEGIN, f"{line} --offline", WEIGHTS], hub_env)
    finally:
        hub.start()
    assert value(again[2]) == value(cells[2])


def test_a_repository_leads_nowhere_else(hub, hub_env, folders):
    """An adapter beside the weights is left alone, and the base that it names is not asked for."""
    cells = run_magics([BEGIN, f"%hf_load {BESIDE}", WEIGHTS], hub_env)
    assert value(cells[2]) == digest(BertForMaskedLM.from_pretrained(folders["tiny"]))
    assert "which was not put on" in page(cells[1])
    assert not [path for _, path in hub.requests if "elsewhere" in path]

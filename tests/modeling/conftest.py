"""What the tests of the modeling wing share."""

import shutil

import pytest

import hf_magics as hf_package
from tests.modeling.tiny import bert_folder


@pytest.fixture
def hf(session):
    """The verbs, on an empty session."""
    return hf_package


@pytest.fixture(scope="session")
def masked_bert(tmp_path_factory):
    """A folder with a tiny BertForMaskedLM and no tokenizer; not to be written to."""
    return bert_folder(tmp_path_factory.mktemp("checkpoints") / "masked-bert")


@pytest.fixture
def own_bert(masked_bert, tmp_path):
    """A copy of the tiny BertForMaskedLM that a test may change."""
    return shutil.copytree(masked_bert, tmp_path / "bert")


@pytest.fixture(scope="session")
def sorter(tmp_path_factory):
    """The folders of a BERT with three labels and of an adapter for it; not to be written to."""
    from transformers import BertForSequenceClassification

    from tests.modeling.lora import adapter_folder, sorter_folder  # needs peft

    base = sorter_folder(tmp_path_factory.mktemp("sorter") / "base")
    model = BertForSequenceClassification.from_pretrained(base)
    return base, adapter_folder(base.parent / "lora", model, task_type="SEQ_CLS")

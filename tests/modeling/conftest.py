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

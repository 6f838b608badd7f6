"""Which class a model gets: from a task, a class name, or its config."""

import pytest
import transformers

from hf_magics.errors import ConfigError, HeadError
from tests.modeling.tiny import BERT


def test_an_unknown_type_names_the_nearest(hf):
    """A misspelt type is refused with the one that was meant."""
    with pytest.raises(ConfigError, match="no model type 'brt'; did you mean 'bert'"):
        hf.new("brt")


@pytest.mark.parametrize(
    ("words", "class_name"),
    [
        ({"task": "fill-mask"}, "BertForMaskedLM"),
        ({"task": "text-classification", "num_labels": "5"}, "BertForSequenceClassification"),
        ({"class_": "BertForTokenClassification"}, "BertForTokenClassification"),
        ({"class_": "AutoModelForQuestionAnswering"}, "BertForQuestionAnswering"),
        ({}, "BertModel"),
    ],
)
def test_the_head_is_the_one_that_was_asked_for(hf, words, class_name):
    """A task, a class or an Auto class chooses the head; without them it is the base class."""
    made = hf.new("bert", **BERT, **words)
    assert type(made.model) is getattr(transformers, class_name)
    if "num_labels" in words:
        assert made.model.classifier.out_features == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"task": "fil-mask"}, "no task 'fil-mask'; did you mean 'fill-mask'"),
        ({"task": "image-classification"}, "'bert' has no head for image-classification; .*fill-mask"),
        ({"class_": "BertModl"}, "no class 'BertModl'; did you mean 'BertModel'"),
        ({"class_": "GPT2Model"}, "GPT2Model is no class for a bert"),
        ({"class_": "BertTokenizer"}, "'BertTokenizer' is not a model class"),
    ],
)  # fmt: skip
def test_a_head_that_there_is_not_is_named(hf, words, message):
    """A wrong task or class is one line with what there is."""
    with pytest.raises(HeadError, match=message):
        hf.new("bert", **BERT, **words)

"""Languages: a model is told them in its own terms, and an unknown one is an error that lists them."""

import pytest
import torch
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    MBartConfig,
    MBartForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)

import hf_magics as hf
from hf_magics.errors import InputError, OptionError
from tests.home import run_home
from tests.inference.plain import notes
from tests.inference.tasks import languages
from tests.inference.tasks.languages import PREFIXES, SMALL, TINY

ASKED = {"task": "translation", "max_new_tokens": 4}


def put(session, model_class, config_class, tokenizer, **fields):
    """Put an untrained model with this tokenizer into the session as ``m``."""
    torch.manual_seed(0)
    fields = {**TINY, "vocab_size": max(tokenizer.get_vocab().values()) + 1, **fields}
    hf.add(model_class(config_class(**fields)).eval(), tokenizer, "m")
    return session["m"]


@pytest.fixture
def mbart50(session):
    tokenizer = languages.mbart50_tokenizer()
    return put(session, MBartForConditionalGeneration, MBartConfig, tokenizer)


@pytest.fixture
def nllb(session):
    tokenizer = languages.nllb_tokenizer()
    return put(session, M2M100ForConditionalGeneration, M2M100Config, tokenizer)


@pytest.fixture
def m2m(session, tmp_path):
    tokenizer = languages.m2m_tokenizer(tmp_path)
    size = max(tokenizer.id_to_lang_token) + 1  # beyond those of its vocabulary
    return put(session, M2M100ForConditionalGeneration, M2M100Config, tokenizer, vocab_size=size)


@pytest.fixture
def marian(session, tmp_path):
    """Makes a Marian model whose vocabulary has these marks."""

    def make(*marks, target="fr"):
        tokenizer = languages.marian_tokenizer(tmp_path, *marks, target=target)
        pad = tokenizer.pad_token_id
        more = {"pad_token_id": pad, "decoder_start_token_id": pad, "eos_token_id": 0}
        more |= {"forced_eos_token_id": 0}
        return put(session, MarianMTModel, MarianConfig, tokenizer, **more)

    return make


def generated(loaded, text, *, source, **arguments):
    """The plain lines of transformers: the source set, then generate."""
    before = loaded.tokenizer.src_lang
    loaded.tokenizer.src_lang = source
    inputs = loaded.tokenizer(text, return_tensors="pt")
    loaded.tokenizer.src_lang = before
    with torch.inference_mode():
        return loaded.model.generate(**inputs, max_new_tokens=4, **arguments)


def check_code(loaded, result):
    names = run_home(result.code, m=loaded.model, tokenizer=loaded.tokenizer)
    assert torch.equal(names["outputs"].sequences, result.outputs.sequences)
    assert names["texts"] == result.text


@pytest.mark.parametrize("to", ["fr", "fr_XX", "FR-xx", "fra", "French"])
def test_mbart50_is_told_by_codes(mbart50, to):
    """The source's code goes before the text, the target's is the first token that is written."""
    result = hf.infer("one two", from_="de", to=to, **ASKED)
    code = mbart50.tokenizer.lang_code_to_id["fr_XX"]
    expected = generated(mbart50, "one two", source="de_DE", forced_bos_token_id=code)
    assert torch.equal(result.outputs.sequences, expected)
    assert result.outputs.sequences[0, 1] == code
    assert mbart50.tokenizer.src_lang == "en_XX"
    assert 'tokenizer.lang_code_to_id["fr_XX"]' in result.code
    check_code(mbart50, result)


def test_mbart_begins_with_the_code(session):
    """The first mBART has the target's code in the place of the start token."""
    tokenizer = languages.mbart_tokenizer()
    loaded = put(session, MBartForConditionalGeneration, MBartConfig, tokenizer)
    result = hf.infer("one two", to="ro", from_="en", **ASKED)
    code = tokenizer.lang_code_to_id["ro_RO"]
    expected = generated(loaded, "one two", source="en_XX", decoder_start_token_id=code)
    assert torch.equal(result.outputs.sequences, expected)
    assert result.outputs.sequences[0, 0] == code
    check_code(loaded, result)


def test_nllb_is_told_by_codes(nllb):
    """Codes of language and script are found by the language, where there is one script."""
    result = hf.infer("one", to="fr", from_="zh-Hans", **ASKED)
    code = nllb.tokenizer.convert_tokens_to_ids("fra_Latn")
    expected = generated(nllb, "one", source="zho_Hans", forced_bos_token_id=code)
    assert torch.equal(result.outputs.sequences, expected)
    check_code(nllb, result)


def test_a_language_in_two_scripts_is_asked_back(nllb):
    """Where a word means several codes, the error names them."""
    with pytest.raises(OptionError, match=r"--to zh may be zho_Hans or zho_Hant: give one of them"):
        hf.infer("one", to="zh", **ASKED)


def test_m2m_is_told_by_codes(m2m):
    """M2M100 has its own way to a code's ID."""
    result = hf.infer("one two", to="French", from_="de", **ASKED)
    code = m2m.tokenizer.get_lang_id("fr")
    expected = generated(m2m, "one two", source="de", forced_bos_token_id=code)
    assert torch.equal(result.outputs.sequences, expected)
    assert 'forced_bos_token_id=tokenizer.get_lang_id("fr")' in result.code
    check_code(m2m, result)


def test_a_source_that_nobody_gave_is_said(mbart50):
    """Without --from the tokenizer's own source is taken, and the page says which."""
    result = hf.infer("one", to="fr", **ASKED)
    assert "the text was read as en_XX: --from LANGUAGE says otherwise" in notes(result)
    assert not any("read as" in one for one in notes(hf.infer("one", to="fr", from_="en", **ASKED)))


def test_token_ids_have_no_source(mbart50):
    """IDs are taken as they are: the target is forced, and --from is said to have no effect."""
    ids = [[5, 6, 2]]
    result = hf.infer(ids, to="fr", **ASKED)
    assert result.outputs.sequences[0, 1] == mbart50.tokenizer.lang_code_to_id["fr_XX"]
    assert not any("read as" in note or "no text" in note for note in notes(result))
    assert any("no text" in note for note in notes(hf.infer(ids, to="fr", from_="de", **ASKED)))
    assert "src_lang" not in result.code
    check_code(mbart50, result)


def test_a_target_of_the_checkpoint_needs_no_option(mbart50):
    """Where the generation config forces a language, --to may be left out."""
    code = mbart50.tokenizer.lang_code_to_id["fr_XX"]
    mbart50.model.generation_config.forced_bos_token_id = code
    result = hf.infer("one", from_="en", **ASKED)
    assert result.outputs.sequences[0, 1] == code
    assert "en_XX to fr_XX" in repr(result)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"to": "tlh"}, r"m has no language 'tlh'; it has eng_Latn, fra_Latn, zho_Hans, zho_Hant"),
        ({"to": "fr_XX"}, r"no language 'fr_XX'; did you mean 'fra_Latn'\?"),
        ({"to": "fr", "from_": "tlh"}, r"no language 'tlh'"),
        ({}, r"--to LANGUAGE is needed: m writes eng_Latn, fra_Latn"),
    ],
    ids=str,
)
def test_an_unknown_language_lists_those_that_there_are(nllb, asked, message):
    """One line, with what to type instead; the tokenizer is as it was."""
    with pytest.raises(OptionError, match=message) as raised:
        hf.infer("one", **ASKED, **asked)
    assert "\n" not in str(raised.value)
    assert nllb.tokenizer.src_lang == "eng_Latn"


def test_the_source_is_put_back_after_an_error(mbart50):
    """A text that can't be read leaves the tokenizer's source as it was, and its lock free."""
    with pytest.raises(InputError, match="line 2 is empty"):
        hf.infer(["one", " "], to="fr", from_="de", **ASKED)
    with pytest.raises(InputError, match="--max-length 1"):
        hf.infer("one two three", to="fr", from_="de", max_length=1, **ASKED)
    assert mbart50.tokenizer.src_lang == "en_XX"
    assert mbart50.lock.acquire(blocking=False)
    mbart50.lock.release()


def test_marian_with_marks(marian):
    """A Marian model with several targets reads the target's mark before the text."""
    loaded = marian(">>fra<<", ">>ron<<", target="ROMANCE")
    result = hf.infer(["one", "two three"], to="fr", **ASKED)
    inputs = loaded.tokenizer(
        [">>fra<< one", ">>fra<< two three"], padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        expected = loaded.model.generate(**inputs, max_new_tokens=4)
    assert torch.equal(result.outputs.sequences, expected)
    check_code(loaded, result)
    with pytest.raises(OptionError, match="--to LANGUAGE is needed: m writes fra, ron"):
        hf.infer("one", **ASKED)
    with pytest.raises(OptionError, match="m has no language 'de'; it has fra, ron"):
        hf.infer("one", to="de", **ASKED)


def test_marian_with_one_pair(marian):
    """One pair needs no option, takes the right one, and refuses another."""
    loaded = marian()
    plain = hf.infer("one two", **ASKED).outputs.sequences
    inputs = loaded.tokenizer("one two", return_tensors="pt")
    with torch.inference_mode():
        assert torch.equal(plain, loaded.model.generate(**inputs, max_new_tokens=4))
    same = hf.infer("one two", from_="English", to="fra", **ASKED)
    assert torch.equal(same.outputs.sequences, plain)
    assert "en to fr" in repr(same)
    with pytest.raises(OptionError, match="--to de: m translates en to fr alone: leave --to out"):
        hf.infer("one", to="de", **ASKED)
    with pytest.raises(OptionError, match="--from de: m translates en to fr alone"):
        hf.infer("one", from_="de", **ASKED)


def t5(session, tasks):
    tokenizer = languages.t5_tokenizer()
    params = {task: {"prefix": PREFIXES.get(task, "go: ")} for task in tasks}
    more = {"task_specific_params": params, "decoder_start_token_id": 0}
    config = T5Config(**SMALL, vocab_size=len(tokenizer), **more)
    hf.add(T5ForConditionalGeneration(config).eval(), tokenizer, "t5")


def test_a_t5_lists_its_prefixes(session):
    """The pairs that there are prefixes for are listed where another is asked for, or none."""
    t5(session, ["translation_en_to_fr", "translation_en_to_de", "summarization"])
    with pytest.raises(
        OptionError, match="t5 does not translate to es; it translates en to fr, en"
    ):
        hf.infer("one", to="es", **ASKED)
    with pytest.raises(OptionError, match="t5 does not translate fr to de"):
        hf.infer("one", from_="fr", to="de", **ASKED)
    with pytest.raises(
        OptionError, match="--to LANGUAGE is needed: t5 translates en to fr, en to de"
    ):
        hf.infer("one", **ASKED)


def test_two_sources_of_one_target_are_asked_back(session):
    """Where the target alone leaves a choice, --from is asked for."""
    t5(session, ["translation_en_to_fr", "translation_de_to_fr"])
    with pytest.raises(OptionError, match="--from LANGUAGE is needed"):
        hf.infer("one", to="fr", **ASKED)
    assert "de to fr" in repr(hf.infer("one", from_="de", to="fr", **ASKED))


def test_a_model_that_says_no_languages(session):
    """Without prefixes, codes or a pair the text is taken as it is, and --to is an error."""
    t5(session, [])
    assert hf.infer("one", **ASKED).task == "translation"
    with pytest.raises(OptionError, match="t5 does not say which languages it has: leave --to out"):
        hf.infer("one", to="fr", **ASKED)


def test_what_the_language_decides_is_not_set_besides(mbart50):
    """Two different targets are refused; none of them wins silently."""
    with pytest.raises(OptionError, match=r"^--to chooses forced_bos_token_id: give one of them$"):
        hf.infer("one", to="fr", set={"forced_bos_token_id": 25}, **ASKED)

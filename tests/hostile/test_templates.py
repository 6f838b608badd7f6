"""Chat templates are programs of strangers: what they do wrong is one line, and they reach nothing."""

import pytest

import hf_magics as hf

TEMPLATES = {
    "{% for %}": "Expected an expression",
    "{{ messages[0].nothing.more }}": "no attribute 'nothing'",
    "{% for i in range(10**9) %}x{% endfor %}": "Range too big",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": "unsafe",
    "{{ messages.append(1) }}": "unsafe",
    "{{ raise_exception('no <b>\\x1b[31m\\u202e') }}": r"no <b>\x1b[31m\u202e",
    "{% import 'os' as os %}{{ os.system('touch ran') }}": "no loader",
    "{{ cycler.__init__.__globals__.os.system('touch ran') }}": "unsafe",
    "{{ 1 / 0 }}": "division by zero",
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}": "recursion",
    "{{ 'word ' * 1000000 }}": "this turn has",
}


@pytest.fixture
def talker(shell, minilm, tmp_path, monkeypatch):
    """A shell with a tiny GPT-2 that has a tokenizer, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    shell.run(
        "%hf_new gpt2 --task text-generation n_embd=32 n_layer=1 n_head=2 vocab_size=30522 "
        f'--seed 1 -n g --tokenizer "{minilm}"'
    )
    return shell


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_is_one_line(talker, template, tmp_path):
    """The line says what it was; nothing ran, and the model writes on."""
    hf.session["g"].tokenizer.chat_template = template
    said = talker.error("%hf_chat --max-new-tokens 2 Hello")
    assert TEMPLATES[template] in said
    assert said.isprintable()
    assert not (tmp_path / "ran").exists()
    assert talker.run("%hf_generate --max-new-tokens 2 Hello").text

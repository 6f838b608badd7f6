r"""Texts of strangers that would do something where they are not shown as text.

``SPOKEN`` are those that a tokenizer can hold; ``SURROGATE`` can stand in a config alone.
"""

from __future__ import annotations

MARKUP = (
    "<script>document.body.dataset.ran = 1</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(2)>",
    "</pre></td></tr></table></div><b onclick=alert(3)>out",
    "<style>body { display: none }</style>",
    '" onmouseover="alert(4)" x="',
    "' autofocus onfocus='alert(5)",
    "<iframe src=http://somewhere.invalid/></iframe>",
    "<a href=javascript:alert(6)>here</a>",
    "<!-- <math><mi xlink:href=data:,x>",
    "&lt;b&gt; &#60;i&#62;",
    "[here](javascript:alert(7)) ![x](http://somewhere.invalid/x.png) `code` **bold**",
)
FORMULAS = ("$x^2$", r"\(y\)", r"$$\href{javascript:alert(8)}{z}$$", r"\[w\]", r"\begin{align}v")
CONTROLS = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://somewhere.invalid\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[H",
    "\x9b31mred",
    "over\rwritten",
    "back\b\b\b\bspace",
    "bell\x07 nul\0 del\x7f",
    "a\u2028line\u2029break",
)
DIRECTIONS = (
    "\u202eright to left",
    "\u2066isolated\u2069",
    "zero\u200bwidth\u200d",
    "\ufeffmark",
    "soft\xadhyphen",
    "tag\U000e0041s",
)
LONG = "long" * 1_250
SURROGATE = "half\ud800 \udc9bpair"

SPOKEN = (*MARKUP, *FORMULAS, *CONTROLS, *DIRECTIONS, LONG)
ALL = (*SPOKEN, SURROGATE)

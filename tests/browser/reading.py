"""What is asked of a page in a browser, wherever it is shown."""

from __future__ import annotations

import re
from itertools import combinations

# each page as the browser holds it: the text of its titles, notes and captions, and of its rows
READ = """pages => pages.map(page => {
    const text = element => element.textContent;
    const cell = element => element.querySelector('span, img') ? null : text(element);
    const row = element => [...element.cells].map(cell);
    const rows = [...page.querySelectorAll('table')].map(table => [...table.rows].map(row));
    const named = [...page.querySelectorAll('strong, caption, summary, p')].map(text);
    // a terminal has what a picture is called in its place
    const called = [...page.querySelectorAll('img')].map(image => `(${image.alt})`);
    return {text: text(page) + called.join(''), named, rows};
})"""
# the contrast of each text with what it stands on, by the formula of WCAG 2.2: those under a limit.
# A page is unfolded first; of a text that is half transparent what shines through counts.
CONTRASTS = """(pages, limit) => pages.flatMap(page => {
    const parts = colour => {
        const found = colour.match(/[\\d.]+/g).map(Number);
        return found.length === 3 ? [...found, 1] : found;
    };
    const over = (top, under, alpha) => under.map((one, at) => top[at] * alpha + one * (1 - alpha));
    const luminance = colour => {
        const linear = colour.map(one => one / 255)
            .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const line = element => element ? [...line(element.parentElement), element] : [];
    page.querySelectorAll('details').forEach(one => { one.open = true; });
    const walker = document.createTreeWalker(page, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.trim();
        if (!text) continue;
        let ground = [255, 255, 255], opacity = 1;
        for (const element of line(walker.currentNode.parentElement)) {
            const style = getComputedStyle(element);
            const [red, green, blue, alpha] = parts(style.backgroundColor);
            ground = over([red, green, blue], ground, alpha);
            opacity *= Number(style.opacity);
        }
        const ink = parts(getComputedStyle(walker.currentNode.parentElement).color);
        const letters = over(ink.slice(0, 3), ground, ink[3] * opacity);
        const [light, dark] = [luminance(letters), luminance(ground)].sort((a, b) => b - a);
        const contrast = (light + 0.05) / (dark + 0.05);
        if (contrast < limit) found.push([Math.round(contrast * 100) / 100, text.slice(0, 60)]);
    }
    return found;
})"""


def line_of(cells: list[str | None]) -> str:
    """What a row looks like in the text; a tinted text or a picture is drawn otherwise there."""
    parts = ["" if cell is None else r"\s+".join(map(re.escape, cell.split())) for cell in cells]
    gap = r".*?" if None in cells else r"\s*"
    return "^" + gap + (gap if None in cells else r"\s+").join(filter(None, parts))


def rows_in_text(rows: list[list[str | None]], text: str) -> list[list[str | None]]:
    """The rows of a table as the text has them: without columns of images where it leaves those.

    None are left where there is one other column, or none.
    """
    drawn = [at for at in range(len(rows[0])) if all(row[at] is None for row in rows[1:])]
    for count in range(len(drawn) + 1):
        for images in combinations(drawn, count):
            left = [[cell for at, cell in enumerate(row) if at not in images] for row in rows]
            if len(left[0]) > 1 and re.search(line_of(left[0]), text, re.MULTILINE):
                return left
    return [] if drawn else rows


def words_of(text: str) -> list[str]:
    """The words of a page's text without rules, shades of pictures, marks and what it left out."""
    plain = re.sub(r"^[-= ]+$|[░▒▓█]|^… .*$", "", text, flags=re.MULTILINE)
    return [word for word in plain.split() if not re.search(r"[\[\]]", word)]

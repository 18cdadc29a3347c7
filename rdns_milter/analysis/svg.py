"""Draw charts as SVG for a page without scripts: a horizontal stacked bar, and columns over time.

Pure text. Colours are classes, which the page defines; the drawing holds no words, since the page may stretch it to any width. Must
never let text through that is not escaped.

SVG 1.1; RFC 8601 and RFC 7208 for the results that have colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from types import MappingProxyType

WIDTH, HEIGHT = 1000, 200  # of the drawing's own coordinates, which the page stretches
_GAP = 0.15  # between columns, as a part of the width of one

# Results by how much they speak against a client: the names of classes.
SHADES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("pass", "same", "aligned", "confirmed", "fqdn", "no"), "good"),
        **dict.fromkeys(
            ("fail", "permerror", "not-confirmed", "no-forward", "no-ptr", "bad-name", "invalid", "yes"), "bad"
        ),
        **dict.fromkeys(("softfail", "different", "unqualified", "address", "missing", "literal"), "soft"),
        **dict.fromkeys(
            ("temperror", "timeout", "servfail", "refused", "bogus", "resolver-down", "deadline", "error"), "trouble"
        ),
    }
)


def shade(result: str) -> str:
    """Return the class for the colour of a result; "plain" for a result that speaks neither for nor against the client."""
    return SHADES.get(result, "plain")


def stacked_bar(parts: Iterable[tuple[float, str]], most: float) -> str:
    """Return a horizontal bar of parts (size, class) side by side. A bar with a total of `most` fills the width."""
    at, drawn = 0.0, []
    for part, kind in parts:
        length = 100 * part / most if most > 0 else 0.0
        if length > 0:
            drawn.append(f'<rect class="{escape(kind)}" x="{at:.3f}%" width="{max(length, 0.3):.3f}%" height="100%"/>')
        at += length
    return f'<svg class="bar" aria-hidden="true">{"".join(drawn)}</svg>'


def column_chart(bars: Sequence[tuple[str, Sequence[tuple[float, str]]]], label: str) -> str:
    """Return columns side by side, the highest at full height. `bars`: for each column its title and its parts (size, class), from
    the bottom up; `label`: for readers who do not see the drawing."""
    most = max((sum(part for part, _ in parts) for _, parts in bars), default=0)
    share = WIDTH / len(bars) if bars else WIDTH
    drawn = []
    for index, (title, parts) in enumerate(bars):
        top, rects = float(HEIGHT), []
        for part, kind in parts:
            height = HEIGHT * part / most if most > 0 else 0.0
            if height > 0:
                top -= height
                rects.append(
                    f'<rect class="{escape(kind)}" x="{(index + _GAP / 2) * share:.2f}" y="{top:.2f}"'
                    f' width="{share * (1 - _GAP):.2f}" height="{height:.2f}"/>'
                )
        drawn.append(f"<g><title>{escape(title)}</title>{''.join(rects)}</g>")
    return (
        f'<svg class="columns" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(label)}">{"".join(drawn)}</svg>'
    )

"""Charts as SVG for a page without scripts: bars in a row over time, and bars that lie.

Pure text. Colours are classes, so that the page decides about them; words stand in the page, not in the drawing, which may be
stretched to any width. Must never let a text through that is not escaped.

SVG 1.1; RFC 8601 and RFC 7208 for the words that have colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from types import MappingProxyType

WIDTH, HEIGHT = 1000, 200  # of the drawing's own space, stretched by the page
_GAP = 0.15  # of a bar's share of the width

# How good or bad a result is: the name of a class.
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
    """The class of a result; that of what says nothing, for all others."""
    return SHADES.get(result, "plain")


def lying(parts: Iterable[tuple[float, str]], most: float) -> str:
    """A bar that lies: parts and their classes one after the other, its whole as long as they together are of the most."""
    at, drawn = 0.0, []
    for part, kind in parts:
        length = 100 * part / most if most > 0 else 0.0
        if length > 0:
            drawn.append(f'<rect class="{escape(kind)}" x="{at:.3f}%" width="{max(length, 0.3):.3f}%" height="100%"/>')
        at += length
    return f'<svg class="bar" aria-hidden="true">{"".join(drawn)}</svg>'


def columns(bars: Sequence[tuple[str, Sequence[tuple[float, str]]]], label: str) -> str:
    """Bars that stand side by side: of each its title, and its parts from the bottom with their classes."""
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

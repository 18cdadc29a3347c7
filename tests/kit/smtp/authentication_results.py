"""Parse Authentication-Results with the parser of another author (authres, RFC 8601)."""

from __future__ import annotations

import authres


def results(value: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return method, result and properties of each resinfo in a field's value, folded or not. Raises authres's errors."""
    unfolded = value.replace("\n\t", " ").replace("\r", "")
    field = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {unfolded}")
    return [
        (found.method, found.result, {f"{prop.type}.{prop.name}": str(prop.value) for prop in found.properties})
        for found in field.results
    ]

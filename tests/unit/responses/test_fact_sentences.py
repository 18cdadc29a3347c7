"""Every value of every fact has a sentence, and text from the network cannot break out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.checks.evidence import FACTS, IPREV_REASONS
from rdns_milter.responses.fact_sentences import fact_sentence

TERMS = {"client": "192.0.2.7", "ptr": "mx.example.com", "helo": "mx.example.com", "domain": "example.com"}
VALUES = [("iprev", reason) for reason in IPREV_REASONS] + [
    (name, value) for name, fact in FACTS.items() if name not in ("iprev", "iprev_reason") for value in fact.words
]


@pytest.mark.parametrize(("fact", "value"), VALUES)
def test_every_value_has_a_sentence(fact: str, value: str) -> None:
    sentence = fact_sentence(fact, value, TERMS)
    assert sentence.endswith(".")
    assert "{" not in sentence


def test_sentences_of_a_fact_differ() -> None:
    sentences = [(fact, fact_sentence(fact, value, TERMS)) for fact, value in VALUES]
    assert len(set(sentences)) == len(sentences)


@given(st.sampled_from(VALUES), st.dictionaries(st.sampled_from(sorted(TERMS)), st.text(max_size=400)))
def test_hostile_text_stays_in_its_sentence(case: tuple[str, str], terms: dict[str, str]) -> None:
    sentence = fact_sentence(*case, {**TERMS, **terms})
    assert sentence.isprintable()
    assert sentence.isascii()


def test_unknown_facts_and_values_have_none() -> None:
    assert fact_sentence("iprev", "unheard-of", TERMS) == ""
    assert fact_sentence("unheard-of", "yes", TERMS) == ""

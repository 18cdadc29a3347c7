"""Senders that forwarders have rewritten with SRS."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.net.mailboxes import parse_mailbox
from rdns_milter.net.rewritten_senders import original_sender


@pytest.mark.parametrize(
    ("path", "original"),
    [
        ("SRS0=xK4f=TT=good.example=anna@relay.example", "anna@good.example"),
        ("srs0+xK4f=TT=Good.Example=anna@relay.example", "anna@good.example"),
        ("SRS0-xK4f=TT=good.example=anna=b+c@relay.example", "anna=b+c@good.example"),
        (
            "SRS1=aB3d=first.example==xK4f=TT=good.example=anna@relay.example",
            "SRS0=xK4f=TT=good.example=anna@first.example",
        ),
        (
            "SRS1=aB3d=first.example=+xK4f=TT=good.example=anna@relay.example",
            "SRS0+xK4f=TT=good.example=anna@first.example",
        ),
    ],
)
def test_an_address_is_read(path: str, original: str) -> None:
    assert original_sender(parse_mailbox(path)) == parse_mailbox(original)


@pytest.mark.parametrize(
    "path",
    [
        "anna@good.example",
        "<>",
        "srs0@good.example",
        "SRS0=x=y@good.example",
        "SRS0=x=y=nodomain=anna@good.example",
        "SRS0=x=y=[192.0.2.1]=anna@good.example",
        "xSRS0=x=y=good.example=anna@relay.example",
        "SRS1=x=first.example@relay.example",
        "SRS2=x=y=good.example=anna@relay.example",
    ],
)
def test_other_addresses_stay(path: str) -> None:
    assert original_sender(parse_mailbox(path)) is parse_mailbox(path)


@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    for path in (text, f"SRS0={text}@relay.example", f"SRS1=x={text}"):
        original_sender(parse_mailbox(path))

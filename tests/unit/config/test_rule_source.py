"""Line, comment and text of each rule in a configuration file."""

from __future__ import annotations

from rdns_milter.config.rule_source import MAX_LINES, rule_sources
from rdns_milter.config.sample import sample

DOCUMENT = """\
# About the file.

# First line.
#   second line
[[rule]]
name = "one"
when.iprev = ["fail",
  "permerror"]
action = "tag"

[[rule]]
name = "two"
action = "accept"
# Of the next.
[[rule]]
name = "three"
score = 1
"""


def test_lines_comments_and_texts() -> None:
    found = rule_sources(DOCUMENT)
    assert [(each.name, each.line) for each in found.values()] == [("one", 5), ("two", 11), ("three", 15)]
    assert found["one"].comment == ("First line.", "second line")
    assert found["one"].text[-1] == 'action = "tag"'
    assert found["two"].comment == ()
    assert found["two"].text == ("[[rule]]", 'name = "two"', 'action = "accept"')
    assert found["three"].comment == ("Of the next.",)


def test_every_rule_of_the_sample_has_a_comment() -> None:
    assert all(each.comment and each.text for each in rule_sources(sample()).values())


def test_long_comments_are_cut() -> None:
    found = rule_sources("# x\n" * 100 + '[[rule]]\nname = "one"\naction = "tag"\n')
    assert len(found["one"].comment) == MAX_LINES

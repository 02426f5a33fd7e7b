"""Which metrics does an expression read, and which does a page offer?"""

import re

from prometheus_client.parser import text_string_to_metric_families

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}
_STRINGS = re.compile(r'"(?:\\.|[^"\\])*"|' + r"'(?:\\.|[^'\\])*'")
_BRACES = re.compile(r"\{[^}]*\}|\[[^\]]*\]")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"(?<![\w.:$])[a-zA-Z_:][\w:]*(?!\w*\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "by", "without", "on", "ignoring", "group_left"}
_WORDS |= {"group_right", "atan2", "start", "end"}


def sample_names(text: str) -> frozenset[str]:
    """The samples that a metrics page offers, in Prometheus' text format.

    A counter with labels has no sample before its first event, so the names are made from the types.
    """
    found = set()
    for family in text_string_to_metric_families(text):
        found.update(family.name + suffix for suffix in _SUFFIXES.get(family.type, ("",)))
    return frozenset(found)


def metrics_of(expression: str) -> set[str]:
    """The metrics that a PromQL expression reads: no functions, labels, strings or durations."""
    bare = _BRACES.sub(" ", _STRINGS.sub(" ", expression))
    bare = _GROUPING.sub(" ", bare)
    names = (match[0] for match in _NAME.finditer(bare))
    return {name for name in names if name.lower() not in _WORDS}

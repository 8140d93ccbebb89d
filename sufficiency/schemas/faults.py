"""What is wrong with a value, in this service's words: a sentence for every type of error that pydantic has.

Pydantic speaks to Python programmers ("Input should be a valid dictionary or object to extract fields from"); who
reads a refusal wrote JSON, an address or an environment variable. A sentence says what would be right, and what was
given instead.
"""

import json
import re
from collections.abc import Mapping, Sized
from typing import Any

from sufficiency.schemas.patterns import IN_WORDS

LONGEST_SHOWN = 40  # characters of a value that was given
EXAMPLE_ID = "019ab0c4-5b7a-7cc2-9d2e-0f6a1b2c3d4e"
EXAMPLE_TIME = "2026-11-23T12:00:00Z"

_NUMBER = "must be a number"
_WHOLE = "must be a whole number"
_TEXT = "must be a string"
_YES_OR_NO = "must be true or false"
_LIST = "must be a list"
_OBJECT = "must be an object"
_ID = f"must be a UUID such as {EXAMPLE_ID}"
_TIME = f"must be a date and time such as {EXAMPLE_TIME}"
_DATE = "must be a date such as 2026-11-23"
_CLOCK = "must be a time of day such as 12:30:00"
_SPAN = "must be a duration such as PT1H30M or a number of seconds"
_URL = "must be a URL such as https://example.org/path"
_SIZE = "must be a size such as 8GiB or a number of bytes"
_PATH = "must be a path"
_NUMBER_TEXT = "must be a number, or a string that says one"
_COMPLEX = "must be a complex number such as 1+2j"
_BYTES = "must be bytes, as a string"
_CALL = "must be the arguments of a call, as a list or an object"
_PYTHON = "must be an object of Python's, which JSON cannot say"

# What would be right, by pydantic's type of error; `{…}` is of the error's own context.
REQUIRED: Mapping[str, str] = {
    **dict.fromkeys(("missing", "missing_argument", "missing_keyword_only_argument"), "is required"),
    "missing_positional_only_argument": "is required",
    "extra_forbidden": "there is no such field",
    **dict.fromkeys(("unexpected_keyword_argument", "unexpected_positional_argument"), "there is no such argument"),
    "multiple_argument_values": "may be given only once",
    "default_factory_not_called": "depends on another field, which is wrong",
    **dict.fromkeys(("frozen_field", "frozen_instance"), "cannot be changed"),
    "no_such_attribute": "there is no such field",
    "get_attribute_error": "cannot be read",
    **dict.fromkeys(("recursion_loop", "recursion_depth_exceeded"), "is nested too deeply"),
    # Objects and lists
    **dict.fromkeys(("model_type", "model_attributes_type", "dataclass_type", "dataclass_exact_type"), _OBJECT),
    **dict.fromkeys(("dict_type", "frozen_dict_type", "ordered_dict_type", "counter_type", "mapping_type"), _OBJECT),
    "invalid_key": "must have strings for keys",
    **dict.fromkeys(
        ("list_type", "deque_type", "tuple_type", "set_type", "frozen_set_type", "named_tuple_type"), _LIST
    ),
    **dict.fromkeys(("iterable_type", "iteration_error"), _LIST),
    "set_item_not_hashable": "must hold plain values only, no lists or objects",
    "too_short": "must have at least {min_length} {entries}",
    "too_long": "must have at most {max_length} {entries}",
    "arguments_type": _CALL,
    # Text
    "string_type": _TEXT,
    "string_sub_type": _TEXT,
    "string_unicode": "must be a string in UTF-8",
    "string_too_short": "must have at least {min_length} {characters}",
    "string_too_long": "must have at most {max_length} {characters}",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "string_not_ascii": "must be of ASCII characters alone",
    "bytes_type": _BYTES,
    "bytes_too_short": "must have at least {min_length} {bytes}",
    "bytes_too_long": "must have at most {max_length} {bytes}",
    "bytes_invalid_encoding": "must be bytes in {encoding}",
    # One of several
    **dict.fromkeys(("literal_error", "enum"), "must be {expected}"),
    "none_required": "must be null",
    **dict.fromkeys(("bool_type", "bool_parsing"), _YES_OR_NO),
    **dict.fromkeys(("union_tag_invalid", "union_tag_not_found"), "must say in {discriminator} which kind it is"),
    # Numbers
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _WHOLE),
    "int_parsing_size": "must be a whole number of fewer digits",
    **dict.fromkeys(("float_type", "float_parsing"), _NUMBER),
    "finite_number": "must be a finite number",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    **dict.fromkeys(("decimal_type", "decimal_parsing", "fraction_type", "fraction_parsing"), _NUMBER_TEXT),
    "decimal_max_digits": "must have at most {max_digits} digits",
    "decimal_max_places": "must have at most {decimal_places} decimal places",
    "decimal_whole_digits": "must have at most {whole_digits} digits before the point",
    **dict.fromkeys(("complex_type", "complex_str_parsing"), _COMPLEX),
    # Times
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"), _DATE),
    "date_past": "must be a date in the past",
    "date_future": "must be a date in the future",
    **dict.fromkeys(("time_type", "time_parsing"), _CLOCK),
    **dict.fromkeys(("datetime_type", "datetime_parsing", "datetime_object_invalid"), _TIME),
    "datetime_from_date_parsing": _TIME,
    "datetime_past": "must be a time in the past",
    "datetime_future": "must be a time in the future",
    "timezone_naive": "must be a time without a time zone",
    "timezone_aware": f"must be a time with its time zone, such as {EXAMPLE_TIME}",
    "timezone_offset": "must be a time of another time zone",
    **dict.fromkeys(("time_delta_type", "time_delta_parsing"), _SPAN),
    # Names of things
    **dict.fromkeys(("uuid_type", "uuid_parsing", "uuid_version"), _ID),
    **dict.fromkeys(("url_type", "url_parsing", "url_syntax_violation"), _URL),
    "url_too_long": "must be a URL of at most {max_length} characters",
    "url_scheme": "must be a URL that begins with {expected_schemes}",
    **dict.fromkeys(("byte_size", "byte_size_unit"), _SIZE),
    "path_type": _PATH,
    "path_not_file": "must be the path of a file",
    "path_not_directory": "must be the path of a directory",
    "path_not_socket": "must be the path of a socket",
    "path_exists": "must be the path of nothing that exists",
    "parent_does_not_exist": "must be a path in a directory that exists",
    **dict.fromkeys(("pattern_type", "pattern_str_type", "pattern_bytes_type", "pattern_regex"), "must be a pattern"),
    # JSON, and what it cannot say
    **dict.fromkeys(("json_invalid", "json_type"), "must be JSON, as a string"),
    **dict.fromkeys(("is_instance_of", "is_subclass_of"), "must be of the Python type {class}, which JSON cannot say"),
    **dict.fromkeys(("callable_type", "needs_python_object", "missing_sentinel_error", "ellipsis_error"), _PYTHON),
}
# Errors that say already what was given, or where what was given says nothing.
_COMPLETE = frozenset(
    {
        "missing",
        "missing_argument",
        "missing_keyword_only_argument",
        "missing_positional_only_argument",
        "extra_forbidden",
        "unexpected_keyword_argument",
        "unexpected_positional_argument",
        "multiple_argument_values",
        "default_factory_not_called",
        "frozen_field",
        "frozen_instance",
        "no_such_attribute",
        "get_attribute_error",
        "recursion_loop",
        "recursion_depth_exceeded",
        "invalid_key",
        "set_item_not_hashable",
        "string_unicode",
        "int_parsing_size",
        "union_tag_invalid",
        "union_tag_not_found",
    }
)
_BOUNDS = frozenset(("greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of"))
_MEASURED = {"too_short": "entries", "too_long": "entries", "bytes_too_short": "bytes", "bytes_too_long": "bytes"}
_MEASURED |= {"string_too_short": "characters", "string_too_long": "characters"}
_ONE = {"entries": "entry", "bytes": "byte", "characters": "character"}


def worded(fault: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, as a sentence without its subject.

    Parameters
    ----------
    fault : mapping
        One of `pydantic.ValidationError.errors()`.

    Examples
    --------
    >>> worded({"type": "greater_than_equal", "ctx": {"ge": 1}, "input": 0, "msg": "…"})
    'must be at least 1, not 0'
    """
    return required(fault) + instead(fault)


def required(fault: Mapping[str, Any]) -> str:
    """Return what would be right; of an error that a validator of ours or a plugin's raised, what that said."""
    kind, context = fault["type"], dict(fault.get("ctx") or {})
    if kind in ("value_error", "assertion_error"):
        return _own_words(str(context.get("error") or fault.get("msg", "")))
    if kind not in REQUIRED:
        return _translated(str(fault.get("msg", "")))
    if (said := IN_WORDS.get(str(context.get("pattern")))) is not None:
        return said
    if kind in _MEASURED:
        unit = _MEASURED[kind]
        limit = context.get("min_length", context.get("max_length"))
        context[unit] = _ONE[unit] if limit == 1 else unit
    numbers = {name: plain(value) for name, value in context.items() if isinstance(value, float)}
    try:
        return REQUIRED[kind].format(**{**context, **numbers})
    except KeyError:  # a context of another version of pydantic
        return re.sub(r" *\{.*", "", REQUIRED[kind]) + " another value"


def instead(fault: Mapping[str, Any]) -> str:
    """Return what was given, as ", not 0"; nothing where that is said already."""
    kind, value = fault["type"], fault.get("input")
    if kind not in REQUIRED or kind in _COMPLETE:
        return ""
    if kind in _MEASURED:
        length = (fault.get("ctx") or {}).get("actual_length")
        if length is None and isinstance(value, Sized):
            length = len(value)
        return "" if length is None else f", not {length}"
    # In an address or the environment a number is written as text.
    return f", not {value if kind in _BOUNDS and isinstance(value, str) else shown(value)}"


def shown(value: Any) -> str:
    """Return a value that was given, shortly: a string in quotes, what JSON has a word for as JSON writes it."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST_SHOWN else value[: LONGEST_SHOWN - 1] + "…")
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return f"a {type(value).__name__}"


def plain(value: float) -> str:
    """Return a number without a point that says nothing."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def alternatives(first: str, second: str) -> str:
    """Return two requirements as one.

    Examples
    --------
    >>> alternatives("must be a list", "must be null")
    'must be a list, or null'
    """
    if second in first:
        return first
    for start in ("must be ", "must "):
        if first.startswith(start) and second.startswith(start):
            return f"{first}, or {second.removeprefix(start)}"
    return f"{first}, or: {second}"


def _own_words(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ") or "is not valid"


def _translated(message: str) -> str:
    """Return a message of an error that nobody has words for yet, turned as ours are."""
    turned = re.sub(r"^.*?\binput should\b", "must", _own_words(message), flags=re.IGNORECASE)
    return re.sub(r"^input is\b", "is", turned, flags=re.IGNORECASE)

"""A file of promptfoo's as a whole: a configuration with its tests, or a list of test cases. Nothing in it is executed.

What a case inherits from `defaultTest` is written into it. What names another file or a program (`file://`,
`exec:`) is refused by name, for neither is here.
"""

from collections.abc import Iterator

import orjson

from app.datasets.reading import yaml_text
from app.datasets.reading.faults import Fault, Unreadable, kind_of, short, too_deep
from app.datasets.reading.yaml_text import LONGEST, Lined
from app.json_types import JsonDict, JsonObject
from app.wording import state

_NOT_READ = ("prompts", "providers", "targets", "scenarios", "redteam")
_REFERS = ("file://", "exec:", "huggingface://", "http://", "https://", "az://", "s3://")

Item = tuple[int, JsonDict] | Fault
"""A case with its line (in YAML) or its place among the cases (in JSON), from 1."""


def config_in(data: bytes) -> JsonDict | None:
    """The configuration that a JSON file is; None where it is anything else."""
    if len(data) > LONGEST:
        return None
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    is_config = isinstance(value, dict) and "tests" in value and "vars" not in value and not too_deep(value)
    return value if is_config else None


def cases_in_yaml(data: bytes) -> Iterator[Item]:
    try:
        document = yaml_text.load(data)
    except Unreadable as refusal:
        yield refusal.fault()
        return
    if isinstance(document, dict) and "tests" not in document and {"vars", "assert"} & document.keys():
        document = [document]  # one case alone
    yield from cases(document)


def cases(document: object) -> Iterator[Item]:
    """The cases of a document, and what is said of what is none."""
    config = document if isinstance(document, dict) else {"tests": document}
    for name in _NOT_READ:
        if config.get(name):
            yield Fault(None, name, state("not_read", at=name), "note")
    tests, default = config.get("tests"), config.get("defaultTest") or {}
    if isinstance(tests, str):
        yield Fault(None, "tests", state("tests_elsewhere", seen=short(tests)))
        return
    if isinstance(default, str):
        yield Fault(None, "defaultTest", state("default_elsewhere", seen=short(default)))
        return
    if not isinstance(tests, list) or not isinstance(default, dict):
        yield Fault(None, "tests", state("wrong_kind", at="tests", wanted="cases", got=kind_of(tests)))
        return
    if not tests:
        yield Fault(None, "tests", state("empty", at="tests"))
    for place, case in enumerate(tests, start=1):
        number = case.line if isinstance(case, Lined) else place
        if isinstance(case, dict):
            yield number, _with_default(case, default)
        elif isinstance(case, str) and case.startswith(_REFERS):
            yield Fault(number, "tests", state("case_elsewhere", seen=short(case)))
        else:
            yield Fault(number, "tests", state("no_case", got=kind_of(case)))


def _with_default(case: JsonObject, default: JsonObject) -> JsonDict:
    """A case with what it inherits: variables that it lacks, and assertions below its own."""
    merged = {**default, **case}
    for name, join in (("vars", _variables), ("assert", _assertions)):
        own, inherited = case.get(name), default.get(name)
        if inherited and own is not None:
            merged[name] = join(own, inherited)
    options = case.get("options")
    if isinstance(options, dict) and options.get("disableDefaultAsserts"):
        merged["assert"] = case.get("assert") or []
    return merged


def _variables(own: object, inherited: object) -> object:
    return {**inherited, **own} if isinstance(own, dict) and isinstance(inherited, dict) else own


def _assertions(own: object, inherited: object) -> object:
    return [*own, *inherited] if isinstance(own, list) and isinstance(inherited, list) else own

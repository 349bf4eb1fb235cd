"""Files of promptfoo's and of OpenAI's evals as rows: nothing in them is opened, run or written out without end."""

import io
import json
from typing import Any

import pytest

from app.chat import Message, Record
from app.datasets.reading import reader, yaml_text
from app.datasets.reading.faults import Fault
from app.datasets.reading.reader import Reading, Upload

CONFIG = """# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
description: Tickets
prompts: ["Label this: {{text}}"]
providers: [openai:gpt-4o]
defaultTest:
  vars: {channel: mail}
  assert:
    - {type: latency, threshold: 100}
tests:
  - vars: {text: My monitor is dead, label: Hardware}
    assert: [{type: equals, value: "{{ label }}"}]
  - {vars: {text: "no"}, assert: [{type: equals, value: no}]}
  - {vars: {text: 0.10}, assert: [{type: equals, value: 0.10}]}
  - vars: {text: x}
    assert:
      - type: is-json
        value: {type: object, required: [a], properties: {a: {const: 1}}, additionalProperties: false}
"""


def read(data: str | bytes, name: str = "") -> tuple[Reading, list[Record], list[Fault]]:
    made = reader.read(Upload(io.BytesIO(data.encode() if isinstance(data, str) else data), name))
    items = list(made)
    return made, [x for x in items if isinstance(x, Record)], [x for x in items if isinstance(x, Fault)]


def case(assertion: dict[str, Any], **variables: Any) -> str:
    return json.dumps({"vars": variables or {"q": "x"}, "assert": [assertion]})


def test_a_configuration_in_yaml_is_a_row_a_case() -> None:
    made, records, faults = read(CONFIG)

    assert (made.layout, made.shape.name if made.shape else "") == ("YAML", "promptfoo")
    assert [(one.line, one.messages[0].content, one.target) for one in records] == [
        (10, "channel: mail\ntext: My monitor is dead", "Hardware"),
        (12, "channel: mail\ntext: no", "no"),
        (13, "channel: mail\ntext: 0.10", "0.10"),
        (14, "channel: mail\ntext: x", '{"a":1}'),
    ]
    assert [fault.level for fault in faults] == ["note"] * 3
    assert "'assert: latency'" in faults[-1].text


def test_the_same_as_one_json_object_and_as_a_list() -> None:
    tests = [{"vars": {"q": "1"}, "assert": [{"type": "equals", "value": {"b": 2}}]}]
    whole = read(json.dumps({"prompts": ["{{q}}"], "tests": tests}, indent=2))[1]
    listed = read(json.dumps(tests))[1]

    assert [(one.messages, one.target) for one in whole] == [((Message("user", "1"),), '{"b":2}')]
    assert [one.target for one in listed] == ['{"b":2}']


def test_rows_that_happen_to_have_tests_stay_rows() -> None:
    lines = [{"prompt": "a", "completion": "b", "tests": "x"}, {"prompt": "c", "completion": "d", "tests": "y"}]

    assert len(read("\n".join(map(json.dumps, lines)))[1]) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (case({"type": "javascript", "value": "output.length"}), "javascript"),
        (case({"type": "python", "value": "file://a.py"}), "python"),
        (case({"type": "equals", "value": "file://answer.txt"}), "never opened or run"),
        (case({"type": "equals", "value": "{{ q | upper }}"}), "is a template"),
        (case({"type": "equals", "value": "a", "transform": "output.trim()"}), "transform"),
        (case({"type": "equals", "value": "a"}, q="file://question.txt"), "never opened"),
        (case({"type": "equals", "value": "a"}, q=["x", "y"]), "lists several values"),
        (case({"type": "is-json"}), "is-json"),
        (case({"type": "contains-json", "value": {"type": "object", "required": ["a"]}}), "contains-json"),
        (json.dumps({"vars": {"q": "x"}, "assert": [{"type": "equals", "value": v} for v in "ab"]}), "several answers"),
        ("q,__expected\nx,file://check.js", "file"),
        ("q,__expected\nx,javascript: 1", "javascript"),
        ("q,__expected\nx,equals: {{missing}}", "template"),
        ("tests: file://cases.csv\n", "Upload that file"),
        ("tests:\n  - file://more.yaml\n", "never opened"),
        ("defaultTest: file://default.yaml\ntests: []\n", "Write it in"),
    ],
)
def test_what_names_no_answer_or_something_elsewhere_is_refused_by_name(line: str, words: str) -> None:
    _, records, faults = read(line)

    assert records == []
    assert any(words in fault.text for fault in faults), faults


def test_columns_of_promptfoo_name_the_answer() -> None:
    _, records, _ = read("question,label,__expected1,__expected2\nhi,yes,contains: a,equals: {{label}}\nho,no,plain,\n")

    assert [(one.messages[0].content, one.target) for one in records] == [
        ("hi", "yes"),
        ("question: ho\nlabel: no", "plain"),
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("- vars: !!python/object/apply:os.system ['id']\n", "never done"),
        ("vars: &a [*a]\n", "not there yet"),
        ("vars: {a: &x {b: 1}, c: {<<: *x}}\n", "merged"),
        ("vars: {a: 1, a: 2}\n", "stands twice"),
        ("vars: " + "[" * 50_000, "nested more than"),
        ("vars: " + "{a: " * 500, "nested more than"),
        ("vars: 1\n---\nvars: 2\n", "several YAML documents"),
        ("vars: {a: 'b\n", "not YAML"),
        ('vars: {a: "\\x00\x08"}\n', "not YAML"),
        ("vars: {? [a] : 1}\n", "A key has to be a word"),
        ("vars: {a: " + "x" * (yaml_text.LONGEST + 9) + "}\n", "larger than"),
        (
            "vars:\n a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
            + "".join(f" a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
            "over 500,000 values",
        ),
    ],
)
def test_yaml_that_would_run_refer_to_itself_or_swell_is_refused_at_once(data: str, words: str) -> None:
    _, records, faults = read(data)

    assert records == []
    assert any(words in fault.text for fault in faults), faults


def test_words_mean_what_they_mean_to_the_tools_that_write_them() -> None:
    values = yaml_text.load(b"{a: no, b: on, c: true, d: ~, e: 007, f: 1e3, g: '5', h: 12345678901234567890, i: 0x1f}")

    assert isinstance(values, dict)
    assert {key: str(getattr(held, "words", held)) for key, held in values.items()} == {
        "a": "no", "b": "on", "c": "True", "d": "None", "e": "007", "f": "1e3", "g": "5",
        "h": "12345678901234567890", "i": "0x1f",
    }  # fmt: skip


def test_items_of_openais_evals_are_rows() -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of France?"}]
    lines = [
        {
            "item": {"ticket_text": "No picture!", "correct_label": "Hardware"},
            "sample": {"output_text": "x"},
        },
        {"item": {"input": chat, "ideal": "Paris"}},
        {"input": chat, "ideal": ["Paris"]},
        {"input": "2+2", "ideal": "4"},
        {"input": "2+2", "ideal": ["4", "four"]},
        {"item": {"one": "a", "two": "b", "correct_label": "c"}},
    ]

    _, records, faults = read("\n".join(map(json.dumps, lines)))

    assert [(one.line, one.messages[-1].content, one.target) for one in records] == [
        (1, "No picture!", "Hardware"),
        (2, "Capital of France?", "Paris"),
        (3, "Capital of France?", "Paris"),
        (4, "2+2", "4"),
    ]
    assert [(fault.line, fault.level) for fault in faults if fault.kind == "fault" and fault.line] == [
        (5, "error"),
        (6, "error"),
    ]


def test_comments_before_anything_else_take_no_time_whatever_their_line_ends() -> None:
    """Each line that can be read in two ways doubled the time: thirty of them took minutes."""
    assert not yaml_text.begins(b"# about this file\r\n" * 26 + b"question,answer\r\n")
    assert not yaml_text.begins(b"# a\r\n" * 400_000 + b"x")
    assert yaml_text.begins(b"# a\r\n \t\r\n--- # b\n%YAML 1.2\n- vars:\n")
    assert len(read(b"# a\r\n\r\n---\r\n" + CONFIG.replace("\n", "\r\n").encode())[1]) == len(read(CONFIG)[1]) > 0

"""Every shape that people bring: what is asked, what is wanted, what is said about the rest."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from app.chat import Record
from app.datasets import exporting
from app.datasets.reading import reader
from app.datasets.reading.canonical import from_line, to_line
from app.datasets.reading.faults import Fault
from app.datasets.reading.read_as import ReadAs
from app.datasets.reading.reader import Upload
from tests.support.places import DATA


def read(*values: dict[str, Any], how: ReadAs | None = None) -> list[Record | Fault]:
    data = b"\n".join(json.dumps(value).encode() for value in values)
    return list(reader.read(Upload(io.BytesIO(data), how=how or ReadAs())))


def only_record(value: dict[str, Any], how: ReadAs | None = None) -> Record:
    found = read(value, how=how)
    assert isinstance(found[0], Record), found
    return found[0]


def fault(value: dict[str, Any], how: ReadAs | None = None) -> Fault:
    found = read(value, how=how)
    assert isinstance(found[0], Fault), found
    return found[0]


def turns(record: Record) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in record.messages]


def records(path: Path) -> list[Record]:
    with path.open("rb") as stream:
        return [item for item in reader.read(Upload(stream, path.name)) if isinstance(item, Record)]


WEATHER = {"name": "weather", "arguments": '{"city": "Oslo"}'}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "call_1", "type": "function", "function": WEATHER}],
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
ASK = {"role": "user", "content": "Will it rain?"}


# ---------------------------------------------------------------------- tools
def test_a_tool_call_that_is_wanted_is_asked_for_in_words_and_wanted_as_json() -> None:
    record = only_record({"messages": [ASK, CALL], "tools": [TOOL]})

    (system, told), asked = turns(record)
    assert system == "system"
    assert '{"name": "...", "arguments": {...}}' in told
    assert '"name":"weather"' in told
    assert asked == ("user", "Will it rain?")
    assert json.loads(record.target) == {"name": "weather", "arguments": {"city": "Oslo"}}


def test_the_tools_stand_below_the_systems_own_words() -> None:
    record = only_record({"messages": [{"role": "developer", "content": "Be brief."}, ASK, CALL], "tools": [TOOL]})

    assert record.messages[0].role == "system"
    assert record.messages[0].content.startswith("Be brief.\n\nYou can call the tools below.")


def test_results_of_tools_are_told_by_the_user_with_the_tools_name() -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "dry"}
    record = only_record({"messages": [ASK, CALL, result, result, {"role": "assistant", "content": "No."}]})

    assert turns(record)[1:] == [
        ("assistant", '{"name":"weather","arguments":{"city":"Oslo"}}'),
        ("user", "Result of weather:\ndry\n\nResult of weather:\ndry"),
    ]
    assert record.target == "No."


def test_the_report_says_that_tools_are_measured_as_text() -> None:
    said = [item for item in read({"messages": [ASK, CALL], "tools": [TOOL]}) if isinstance(item, Fault)]

    assert [(one.line, one.level) for one in said] == [(None, "warning")]
    assert "1 record." in said[0].text
    assert "a server's own way of calling tools is not measured" in said[0].text


def test_openai_and_sharegpt_tell_the_same_tool_conversations() -> None:
    openai = records(DATA / "chat" / "openai_tools_40.jsonl")
    sharegpt = records(DATA / "chat" / "sharegpt_tools_40.jsonl")

    assert len(openai) == 40
    assert [(one.messages, one.target) for one in openai] == [(one.messages, one.target) for one in sharegpt]


@pytest.mark.deep
def test_openai_and_sharegpt_tell_the_same_tool_conversations_in_large_sets(sets: Path) -> None:
    openai = records(sets / "chat" / "openai_tools.jsonl")
    sharegpt = records(sets / "chat" / "sharegpt_multiturn_tools.jsonl")

    known = {(record.messages, record.target) for record in sharegpt}
    assert (len(openai), len(sharegpt)) == (120, 300)
    assert all((record.messages, record.target) in known for record in openai)


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ([{}], "without a function name"),
        ([{"function": {"name": "x", "arguments": "{not json"}}], "arguments that are not JSON"),
        ("call it", "has to be a list of tool calls"),
    ],
)
def test_a_broken_tool_call_is_named(calls: object, words: str) -> None:
    said = fault({"messages": [ASK, {"role": "assistant", "tool_calls": calls}]})

    assert (said.field, said.level) == ("messages[1].tool_calls", "error")
    assert words in said.text


def test_a_call_that_is_not_json_stays_what_was_written() -> None:
    record = only_record(
        {"conversations": [{"from": "human", "value": "Go"}, {"from": "function_call", "value": "go(1)"}]}
    )

    assert record.target == "go(1)"


# ---------------------------------------------------------------------- weights
def weighted(*weights: int) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for number, weight in enumerate(weights):
        messages += [{"role": "user", "content": f"q{number}"}]
        messages += [{"role": "assistant", "content": f"a{number}", "weight": weight}]
    return {"messages": messages}


def test_the_answer_wanted_is_the_last_one_that_has_weight() -> None:
    found = read(weighted(1, 1, 0))

    record = found[0]
    assert isinstance(record, Record)
    assert (turns(record), record.target) == ([("user", "q0"), ("assistant", "a0"), ("user", "q1")], "a1")
    assert [item.text for item in found if isinstance(item, Fault)] == [
        "The last answer has weight 0: the one before it is the expected answer, and the rest is left out."
    ]


def test_without_any_weight_there_is_nothing_to_learn() -> None:
    assert "weight 0" in fault(weighted(0, 0)).text
    assert fault(weighted(1, 3)).field == "messages[3].weight"


# ---------------------------------------------------------------------- the other shapes
def test_alpacas_history_is_asked_before_the_question() -> None:
    record = only_record({"instruction": "And then?", "input": "", "output": "Home.", "system": "Be brief.",
                  "history": [["Where first?", "To the shop."]]})  # fmt: skip

    assert turns(record) == [
        ("system", "Be brief."),
        ("user", "Where first?"),
        ("assistant", "To the shop."),
        ("user", "And then?"),
    ]
    assert "pair of texts" in fault({"instruction": "a", "output": "b", "history": [["x"]]}).text


@pytest.mark.parametrize(
    "value",
    [
        {"prompt": "ask", "completion": [{"role": "assistant", "content": "answer"}]},
        {"prompt": [{"role": "user", "content": "ask"}], "completion": "answer"},
        {"prompt": "ask", "completion": " answer"},
        {"input": "ask", "expectedOutput": "answer"},
        {"prompt": "ask", "completion": "answer", "label": True},
    ],
)
def test_lists_blanks_and_names_of_others_make_no_difference(value: dict[str, Any]) -> None:
    record = only_record(value)

    assert (turns(record), record.target) == ([("user", "ask")], "answer")


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]])
@pytest.mark.parametrize(
    "value",
    [{"messages": [ASK, {"role": "assistant", "content": "No."}]}, {"prompt": "Will it rain?", "completion": "No."}],
)
def test_a_system_text_may_stand_beside_the_turns(value: dict[str, Any], system: object) -> None:
    found = read({**value, "system": system})

    assert [turns(item) for item in found if isinstance(item, Record)] == [
        [("system", "Be brief."), ("user", "Will it rain?")]
    ]
    assert len(found) == 1  # nothing is said of a key that is not used
    assert fault({**value, "system": {"text": "x"}}).text == "system has to be text, not an object."


def test_what_openai_says_of_parallel_calls_leaves_as_it_came() -> None:
    record = only_record({"messages": [ASK, CALL], "tools": [TOOL], "parallel_tool_calls": False})

    assert record.source is not None
    row: exporting.CanonicalRow = {"split": "", "messages": [], "target": record.target, "source": record.source}
    assert exporting.chat(row)["parallel_tool_calls"] is False


def test_the_number_of_a_class_is_a_label_and_no_completion() -> None:
    assert only_record({"text": "ask", "label": 12}).target == "12"
    assert only_record({"text": "ask", "label": True}).target == "true"
    assert fault({"prompt": "ask", "completion": 12}).field == "completion"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"text": "a passage", "title": "x", "id": 1}, "upload it as a document"),
        ({"text": "ask", "intent": "greet"}, "text but no label; choose the columns"),
        ({"custom_id": "1", "response": {"body": {}}, "error": None}, "a line of a batch"),
        ({"id": "1", "inputs": {"q": "ask"}, "outputs": {"a": "answer"}}, "such as inputs.question"),
        ({"id": 1, "annotations": [], "data": {"text": "x"}}, "Label Studio"),
    ],
)
def test_files_of_other_tools_are_called_by_their_name(value: dict[str, Any], words: str) -> None:
    assert words in fault(value).text


def test_an_answer_marked_as_unwanted_is_not_learned() -> None:
    assert fault({"prompt": "ask", "completion": "rude", "label": False}).field == "label"


def test_preference_pairs_can_be_used_when_a_person_says_so() -> None:
    value = {"prompt": "ask", "chosen": "good", "rejected": "bad"}

    assert "choose chosen as the answer column" in fault(value).text
    assert only_record(value, ReadAs("columns", "prompt", "chosen")).target == "good"


def test_openais_preferences_and_test_cases_of_others_too() -> None:
    openai = {"input": {"messages": [ASK]}, "preferred_output": [{"role": "assistant", "content": "No."}],
              "non_preferred_output": [{"role": "assistant", "content": "Maybe."}]}  # fmt: skip
    promptfoo = {"vars": {"question": "Will it rain?"}, "expected": "No."}

    first = only_record(openai, ReadAs("columns", "input", "preferred_output"))
    second = only_record(promptfoo, ReadAs("columns", "vars.question", "expected"))

    assert turns(first) == turns(second) == [("user", "Will it rain?")]
    assert first.target == second.target == "No."


@pytest.mark.parametrize(
    "value",
    [
        {"vars": {"question": "ask"}, "assert": [{"type": "latency"}, {"type": "equals", "value": "answer"}]},
        {"question": "ask", "__expected": "answer"},
        {"question": "ask", "__expected": "equals: answer", "__description": "the first"},
        {"inputs": {"question": "ask"}, "expectations": {"expected_response": "answer", "guidelines": ["short"]}},
        {"inputs": {"messages": [{"role": "user", "content": "ask"}]}, "expectations": {"answer": "answer"}},
    ],
)
def test_test_cases_of_others_are_read(value: dict[str, Any]) -> None:
    record = only_record(value)

    assert (turns(record), record.target) == ([("user", "ask")], "answer")


def test_several_variables_are_asked_with_their_names() -> None:
    record = only_record({"vars": {"city": "Oslo", "day": "Monday"}, "assert": [{"type": "equals", "value": "dry"}]})

    assert turns(record) == [("user", "city: Oslo\nday: Monday")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"vars": {"q": "ask"}, "assert": [{"type": "llm-rubric", "value": "polite"}]}, "asks for llm-rubric"),
        ({"q": "ask", "__expected": "contains: x"}, "asks for 'contains'"),
        ({"q": "ask", "__expected": "is-json"}, "asks for 'is-json'"),
        ({"inputs": {"q": "ask"}, "expectations": {"a": "b", "c": "d"}}, "no expected_response"),
        ({"vars": {}, "assert": [{"type": "equals", "value": "x"}]}, "vars is empty"),
    ],
)
def test_a_case_that_only_describes_its_answer_is_refused_by_name(value: dict[str, Any], words: str) -> None:
    assert words in fault(value).text


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("train", "train"),
        ("Validation", "dev"),
        ("dev", "dev"),
        ("TEST", "test"),
        ("held-out", "test"),
        ("x", None),
        (3, None),
    ],
)
def test_split_and_group_are_carried_along(word: object, part: str | None) -> None:
    record = only_record({"prompt": "ask", "completion": "answer", "split": word, "group": 17})

    assert (record.part, record.group) == (part, "17")
    assert from_line(to_line(record)) == record


@pytest.mark.parametrize(
    ("value", "group"), [(7.0, "7"), (2.5, "2.5"), (" x ", "x"), (0, "0"), (True, ""), (["x"], "")]
)
def test_a_group_is_a_text_or_a_number(value: object, group: str) -> None:
    assert only_record({"prompt": "ask", "completion": "answer", "group": value}).group == group


def test_marks_that_say_nothing_we_know_are_named_once() -> None:
    words = ["train", "tset", "tset", 3, None, "", "evaluation"]
    found = read(*({"prompt": f"a{n}", "completion": "b", "split": word} for n, word in enumerate(words)))
    grouped = read({"prompt": "a", "completion": "b", "customer": {"id": 1}}, how=ReadAs(group="customer"))

    (split,), (group,) = ([item for item in items if isinstance(item, Fault)] for items in (found, grouped))
    assert (split.line, split.field, split.level) == (None, "split", "warning")
    assert "'split' of 3 records names no part of the split" in split.text
    assert split.text.endswith(": 'tset', a number.")
    assert (group.field, group.text.endswith("keeps these records together: an object.")) == ("customer", True)


def test_other_columns_may_hold_split_and_group() -> None:
    record = only_record(
        {"prompt": "a", "completion": "b", "fold": "test", "customer": " x "}, ReadAs(part="fold", group="customer")
    )

    assert (record.part, record.group) == ("test", "x")


def test_another_column_may_say_when_a_row_came_up() -> None:
    value = {"prompt": "a", "completion": "b", "date": "2020", "log": {"seen": "2024-05-01"}}

    assert (only_record(value).time, only_record(value, ReadAs(time="log.seen")).time) == ("2020", "2024-05-01")


def test_keys_that_are_not_used_are_named() -> None:
    value = {
        "messages": [{"role": "user", "content": "x", "mood": "sad"}, {"role": "assistant", "content": "y"}],
        "id": 7,
    }

    (said,) = (item for item in read(value) if isinstance(item, Fault))

    assert (said.level, said.text) == ("note", "Keys that are not used: 'id', 'messages.mood'.")


# ---------------------------------------------------------------------- tables
def table(text: str, how: ReadAs | None = None) -> tuple[reader.Reading, list[Record | Fault]]:
    found = reader.read(Upload(io.BytesIO(text.encode()), "x.csv", how or ReadAs()))
    return found, list(found)


def test_an_unknown_first_row_offers_its_columns() -> None:
    found, items = table("Frage;Antwort\nwarum?;darum\nwie?;so\n")

    (said,) = items
    assert isinstance(said, Fault)
    assert "names no columns that we know" in said.text
    assert found.columns == {"frage": ["warum?", "wie?"], "antwort": ["darum", "so"]}


@pytest.mark.parametrize(
    "text",
    [
        "input,expectedOutput\nask,answer\n",
        "Input,EXPECTEDOUTPUT \nask,answer\n",
        'inputs,expectations\n"{""q"": ""ask""}","{""expected_response"": ""answer""}"\n',
        'vars,assert\n"{""q"": ""ask""}","[{""type"": ""equals"", ""value"": ""answer""}]"\n',
        'instruction,output,history\nask,answer,"[[""a"", ""b""]]"\n',
    ],
)
def test_tables_hold_the_test_cases_and_conversations_of_others(text: str) -> None:
    _, items = table(text)

    assert [(item.messages[-1].content, item.target) for item in items if isinstance(item, Record)] == [
        ("ask", "answer")
    ]
    assert len(items) == 1


def test_the_column_of_expected_outputs_can_be_chosen() -> None:
    found, items = table("frage,expectedOutput\nask,answer\n", ReadAs("columns", "frage", "expectedOutput"))

    assert (list(found.columns), len(items)) == (["frage", "expectedOutput"], 1)


def test_lists_in_pythons_own_notation_are_told_the_way_out() -> None:
    _, items = table("messages\n\"[{'role': 'user', 'content': 'a'}]\"\n")

    assert "save the file as JSON lines or Parquet" in " ".join(one.text for one in items if isinstance(one, Fault))


def test_chosen_columns_are_read() -> None:
    _, items = table("Frage;Antwort\nwarum?;darum\n", ReadAs("columns", "Frage", "Antwort"))

    assert [(item.messages[0].content, item.target, item.line) for item in items if isinstance(item, Record)] == [
        ("warum?", "darum", 2)
    ]


def test_a_table_without_a_first_row_can_be_read_by_place() -> None:
    how = ReadAs("columns", "column 1", "column 2", header=False)

    _, items = table('"a, b",c\nd,e\n', how)

    assert [(item.messages[0].content, item.target, item.line) for item in items if isinstance(item, Record)] == [
        ("a, b", "c", 1),
        ("d", "e", 2),
    ]


def test_a_chosen_column_that_is_not_there_is_named() -> None:
    _, (said,) = table("a,b\n1,2\n", ReadAs("columns", "a", "nowhere"))

    assert isinstance(said, Fault)
    assert said.text == "There is no column 'nowhere'."

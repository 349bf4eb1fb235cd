"""What reading says of a line or of a file, by code, in words: rules give codes and values, this makes sentences.

The values that many have: `at`, the key as it stands in the file; `got`, a `Kind` of JSON value; `seen`, a short look
at a value. `word` is what a number counts in this file: a line, a row or a record.
"""

from collections.abc import Mapping, Sequence

from app.wording import Template, Wording, inflect, plural

_CHOOSE_ENCODING = "or say on the data page which encoding it has"
_CHOOSE_COLUMNS = "choose the columns that hold the prompt and the completion"
_TOO_LONG = "is longer than {mib} MiB; perhaps a quotation mark is never closed. Nothing after it was read."
_TEXT_ONLY = "only parts of text can be used"

# What a value has to be instead, by the code of what was wanted.
_WANTED = {
    "messages": "a list of messages",
    "message": "an object with role and content",
    "turns": "a list of turns",
    "turn": "an object with from and value",
    "parts": "an object with role and parts",
    "pairs": "a list of question and answer pairs",
    "text": "text",
    "quoted": "text in quotes",
    "question": "an object with the question",
    "assertions": "a list",
    "expectations": "an object",
    "calls": "a list of tool calls",
    "tools": "a list of tool definitions",
    "tool": "an object that defines a function",
    "cases": "a list of cases",
}
_PICKLE = "a Python pickle, which is never opened here; save it as JSONL or CSV"
FILE_KINDS = {
    "gzip": "gzip data under another name; call it .gz, or unpack it first",
    "packed_twice": "packed twice: gzip data inside gzip data; unpack it once",
    "zip": "a zip archive (or an Excel workbook, which is one); upload the file inside, or the sheet as CSV",
    "empty_zip": "an empty zip archive",
    "tar": "a tar archive; upload the file inside",
    "bzip2": "bzip2 data; unpack it and upload the file inside",
    "xz": "xz data; unpack it and upload the file inside",
    "7z": "a 7z archive; unpack it and upload the file inside",
    "zstd": "zstd data; unpack it and upload the file inside",
    "png": "a picture (PNG)",
    "jpeg": "a picture (JPEG)",
    "gif": "a picture (GIF)",
    "pdf": "a PDF document; examples have to be text with a question and an answer each",
    "sqlite": "a database; export the examples as JSONL or CSV",
    "pickle": _PICKLE,
    "hdf5": "an HDF5 file; save it as JSONL, CSV or Parquet",
    "numpy": "a NumPy array; save it as JSONL, CSV or Parquet",
    "arrow": "an Arrow file; save it as JSONL, CSV or Parquet",
    "encrypted_parquet": "an encrypted Parquet file; save it without encryption",
    "old_office": "an old Office document; save it as CSV",
}
# Shapes of others that we know and can't use as they are.
_SHAPES_OF_OTHERS = {
    "preferences": "holds preference pairs (chosen, rejected); to learn from the better ones choose chosen as the"
    " answer column",
    "preferences_alone": "holds preference pairs without a prompt; take rejected out and rename chosen to messages"
    " (a list) or text",
    "arena": "compares two conversations; keep the better one, under the name messages",
    "preferred_output": "holds preference pairs; choose input and preferred_output as the columns",
    "batch_line": "is a line of a batch, a request or an answer; join the two by custom_id into prompt and completion",
    "label_studio": "is a task of Label Studio; export as JSON-MIN or CSV, and choose the columns",
    "inputs_outputs": f"holds inputs and outputs; {_CHOOSE_COLUMNS} (such as inputs.question and outputs.answer)",
    "no_assert": f"is a promptfoo test case without assert; {_CHOOSE_COLUMNS} (such as vars.question)",
}
_SYNTAX = {
    "trailing_comma": "a comma stands before the closing bracket",
    "content_after": "something follows the object; write one object on each line",
    "too_deep": "brackets are nested too deep",
    "surrogate": "half of a character pair (a lone surrogate) stands alone",
    "cut_off": "it ends in the middle of the object",
    "too_large": "a number is too large",
    "control": "a control character stands bare in a string; write it as \\u00XX",
    "quotes": "keys and text need double quotes",
    "infinity": "a value is not JSON (-Infinity is not)",
    "no_value": "a value is not JSON (NaN, Infinity, None and bare words are not)",
}
_ONLY_ONE_ANSWER = "only equals, and a JSON schema that allows a single value, name the expected answer"
_NAMES_NO_PART = "names no part of the split (train, dev or test), so they are placed as if it said nothing"
_NO_GROUP = "is neither text nor a number, so nothing keeps these records together"
_REFUSED_BY_SOME = "some models' chat templates refuse that"


def listed(names: Sequence[str], *, more: bool) -> str:
    """The names in quotes. more: whether there are others besides."""
    return ", ".join(map(repr, names)) + (" and more" if more else "")


def _not_that(at: str, wanted: str, got: str, *, as_python: bool = False) -> str:
    # Most often a table into which Python wrote its lists in its own notation.
    kind = "text that is not JSON; save the file as JSON lines or Parquet, where lists stay lists" if as_python else got
    return f"{at} has to be {_WANTED[wanted]}, not {kind}."


def _open_cell(lines: int) -> str:
    return f" The {lines:,} lines after it were taken for a part of that cell." if lines > 1 else ""


def _syntax(word: str, reason: str, position: int, otherwise: str) -> str:
    return f"The {word} is not JSON: {_SYNTAX.get(reason, otherwise)} (character {position})."


def _no_type(at: str, seen: str) -> str:
    return f"{at} holds a part of type {seen}; {_TEXT_ONLY}."


def _tools_called(records: int) -> str:
    return (
        f"Tools are called or defined in {plural(records, 'record')}. A call is written as JSON text and a "
        "tool's result as a user's message, so that any model can be measured on them; a server's own way of "
        "calling tools is not measured."
    )


def _thoughts(records: int, names: Sequence[str], *, more: bool, trained: bool) -> str:
    became = (
        "It is trained before the answer, and models are asked with thinking on where their template knows it."
        if trained
        else "It is left out: models are asked and trained without it. To have it trained, choose so under "
        "“How the file is read”."
    )
    where = f"{plural(records, 'record')} ({listed(names, more=more)})"
    return f"What was thought before the answer stands beside it in {where}. {became}"


def _padded(arguments: int) -> str:
    were = f"{plural(arguments, 'empty argument')} that only the table added {inflect(arguments, 'was', 'were')}"
    return f"{were} taken out of tool calls: the tools that are called do not define them."


def _long_texts(names: Sequence[str], *, more: bool) -> str:
    several = len(names) > 1
    hold, them = ("hold", "one") if several else ("holds", "it")
    text = f"{listed(names, more=more)} {hold} long texts that are not asked"
    return f"{text}. If they are needed to answer, call {them} context."


def _misread(mark: str, column: str, records: int, values: Sequence[str], *, more: bool) -> str:
    what = _NAMES_NO_PART if mark == "split" else _NO_GROUP
    seen = ", ".join(values) + (" and more" if more else "")
    return f"{column!r} of {plural(records, 'record')} {what}: {seen}."


def _unused(names: Sequence[str], more: int) -> str:
    return f"Keys that are not used: {', '.join(map(repr, names))}{f' and {more} more' if more else ''}."


# ---------------------------------------------------------------------- the file as a whole
_OF_A_FILE: dict[str, Template] = {
    "empty_file": "The file is empty.",
    "begins_blank": "The file begins with over {kib} KiB of blanks; take them out.",
    "blank_stretch": "The file begins with a long blank stretch.",
    "foreign": lambda kind: f"The file is {FILE_KINDS[kind]}.",
    "markup": "The file is a web page or XML.",
    "binary": "The file is no text: it is full of control characters. Upload JSONL, CSV or Parquet.",
    "neither": "The file is neither JSON nor a table: its first line is no JSON object and names no columns.",
    "one_column": "The table has one column only, {seen}; it needs one for the question and one for the answer.",
    # encodings
    "no_mark": f"The file looks like {{encoding}} without a byte-order mark. Save it as UTF-8, {_CHOOSE_ENCODING}.",
    "other_mark": "The file begins with the mark of {encoding}, so it was not read as {wanted}.",
    "as_chosen": "The file was read as {encoding}, as chosen.",
    "rather_utf_8": "All letters beyond ASCII at its beginning are valid UTF-8, so {encoding} is probably wrong.",
    "by_its_mark": "The file is {encoding}; it was read as such. UTF-8 is safer to pass on.",
    "half_character": "The {word} holds half of a character, or ends in the middle of one.",
    "no_letter": "The {word} holds byte {byte}, which is no letter in {encoding}; is that its encoding?",
    "not_utf_8": "The {word} is not UTF-8 text: byte {byte} at position {position}. Save the file as UTF-8, "
    f"{_CHOOSE_ENCODING}.",
    # gzip and Parquet
    "gzip_cut_off": "The gzip data is cut off; it was not uploaded or saved completely.",
    "gzip_damaged": "The gzip data is damaged.",
    "gzip_bomb": "The gzip data unpacks to over {times} times its size; it was not read any further.",
    "gzip_followed": "Something that is not gzip follows the gzip data.",
    "parquet_columns": "The Parquet file has over {most:,} columns.",
    "parquet_twice": "The column {column!r} stands twice in the Parquet file.",
    "parquet_column": lambda column, problem: f"The column {column!r} holds values that can't be read: {problem}"[:300],
    "parquet_bomb": "The Parquet file holds over {times} times its size; it was read no further.",
    "parquet_unknown": "The Parquet file is damaged or of an unknown kind: {problem}",
    "parquet_memory": "The Parquet file needs more than the {gib} GiB of memory that reading one may take.",
    "parquet_unread": "The Parquet file could not be read: it is damaged, or took too long.",
    "parquet_empty": "The Parquet file has no rows.",
    # tables
    "no_rows": "No row follows the first one.",
    "column_twice": "The column {column!r} stands twice in the first row.",
    "no_column": "There is no column {column!r}.",
    "no_names": "The first row names no columns that we know. Begin with a row such as: prompt,completion; or say "
    "under Read it another way which column holds what.",
    # JSON
    "spread_out": "An object is spread over several lines. Write each object on one line, or all in one list.",
    "list_open": "The list is never closed; the file may be cut off, so records may be missing.",
    "list_empty": "The list is empty.",
    "list_followed": "Something follows the end of the list; it was not read.",
    "comma_at_end": "A comma stands after the last record.",
    "comma_alone": "A comma stands where a record should be.",
    # YAML
    "yaml_large": "The YAML file is larger than {mib} MiB. Write its cases as JSON lines.",
    "no_yaml": "This is not YAML: {problem}.",
    "yaml_documents": "The file holds several YAML documents; keep one.",
    "yaml_deep": "Values are nested more than {most} deep.",
    "yaml_tag": "The tag {tag} would make an object of a program's, which is never done.",
    "yaml_key": "A key has to be a word.",
    "yaml_merge": "Keys are merged with <<, which is not read. Write them out.",
    "yaml_alias": "*{anchor} stands for something that is not there yet.",
    "yaml_swollen": "With its references written out the file has over {most:,} values.",
    # promptfoo
    "not_read": "{at} of the file is not read: a measurement here has prompts and models of its own.",
    "tests_elsewhere": "tests names {seen}, which is not here. Upload that file, or write the cases in.",
    "default_elsewhere": "defaultTest names {seen}, which is not here. Write it in.",
    "case_elsewhere": "The case {seen} is a reference, which is never opened. Write it in.",
    "no_case": "A case has to be an object, not {got}.",
    # what is noticed on the way
    "tools_called": _tools_called,
    "thoughts": _thoughts,
    "padded": _padded,
    "joined": "{column!r} is part of the question in {records:#record}.",
    "title": "{column!r} is taken for the conversation's name and is not asked; write it into the first message if a "
    "model should see it.",
    "long_texts": _long_texts,
    "misread": _misread,
    "tidied": "Key names were read without their spaces and capitals.",
    "unused": _unused,
}

# ---------------------------------------------------------------------- one line
_OF_A_LINE: dict[str, Template] = {
    "long_line": "The {word} is longer than {mib} MiB and was skipped.",
    "no_object": "The {word} is {got}, not an object with prompt and completion.",
    "too_deep": "Brackets are nested more than {most} deep.",
    "key_twice": "The key {key!r} stands twice; which one is meant?",
    "nul_bytes": "The {word} holds NUL bytes.",
    "comment": "The {word} is a comment, and JSON has none; take it out.",
    "comma_follows": "A comma follows the object. Write one object on each line, without commas between them.",
    "object_followed": "Something follows the object (character {position}); perhaps a comma is missing.",
    "syntax": _syntax,
    "long_record": "The record is {size:,} characters long; over {most:,} none is looked at.",
    "other_shape": "The record is {shape}, but the file began with {first}.",
    "nul": "{at} holds a NUL character (U+0000), which no text field can store.",
    # rows of a table
    "cells": "The row has {cells:,} cells, but the first row has {columns:,}.",
    "cell_open": lambda lines: f"A quotation mark opens a cell and is never closed.{_open_cell(lines)}",
    "cell_long": f"A cell {_TOO_LONG}",
    "row_long": f"The row {_TOO_LONG}",
    "after_quote": lambda lines: (
        f"Text follows a closing quotation mark; double the quotation marks inside a cell.{_open_cell(lines)}"
    ),
    "row_unread": "The row could not be read: {problem}.",
    # the record's shape
    "object_empty": "The object is empty; it needs prompt and completion, or messages.",
    "shape_of_others": lambda shape: f"The record {_SHAPES_OF_OTHERS[shape]}.",
    "text_alone": "The record is plain text without an answer; upload it as a document for retrieval, not as examples.",
    "no_label": f"The record has text but no label; {_CHOOSE_COLUMNS}.",
    "half_a_pair": "The record has {has} but no {lacks}.",
    "unknown_keys": lambda keys: (
        f"The record has neither prompt and completion nor messages; its keys are {', '.join(map(repr, keys))}."
    ),
    "two_answers": "The record holds a model's {name} beside the right one (ground_truth); take {name} out, or choose "
    "the columns.",
    "unwanted": "The record marks its answer as unwanted (label is false); only wanted answers can be learned from.",
    # values
    "wrong_kind": _not_that,
    "empty_list": "{at} is an empty list.",
    "empty": "{at} is empty.",
    "of_the_question": "{at} belongs to the question and has to be text or a list of texts, not {got}.",
    "no_pair": "{at} has to be a pair of texts, a question and its answer.",
    "media": "{at} holds what can't be read as text; nothing here can ask about it, so leave such records out.",
    # conversations
    "role": "{at} is {seen}; it has to be system, developer, user, assistant or tool.",
    "speaker": "{at} is {seen}; it has to be human, gpt, system or tool.",
    "weight": "{at} is {seen}; it has to be 0 or 1.",
    "no_answer": "The conversation has no assistant message, so there is no answer to learn or compare with.",
    "ends_with": "The conversation ends with the {role}; the last message has to be the expected answer.",
    "no_weight": "Every answer has weight 0, so there is none to learn or compare with.",
    "answer_empty": "The last answer is empty.",
    "no_question": "There is no question before the last answer: there is no user message with text.",
    "assistant_first": f"The assistant speaks first; {_REFUSED_BY_SOME}.",
    "same_speaker": f"Two messages of the same speaker follow each other; {_REFUSED_BY_SOME}.",
    "cut": "The last answer has weight 0: the one before it is the expected answer, and the rest is left out.",
    "not_alternating": "{at} holds a conversation in one text ({style}), but its turns do not alternate. Write it as "
    "messages, each with role and content.",
    "no_last_answer": "{at} holds a conversation in one text ({style}) without an answer at its end.",
    # parts of a message, and tools
    "call_not_text": f"{{at}} holds a tool call; {_TEXT_ONLY} there.",
    "part_without_text": f"{{at}} holds a part without text; {_TEXT_ONLY}.",
    "text_without_text": f"{{at}} holds a part of text without text; {_TEXT_ONLY}.",
    "part_type": _no_type,
    "blob": f"{{at}} holds {{name}}, a picture, sound or file; {_TEXT_ONLY}.",
    "result_type": "{at} holds a tool's result of type {seen}; only text can be used.",
    "call_without_name": "{at} holds a tool call without a function name.",
    "arguments_no_json": "{at} calls {seen} with arguments that are not JSON.",
    "arguments_deep": "{at} calls {seen} with arguments nested more than {most} deep.",
    "tools_no_json": "tools is text that is not JSON.",
    "tools_deep": "tools is nested more than {most} deep.",
    # test cases of others
    "several_values": "{at} holds several values that are not all text; choose the one that is the question.",
    "vars_file": "vars names a file; write its variables into the case.",
    "variable_file": "{name} names {seen}, which is never opened; write its text in.",
    "variable_list": "{name} lists several values, of which promptfoo makes a case each; write the cases out.",
    "several_answers": "The case names several answers; keep the one that is to be given.",
    "asks_for_kinds": lambda kinds: f"The case asks for {', '.join(kinds) or 'nothing'}; {_ONLY_ONE_ANSWER}.",
    "asks_for": "The case asks for {seen}; only a text or equals names the expected answer.",
    "transform": "The case transforms the output before it compares, which is never run here; take transform out.",
    "answer_elsewhere": "The expected answer is {seen}, which is never opened or run; write it in.",
    "answer_template": "The expected answer {seen} is a template, which is not filled in; write it out.",
    "no_expected": "expectations has no expected_response, so the expected answer is not clear.",
    # exports of other tools
    "right_answers": "The record names {number:,} right answers under ideal; keep the one that is to be given.",
    "no_answers": "answers is empty: the question has no answer.",
    "no_annotation": "The task of Label Studio has no annotation.",
    "marked_parts": "The record is a task of Label Studio that marks parts of its text; export it as JSON-MIN or CSV, "
    "and choose the columns.",
    "no_single_text": "The record is a task of Label Studio that has no single text with a choice or a written answer; "
    "export it as JSON-MIN or CSV, and choose the columns.",
    "no_response": "The record of Argilla has no response.",
    "several_questions": "The record is one of Argilla with several questions or fields; export it as a table, and "
    "choose the columns.",
    "chat_export": "The record is a conversation out of ChatGPT's export, a tree of drafts; write the turns that are "
    "to be learned from as messages, each with role and content.",
    "call_log": "The record is a log of a request and its response; write what was asked as prompt and what was "
    "answered as completion.",
}

SENTENCES: Mapping[str, Template] = _OF_A_FILE | _OF_A_LINE
sentence = Wording(SENTENCES)

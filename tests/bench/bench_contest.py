"""Planted defects: what our check finds, and what TrainJudge, ForgeLM and CorpusGuard find in the same files.

    python tests/bench/bench_contest.py [--trainjudge BIN] [--corpusguard BIN] [--forgelm BIN]

Takes three shared sets (documentation comments, intents, instructions), plants 20 defects of each kind that makes sense
there, and asks each tool for the lines. A find counts when it names the planted line, or pairs it with its original.
False alarms are lines that were not planted and that the tool did not name in the clean file either; what it names in
the clean file is listed apart. ForgeLM gives no lines, only counts: its finds are the smaller of count and planted.
BIN is the tool's command, in an environment of its own.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.datasets.checks import pipeline
from app.datasets.checks.working_rows import WorkingRows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = {
    "phpdoc": ("phpdoc/phpdoc.jsonl", 2000),
    "banking77": ("intent_banking77/train.jsonl", 2000),
    "dolly": ("chat/alpaca.jsonl", 1000),
}
EACH = 20
PLANTS = "exact near contradiction refusal placeholder loop echo empty malformed personal secret".split()  # noqa: SIM905 - a list of words
LABELS_LACK = {"refusal", "loop", "echo"}  # of an intent's name
LEAKS = 20

REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "As an AI language model, I don't have personal opinions about this.",
    "I cannot assist with that. Please contact a professional.",
    "Sorry, I'm unable to provide this information.",
)
PLACEHOLDERS = ("TODO", "[INSERT ANSWER HERE]", "Lorem ipsum dolor sit amet, consectetur adipiscing elit.", "TBD")
PERSONAL = (
    "Write to jane.doe@example.com about it.",
    "The card is 4111 1111 1111 1111.",
    "Transfer it to GB82 WEST 1234 5698 7654 32.",
    "Call +1 202 555 0143 after five.",
)
SECRETS = (
    "The key is AKIAIOSFODNN7EXAMPLE here.",
    "Use the token ghp_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5" + " for it.",
    "-----BEGIN RSA PRIVATE KEY----- and so on",
)

Found = Mapping[str, set[int]]
Pair = tuple[str, str]


def load(name: str) -> list[Pair]:
    path, rows = SETS[name]
    found = []
    with (DATA / path).open() as file:
        for line in file:
            value = json.loads(line)
            asked = value.get("prompt") or value.get("instruction")
            found.append((asked, value.get("completion") or value.get("output")))
    return random.Random(4).sample(found, min(rows, len(found)))


def edited(text: str, rng: random.Random) -> str:
    """A light edit: a word doubled in case, a sign dropped, or spaces changed."""
    words = text.split(" ")
    place = rng.randrange(len(words))
    if rng.random() < 0.5 and len(words) > 6:
        del words[place]
    else:
        words[place] = words[place] + " " if rng.random() < 0.5 else words[place].swapcase()
    return " ".join(words) + rng.choice(("", " ", "."))


def plant(pairs: list[Pair], name: str) -> tuple[list[str], dict[str, list[tuple[int, int]]]]:
    """The lines of a corrupted file, and by kind the planted lines with the line each was made from."""
    rng = random.Random(9)
    labels = name == "banking77"
    long = [place for place, (asked, answer) in enumerate(pairs) if len(asked) > 50 and (labels or len(answer) > 60)]
    kinds = [kind for kind in PLANTS if not (labels and kind in LABELS_LACK)]
    origins = iter(rng.sample(long, EACH * len(kinds)))  # no row is corrupted twice: a tool names one fault of a row
    made = [
        (kind, origin := next(origins), corrupted(kind, pairs, origin, number, labels=labels, rng=rng))
        for kind in kinds
        for number in range(EACH)
    ]
    lines = [
        (("", place), json.dumps({"prompt": asked, "completion": answer}))
        for place, (asked, answer) in enumerate(pairs)
    ]
    lines += [((kind, origin), line) for kind, origin, line in made]
    rng.shuffle(lines)
    at = {origin: number for number, ((kind, origin), _) in enumerate(lines, 1) if not kind}
    planted: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, ((kind, origin), _) in enumerate(lines, 1):
        if kind:
            planted[kind].append((number, at[origin]))
    return [line for _, line in lines], planted


def corrupted(kind: str, pairs: list[Pair], origin: int, number: int, *, labels: bool, rng: random.Random) -> str:
    """A row made from another by one defect. All but copies get a question of their own."""
    asked, answer = pairs[origin]
    own = f"{' '.join(rng.sample(asked.split(), len(asked.split())))} number {number} of {kind}"
    if kind in ("exact", "contradiction"):
        own = asked
    if kind == "near":
        own, answer = edited(asked, rng), answer if labels else edited(answer, rng)
    if kind in ("personal", "secret"):
        values = PERSONAL if kind == "personal" else SECRETS
        own = f"{own} {values[number % len(values)]}"
    answer = {
        "contradiction": next(other for _, other in rng.sample(pairs, 60) if other != answer),
        "refusal": REFUSALS[number % len(REFUSALS)],
        "placeholder": PLACEHOLDERS[number % len(PLACEHOLDERS)],
        "loop": " ".join([" ".join(answer.split()[:3])] * 15),
        "echo": own,
        "empty": "",
    }.get(kind, answer)
    line = json.dumps({"prompt": own, "completion": answer})
    return line[: len(line) // 2] if kind == "malformed" else line


# ---------------------------------------------------------------------- the tools
WORDS = (
    # (what a reason says, the kinds it is about)
    (r"duplicate", ("exact", "near")),
    (r"conflict|contradict|answered differently", ("contradiction",)),
    (r"refus", ("refusal",)),
    (r"placeholder", ("placeholder",)),
    (r"repetit|repeats? (?:itself|the same)|repeated", ("loop",)),
    (r"echo|repeats the prompt|same as (?:the )?prompt|identical to", ("echo",)),
    (r"empty", ("empty",)),
    (r"invalid.json|malformed|not json", ("malformed",)),
    (r"sensitive|e-?mail|card|iban|phone|\bpii\b", ("personal",)),
    (r"secret|key|token|credential", ("secret",)),
)


def sort_out(said: list[tuple[int, str]]) -> dict[str, set[int]]:
    """Lines by kind, from reasons in words; a line said to be short or odd for no kind of ours stands under `other`."""
    found: dict[str, set[int]] = defaultdict(set)
    for line, reason in said:
        kinds = next((kinds for words, kinds in WORDS if re.search(words, reason, re.IGNORECASE)), ("other",))
        for kind in kinds:
            found[kind].add(line)
        found["any"].add(line)
    return found


def ours(file: Path, _: str) -> dict[str, set[int]]:
    with tempfile.TemporaryDirectory() as folder, WorkingRows(Path(folder) / "rows") as rows, file.open("rb") as stream:
        report = pipeline.check(pipeline.CheckInput(stream, max_messages=100_000), rows).report
    found: dict[str, set[int]] = defaultdict(set)
    for name, kinds in (
        ("duplicates", ("exact", "near")),
        ("near_duplicates", ("exact", "near")),
        ("contradictions", ("contradiction",)),
    ):
        for pair in getattr(report, name):
            for kind in kinds:
                found[kind] |= {pair.line, pair.of_line}
    names = {"repeat": "loop", "refusal": "refusal", "placeholder": "placeholder", "echo": "echo"}
    for remark in report.remarks:
        if remark.kind in names:
            found[names[remark.kind]] |= set(remark.lines)
    for message in report.messages:
        if message.line and message.level == "error":
            found["empty" if "empty" in message.text else "malformed"].add(message.line)
    for held in report.identifiers.kinds if report.identifiers else ():
        secret = re.search("key|token|secret|password", held.kind)
        found["secret" if secret else "personal"] |= set(held.lines)
    found["any"] = set().union(*found.values())
    return found


def trainjudge(file: Path, command: str) -> dict[str, set[int]]:
    report = json.loads(said_by([command, "audit", str(file), "--json"]))
    said = [(one["line"], f"{one['status']}: {one['reason']}") for one in report["issues"]]
    said = [(line, reason.replace("malformed: ", "") if "empty" in reason else reason) for line, reason in said]
    pairs = [(int(number), reason) for _, reason in said for number in re.findall(r"duplicate of line (\d+)", reason)]
    found = sort_out([*said, *pairs])  # both ends of a pair, as for the others
    for kind, lines in report["sensitive_data"].items():
        found["secret" if re.search("key|token|secret", kind, re.IGNORECASE) else "personal"] |= set(lines)
        found["any"] |= set(lines)
    return found


def corpusguard(file: Path, command: str) -> dict[str, set[int]]:
    out = file.with_suffix(".guard.json")
    said_by([command, "scan", str(file), "--json-out", str(out)])
    found: dict[str, set[int]] = defaultdict(set)
    for one in json.loads(out.read_text())["findings"]:
        lines = {int(number) for number in re.findall(r"\d+", one["message"])} if "duplicate" in one["code"] else set()
        lines |= {one["row"]} if one["row"] else set()
        for kind, where in sort_out([(line, one["code"].replace("_", " ")) for line in lines]).items():
            found[kind] |= where
    found["secret"] = found["personal"]
    return found


def forgelm(file: Path, command: str) -> dict[str, int]:
    """Counts by kind: it names no lines."""
    out = file.with_suffix(".forge")
    said_by([command, "audit", str(file), "--output", str(out), "--output-format", "json"])
    report = json.loads((out / "data_audit_report.json").read_text())
    train = report["splits"]["train"]
    twins = train.get("near_duplicate_pairs", 0)
    return {
        "exact": twins,
        "near": twins,
        "malformed": train.get("parse_errors", 0),
        "empty": train.get("null_or_empty_count", 0),
        "personal": sum(report.get("pii_summary", {}).values()),
        "secret": sum(report.get("secrets_summary", {}).values()),
        "loop": report.get("quality_summary", {}).get("by_check", {}).get("repeated_lines", 0),
        "any": report.get("quality_summary", {}).get("samples_flagged", 0),
    }


def said_by(command: list[str]) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


# ---------------------------------------------------------------------- scoring
def score(
    found: Found, clean: Found, planted: Mapping[str, list[tuple[int, int]]], moved: Mapping[int, int]
) -> dict[str, str]:
    """By kind: found of planted, and false alarms. moved: line in the clean file -> line in the corrupted one."""
    lines = {line for many in planted.values() for line, _ in many}
    origins = {origin for many in planted.values() for _, origin in many}
    result = {}
    for kind, many in planted.items():
        mine = found.get(kind, set())
        hits = sum(
            1
            for line, origin in many
            if line in mine or (kind in ("exact", "near") and origin in mine and line in found.get("any", set()))
        )
        before = {moved[line] for line in clean.get(kind, set()) if line in moved}
        false = len(mine - lines - origins - before)
        precision = hits / (hits + false) if hits + false else 0.0
        result[kind] = f"{precision:.2f} / {hits / len(many):.2f}"
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("trainjudge", "corpusguard", "forgelm"):
        parser.add_argument(f"--{name}", default="")
    wanted = parser.parse_args()
    tools: dict[str, tuple[Callable[[Path, str], Any], str]] = {"ours": (ours, "-")}
    tools |= {"TrainJudge": (trainjudge, wanted.trainjudge)} if wanted.trainjudge else {}
    tools |= {"CorpusGuard": (corpusguard, wanted.corpusguard)} if wanted.corpusguard else {}
    tools |= {"ForgeLM": (forgelm, wanted.forgelm)} if wanted.forgelm else {}
    for name in SETS:
        with tempfile.TemporaryDirectory() as place:
            compare(name, Path(place), tools)


def compare(name: str, place: Path, tools: Mapping[str, tuple[Callable[[Path, str], Any], str]]) -> None:
    pairs = load(name)
    clean = place / "clean.jsonl"
    clean.write_text("".join(json.dumps({"prompt": a, "completion": b}) + "\n" for a, b in pairs))
    lines, planted = plant(pairs, name)
    dirty = place / "dirty.jsonl"
    dirty.write_text("".join(f"{line}\n" for line in lines))
    plain = {line: number for number, line in enumerate(lines, 1)}
    moved = {number: plain[json.dumps({"prompt": a, "completion": b})] for number, (a, b) in enumerate(pairs, 1)}
    print(f"\n{name}: {len(pairs):,} rows, {EACH} of each defect planted; precision / recall")
    print(f"  {'':14}" + "".join(f"{kind:>15}" for kind in planted))
    for tool, (ask, command) in tools.items():
        found, before = ask(dirty, command), ask(clean, command)
        if tool == "ForgeLM":
            cells = {
                kind: f"n/a / {min(found.get(kind, 0) - before.get(kind, 0), EACH) / EACH:.2f}" for kind in planted
            }
            alarms = before["any"]
        else:
            cells = score(found, before, planted, moved)
            alarms = len(before.get("any", ()))
        print(
            f"  {tool:14}" + "".join(f"{cells[kind]:>15}" for kind in planted) + f"   clean file: {alarms:,} rows named"
        )


if __name__ == "__main__":
    main()

"""What the data page makes of a report: figures, charts, and what is left to do.

Reports are stored, so an old one lacks what a later check learned to say. Each part here is left out where its key is
missing; nothing is guessed. `quality.py` documents the keys. `rows` is the address of the rows of this version: every
number leads to the rows it counts.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from rapidfuzz.distance import LCSseq

from app.datasets import content, doubts, encodings, splitting
from app.evaluation import statistics
from app.web import charts

Report = Mapping[str, Any]

# The sentence's end for a row with this status, after "rows that".
DROPPED = {
    "fault": "could not be read",
    "empty": "have no question or no answer",
    "private": "hold personal data that you left out",
    "too_long": "are too long",
    "duplicate": "repeat another row",
    "near_duplicate": "nearly repeat another row",
    "contradiction": "contradict another row",
    "leak": "stand in the test file, or nearly",
    "test_group": "are of a group in the test file",
}
ALWAYS = {"fault", "duplicate", "near_duplicate", "contradiction"}  # told even when there are none: that is good news
LEVELS = ("error", "warning", "note")  # of messages, the gravest first
LABELS = 6  # labels at either end that the chart shows
RARE = 20  # rows below which a label is named as not covered (quality.RARE_LABEL, decision-rules G1)
SIZES = 8  # cluster sizes that get a bar of their own; the larger ones share one
NAME = 34  # characters of a label beside its bar
COMPARED = 5000  # words of a text that are compared one by one with its twin's

# Words for kinds of remarks and of personal data; a kind that is not here is shown as it is, without underscores.
KINDS = {
    "error": "faults",
    "warning": "warnings",
    "note": "notes",
    "refusal": "the answer is a refusal",
    "placeholder": "a placeholder was never filled in",
    "repeat": "the same words again and again",
    "echo": "the answer repeats the question",
    "cut": "the answer stops in the middle of a sentence",
    "dated": "the answer speaks of a model's last update",
    "other_language": "answered in another language than asked",
    "identifiers": "personal data or secrets",
}
# Kinds of remarks that each row carries itself, so that all of them can be shown and not only those a report names.
MARKS = {kind: int(mark) for mark, (kind, _) in content.WORDS.items()}
FEW = 0.005  # share of the rows below which languages are told in one line: detection errs on short texts


@dataclass(frozen=True, slots=True)
class Figure:
    """One number at the head of the report. `tone`: pass, unknown, fail, or nothing."""

    name: str
    value: int
    url: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The report in one sentence, why, and the one thing to do next. `tone`: ready, bad, or nothing."""

    text: str
    why: str
    next: str
    url: str
    link: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Todo:
    """One thing that a person should see or decide. `word` is the state in a word, `tone` its colour."""

    word: str
    tone: str
    text: str
    url: str
    link: str


@dataclass(frozen=True, slots=True)
class LabelChart:
    """The commonest and the rarest labels; `left_out` lie between them. `rare` have too few rows to be judged.

    share: of all rows, the commonest label's.
    """

    chart: charts.BarChart
    different: int
    left_out: int
    rare: int
    share: float


def rows_url(rows: str, **only: Any) -> str:
    """The address of the rows that a number counts."""
    given = {name: value for name, value in only.items() if value not in (None, "")}
    return f"{rows}?{urlencode(given)}" if given else rows


def word(kind: str) -> str:
    return KINDS.get(kind, kind.replace("_", " "))


def encoding(report: Report) -> str:
    """How the letters of the file were read, in words; empty for plain UTF-8, and for what is no text."""
    name, chosen = report.get("encoding", ""), report.get("read_as", {}).get("encoding", "")
    if report.get("layout") == "Parquet" or name in ("", encodings.UTF_8):
        return ""
    return f"read as {encodings.title(name)}{', as chosen' if name == chosen else ''}"


# ---------------------------------------------------------------------- figures and things to do
def verdict(
    report: Report,
    *,
    state: str,
    usable: int,
    needed: int,
    decided: Collection[str],
    frozen: bool,
    measure: str,
    reading: str,
    newer: tuple[int, str] | None,
    newer_waits: bool = False,
) -> Verdict:
    """What one reads first.

    measure: the address of the next step; reading: of the page that says how the file is read. newer: number and
    address of the one that counts; newer_waits: it will, if its check finds it usable.
    """
    if state == "rejected":
        return _refused(report, reading, newer, waits=newer_waits)
    text = f"{usable:,} usable example{'' if usable == 1 else 's'} besides the test set; training needs {needed:,}."
    why = ""
    if usable < needed:
        why = (
            f"About {needed - usable:,} more different examples are missing. With fewer, a tuned model tends to "
            "memorise. Prompting needs far fewer and can be measured now."
        )
    if report.get("why"):
        # That too few are usable is the sentence above; the others go before what is said about it.
        why = " ".join((*(one for one in report["why"] if not one.endswith(doubts.TOO_FEW)), why)).strip()
    unlearnable = _no_link(report)
    tone = "ready" if usable >= needed and not unlearnable else ""
    if newer:
        number, url = newer
        return Verdict(text, "", "", url, f"Open version {number}", "info")
    if open_rows := _undecided(report, decided):
        told = f"{_rows(open_rows)} seem{'s' if open_rows == 1 else ''} to hold personal data or a secret"
        return Verdict(
            text, why, f"{told}. Training stays locked until you decide about them.", "#personal", "Decide", tone
        )
    if not frozen and unlearnable:
        told = "No link was found between what is asked and what is answered. Look at that before anything is measured."
        return Verdict(text, why, told, "#learnability", "What was tried", tone)
    if not frozen:
        return Verdict(
            text, why, "Look at a few rows, then freeze the split: measuring starts from it.", "#split",
            "Go to the split", tone,
        )  # fmt: skip
    return Verdict(text, why, "The split is frozen: prompting can be measured on it.", measure, "Measure", tone)


def _no_link(report: Report) -> bool:
    return (report.get("learnability") or {}).get("verdict") == "unlearnable"


def _refused(report: Report, reading: str, newer: tuple[int, str] | None, *, waits: bool) -> Verdict:
    """Why no row of an upload can be used, in the words of its first fault."""
    uploaded, taken = report.get("uploaded", 0), report.get("counts", {})
    faults = [said for said in report.get("messages") or () if said["level"] == "error"]
    faults.sort(key=lambda said: said["line"] is None)
    most = max(DROPPED, key=lambda status: taken.get(status, 0))
    if told := report.get("split", {}).get("why_not"):
        why = str(told)
    elif faults:
        first = faults[0]
        place = (
            "" if first["line"] is None else f"{str(report.get('line_word', 'line')).capitalize()} {first['line']:,}"
        )
        place += " of the test file" if place and first.get("file") else ""
        why = f"{place}: {first['text']}" if place else first["text"]
    elif taken.get(most):
        number = taken[most]
        why = f"{number:,} of {_rows(uploaded)} {DROPPED[most] if number > 1 else _one(DROPPED[most])}."
    else:
        why = "Too few rows are left to learn from, to choose by and to judge by."
    if newer:
        number = newer[0]
        waiting = f"the check of version {number} has not ended"
        why += (
            f" The upload replaces nothing: {waiting if waits else f'version {number} is still the one that counts'}."
        )
    if report.get("format") == "unknown" and report.get("columns") and not report.get("undecodable"):
        # The file itself is sound; only its names are not ours. Saying which is which is quicker than a new file.
        names = "columns" if report.get("layout") in {"CSV", "Parquet"} else "keys"
        step = f"Say which of its {names} holds what is asked and which one holds the answer."
        return Verdict("This upload can't be used yet.", why, step, reading, f"Choose the {names}", "bad")
    step = "Correct the file and upload it again."
    if report.get("undecodable"):
        step = (
            "Save the file as UTF-8 and upload it again. Or is it right as it is, such as a CSV from Excel? Then say "
            "which encoding it has under Read it another way."
        )
    return Verdict("This upload can't be used.", why, step, "#upload", "Upload a corrected file", "bad")


def _undecided(report: Report, decided: Collection[str]) -> int:
    """How many rows hold a kind of personal data that nobody has decided about: at least those of the largest kind."""
    found = report.get("identifiers") or {}
    kinds = found.get("kinds") or ()
    left = [one for one in kinds if one["kind"] not in decided]
    if not left:
        return 0
    return int(found["rows"] if len(left) == len(kinds) else min(found["rows"], sum(one["rows"] for one in left)))


def learnt(report: Report) -> Mapping[str, Any] | None:
    """What was found out about learning. Older checks took rows that only look alike for one question, so what they
    called the best score to hope for is left out.
    """
    found = report.get("learnability")
    return found if not found or "label_agreement" in report else {**found, "ceiling": None, "ceiling_high": None}


def reached(measured: Mapping[str, Any] | None) -> float:
    """The best score, 0 to 1, of whatever was measured on the test rows; 0 where nothing was."""
    given = measured or {}
    results = [given.get("baseline"), given.get("teacher"), *(given.get("arms") or {}).values()]
    return max((_score(one) for one in results if one), default=0.0)


def _score(result: Mapping[str, Any]) -> float:
    if result.get("total"):
        return float(result["passed"] / result["total"])
    return float(result.get("score") or 0.0)


def figures(report: Report, rows: str) -> list[Figure]:
    """The numbers that one reads first."""
    if not _uploaded(report):
        return []
    split, steps = report.get("split", {}), dropped(report)
    usable, test = split.get("usable", 0), split.get("test", 0)
    found = [
        Figure("rows uploaded", report["waterfall"][0]["count"], rows_url(rows, file="upload")),
        Figure("usable", usable, rows_url(rows, split="train-dev"), "pass" if usable else "fail"),
        Figure("test rows", test, rows_url(rows, split="test"), "pass" if test else "fail"),
    ]
    for status, name, tone in (
        ("fault", "not read", "fail"),
        ("empty", "empty", "fail"),
        ("private", "left out by you", "unknown"),
        ("too_long", "too long", "unknown"),
        ("duplicate", "duplicates", "unknown"),
        ("near_duplicate", "near-duplicates", "unknown"),
        ("contradiction", "contradictions", "unknown"),
        ("leak", "also in the test file", "fail"),
    ):
        number = steps.get(status, 0)
        if number or status in ALWAYS:
            found.append(Figure(name, number, rows_url(rows, status=status, file="upload"), tone if number else ""))
    return found


def _uploaded(report: Report) -> int:
    """Rows that were read; of a file that could not be read through nobody knows how many it has, and zero is wrong."""
    steps = report.get("waterfall")
    return int(steps[0]["count"]) if steps else 0


def dropped(report: Report) -> dict[str, int]:
    """Rows of the upload by the status that took them out."""
    return {step["status"]: step["dropped"] for step in report.get("waterfall") or () if step.get("status")}


def todos(
    report: Report, rows: str, *, ready: bool, decided: Collection[str], usable: int, test: int, needed_test: int
) -> list[Todo]:
    """What stands between these rows and a measurement, the gravest first. decided: kinds of personal data.

    ready: whether the version can be used; the report of one that was refused shows no split and nothing learnt.
    The verdict has said already how many examples are missing; a set without rows to judge by has no size to discuss.
    """
    return [
        *_undecodable(report, rows),
        *_unread(report, rows),
        *_leaks(report, rows),
        *(_groups(report) if ready else ()),
        *_identifiers(report, decided),
        *_contradictions(report, rows),
        *(_unlearnable(report) if ready else ()),
        *_too_long(report, rows),
        *_remarks(report),
        *_rare(report, rows),
        *(_missing(test=test, needed_test=needed_test) if ready and usable else ()),
    ]


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _undecodable(report: Report, rows: str) -> Iterator[Todo]:
    number = report.get("undecodable", 0)
    if number and report.get("uploaded"):  # of a file that was not read through nobody knows how many
        text = f"{_rows(number)} {'are' if number > 1 else 'is'} no {encodings.title(report['encoding'])} text."
        url = f"{rows.removesuffix('/rows')}/reading"
        yield Todo("decide", "fail", text, url, "Choose the file's encoding")


def _unread(report: Report, rows: str) -> Iterator[Todo]:
    for status in ("fault", "empty"):
        if number := dropped(report).get(status, 0):
            text = f"{_rows(number)} {DROPPED[status] if number > 1 else _one(DROPPED[status])}."
            yield Todo("correct", "fail", text, rows_url(rows, status=status, file="upload"), "Read why")


def _one(words: str) -> str:
    """The same words about one row."""
    return words.replace("have no", "has no", 1).replace("are ", "is ", 1)


def _leaks(report: Report, rows: str) -> Iterator[Todo]:
    if number := dropped(report).get("leak", 0):
        counts = report.get("counts", {})
        exact = counts.get("exact_leaks", counts.get("leaks", 0)) == counts.get("leaks", 0)
        text = f"{_rows(number)} {'stand' if number > 1 else 'stands'} in the test file too"
        text += "" if exact else ", or nearly" if counts.get("exact_leaks") else " but for a few words"
        text += ", so nothing learns from them."
        yield Todo("look", "fail", text, rows_url(rows, status="leak", file="upload"), "Compare")


def _groups(report: Report) -> Iterator[Todo]:
    split = report.get("split", {})
    if number := split.get("group_overlap", 0):
        text = f"{_rows(number)} {'are' if number > 1 else 'is'} learnt from though their group is in the test file."
        yield Todo("decide", "unknown", text, "#split", "Leave out or use")
    untaught = split.get("untaught") or {}
    if number := untaught.get("labels", 0):
        rows_ = f"{_rows(untaught['rows'])} of the test set"
        text = f"{rows_} want{'s' * (untaught['rows'] == 1)} a label that no row teaches."
        yield Todo("look", "fail", text, "#split", "Why")


def _identifiers(report: Report, decided: Collection[str]) -> Iterator[Todo]:
    if number := _undecided(report, decided):
        text = f"{_rows(number)} seem{'s' if number == 1 else ''} to hold personal data or a secret."
        yield Todo("decide", "unknown", text, "#personal", "Mask, leave out or keep")


def _contradictions(report: Report, rows: str) -> Iterator[Todo]:
    if number := report.get("counts", {}).get("contradiction", 0):
        tests = number - dropped(report).get("contradiction", number)
        among = f" ({tests:,} of them in the test file)" if tests > 0 else ""
        text = f"{_rows(number)} ask the same and are answered differently{among}, so none is used."
        yield Todo("correct", "unknown", text, rows_url(rows, status="contradiction"), "Compare")


def _unlearnable(report: Report) -> Iterator[Todo]:
    if _no_link(report):
        text = "No link was found between what is asked and what is answered."
        yield Todo("look", "fail", text, "#learnability", "What was tried")


def _too_long(report: Report, rows: str) -> Iterator[Todo]:
    lengths = report.get("lengths", {})
    number, limit = lengths.get("over", 0), lengths.get("limit")
    if number and limit:
        text = f"{_rows(number)} {'is' if number == 1 else 'are'} longer than {limit:,} {lengths.get('unit', '')}"
        text += " and would be cut."
        yield Todo("look", "unknown", text, too_long(report, rows) or "#lengths", "See them")


def _remarks(report: Report) -> Iterator[Todo]:
    found = report.get("remarks") or ()
    if number := sum(one["rows"] for one in found):
        kinds = ", ".join(word(one["kind"]) for one in found[:3])
        link = f"Look at {'it' if number == 1 else 'them'}"
        yield Todo("look", "unknown", f"Something is odd about {_rows(number)}: {kinds}.", "#remarks", link)


def _rare(report: Report, rows: str) -> Iterator[Todo]:
    found = report.get("labels") or ()
    named = report.get("rare_labels", 0) if found else 0
    if number := max(named, sum(1 for one in found if one["rows"] < RARE)):
        text = (
            f"{number:,} label{'' if number == 1 else 's'} {'has' if number == 1 else 'have'} fewer than {RARE} rows."
        )
        yield Todo("collect", "unknown", text, f"{rows.removesuffix('/rows')}/labels?order=rare", "Which")


def _missing(*, test: int, needed_test: int) -> Iterator[Todo]:
    if test < needed_test:
        text = f"{needed_test - test:,} more test rows are needed to tell 80% from 87%."
        yield Todo("collect", "unknown", text, "#split", "See the split")


# ---------------------------------------------------------------------- what the test rows can show
@dataclass(frozen=True, slots=True)
class Judging:
    """What so many test rows can tell. Scores and gaps are 0 to 1.

    gap: the smallest between two ways of working that they can show, None without rows. low, high: what a way that
    really reaches the target can score on them, None where no target is set. wanted: the gap that the team named by
    what prompts reached so far, None where it named none; needed: test rows for it; more: rows to upload for as many.
    """

    rows: int
    gap: float | None
    low: float | None = None
    high: float | None = None
    wanted: float | None = None
    needed: int = 0
    more: int = 0

    @property
    def missing(self) -> int:
        """Test rows that the wanted gap takes and that are not there."""
        return max(self.needed - self.rows, 0)


# What was said of the best prompt so far, as a gap to the target. Of "less than 10 points" the middle.
GAPS = {"short_large": 0.10, "short_small": 0.05}


def judging(report: Report, target: float | None, tried: object) -> Judging | None:
    """What the test rows can tell, with the team's target and its word on prompting where it gave them."""
    split = report.get("split")
    if not split:
        return None
    rows = split["test"]
    gap = statistics.smallest_gap(rows) if rows else None
    low = high = None
    if target is not None and rows:
        interval = statistics.wilson(target * rows, rows)
        low, high = interval.low, interval.high
    wanted = GAPS.get(str(tried)) if target is not None else None
    if wanted is None:
        return Judging(rows, gap, low, high)
    needed = statistics.rows_needed(wanted)
    more = max(0, needed - rows) if split.get("own_test") else splitting.rows_for(needed) - split["usable"] - rows
    return Judging(rows, gap, low, high, wanted, needed, max(0, more) if rows < needed else 0)


# ---------------------------------------------------------------------- charts
def waterfall(report: Report, rows: str) -> charts.BarChart | None:
    """What is there, then what each check takes away, then what is left."""
    if not _uploaded(report):
        return None
    first, *between, last = report["waterfall"]
    parts = [charts.Part(first["label"], first["count"], url=rows_url(rows, file="upload"))]
    for step in between:
        if step["dropped"]:
            url = rows_url(rows, status=step["status"], file="upload")
            parts.append(charts.Part(_step(step), step["dropped"], removed=True, url=url))
    if last["dropped"]:
        url = rows_url(rows, split="test")
        parts.append(charts.Part("kept aside to test", last["dropped"], removed=True, url=url))
    parts.append(charts.Part("usable", last["count"], url=rows_url(rows, split="train-dev"), tone="good"))
    return charts.waterfall("Rows from uploaded to usable", parts)


def _step(step: Mapping[str, Any]) -> str:
    """What a step took away. A step that a later check added speaks for itself."""
    return DROPPED.get(step["status"]) or str(step["label"])


def lengths(report: Report, rows: str) -> charts.Histogram | None:
    """How long the rows are, each bar with its rows; absent in reports that only have the middle and the ends."""
    found = report.get("lengths") or {}
    bins = found.get("histogram")
    if not bins:
        return None
    unit = found.get("unit", "characters")
    drawn = [
        charts.Bin(
            one["from"],
            one["to"],
            one["rows"],
            rows_url(rows, **of_lengths(report, one["from"], one["to"])) if found.get("of") and one["rows"] else "",
        )
        for one in bins
    ]
    return charts.histogram("Rows by length", drawn, x_title=f"{unit} a row", limit=found.get("limit"))


def too_long(report: Report, rows: str) -> str:
    """The address of the rows that would be cut; empty where the table does not carry lengths."""
    found = report.get("lengths") or {}
    return rows_url(rows, **of_lengths(report, found["limit"] + 1)) if found.get("of") and found.get("over") else ""


def of_lengths(report: Report, least: int, most: int | None = None) -> dict[str, Any]:
    """What to ask the rows for: so long, and of those that the chart counts."""
    status = "usable" if report["lengths"]["of"] == "usable" else ""
    return {"status": status, "size_from": least, "size_to": most}


def label_balance(report: Report, rows: str) -> LabelChart | None:
    """The labels at both ends: those that a model could live on, and those that it hardly sees."""
    found = report.get("labels") or []
    if not found:
        return None
    ordered = sorted(found, key=lambda one: -one["rows"])
    shown = ordered if len(ordered) <= 2 * LABELS + 1 else [*ordered[:LABELS], *ordered[-LABELS:]]
    different = max(report.get("different_labels", 0), len(ordered))
    rare = max(report.get("rare_labels") or 0, sum(1 for one in ordered if one["rows"] < RARE))
    parts = [
        charts.Part(
            _short(one["label"]),
            one["rows"],
            url=rows_url(rows, label=one["label"]),
            tone="open" if one["rows"] < RARE else "accent",
            note="rare" if one["rows"] < RARE else "",
        )
        for one in shown
    ]
    drawn = charts.bars("Rows by label", parts, unit="Rows")
    total = report.get("labelled_rows") or sum(one["rows"] for one in ordered)
    return LabelChart(drawn, different, different - len(shown), rare, ordered[0]["rows"] / total if total else 0.0)


def _short(label: str) -> str:
    """Long labels of one set often differ at their end, so both ends stay."""
    return label if len(label) <= NAME else f"{label[: NAME - 13]}\N{HORIZONTAL ELLIPSIS}{label[-12:]}"


def cluster_sizes(report: Report, clusters: str) -> charts.BarChart | None:
    """How many groups of rows that are (nearly) the same there are, by their size. `clusters`: the page of them."""
    sizes = (report.get("clusters") or {}).get("sizes") or ()
    sizes = sorted((one for one in sizes if one["size"] > 1), key=lambda one: one["size"])
    if not sizes:
        return None
    parts = [
        charts.Part(
            f"groups of {one['size']:,}",
            one["clusters"],
            note=f"{one['rows']:,} rows",
            url=f"{clusters}?size={one['size']}",
            tone="open",
        )
        for one in sizes[:SIZES]
    ]
    if rest := sizes[SIZES:]:
        groups, number = sum(one["clusters"] for one in rest), sum(one["rows"] for one in rest)
        url = f"{clusters}?least={rest[0]['size']}"
        parts.append(
            charts.Part(f"{rest[0]['size']:,} and more", groups, note=f"{number:,} rows", url=url, tone="open")
        )
    return charts.bars("Groups of rows that are the same or nearly so, by size", parts, unit="Groups")


def languages(report: Report) -> list[dict[str, Any]]:
    """Languages with their share of the rows; the rarest together."""
    found = report.get("languages") or ()
    shown = [one for one in found if one["share"] >= FEW]
    rest = [one for one in found if one["share"] < FEW]
    if rest:
        rows, share = sum(one["rows"] for one in rest), sum(one["share"] for one in rest)
        shown.append(
            {"language": f"{len(rest)} other{'s' * (len(rest) > 1)}, or misjudged", "rows": rows, "share": share}
        )
    return shown


# ---------------------------------------------------------------------- labels
@dataclass(frozen=True, slots=True)
class Label:
    """A label as it is written, with its rows. `share`: of all rows. `variants`: other ways in which it is written.

    train, dev, test: None where nobody counted them.
    """

    label: str
    rows: int
    train: int | None
    dev: int | None
    test: int | None
    share: float
    variants: Sequence[str] = ()

    @property
    def rare(self) -> bool:
        return self.rows < RARE

    @property
    def unused(self) -> int:
        if self.train is None or self.dev is None or self.test is None:
            return 0
        return self.rows - self.train - self.dev - self.test


def labels(counts: Iterable[tuple[str, str, int]]) -> list[Label]:
    """Put (answer, split, rows) together by label, the commonest first."""
    by_label: dict[str, dict[str, int]] = {}
    for label, split, number in counts:
        parts = by_label.setdefault(label, {})
        parts[split] = parts.get(split, 0) + number  # labels whose values are hidden look alike
    written: dict[str, list[str]] = {}
    for label in by_label:
        written.setdefault(" ".join(label.casefold().split()), []).append(label)
    total = sum(sum(parts.values()) for parts in by_label.values())
    found = [
        Label(
            label,
            rows := sum(parts.values()),
            parts.get("train", 0),
            parts.get("dev", 0),
            parts.get("test", 0),
            rows / total,
            [other for other in written[" ".join(label.casefold().split())] if other != label],
        )
        for label, parts in by_label.items()
    ]
    return sorted(found, key=lambda one: (-one.rows, one.label))


def labels_of(report: Report) -> list[Label]:
    """The labels that the report names, without their parts: enough for a set too large to be counted for one page."""
    found = report.get("labels") or ()
    total = sum(one["rows"] for one in found) or 1
    return [Label(one["label"], one["rows"], None, None, None, one["rows"] / total) for one in found]


def ordered(found: Sequence[Label], order: str) -> list[Label]:
    """rare: the rarest first; name: by the alphabet; anything else: the commonest first."""
    if order == "rare":
        return sorted(found, key=lambda one: (one.rows, one.label))
    if order == "name":
        return sorted(found, key=lambda one: one.label.casefold())
    return list(found)


def label_bars(shown: Sequence[Label], every: Sequence[Label]) -> dict[str, float]:
    """How long a label's bar is, in percent of the commonest label's."""
    most = max((one.rows for one in every), default=1)
    return {one.label: round(max(100 * one.rows / most, 0.5), 2) for one in shown}


# ---------------------------------------------------------------------- from a number to its rows
def lines_of(report: Report, remark: str) -> tuple[int, list[int]] | None:
    """All rows that a remark counts, and the lines of those that the report names; None where it knows no such remark.

    remark: a kind of `remarks`, or of `identifiers`; error, warning, note for the messages.
    """
    levels = {"error", "warning", "note"}
    if remark in levels:
        lines = _unique(
            said["line"]
            for said in report.get("messages") or ()
            if said["level"] == remark and said["line"] is not None and not said.get("file")
        )
        return len(lines), lines
    for one in report.get("remarks") or ():
        if one["kind"] == remark:
            return one["rows"], _unique(one.get("lines") or ())
    kinds: Sequence[Mapping[str, Any]] = (report.get("identifiers") or {}).get("kinds") or ()
    if remark == "identifiers" and kinds:
        lines = _unique(line for kind in kinds for line in kind.get("lines") or ())
        return (report["identifiers"].get("rows") or len(lines)), lines
    for one in kinds:
        if one["kind"] == remark:
            return one["rows"], _unique(one.get("lines") or ())
    return None


def _unique(lines: Iterable[int]) -> list[int]:
    return sorted(set(lines))


@dataclass(frozen=True, slots=True)
class Said:
    """What is said about one row or, in the same words, about many. rows: their lines, each with its file."""

    level: str
    field: str
    text: str
    rows: Sequence[tuple[int, int]]


def messages(report: Report) -> list[Said]:
    """The messages, the gravest first; what is said of many rows is said once, about the whole file before its rows."""
    found: dict[tuple[str, str, str, bool], list[tuple[int, int]]] = {}
    for said in report.get("messages") or ():
        whole = said["line"] is None
        rows = found.setdefault((said["level"], said.get("field") or "", said["text"], whole), [])
        if not whole:
            rows.append((said["line"], said.get("file") or 0))
    listed = [Said(level, field, text, rows) for (level, field, text, _), rows in found.items()]
    return sorted(listed, key=lambda one: LEVELS.index(one.level) if one.level in LEVELS else len(LEVELS))


def said_of(report: Report, line: int, file: int, marks: int = 0) -> list[Mapping[str, Any]]:
    """The messages about one line, and what is odd about its content. marks: see `content.Mark`."""
    told = [said for said in report.get("messages") or () if said["line"] == line and (said.get("file") or 0) == file]
    odd = [{"level": "warning", "text": text} for mark, text in content.OF_A_ROW.items() if marks & mark]
    return [*told, *(one for one in odd if all(one["text"] != said["text"] for said in told))]


# ---------------------------------------------------------------------- two rows beside each other
@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text; `changed`: the other text does not have it there."""

    text: str
    changed: bool


def differences(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, word by word: what differs between near-duplicates is easily missed by the eye.

    Texts of more than `COMPARED` words come back whole and unmarked.
    """
    left, right = (re.findall(r"\w+|\s+|[^\w\s]", text) for text in (one, other))
    if max(len(left), len(right)) > COMPARED:
        return [Piece(one, changed=False)], [Piece(other, changed=False)]
    first: list[Piece] = []
    second: list[Piece] = []
    for step in LCSseq.opcodes(left, right):
        same = step.tag == "equal"
        for pieces, words in (
            (first, left[step.src_start : step.src_end]),
            (second, right[step.dest_start : step.dest_end]),
        ):
            if words:
                pieces.append(Piece("".join(words), changed=not same))
    return first, second


def asked(messages: Sequence[Mapping[str, str]]) -> str:
    """All that is asked as one text; with one message, just that."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in messages)

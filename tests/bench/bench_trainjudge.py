"""The same situations put to TrainJudge and to us: its own demo sets, the golden cases, and two traps.

    python tests/bench/bench_trainjudge.py [--demos FOLDER --command PATH] [--shared FOLDER]

TrainJudge (`pip install trainjudge`) reads a goal in a sentence and the file. We get the same file, and the boxes that
a person with that goal would tick; never more than the sentence says. Three rounds on its own 17 demo sets, whose right
answers its authors published: the goal as they wrote it, no goal at all, and the wrong goal. Then the golden cases of
our rules, each with a file of its kind, and two traps: labels drawn by lot, and prose whose only secret is its style.

Without --demos and --command both are installed into a throw-away folder. Prints Markdown.

Who is right. On its demo sets the question is which gap the set shows, as its authors say: "knowledge" (look it up) or
"behaviour" (their class format; with us a prompt first, and training once that is measured to fall short). On the
golden cases the question is what to do: "tune" means that training is advised or, with us, that the advice leans to it;
"retrieve" that looking things up is advised; "prompt" that neither is. For TrainJudge "tune" is
`fine_tune_recommended`, "retrieve" the class knowledge, and anything else is "prompt".
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.advice.case import parse
from app.advice.facts import BEHAVIOURS
from app.advice.verdict import Advice, advise
from app.datasets.checks import learnability, pipeline
from app.datasets.checks.pipeline import CheckInput
from app.datasets.checks.report_json import plain
from app.datasets.checks.working_rows import WorkingRows
from tests.support.golden import GOLDEN, Golden

VERSION = "0.3.1"
LOT = "random labels"
DRAWS = 10  # of labels by lot, since one draw may look like something by chance
BEHAVIOUR_RULE = 5  # of the verdict: a behaviour should change, and no knowledge is missing
NEUTRAL = "make the model better at our task"
TUNE_SENTENCE, FACTS_SENTENCE = "make it sound like us", "answer questions from our internal documents"


@dataclass(frozen=True)
class Demo:
    """One of its demo sets: the goal in its authors' words, the boxes that this sentence ticks, and their answer."""

    folder: str
    goal: str
    ticks: tuple[str, ...]
    right: str


DEMOS = (
    Demo("sql_generation", "improve SQL generation for our shop database", ("tools",), "behaviour"),
    Demo("policy_docs", "make it answer from our internal support policy documents", ("facts",), "knowledge"),
    Demo(
        "domains/healthcare/clinical_coding",
        "extract diagnoses and ICD-10 codes from clinical notes into our JSON format",
        ("format", "extract"),
        "behaviour",
    ),
    Demo(
        "domains/healthcare/formulary_faq",
        "answer staff questions about medication dosing from our hospital formulary",
        ("facts",),
        "knowledge",
    ),
    Demo(
        "domains/legal/clause_extraction",
        "classify contract clauses and extract key terms into our JSON schema",
        ("format", "classify", "extract"),
        "behaviour",
    ),
    Demo(
        "domains/legal/statutes_faq",
        "answer questions about the statutes and filing rules in our jurisdiction",
        ("facts",),
        "knowledge",
    ),
    Demo(
        "domains/ecommerce/product_attributes",
        "extract product attributes from listing titles into our catalog JSON",
        ("format", "extract"),
        "behaviour",
    ),
    Demo(
        "domains/ecommerce/catalog_faq",
        "answer shopper questions about our product prices, stock and current promotions",
        ("facts",),
        "knowledge",
    ),
    Demo(
        "domains/customer_support/ticket_triage",
        "triage support tickets into category, priority and team as JSON",
        ("format", "classify"),
        "behaviour",
    ),
    Demo(
        "domains/customer_support/intent_routing",
        "route customer messages to one of our support intents",
        ("classify",),
        "behaviour",
    ),
    Demo(
        "domains/customer_support/help_center_faq",
        "answer customer questions from our help center articles",
        ("facts",),
        "knowledge",
    ),
    Demo(
        "domains/hr/resume_parsing", "parse resumes into our candidate JSON fields", ("format", "extract"), "behaviour"
    ),
    Demo(
        "domains/hr/benefits_faq",
        "answer employee questions about benefits and the leave policy",
        ("facts",),
        "knowledge",
    ),
    Demo(
        "domains/bfsi/transactions",
        "categorize bank transaction narrations into our category JSON",
        ("format", "classify"),
        "behaviour",
    ),
    Demo(
        "domains/bfsi/loan_faq",
        "answer customer questions about our loan and FD interest rates and charges",
        ("facts",),
        "knowledge",
    ),
    Demo(
        "domains/education/question_tagging",
        "tag exam questions with subject, topic and difficulty in our JSON format",
        ("format", "classify"),
        "behaviour",
    ),
    Demo(
        "domains/education/course_faq",
        "answer student questions about exam dates, deadlines and course policies",
        ("facts",),
        "knowledge",
    ),
)


@dataclass(frozen=True)
class Situation:
    """A golden case in a sentence, with a file of its kind. tried: whether prompting was tried in the story."""

    golden: int
    goal: str
    data: str
    tried: bool


SITUATIONS = (
    Situation(1, "summarise public documents in two sentences", "summarise_peps/summaries.jsonl", tried=True),
    Situation(2, "write PHPDoc comments in our house style and shape", "phpdoc/phpdoc.jsonl", tried=True),
    Situation(
        3,
        "answer questions about policies that change daily, with the source, for people with different rights",
        "rag_wiki/closed_book.jsonl",
        tried=True,
    ),
    Situation(5, "correct grammar in a language the model is weak in", "made: grammar", tried=True),
    Situation(6, "know our documentation and sound like our brand", "rag_pyfaq/closed_book.jsonl", tried=True),
    Situation(9, "sort customer messages into categories", "demo: domains/customer_support/intent_routing", tried=True),
    Situation(
        11,
        "same quality as our large model for routing, cheaper and faster at 10 million calls a month",
        "intent_banking77/train.jsonl",
        tried=True,
    ),
    Situation(12, "route support tickets to one of 77 queues", "intent_banking77/train.jsonl", tried=True),
    Situation(15, "turn questions into our query language", "text2sql/wikisql_train.jsonl", tried=True),
    Situation(18, "write in the voice of one author, from 534 passages", "made: voice", tried=False),
    Situation(21, "always answer with the same JSON shape", "slots_snips/train.jsonl", tried=True),
    Situation(22, "answer in our style, from rows that a model wrote", "demo: sql_generation", tried=True),
)


TRAPS: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    (
        "300 tickets, labels drawn by lot",
        "made: random labels",
        "route support tickets to the right team",
        ("classify",),
        "not tune",
    ),
    (
        "3,224 comments in one house style",
        "phpdoc/phpdoc.jsonl",
        "write comments in our house style",
        ("style", "format"),
        "tune",
    ),
)


# ---------------------------------------------------------------- theirs


@dataclass(frozen=True)
class Theirs:
    kind: str
    confidence: str
    tune: bool
    seconds: float

    @property
    def said(self) -> str:
        return "tune" if self.tune else "retrieve" if self.kind == "knowledge" else "prompt"

    @property
    def gap(self) -> str:
        return {"knowledge": "knowledge", "format": "behaviour", "cost": "behaviour"}.get(self.kind, "neither")

    @property
    def words(self) -> str:
        return f"{self.said} ({self.kind}, {self.confidence})"


def ask_them(command: Path, data: Path, goal: str, tried: bool | None = None) -> Theirs:
    flag = [] if tried is None else ["--tried-prompting" if tried else "--not-tried-prompting"]
    begun = time.perf_counter()
    said = subprocess.run(
        [command, "diagnose", "--dataset", data, "--model", "Qwen3-0.6B", "--goal", goal, "--json", *flag],
        check=True,
        capture_output=True,
        text=True,
    )
    took = time.perf_counter() - begun
    found = json.loads(said.stdout)
    return Theirs(found["classification"], found["confidence"], found["fine_tune_recommended"], took)


# ---------------------------------------------------------------- ours


@dataclass(frozen=True)
class Ours:
    advice: Advice
    signals: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def said(self) -> str:
        advice = self.advice
        if advice.approach == "fine_tune" or advice.leaning == "fine_tune":
            return "tune"
        return "retrieve" if advice.approach in ("rag", "hybrid") else "prompt"

    @property
    def gap(self) -> str:
        if self.advice.approach in ("rag", "hybrid"):
            return "knowledge"
        return "behaviour" if self.advice.rule == BEHAVIOUR_RULE else "neither"

    @property
    def words(self) -> str:
        lean = f", leaning {self.advice.leaning}" if self.advice.leaning else ""
        return f"{self.advice.approach}{lean}; {self.advice.training}".replace("_", "-")


def checked(data: Path) -> dict[str, Any]:
    """What the check of an upload measures in a file, by the names of the case file."""
    with tempfile.TemporaryDirectory() as folder, WorkingRows(Path(folder) / "rows") as rows, data.open("rb") as upload:
        found = pipeline.check(CheckInput(upload), rows)
    report = found.report
    measured = {
        "uploaded_examples": report.uploaded,
        "usable_examples": sum(split == "train" for split in found.split.values()),
        "contradiction_rate": report.contradiction_rate,
    }
    return measured | ({"signals": plain(report.signals)} if report.signals else {})


def learnt(data: Path) -> str:
    """What the check says can be learnt from the rows without a language model, in a word."""
    with tempfile.TemporaryDirectory() as folder, WorkingRows(Path(folder) / "rows") as rows, data.open("rb") as upload:
        found = pipeline.check(CheckInput(upload), rows)
        mine = [rows.pair(index) for index, split in found.split.items() if split != "test"]
        labels = found.report.task == "labels"
        said = learnability.measure(
            mine[: learnability.ROWS], labels=labels, seed=7, agreement=found.report.label_agreement
        )
    return said.verdict


def ask_us(measured: dict[str, Any], answers: dict[str, Any]) -> Ours:
    begun = time.perf_counter()
    advice = advise(parse({"answers": answers, "measured": measured}))
    return Ours(advice, measured.get("signals", {}), time.perf_counter() - begun)


def ticked(goals: tuple[str, ...]) -> dict[str, Any]:
    return {"goals": list(goals)} if goals else {}


# ---------------------------------------------------------------- files that are made


def make(name: str, folder: Path, shared: Path) -> Path:
    """Files for which no set exists: each from real texts, drawn with a fixed seed."""
    name, draw = (LOT, int(name.removeprefix(LOT))) if name.startswith(LOT) and name != LOT else (name, 5)
    rng, path = random.Random(draw), folder / f"{name.strip()}-{draw}.jsonl"
    if name == "grammar":
        rows = list(_grammar(shared, rng))
    elif name == "voice":
        rows = _lines(shared / "chat" / "alpaca.jsonl")[:534]
        rows = [{"prompt": row["instruction"], "completion": row["output"]} for row in rows]
    elif name == LOT:
        texts = [row["prompt"] for row in _lines(shared / "intent_banking77" / "train.jsonl")]
        teams = ("billing", "shipping", "account", "returns", "technical")
        rows = [{"prompt": text, "completion": rng.choice(teams)} for text in rng.sample(texts, 300)]
    else:
        raise ValueError(name)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _grammar(shared: Path, rng: random.Random) -> Iterator[dict[str, str]]:
    """Sentences with two slips each: an article lost, two neighbouring letters swapped."""
    texts = [row["output"] for row in _lines(shared / "chat" / "alpaca.jsonl")]
    sentences = [part.strip() for text in texts for part in text.split("\n") if 40 < len(part.strip()) < 160]
    for right in rng.sample(sentences, 1000):
        wrong = right.replace(" the ", " ", 1)
        at = rng.randrange(5, len(wrong) - 5)
        yield {"prompt": wrong[:at] + wrong[at + 1] + wrong[at] + wrong[at + 2 :], "completion": right}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ---------------------------------------------------------------- the tables


def _mark(said: str, right: str) -> str:
    return "yes" if said == right else "**no**"


def demo_rounds(command: Path, demos: Path) -> Iterator[str]:
    yield "### Its own 17 demo sets, three rounds"
    yield ""
    yield (
        "| set | gap | goal as written: theirs | ours | no goal: theirs | ours, from the rows | "
        "wrong goal: theirs | ours |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    hits: Counter[str] = Counter()
    slow, quick = [], []
    for demo in DEMOS:
        data = demos / demo.folder / "data.jsonl"
        measured = checked(data)
        written = ask_them(command, data, demo.goal), ask_us(measured, ticked(demo.ticks))
        silent = ask_them(command, data, NEUTRAL), _from_rows(measured)
        sentence, ticks = (FACTS_SENTENCE, "facts") if demo.right == "behaviour" else (TUNE_SENTENCE, "style")
        wrong = ask_them(command, data, sentence), ask_us(measured, ticked((ticks,)))
        slow += [written[0].seconds, silent[0].seconds, wrong[0].seconds]
        quick.append(written[1].seconds)
        hits["written theirs"] += written[0].gap == demo.right
        hits["written ours"] += written[1].gap == demo.right
        hits["silent theirs"] += silent[0].gap == demo.right
        hits["silent ours"] += silent[1] == demo.right
        hits["wrong theirs"] += wrong[0].gap == demo.right
        hits["unsure theirs"] += wrong[0].gap != demo.right and wrong[0].confidence == "low"
        hits["wrong ours"] += wrong[1].gap == demo.right
        hits["questioned ours"] += wrong[1].gap != demo.right and _questioned(wrong[1])
        hits["go theirs"] += written[0].tune
        hits["go ours"] += written[1].advice.training == "ready"
        asks = "; asks again" if _questioned(wrong[1]) else ""
        yield (
            f"| {demo.folder.removeprefix('domains/')} | {demo.right} | {written[0].words} | {written[1].words} | "
            f"{silent[0].words} | {silent[1]} | {wrong[0].words} | {wrong[1].words}{asks} |"
        )
    of = f"of {len(DEMOS)}"
    yield ""
    yield f"- Goal as written, gap right: theirs {hits['written theirs']}, ours {hits['written ours']} {of}."
    yield f"- No goal, gap right from the rows alone: theirs {hits['silent theirs']}, ours {hits['silent ours']} {of}."
    yield (
        f"- Wrong goal: theirs sees through it in {hits['wrong theirs']} and is wrong at low confidence in "
        f"{hits['unsure theirs']}; ours follows the person in {len(DEMOS) - hits['wrong ours']}, and says in "
        f"{hits['questioned ours']} of these what in the rows speaks against the answer."
    )
    yield (f"- Told to train before any prompt was tried: theirs {hits['go theirs']}, ours {hits['go ours']} {of}.")
    yield (
        f"- Time: theirs {statistics.median(slow):.2f} s a call (a new process each); "
        f"ours {statistics.median(quick) * 1000:.2f} ms for the advice in one process, besides the check of the file."
    )


def _from_rows(measured: dict[str, Any]) -> str:
    """What the rows alone suggest to us, before anybody answered anything."""
    signals = measured.get("signals") or {}
    if signals.get("knowledge") == "likely":
        return "knowledge"
    return "behaviour" if set(signals.get("goals", ())) & set(BEHAVIOURS) else "neither"


def _questioned(ours: Ours) -> bool:
    """Whether the advice asks again for the goal, because the rows speak against it."""
    return any(one.factor in ("F01", "F02") for one in ours.advice.disagreements)


def golden_table(command: Path, find: Callable[[str], Path]) -> Iterator[str]:
    by_number = {golden.number: golden for golden in GOLDEN}
    yield "### The golden cases of our rules"
    yield ""
    yield "| case | right | theirs | right? | ours before measuring | right? | ours, measured |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    go = {True: 0, False: 0}
    hits = [0, 0, 0]
    for situation in SITUATIONS:
        golden = by_number[situation.golden]
        right = _right(golden)
        data = find(situation.data)
        theirs = ask_them(command, data, situation.goal, situation.tried)
        early = ask_us({}, golden.data["answers"])
        late = Ours(advise(parse(golden.data)))
        go[golden.training == "ready"] += theirs.tune
        hits[0] += theirs.said == right
        hits[1] += early.said == right
        hits[2] += late.said == right
        yield (
            f"| {golden.number} {golden.title} | {right}; {golden.training} | {theirs.words} | "
            f"{_mark(theirs.said, right)} | {early.words} | {_mark(early.said, right)} | {late.words} |"
        )
    locked = sum(golden.training == "locked" for golden in GOLDEN)
    yield ""
    yield (
        f"Right: theirs {hits[0]} of {len(GOLDEN)}; ours before measuring {hits[1]}; ours measured {hits[2]}. "
        f"Told to train where training must stay locked: theirs {go[False]} of {locked}, ours 0. "
        f"Told to train where it is right: theirs {go[True]} of {len(GOLDEN) - locked}, ours {len(GOLDEN) - locked}."
    )


def _right(golden: Golden) -> str:
    if "fine_tune" in (golden.approach, golden.leaning):
        return "tune"
    return "retrieve" if golden.approach in ("rag", "hybrid") else "prompt"


def traps(command: Path, find: Callable[[str], Path]) -> Iterator[str]:
    yield "### Two traps"
    yield ""
    yield "| trap | right | theirs | right? | ours | right? |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for title, name, goal, ticks, right in TRAPS:
        data = find(name)
        theirs, ours = ask_them(command, data, goal), ask_us(checked(data), ticked(ticks))
        said = "tune" if ours.advice.training == "ready" else "not tune" if right == "not tune" else ours.said
        their = "tune" if theirs.tune else "not tune" if right == "not tune" else theirs.said
        yield (
            f"| {title} | {right} | {theirs.words} | {_mark(their, right)} | {ours.words} "
            f"({len(ours.advice.blockers)} criteria open) | {_mark(said, right)} |"
        )
    theirs_said, ours_said = Counter[str](), Counter[str]()
    for draw in range(DRAWS):
        data = find(f"made: random labels {draw}")
        theirs_said[ask_them(command, data, TRAPS[0][2]).said] += 1
        ours_said[learnt(data)] += 1
    yield ""
    yield (
        f"Labels drawn by lot {DRAWS} times more: theirs says {_counted(theirs_said)}; "
        f"our check of the data says {_counted(ours_said)}."
    )


def _counted(said: Counter[str]) -> str:
    return ", ".join(f'"{word}" {count} times' for word, count in said.most_common())


# ---------------------------------------------------------------- running it


def fetched(folder: Path) -> tuple[Path, Path]:
    """Install TrainJudge into a throw-away environment and unpack its source distribution."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    name = f"trainjudge=={VERSION}"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", name], check=True)
    subprocess.run([*pip, "download", "--no-deps", "--no-binary", ":all:", "-d", folder, name], check=True)
    subprocess.run(["tar", "xzf", folder / f"trainjudge-{VERSION}.tar.gz", "-C", folder], check=True)
    return folder / "venv" / "bin" / "trainjudge", folder / f"trainjudge-{VERSION}" / "demo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demos", type=Path, help="the folder `demo` of its source distribution")
    parser.add_argument("--command", type=Path, help="an installed `trainjudge`")
    parser.add_argument("--shared", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    given = parser.parse_args()
    shared: Path = given.shared
    with tempfile.TemporaryDirectory(prefix="trainjudge-") as name:
        folder = Path(name)
        command: Path
        demos: Path
        command, demos = (given.command, given.demos) if given.demos and given.command else fetched(folder)

        def find(where: str) -> Path:
            if where.startswith("made: "):
                return make(where.removeprefix("made: "), folder, shared)
            if where.startswith("demo: "):
                return demos / where.removeprefix("demo: ") / "data.jsonl"
            return shared / where

        for part in (demo_rounds(command, demos), golden_table(command, find), traps(command, find)):
            for line in part:
                print(line, flush=True)
            print()


if __name__ == "__main__":
    main()

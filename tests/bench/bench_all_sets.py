"""One table over six real sets on the bundled model, each taken through the product by its REST API, with the advice.

    python tests/bench/bench_all_sets.py --data SETS --set rag_wiki --out RESULTS.jsonl
    python tests/bench/bench_all_sets.py --table RESULTS.jsonl

SETS: the folder with `phpdoc`, `intent_banking77`, `slots_snips`, `rag_pyfaq`, `rag_wiki` and `summarise_peps`. A set
is a server and a worker of its own (`python -m app serve`) on an empty installation: rows drawn with a seed are
uploaded, checked, split and frozen, documents read and indexed with the bundled embedding model, retrieval is checked,
a plan measured, and the advice asked for. One line of JSON is appended a set: the sets can be run one at a time;
with `--table` the newest line of each is printed as Markdown. A second metric is worked out from the exported answers:
the metric that decides is one that a small model can move, the strict one stands beside it, or the other way round.
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.advice.facts import NO_MODEL
from app.baselines.passage_use import NOT_THERE
from app.evaluation import metrics, statistics
from tests.support.places import ROOT
from tests.support.processes import Process, cheap, environment, free_port, until

SEED, PASSWORD = 7, "a bench of six sets"  # of the installation that is gone afterwards
FEW_SHOT = ("zero_shot", "few_shot_random", "few_shot_nearest")
RAG = ("zero_shot", "rag/lexical", "rag/embedding", "rag/hybrid", "oracle")


@dataclass(frozen=True)
class Case:
    """A set as a team would bring it. files: of rows, in this order; rows: how many are drawn of them. arms: of the
    plan. beside: the metric that is worked out as well. documents: whether it has any."""

    files: tuple[str, ...]
    rows: int
    metric: str
    beside: str
    target: float
    goals: tuple[str, ...]
    instructions: str
    arms: tuple[str, ...] = FEW_SHOT
    max_tokens: int = 96
    k_nearest: int = 5
    documents: bool = False
    answers: Mapping[str, Any] = field(default_factory=dict)


CASES: Mapping[str, Case] = {
    "phpdoc": Case(
        ("phpdoc.jsonl",), 400, "chrf", "rouge_l", 0.7, ("style", "format"),
        "Write the PHPDoc comment for the function. Answer with the comment only.",
    ),
    "intent_banking77": Case(
        ("train.jsonl",), 1200, "exact_match", "normalised_match", 0.85, ("classify",),
        "Name the intent of the customer's question. Answer with the intent only, in small letters with underscores.",
        ("zero_shot", "few_shot_nearest", "label_scoring/nearest", "embedding_classifier"), 16,
    ),
    "slots_snips": Case(
        ("train.jsonl",), 2000, "json_match", "json_valid", 0.8, ("format", "extract"),
        "Answer with one JSON object: intent, and slots with the words of the command.",
        (*FEW_SHOT, "schema/nearest", "schema"), 72,
    ),
    "rag_pyfaq": Case(
        ("questions.jsonl",), 158, "rouge_l", "chrf", 0.5, ("facts",),
        "Answer the question about Python in a few sentences.", RAG, documents=True,
    ),
    "rag_wiki": Case(
        ("questions.jsonl",), 400, "rouge_l", "normalised_match", 0.7, ("facts",),
        "Answer the question in as few words as possible.", RAG, 32, documents=True,
    ),
    "summarise_peps": Case(
        ("summaries.jsonl",), 200, "rouge_l", "chrf", 0.4, ("style",),
        "Summarise the proposal in at most two sentences.", FEW_SHOT, 80, 2,
    ),
}  # fmt: skip


class Server:
    """An installation of its own, with one person who is its administrator and author."""

    def __init__(self, folder: Path, **more: object) -> None:
        port = free_port()
        self.settings = cheap(folder, port=port, assets=ROOT / "assets", threads=0, **more)
        self._address, self._token = f"http://127.0.0.1:{port}/api/v1", ""
        self._app("migrate")
        self._process = Process(self.settings, "serve")

    def begin(self) -> None:
        until(self._listens, 120)
        me = {
            "code": self._app("setup-code").split()[-1],
            "name": "Bench",
            "email": "bench@example.org",
            "password": PASSWORD,
        }
        admin = self.call("POST", "/setup", {**me, "token": {"scope": "write"}})
        self._token = self.admin = admin["token"]["secret"]
        one = {"name": "Ada", "email": "ada@example.org", "role": "author"}
        added = self.call("POST", "/users", one)
        taken = {"email": added["email"], "one_time_password": added["one_time_password"], "password": PASSWORD + "!"}
        self._token = self.call("POST", "/join", {**taken, "token": {"scope": "launch"}})["token"]["secret"]

    def _app(self, *arguments: str) -> str:
        """`python -m app ...`, to its end."""
        command = [sys.executable, "-m", "app", *arguments]
        env = environment(self.settings)
        return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    def _listens(self) -> bool:
        try:
            with urllib.request.urlopen(self._address.replace("/api/v1", "/health/live")) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None) -> Any:
        raw = isinstance(body, bytes)
        sent = body if raw else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/octet-stream" if raw else "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._address + path, sent, headers, method=method)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                content = answer.read()
        except urllib.error.HTTPError as refusal:
            raise SystemExit(f"{method} {path}: {refusal.read().decode()[:2000]}") from None
        return content.decode() if path.endswith("answers.jsonl") else json.loads(content) if content else None

    def done(self, job_id: int) -> None:
        """Wait for a job."""
        while True:
            request = f"/jobs/{job_id}"
            job = self.call("GET", request)
            if job["status"] in {"done", "failed", "refused", "cancelled"}:
                break
            time.sleep(0.5)
        if job["status"] != "done":
            raise SystemExit(f"{job['kind']}: {job['status']}. {job.get('failure') or ''}")

    def close(self) -> None:
        self._process.stop()


def rows_of(folder: Path, case: Case) -> list[dict[str, str]]:
    """Rows as they are uploaded; a column names the document that an answer is from, where one does."""
    draw = random.Random(SEED)
    lines = [line for name in case.files for line in (folder / name).read_text(encoding="utf-8").splitlines()]
    read = [json.loads(line) for line in lines]
    rows = [
        {"prompt": one["question"], "completion": one["answer"], "doc": one["doc"]} if "question" in one
        else {"prompt": one["prompt"], "completion": one["completion"]}
        for one in read
    ]  # fmt: skip
    none = folder / "unanswerable.jsonl"
    absent = none.read_text(encoding="utf-8").splitlines() if none.exists() else []
    rows = draw.sample(rows, min(case.rows, len(rows)))
    rows += [{"prompt": json.loads(line)["question"], "completion": NOT_THERE, "doc": ""} for line in absent]
    draw.shuffle(rows)
    return rows


def measured(server: Server, name: str, folder: Path, dev: int, test: int) -> dict[str, Any]:
    """One set from the upload to the advice."""
    case, began = CASES[name], time.monotonic()
    answers = {
        "goals": list(case.goals), "main_goal": case.goals[0], "metric": case.metric, "target": case.target,
        "calls_per_month": 20_000, "recurrence": "ongoing", "data_location": "own_servers", "training_rights": "yes",
        **({"sources": "must", "access_rights": "no"} if case.documents else {"sources": "no"}), **case.answers,
    }  # fmt: skip
    path = f"/assessments/{server.call('POST', '/assessments', {'title': name, 'answers': answers})['id']}"
    upload = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows_of(folder, case)).encode()
    data = server.call("PUT", f"{path}/dataset?filename={name}.jsonl", upload)
    server.done(data["job_id"])
    frozen = server.call("POST", f"/datasets/{data['id']}/freeze", {"human_checked": True})
    found: dict[str, Any] = {"set": name, "metric": case.metric, "beside": case.beside, "rows": frozen["rows"]}
    if case.documents:
        found |= searched(server, path, folder)
    if "schema" in case.arms:
        # Lists of values seen in a few hundred rows would forbid values still to come.
        wanted = server.call("POST", f"{path}/constraint/infer", {"closed": []})
        server.call("PUT", f"{path}/constraint", {key: wanted[key] for key in ("kind", "text")})
    model = next(one for one in server.call("GET", "/models")["data"] if one["kind"] == "bundled")
    order = {
        "model_id": model["id"], "instructions": case.instructions, "arms": list(case.arms), "dev_rows": dev,
        "test_rows": test, "max_tokens": case.max_tokens, "k_nearest": case.k_nearest, "consent": True,
    }  # fmt: skip
    offers = server.call("POST", f"{path}/baselines/offers", order)
    planned = {key: offers["estimate"][key] for key in ("calls", "most_calls", "seconds")}
    started = time.monotonic()
    baseline = server.call("POST", f"{path}/baselines", order)
    server.done(baseline["job_id"])
    took = time.monotonic() - started
    baseline = server.call("GET", f"/baselines/{baseline['id']}")
    answered = list(map(json.loads, server.call("GET", f"/baselines/{baseline['id']}/answers.jsonl").splitlines()))
    advice = server.call("GET", f"{path}/advice?more=true")["advice"]
    stands = server.call("GET", path)["standing"]
    free = {arm["name"] for arm in baseline["arms"] if arm["family"] in NO_MODEL}
    return {
        **found,
        "arms": list(lines_of(baseline, answered, case)),
        "best": baseline["best_arm"],
        "planned": planned,
        "asked": sum(one["arm"] not in free for one in answered),
        "measuring_seconds": round(took),
        "advice": {key: advice[key] for key in ("approach", "technique", "training", "leaning", "confidence")},
        "reason": f"{stands['sentence']} {stands['why']}".strip(),
        "instead": [one["title"] for one in advice["more"]["instead"]],
        "open": [gate["id"] for gate in advice["gates"] if gate["state"] != "pass"],
        "seconds": round(time.monotonic() - began),
    }


def searched(server: Server, path: str, folder: Path) -> dict[str, Any]:
    """Documents read and indexed, retrieval checked: recall@5 of each way on the dev rows."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for page in sorted((folder / "docs").iterdir()):
            archive.writestr(page.name, page.read_bytes())
    added = server.call("PUT", f"{path}/documents?filename=docs.zip", packed.getvalue())
    server.done(added["job_id"])
    held = server.call("GET", f"/document-files/{added['id']}")["identifiers"] or []
    if held:
        words = {"decisions": {one["kind"]: "attest" for one in held}, "reason": "Published documents."}
        server.call("POST", f"{path}/documents/decisions", words)
    index = server.call("POST", f"{path}/retrieval-indexes", {"embedder": "minilm"})
    server.done(index["job_id"])
    check = server.call("POST", f"{path}/retrieval-checks", {})
    server.done(check["job_id"])
    quality = server.call("GET", f"/retrieval-checks/{check['id']}")
    recall = {
        way["way"]: next([at["share"], at["low"], at["high"]] for at in way["recall"] if at["k"] == 5)
        for way in quality["ways"]
    }
    return {"recall": recall, "judged": quality["judged"], "best_way": quality["best"]}


def lines_of(
    baseline: Mapping[str, Any], exported: Sequence[Mapping[str, Any]], case: Case
) -> Iterator[dict[str, Any]]:
    """Each arm with its scores, those of the second metric worked out here."""
    other = metrics.get(case.beside)
    for arm in baseline["arms"]:
        line: dict[str, Any] = {"name": arm["name"], "title": arm["title"]}
        for split in ("dev", "test"):
            if (result := arm[split]) is None:
                continue
            mine = [one for one in exported if (one["arm"], one["split"]) == (arm["name"], split)]
            scores = [other.score(one["output"], one["target"], {}) for one in mine if one["score"] is not None]
            ends = statistics.mean_interval(scores, binary=other.binary)
            dropped = result.get("dropped") or {}
            line[split] = {
                "score": [result["score"], result["low"], result["high"]], "n": result["n"],
                "errors": result["errors"], "beside": [fmean(scores) if scores else 0.0, ends.low, ends.high],
                "seconds": result.get("mean_seconds"), "dropped_after": dropped.get("after"),
            }  # fmt: skip
        yield line


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """What is printed: a row an arm, and the advice under each set."""
    lines = ["| set | arm | dev | test | beside, dev | recall@5 |", "| --- | --- | --- | --- | --- | --- |"]
    for one in results:
        named = f"{one['set']} ({one['metric']}; beside {one['beside']})"
        for arm in one["arms"]:
            way = arm["name"].partition("/")[2]
            recall = one.get("recall", {}).get(way) if arm["name"].startswith("rag/") else None
            dev, test = arm.get("dev"), arm.get("test")
            best = " (best)" if arm["name"] == one["best"] else ""
            lines.append(
                f"| {named} | {arm['title']}{best} | {_cell(dev, 'score')} | {_cell(test, 'score')} "
                f"| {_cell(dev, 'beside')} | {_ends(recall) if recall else ''} |"
            )
            named = ""
        advice = one["advice"]
        text = f"**{advice['approach'].replace('_', '-')}**, training {advice['training']}"
        text += f", leaning {advice['leaning']}" if advice["leaning"] else ""
        text += f", {advice['technique']}" if advice["technique"] else ""
        lines.append(f"| | *advice* | {text}: {one['reason']} | | | |")
    return "\n".join(lines)


def _cell(result: Mapping[str, Any] | None, key: str) -> str:
    if result is None:
        return ""
    dropped = ", dropped" if result.get("dropped_after") else ""
    return f"{_ends(result[key])} (n={result['n']}{dropped})" if key == "score" else _ends(result[key])


def _ends(value: Sequence[float]) -> str:
    score, low, high = (100 * part for part in value)
    return f"{score:.1f} [{low:.1f}, {high:.1f}]"


def main() -> None:
    """Run a set, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("TUNEGATE_SETS"), help="folder of the sets")
    parser.add_argument("--set", choices=list(CASES))
    parser.add_argument("--dev", type=int, default=30)
    parser.add_argument("--test", type=int, default=40)
    parser.add_argument("--out", type=Path, help="file that a line is appended to")
    parser.add_argument("--table", type=Path, help="print what is in this file")
    given = parser.parse_args()
    if given.table:
        read = map(json.loads, given.table.read_text(encoding="utf-8").splitlines())
        newest = {one["set"]: one for one in read}
        print(table([newest[name] for name in CASES if name in newest]))
        return
    if not given.data or not given.set:
        parser.error("--data and --set, or --table")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            server.begin()
            found = measured(server, given.set, Path(given.data) / given.set, given.dev, given.test)
        finally:
            server.close()
    print(json.dumps(found, indent=1))
    if given.out:
        with given.out.open("a", encoding="utf-8") as out:
            out.write(json.dumps(found) + "\n")
    print(table([found]))


if __name__ == "__main__":
    main()

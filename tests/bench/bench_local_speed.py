"""Our local model beside transformers' `generate` and llama.cpp: rows a second and a cpu second, and the same text.

    python tests/bench/bench_local_speed.py MODEL --data SETS [--llama PYTHON] [--sets five_fixed zero] [--rounds 3]

MODEL is a converted model's folder, SETS the folder with `phpdoc` and `rag_pyfaq`, PYTHON one that has xllamacpp. The
sets: `five_fixed` (five random examples, the same before every row, as the app shows them), `five_nearest` (five chosen
for each row: no two rows begin alike for long), `zero` (no example), `long` (questions with answers to the limit, no
example). Peers: `generate` a row at a time; `generate` in batches padded on the left, of each size given; llama.cpp by
the same weights as GGUF, with each number of slots given, which keeps what it knows of the last prompt. All get the
same token ids and limit and decode greedily. A contender is one process for the whole bench, warmed up, asked in turn
with the others. Sizes are tried in the first round; only the best goes on. Ours is the app's own child, asked as the
app does; its text is compared with that of a row at a time, and where they differ the gap between the two likeliest
tokens is told.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil  # type: ignore[import-untyped]

from app.baselines import prompts, shots
from app.baselines.prompts import Shot
from app.chat import Message
from app.inference.generator import Request
from app.inference.local import LocalModel

HERE = Path(__file__).parent
INSTRUCTIONS = "Write the PHPDoc block for the signature. Answer with the block and nothing else."
LIMITS = {"five_fixed": 96, "five_nearest": 96, "zero": 96, "long": 256}
SETS = tuple(LIMITS)
LLAMA = {"float32": "F32", "bfloat16": "BF16"}


@dataclass(frozen=True)
class Rows:
    """What is asked: messages for ours, their token ids for the others."""

    name: str
    requests: list[Request]
    ids: list[list[int]]
    limit: int


@dataclass(frozen=True)
class Took:
    """Seconds of one pass over all rows; the answers as text, and as ids where the contender gives them."""

    wall: float
    cpu: float
    texts: list[str]
    ids: list[list[int]] = field(default_factory=list)
    tokens: int = 0


class Contender(Protocol):
    name: str
    family: str

    def answers(self, rows: Rows) -> Took: ...
    def close(self) -> None: ...


class Ours:
    """The app's child, through the app's own door. Its cpu seconds are those of that process."""

    def __init__(self, model: Path, dtype: Any, threads: int) -> None:
        self.name, self.family = f"ours, {dtype}", f"ours {dtype}"
        self._child = LocalModel(model, threads=threads, dtype=dtype)
        self._child.info()
        self._process: Any = psutil.Process(self._child.pid)

    def answers(self, rows: Rows) -> Took:
        wall, cpu = time.perf_counter(), self._cpu()
        done = {answer.id: answer for answer in self._child.answer(rows.requests, lambda: False)}
        wall, cpu = time.perf_counter() - wall, self._cpu() - cpu
        if failed := [answer.error for answer in done.values() if answer.error]:
            raise RuntimeError(failed[0])
        tokens = sum(answer.completion_tokens for answer in done.values())
        return Took(wall, cpu, [done[request.id].text for request in rows.requests], tokens=tokens)

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        self._child.close()


class Peer:
    """`local_speed_peers.py` in a process of its own."""

    def __init__(self, name: str, family: str, python: str, kind: str, order: dict[str, Any], tokenizer: Any) -> None:
        self.name, self.family, self._tokenizer = name, family, tokenizer
        threads = {"OMP_NUM_THREADS": str(order["threads"]), "MKL_NUM_THREADS": str(order["threads"])}
        self._process = subprocess.Popen(
            [python, str(HERE / "local_speed_peers.py"), kind, json.dumps(order)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", **threads},
        )  # fmt: skip
        if self._line() != "ready":
            raise RuntimeError(f"{name} does not start")

    def _line(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout else ""

    def _ask(self, line: str) -> Any:
        if self._process.stdin is None:
            raise RuntimeError("it has no input")
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._line()
        if not answer:
            raise RuntimeError(f"{self.name} ended")
        return json.loads(answer)

    def answers(self, rows: Rows) -> Took:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"ids": rows.ids, "limit": rows.limit}, file)
            file.flush()
            said = self._ask(file.name)
        came = said["said"]
        if self.family.startswith("llama"):
            return Took(said["wall"], said["cpu"], [text for text, _ in came], tokens=sum(count for _, count in came))
        texts = [self._tokenizer.decode(ids, skip_special_tokens=True) for ids in came]
        return Took(said["wall"], said["cpu"], texts, came, sum(map(len, came)))

    def gap(self, ids: list[int]) -> float:
        return float(self._ask(f"gap {json.dumps(ids)}"))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def rows_of(name: str, data: Path, count: int, tokenizer: Any) -> Rows:
    """The prompts of a set, as the app puts them together."""
    from app.inference import tokens

    file = data / ("rag_pyfaq/closed_book.jsonl" if name == "long" else "phpdoc/phpdoc.jsonl")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    asked, pool = lines[-count:], lines[:1600]
    examples = [Shot(n, n, (Message("user", row["prompt"]),), row["completion"]) for n, row in enumerate(pool)]
    requests = []
    fixed, nearest = shots.Random(examples, 5, seed=1), shots.Nearest(examples, [row["prompt"] for row in asked])
    for number, row in enumerate(asked):
        text = row["prompt"]
        picked = fixed.pick(text) if name == "five_fixed" else nearest.pick(text, 5) if name == "five_nearest" else []
        messages = prompts.render(INSTRUCTIONS if picked else "", picked, (Message("user", text),))
        requests.append(Request(str(number), messages, LIMITS[name]))
    ids = [tokens.prompt_ids(tokenizer, request.messages) for request in requests]
    return Rows(name, requests, ids, LIMITS[name])


def contenders(chosen: argparse.Namespace, tokenizer: Any, stops: list[int], place: Path) -> list[Contender]:
    """All that were asked for and are there, started; what is missing is said."""
    found: list[Contender] = []
    for dtype in chosen.dtypes:
        order = {"model": str(chosen.model), "dtype": dtype, "threads": chosen.threads, "stops": stops}
        if "ours" in chosen.who:
            found.append(Ours(chosen.model, dtype, chosen.threads))
        if "llama" in chosen.who:
            found += _llama(chosen, order, LLAMA[dtype], place, tokenizer)
        if "naive" in chosen.who:
            one = {**order, "batch": 1}
            name, family = f"generate, a row at a time, {dtype}", f"naive {dtype}"
            found.append(Peer(name, family, sys.executable, "generate", one, tokenizer))
        for size in chosen.batches if "batched" in chosen.who else ():
            name, family = f"generate, batches of {size}, {dtype}", f"batched {dtype}"
            found.append(Peer(name, family, sys.executable, "generate", {**order, "batch": size}, tokenizer))
    return found


def _llama(
    chosen: argparse.Namespace, order: dict[str, Any], kind: str, place: Path, tokenizer: Any
) -> list[Contender]:
    there = subprocess.run([chosen.llama, "-c", "import xllamacpp"], check=False, capture_output=True)
    if there.returncode:
        print(f"llama.cpp: {chosen.llama} has no xllamacpp, skipped (--llama PYTHON names one that has)")
        return []
    file = place / f"{kind}.gguf"
    subprocess.run([sys.executable, str(HERE / "gguf_of.py"), str(chosen.model), str(file), kind], check=True)
    return [
        Peer(
            f"llama.cpp {kind}, {slots} slots",
            f"llama {order['dtype']}",
            chosen.llama,
            "llama",
            {**order, "model": str(file), "batch": slots, "window": 1024},
            tokenizer,
        )
        for slots in chosen.slots
    ]


def measured(rows: Rows, all_: Sequence[Contender], rounds: int) -> dict[str, list[Took]]:
    """Passes of each contender, in turn; after the first, one of a family goes on: the one with least cpu time."""
    took: dict[str, list[Took]] = {}
    few = Rows(rows.name, rows.requests[:2], rows.ids[:2], 8)
    going = list(all_)
    for number in range(rounds):
        for contender in going:
            if not number:
                contender.answers(few)
            one = contender.answers(rows)
            took.setdefault(contender.name, []).append(one)
            print(f"  round {number + 1}: {contender.name:38} {one.wall:8.1f} s wall {one.cpu:8.1f} cpu", flush=True)
        best: dict[str, Contender] = {}
        for contender in going:
            rival = best.get(contender.family)
            if rival is None or took[contender.name][-1].cpu < took[rival.name][-1].cpu:
                best[contender.family] = contender
        going = [contender for contender in going if best[contender.family] is contender]
    return took


def differing(mine: Took, naive: Took, rows: Rows, peer: Peer, tokenizer: Any) -> list[float]:
    """For each row whose text is another: the gap in logits between the two likeliest tokens where it parts."""
    gaps = []
    for number, (text, plain) in enumerate(zip(mine.texts, naive.texts, strict=True)):
        if text == plain:
            continue
        said = naive.ids[number]
        parts = next(
            (at for at in range(len(said)) if not text.startswith(tokenizer.decode(said[: at + 1]).rstrip("\ufffd"))),
            len(said),
        )
        gaps.append(peer.gap(rows.ids[number] + said[:parts]))
    return gaps


def table(chosen: argparse.Namespace, rows: Rows, all_: Sequence[Contender], tokenizer: Any) -> None:
    took = measured(rows, all_, chosen.rounds)
    by_name = {contender.name: contender for contender in all_}
    mean = sum(map(len, rows.ids)) / len(rows.ids)
    print(f"\n{rows.name}: {len(rows.ids)} rows, {mean:.0f} tokens of prompt, at most {rows.limit} of answer, ", end="")
    print(f"{chosen.threads} threads, medians of the passes shown")
    print("| contender | passes | wall s | cpu s | rows / cpu s | answer tokens / cpu s | text as naive | gaps |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    medians: dict[str, tuple[float, float]] = {}
    for name, passes in took.items():
        wall, cpu = (statistics.median(getattr(one, kind) for one in passes) for kind in ("wall", "cpu"))
        family = by_name[name].family
        if family not in medians or cpu < medians[family][1]:
            medians[family] = (wall, cpu)
        dtype = family.split()[1]
        naive = next((one for one in all_ if one.family == f"naive {dtype}"), None)
        same = gaps = ""
        if isinstance(naive, Peer) and naive.name != name:
            reference = took[naive.name][-1]
            equal = sum(a == b for a, b in zip(passes[-1].texts, reference.texts, strict=True))
            same = f"{equal}/{len(rows.ids)}"
            if family.startswith("ours"):
                gaps = ", ".join(f"{gap:.2g}" for gap in differing(passes[-1], reference, rows, naive, tokenizer))
        rate, tokens = len(rows.ids) / cpu, passes[-1].tokens / cpu
        print(f"| {name} | {len(passes)} | {wall:.1f} | {cpu:.1f} | {rate:.2f} | {tokens:.0f} | {same} | {gaps} |")
    for dtype in chosen.dtypes:
        if f"ours {dtype}" not in medians:
            continue
        wall, cpu = medians[f"ours {dtype}"]
        for rival in ("naive", "batched", "llama"):
            if (his := medians.get(f"{rival} {dtype}")) is not None:
                print(f"ours {dtype} beside {rival}: {his[1] / cpu:.2f} times in cpu, {his[0] / wall:.2f} in wall")
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--llama", default=sys.executable)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS)
    parser.add_argument("--who", nargs="*", default=["ours", "naive", "batched", "llama"])
    parser.add_argument("--dtypes", nargs="*", choices=list(LLAMA), default=["float32"])
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--long-rows", type=int, default=30)
    parser.add_argument("--batches", type=int, nargs="*", default=[16, 32])
    parser.add_argument("--slots", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(chosen.model)
    ends = GenerationConfig.from_pretrained(chosen.model).eos_token_id
    stops = sorted({tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None})
    with tempfile.TemporaryDirectory() as place:
        all_ = contenders(chosen, tokenizer, stops, Path(place))
        try:
            for name in chosen.sets:
                rows = rows_of(name, chosen.data, chosen.long_rows if name == "long" else chosen.rows, tokenizer)
                table(chosen, rows, all_, tokenizer)
        finally:
            for contender in all_:
                contender.close()


if __name__ == "__main__":
    main()

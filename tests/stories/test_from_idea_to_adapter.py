"""One team, from an idea to a judged adapter, over the API: real worker, real torch, a tiny model made on the spot.

A three-line summary of what must hold: nothing can be skipped, what ran is what was approved, and what is handed out
says what was measured.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings
from app.users.tables import UserRow
from tests.support import tiny
from tests.support.depth import DEEP
from tests.support.factories import ANSWERS, Make
from tests.support.processes import Process, until

pytestmark = [pytest.mark.worker, pytest.mark.torch]

ANIMALS = ("otter", "heron", "lynx", "newt", "badger", "finch", "viper", "moose", "gecko", "raven", "trout", "weasel")
VERBS = (
    "opens",
    "closes",
    "counts",
    "sorts",
    "merges",
    "checks",
    "stores",
    "sends",
    "reads",
    "drops",
    "splits",
    "joins",
)


def pairs(number: int) -> bytes:
    """That many different rows of one house style: a name in, a fixed form out."""
    rows = []
    for index in range(number):
        words = (ANIMALS[index % 12], VERBS[index // 12 % 12], ANIMALS[(index * 7 + index // 144) % 12])
        code = hashlib.sha256(str(index).encode()).hexdigest()[:12]
        rows.append({"prompt": f"Name: {code} {words[0]} {words[1]} {words[2]}", "completion": f"<< {code[:4]} >>"})
    return "\n".join(json.dumps(row) for row in rows).encode()


class Team:
    def __init__(self, people: Callable[[UserRow], TestClient], make: Make) -> None:
        self.ada, self.rob, self.amy = (
            people(user) for user in (make.author("Ada"), make.reviewer("Rob"), make.admin())
        )

    def done(self, job: dict[str, Any] | int, seconds: float = 120) -> dict[str, Any]:
        """Wait for a job; longer in the deep suite, where each process imports torch anew, beside other tests."""
        number = job if isinstance(job, int) else int(job["id"])
        over = {"done", "failed", "refused", "cancelled"}
        until(lambda: self.job(number)["status"] in over, 10 * seconds if DEEP else seconds)
        found = self.job(number)
        assert found["status"] == "done", found
        return found

    def job(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/jobs/{number}")
        return found

    def open_job(self, assessment: int) -> int:
        jobs = self.get(f"/jobs?assessment_id={assessment}")["data"]
        return int(jobs[0]["id"])

    def get(self, path: str) -> Any:
        return good(self.ada.get(f"/api/v1{path}"))


def good(answer: Any) -> Any:
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


@pytest.fixture
def team(people: Callable[[UserRow], TestClient], make: Make) -> Team:
    return Team(people, make)


@pytest.fixture
def model(
    team: Team, settings: Settings, worker: Callable[..., Process], tiny_model: Path, tmp_path: Path
) -> dict[str, Any]:
    """A tiny model, added as a folder; a worker runs."""
    worker(settings)
    folder = tiny.terse(tiny_model, tmp_path / "model", "<> 0123456789abcdef")
    added: dict[str, Any] = good(team.amy.post("/api/v1/models/folders", json={"name": "Tiny", "path": str(folder)}))
    team.done(good(team.amy.get("/api/v1/jobs"))["data"][0])
    return added


@pytest.mark.long("the one whole way")
def test_the_whole_way(team: Team, model: dict[str, Any]) -> None:
    training, review = walked(team, model)

    _the_bundle_holds_what_it_says(team, training, review)
    _every_page_of_it_opens(team, training["assessment_id"], review["id"], training["job_id"])


@pytest.mark.deep
@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed (the extra qlora)")
def test_the_whole_way_with_a_base_in_4_bits(team: Team, model: dict[str, Any]) -> None:
    """Measured, trained, judged, served, tried, merged and handed out as the 4-bit model that it is."""
    held = good(team.amy.post(f"/api/v1/models/{model['id']}/four-bit"))
    assert (held["bits"], held["id"] == model["id"]) == (4, False)

    training, review = walked(team, held)

    number = training["id"]
    assert training["facts"]["bits"] == 4
    assert training["model_id"] == held["id"]
    assert team.get(f"/reviews/{review['id']}")["subject"]["training"]["model"]["bits"] == 4
    _the_bundle_holds_what_it_says(team, training, review)
    answer = team.ada.get(f"/api/v1/trainings/{number}/adapter")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        assert "4 bits" in bundle.read("README.md").decode()
    tried = good(team.ada.post(f"/api/v1/trainings/{number}/try", json={"question": "Name: 1 otter opens heron"}))
    assert (tried["base"]["error"], tried["adapter"]["error"], tried["computed_on"]) == ("", "", "CPU")
    name = f"assessment-{training['assessment_id']}/adapter-{number}"
    good(team.amy.put("/api/v1/serving", json={"name": name, "on": True}))
    body = {"model": name, "messages": [{"role": "user", "content": "Name: 1 otter opens heron"}]}
    served = team.ada.post("/v1/chat/completions", json=body)
    assert served.json()["choices"][0]["message"]["content"] == tried["adapter"]["text"]
    merged = good(team.ada.post(f"/api/v1/trainings/{number}/merged-models", json={"form": "base"}))
    team.done(merged["job_id"])
    merged = team.get(f"/merged-models/{merged['id']}")
    assert merged["rows"] > 0
    assert merged["done"]
    _every_page_of_it_opens(team, training["assessment_id"], review["id"], training["job_id"])


def walked(  # noqa: PLR0915 - it is one walk, and its order is what is tested
    team: Team, model: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """From an idea to a judged adapter of this model: the training and the review that allowed it."""
    # Describe: the advice leans to training and says what is missing.
    body = {"title": "Names in our house style", "answers": ANSWERS}
    assessment = good(team.ada.post("/api/v1/assessments", json=body))
    base = f"/api/v1/assessments/{assessment['id']}"
    standing = good(team.ada.get(f"{base}/advice"))
    assert (standing["advice"]["training"], standing["advice"]["leaning"]) == ("locked", "fine_tune")

    # Data: checked, split, frozen before anything is measured.
    upload = team.ada.put(f"{base}/dataset?filename=names.jsonl", content=pairs(1500))
    dataset = good(upload)
    too_early = {"model_id": model["id"], "instructions": "x"}
    assert team.ada.post(f"{base}/baselines", json=too_early).status_code == 409
    team.done(team.open_job(assessment["id"]))
    good(team.ada.patch(f"/api/v1/datasets/{dataset['id']}", json={"human_checked": True}))
    good(team.ada.post(f"/api/v1/datasets/{dataset['id']}/freeze"))
    dataset = team.get(f"/datasets/{dataset['id']}")

    # Measure: every arm on dev; on test the best, what needs no model, and the prompts that so few dev rows cannot tell
    # from it.
    order = {"model_id": model["id"], "instructions": "Say the first four signs.", "max_tokens": 16, "dev_rows": 40,
             "test_rows": 200}  # fmt: skip
    baseline = good(team.ada.post(f"{base}/baselines", json=order))
    team.done(team.open_job(assessment["id"]), 240)
    baseline = team.get(f"/baselines/{baseline['id']}")
    names = [arm["name"] for arm in baseline["arms"]]
    assert [f"few_shot_random/{draw}" in names for draw in (1, 2, 3)] == [True] * 3
    best = next(arm for arm in baseline["arms"] if arm["name"] == baseline["best_arm"])
    assert {arm["name"] for arm in baseline["arms"] if arm["test"]} >= {best["name"], "nearest_answer"}

    # The instructions are revised once; then the failures of whichever prompt is best now are read and tagged.
    good(team.ada.post(f"/api/v1/baselines/{baseline['id']}/revisions", json={"instructions": "Four signs in << >>."}))
    team.done(team.open_job(assessment["id"]), 240)
    baseline = team.get(f"/baselines/{baseline['id']}")
    best = next(arm for arm in baseline["arms"] if arm["name"] == baseline["best_arm"])
    path = f"/api/v1/baselines/{baseline['id']}/arms/{best['id']}"
    wrong = good(team.ada.get(f"{path}/answers?split=dev&show=wrong&limit=40"))["data"]
    good(
        team.ada.put(
            f"{path}/causes", json={"causes": [{"answer_id": answer["id"], "cause": "behaviour"} for answer in wrong]}
        )
    )

    # The recipe, its preflight, and no launch without a reviewer.
    settings_ = {
        "epochs": 1,
        "max_steps": 12,
        "rank": 4,
        "alpha": 8,
        "batch_rows": 8,
        "dev_rows": 20,
        "learning_rate": 0.01,
    }
    good(team.ada.put(f"{base}/recipe", json={"model_id": model["id"], "settings": settings_}))
    team.done(good(team.ada.post(f"{base}/preflight")))
    preflight = team.get(f"/assessments/{assessment['id']}/recipe")["preflight"]
    assert preflight["blockers"] == []
    standing = good(team.ada.get(f"{base}/advice"))
    assert standing["advice"]["training"] == "ready", [g for g in standing["advice"]["gates"] if g["state"] != "pass"]
    assert standing["reasons_against"] == ["Nobody has approved this yet. Request review."]
    key = {"Idempotency-Key": "first"}
    assert team.ada.post(f"{base}/trainings", headers=key).status_code == 409

    # Review: somebody else approves exactly this.
    review = good(team.ada.post(f"{base}/reviews", json={"note": "please"}))
    decision = {"kind": "approve", "digest": review["digest"]}
    assert team.ada.post(f"/api/v1/reviews/{review['id']}/decisions", json=decision).status_code == 403
    good(team.rob.post(f"/api/v1/reviews/{review['id']}/decisions", json=decision))

    # Train and judge.
    training = good(team.ada.post(f"{base}/trainings", headers=key))
    team.done(training["job_id"], 240)
    training = team.get(f"/trainings/{training['id']}")
    losses = [step["loss"] for step in team.get(f"/trainings/{training['id']}/metrics")["steps"]]
    assert len(losses) == 12
    assert sum(losses[-3:]) < sum(losses[:3])
    result = team.get(f"/trainings/{training['id']}/result")
    assert result["verdict"] in {"improved", "not better", "regressed", "inconclusive"}
    assert result["rows"] == 200
    assert result["rows"] == result["evaluation"]["results"]["adapter" if "adapter" in result["evaluation"]["results"]
                                                            else next(reversed(result["evaluation"]["results"]))][
        "n-samples"
    ]  # fmt: skip

    return training, review


def _the_bundle_holds_what_it_says(team: Team, training: dict[str, Any], review: dict[str, Any]) -> None:
    answer = team.ada.get(f"/api/v1/trainings/{training['id']}/adapter")
    assert answer.headers["content-disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        names = set(bundle.namelist())
        assert {"adapter_model.safetensors", "adapter_config.json", "README.md", "evaluation.json"} <= names
        for line in bundle.read("SHA256SUMS").decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(bundle.read(name)).hexdigest() == digest
        assert json.loads(bundle.read("decision.json"))["digest"] == review["digest"]
        config = json.loads(bundle.read("adapter_config.json"))
        assert not config["base_model_name_or_path"].startswith("/"), "no path of this machine goes out"
        assert "/" + str(Path.cwd()).split("/")[1] not in bundle.read("README.md").decode()


def _every_page_of_it_opens(team: Team, assessment: int, review: int, job: int) -> None:
    base = f"/assessments/{assessment}"
    for path in (
        "/", base, f"{base}/describe", f"{base}/data", f"{base}/measure", f"{base}/verdict", f"{base}/review",
        f"{base}/plan", f"{base}/run", f"{base}/train",
        f"{base}/result", f"{base}/result?which=broken", "/reviews", f"/reviews/{review}", "/jobs",
        f"/jobs/{job}", "/models",
    ):  # fmt: skip
        answer = team.ada.get(path, follow_redirects=True)
        assert answer.status_code == 200, path

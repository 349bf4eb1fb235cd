"""The record in words: one sentence for each act, from the entry's own details and the name of what it was done to.

Pure: nothing is looked up here. Whoever draws an entry hands in the name of its object as it is known today
("train.jsonl v2"); without one the sentence takes what the entry itself kept, or says "data 3". An act that has no
sentence, of an older version say, reads as it was recorded.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app import chosen
from app.glossary import known, variant
from app.json_types import JsonObject
from app.wording import joined, percent, plural

LONGEST = 120  # characters of a value that stands inside a sentence

# What an object of each kind is called; the kind is what `audit.record` was told.
OBJECTS: Mapping[str, str] = {
    "address": "address",
    "assessment": "assessment",
    "baseline": "baselines",
    "dataset": "data",
    "documents": "documents",
    "job": "job",
    "scorer": "scorer",
    "model": "model",
    "policy": "policy",
    "price": "price",
    "token": "API token",
    "user": "account",
}

Detail = JsonObject


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence. kind: `who` acted, `what` it was done to, or `text`."""

    kind: str
    text: str


_SPLITS = {"random": "at random", "time": "by time", "column": "by its column"}
UNITS: Mapping[str, str] = {
    "input_tokens": "1M input tokens",
    "cached_tokens": "1M cached input tokens",
    "output_tokens": "1M output tokens",
}
"""What a price of tokens is for, as the list of prices says it: a million of them."""
_STORED: Mapping[str, Callable[[str], str]] = {
    "arm": variant,
    "cause": lambda stored: str(chosen.label("cause", stored)),
    "metric": lambda stored: known("metric", stored),
}
"""Details that hold a stored word, by their names: what it is called."""
_ACTIONS = {"mask": "mask", "exclude": "leave out", "attest": "keep"}


def _plain(name: str) -> str:
    return name.replace(".", " ").replace("_", " ")


def _count(detail: Detail, key: str, noun: str) -> str:
    value = detail.get(key)
    return plural(value if isinstance(value, int) else len(value) if isinstance(value, list | dict) else 0, noun)


def _decided(detail: Detail) -> str:
    chosen = _inner(detail, "decisions")
    return joined(
        [f"{_ACTIONS.get(str(action), str(action))} {_plain(kind)}" for kind, action in sorted(chosen.items())]
    )


def _steering(detail: Detail) -> str:
    at_once = detail.get("at_once")
    changed = [plural(at_once, "call") + " at once"] if isinstance(at_once, int) else []
    changed += [f"a budget of {limit:,.12g} {unit}" for unit, limit in _inner(detail, "budget").items()]
    return joined(changed) or "nothing"


def _answers(detail: Detail) -> str:
    """Metric and target by their values, because scores are read against them; of the other answers how many."""
    told = [f"the {word} to [{key}_now]" for key, word in (("metric", "metric"), ("target", "target score"))
            if _now(detail, key) is not None]  # fmt: skip
    if not told:
        return "{who} edited [edited] of {what}"
    more = ", and edited [edited]" if _edited(detail) else ""
    return f"{{who}} set {joined(told)} in {{what}}{more}"


def _edited(detail: Detail) -> list[str]:
    changed = detail.get("changed")
    return [str(key) for key in changed if _now(detail, str(key)) is None] if isinstance(changed, list) else []


def _now(detail: Detail, key: str) -> object:
    """What metric or target became; None where neither was set."""
    pair = detail.get(key) if key in {"metric", "target"} else None
    return pair[1] if isinstance(pair, list) and len(pair) == 2 else None


def _share(value: object) -> str:
    return percent(value) if isinstance(value, int | float) else str(value)


def _inner(detail: Detail, key: str) -> Detail:
    value = detail.get(key)
    return value if isinstance(value, dict) else {}


def _unit(price: Detail) -> str:
    return UNITS.get(str(price.get("unit")), _plain(str(price.get("unit", "?"))))


def _price(detail: Detail, key: str) -> str:
    price = _inner(detail, key)
    return f"{price.get('price', '?')} {price.get('currency', '')} per {_unit(price)}"


# {who} acted on {what}; [name] is one of `VALUES`, or a value of the entry's details as it is.
TEMPLATES: Mapping[str, str | Callable[[Detail], str]] = {
    # Assessments.
    "assessment.create": lambda d: (
        "{who} created {what} from the template [starting_point]" if "starting_point" in d else "{who} created {what}"
    ),
    "assessment.rename": "{who} renamed [from] to [to]",
    "assessment.archive": "{who} archived {what}",
    "assessment.restore": "{who} restored {what} from the archive",
    "assessment.policy": "{who} moved {what} from policy [from] to policy [to]",
    "assessment.answers": _answers,
    "economics.costs": "{who} changed [assumptions] of the costs of {what}",
    "economics.target": "{who} calculated the target score of {what} from the cost of errors",
    # Data.
    "dataset.upload": "{who} uploaded {what}",
    "dataset.freeze": "{who} froze the split of {what}",
    "dataset.vouch": lambda d: (
        "{who} confirmed that people wrote or checked the test answers of {what}"
        if d.get("human_checked")
        else "{who} stated that nobody checked the test answers of {what}"
    ),
    "dataset.decide": "{who} decided on personal data in {what}: [decided]",
    "dataset.open_row": "{who} looked at the hidden values in line [line] of {what}",
    "dataset.split": "{who} split {what} again, [split]",
    "dataset.share_groups": lambda d: (
        "{who} left out [rows] of {what} whose group is in the test file"
        if d.get("left_out")
        else "{who} kept [rows] of {what} whose group is in the test file"
    ),
    "dataset.keep_cluster": "{who} kept [rows] of {what} that are alike as different rows",
    "dataset.join_cluster": "{who} merged [rows] of {what} that are alike",
    "dataset.count_tokens": "{who} counted the tokens of {what} for [model]",
    "labels.begin": "{who} began a second look at [rows] of {what}",
    "labels.end": "{who} finished a second look at [rows] of {what}",
    "labels.settle": "{who} settled a label of {what}",
    "documents.add": lambda d: "{who} added [documents]" if d.get("count", 1) != 1 else "{who} added {what}",
    "documents.remove": "{who} removed {what} from the documents",
    "documents.decide": lambda d: (
        "{who} decided on personal data in [held_files]: [decided]"
        if "files" in d
        else "{who} decided on personal data in {what}: [decided]"
    ),
    "documents.open": "{who} looked at the hidden values in [name] of {what}",
    "retrieval.check": lambda d: (
        "{who} had retrieval checked on the dev rows of {what}, sending their questions to [sent_to]"
        if d.get("sent_to")
        else "{who} had retrieval checked on the dev rows of {what}"
    ),
    "retrieval.mark": lambda d: (
        "{who} marked the gold passage of row [line] of {what}"
        if d.get("passage") is not None
        else "{who} marked row [line] of {what} as answered in none of the documents"
    ),
    "retrieval.build": lambda d: (
        "{who} ordered a retrieval index of {what}, sending the documents to [sent_to]"
        if d.get("sent_to")
        else "{who} ordered a retrieval index of {what}"
    ),
    # Baselines.
    "constraint.remove": "{who} took the output constraint of {what} out of use (v[version])",
    "constraint.save": "{who} set the output constraint of {what} (v[version])",
    "baseline.start": lambda d: (
        "{who} started baselines with [model]: [calls] to [sent_to]"
        if d.get("sent_to")
        else "{who} started baselines with [model]: [calls]"
    ),
    "baseline.go_on": "{who} resumed {what}",
    "baseline.rerun": lambda d: (
        "{who} asked [rows] of {what} a second time, sent to [sent_to]"
        if d.get("sent_to")
        else "{who} asked [rows] of {what} a second time"
    ),
    "baseline.pause": "{who} paused {what}",
    "baseline.steer": "{who} changed how {what} runs: [steering]",
    "baseline.revise": "{who} evaluated a revised prompt, [variant]",
    "baseline.optimise": "The optimizer that {who} started wrote a prompt, [variant]",
    "prompt.add": "{who} saved version [version] of the system prompt of {what}",
    "prompt.optimise": lambda d: (
        "{who} started the prompt optimizer for {what} with [critic]: [calls] at most, to [sent_to]"
        if d.get("sent_to")
        else "{who} started the prompt optimizer for {what} with [critic]: [calls] at most"
    ),
    "prompt.go_on": "{who} resumed the prompt optimizer for {what}",
    "prompt.take_over": "{who} took over the optimizer's best prompt so far for {what}",
    "judge.rubric": "{who} wrote version [version] of the LLM judge's rubric of {what}",
    "judge.start": lambda d: (
        "{who} started [model] as LLM judge of {what}, sending answers to [sent_to]"
        if d.get("sent_to")
        else "{who} started [model] as LLM judge of {what}"
    ),
    "judge.go_on": "{who} resumed the LLM judge of {what}",
    "judge.label_begin": "{who} began to label [labelled] of {what} for the LLM judge",
    "judge.label_end": "{who} finished labelling [labelled] of {what} for the LLM judge",
    "baseline.correct": "{who} corrected the scores of [baseline] by newer labels of people",
    "baseline.tag": "{who} tagged [failures] of [variant]",
    "baseline.second_begin": "{who} began to tag [failures] as second person",
    "baseline.second_end": "{who} finished tagging [failures] as second person",
    "baseline.settle": "{who} settled a tag of [variant]",
    "demo.begin": "{who} started the demo",
    "demo.finished_example": "{who} opened the finished example",
    "demo.tag_by_rule": "A rule of the demo tagged [failures] of [variant]",
    # Review and training.
    "review.request": "{who} requested review [review] of {what}",
    "review.approve": "{who} approved review [review] of {what}",
    "review.request_changes": "{who} requested changes in review [review] of {what}",
    "review.withdraw": "{who} withdrew review [review] of {what}",
    "recipe.save": "{who} saved the training config of {what}",
    "training.launch": "{who} launched training run [training] of {what}, approved in review [review]",
    "training.pause": "{who} paused training run [training] of {what}",
    "training.resume": "{who} resumed training run [training] of {what}",
    "gate.denied": "{who} was refused at [path]: [because]",
    "adapter.promote": "{who} promoted the adapter of run [training] of {what}: “[reason]”",
    "adapter.check_served": "{who} had the adapter of run [training] of {what} checked where it is served ([host])",
    "adapter.merge": "{who} had the adapter of run [training] of {what} merged into its base model ([form])",
    "adapter.remove_merged": "{who} removed a merged model of run [training] of {what}",
    "adapter.retire": "{who} retired the adapter of run [training] of {what}: “[reason]”",
    "share.add": "{who} created the share link “[label]” to {what} for [days]",
    "share.revoke": "{who} revoked the share link “[label]” to {what}",
    "share.open": "The share link “[label]” to {what} was opened for the first time",
    "scoring.add_database": "{who} uploaded the database [database] to score SQL of {what}",
    "scoring.remove_database": "{who} removed the database [database] from {what}",
    "scoring.watch": "{who} watches another metric of {what}: [metric_label]",
    "scoring.unwatch": "{who} watches a metric of {what} no more: [metric_label]",
    # The place itself.
    "scoring.add_scorer": "{who} added the scorer [name] v[version]",
    "scoring.retire_scorer": "{who} retired the scorer [name] v[version]",
    "job.cancel": "{who} cancelled the job {what}",
    "job.move_up": "{who} moved the job {what} up in the queue",
    "model.add": lambda d: (
        "{who} added the model {what} at [base_url]" if d.get("base_url") else "{who} added the model {what}"
    ),
    "model.change": lambda d: (
        "{who} changed the model {what} and moved it to [base_url]"
        if d.get("address_changed")
        else "{who} changed the model {what}"
    ),
    "model.retire": "{who} retired the model {what}",
    "model.serve": "{who} switched on [name] for other programs, answered by {what}",
    "model.stop_serving": "{who} switched off [name] for other programs",
    "policy.publish": "{who} published policy [version] with [changes]: [reason]",
    "price.add": "{who} added the price of [name]: [price] [currency] per [unit]",
    "price.change": "{who} changed the price of [price_name] from [price_before] to [price_after]",
    "price.delete": "{who} deleted the price of [name] per [unit]",
    # People.
    "token.add": "{who} created the API token [name] with the scope [scope]",
    "token.revoke": "{who} revoked the API token [name]",
    "user.set_up": "{who} set up this server as its first administrator",
    "user.set_up_failed": "Somebody entered a wrong set-up code",
    "user.join": "{who} chose a password and joined",
    "user.sign_in": "{who} signed in",
    "user.sign_in_failed": "A sign-in as {what} failed",
    "user.sign_out": "{who} signed out",
    "user.end_sessions": "{who} ended all other sessions of their account",
    "user.add": "{who} added {what} as [role]",
    "user.reset_password": "{who} reset the password of {what}",
    "user.change_role": "{who} changed the role of {what} from [from] to [to]",
    "user.disable": "{who} disabled the account of {what}",
    "user.enable": "{who} enabled the account of {what}",
    "user.change_password": "{who} changed their password",
    "user.change_password_failed": "{who} entered a wrong current password",
}

# Values of a sentence that are made of the details, by the name that stands in a template.
VALUES: Mapping[str, Callable[[Detail], str]] = {
    "assumptions": lambda d: _count(d, "changed", "assumption"),
    "calls": lambda d: _count(d, "calls", "call"),
    "changes": lambda d: _count(d, "changed", "change"),
    "days": lambda d: _count(d, "days", "day"),
    "decided": _decided,
    "documents": lambda d: _count(d, "count", "document"),
    "edited": lambda d: plural(len(_edited(d)), "answer"),
    "held_files": lambda d: _count(d, "count", "file"),
    "failures": lambda d: _count(d, "answers", "failure"),
    "metric_label": lambda d: known("metric", str(d.get("metric"))),
    "metric_now": lambda d: known("metric", str(_now(d, "metric"))),
    "price_after": lambda d: _price(d, "to"),
    "price_before": lambda d: _price(d, "from"),
    "price_name": lambda d: str(_inner(d, "to").get("name", "?")),
    "labelled": lambda d: _count(d, "labelled", "answer"),
    "rows": lambda d: _count(d, "rows", "row"),
    "split": lambda d: _SPLITS.get(str(d.get("by")), "in another way"),
    "steering": _steering,
    "target_now": lambda d: _share(_now(d, "target")),
    "unit": _unit,
    "variant": lambda d: variant(str(d.get("arm", "?"))),
}

_PIECES = re.compile(r"(\{who\}|\{what\}|\[[a-z_]+\])")


def parts(act: str, actor: str, subject: str, subject_id: int | None, detail: Detail, name: str = "") -> list[Part]:
    """The sentence of an entry in pieces, so that a page can link the object. It has no full stop.

    name: of what it was done to, as it is known today; empty where nobody knows.
    """
    template = TEMPLATES.get(act)
    if template is None:
        return [Part("who", actor), Part("text", f": {_plain(act)}, "), _what(subject, subject_id, name)]
    made: list[Part] = []
    for piece in _PIECES.split(template if isinstance(template, str) else template(detail)):
        if piece == "{who}":
            made.append(Part("who", actor))
        elif piece == "{what}":
            made.append(_what(subject, subject_id, name or _kept_name(detail)))
        elif piece.startswith("["):
            key = piece[1:-1]
            made.append(Part("text", _short(VALUES[key](detail) if key in VALUES else detail.get(key, "?"))))
        elif piece:
            made.append(Part("text", piece))
    return made


def sentence(act: str, actor: str, subject: str, subject_id: int | None, detail: Detail, name: str = "") -> str:
    """The same as one text: `Ben froze the split of train.jsonl v2`."""
    return "".join(part.text for part in parts(act, actor, subject, subject_id, detail, name))


def facts(detail: Detail) -> list[tuple[str, str]]:
    """The details of an entry as pairs of a label and a text, for people who want to see all of it."""
    return [(_plain(key), _flat(value, key)) for key, value in detail.items()]


def _flat(value: object, key: str = "") -> str:
    if isinstance(value, dict):
        if key == "settings":
            return "; ".join(
                f"{known('recipe', name)}: {_flat(chosen.setting(name, of))}" for name, of in value.items()
            )
        return "; ".join(f"{_plain(str(name))}: {_flat(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_flat(inner, key) for inner in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and key in _STORED:
        return _STORED[key](value)
    return "none" if value is None else str(value)


def object_name(subject: str, subject_id: int | None) -> str:
    """What to call an object of which no name is known: `data 3`."""
    word = OBJECTS.get(subject, _plain(subject))
    return word if subject_id is None else f"{word} {subject_id}"


def _what(subject: str, subject_id: int | None, name: str) -> Part:
    return Part("what", _short(name) if name else object_name(subject, subject_id))


def _kept_name(detail: Detail) -> str:
    """The name that the entry itself kept, of its moment."""
    names = (detail.get(key) for key in ("title", "file", "name", "email"))
    kept = next((name for name in names if isinstance(name, str)), "")
    return f"{kept} v{detail['version']}" if kept and "file" in detail and "version" in detail else kept


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"

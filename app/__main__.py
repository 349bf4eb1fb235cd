"""The command line. Each command imports what it needs, so that asking for help costs nothing.

Exit status: 0 fine, 1 bad input, 2 could not run (or, of `measure`, not to the end), 3 the gate said no.
"""

import argparse
import gc
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from app import secret
from app.datasets.reading import encodings
from app.settings import Settings
from app.text import printable


class _Parser(argparse.ArgumentParser):
    """usage_status: with which it ends where the command line itself is wrong."""

    usage_status = 2

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(self.usage_status, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _Parser(prog="python -m app", description="Prove you need a fine-tune before you pay for one.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    commands.add_parser("serve", help="the web and one worker, for one machine")
    commands.add_parser("web", help="the web alone")
    worker = commands.add_parser("worker", help="a worker alone")
    worker.add_argument("--slot", default="0", help="a name that keeps several workers of one host apart")
    worker.add_argument("--queues", default="cpu,model", help="which lines it serves: cpu, model")
    commands.add_parser("migrate", help="bring the database to this version")
    commands.add_parser("setup-code", help="print a new one-time code that makes the first administrator")
    reset = commands.add_parser(
        "reset-password",
        help="a new one-time password for an account, on record; how a sole administrator gets back in",
    )
    reset.add_argument("email", metavar="E-MAIL")
    advise = commands.add_parser("advise", help="advice for one case file, as JSON")
    advise.add_argument("case", type=Path, metavar="CASE.json")
    advise.add_argument("--more", action="store_true", help="also contradictions, disagreements and robustness")
    check = commands.add_parser("check-data", help="what a file of examples is worth, without uploading it")
    check.add_argument("file", type=Path, metavar="FILE", help="a dash reads the standard input")
    check.add_argument("--test", type=Path, metavar="FILE", help="test rows of your own: leaks into them count")
    check.add_argument(
        "--encoding", default="", choices=tuple(encodings.CHOICES), help="of the file and the test file; else UTF-8"
    )
    check.add_argument("--json", action="store_true", help="one JSON object instead of words")
    check.add_argument("--strict", action="store_true", help="exit status 1 also where any row could not be read")
    measure = commands.add_parser("measure", help="baselines from a plan in a file; the result as JSON")
    measure.usage_status = 1  # 2 says that it began and ended early
    measure.add_argument("plan", type=Path, metavar="PLAN.json")
    measure.add_argument(
        "--budget",
        nargs=2,
        action="append",
        default=[],
        metavar=("AMOUNT", "UNIT"),
        help="stop once so much is spent; UNIT is calls, tokens or money; several are possible",
    )
    commands.add_parser("demo", help="the worked example, from packages on this machine to an evaluated adapter")
    commands.add_parser("doctor", help="what is there, what is missing, and what to type")

    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("tunegate").setLevel(logging.INFO)
    logging.getLogger("dbos").setLevel(logging.WARNING)
    settings = Settings()
    if options.command in KEEPS_DATA:
        secret.keep_closed(settings)
    return COMMANDS[options.command](options, settings)


def _serve(_given: argparse.Namespace, settings: Settings) -> int:
    from app import supervisor

    return _web_with(settings, supervisor.serve)


def _web(_given: argparse.Namespace, settings: Settings) -> int:
    return _web_with(settings, lambda web: web())


def _web_with(settings: Settings, around: Callable[[Callable[[], None]], None]) -> int:
    gc.disable()  # nothing of a start is garbage, and looking for some takes a fifth of it; `web.run` switches it on
    from app import main as web

    if sentence := web.not_ready(settings):
        print(sentence, file=sys.stderr)
        return 2
    print(web.greeting(settings), flush=True)
    around(lambda: web.run(settings))
    return 0


def _worker(options: argparse.Namespace, settings: Settings) -> int:
    from app.worker import Worker

    return Worker(settings, options.slot, [queue for queue in options.queues.split(",") if queue]).run()


def _migrate(_given: argparse.Namespace, settings: Settings) -> int:
    from app import schema

    print(schema.upgrade(settings))
    return 0


def _setup_code(_given: argparse.Namespace, settings: Settings) -> int:
    from app import main as web

    print(web.new_setup_code(settings))
    return 0


def _reset_password(options: argparse.Namespace, settings: Settings) -> int:
    from app import main as web

    if sentence := web.not_ready(settings):
        print(sentence, file=sys.stderr)
        return 2
    password = web.new_password(settings, options.email)
    if not password:
        print("Nobody has this e-mail address.", file=sys.stderr)
        return 1
    print(f"One-time password: {password}   It has to be changed at the next sign-in.")
    return 0


def _advise(options: argparse.Namespace, _settings: Settings) -> int:
    from app.advice import case, verdict

    try:
        advice = verdict.advise(case.parse(case.load(options.case)))
    except case.NotACase as error:
        # They quote the file, which may be a stranger's and mean something to a terminal.
        print("\n".join(map(printable, error.faults)), file=sys.stderr)
        return 1
    print(
        json.dumps(advice.to_json() | ({"more": advice.more()} if options.more else {}), ensure_ascii=False, indent=2)
    )
    return 0


def _check_data(options: argparse.Namespace, _settings: Settings) -> int:
    from app.datasets import command

    outcome = command.examine(options.file, options.test, options.encoding)
    report = (
        json.dumps(outcome, ensure_ascii=True) if options.json else "\n".join(map(printable, command.words(outcome)))
    )
    try:
        print(report.encode(sys.stdout.encoding or "utf-8", "backslashreplace").decode(sys.stdout.encoding or "utf-8"))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough; Python would complain once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    faulty = options.strict and outcome["message_counts"].get("error", 0)
    return 1 if outcome["verdict"] == "reject" or faulty else 0


def _measure(options: argparse.Namespace, settings: Settings) -> int:
    from app import measure_command

    return measure_command.main(settings, options.plan, options.budget)


def _demo(_given: argparse.Namespace, settings: Settings) -> int:
    from app.demo import run

    return run.main(settings)


def _doctor(_given: argparse.Namespace, settings: Settings) -> int:
    from app import main as web

    findings = web.findings(settings)
    for finding in findings:
        print(f"{'ok  ' if finding.fine else 'MISS'}  {finding.what}: {finding.detail}")
    return 0 if all(finding.fine for finding in findings) else 2


COMMANDS = {
    "serve": _serve,
    "web": _web,
    "worker": _worker,
    "migrate": _migrate,
    "setup-code": _setup_code,
    "reset-password": _reset_password,
    "advise": _advise,
    "check-data": _check_data,
    "measure": _measure,
    "demo": _demo,
    "doctor": _doctor,
}

KEEPS_DATA = frozenset(
    {"serve", "web", "worker", "migrate", "setup-code", "measure", "demo"}
)  # the others write nothing

if __name__ == "__main__":
    sys.exit(main())

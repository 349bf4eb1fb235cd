"""What one reads first of a report: the answer in a sentence, why, and the one thing to do next."""

from collections.abc import Collection
from dataclasses import dataclass

from app.datasets.checks.report import Report
from app.datasets.checks.report_parts import ReportMessage
from app.datasets.checks.statuses import ROWS_THAT, what_rows_do
from app.wording import inflect, plural


@dataclass(frozen=True, slots=True)
class Verdict:
    """The report in one sentence, why, and the one thing to do next. `tone`: ready, bad, info, or nothing.

    freeze: the one thing to do is to freeze the split, so its form stands where the link would.
    """

    text: str
    why: str
    next: str
    url: str
    link: str
    tone: str = ""
    freeze: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """What the verdict depends on besides the report.

    state: of the version; usable: examples; needed: by training; test: rows; decided: kinds of personal data that
    somebody decided about; after: name and address of what comes after the data; page: the address of the report;
    reading: of the page that says how the file is read. newer: number and address of the version that counts;
    newer_waits: it will, if its check finds it usable.
    """

    state: str
    usable: int
    needed: int
    test: int
    decided: Collection[str]
    frozen: bool
    after: tuple[str, str]
    page: str
    reading: str
    newer: tuple[int, str] | None
    newer_waits: bool = False


def verdict(report: Report, now: Situation) -> Verdict:
    """What one reads first."""
    if now.state == "rejected":
        return _refused(report, now)
    rows = f"{plural(now.usable, 'usable example')} ({now.needed:,} needed), {plural(now.test, 'test row')}."
    why = _why(report, now)
    tone = "ready" if now.usable >= now.needed and not report.unlearnable else ""
    if now.newer:
        number, url = now.newer
        return Verdict(rows, "", "", url, f"Open version {number}", "info")
    if open_rows := report.identifiers.undecided_rows(now.decided) if report.identifiers else 0:
        some = f"{plural(open_rows, 'row')} {inflect(open_rows, 'seems', 'seem')} to hold personal data or a secret"
        head = f"{'Frozen' if now.frozen else 'Decide on personal data, then freeze'}: {rows}"
        step = f"{some}. Training stays locked until you decide about them."
        return Verdict(head, step, why, f"{now.page}?tab=personal", "Decide on personal data")
    if now.frozen:
        link, url = now.after
        return Verdict(f"Frozen: {rows}", why, "", url, link, tone)
    if report.unlearnable:
        step = "No link was found between questions and answers. Look at that before anything is measured."
        url = f"{now.page}?tab=learnability"
        return Verdict(f"Check before you freeze: {rows}", why, step, url, "See what was tried")
    head = "Ready to freeze" if now.usable >= now.needed else "Ready to freeze for baselines"
    return Verdict(f"{head}: {rows}", why, "", f"{now.page}?tab=split", "Freeze split", tone, freeze=True)


def _why(report: Report, now: Situation) -> str:
    # That too few are usable is the verdict itself; the others go before what is said about it.
    reasons = list(report.why_besides_rows)
    if now.usable < now.needed:
        reasons.append(
            f"Training needs about {now.needed - now.usable:,} more: with fewer, a tuned model tends to memorise."
        )
    return " ".join(reasons)


def _refused(report: Report, now: Situation) -> Verdict:
    """Why no row of an upload can be used, and what to do about it."""
    why = _why_refused(report)
    if now.newer:
        number = now.newer[0]
        counts = f"version {number} is still the one that counts"
        waits = f"the check of version {number} has not ended"
        why += f" The upload replaces nothing: {waits if now.newer_waits else counts}."
    if report.format == "unknown" and report.columns and not report.undecodable:
        # The file itself is sound; only its names are not ours. Saying which is which is quicker than a new file.
        names = "columns" if report.layout in {"CSV", "Parquet"} else "keys"
        step = f"Choose which of its {names} holds the prompt and which one the completion."
        return Verdict("This upload can't be used yet.", why, step, now.reading, f"Choose the {names}", "bad")
    step = "Correct the file and upload it again."
    if report.undecodable:
        step = (
            "Save the file as UTF-8 and upload it again. Or is it right as it is, such as a CSV from Excel? Then say "
            "which encoding it has under Change column mapping."
        )
    return Verdict("This upload can't be used.", why, step, "#upload", "Upload a corrected file", "bad")


def _why_refused(report: Report) -> str:
    """In the words of the split, of the first fault, or of the status that took most rows."""
    if report.split.why_not:
        return report.split.why_not
    faults = [message for message in report.messages if message.level == "error"]
    if faults:
        return _placed(report, min(faults, key=lambda fault: fault.line is None))
    status = max(ROWS_THAT, key=report.counts.of_status)
    if number := report.counts.of_status(status):
        return f"{number:,} of {plural(report.uploaded, 'row')} {what_rows_do(status, number)}."
    return "Too few rows are left for a training, a dev and a test set."


def _placed(report: Report, fault: ReportMessage) -> str:
    """A fault with the line that it is about."""
    if fault.line is None:
        return fault.text
    place = f"{report.line_word.capitalize()} {fault.line:,}{' of the test file' if fault.file else ''}"
    return f"{place}: {fault.text}"

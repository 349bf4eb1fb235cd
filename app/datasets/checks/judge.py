"""Gives each row its status: leaks first, then contradictions, then all but one of the same are repeats."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from app.datasets.checks import contradictions, explained_differences, row_warnings
from app.datasets.checks.duplicates import Groups, Twin
from app.datasets.checks.outcome import Twins
from app.datasets.checks.report_parts import LabelAgreement
from app.datasets.checks.statuses import RowStatus
from app.datasets.checks.working_rows import WorkingRows, different_values
from app.datasets.thresholds import LABEL_LENGTH, LABEL_REPEATS
from app.text import json_value

_ANSWERS_COMPARED = 50  # different answers to one question, after which the others are as good as compared

Pair = tuple[str, str]
"""A row as question and answer."""


def task_of(rows: WorkingRows) -> str:
    """labels, json or text, by what the answers look like. Labels repeat and are short; that is no fault of theirs."""
    if not len(rows):
        return "text"
    different = different_values(rows.answers)
    short = sum(count for size, count in rows.answer_lengths.items() if size <= LABEL_LENGTH)
    if different * LABEL_REPEATS <= len(rows) and short > len(rows) / 2:
        return "labels"
    sample = range(0, len(rows), max(1, len(rows) // 50))
    if all(isinstance(json_value(rows[index].target), dict | list) for index in sample):
        return "json"
    return "text"


def conflict(task: str, one: Pair, other: Pair) -> bool:
    """Whether two rows that ask (nearly) the same have answers that can't both be right.

    What each answer copies from its own question is no difference: see `explained_differences`.
    """
    (question, answer), (other_question, other_answer) = one, other
    value, other_value = json_value(answer), json_value(other_answer)
    if isinstance(value, dict | list) and isinstance(other_value, dict | list):
        return not explained_differences.same_json(value, other_value, question, other_question)
    if task == "json":
        return value is None or other_value is None or value != other_value
    if task == "labels":
        apart = contradictions.other_label(answer, other_answer)
    else:
        apart = contradictions.different(answer, other_answer)
    return apart and not explained_differences.same_text(answer, other_answer, question, other_question)


class Judge:
    """One pass over the groups of rows that ask (nearly) the same.

    kept_keys: keys of the clusters of which a person said that their rows are different.
    """

    def __init__(self, rows: WorkingRows, groups: Groups, task: str, kept_keys: Collection[int] = ()) -> None:
        self.rows = rows
        self.groups = groups
        self.task = task
        self.kept_keys = kept_keys
        self.kept_groups: set[int] = set()
        self.status = [RowStatus.USABLE] * len(rows)
        self.twin = Twins(len(rows))
        self.contradictions: list[Twin] = []
        self.leaks: list[Twin] = []
        self.all_used: dict[int, list[int]] = {}  # of clusters that a person undid: rows of one input, by the first
        self.joined: dict[int, int] = {}  # groups whose answers contradict each other, by the oldest row, with another
        self.repeated: set[int] = set()  # groups of like questions of two rows or more, each by its oldest row
        self.contradicted: set[int] = set()  # those of them whose answers contradict each other

    def judge(self) -> "Judge":
        for index in np.flatnonzero(np.asarray(self.rows.lengths) > row_warnings.LONGEST_RECORD).tolist():
            self.status[index] = RowStatus.TOO_LONG
        likeness = self._likeness()
        clashes = [clash for clash in self.groups.clashes if self._contradict(clash)]
        for oldest, members in clusters(self.groups.oldest):
            group = [index for index in members if self.status[index] is RowStatus.USABLE]
            if len(group) > 1:
                self._group(oldest, group, likeness)
        for clash in clashes:
            self._clash(clash)
        self._count_questions()
        return self

    def together(self) -> "array[int]":
        """For each row the oldest of its group. Rows that contradict each other are one group here: a person looks at
        it as a whole, and may say that its rows are different.
        """
        oldest = array("q", self.groups.oldest)
        if self.joined:
            for index, root in enumerate(oldest):
                oldest[index] = self._root(root)
        return oldest

    def _root(self, group: int) -> int:
        while (above := self.joined.get(group, group)) != group:
            group = above
        return group

    def _contradict(self, clash: Twin) -> bool:
        """Whether near rows with other answers contradict each other; then they are one group from here on."""
        if any(self.status[end] is RowStatus.TOO_LONG for end in (clash.earlier, clash.later)):
            return False
        if self.rows.files[clash.earlier] != self.rows.files[clash.later]:
            return True  # a leak, whatever the answers
        if not self._differ(clash.earlier, clash.later):
            return False
        ends = [self._root(self.groups.oldest[end]) for end in (clash.earlier, clash.later)]
        self.joined[max(ends)] = min(ends)
        return True

    def _called_different(self, oldest: int) -> bool:
        """Whether a person said so of the group, or of all those that contradict each other together."""
        return any(self.rows.keys[group] in self.kept_keys for group in (oldest, self._root(oldest)))

    def _likeness(self) -> "array[float]":
        """For each joined row how alike it was to the one it was joined by, for others 1; enough for a page."""
        likeness = array("d", [0.0]) * len(self.rows)
        for twin in self.groups.near:
            for end in (twin.earlier, twin.later):
                likeness[end] = max(likeness[end], twin.similarity)
        values = np.asarray(likeness)  # the same memory
        values[values == 0] = 1.0
        return likeness

    def _group(self, oldest: int, group: list[int], likeness: Sequence[float]) -> None:
        """Judge rows that ask (nearly) the same: leaks first, then contradictions, then all but one are repeats."""
        test_rows = [index for index in group if self.rows.files[index]]
        uploaded = [index for index in group if not self.rows.files[index]]
        if test_rows and uploaded:
            for index in uploaded:
                twin, similarity = self._nearest(index, test_rows, likeness)
                self._set(index, RowStatus.LEAK, twin, similarity)
            for test in test_rows:
                twin, similarity = self._nearest(test, uploaded, likeness)
                self.leaks.append(Twin(twin, test, similarity))
        for part in (test_rows, [] if test_rows else uploaded):
            if len(part) > 1:
                self.repeated.add(oldest)
                self._repeats(oldest, part, likeness)

    def _nearest(self, index: int, others: list[int], likeness: Sequence[float]) -> tuple[int, float]:
        """The one of the others that asks the same to the letter, else the first; and how alike it is."""
        keys = self.rows.keys
        twin = next((other for other in others if keys[other] == keys[index]), others[0])
        return twin, 1.0 if keys[twin] == keys[index] else likeness[index]

    def _repeats(self, oldest: int, group: list[int], likeness: Sequence[float]) -> None:
        by_input: defaultdict[int, list[int]] = defaultdict(list)
        for index in group:
            by_input[self.groups.first[index]].append(index)
        against = [pair for same in by_input.values() for pair in self._against(same)]
        different = self._called_different(oldest)
        if different:  # of rows that are the same to the letter nobody can say so
            against = [(one, other) for one, other in against if self.rows.pair(one)[0] == self.rows.pair(other)[0]]
        if against:
            self.contradicted.add(oldest)
            self.contradictions += [Twin(one, other, 1.0) for one, other in against]
            for index in group:
                opposite = next((earlier for earlier, later in against if later == index), None)
                if opposite is None:
                    opposite = next((later for earlier, later in against if earlier == index), against[0][0])
                self._set(index, RowStatus.CONTRADICTION, opposite, 1.0)
            return
        if different:
            self.kept_groups.add(self._root(oldest))
            self.all_used.update(by_input)
            return
        self._leave_one(by_input, likeness)

    def _leave_one(self, by_input: dict[int, list[int]], likeness: Sequence[float]) -> None:
        """Take out all rows but one. The longest says the most; of equals the oldest stays."""
        group = [index for same in by_input.values() for index in same]
        used = max(group, key=lambda index: (self.rows.lengths[index], -index))
        for first, same in by_input.items():
            for index in same:
                if index == used:
                    continue
                if self.groups.first[used] == first:
                    self._set(index, RowStatus.DUPLICATE, used, 1.0)
                elif index != same[0]:  # one row stands for its input; the others repeat it word for word
                    self._set(index, RowStatus.DUPLICATE, same[0], 1.0)
                else:
                    self._set(index, RowStatus.NEAR_DUPLICATE, used, likeness[first])

    def _against(self, same: list[int]) -> list[tuple[int, int]]:
        """Pairs of rows with one input whose answers can't both be right: each against the first of its kind."""
        by_answer: dict[int, int] = {}
        pairs = []
        for index in same:
            answer = self.rows.answers[index]
            if answer in by_answer:
                continue
            opposite = next((earlier for earlier in by_answer.values() if self._differ(earlier, index)), None)
            by_answer[answer] = index
            if opposite is not None:
                pairs.append((opposite, index))
            if len(by_answer) > _ANSWERS_COMPARED:
                break
        return pairs

    def _differ(self, one: int, other: int) -> bool:
        return conflict(self.task, self.rows.pair(one), self.rows.pair(other))

    def _clash(self, clash: Twin) -> None:
        """Two nearly equal questions with different answers, each the first of its input."""
        if self.rows.files[clash.earlier] != self.rows.files[clash.later]:
            uploaded, test = sorted((clash.earlier, clash.later), key=self.rows.files.__getitem__)
            self.add_leaks(Twin(index, test, clash.similarity) for index in self._speaking_for(uploaded))
            return
        if self.rows.keys[whole := self._root(self.groups.oldest[clash.earlier])] in self.kept_keys:
            self.kept_groups.add(whole)
            return
        for end, other in ((clash.earlier, clash.later), (clash.later, clash.earlier)):
            for index in self._speaking_for(end):
                if self.status[index] is RowStatus.USABLE:
                    self._set(index, RowStatus.CONTRADICTION, other, clash.similarity)
        self.contradictions.append(clash)

    def _count_questions(self) -> None:
        """Let groups that are nearly the same, but for their labels, count as the one question that they are."""
        parent: dict[int, int] = {}

        def root(group: int) -> int:
            while (above := parent.setdefault(group, group)) != group:
                parent[group] = parent[above]
                group = above
            return group

        for twin in self.contradictions:
            ends = [root(self.groups.oldest[end]) for end in (twin.earlier, twin.later)]
            parent[max(ends)] = min(ends)
        self.contradicted = {root(group) for group in [*self.contradicted, *parent]}
        self.repeated = {root(group) for group in [*self.repeated, *parent]}

    def agreement(self) -> LabelAgreement:
        """How often two rows that ask the same have one label: the mean over the repeated questions.

        Each question counts once, however often it stands there.
        """
        by_question: defaultdict[int, list[int]] = defaultdict(list)
        for index, root in enumerate(self.together()):
            if root in self.repeated:
                by_question[root].append(index)
        shares = [self._agree(rows) for rows in by_question.values() if len(rows) > 1]
        return LabelAgreement(len(shares), sum(shares) / len(shares) if shares else None)

    def _agree(self, rows: Sequence[int]) -> float:
        """The share of the pairs of these rows that have one label."""
        if len({self.rows.answers[index] for index in rows}) == 1:
            return 1.0
        counts = Counter(contradictions.label(self.rows[index].target) for index in rows)
        return sum(count * (count - 1) for count in counts.values()) / (len(rows) * (len(rows) - 1))

    def _speaking_for(self, index: int) -> list[int]:
        """The rows that are used for what this one asks: itself, or where it is a repeat the row that it repeats."""
        if index in self.all_used:
            return self.all_used[index]
        while self.status[index] in (RowStatus.DUPLICATE, RowStatus.NEAR_DUPLICATE) and (twin := self.twin.get(index)):
            index = twin[0]
        return [index]

    def add_leaks(self, leaks: Iterable[Twin]) -> None:
        """Take rows out that a test row stands in; `earlier` is the row, `later` the test row."""
        known = {twin.later for twin in self.leaks}
        for twin in leaks:
            if self.status[twin.earlier] not in (RowStatus.LEAK, RowStatus.TOO_LONG):
                self._set(twin.earlier, RowStatus.LEAK, twin.later, twin.similarity)
            if twin.later not in known:
                known.add(twin.later)
                self.leaks.append(twin)

    def _set(self, index: int, status: RowStatus, other: int, similarity: float) -> None:
        self.status[index] = status
        self.twin[index] = (other, similarity)


def clusters(oldest: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """The groups of two rows or more: their oldest row, and all of them in the order of the file."""
    roots = np.asarray(oldest, dtype=np.int64)
    order = np.argsort(roots, kind="stable")
    edges = np.flatnonzero(np.diff(roots[order])) + 1
    starts, ends = np.append(0, edges), np.append(edges, len(order))
    for start, end in zip(starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist(), strict=True):
        members = order[start:end].tolist()
        yield int(roots[members[0]]), members

"""The split: sizes, stability, hashes."""

from collections import Counter
from hashlib import sha256
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat import Record
from app.datasets.splits import declared, draw, manifest, places, shares
from app.datasets.splits.assign import assign
from app.datasets.splits.declared import DeclaredColumns
from app.datasets.splits.draw import DrawInput
from app.datasets.splits.manifest import Entry
from app.datasets.splits.shares import sizes

PLACES: tuple[places.Split, ...] = ("train", "dev", "test")
KEYS = st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=400)


@given(st.integers(0, 5000), st.booleans())
def test_sizes_add_up(rows: int, own_test: bool) -> None:
    found = sizes(rows, own_test=own_test)

    assert found.train + found.dev + found.test == rows
    assert min(found.train, found.dev, found.test) >= 0
    assert found.train >= rows // 2 or rows < 3


def test_sizes_follow_the_rules() -> None:
    assert sizes(10_000) == shares.Sizes(7000, 1000, 2000)
    assert sizes(1000) == shares.Sizes(700, 100, 200)
    assert sizes(700) == shares.Sizes(400, 100, 200)
    assert sizes(300) == shares.Sizes(165, 45, 90)
    assert sizes(10_000, own_test=True) == shares.Sizes(9000, 1000, 0)


@given(KEYS, st.integers(0, 100))
def test_a_place_depends_on_the_rows_and_not_on_their_order(keys: list[int], seed: int) -> None:
    shuffled = sorted(keys)

    one = dict(zip(keys, assign(keys, seed), strict=True))
    other = dict(zip(shuffled, assign(shuffled, seed), strict=True))

    assert one == other
    wanted = sizes(len(keys))
    assert Counter(one.values()) == +Counter({"train": wanted.train, "dev": wanted.dev, "test": wanted.test})


@given(KEYS, KEYS, st.integers(0, 100))
def test_appended_rows_move_no_old_row(old: list[int], more: list[int], seed: int) -> None:
    before = dict(zip(old, assign(old, seed), strict=True))
    both = [*old, *(key for key in more if key not in before)]

    after = dict(zip(both, assign(both, seed, before), strict=True))

    assert {key: after[key] for key in old} == before


def test_another_seed_draws_another_split() -> None:
    keys = list(range(1000))

    assert assign(keys, 1) != assign(keys, 2)


def test_the_manifest_names_content_and_changes_with_it() -> None:
    one = manifest.content_hash([{"role": "user", "content": "a"}], "b")
    other = manifest.content_hash([{"role": "user", "content": "a"}], "b ")

    assert one != other
    assert b"".join(manifest.lines(7, [Entry(3, "test", one)])) == (
        b'{"seed": 7, "version": 1}\n{"content": "' + one.encode() + b'", "line": 3, "split": "test"}\n'
    )


def test_a_manifest_is_the_same_byte_for_byte_as_in_version_1() -> None:
    """Frozen splits are known by the hash of their manifest; a byte that moves would unfreeze them all."""
    rows = range(90)
    keys = [(n * 2654435761) % 2**64 for n in rows]
    oldest = [n - n % 9 if n % 7 == 0 else n for n in rows]
    groups = DeclaredColumns({n: f"g{n % 20}" for n in rows if n % 3 == 0}, {}, {})
    previous: dict[int, places.Split] = {keys[4]: "test", keys[5]: "dev"}
    split = draw.draw(DrawInput(rows, oldest, keys, [0] * 90, groups, seed=7, previous_assignment=previous)).split
    asked = [
        [{"role": "system", "content": "Sei kurz. \u2603"}, {"role": "user", "content": f"Frage {n}?"}] for n in rows
    ]

    written = b"".join(
        manifest.lines(7, (Entry(n + 1, split[n], manifest.content_hash(asked[n], f"Antwort {n}\n")) for n in rows))
    )

    assert sha256(written).hexdigest() == "8c5bf9a6cb97c576e764cc6bffcd922ba991ae7fb4bbf4e526687a3e397d722f"


# ---------------------------------------------------------------------- groups, times, columns
def drawn(rows: int, **given: Any) -> draw.Drawn:
    """Split so many rows that all ask something else."""
    declared_columns = DeclaredColumns(given.pop("groups", {}), given.pop("parts", {}), given.pop("times", {}))
    files = given.pop("files", [0] * rows)
    oldest = given.pop("oldest", list(range(rows)))
    usable = given.pop("usable", range(rows))
    return draw.draw(
        DrawInput(usable, oldest, [1000 + n for n in range(rows)], files, declared_columns, seed=7, **given)
    )


GROUPED = st.integers(10, 300).flatmap(
    lambda rows: st.tuples(
        st.just(rows), st.dictionaries(st.integers(0, rows - 1), st.sampled_from([f"g{n}" for n in range(12)]))
    )
)


@given(GROUPED, st.sampled_from(["", "time", "random"]))
def test_a_group_is_never_on_two_sides(grouped: tuple[int, dict[int, str]], plan: str) -> None:
    rows, groups = grouped

    found = drawn(rows, groups=groups, plan=plan)

    assert set(found.split) == set(range(rows))
    for name in set(groups.values()):
        assert len({found.split[index] for index, one in groups.items() if one == name}) == 1


@given(GROUPED, GROUPED)
def test_appended_groups_move_no_old_test_row(
    old: tuple[int, dict[int, str]], more: tuple[int, dict[int, str]]
) -> None:
    rows, groups = old
    before = drawn(rows, groups=groups).split
    kept = {1000 + index: split for index, split in before.items()}
    joined = groups | {rows + index: name for index, name in more[1].items()}

    after = drawn(rows + more[0], groups=joined, previous_assignment=kept).split

    assert all(after[index] == "test" for index, split in before.items() if split == "test")


def test_places_that_are_settled_count_towards_the_shares() -> None:
    kept = {1000 + index: split for index, split in drawn(400).split.items()}

    after = Counter(drawn(800, previous_assignment=kept).split.values())

    want = sizes(800, own_test=False)
    assert (after["train"], after["dev"], after["test"]) == (want.train, want.dev, want.test)


def test_groups_that_share_a_near_duplicate_stay_together() -> None:
    oldest = list(range(100))
    oldest[50] = 0
    groups = {0: "a", 1: "a", 50: "b", 51: "b"}

    split = drawn(100, oldest=oldest, groups=groups).split

    assert len({split[index] for index in (0, 1, 50, 51)}) == 1


def test_large_groups_leave_rows_for_every_part() -> None:
    for number in (3, 4, 7):
        found = drawn(600, groups={index: f"g{index % number}" for index in range(600)})

        assert set(found.split.values()) == {"train", "dev", "test"}
        assert found.by == "group"


def test_by_time_the_newest_judge_and_the_next_newest_choose() -> None:
    times = {index: float((index * 7919) % 1000) for index in range(1000)}

    found = drawn(1000, times=times, plan="time")

    parts = {
        name: [times[index] for index, split in found.split.items() if split == name]
        for name in ("train", "dev", "test")
    }
    assert max(parts["train"]) < min(parts["dev"]) <= max(parts["dev"]) < min(parts["test"])
    assert (len(parts["test"]), len(parts["dev"])) == (200, 100)


def test_without_times_the_end_of_the_file_is_newest() -> None:
    found = drawn(1000, plan="time")

    assert {index for index, split in found.split.items() if split == "test"} == set(range(800, 1000))


def test_a_column_is_followed_and_what_it_leaves_open_is_ours() -> None:
    parts: dict[int, places.Split] = dict.fromkeys(range(40), "test")
    parts |= dict.fromkeys(range(40, 200), "train")

    found = drawn(300, parts=parts)

    assert found.by == "column"
    assert {index for index, split in found.split.items() if split == "test"} == set(range(40))
    assert 0 < sum(1 for split in found.split.values() if split == "dev") < 60


def test_a_column_without_test_rows_is_no_plan() -> None:
    found = drawn(300, parts=dict.fromkeys(range(300), "train"), plan="column")

    assert found.by == "random"
    assert "test" in found.split.values()


def test_the_strictest_word_of_a_group_counts() -> None:
    oldest = list(range(200))
    oldest[1] = 0
    parts: dict[int, places.Split] = dict.fromkeys(range(150, 200), "test")
    parts |= {0: "train", 1: "test"}

    found = drawn(200, oldest=oldest, parts=parts, usable=[0, *range(2, 200)])

    assert found.split[0] == "test"


def test_groups_that_stand_in_the_own_test_file_are_counted() -> None:
    files = [0] * 80 + [1] * 20

    found = drawn(100, files=files, groups={3: "a", 4: "a", 90: "a"}, own_test=True)

    assert (found.by, found.group_overlap) == ("own_file", 2)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2024-05-01", 1714521600.0),
        ("2024-05-01T00:00:00Z", 1714521600.0),
        ("2024-05-01 02:00:00+02:00", 1714521600.0),
        ("1714521600", 1714521600.0),
        ("1714521600000", 1714521600.0),
        ("2024", None),
        ("yesterday", None),
        ("9" * 400, None),
        ("", None),
    ],
)
def test_times_in_many_forms(text: str, when: float | None) -> None:
    assert declared.moment(text) == when


def test_what_rows_say_of_themselves_is_found_by_their_position() -> None:
    rows = [
        Record(1, (), "", group="a", time="2024-05-01"),
        Record(2, (), ""),
        Record(3, (), "", group="a", part="test"),
        Record(4, (), "", time="never"),
    ]

    found = declared.declared_by(rows)

    assert (found.groups, found.parts, found.times) == ({0: "a", 2: "a"}, {2: "test"}, {0: 1714521600.0})
    assert (found.groups.get(1), found.groups.get(9)) == (None, None)


def test_how_many_rows_a_gap_takes() -> None:
    found = shares.needs_rows(200)

    assert found.gap == pytest.approx(0.09, abs=0.005)
    assert [rows for _, rows in found.table] == [1742, 626, 243, 155, 68]
    assert shares.needs_rows(0).gap is None


# ---------------------------------------------------------------------- what versions in use were given
def lottery(turn: int, **more: Any) -> list[str]:
    """The places of 600 rows with neighbours; by turns with groups, a column, times, and places from before."""
    random = Random(turn)
    rows = range(600)
    keys = [random.getrandbits(64) for _ in rows]
    oldest: list[int] = []
    for n in rows:
        oldest.append(oldest[random.randrange(n)] if n and random.random() < 0.3 else n)
    groups = {n: f"g{random.randrange(90)}" for n in rows if turn & 1 and random.random() < 0.6}
    parts = {n: random.choice(PLACES) for n in rows if turn & 2 and random.random() < 0.4}
    times = {n: float(random.randrange(99)) for n in rows if turn & 4 and random.random() < 0.9}
    previous = {key: random.choice(PLACES) for key in keys if turn & 8 and random.random() < 0.4}
    files = [int("own_test" in more and random.random() < 0.2) for _ in rows]
    usable = [n for n in rows if random.random() < 0.9]
    declared_columns = DeclaredColumns(groups, parts, times)
    drawn_input = DrawInput(
        usable, oldest, keys, files, declared_columns, seed=turn, previous_assignment=previous, **more
    )
    found = draw.draw(drawn_input)
    return [found.split.get(n, "") for n in rows]


@pytest.mark.parametrize(
    ("more", "digest"),
    [
        ({}, "f4499b1c63156fbd"),
        ({"plan": "random"}, "507aee0a9f9ebc4d"),
        ({"plan": "time"}, "2beeeccbaa173ad5"),
        ({"own_test": True}, "635a3a4fb4e1d895"),
    ],
)
def test_places_given_in_version_1_are_given_for_good(more: dict[str, Any], digest: str) -> None:
    found = [lottery(turn, **more) for turn in range(16)]

    assert sha256(repr(found).encode()).hexdigest()[:16] == digest


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(PLACES))))
def test_the_strictest_word_about_a_key_counts(pairs: list[tuple[int, places.Split]]) -> None:
    assert places.PreviousAssignment(pairs) == dict(sorted(pairs, key=lambda pair: PLACES.index(pair[1])))


# ---------------------------------------------------------------------- labels, sizes, and what holds over versions
def labelled(labels: list[int], **given: Any) -> draw.Drawn:
    return drawn(len(labels), labels=labels, **given)


@given(st.lists(st.integers(0, 6), min_size=20, max_size=300))
def test_every_label_with_three_rows_judges_even_in_a_sorted_file(labels: list[int]) -> None:
    labels.sort()

    split = labelled(labels).split

    judged = {labels[index] for index, place in split.items() if place == "test"}
    assert {label for label, count in Counter(labels).items() if count >= 3} <= judged
    wanted = sizes(len(labels))
    assert split.counts() == Counter({"train": wanted.train, "dev": wanted.dev, "test": wanted.test})


def test_a_new_label_gets_its_share_when_rows_are_appended() -> None:
    before = labelled([0] * 900 + [1] * 100).split
    kept = {1000 + index: place for index, place in before.items()}

    after = labelled([0] * 900 + [1] * 100 + [2] * 20, previous_assignment=kept).split

    assert sum(1 for index in range(1000, 1020) if after[index] == "test") in (4, 5)
    assert all(after[index] == place for index, place in before.items())


@pytest.mark.parametrize("rows", [4, 10, 30, 60])
def test_small_sets_have_rows_in_every_part(rows: int) -> None:
    for own in (False, True):
        files = [0] * rows + [1] * (5 * own)
        assert set(drawn(rows + 5 * own, files=files, own_test=own).split.values()) == {"train", "dev", "test"}


def test_beside_one_huge_group_there_are_rows_to_judge_and_to_choose_by() -> None:
    split = drawn(600, groups=dict.fromkeys(range(570), "huge")).split

    assert {split[index] for index in range(570)} == {"train"}
    assert (split.counts()["test"], split.counts()["dev"]) == (20, 10)


# One version after the other: rows come and go, gain near copies and groups, and the way to split changes.
STEP = st.tuples(
    st.sets(st.integers(0, 79), min_size=12),  # which rows the file holds
    st.dictionaries(st.integers(0, 79), st.integers(0, 9), max_size=30),  # rows and their group
    st.dictionaries(st.integers(1, 79), st.integers(0, 78), max_size=12),  # a row and one that it is nearly like
    st.sampled_from(["random", "time", "column"]),
    st.sets(st.integers(0, 79), max_size=20),  # rows that a column calls test
)


@given(st.lists(STEP, min_size=2, max_size=5))
def test_nothing_straddles_and_what_judged_once_judges_for_good(
    steps: list[tuple[set[int], dict[int, int], dict[int, int], str, set[int]]],
) -> None:
    judged: set[int] = set()
    previous: list[tuple[int, places.Split]] = []
    for held, grouped, twins, plan, named in steps:
        rows = sorted(held)
        place_of = {row: place for place, row in enumerate(rows)}
        oldest = list(range(len(rows)))
        for row, twin in twins.items():
            if row in held and twin in held and twin < row:
                oldest[place_of[row]] = oldest[place_of[twin]]
        groups = {place_of[row]: f"g{name}" for row, name in grouped.items() if row in held}
        parts: dict[int, places.Split] = {place_of[row]: "test" for row in named & held}
        declared_columns = DeclaredColumns(groups, parts, {})
        keys = [5000 + row for row in rows]

        found = draw.draw(
            DrawInput(
                range(len(rows)),
                oldest,
                keys,
                [0] * len(rows),
                declared_columns,
                seed=7,
                plan=plan,
                previous_assignment=places.PreviousAssignment(previous),
            )
        )

        test = {rows[index] for index, place in found.split.items() if place == "test"}
        assert judged & held <= test
        for same in (groups, dict(enumerate(oldest))):
            for name in set(same.values()):
                assert len({found.split[index] for index, one in same.items() if one == name}) == 1
        judged |= test
        previous += [(5000 + rows[index], place) for index, place in found.split.items()]


def test_a_row_is_known_by_what_it_asked_while_it_was_masked() -> None:
    found = drawn(40, previous_assignment={77: "test"}, earlier_keys={3: 77, 9: 78})

    assert found.split[3] == "test"


def test_rows_of_a_group_in_the_own_test_file_are_named() -> None:
    oldest = list(range(10))
    oldest[5] = 4  # a near copy of a row of that group belongs with it
    declared_columns = DeclaredColumns({2: "a", 4: "a", 9: "a", 3: "b"}, {}, {})

    assert draw.shared_groups(range(10), oldest, [0] * 8 + [1] * 2, declared_columns).tolist() == [2, 4, 5]


def test_how_many_rows_give_so_many_to_judge() -> None:
    for wanted in (1, 68, 155, 200, 243, 1742):
        rows = shares.rows_for(wanted)
        assert sizes(rows).test >= wanted > sizes(rows - 1).test

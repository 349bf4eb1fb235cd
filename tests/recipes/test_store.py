"""The recipe of an assessment is found by itself, and with many others at once."""

from sqlalchemy import Engine, event

from app.db import reading
from app.recipes import store
from tests.support.factories import Make


def test_the_recipe_of_an_assessment_or_none(make: Make, engine: Engine) -> None:
    me, model = make.author(), make.model()
    first, second = make.assessment(me), make.assessment(me)
    recipe = make.recipe(first, model, me, rank=8)

    with reading(engine) as session:
        found = store.of_assessment(session, first.id)
        assert found is not None
        assert (found.id, found.settings["rank"]) == (recipe.id, 8)
        assert store.of_assessment(session, second.id) is None


def test_what_was_read_ahead_is_not_asked_for_again(make: Make, engine: Engine) -> None:
    me, model = make.author(), make.model()
    rows = [make.assessment(me) for _ in range(3)]
    make.recipe(rows[1], model, me)
    asked: list[str] = []

    with reading(engine) as session:
        store.read_ahead(session, [row.id for row in rows])
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        found = [store.of_assessment(session, row.id) for row in rows]

    assert [recipe is not None for recipe in found] == [False, True, False]
    assert asked == []

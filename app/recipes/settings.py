"""A training config by the names of its settings, as it is stored and approved; `training.recipe` makes a value of it.

In an approved subject a number that is not whole stands as a text, and from a form each of them may.
"""

from collections.abc import Mapping

Setting = int | float | str
RecipeSettings = Mapping[str, Setting]

"""The menu: what stands in it, for whom, and which entry is lit on a page."""

from collections.abc import Sequence

EVERYONE = frozenset({"author", "reviewer", "admin"})
# Name, route, the roles that see it, and the paths that belong to it; `*` is one part of a path. The longest counts.
NAV = (
    (
        "Assessments",
        "home",
        EVERYONE,
        (
            "/assessments",
            "/datasets",
            "/documents",
            "/document-files",
            "/baselines",
            "/answers",
            "/trainings",
            "/judge-runs",
            "/retrieval-indexes",
            "/retrieval-checks",
            "/optimisations",
        ),
    ),
    ("Reviews", "reviews", EVERYONE, ("/reviews",)),
    ("Jobs", "jobs", EVERYONE, ("/jobs",)),
    ("Policy", "policy", EVERYONE, ("/policy",)),
    ("Models", "models", EVERYONE, ("/models", "/serving")),
    (
        "Adapters",
        "adapters",
        EVERYONE,
        ("/adapters", "/trainings/*/adapter", "/trainings/*/try", "/trainings/*/merged"),
    ),
    ("Prices", "prices", EVERYONE, ("/prices",)),
    ("Users", "users", frozenset({"admin"}), ("/users",)),
    ("Audit", "audit", frozenset({"reviewer", "admin"}), ("/audit",)),
)


def longest(path: str) -> str:
    """The longest of the paths in the menu that this one is or lies below; empty where there is none."""
    parts = path.split("/")
    matching = [address for *_, below in NAV for address in below if _begins(parts, address.split("/"))]
    return max(matching, key=len, default="")


def _begins(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(parts) >= len(pattern) and all(want in ("*", part) for want, part in zip(pattern, parts, strict=False))

"""The README's tree is the tree, and its figures of speech are commands that exist."""

import re
import subprocess

from tests.support.places import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def tree() -> dict[str, str]:
    """Name -> what it is, from the block that starts with `app/`."""
    block = re.search(r"```text\n(.*?)```", TEXT, re.DOTALL)
    assert block, "the README has a tree"
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []  # the folders that the line may stand in, with their indents
    for line in block[1].splitlines():
        indent, name = len(line) - len(line.lstrip()), line.split()[0]
        above = [(depth, folder) for depth, folder in above if depth < indent]
        path = (above[-1][1] if above else "") + name
        found[path] = line
        if name.endswith("/"):
            above.append((indent, path))
    return found


def tracked() -> set[str]:
    said = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                          capture_output=True, text=True, check=True)  # fmt: skip
    return set(said.stdout.split("\n")) - {""}


def test_everything_in_the_tree_is_there() -> None:
    missing = [name for name in tree() if not (ROOT / name).exists()]

    assert missing == []


def test_every_folder_and_file_of_the_app_is_in_the_tree() -> None:
    named = tree()
    files = tracked()
    concepts = {f"app/{name.split('/')[1]}/" for name in files if name.startswith("app/") and name.count("/") > 1}
    top = {
        name for name in files if name.startswith("app/") and name.count("/") == 1 and not name.endswith("__init__.py")
    }
    folders = {f"{name.split('/')[0]}/" for name in files if "/" in name and not name.startswith(".")}

    rooms = {
        f"app/{name.split('/')[1]}/{name.split('/')[2]}/"
        for name in files
        if name.startswith("app/") and name.count("/") > 2 and name.endswith(".py")
    }

    assert sorted((concepts | rooms | top | folders) - named.keys()) == []


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for target in set(re.findall(r"`make ([a-z-]+)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

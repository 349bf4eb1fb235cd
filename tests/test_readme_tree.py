"""The README's tree is the tree, and its figures of speech are commands that exist."""

import re
import subprocess

from tests.support.places import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def tree() -> dict[str, str]:
    """Name -> what it is, from the block that starts with `app/`."""
    block = re.search(r"```text\n(.*?)```", TEXT, re.DOTALL)
    assert block, "the README has a tree"
    found, folder = {}, ""
    for line in block[1].splitlines():
        indent, name = len(line) - len(line.lstrip()), line.split()[0]
        if indent == 0:
            folder = name if name.endswith("/") else ""
            found[name] = line
        else:
            found[folder + name] = line
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

    assert sorted((concepts | top | folders) - named.keys()) == []


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    for target in set(re.findall(r"`make ([a-z-]+)", TEXT)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

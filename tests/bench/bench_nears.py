"""Near copies and look-alikes: which planted copies are grouped with their row, and which rows that only look like one.

    python tests/bench/bench_nears.py [--misses]

Takes rows of six shared sets (labels, prose, code, SQL, JSON, conversations) and some of its own in Chinese and
Japanese. From each it makes copies by one edit that leaves the meaning, and look-alikes by one edit that changes it; no
row is edited twice. A copy is found when it is in one group with its row; a look-alike that is in one group with its
row is a false alarm. The words that are swapped here are not taken from the app's lists: of the 40 pairs of synonyms
fewer than half stand there.
"""

import argparse
import json
import random
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.datasets.checks import pipeline
from app.datasets.checks.working_rows import WorkingRows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
EACH = 25
SETS = {
    "labels": "intent_banking77/train.jsonl",
    "prose": "chat/alpaca.jsonl",
    "code": "phpdoc/phpdoc.jsonl",
    "sql": "text2sql/wikisql_train.jsonl",
    "json": "slots_snips/train.jsonl",
    "chat": "chat/openai_multiturn.jsonl",
    "cjk": "",
}
# Question, answer, and a name, a number or a word in the question with what makes another question of it.
CJK = (
    ("请问北京到上海的高铁需要多长时间", "从北京坐高铁到上海大约要四个半小时", "北京", "广州"),
    ("怎样才能把旧手机里的照片传到新手机上", "先在两台手机上打开同一个云端相册再同步照片", "照片", "号码"),
    ("我的银行卡在国外可以取现金吗", "可以取现金但是每次会收取少量手续费", "可以", "不可以"),
    ("周末图书馆几点开门几点关门", "周末图书馆上午十点开门下午五点关门", "图书馆", "博物馆"),
    ("这台洗衣机一次最多能洗几公斤衣服", "这台洗衣机一次最多能洗八公斤衣服", "洗衣机", "烘干机"),
    ("如何申请办理三年的商务签证", "请带护照和公司邀请信到签证中心办理", "三年", "五年"),
    ("孩子发烧以后应该什么时候去医院", "如果超过三十九度或者持续两天就应该去医院", "发烧", "咳嗽"),
    ("坐地铁去机场应该在哪一站换乘", "请在人民广场站换乘二号线去机场", "机场", "码头"),
    ("租房合同到期以前可以提前退租吗", "可以但是要提前一个月通知房东", "退租", "续租"),
    ("冬天去哈尔滨旅游应该带什么衣服", "应该带厚羽绒服手套和防滑的靴子", "哈尔滨", "三亚市"),
    ("公司的年假一共有多少天可以用", "工作满一年以后每年有十五天年假", "年假", "病假"),
    ("手机屏幕摔碎了去哪里修比较好", "建议去官方的服务中心更换原装屏幕", "屏幕", "按键"),
    ("晚上睡不着的时候可以喝牛奶吗", "可以喝一杯热牛奶它有助于睡眠", "牛奶", "咖啡"),
    ("怎么关闭手机应用的自动续费功能", "在账户设置的订阅页面里关闭自动续费", "关闭", "开启"),
    ("买二手车之前要检查哪些重要部分", "要检查发动机变速箱底盘和保养记录", "二手车", "二手房"),
    ("做红烧肉的时候要放多少克冰糖", "一斤肉大约放三十克冰糖", "红烧肉", "酸辣汤"),
    ("東京から大阪まで新幹線で何時間かかりますか", "のぞみで約二時間半かかります", "東京", "札幌"),
    ("図書館で一度に借りられる本は何冊までですか", "一度に十冊まで二週間借りられます", "図書館", "博物館"),
    (
        "クレジットカードを失くした時はどうすればいいですか",
        "すぐにカード会社に電話して利用を止めてください",
        "クレジットカード",
        "キャッシュカード",
    ),
    ("このホテルの朝食は何時から食べられますか", "朝食は六時半から十時まで食べられます", "朝食", "夕食"),
    (
        "日本語の試験に申し込む方法を教えてください",
        "公式サイトで登録してから受験料を払ってください",
        "日本語",
        "中国語",
    ),
    (
        "駅の近くに安くて美味しいレストランはありますか",
        "駅の北口を出てすぐの所に人気の食堂があります",
        "レストラン",
        "スーパー",
    ),
    ("子供と一緒に行ける公園はどこにありますか", "市役所の裏に大きな遊び場のある公園があります", "公園", "銀行"),
    ("引っ越した後に住所を変更する必要がありますか", "二週間以内に市役所で変更の届けを出してください", "住所", "名前"),
)
SYNONYMS = (
    *("buy purchase", "start begin", "big large", "quick fast", "help assist", "movie film", "job occupation"),
    *("car automobile", "near close to", "children kids", "error mistake", "happy glad", "begin commence"),
    *("receive get", "incorrect wrong", "display show", "large huge", "frequently often", "purchase buy"),
    *("reason cause", "fee charge", "transfer transaction", "topped charged", "city town", "country nation"),
    *("method approach", "important essential", "famous well-known", "create produce", "best finest", "need require"),
    *("difference distinction", "several various", "currently presently", "person individual", "list enumerate"),
    *("Returns Yields", "Gets Fetches", "Sets Assigns", "Adds Puts", "Creates Makes", "Checks Verifies"),
    *("tell inform", "song track", "book reserve", "find locate", "add put", "play start", "rate score"),
)
OPPOSITES = (
    *("highest lowest", "most least", "first last", "before after", "more less", "with without", "enable disable"),
    *("open close", "buy sell", "add remove", "maximum minimum", "start stop", "largest smallest", "above below"),
    *("increase decrease", "won lost", "up down", "true false", "always never", "pending completed", "my your"),
    *("receive send", "lost found", "withdraw deposit", "new old", "good bad", "today tomorrow"),
    *("morning evening", "earlier later", "inside outside", "allowed forbidden", "best worst", "home away"),
    *("normalize denormalize", "is isn't", "can can't", "was wasn't", "has hasn't", "does doesn't", "do don't"),
)
LOOK_ALIKE = str.maketrans("aceopxy", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443")
ACCENTED = str.maketrans("aeioun", "\u00e1\u00e8\u00ef\u00f4\u00fc\u00f1")
FULL_WIDTH = str.maketrans({chr(n): chr(n + 0xFEE0) for n in range(ord("a"), ord("z") + 1)})
COURTESY = ("Hi, ", "Hello! ", "Please ", "Could you please tell me: ", "Excuse me, ", "Quick question: ")
THANKS = (" Thanks!", " please", " Thank you very much.", " Thanks in advance!", " Cheers")
NAMES = ("Kowalski", "Nairobi", "Fujitsu", "Ecuador", "Hemingway", "Lisbon", "Osaka", "Beatrix", "Volvo", "Tasmania")

Edit = Callable[[str, str, random.Random], tuple[str, str] | None]


def load(name: str) -> list[tuple[str, str, Any]]:
    """Question, answer and, for a conversation, the turns before the question."""
    if name == "cjk":
        return [(asked, answer, None) for asked, answer, _, _ in CJK]
    found: list[tuple[str, str, Any]] = []
    for line in (DATA / SETS[name]).read_text().splitlines():
        value = json.loads(line)
        if "messages" in value:
            turns = value["messages"]
            found.append((turns[-2]["content"], turns[-1]["content"], turns[:-2]))
        else:
            asked = value.get("prompt") or value.get("instruction")
            found.append((asked, value.get("completion") or value.get("output"), None))
    return found


def in_last_line(edit: Callable[[list[str], random.Random], list[str] | None]) -> Edit:
    """An edit of the words of the question's last line: before it stands what every row of the file begins with."""

    def whole(asked: str, answer: str, rng: random.Random) -> tuple[str, str] | None:
        head, mark, tail = asked.rpartition(": ") if asked.count(": ") == 1 and len(asked) < 200 else ("", "", asked)
        head, mark, tail = asked.rpartition("\n") if "\n" in asked else (head, mark, tail)
        if any(ord(sign) > 0x3000 for sign in tail):
            letters = edit([*tail], rng)
            return None if letters is None else (head + mark + "".join(letters), answer)
        words = tail.split(" ")
        made = edit(words, rng) if len(words) >= 5 else None
        return None if made is None or made == words else (head + mark + " ".join(made), answer)

    return whole


CARRIES = re.compile(
    r"\d|^(?:no|not|never|without|why|how|where|when|who|what|which|one|two|three)$|n't", re.IGNORECASE
)


def dropped(words: list[str], rng: random.Random) -> list[str] | None:
    places = [n for n, word in enumerate(words) if word and not CARRIES.search(word) and "(" not in word]
    if len(words) < 6 or not places:
        return None
    place = rng.choice(places)
    return words[:place] + words[place + 1 :]


def dropped_beside_a_number(words: list[str], rng: random.Random) -> list[str] | None:
    return dropped(words, rng) if any(re.search(r"\d", word) for word in words) else None


def swapped(words: list[str], pairs: Sequence[str], rng: random.Random) -> list[str] | None:
    tables = [(pair.split(" ", 1)[0], pair.split(" ", 1)[1]) for pair in pairs]
    tables += [(other, one) for one, other in tables]
    places = [(n, new) for n, word in enumerate(words) for old, new in tables if word.strip("?,.!").casefold() == old]
    if not places:
        return None
    place, new = rng.choice(places)
    return [*words[:place], new, *words[place + 1 :]]


def misspelt(words: list[str], rng: random.Random) -> list[str] | None:
    places = [n for n, word in enumerate(words) if word.isalpha() and word.islower() and len(word) >= 5]
    if not places:
        return None
    place = rng.choice(places)
    word, at = words[place], rng.randrange(1, len(words[place]) - 1)
    made = rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + rng.choice("aeiourst") + word[at + 1 :],
        )
    )
    return [*words[:place], made, *words[place + 1 :]]


def transposed(words: list[str], rng: random.Random) -> list[str] | None:
    places = [n for n in range(len(words) - 1) if words[n].isalpha() and words[n + 1].isalpha()]
    if not places:
        return None
    place = rng.choice(places)
    return [*words[:place], words[place + 1], words[place], *words[place + 2 :]]


def punctuated(asked: str, answer: str, rng: random.Random) -> tuple[str, str] | None:
    edits = (
        asked.rstrip("?.! ") + rng.choice(("!", " ?", "...", "")),
        asked.upper(),
        "  " + asked.replace(" ", "  ", 2),
        asked.replace(",", "") + ".",
    )
    return rng.choice([one for one in edits if one != asked]), answer


def disguised(words: list[str], rng: random.Random) -> list[str] | None:
    places = [n for n, word in enumerate(words) if word.isalpha() and word.isascii() and len(word) >= 4]
    if not places:
        return None
    place = rng.choice(places)
    word = words[place]
    made = rng.choice(
        (
            word.translate(LOOK_ALIKE),
            word.translate(ACCENTED),
            word.translate(FULL_WIDTH),
            word[:2] + "\u200b" + word[2:],
        )
    )
    return [*words[:place], made, *words[place + 1 :]]


def courteous(asked: str, answer: str, rng: random.Random) -> tuple[str, str] | None:
    if rng.random() < 0.5:
        return rng.choice(COURTESY) + asked[0].lower() + asked[1:], answer
    return asked + rng.choice(THANKS), answer


def both_touched(asked: str, answer: str, rng: random.Random) -> tuple[str, str] | None:
    if len(answer) < 80 or answer.startswith(("{", "SELECT")):
        return None
    made = in_last_line(misspelt)(asked, answer, rng)
    touched = misspelt(answer.split(" "), rng)
    return None if made is None or touched is None else (made[0], " ".join(touched).rstrip(". "))


def renumbered(asked: str, answer: str, rng: random.Random) -> tuple[str, str] | None:
    found = list(re.finditer(r"\d+", asked))
    if not found:
        return None
    old = rng.choice(found)
    new = str(int(old[0]) + rng.randrange(1, 9))
    return asked[: old.start()] + new + asked[old.end() :], re.sub(rf"\b{old[0]}\b", new, answer)


def negated(words: list[str], rng: random.Random) -> list[str] | None:
    places = [
        n for n, word in enumerate(words) if word in ("is", "are", "can", "do", "does", "have", "was", "did", "if I")
    ]
    if not places:
        return None
    place = rng.choice(places)
    return [*words[: place + 1], "not", *words[place + 1 :]]


def renamed(asked: str, answer: str, rng: random.Random) -> tuple[str, str] | None:
    names = [name for name in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b", asked.rpartition("\n")[2]) if name != "I"]
    if not names:
        return None
    old, new = rng.choice(names), rng.choice(NAMES)
    if old == new:
        return None
    return re.sub(rf"\b{old}\b", new, asked), re.sub(rf"\b{old}\b", new, answer)


def other_function(asked: str, answer: str, rng: random.Random) -> tuple[str, str] | None:
    found = re.search(r"\b(get|set|add|has|is|create|remove)([A-Z]\w+)\(", asked)
    if not found:
        return None
    verbs = [verb for verb in ("get", "set", "add", "remove", "create", "clear") if verb != found[1]]
    new = rng.choice(verbs)
    answer = re.sub(r"(\* )(Gets?|Sets?|Adds?|Returns?|Creates?|Removes?)\b", rf"\1{new.title()}s", answer, count=1)
    return asked[: found.start()] + new + asked[found.start() + len(found[1]) :], answer


def other_column(asked: str, answer: str, rng: random.Random) -> tuple[str, str] | None:
    """Another column asked for: in the question and in the SQL."""
    columns = re.search(r"table t\(([^)]*)\)", asked)
    chosen = re.search(r"SELECT (?:\w+\()?(\w+)", answer)
    if not columns or not chosen:
        return None
    words = chosen[1].replace("_", " ")
    head, mark, tail = asked.rpartition("\n")
    others = [one for one in columns[1].split(", ") if one != chosen[1]]
    if not others or words not in tail.casefold():
        return None
    new = rng.choice(others)
    tail = re.sub(re.escape(words), new.replace("_", " "), tail, count=1, flags=re.IGNORECASE)
    return head + mark + tail, answer.replace(chosen[1], new, 1)


def other_value(asked: str, answer: str, rng: random.Random) -> tuple[str, str] | None:
    """Another value of one slot, in the question and in the JSON."""
    if not answer.startswith('{"intent"'):
        return None
    slots = [
        value
        for value in json.loads(answer)["slots"].values()
        if isinstance(value, str) and value in asked and value.isascii() and len(value) > 3
    ]
    if not slots:
        return None
    old, new = rng.choice(slots), rng.choice(("marigold", "Lindenberg", "the third one", "rainy", "pottery", "sitcom"))
    return asked.replace(old, new), answer.replace(old, new)


def there_and_back(asked: str, answer: str, _: random.Random) -> tuple[str, str] | None:
    found = re.search(r"\bfrom (\w+) to (\w+)\b", asked)
    if not found or found[1] == found[2]:
        return None
    return asked[: found.start()] + f"from {found[2]} to {found[1]}" + asked[found.end() :], answer


def cjk_other(asked: str, answer: str, _: random.Random) -> tuple[str, str] | None:
    found = next(((old, new) for one, _, old, new in CJK if one == asked), None)
    return None if found is None else (asked.replace(*found), answer.replace(*found))


COPIES: dict[str, Edit] = {
    "word dropped": in_last_line(dropped),
    "word dropped, numbers kept": in_last_line(dropped_beside_a_number),
    "synonym": in_last_line(lambda words, rng: swapped(words, SYNONYMS, rng)),
    "typo": in_last_line(misspelt),
    "two words transposed": in_last_line(transposed),
    "punctuation, space, case": punctuated,
    "look-alike letters, accents, width": in_last_line(disguised),
    "courtesy": courteous,
    "typo on both sides": both_touched,
}
LOOK_ALIKES: dict[str, Edit] = {
    "other number": renumbered,
    "negation": in_last_line(negated),
    "opposite": in_last_line(lambda words, rng: swapped(words, OPPOSITES, rng)),
    "other name": renamed,
    "there and back": there_and_back,
    "other function": other_function,
    "other column": other_column,
    "other slot": other_value,
    "other thing (CJK)": cjk_other,
}


def made(rows: list[tuple[str, str, Any]], rng: random.Random) -> list[tuple[str, int, tuple[str, str]]]:
    """Edits: kind, the row's place, question and answer. No row is edited twice."""
    free = rng.sample(range(len(rows)), len(rows))
    edits = []
    each = min(EACH, max(3, len(rows) // (len(COPIES) + len(LOOK_ALIKES))))
    for kind, edit in sorted(
        (COPIES | LOOK_ALIKES).items(), key=lambda one: one[0] not in ("other function", "synonym")
    ):
        left = each
        for place in [*free]:
            asked, answer, _ = rows[place]
            if left and len(asked) < 2000 and (new := edit(asked, answer, rng)) and new[0].split() != asked.split():
                edits.append((kind, place, new))
                free.remove(place)
                left -= 1
    return edits


def line(asked: str, answer: str, before: Any) -> str:
    if before is None:
        return json.dumps({"prompt": asked, "completion": answer})
    last = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": [*before, *last]})


def grouped(lines: list[str]) -> list[int]:
    with tempfile.TemporaryDirectory() as folder, WorkingRows(Path(folder) / "rows") as rows:
        upload = Path(folder) / "upload.jsonl"
        upload.write_text("\n".join(lines) + "\n")
        with upload.open("rb") as stream:
            return list(pipeline.check(pipeline.CheckInput(stream), rows).group)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--misses", action="store_true", help="also print what was missed and what was a false alarm")
    misses = parser.parse_args().misses
    hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for name in SETS:
        rows = load(name)
        edits = made(rows, random.Random(17))
        lines = [line(*row) for row in rows] + [line(*new, rows[place][2]) for _, place, new in edits]
        order = random.Random(5).sample(range(len(lines)), len(lines))
        group = dict(zip(order, grouped([lines[place] for place in order]), strict=True))
        for number, (kind, place, new) in enumerate(edits, len(rows)):
            hits[kind, name].append(together := group[number] == group[place])
            if misses and together != (kind in COPIES):
                print(f"{name}, {kind}:\n    {rows[place][0]!r}\n    {new[0]!r}", file=sys.stderr)
    for title, kinds in (("copies found", COPIES), ("look-alikes taken for copies", LOOK_ALIKES)):
        print(f"\n| {title} | " + " | ".join(SETS) + " | all |")
        print("| --- |" + " --- |" * (len(SETS) + 1))
        for kind in [*kinds, "all"]:
            cells = [[hit for one in (kinds if kind == "all" else [kind]) for hit in hits[one, name]] for name in SETS]
            cells.append([hit for cell in cells for hit in cell])
            print(f"| {kind} | " + " | ".join(f"{sum(cell)} of {len(cell)}" if cell else "-" for cell in cells) + " |")
    found, false = (sum(sum(hits[kind, name]) for kind in kinds for name in SETS) for kinds in (COPIES, LOOK_ALIKES))
    planted = sum(len(hits[kind, name]) for kind in COPIES for name in SETS)
    print(f"\nPrecision {found / (found + false):.3f}, recall {found / planted:.3f}.")


if __name__ == "__main__":
    main()

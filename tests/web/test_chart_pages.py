"""Every chart has a sentence above it and its numbers in a table, and tells nothing by colour alone."""

import re

import pytest

from app.web import charts, line_charts, pages, scatter_charts
from app.web.files import Files

TEMPLATES = {str(path.relative_to(pages.TEMPLATES)): path.read_text() for path in pages.TEMPLATES.rglob("*.html")}
INCLUDED = re.compile(r"{%\s*include\s+[\"'](_charts/\w+\.html)[\"']")
ARMS = [
    charts.Arm("Prompt v2", 0.636, 0.575, 0.693, tone="prompt"),
    charts.Arm("LoRA adapter, run 1", 0.81, 0.76, 0.85, tone="tune"),
    charts.Arm("Nearest neighbour", 0.756, 0.7, 0.8, tone="open"),
]
LOSS = [
    line_charts.Series("Training loss", [(1, 2.0), (2, 1.5), (3, 1.0)], "tune"),
    line_charts.Series("Dev loss", [(1, 2.1), (3, 1.2)], "good"),
]
SAMPLES = {
    "_charts/intervals.html": charts.intervals("Score on the test rows", ARMS, target=0.85),
    "_charts/lines.html": line_charts.lines("Loss", LOSS, x_title="step", y_title="nats/token"),
    "_charts/bars.html": charts.waterfall(
        "Rows from uploaded to usable",
        [charts.Part("uploaded", 100), charts.Part("near-duplicates", 10, removed=True), charts.Part("usable", 90)],
    ),
    "_charts/histogram.html": charts.histogram(
        "Rows by length", [charts.Bin(0, 10, 5), charts.Bin(10, 20, 7)], x_title="characters a row", limit=15
    ),
    "_charts/scatter.html": scatter_charts.scatter(
        "Score and cost",
        [scatter_charts.Spot(0, "A", 1.0, 0.5, 0.4, 0.6), scatter_charts.Spot(1, "B", 2.0, 0.7, 0.6, 0.8, "tune")],
        x_title="EUR for 1,000 answers",
        y_title="Score on the dev rows",
    ),
}


ALWAYS_OPEN = {"_charts/bars.html", "_charts/scatter.html"}  # the table is the chart, or names what it draws


def drawn(name: str) -> str:
    environment = pages.make_templates(Files(pages.TEMPLATES))
    return environment.get_template(name).render(chart=SAMPLES[name])


def test_each_kind_of_chart_is_drawn_here() -> None:
    partials = {name for name in TEMPLATES if name.startswith("_charts/")}

    assert partials == set(SAMPLES)
    assert {name for source in TEMPLATES.values() for name in INCLUDED.findall(source)} <= partials


def test_no_page_draws_a_chart_of_its_own() -> None:
    """Small marks inside a table row, whose numbers stand in that row, are no charts."""
    own = [name for name, source in TEMPLATES.items()
           if not name.startswith("_charts/") and re.search(r'class="(?:chart|plot)["\s]', source)]  # fmt: skip

    assert own == []


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_chart_has_its_sentence_and_its_numbers(name: str) -> None:
    page = drawn(name)
    says = re.search(r'<figcaption class="says">(.*?)</figcaption>', page, re.DOTALL)

    assert says is not None
    assert says.group(1).strip().endswith(".")
    assert len(says.group(1).split()) >= 5
    assert page.count("<figure") == page.count("</figure") == 1
    table = page.partition("<table")[2]
    assert "<th" in table
    assert '<td class="num' in table
    assert name in ALWAYS_OPEN or "<summary>Numbers</summary>" in page


def test_a_chart_without_numbers_of_its_own_stands_beside_a_table() -> None:
    """Costs have other volumes in their table than the curve has points; sureness has its thresholds beside them, and
    the learning curve its rows."""
    root = pages.TEMPLATES.parent / "app"
    without = [path for path in root.rglob("*.py") if "numbers=False" in path.read_text()]

    assert {path.name for path in without} == {"views.py", "sureness.py", "routes.py"}
    assert "<table" in TEMPLATES["results/_legs.html"].partition("curve_charts")[2]
    assert "<summary>Numbers</summary>" in TEMPLATES["economics/_costs_volume.html"]
    assert "{{ point.rows|count }}" in TEMPLATES["results/_legs.html"]
    assert "<summary>Threshold, share answered" in TEMPLATES["baselines/_sureness.html"]


def test_tones_and_lines_differ_in_shape_too() -> None:
    shapes = {charts.shape_of(tone) for tone in ("prompt", "tune", "rag", "open")}
    chart = SAMPLES["_charts/lines.html"]

    assert len(shapes) == 4
    assert isinstance(chart, line_charts.LineChart)
    assert len({line.shape for line in chart.lines}) == len(chart.lines)
    assert all(f'd="{line.shape}"' in drawn("_charts/lines.html") for line in chart.lines)


def test_the_texts_of_an_axis_stand_outside_of_the_plot() -> None:
    for name in ("_charts/lines.html", "_charts/histogram.html"):
        plot = drawn(name).partition('class="plot"')[2]
        inside = plot[plot.index("<svg y=") : plot.index("</svg>\n")]

        assert not re.search(r'<text class="soft', inside)


def test_captions() -> None:
    lines = SAMPLES["_charts/lines.html"]
    assert isinstance(lines, line_charts.LineChart)
    assert charts.sentence(lines.label) == ("Loss by step: Training loss ends at 1 and Dev loss ends at 1.2.")
    bars = SAMPLES["_charts/bars.html"]
    assert isinstance(bars, charts.BarChart)
    assert bars.says == "Rows from uploaded to usable: of 100 uploaded, 10 are taken out and 90 are usable"

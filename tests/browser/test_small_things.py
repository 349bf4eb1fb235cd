"""What the page's own script adds: notices once, local time, copying; and the description of the API."""

import re

import pytest
from playwright.sync_api import expect

from app.web.security import Web
from tests.support.browser import NARROW, WIDE, Visits, axe, fits, good
from tests.support.small_app import People

pytestmark = pytest.mark.browser


def test_a_notice_is_there_once(visit: Visits, people: People) -> None:
    me = people.add()
    people.program(me)
    with visit(me) as page:
        page.goto("/account")
        page.get_by_role("button", name=re.compile("Revoke")).first.click()
        notice = page.get_by_role("status")
        expect(notice).to_have_text("Token revoked.")
        assert "?" not in page.url

        page.reload()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("#note")).to_be_hidden()


def test_times_are_the_readers_own_and_keep_utc(visit: Visits, people: People) -> None:
    me = people.add()
    with visit(me, own=True) as page:
        devtools = page.context.new_cdp_session(page)
        devtools.send("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
        page.goto("/account")
        time = page.locator("time").first
        exact = time.get_attribute("datetime") or ""
        said = page.evaluate(
            """exact => new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Tokyo", hour: "2-digit", minute: "2-digit" })
            .format(new Date(exact))""",
            exact,
        )

        assert said in f"{time.inner_text()} {time.get_attribute('title')}"
        assert "UTC" in (time.get_attribute("title") or "")
        assert exact.endswith("Z")


def test_without_a_script_times_are_utc(visit: Visits, people: People) -> None:
    with visit(people.add(), script=False) as page:
        page.goto("/account")
        time = page.locator("time").first

        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", time.get_attribute("title") or "")


def test_what_is_shown_once_can_be_copied(visit: Visits, people: People) -> None:
    with visit(people.add(), own=True) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto("/account")
        page.get_by_label("Name").fill("Laptop")
        page.locator("form", has=page.get_by_label("Name")).get_by_role("button").click()
        secret = page.locator("#new-token").inner_text()
        assert secret.startswith("tg_")

        page.get_by_role("button", name="Copy the token").click()

        expect(page.get_by_role("button", name="Copied the token")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == secret
        good(page)


def test_without_a_script_there_is_no_button_that_does_nothing(visit: Visits, people: People) -> None:
    with visit(people.add(), script=False) as page:
        page.goto("/account")
        page.get_by_label("Name").fill("Laptop")
        page.locator("form", has=page.get_by_label("Name")).get_by_role("button").click()

        expect(page.locator("#new-token")).to_be_visible()
        expect(page.locator("[data-copy]")).to_be_hidden()


def test_the_menu_opens_on_a_small_screen_by_keyboard_and_without_a_script(visit: Visits, people: People) -> None:
    admin = people.add("admin")
    for script in (True, False):
        with visit(admin, script=script) as page:
            page.set_viewport_size(NARROW)
            page.goto("/account")
            link = page.get_by_role("link", name="Audit")
            expect(link).to_be_hidden()
            page.locator(".bar-narrow summary").focus()
            page.keyboard.press("Enter")
            expect(link).to_be_visible()
            fits(page)
            if script:
                axe(page)
            page.set_viewport_size(WIDE)
            expect(page.get_by_role("navigation", name="Main")).to_have_count(1)
            height = page.locator(".bar").evaluate("bar => bar.offsetHeight")
            assert height < 60, "one line"


def test_the_description_of_the_api_can_be_read_and_tried(visit: Visits, people: People, app: Web) -> None:
    assert app.state.context.files.has("swagger-ui.js"), "Swagger UI is not installed: make assets"
    with visit(people.add("admin")) as page:
        page.goto("/account")
        page.get_by_role("contentinfo").get_by_role("link", name="API").click()
        users = page.locator("#operations-tag-users")
        expect(users).to_be_visible()
        fits(page)
        users.click()
        expect(page.locator(".opblock").first).to_be_visible()
        page.set_viewport_size(NARROW)
        fits(page)
        page.set_viewport_size(WIDE)

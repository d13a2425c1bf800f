"""The console, as people meet it: in a real browser, over a real server."""

import base64
import re
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from conftest import Visit, flights, watched
from server import Server

TABLE = "db.my_table"


def row_of(page: Page, table: str = TABLE):
    return page.locator(f"tbody[data-table='{table}'] tr").first


def rows_in(page: Page) -> int:
    return int(row_of(page).locator("td").nth(3).inner_text().replace(",", ""))


def rules_loaded(server: Server) -> str:
    """When the rules in force were read, as the metric says it."""
    with urllib.request.urlopen(f"{server.endpoint['admin_url']}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return next(line for line in lines if line.startswith("event_ingest_rules_loaded_timestamp_seconds "))


def drop(page: Page, name: str, content: bytes) -> None:
    """What a browser does when a file is let go of over the page."""
    page.evaluate(
        """([name, encoded]) => {
            const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name));
            for (const type of ["dragenter", "dragover", "drop"]) {
                document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
            }
        }""",
        [name, base64.b64encode(content).decode()],
    )


def test_a_file_is_uploaded_its_rows_appear_and_its_story_is_told(visit: Visit) -> None:
    page = visit.open()
    assert visit.token not in page.url, "the token is still in the address"
    expect(page.get_by_text("No files yet.")).to_be_visible()
    visit.accessible()

    visit.upload("flights 1.parquet", flights(1))
    expect(page.locator(".uploads li").first).to_contain_text(f"rows in {TABLE}")
    expect(row_of(page)).to_contain_text("has files")
    first = rows_in(page)
    assert first > 1_000

    drop(page, "flights-2.parquet", flights(2))
    expect(page.locator(".uploads li").first).to_contain_text(f"rows in {TABLE}")
    expect(row_of(page).locator("td").nth(3)).not_to_have_text(f"{first:,}")
    assert rows_in(page) > first
    page.get_by_role("button", name=TABLE).click()
    expect(page.get_by_role("region", name=f"Latest commits of {TABLE}: table").locator("tbody tr")).to_have_count(3)

    visit.go("Files")
    page.get_by_label("Name").fill("flights 1")
    page.get_by_role("button", name="Find").click()
    found = page.get_by_role("region", name="Files, the newest first: table").locator("tbody tr")
    expect(found).to_have_count(1)
    expect(found).to_contain_text("in the table")
    visit.accessible()
    found.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("s3://inbox/flights 1.parquet")
    story = page.locator(".version")
    for part in ["In the table", "Announced", "Part of a batch", "Written", " – ", "Committed", "in main", "after it was created", f"{first:,} rows", "row group"]:
        expect(story).to_contain_text(part)
    visit.accessible()
    # Where the tests run is nobody's business in a picture.
    story.locator(".part code").evaluate("one => one.textContent = one.textContent.replace(/^.*[/]warehouse/, 'file:///data/warehouse')")
    visit.picture("console-story")


def test_a_bad_file_is_seen_with_its_reason_and_can_be_retried(visit: Visit) -> None:
    page = visit.open()
    visit.upload("good.parquet", flights(3))
    visit.upload("broken.parquet", b"this is no parquet")
    expect(page.locator(".uploads li", has_text="broken.parquet")).to_contain_text("set aside")
    problem = page.get_by_role("listitem").filter(has_text="quarantine-grows")
    expect(problem).to_contain_text("1 object was set aside")
    expect(problem).to_contain_text(f"event-ingest files retry --all --table {TABLE} --data data")
    expect(page.locator("#health")).to_contain_text("Needs attention")
    expect(page).to_have_title("(1) event-ingest")
    expect(page.locator(".uploads li", has_text="good.parquet")).to_contain_text("rows in")
    visit.accessible()
    visit.picture("console-overview")

    visit.go("Set aside")
    aside = page.get_by_role("region", name="Quarantine: table")
    expect(aside.locator("tbody tr")).to_have_count(1)
    expect(aside).to_contain_text("s3://inbox/broken.parquet")
    expect(aside.locator("td.reason")).not_to_be_empty()
    visit.accessible()
    visit.picture("console-set-aside")
    aside.get_by_role("button", name="Retry").click()
    expect(page.locator("#said")).to_contain_text("still set aside")
    aside.get_by_role("checkbox", name="Choose s3://inbox/broken.parquet").check()
    page.get_by_role("button", name="Retry chosen").click()
    expect(page.locator("#said")).to_contain_text("still set aside")


def test_dead_letters_are_sent_back_once_the_rules_are_mended(browser, serve, tmp_path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{match: {regex: '(?<t>[a-z.]+)/.*'}, table: 'db.${t}', batch: {max-files: 1}}]")
    server = serve("--rules", str(rules))
    for visit in watched(browser, server):
        page = visit.open()
        page.get_by_label("folder").fill("no.name")
        visit.upload("a.parquet", flights(4))
        expect(page.get_by_role("listitem").filter(has_text="poison-records")).to_be_visible()
        visit.go("Set aside")
        letters = page.get_by_role("region", name="Dead letters: table")
        expect(letters.locator("td.reason")).to_contain_text("bad-table-name")
        letters.locator("summary").click()
        expect(letters.locator("pre")).to_contain_text("no.name/a.parquet")
        visit.accessible()
        before = rules_loaded(server)
        rules.write_text("rules: [{table: db.all}]")
        server.wait_for(lambda: rules_loaded(server) != before, 60, "the rules are not read again")
        page.get_by_role("button", name="Send back").click()
        expect(page.locator("#said")).to_contain_text("in the inbox again")
        visit.go("Overview")
        expect(row_of(page, "db.all")).to_contain_text("has files")


def test_nothing_can_be_changed_without_the_token(visit: Visit) -> None:
    page = visit.open(unlocked=False)
    expect(page.get_by_label("Choose files")).to_have_count(0)
    page.get_by_role("button", name="Unlock changes").click()
    dialog = page.get_by_role("dialog", name="Unlock changes")
    visit.accessible()
    dialog.get_by_label("Token").fill("not the right one")
    dialog.get_by_role("button", name="Unlock").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not the server’s token")
    dialog.get_by_label("Token").fill(visit.token)
    dialog.get_by_role("button", name="Unlock").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_label("Choose files")).to_have_count(1)
    page.reload()
    expect(page.get_by_label("Choose files")).to_have_count(1)
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.get_by_label("Choose files")).to_have_count(0)


def test_a_keyboard_is_enough(visit: Visit) -> None:
    page = visit.open()
    visit.upload("keys.parquet", flights(5))
    expect(page.locator(".uploads li").first).to_contain_text("rows in")
    page.reload()
    expect(row_of(page)).to_contain_text("has files")

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            shown = page.evaluate(
                """() => {
                    const one = document.activeElement;
                    const style = getComputedStyle(one);
                    const ring = style.outlineStyle !== "none" || one.closest("label")?.matches(":focus-within");
                    return [(one.getAttribute("aria-label") ?? (one.labels?.[0] ?? one).textContent).trim(), ring];
                }"""
            )
            assert shown[1], f"the focus cannot be seen on {shown[0]}"
            if shown[0].startswith(name):
                return
        raise AssertionError(f"no way to {name}")

    tab_to("Skip to content")
    page.keyboard.press("Enter")
    tab_to(TABLE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Latest commits")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_role("region", name="Latest commits")).to_be_hidden()
    page.evaluate("document.activeElement.blur(); document.getSelection().removeAllRanges(); scrollTo(0, 0)")
    page.reload()
    expect(row_of(page)).to_contain_text("has files")
    tab_to("Files")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Files")).to_be_focused()
    tab_to("Name")
    page.keyboard.type("keys")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("text=keys"))
    expect(page.get_by_role("heading", level=1, name="Files")).to_be_focused()
    expect(page.get_by_role("link", name="s3://inbox/keys.parquet")).to_be_visible()
    tab_to("s3://inbox/keys.parquet")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="s3://inbox/keys.parquet")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_and_light_are_both_readable_and_can_be_chosen(browser, server, scheme) -> None:
    for visit in watched(browser, server, color_scheme=scheme):
        page = visit.open()
        dark = lambda: page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(15, 19, 26)"
        assert dark() == (scheme == "dark")
        visit.upload("good.parquet", flights(6))
        visit.upload("broken.parquet", b"no")
        expect(page.locator(".uploads li", has_text="broken")).to_contain_text("set aside")
        expect(page.locator(".problem")).to_have_count(1)
        visit.accessible()
        if scheme == "dark":
            visit.picture("console-dark")
        for view in ["Files", "Set aside"]:
            visit.go(view)
            expect(page.locator("tbody tr").first).to_be_visible()
            visit.accessible()
        button = page.get_by_role("button", name="Theme")
        other = "dark" if scheme == "light" else "light"
        while f"Theme: {other}" != button.inner_text():
            button.click()
        assert dark() == (other == "dark")
        page.reload()
        expect(button).to_have_text(f"Theme: {other}")
        assert dark() == (other == "dark")


def test_a_server_that_is_away_is_said_and_found_again(visit: Visit) -> None:
    page = visit.open()
    page.route("**/api/v1/**", lambda route: route.abort())
    expect(page.locator("#offline")).to_contain_text("Not connected")
    expect(page.locator("#health")).to_contain_text("Not connected")
    visit.accessible()
    page.unroute("**/api/v1/**")
    expect(page.locator("#offline")).to_be_empty()
    expect(page.locator("#health")).to_contain_text("All is well")


def test_names_of_strangers_are_shown_and_do_nothing(visit: Visit) -> None:
    page = visit.open()
    name = "<img src=x onerror=alert(1)>'\"&amp;ü.parquet"
    visit.upload(name, b"no parquet")
    expect(page.locator(".uploads li").first).to_contain_text("set aside")
    expect(page.locator(".uploads .key").first).to_have_text(name)
    page.get_by_role("link", name=f"Story of {name}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"s3://inbox/{name}")
    expect(page.locator(".version")).to_contain_text("Set aside")
    assert page.locator("img[src=x]").count() == 0


def test_nothing_moves_for_those_who_asked_for_that_and_it_fits_a_telephone(browser, server) -> None:
    small = {"reduced_motion": "reduce", "screen": {"width": 375, "height": 700}}
    for visit in watched(browser, server, **small):
        visit.page.set_viewport_size({"width": 375, "height": 700})
        page = visit.open()
        visit.upload("good.parquet", flights(1))
        expect(row_of(page)).to_contain_text("has files")
        assert page.evaluate("document.getAnimations().length") == 0
        for view in ["Overview", "Files", "Set aside"]:
            visit.go(view)
            expect(page.locator("main .panel, main .find").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 375, view
            visit.accessible()

"""A standalone server for each test, and a real browser that looks at it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from server import Server

PROGRAM = Path(os.environ["PROGRAM"])
AXE = Path(os.environ["AXE"])
PICTURES = Path(os.environ["PICTURES"])
EXAMPLES = Path(__file__).parents[2] / "examples" / "data"

# Milliseconds. Generous: a slow machine is no failure.
PATIENCE = 60_000

expect.set_options(timeout=PATIENCE)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    """Starts servers, each in a folder of its own; the page shows that folder as it is named here."""
    monkeypatch.chdir(tmp_path)
    running: list[Server] = []

    def start(*options: str) -> Server:
        data = Path("data" if not running else f"data-{len(running)}")
        data.mkdir()
        server = Server(PROGRAM, data, "--batch-wait", "100ms", *options)
        running.append(server)
        server.wait_until_ready()
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # As root, and in containers, Chromium's sandbox cannot be set up; it shows nothing here but our own page.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=options)
        yield chromium
        chromium.close()


class Visit:
    """A page that is watched: it may ask nobody but its server, and nothing in it may fail."""

    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.url = server.endpoint["admin_url"]
        self.token = server.endpoint["admin_token"]
        self.strangers: list[str] = []
        self.faults: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", self._asked)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}") or dialog.dismiss())

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "blob:", "data:")):
            self.strangers.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        # An answer of the server that is an error, or none at all, is told by the page itself.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.faults.append(message.text)

    def open(self, *, unlocked: bool = True) -> Page:
        """Opens the overview, by the link that the server prints unless it is to be locked."""
        self.page.goto(f"{self.url}/#token={self.token}" if unlocked else f"{self.url}/")
        expect(self.page.get_by_role("heading", name="The flow")).to_be_visible()
        return self.page

    def go(self, view: str) -> Page:
        self.page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
        return self.page

    def upload(self, name: str, content: bytes) -> None:
        """Sends a file by the page's own input, and waits until the server has it."""
        files = [{"name": name, "mimeType": "application/octet-stream", "buffer": content}]
        self.page.get_by_label("Choose files").set_input_files(files)

    def picture(self, name: str) -> None:
        """Takes a picture of the whole page, once what was said in passing is gone."""
        expect(self.page.locator("#said")).to_be_empty()
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", animations="disabled", full_page=True)

    def accessible(self) -> None:
        """Fails on whatever axe-core finds fault with."""
        # The policy of the page lets no script in but its own: the browser's debugger may add one.
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        faults = [
            f"{rule['id']}: {rule['help']}\n  " + "\n  ".join(f"{node['target']} {node['failureSummary']}" for node in rule["nodes"])
            for rule in found["violations"]
        ]
        assert not faults, "\n".join(faults)


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    yield from watched(browser, server)


def watched(browser: Browser, server: Server, **options) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, **options)
    visit = Visit(context, server)
    yield visit
    context.close()
    assert visit.strangers == [], "the page asked somebody else"
    assert visit.faults == [], "something in the page failed"


def flights(month: int) -> bytes:
    """A month of real flights."""
    return (EXAMPLES / f"flights-2001-{month:02}.parquet").read_bytes()

"""A headless browser for the tests that look at pages as a reader does."""

import os
import shutil

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")
OPTIONS = ("--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Browser:
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"no browser on the PATH (looked for {', '.join(NAMES)})")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    options = [*OPTIONS, "--no-sandbox"] if as_root else [*OPTIONS]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=options)
        yield browser
        browser.close()

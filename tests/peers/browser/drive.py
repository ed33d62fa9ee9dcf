"""Drives a Chromium as it is told, a JSON command a line on standard input, and tells what it sees, a JSON answer a line.

Every person (`who`) has a browser context of their own: cookies are not shared. Script is off, so that what works here works
without it; what is measured is measured from outside.
"""

import json
import os
import shutil
import sys

from playwright.sync_api import Error, sync_playwright

SIZES = {"phone": (390, 844), "desktop": (1280, 800)}

# Each page as a reader of the screen has it.
VIEW = """() => {
    const shown = element => element.checkVisibility();
    const named = selector => [...document.querySelectorAll(selector)].filter(shown);
    const name = element => (element.getAttribute('aria-label') || element.innerText || element.value || '').trim();
    return {
        title: document.title,
        lang: document.documentElement.lang,
        headings: named('h1').map(name),
        mains: named('main, [role=main]').length,
        buttons: named('button, input[type=submit]').map(name),
        links: named('a[href]').map(link => [name(link), link.getAttribute('href')]),
        fields: named('input:not([type=hidden]), select, textarea').map(field => [...field.labels].map(name).join(' ')),
        alerts: named('[role=alert], [role=status]').map(name),
        scripts: document.scripts.length,
        text: document.body.innerText,
    };
}"""

# What of the page is wider than the window, the worst contrast of a text by WCAG 2's formula, and the smallest target. Colours
# are painted on a canvas to read them, as a stylesheet may write them in many ways.
LAYOUT = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const rgba = colour => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
    const behind = element => {
        if (!element) return matchMedia('(prefers-color-scheme: dark)').matches
            && getComputedStyle(document.documentElement).colorScheme.includes('dark') ? [18, 18, 18] : [255, 255, 255];
        const own = rgba(getComputedStyle(element).backgroundColor);
        return own[3] === 1 ? own.slice(0, 3) : over(own, behind(element.parentElement));
    };
    const light = colour => {
        const part = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(colour[0]) + 0.7152 * part(colour[1]) + 0.0722 * part(colour[2]);
    };
    const contrast = (a, b) => {
        const [x, y] = [light(a), light(b)].sort((a, b) => b - a);
        return (x + 0.05) / (y + 0.05);
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let worst = [99, ''], smallest_text = 99;
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
        const element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility()) continue;
        const below = behind(element);
        const ratio = contrast(over(rgba(getComputedStyle(element).color), below), below);
        if (ratio < worst[0]) worst = [ratio, node.data.trim()];
        smallest_text = Math.min(smallest_text, parseFloat(getComputedStyle(element).fontSize));
    }
    const wide = [...document.querySelectorAll('body *')].filter(element => {
        const box = element.getBoundingClientRect();
        return box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5);
    });
    const targets = [...document.querySelectorAll('button, input:not([type=hidden])')].map(target =>
        Math.min(target.getBoundingClientRect().width, target.getBoundingClientRect().height));
    return {
        overflow: Math.max(0, document.documentElement.scrollWidth - innerWidth),
        wide: wide.map(element => element.tagName + ' ' + element.innerText.slice(0, 40)),
        contrast: worst[0],
        contrast_of: worst[1],
        smallest_text,
        smallest_target: targets.length ? Math.min(...targets) : null,
    };
}"""

# What the keyboard is on, and how it is seen to be: by what differs from the same element without focus.
FOCUS = """() => {
    const element = document.activeElement;
    const style = () => {
        const {outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor} = getComputedStyle(element);
        return [outlineStyle, outlineWidth, outlineStyle === 'none' ? '' : outlineColor, boxShadow, borderColor].join(' ');
    };
    const focused = style();
    element.blur();
    const blurred = style();
    element.focus({focusVisible: true});
    return {tag: element.tagName, name: element.innerText, visible: focused !== blurred, style: focused};
}"""


class Person:
    """A browser context with one page, and what went wrong on it."""

    def __init__(self, browser):
        self.context = browser.new_context(java_script_enabled=False, locale="en-GB")
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.status = None
        self.path = []
        self.errors = []
        self.page.on("response", self.answered)
        self.page.on("console", self.logged)
        self.page.on("pageerror", lambda error: self.errors.append(f"page: {error}"))
        self.page.on("requestfailed", lambda request: self.errors.append(f"not loaded: {request.failure}"))

    def answered(self, response):
        if response.request.is_navigation_request() and response.frame == self.page.main_frame:
            self.status = response.status
            self.path.append(response.status)

    def logged(self, message):
        # The console complains of every page that is no 200, whose status is told apart, and of a site without an icon.
        expected = (self.page.url, f"{'/'.join(self.page.url.split('/')[:3])}/favicon.ico")
        is_status = message.text.startswith("Failed to load resource") and message.location["url"] in expected
        if message.type in ("error", "warning") and not is_status:
            self.errors.append(f"{message.type}: {message.text} ({message.location['url']})")

    def view(self):
        self.page.wait_for_load_state("load")
        seen = self.page.evaluate(VIEW)
        seen |= {"url": self.page.url, "status": self.status, "path": self.path, "errors": self.errors}
        seen["tree"] = self.page.locator("body").aria_snapshot()
        self.path, self.errors = [], []
        return seen


def picture(person, folder, name):
    """Pictures in all sizes and schemes, and what is measured in each."""
    layouts = []
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            person.page.set_viewport_size({"width": width, "height": height})
            person.page.emulate_media(color_scheme=scheme)
            file = os.path.join(folder, f"{name}-{size}-{scheme}.png")
            person.page.screenshot(path=file, full_page=True)
            layouts.append({"size": size, "scheme": scheme} | person.page.evaluate(LAYOUT))
    return {"layouts": layouts}


def obey(person, command, folder):
    """Does what is told; the answer."""
    page = person.page
    match command["do"]:
        case "open":
            page.goto(command["url"])
        case "press" | "follow":
            role = "button" if command["do"] == "press" else "link"
            with page.expect_navigation():
                page.get_by_role(role, name=command["name"], exact=True).click()
        case "enter":
            with page.expect_navigation():
                page.keyboard.press("Enter")
        case "fill":
            page.get_by_label(command["name"], exact=True).fill(command["text"])
        case "view":
            pass
        case "key":
            page.keyboard.press(command["name"])
        case "focus":
            return page.evaluate(FOCUS)
        case "cookies":
            return {"cookies": person.context.cookies()}
        case "forget":
            person.context.clear_cookies()
        case "picture":
            return picture(person, folder, command["name"])
        case other:
            raise ValueError(f"no such command: {other}")
    return person.view()


def main():
    pages, key, folder = sys.argv[1:4]
    arguments = [
        "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-proxy-server",
        # The pages' host is served on this machine, and nothing else has an address.
        f"--host-resolver-rules=MAP crosswalk.example.org {pages}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--ignore-certificate-errors-spki-list={key}",
    ]  # fmt: skip
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        people = {}
        print(json.dumps({"version": browser.version}), flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            who = command["who"]
            if who not in people:
                people[who] = Person(browser)
            try:
                answer = obey(people[who], command, folder)
            except Error as error:
                answer = {"failed": f"{error}\nThe console: {people[who].errors}"}
            print(json.dumps(answer), flush=True)
        browser.close()


if __name__ == "__main__":
    main()

"""What browser a session is of, in a few words. Only for a page that helps somebody recognise their own sessions.

A user agent says whatever its program likes, so nothing is decided by it. Names are looked for in this order, because
nearly every browser also claims to be the one it came after.
"""

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Vivaldi", "Vivaldi"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("HeadlessChrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("python-httpx", "Python"),
    ("python-requests", "Python"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
LONGEST = 40  # characters of one that nobody knows


def browser_of(user_agent: str) -> str:
    """`Firefox on Linux`; of one that is not known its beginning, of none `Unknown browser`."""
    browser = next((name for part, name in BROWSERS if part in user_agent), "")
    system = next((name for part, name in SYSTEMS if part in user_agent), "")
    if browser:
        return f"{browser} on {system}" if system else browser
    known = user_agent.strip()[:LONGEST]
    return known or "Unknown browser"

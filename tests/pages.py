"""Reports as their words read."""

import re


def unlinked(page: str) -> str:
    """Return a report without the links of its terms, which would part its sentences."""
    return re.sub(r'<a class="term"[^>]*>([^<]*)</a>', r"\1", page)

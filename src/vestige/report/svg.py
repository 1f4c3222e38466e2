"""From a matplotlib figure to SVG that lives inside an HTML page: small, unique ids, colours from the style sheet."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What is drawn in the colour on the left takes the CSS variable on the right, so that dark mode can change it.
COLOURS = {
    "#d55e00": "var(--forget)",
    "#0072b2": "var(--retain)",
    "#009e73": "var(--holdout)",
    "#111111": "var(--ink)",
    "#555555": "var(--muted)",
    "#dddddd": "var(--line)",
}
FORGET, RETAIN, HOLDOUT, INK, MUTED, LINE = COLOURS

STYLE: dict[str, object] = {
    "svg.fonttype": "none", "svg.hashsalt": "vestige", "svg.image_inline": True, "font.family": "DejaVu Sans",
    "font.size": 10.5, "axes.titlesize": 12.0, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.titlecolor": INK, "axes.titlepad": 22.0, "axes.labelsize": 10.5, "axes.labelcolor": INK,
    "axes.labelpad": 5.0, "axes.edgecolor": MUTED, "axes.linewidth": 0.8, "axes.facecolor": "none",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "axes.unicode_minus": True, "axes.xmargin": 0.02, "axes.ymargin": 0.05, "axes.formatter.limits": (-4, 5),
    "grid.color": LINE, "grid.linewidth": 0.7, "grid.linestyle": "-", "grid.alpha": 1.0,
    "xtick.major.size": 0.0, "ytick.major.size": 0.0, "xtick.minor.size": 0.0, "ytick.minor.size": 0.0,
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": MUTED, "ytick.labelcolor": MUTED,
    "xtick.labelsize": 10.0, "ytick.labelsize": 10.0, "legend.fontsize": 10.0, "legend.frameon": False,
    "legend.labelcolor": INK, "legend.handlelength": 1.6, "legend.columnspacing": 1.2,
    "legend.borderpad": 0.0, "legend.borderaxespad": 0.3, "lines.linewidth": 1.8, "lines.antialiased": True,
    "figure.facecolor": "none", "savefig.facecolor": "auto", "savefig.edgecolor": "auto",
    "savefig.transparent": False, "savefig.bbox": None, "savefig.pad_inches": 0.0, "figure.dpi": 72.0,
    "savefig.dpi": "figure", "path.simplify": True, "path.simplify_threshold": 1 / 9, "path.sketch": None,
    "text.usetex": False, "text.parse_math": False, "text.color": INK, "patch.linewidth": 1.0,
    "axes.formatter.use_mathtext": False, "axes.formatter.useoffset": True, "axes.titley": None,
}  # fmt: skip
"""Every setting the figures depend on; a user's matplotlibrc changes nothing."""

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
DECIMAL = re.compile(r"-?\d+\.\d+")
FONT = re.compile(r"font-family:[^;]*;?\s*")
REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline_svg(figure: Figure, *, key: str, label: str) -> str:
    """Return `figure` as one <svg> element with role="img".

    Parameters
    ----------
    key : str
        Unique on the page; put before every id, so that clip paths of two figures never meet.
    label : str
        The text alternative: what the figure shows, in numbers.
    """
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")), transparent=True
    )
    root = ElementTree.fromstring(buffer.getvalue())
    _drop(root, "metadata", "style")
    referenced = _referenced(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        element.tail = None
        if element.tag != "text":
            element.text = None
        _rewrite(element, key, referenced)
    _drop_empty(root)
    view = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"class": "chart", "viewBox": view, "role": "img", "aria-label": label})
    return ElementTree.tostring(root, encoding="unicode")


def _drop(root: ElementTree.Element, *tags: str) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.split("}")[-1] in tags:
                parent.remove(child)


def _drop_empty(root: ElementTree.Element) -> None:
    """Remove groups and definitions that hold nothing, and the invisible background."""
    for parent in list(root.iter()):
        for child in list(parent):
            invisible = child.tag == "path" and child.get("style", "") in ("fill: none", "fill: none;")
            if invisible or (child.tag in ("g", "defs") and not len(child)):
                parent.remove(child)


def _referenced(root: ElementTree.Element) -> set[str]:
    found: set[str] = set()
    for element in root.iter():
        for value in element.attrib.values():
            found.update(REFERENCE.findall(value))
        if HREF in element.attrib:
            found.add(element.attrib[HREF].removeprefix("#"))
    return found


def _rewrite(element: ElementTree.Element, key: str, referenced: set[str]) -> None:
    """Prefix ids, name colours by their variables, shorten numbers; text is never touched."""
    name = element.attrib.pop("id", None)
    if name in referenced:
        element.set("id", f"{key}-{name}")
    target = element.attrib.pop(HREF, None)
    if target is not None:
        element.set("href", f"#{key}-{target.removeprefix('#')}")
    for attribute, value in list(element.attrib.items()):
        if attribute in ("id", "href"):
            continue
        value = REFERENCE.sub(lambda match: f"url(#{key}-{match.group(1)})", value)
        if attribute == "style":
            value = FONT.sub("", value)
            for colour, variable in COLOURS.items():
                value = value.replace(colour, variable)
        if attribute in ("d", "x", "y", "transform", "width", "height"):
            value = " ".join(DECIMAL.sub(_short, value).split())
        if attribute == "transform" and value.startswith(("rotate(-0 ", "rotate(0 ")):
            del element.attrib[attribute]
            continue
        element.set(attribute, value)


def _short(match: re.Match[str]) -> str:
    return f"{float(match.group()):.1f}".removesuffix(".0")

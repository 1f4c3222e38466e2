"""The documentation site: `make docs` builds it, without a network, into docs/_build/html."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import vestige  # noqa: E402

logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells each plugin that it reads

project = "vestige"
author = "The vestige authors"
project_copyright = f"{datetime.now(UTC).year}, the vestige authors. Apache-2.0"
version = release = vestige.__version__
html_title = f"vestige {release}"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_design",
    "sphinx_copybutton",
    "vestige_docs.mathml",
    "vestige_docs.glossary",
    "vestige_docs.abbreviations",
    "vestige_docs.docstrings",
    "vestige_docs.reference",
    "vestige_docs.commands",
    "vestige_docs.schemas",
    "vestige_docs.pages",
]
exclude_patterns = ["_build", "_ext", "jupyter_execute"]
templates_path = ["_templates"]

# Markdown, and notebooks written in Markdown: these are run when the site is built, and a fault in one stops the build.
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
# What a page writes is no part of the manual, and is not there when it runs again.
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_show_tb = True
nb_merge_streams = True

# Python: a page for each package, with everything that its `__all__` names.
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autosummary_generate = False
default_role = "vestige"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False
python_maximum_signature_line_length = 88
add_module_names = False

# What vestige does not document itself: no other site is read, so that the build needs no network.
nitpick_ignore_regex = [("py:.*", r"(?!vestige\.).*")]

html_math_renderer = "mathml"
html_theme = "furo"
html_static_path = ["_static"]
html_extra_path = ["../llms.txt"]
html_css_files = ["site.css"]
html_js_files = ["accessible.js"]
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = ""
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

"""The pages of audits: each section is a function of them, put together from the blocks of `vestige.report`."""

from vestige.evaluation.page.audits import write_report
from vestige.evaluation.page.comparison import compare

__all__ = ["compare", "write_report"]

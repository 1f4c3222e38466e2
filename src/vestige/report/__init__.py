"""The report: a self-contained HTML page, and tables for papers and the command line."""

from vestige.report.html import write_report
from vestige.report.leaks import write_leaks_report
from vestige.report.texts import write_texts_report

__all__ = ["write_leaks_report", "write_report", "write_texts_report"]

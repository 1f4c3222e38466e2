"""Language models: unlearn texts, and measure what is left of each: from losses, or from the signals of every token."""

from vestige.llm.collect import collect
from vestige.llm.load import load_model
from vestige.llm.measures import MEASURES, measure
from vestige.llm.signals import TextSignals
from vestige.llm.texts import Texts, read_texts

__all__ = ["MEASURES", "TextSignals", "Texts", "collect", "load_model", "measure", "read_texts"]

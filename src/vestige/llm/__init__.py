"""Language models: what is left of each text, from losses of the model before, after and of one that never saw it."""

from vestige.llm.measures import MEASURES, measure

__all__ = ["MEASURES", "measure"]

"""Train, embed, search and curate a fashion catalogue with one shared mobile backbone."""

__version__ = "0.1.0"

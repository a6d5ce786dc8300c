"""What the doctor looks at, one module per part of the catalogue; nothing here changes anything.

A check takes the opened catalogue and whether to look closely (`deep`), and returns a `Finding`.
"""

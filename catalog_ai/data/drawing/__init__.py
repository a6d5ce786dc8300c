"""Flat illustrations of clothes, drawn with numpy and Pillow: what the sample catalogue shows.

`canvas` turns outlines into shaded, antialiased cloth; `fabrics` has the palettes and patterns;
`tops`, `dresses`, `legs`, `shoes` and `hats` cut the garments; `scenes` puts them in front of a
background.
"""

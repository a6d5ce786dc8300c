"""What helps where a run could not use something and trying it again by itself cannot.

A try finds a product by its SKU, or by the name of a photo. A row that cannot be read is known by
its line alone, and where rows come and go, another one stands there tomorrow. What has to be
renamed is not found by the name that it had.
"""

import re

CORRECT_THE_ROW = "Correct the row: the next run takes it in."
DELIVER_ANOTHER = "What is delivered in its place comes in with the next run."

_OTHER_NAME = {
    *("bad_label", "bad_name", "bad_sku", "duplicate_sku"),
    *("format_not_allowed", "not_an_image"),
}
_IN_A_ROW = re.compile(r"(line|row) [0-9]+[:,]")


def remedy(code: str, image: str, reason: str) -> str:
    """Return what to do about an item that cannot be tried again, "" for one that can.

    What a row has said begins with its line: in `image`, or in `reason`.
    """
    if code == "bad_row" or _IN_A_ROW.match(image) or _IN_A_ROW.match(reason):
        return CORRECT_THE_ROW
    return DELIVER_ANOTHER if code in _OTHER_NAME else ""

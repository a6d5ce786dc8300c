"""`python -m db.migrations "what changes"`: draft the next migration from `db/schema.py`."""

import argparse
import tempfile

from db.upgrade import draft

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m db.migrations", description=__doc__)
    parser.add_argument("message", help="a few words: they become the file's name")
    with tempfile.TemporaryDirectory() as folder:
        print(draft(parser.parse_args().message, url=f"sqlite:///{folder}/scratch.db"))

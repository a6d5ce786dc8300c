"""What the `python -m catalog_ai.X` commands share: settings from flags, errors as one sentence."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from tqdm import tqdm

from catalog_ai.config import Settings, settings
from catalog_ai.errors import CatalogError, StoppedError

CANNOT_WRITE = 74
INTERRUPTED = 130
LOG_SECONDS = 60.0


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """Return a parser for `python -m catalog_ai.COMMAND` with the flags that all commands have."""
    made = argparse.ArgumentParser(
        prog=f"python -m catalog_ai.{command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--database", metavar="URL", help="another database than CATALOG_DATABASE_URL"
    )
    return made


def settings_of(options: argparse.Namespace) -> Settings:
    """Return the settings in force, with `--database` on top."""
    return settings(database_url=options.database)


def run(main: Callable[[list[str] | None], int], arguments: list[str] | None = None) -> int:
    """Call `main` and return its exit code; an error in words is printed as one sentence."""
    try:
        return main(arguments)
    except StoppedError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except CatalogError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        place = error.filename2 or error.filename or "the disk"  # the second is what a file becomes
        print(f"error: {place}: {error.strerror}", file=sys.stderr)
        return CANNOT_WRITE
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED


def share(value: float | None) -> str:
    """Return 0..1 as a percentage, a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"


def number(value: float | None) -> str:
    """Return a number with three digits behind the point, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float, str], None]]:
    """Yield what to call with (share 0..1, message).

    Draws a bar on standard error where somebody is looking. Elsewhere it prints a line a minute, to
    standard output: cron mails what comes on standard error. So a command that has a bar must give
    its data out in files.
    """
    shape = "{desc} {percentage:3.0f} %|{bar:30}| {elapsed} {postfix}"
    with tqdm(total=1.0, desc=title, disable=None, bar_format=shape, leave=False) as bar:
        told_at = time.monotonic()

        def tell(share: float, message: str) -> None:
            nonlocal told_at
            bar.set_postfix_str(message, refresh=False)
            bar.update(share - bar.n)
            if bar.disable and time.monotonic() - told_at >= LOG_SECONDS:
                told_at = time.monotonic()
                now = datetime.now().astimezone().isoformat(timespec="seconds")
                with suppress(OSError):  # a full or closed log is no reason to stop the work
                    print(f"{now} {title}: {share:.0%}, {message}", flush=True)

        yield tell

"""`python -m catalog_ai.worker`: do the queued jobs and end; with `--loop`, stay for the next.

Exit codes: 0 all jobs done, 1 a job failed, 74 the database cannot be used.
"""

import argparse
import sys
from typing import Any

from tqdm import tqdm

from catalog_ai.config import settings
from catalog_ai.errors import CatalogError
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.jobs import JobView, run_jobs


class Terminal:
    """One line per job, and a bar while it runs where somebody is looking."""

    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, job: JobView) -> None:
        """Draw the job as it stands: begun, further on, or ended."""
        if self._bar is None:
            self._bar = tqdm(
                total=1.0,
                desc=job.title,
                disable=None,  # no bar in cron's mail
                leave=False,
                bar_format="{desc} {percentage:3.0f} %|{bar:30}| {elapsed} {postfix}",
            )
        if job.state == "running":
            self._bar.set_postfix_str(job.message, refresh=False)
            self._bar.update(job.progress - self._bar.n)
            return
        self._bar.close()
        self._bar = None
        print(f"job {job.id}: {_ending(job)}", flush=True)


def _ending(job: JobView) -> str:
    words = {"queued": "put back into the queue", "done": f"done {_seconds(job)}"}
    outcome = words.get(job.state, job.state)
    return f"{job.title}: {outcome}" + (f": {job.message}" if job.message else "")


def _seconds(job: JobView) -> str:
    if job.started_at is None or job.finished_at is None:
        return ""
    return f"in {(job.finished_at - job.started_at).total_seconds():.1f} s"


def main(arguments: list[str] | None = None) -> int:
    """Run the worker and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m catalog_ai.worker", description=__doc__)
    parser.add_argument("--loop", action="store_true", help="stay and wait for further jobs")
    parser.add_argument("--database", metavar="URL", help="instead of CATALOG_DATABASE_URL")
    options = parser.parse_args(arguments)
    try:
        catalogue = open_catalogue(settings(database_url=options.database))
        failed = run_jobs(catalogue, loop=options.loop, progress=Terminal().show)
    except CatalogError as error:
        print(f"worker: {error}", file=sys.stderr)
        return error.exit_code
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

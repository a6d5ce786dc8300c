"""`python -m catalog_ai.worker`: do the queued jobs and end; with `--loop`, stay for the next.

Jobs are trainings, the search for wrong labels, the map. SIGTERM or Ctrl-C puts the job at hand
back into the queue. Exit codes: 0 all jobs done, 1 a job failed, 2 a flag is wrong, 74 the database
cannot be used.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack

from catalog_ai import cli
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.jobs import JobView, run_jobs


def main(arguments: list[str] | None = None) -> int:
    """Do jobs as the flags say, a line for each."""
    parser = cli.parser("worker", __doc__)
    parser.add_argument("--loop", action="store_true", help="stay and wait for further jobs")
    options = parser.parse_args(arguments)
    catalogue = open_catalogue(cli.settings_of(options))
    return 1 if run_jobs(catalogue, loop=options.loop, progress=Terminal().show) else 0


class Terminal:
    """A bar while a job runs, where somebody is looking; a line when it ends."""

    def __init__(self) -> None:
        self._bar = ExitStack()
        self._tell: Callable[[float, str], None] | None = None

    def show(self, job: JobView) -> None:
        """Draw the job as it stands: begun, further on, or ended."""
        if job.state == "running":
            if self._tell is None:
                self._tell = self._bar.enter_context(cli.progress_bar(job.title))
            self._tell(job.progress, job.message)
            return
        self._bar.close()
        self._tell = None
        print(f"job {job.id}, {ending(job)}", flush=True)


def ending(job: JobView) -> str:
    """Return how a job ended, in a line."""
    if job.state == "done" and job.started_at and job.finished_at:
        return f"{job.title}: done in {(job.finished_at - job.started_at).total_seconds():.1f} s"
    outcome = "put back into the queue" if job.state == "queued" else job.state
    return f"{job.title}: {outcome}" + (f": {job.message}" if job.message else "")


if __name__ == "__main__":
    sys.exit(cli.run(main))

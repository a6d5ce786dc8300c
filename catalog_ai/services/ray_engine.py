"""An ingest's reading, decoding and inference on a Ray cluster; the caller writes what comes back.

Two stages of Ray Data, each a pool of actors (`ray_stages`): those that read take a CPU each, those
that compute a GPU each or, without any, a CPU on each machine. A worker that dies is started again
and does its block again. Ray is an extra (`requirements-scale.txt`): it is imported in here only,
and only inside functions.
"""

import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from catalog_ai.config import Settings
from catalog_ai.errors import CatalogError, UsageError
from catalog_ai.services.classifying import Classifier
from catalog_ai.services.grouping import in_groups
from catalog_ai.services.preparing import Order, Preparer
from catalog_ai.services.ray_stages import Computing, Reading, Result, block_of, results_of

if TYPE_CHECKING:
    import pyarrow
    from ray.data import Dataset

BLOCK = 64  # products that a worker is given at once, and that are done again where it dies
KNOCK_SECONDS = 10.0
MISSING = "--engine ray needs Ray: pip install -r requirements-scale.txt"
# Nothing is sent to Ray's makers; what its C++ says of Ray Data's own actors is no news.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
# Named after two systems where it is the default: a cluster of this machine, at 127.0.0.1 alone.
# `_node_ip_address="127.0.0.1"` would not do, Ray turns it into an address that others can reach.
_HERE_ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def require_ray() -> None:
    """Raise `UsageError` with the line that installs Ray where it is not there."""
    if find_spec("ray") is None:
        raise UsageError(MISSING)


@dataclass(frozen=True)
class Shares:
    """How many actors read and compute; `gpus` each of the latter takes."""

    readers: int
    computers: int
    gpus: int


def shares_of(resources: Mapping[str, float], machines: int) -> Shares:
    """Return how a cluster of these `resources` (CPU, GPU) is divided.

    Without GPUs one process computes on each machine: ONNX Runtime uses all its cores. Raises
    `UsageError` for fewer than two CPUs.
    """
    cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    if cpus < 2:
        raise UsageError(f"the Ray cluster has {cpus} CPU: one must read and another compute")
    computers = min(gpus or machines, cpus - 1)
    return Shares(cpus - computers, computers, 1 if gpus else 0)


class RayEngine:
    """Ray at the cluster `address`; with "" it is started on this machine, and ended at the end."""

    def __init__(
        self, settings: Settings, classifier: Classifier, preparer: Preparer, address: str = ""
    ) -> None:
        self._settings = settings
        self._classifier = classifier
        self._preparer = preparer
        self._address = address
        self._stack = ExitStack()

    def __enter__(self) -> "RayEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Connect. Raises `UsageError` where no cluster of this version answers at `address`."""
        here = not self._address
        if not here:
            _knock(self._address)
        os.environ.update(_QUIET)
        if here:  # other users of this machine have no business there
            os.environ.update(_HERE_ALONE, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token_hex(32))
        import ray
        from ray.data import DataContext

        options: dict[str, Any] = {"address": self._address}
        if here:
            folder = tempfile.TemporaryDirectory("", "ray-", "/tmp", ignore_cleanup_errors=True)
            options = {
                "address": "local",
                "num_cpus": max(1, self._settings.workers) + 1,
                "include_dashboard": False,
                "_temp_dir": self._stack.enter_context(folder),  # sockets: a path of 107 bytes
            }
        # In the main thread Ray would replace our handler of SIGTERM by one of its own. The other
        # one stays to the end: the kernel ends Ray's processes with the thread that started them.
        other_thread = self._stack.enter_context(ThreadPoolExecutor(1))
        self._stack.callback(ray.shutdown)
        with _hushed():
            other_thread.submit(_connect, options).result()
            _take_sigterm_back()
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised besides
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_options.preserve_order = True

    def run(self, orders: Iterable[Order]) -> Generator[Result]:
        """Yield, in their order, what became of orders and what the model says, where it was asked.

        Raises what a worker raises of this program's errors, `CatalogError` where Ray gives up.
        """
        tables = list(_blocks(orders))
        if not tables:
            return
        expected = 0
        with _landmarks(self._preparer) as landmarks, _in_plain_words():
            dataset = self._dataset(tables, landmarks)
            for block in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
                for place, result in results_of(block):
                    if place != expected:  # another product's answer must never be stored
                        raise RuntimeError(f"Ray gave product {place} in place of {expected}")
                    expected += 1
                    yield result

    def _dataset(self, tables: "list[pyarrow.Table]", landmarks: tuple[Path, ...]) -> "Dataset":
        import ray
        from ray.data import ActorPoolStrategy, from_arrow

        shares = shares_of(ray.cluster_resources(), sum(node["Alive"] for node in ray.nodes()))
        return (
            from_arrow(tables)
            .map_batches(
                Reading,
                fn_constructor_args=(self._preparer, landmarks),
                compute=ActorPoolStrategy(size=shares.readers),
                **{"batch_size": None, "batch_format": "pyarrow", "num_cpus": 1},
            )
            .map_batches(
                Computing,
                fn_constructor_args=(self._classifier,),
                compute=ActorPoolStrategy(size=shares.computers),
                **{"batch_size": None, "batch_format": "pyarrow", "num_cpus": 1},
                num_gpus=shares.gpus,
            )
        )


def _knock(address: str) -> None:
    """Raise `UsageError` where nothing listens at HOST:PORT: Ray would try for many minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"--address is {address!r}: give HOST:PORT of a Ray cluster's head")
    try:
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"no Ray cluster answers at {address}: start one with ray start --head, or leave "
            "--address out"
        ) from error


def _connect(options: dict[str, Any]) -> None:
    import ray

    try:
        ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"Ray {ray.__version__} cannot be used at {options['address']}: {reason}; a cluster "
            "needs this version and the same RAY_AUTH_MODE"
        ) from error


def _take_sigterm_back() -> None:
    """Let Python have SIGTERM again: Ray's C++ takes it, and aborts three seconds after it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        signal.alarm(0)  # it may have come in between


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep standard error to ourselves: Ray's C++ reports there which log level it was given."""
    kept = os.dup(2)
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _blocks(orders: Iterable[Order]) -> "Iterator[pyarrow.Table]":
    first = 0
    for block in in_groups(orders, BLOCK):
        yield block_of(first, block)
        first += len(block)


@contextmanager
def _landmarks(preparer: Preparer) -> Iterator[tuple[Path, ...]]:
    """Yield paths that every worker must see: an empty folder of the same name is not enough."""
    if not preparer.keeps:
        yield (preparer.root,)
        return
    with tempfile.NamedTemporaryFile(prefix=".ray-", dir=preparer.settings.home) as file:
        yield preparer.root, Path(file.name)


@contextmanager
def _in_plain_words() -> Iterator[None]:
    """Hand on what a worker raised of this program's errors, as it was raised."""
    from ray.exceptions import RayError

    try:
        yield
    except Exception as error:
        causes = list(_causes(error))
        ours = [cause for cause in causes if isinstance(cause, CatalogError)]
        if ours:
            raise type(ours[-1])(*ours[-1].args) from error
        if isinstance(causes[-1], RayError):  # anything else is a defect in a worker
            reason = str(causes[-1]).strip().partition("\n")[0]
            raise CatalogError(
                f"Ray gave up: {reason}; what is written stays, start again to carry on"
            ) from error
        raise


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = getattr(error, "cause", None) or error.__cause__

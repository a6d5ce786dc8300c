"""What has changed between two decisions, from the log alone.

One row for each product whose label, or whether its photo shows a product, is another at the end
than what was known outside at the beginning. What was decided and undone in between is no row; a
second look alone says nothing yet. What the feed said in between is known outside already.
"""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy.orm import Session

from catalog_ai.services.cells import TEXT, TIME, WHOLE
from catalog_ai.services.labelling import same_label
from catalog_ai.services.table_files import Row
from db.queries import changes
from db.queries.changes import Reason, Step

COLUMNS = {
    **{"sku": TEXT, "old": TEXT, "new": TEXT, "what": TEXT, "who": TEXT, "when": TIME},
    **{"why": TEXT, "decision_id": WHOLE},
}
_ACTIONS = {
    "keep": "kept",
    "accept": "suggestion accepted",
    "relabel": "another label chosen",
    "not_product": "not a product photo",
    "second_look": "second look asked for",
    "undo": "undone",
}
_AT_ONCE = 1_000  # rows in memory beside the finished file

Change = tuple[int, str | None, str | None, str]  # the decision behind it, old, new, what


def rows(session: Session, after: int, up_to: int) -> Iterator[Row]:
    """Yield a row for each product that changed, the oldest decision first."""
    found = sorted(found_changes(changes.histories(session, after, up_to), after))
    for start in range(0, len(found), _AT_ONCE):
        part = found[start : start + _AT_ONCE]
        known = changes.reasons(session, [decision_id for decision_id, *_ in part])
        for decision_id, old, new, what in part:
            reason = known[decision_id]
            yield (
                *(reason.sku, old, new, what, reason.reviewer, reason.decided_at),
                *(_why(reason), decision_id),
            )


def found_changes(histories: Iterable[Sequence[Step]], after: int) -> Iterator[Change]:
    """Yield what became of each product since the decision `after`, where that is another thing."""
    for history in histories:
        change = _change(history, after)
        if change is not None:
            yield change


def _change(history: Sequence[Step], after: int) -> Change | None:
    """Return what one product's decisions since `after` come to, None where that is nothing."""
    refused = _refused(history)
    begin = sum(step.id <= after for step in history)
    steps = history[begin:]
    old, new = _outside(steps, history[begin - 1] if begin else None), steps[-1].label_after
    before, now = refused[begin], refused[-1]
    what = ["label"] if old != new else []
    if before != now:
        what.append("not a product photo" if now else "product photo again")
    if not what:
        return None
    taken_back = {step.undoes_id for step in steps} & {step.id for step in steps}
    moves = [
        step.id
        for place, step in enumerate(steps, begin)
        if step.label_before != step.label_after or refused[place] != refused[place + 1]
        if step.id not in taken_back and step.undoes_id not in taken_back
    ]
    return moves[-1] if moves else steps[-1].id, old, new, ", ".join(what)


def _outside(steps: Sequence[Step], last_told: Step | None) -> str | None:
    """Return the label that is known outside: as at the beginning, or as the feed said since."""
    label, previous = steps[0].label_before, last_told
    for step in steps:
        if previous is not None and not _follows(previous, step):
            label = step.label_before
        previous = step
    return label


def _follows(previous: Step, step: Step) -> bool:
    """Whether the feed said nothing new between two decisions about one product."""
    return step.label_before == previous.label_after and same_label(
        step.label_given, previous.label_given
    )


def _refused(history: Sequence[Step]) -> list[str | None]:
    """Return, before the first decision and after each, which photo is said to show no product.

    A second look leaves that open, and an undo restores what was there before.
    """
    states: list[str | None] = [None]
    before: dict[int, str | None] = {}
    for step in history:
        before[step.id] = states[-1]
        if step.undoes_id in before:
            states.append(before[step.undoes_id])
        elif step.state_after == "second_look":
            states.append(states[-1])
        else:
            states.append(step.image_sha256 if step.state_after == "not_product" else None)
    return states


def _why(reason: Reason) -> str:
    return reason.note or reason.batch or _ACTIONS[reason.action]

"""Who asked for a second look: another person is to take it."""

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import aliased

from db.queries.decisions import is_review
from db.schema import Decision, Product


def second_look_asked_by(reviewer: str) -> ColumnElement[bool]:
    """Return the condition that `reviewer` asked for the second look that a product waits for.

    As the first thing to order by it puts what `reviewer` asked for behind all that others did:
    false comes before true on both databases.
    """
    last, back = aliased(Decision), aliased(Decision)
    newest = (
        select(func.max(last.id))
        .where(
            last.product_id == Product.id,
            last.action != "undo",
            is_review(last.batch_id),
            ~exists().where(back.undoes_id == last.id),
        )
        .correlate(Product)
        .scalar_subquery()
    )
    asked = aliased(Decision)
    return exists().where(
        asked.id == newest, asked.action == "second_look", asked.reviewer == reviewer
    )

"""Read what the last assessment says of labels."""

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.schema import Assessment


def is_assessed(session: Session, model_version_id: int) -> bool:
    """Whether labels have been judged under this model."""
    found = select(exists().where(Assessment.model_version_id == model_version_id))
    return bool(session.scalar(found))

from sqlalchemy import Engine, select, update

from db.engine import read, write
from db.queries import health
from db.schema import Product
from tests.db.rows import add_products


def test_photos_are_found_by_the_beginning_of_their_hash(engine: Engine) -> None:
    hashes = ["08ff", "0900", "09ff", "0a00", "f000", "ffff"]
    with write(engine) as session:
        for product_id, sha256 in zip(add_products(session, len(hashes)), hashes, strict=True):
            session.execute(
                update(Product)
                .where(Product.id == product_id)
                .values(image_sha256=sha256, stored_image=f"{sha256}.jpg")
            )
    with read(engine) as session:
        for prefix, found in (("09", {"0900", "09ff"}), ("ff", {"ffff"}), ("08", {"08ff"})):
            names, _ = health.images_under(session, prefix)
            assert names == {f"{sha256}.jpg" for sha256 in found}


def test_the_end_of_a_range_of_hashes_is_a_digit_or_a_letter() -> None:
    """A server may sort by a language, where ":" comes before all digits, not after 9."""
    query = select(Product.id).where(*health._begins(Product.image_sha256, "09"))
    assert list(query.compile().params.values()) == ["09", "0a"]

from hashlib import sha256

from catalog_ai.data.held_out import is_held_out


def test_about_one_photo_in_five_is_held_out() -> None:
    digests = [sha256(str(number).encode()).hexdigest() for number in range(2000)]
    assert 340 < sum(map(is_held_out, digests)) < 460


def test_a_photo_is_on_the_same_side_for_every_model() -> None:
    """Written down once: another rule would let a model learn what an older one was measured on."""
    assert [is_held_out(f"{number:08x}" + "0" * 56) for number in (0, 1, 4, 5, 10)] == [
        *(True, False, False),
        *(True, True),
    ]

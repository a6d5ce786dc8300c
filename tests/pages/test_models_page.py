"""The page Models with a version on trial: judge, use it, go back, put it away."""

import json
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services import comparing, discarding, jobs, models
from catalog_ai.services.catalogue import Catalogue
from db.commands import models as commands
from db.engine import write
from db.schema import ModelVersion, Prediction
from pages._ui import frame
from tests.helpers import CLASSES, Seeded, model_meta

NEW = "small-on-trial"


@pytest.fixture(autouse=True)
def _ana(as_served: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "remembered_name", lambda: "Ana")


@pytest.fixture
def on_trial(catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> str:
    """A version that would put every product elsewhere, compared with the active one."""
    monkeypatch.setattr(comparing, "embed_missing", lambda *args, **options: 0)
    folder = catalogue.settings.models / NEW
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps(model_meta(NEW)))
    with write(catalogue.engine) as session:
        number = commands.add_version(session, model_meta(NEW), datetime.now(UTC))
        for product_id in seeded.product_ids:
            old = session.get_one(Prediction, (product_id, seeded.model_id))
            place = (CLASSES.index(old.top_label) + 1) % len(CLASSES)
            session.add(
                Prediction(
                    product_id=product_id,
                    model_version_id=number,
                    image_sha256=old.image_sha256,
                    probabilities=old.probabilities,
                    top_label=CLASSES[place],
                    confidence=0.9,
                )
            )
    comparing.compare(catalogue, NEW)
    return NEW


def opened() -> AppTest:
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=30)
    app.run()
    app.switch_page("pages/4_Models.py").run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.info, app.error, app.success, app.warning, app.caption)
    shown = [str(element.value) for kind in kinds for element in kind]
    shown += [element.proto.body for element in app.get("html")]
    return "\n".join(shown).replace("\\", "")


def versions(app: AppTest) -> Selectbox[str]:
    """Return the list of versions."""
    (found,) = [chosen for chosen in app.selectbox if chosen.label == "Version"]
    return found


def press(app: AppTest, label: str) -> AppTest:
    found = [button for button in app.button if button.label.replace("\\", "") == label]
    assert found, f"{label!r} is none of {[button.label for button in app.button]}"
    app = found[0].click().run()
    assert not app.exception
    return app


def test_without_a_trial_one_can_be_asked_for(catalogue: Catalogue, seeded: Seeded) -> None:
    app = press(opened(), "Retrain on the corrections")
    (job,) = jobs.list_jobs(catalogue)
    assert (job.kind, job.requested_by) == ("retrain", "Ana")
    assert job.parameters["base"] == seeded.version
    assert "Try the new model first" not in [title.value for title in app.subheader]


def test_a_trial_is_judged_with_a_key_for_each_answer(catalogue: Catalogue, on_trial: str) -> None:
    app = opened()
    assert "Try the new model first" in [title.value for title in app.subheader]
    assert "24 products by chance: who is right about each?" in words(app)
    first = comparing.to_judge(catalogue, on_trial)[0]
    app = press(app, f"{first.new_label} is right")
    assert "Of 1 judged, the new model is right in 1, the present one in 0." in words(app)
    assert comparing.to_judge(catalogue, on_trial)[0].reviewer == "Ana"
    app = press(app, "Neither")
    app = press(app, "Undo")
    assert comparing.trial(catalogue, on_trial).judged.total == 1
    keys = {button.proto.shortcut.upper() for button in app.button if button.proto.shortcut}
    assert {"A", "S", "D"} <= keys
    assert not keys & {"C", "R"}


def test_every_product_that_would_change_is_listed_by_way(
    catalogue: Catalogue, on_trial: str
) -> None:
    app = opened()
    assert words(app).count("<b>") >= 24
    pair = comparing.trial(catalogue, on_trial).pairs[0]
    chosen = f"{pair.old} → {pair.new}: {pair.products}"
    app = app.selectbox(key="models.pair").set_value(chosen).run()
    assert not app.exception
    shown = [html for html in app.get("html") if "label: " in html.proto.body]
    assert len(shown) == pair.products


def test_the_new_model_is_used_and_the_old_one_again(
    catalogue: Catalogue, seeded: Seeded, on_trial: str
) -> None:
    app = press(opened(), "Use the new model from now on")
    active = models.active_model(catalogue)
    assert active is not None
    assert active.version == on_trial
    assert f"{on_trial}, chosen by Ana just now" in words(app)
    assert f"{on_trial} is in use now." in words(app)
    assert versions(app).value == on_trial, "the page is about it"
    in_use = [words for words in versions(app).options if words.endswith("· active")]
    assert [words.split(" ")[0] for words in in_use] == [on_trial]
    back = press(app, f"Use {seeded.version} again")
    active = models.active_model(catalogue)
    assert active is not None
    assert active.version == seeded.version
    app = press(back, f"Use {on_trial} again")
    app = versions(app).set_value(seeded.version).run()
    press(app, "Use this model from now on")
    again = models.active_model(catalogue)
    assert again is not None
    assert again.version == seeded.version


def test_what_is_discarded_can_be_brought_back(catalogue: Catalogue, on_trial: str) -> None:
    app = press(opened(), "Discard it")
    assert "Try the new model first" not in [title.value for title in app.subheader]
    assert on_trial not in versions(app).options
    assert f"{on_trial} is discarded." in words(app)
    app = press(app, "Undo")
    assert on_trial in [model.version for model in models.list_models(catalogue)]
    discarding.discard(catalogue, on_trial)
    app = press(app.run(), f"Bring back {on_trial}")
    assert on_trial in [model.version for model in models.list_models(catalogue)]


def test_a_click_on_what_is_gone_is_said_in_a_sentence(
    catalogue: Catalogue, seeded: Seeded, on_trial: str
) -> None:
    app = opened()
    with write(catalogue.engine) as session:  # somebody else, a moment ago
        commands.set_discarded(session, on_trial, True)
    app = press(app, "Use the new model from now on")
    assert "was discarded: bring it back first" in words(app)


def test_any_version_can_be_tried_first(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("models",)) as session:
        commands.add_version(session, model_meta("another"), datetime.now(UTC))
    app = opened()
    app = versions(app).set_value("another").run()
    press(app, "Try it first")
    (job,) = jobs.list_jobs(catalogue)
    assert (job.kind, job.parameters) == ("compare", {"version": "another"})


def test_a_kind_that_cannot_be_trained_further_says_what_to_train(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    with write(catalogue.engine, touches=("models",)) as session:
        session.get_one(ModelVersion, seeded.model_id).classes = []
    app = opened()
    assert "train the recipe small or default on the catalogue's own labels first" in words(app)
    retrain = next(button for button in app.button if button.label.startswith("Retrain"))
    assert retrain.disabled

"""Whether the text of an assessment may be sent to a model: the one place that holds the answer *own servers only*.

Rows, their questions and documents are asked about here alike, before they are sent and again while a job runs.
"""

from app.assessments import service as assessments
from app.assessments.tables import AssessmentRow
from app.inference import service as models
from app.inference.tables import ModelRow


def against_sending(assessment: AssessmentRow, model: ModelRow | None) -> str:
    """Why the text of an assessment may not be sent to a model; empty when it may. None is sent nowhere.

    Whoever answered that the text stays on the team's own servers is held to it, consent or not.
    """
    if model is None or models.own(model) or assessments.answers(assessment).get("data_location") != "own_servers":
        return ""
    return (
        f"The text of this assessment may not leave your own servers; {model.name} answers at {model.base_url}, which "
        "nobody declared to be one of them. Choose a model on this machine, have an administrator say under Models "
        "that this server is yours, or change that answer."
    )

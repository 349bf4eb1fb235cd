"""Something measured, and ways to have it served and asked as other programs do."""

from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.audit import service as audit
from app.baselines.tables import ArmRow, BaselineRow
from app.db import utcnow, writing
from app.serving.tables import ServedRow
from app.users import identity, tokens
from app.users.tables import UserRow


@dataclass
class Measured:
    """What was measured, and what it takes to ask for it."""

    baseline: BaselineRow
    author: UserRow
    admin: UserRow
    engine: Engine
    web: TestClient

    def token(self, scope: str = "ask") -> str:
        with writing(self.engine) as session:
            who, now = identity.Who(self.author), utcnow()
            _, secret = tokens.add_token(session, who, name="t", scope=scope, days=1, now=now, record=audit.record)
        return secret

    def arm(self, name: str) -> ArmRow:
        return next(arm for arm in self.baseline.arms if arm.name == name)

    def serve(self, name: str, **different: Any) -> ServedRow:
        """Put a name on for any of the variants, which a switch would only do for the best one."""
        usual = {"kind": "prompt", "model_id": self.baseline.model_id, "on_by": self.admin.id, "on_at": utcnow()}
        with writing(self.engine) as session:
            row = ServedRow(name=name, **usual | different)
            session.add(row)
        return row

    def chat(self, model: str, content: str = "alpha beta", token: str = "", **more: Any) -> Any:
        """Ask; `token` empty makes one."""
        return self.web.post(
            "/v1/chat/completions",
            json={"model": model, "messages": [{"role": "user", "content": content}], **more},
            headers={"Authorization": f"Bearer {token or self.token()}"},
        )

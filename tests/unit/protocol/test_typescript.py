"""The browser client's wire types and its built files are those of their sources."""

import runpy
import sys
from pathlib import Path

import pytest

from microturn.protocol.typescript import main, typescript

WEB = Path(__file__).parents[3] / "web"
TYPES = WEB / "src" / "protocol.ts"


def test_the_types_are_those_that_the_source_generates() -> None:
    assert TYPES.read_text() == typescript(), "run: python -m microturn.protocol.typescript > web/src/protocol.ts"


def test_drift_fails_the_check_and_names_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drifted = tmp_path / "protocol.ts"
    drifted.write_text(TYPES.read_text().replace("resume_token", "token"))
    assert main(["--check", str(TYPES)]) == 0
    assert main(["--check", str(drifted)]) == 1
    assert "microturn.protocol.typescript" in capsys.readouterr().err


def test_optional_fields_literals_and_unions_come_out_as_typescript_has_them() -> None:
    text = typescript()
    assert '  type: "microturn.turn";' in text
    assert "  event_id?: string;" in text
    assert '  kind: "act" | "text";' in text
    assert "  phases_ms: Record<string, number>;" in text
    assert "  pieces: TurnPiece[];" in text
    assert "  | TurnEvent\n" in text
    assert "undefined" not in text


def test_the_page_that_ships_was_built_from_its_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["built.py"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(WEB / "built.py"), run_name="__main__")
    assert ended.value.code == 0, "run: scripts/web"

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bulk_import import early
from bulk_import.cli import check, program
from bulk_import.cli.program import COMMANDS
from bulk_import.errors import BulkImportError, LedgerRefuses, OutOfReach, StripeRefuses, UsageError
from tests.cli_calls import Program, calling, small_ledger

HEAVY = {"stripe", "aiohttp", "anyio", "sqlite3", "email_validator", "tqdm", "asyncio"}


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


def python(*words: str, line: str | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words] if line is None else ["/bin/sh", "-c", line]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STRIPE_", "BULK_IMPORT_"))}
    return subprocess.run(command, env={**clean, **environ}, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["run", "--help"], ["retry", "--help"], ["completion", "zsh"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"import sys; from bulk_import.cli.ending import run_program; run_program({words}); print(*sys.modules)"
    done = python("-c", code)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded >= {"click", "bulk_import.cli.program"}
    assert not loaded & HEAVY


@pytest.mark.parametrize("verb", ["status", "export"])
def test_a_look_at_a_ledger_does_not_wait_for_the_engine(verb: str, tmp_path: Path) -> None:
    words = [verb, str(small_ledger(tmp_path / "l.db"))]
    code = f"import sys; from bulk_import.cli.ending import run_program; run_program({words}); print(*sys.modules)"
    loaded = set(python("-c", code).stdout.splitlines()[-1].split())
    assert "bulk_import.ledger.reading" in loaded
    assert not loaded & {"asyncio", "anyio", "aiolimiter", "stripe", "aiohttp", "bulk_import.engine"}


def test_python_m_is_the_same_program() -> None:
    done = python("-m", "bulk_import", "--version")
    assert (done.returncode, done.stdout) == (0, "bulk-import, version 0.1.0\n")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_before_anything_listens_ends_with_its_documented_code(name: str, code: int) -> None:
    hit = f"import os, signal, click\nclick.Group.make_context = lambda *_, **__: os.kill(os.getpid(), signal.{name})"
    script = f"{hit}\nfrom bulk_import.__main__ import main\nimport sys\nsys.exit(main())"
    done = python("-c", script)
    assert (done.returncode, done.stderr) == (code, "\nInterrupted.\n")
    ignored = python("-c", f"import signal\nsignal.signal(signal.{name}, signal.SIG_IGN)\n{script}")
    assert ignored.returncode == 3, "the signal was heeded though it was ignored at the start"


HIT = """
import os, signal, sys
class Hit:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)  # Python makes a RuntimeError of an interrupt that strikes here
class Loading:
    def find_spec(self, name, path, target=None):
        if name == "{module}":
            type("Owner", (), {{"hit": Hit()}})
sys.meta_path.insert(0, Loading())
from bulk_import.__main__ import main
sys.argv = ["bulk-import", {words}]
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "words"),
    [("bulk_import.cli.ending", '"--version"'), ("bulk_import.cli.check", '"check", "--help"')],
)
def test_an_interrupt_that_python_turns_into_another_error_is_still_130(module: str, words: str) -> None:
    done = python("-c", HIT.format(module=module, words=words))
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
    assert "does not know" not in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_json(call: Program, name: str) -> None:
    said = call(name, "--help")
    assert (said.code, said.err) == (0, "")
    assert f"bulk-import {name}" in said.out.split("Examples:")[1]
    assert "--json" in said.out


def test_the_list_of_commands_is_the_commands() -> None:
    modules = {path.stem for path in Path(program.__file__).parent.glob("*.py")}
    assert set(COMMANDS) <= modules


def test_help_lists_every_command(call: Program) -> None:
    said = call("--help")
    assert all(f"  {name}" in said.out for name in COMMANDS)


def test_no_command_is_wrong_usage_and_shows_help(call: Program) -> None:
    said = call()
    assert (said.code, said.out) == (2, "")
    assert "Commands:" in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["imprt"], "Error: No such command 'imprt'."),
        (["stats"], "Did you mean 'status'?"),
        (["run"], "Error: Missing argument 'SOURCE'."),
        (["run", "x.csv", "--dedup", "auto"], "'--dedupe', '--help'?"),
        (["run", "x.csv", "--timeout", "soon"], "write 30s, 15m"),
        (["run", "x.csv", "--limit", "0"], "Invalid value for '--limit'"),
        (["run", "x.csv", "--endpoint-rate", "crate=5"], "did you mean create?"),
        (["export", "x.db", "--what", "nothing"], "'nothing' is not one of 'map', 'failed', 'all'"),
        (["status", "x.db", "-q", "-v"], "-q and -v exclude each other"),
        (["check", "x.csv", "--unmapped", "metdata"], "Did you mean 'metadata'?"),
        (["run", "x.csv", "--dedupe", "snapshott"], "Did you mean 'snapshot'?"),
        (["retry", "x.db", "--only", "faild"], "did you mean failed?"),
        (["completion", "tcsh"], "'tcsh' is not one of"),
    ],
)
def test_wrong_usage_is_one_sentence_and_code_2(call: Program, words: list[str], sentence: str) -> None:
    said = call(*words)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert said.err.startswith("Error: ")
    assert "Traceback" not in said.err


def test_a_key_typed_by_mistake_is_not_repeated(call: Program) -> None:
    said = call("run", "x.csv", "sk_live_abcdefghijklmnop")
    assert said.code == 2
    assert "abcdefgh" not in said.err


def test_what_would_harm_a_terminal_is_escaped(call: Program) -> None:
    said = call("check", "no\x1b[2Jsuch\nfile.csv")
    assert said.code == 2
    assert "\x1b" not in said.err
    assert r"no\x1b[2Jsuch\nfile.csv" in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("u"), 2),
        (OutOfReach("o"), 3),
        (StripeRefuses("s"), 4),
        (LedgerRefuses("l"), 5),
        (BulkImportError("b"), 1),
    ],
)
def test_an_error_of_ours_is_its_sentence_and_its_code(
    call: Program, monkeypatch: pytest.MonkeyPatch, error: BulkImportError, code: int
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(check, "_judge", fail)
    said = call("check", "x.csv")
    again = "next: bulk-import check x.csv\n" if code == 3 else ""
    assert (said.code, said.out, said.err) == (code, "", f"Error: {error}\n{again}")


def test_ctrl_c_outside_of_a_run_is_130(call: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "_judge", interrupt)
    said = call("check", "x.csv")
    assert (said.code, said.out) == (130, "")
    assert "Traceback" not in said.err


@pytest.mark.parametrize(("flags", "has_traceback"), [([], False), (["-v"], False), (["-vv"], True)])
def test_an_unknown_error_names_its_class_and_its_traceback_only_with_vv(
    call: Program, monkeypatch: pytest.MonkeyPatch, flags: list[str], has_traceback: bool
) -> None:
    def fail(*_: object) -> int:
        secret = "4242-hidden"
        raise ZeroDivisionError(len(secret))

    monkeypatch.setattr(check, "_judge", fail)
    said = call("check", "x.csv", *flags)
    assert said.code == 3
    assert "ZeroDivisionError" in said.err.splitlines()[0]
    assert ("Traceback" in said.err) is has_traceback
    assert len(said.err.splitlines()) == 1 or has_traceback


def test_options_come_from_the_environment_but_live_and_yes_never_do() -> None:
    refused = python(
        "-m", "bulk_import", "check", "no.csv", BULK_IMPORT_CHECK_FORMAT="nonsense", BULK_IMPORT_VERSION="0.1.0"
    )
    assert "'nonsense' is not one of" in refused.stderr
    live = python(
        "-m", "bulk_import", "run", "no.csv", STRIPE_API_KEY="sk_live_abcdefghijklmnop", BULK_IMPORT_RUN_LIVE="1",
        BULK_IMPORT_RUN_YES="1",
    )  # fmt: skip
    assert live.returncode == 2
    assert "add --live" in live.stderr


def test_closed_standard_streams_are_survived() -> None:
    run = f"{sys.executable} -m bulk_import"
    assert python(line=f"{run} check no.csv 2>&-").returncode == 2
    closed_out = python(line=f"{run} check no.csv --json >&-")
    assert (closed_out.returncode, "standard output is closed" in closed_out.stderr) == (2, True)
    nowhere = python(line=f"{run} completion bash >&-")
    assert (nowhere.returncode, "standard output is closed" in nowhere.stderr) == (2, True)
    closed_in = python(line=f"{run} check - <&-")
    assert (closed_in.returncode, "standard input is closed" in closed_in.stderr) == (2, True)


def test_messages_that_find_no_room_change_no_exit_code() -> None:
    assert python(line=f"{sys.executable} -m bulk_import check no.csv 2>/dev/full").returncode == 2


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = python(
        line=f"{sys.executable} -m bulk_import --help | true; {sys.executable} -m bulk_import --version | cat"
    )
    assert (done.stdout, done.stderr) == ("bulk-import, version 0.1.0\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_asks_this_program(call: Program, shell: str) -> None:
    said = call("completion", shell)
    assert (said.code, said.err) == (0, "")
    assert "_BULK_IMPORT_COMPLETE" in said.out


def test_a_shell_that_asks_is_told_the_commands_and_options() -> None:
    commands = python(
        "-m", "bulk_import", _BULK_IMPORT_COMPLETE="bash_complete", COMP_WORDS="bulk-import st", COMP_CWORD="1"
    )
    options = python(
        "-m", "bulk_import", _BULK_IMPORT_COMPLETE="bash_complete", COMP_WORDS="bulk-import run --on-e", COMP_CWORD="2"
    )
    assert commands.stdout.split() == ["plain,status"]
    assert options.stdout.split() == ["plain,--on-existing"]


def test_fish_is_told_descriptions_to_their_end(call: Program) -> None:
    script = call("completion", "fish").out
    assert script.count("string split") == script.count('string split -m 1 ","') == 1


@pytest.mark.parametrize("words", [["status"], ["check"], ["run", "c.csv", "--simulate", "--ledger"], ["template"]])
def test_a_path_that_the_system_refuses_is_a_sentence(words: list[str], tmp_path: Path, call: Program) -> None:
    said = call(*words, str(tmp_path / ("x" * 300)))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"Error: {tmp_path}/xxxx")
    assert "File name too long" in said.err
    assert said.err.count("\n") == 1
    assert len(said.err) < 500


def test_a_folder_that_may_not_be_entered_is_named(call: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/srv/closed/l.db")

    monkeypatch.setattr(program.program, "invoke", closed)
    said = call("status", "/srv/closed/l.db")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "Error: /srv/closed/l.db cannot be used (Permission denied); put that right, or give another path.\n"
    )


@pytest.mark.parametrize("words", [["run", "--simulate"], ["plan", "--dry-run"]])
def test_a_folder_that_is_gone_is_said(
    words: list[str], tmp_path: Path, call: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, gone = tmp_path / "people.csv", tmp_path / "gone"
    source.write_text("email\nann@example.com\n")
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_abcdefghijklmnop")
    said = call(*words, source)
    assert (said.code, said.out) == (2, "")
    assert said.err.endswith("is gone; go to another one, then give the command again.\n")


def test_too_few_open_files_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("email\nann@example.com\n")
    run = f"ulimit -n 12; {sys.executable} -m bulk_import run {tmp_path}/c.csv --simulate"
    done = python(line=run)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "Error: the system allows this process at most 12 open files; allow more (ulimit -n 1024), then give the same "
        f"command again.\nnext: bulk-import run {tmp_path}/c.csv --simulate\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"]


def test_an_error_that_came_of_too_many_open_files_says_so(call: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise ExceptionGroup("tasks", [OSError(errno.EMFILE, "Too many open files")])

    monkeypatch.setattr(program.program, "invoke", full)
    said = call("check", "x.csv")
    assert (said.code, "ulimit -n" in said.err, "does not know" in said.err) == (3, True, False)


@pytest.mark.parametrize(("caught", "code", "is_unknown"), [([], 3, True), ([signal.SIGTERM], 143, False)])
def test_whatever_fails_after_a_signal_is_its_end(
    call: Program, monkeypatch: pytest.MonkeyPatch, caught: list[int], code: int, is_unknown: bool
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise TypeError("made of what was half made")

    monkeypatch.setattr(program.program, "invoke", fail)
    monkeypatch.setattr(early, "caught", caught)
    said = call("check", "x.csv")
    assert (said.code, "does not know" in said.err) == (code, is_unknown)


@pytest.mark.parametrize(("caught", "news"), [([], [AttributeError]), ([signal.SIGINT], [])])
def test_an_interrupt_that_python_drops_and_the_end_of_what_it_left_half_made_are_no_news(
    monkeypatch: pytest.MonkeyPatch, caught: list[int], news: list[object]
) -> None:
    told: list[object] = []
    monkeypatch.setattr(early, "caught", caught)
    monkeypatch.setattr(sys, "__unraisablehook__", lambda error: told.append(error.exc_type))
    for kind in (KeyboardInterrupt, AttributeError) if caught else (AttributeError,):
        early._ignored(SimpleNamespace(exc_type=kind))
    assert told == news

"""Files of playbooks for the tests of reused processes."""

from __future__ import annotations

PLAYBOOKS = """
import contextvars, ctypes, os, signal, subprocess, sys
from pathlib import Path
from prefect import get_run_logger
from prefect.flow_runs import suspend_flow_run
from prefect.logging.handlers import APILogWorker
from prefect.runtime import flow_run
from prefect_phantom import ActionResult, PlaybookRun, action, playbook
from prefect_phantom.flows.run import current

SEEN = []
HELD = []
MARK = contextvars.ContextVar("MARK", default=None)
CHILD = "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); time.sleep(600)"


@action("say", app="Local")
def say(text: str) -> ActionResult:
    print("said", text)
    return ActionResult(message=text)


def _do(run: PlaybookRun) -> None:
    text = run.inputs["text"]
    if text == "fail":
        raise ValueError("as it was asked to")
    if text == "exit":
        sys.exit(3)
    if text == "die":
        os._exit(7)
    if text == "grow":
        HELD.append(b"x" * 400_000_000)
    if text in {"leave a process", "block"}:
        HELD.append(subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True))
        Path(run.inputs["file"]).write_text(str(HELD[-1].pid))
    if text == "leave a forked orphan":
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() != 0:
                os._exit(0)
            os.write(writer, str(os.getpid()).encode())
            signal.pause()
        os.wait()
        Path(run.inputs["file"]).write_text(os.read(reader, 20).decode())
    if text == "go on in a fork":
        os.fork()
    if text == "block":
        # In C, with the interpreter's lock, and deaf: only SIGKILL gets through.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        ctypes.PyDLL(None).sleep(600)
    say(text)


steady, few, small, upgraded = (
    playbook(name=name, isolation="reused")(_do) for name in ("steady", "few", "small", "upgraded")
)


@playbook(isolation="reused")
def inspects(run: PlaybookRun) -> None:
    SEEN.append(run.id)
    assert current() is run
    assert flow_run.id == os.environ["PREFECT__FLOW_RUN_ID"]
    assert flow_run.parameters["playbook_run_id"] == run.id
    assert get_run_logger().extra["flow_run_id"] == flow_run.id
    assert MARK.get() is None
    assert "MARK" not in os.environ
    assert os.environ["GIVEN"] == "by the deployment"
    assert os.getcwd() == os.path.dirname(__file__)
    MARK.set(run.id)
    os.environ["MARK"] = "set"
    os.environ["GIVEN"] = "changed"
    os.chdir("/")
    print("seen", len(SEEN))


@playbook(isolation="reused")
def forks(run: PlaybookRun) -> None:
    if os.fork() == 0:
        get_run_logger().info("said by a child")
        APILogWorker.drain_all()
        os._exit(0)
    os.wait()


@playbook
def given(run: PlaybookRun) -> None:
    assert os.environ["GIVEN"] == "by the deployment"


def _suspend(run: PlaybookRun) -> None:
    file = Path(run.inputs["file"])
    if not file.exists():
        file.touch()
        suspend_flow_run(timeout=600)
    say("resumed")


suspends = playbook(name="suspends")(_suspend)
suspends_reused = playbook(name="suspends_reused", isolation="reused")(_suspend)
"""
THREADED = """
import threading
from prefect_phantom import PlaybookRun, playbook

ASKED, STARTED = threading.Event(), threading.Event()


def serve():
    ASKED.wait()
    STARTED.set()


threading.Thread(target=serve, daemon=True).start()


@playbook(isolation="reused")
def reused_threaded(run: PlaybookRun) -> None:
    ASKED.set()
    assert STARTED.wait(10), "the thread of the import is not in this process"
"""
CHANGING = """
from prefect_phantom import ActionResult, PlaybookRun, action, playbook


@action("say", app="Local")
def say() -> ActionResult:
    return ActionResult(message="MESSAGE")


@playbook(isolation="ISOLATION")
def NAME(run: PlaybookRun) -> None:
    'DESCRIPTION'
    say()
"""

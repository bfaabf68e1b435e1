"""Hosted packages can use `threading`. Their threads are tasks of the simulated process and behave as in
CPython.
"""

from __future__ import annotations

import importlib
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simkernel import Blocking, Deadlock, Machine, NotModelled, SimulationError, millis, seconds
from simkernel.hosted import hosted
from simkernel.trace.digest import Digest

if sys.platform != "linux":
    pytest.skip("hosted programs need Python on Linux", allow_module_level=True)

GUEST = """
import asyncio, concurrent.futures, contextvars, os, queue, threading, time
from threading import Thread, Event, Condition, Barrier, Semaphore, BoundedSemaphore, Timer, Lock, RLock

STEP = 0.02

def error_of(function, *arguments, **keywords):
    try:
        return function(*arguments, **keywords)
    except BaseException as error:
        return type(error).__name__, str(error)

def in_thread(function, *arguments):
    results = []
    thread = Thread(target=lambda: results.append(error_of(function, *arguments)), name="in_thread")
    thread.start()
    thread.join()
    return results[0]

def locks():
    lock = Lock()
    yield lock.acquire(), lock.locked(), lock.acquire(False), lock.acquire(timeout=STEP)
    yield error_of(lock.acquire, False, 1), [error_of(lock.acquire, timeout=each)[0] for each in (-2, 1e20)]
    yield in_thread(lock.acquire, True, STEP), in_thread(lock.release), lock.locked(), error_of(lock.release)
    threading.Timer(STEP, lock.release).start()
    yield lock.acquire(), lock.acquire(timeout=10)
    with error_of(Lock) as held:
        yield held

def reentrant_locks():
    lock = RLock()
    with lock, lock:
        yield in_thread(lock.acquire, False), error_of(in_thread, lock.release)
    yield in_thread(lock.acquire, False), error_of(lock.release)

def conditions():
    condition, seen = Condition(), []
    def waits(number):
        with condition:
            seen.append((number, condition.wait(5)))
    threads = [Thread(target=waits, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(STEP)
    with condition:
        condition.notify()
    time.sleep(STEP)
    yield list(seen)
    with condition:
        condition.notify_all()
    for thread in threads:
        thread.join()
    yield sorted(seen)
    with condition:
        yield condition.wait(STEP), condition.wait_for(lambda: False, STEP)
    yield error_of(condition.notify), error_of(condition.wait)

def semaphores():
    semaphore = BoundedSemaphore(2)
    yield semaphore.acquire(), semaphore.acquire(), semaphore.acquire(False), semaphore.acquire(timeout=STEP)
    semaphore.release(2)
    yield error_of(semaphore.release), error_of(Semaphore, -1)

def barriers():
    barrier = Barrier(3, timeout=5)
    results = []
    threads = [Thread(target=lambda: results.append(barrier.wait())) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(STEP)
    results.append(barrier.wait())
    for thread in threads:
        thread.join()
    yield sorted(results), barrier.broken, error_of(barrier.wait, STEP), barrier.broken

def events():
    event = Event()
    yield event.wait(STEP), event.is_set()
    Timer(STEP, event.set).start()
    yield event.wait(5), event.wait()
    timer = Timer(STEP, event.clear)
    timer.start()
    timer.cancel()
    time.sleep(2 * STEP)
    yield event.is_set()

def queues():
    for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
        q = kind(2)
        yield error_of(q.get, timeout=STEP)[0], error_of(q.get_nowait)[0], q.put(2), q.put(1)
        yield error_of(q.put, 3, timeout=STEP)[0], q.full(), q.get(), q.get(), q.empty()
        Timer(STEP, q.put, ("late",)).start()
        yield q.get(), [q.task_done() for _ in range(3)], q.join(), error_of(q.task_done)
    q = queue.SimpleQueue()
    Timer(STEP, q.put, ("late",)).start()
    yield q.get(), error_of(q.get, timeout=STEP)[0], q.qsize()

class Counted(threading.local):
    def __init__(self, first):
        self.count = first

def locals():
    local, counted = threading.local(), Counted(7)
    local.x = counted.count = 1
    def other():
        before = hasattr(local, "x"), counted.count
        local.x = 2
        time.sleep(STEP)
        return before, local.x, vars(local)
    yield in_thread(other), local.x, counted.count, error_of(threading.local, 1), error_of(lambda: local.y)[0]

def threads():
    def body():
        me = threading.current_thread()
        return me.name, me.daemon, me.ident == threading.get_ident(), threading.main_thread() is me
    yield in_thread(body), threading.current_thread() is threading.main_thread(), threading.active_count()
    event = Event()
    thread = Thread(target=event.wait, name="waiter", daemon=True)
    yield error_of(thread.join), thread.is_alive(), thread.start(), thread.is_alive(), thread.join(STEP)
    yield error_of(thread.start), [each.name for each in threading.enumerate()], thread.is_alive()
    yield in_thread(lambda: threading.current_thread().join()), event.set(), thread.join(), thread.is_alive()
    yield error_of(setattr, thread, "daemon", True), "(waiter, stopped daemon" in repr(thread)
    variable = contextvars.ContextVar("variable", default="default")
    variable.set("main")
    yield in_thread(variable.get), contextvars.copy_context().run(variable.get)

def pools():
    with concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="pool") as pool:
        yield list(pool.map(lambda n: (time.sleep(STEP * n), n)[1], (3, 2, 1)))
        yield error_of(pool.submit(int, "x").result), pool.submit(os.getpid).result() == os.getpid()
        slow = pool.submit(time.sleep, 3 * STEP)
        yield error_of(slow.result, STEP)[0], slow.result(), slow.done(), slow.exception()
        futures = [pool.submit(time.sleep, STEP * n) for n in (2, 1)]
        yield [futures.index(each) for each in concurrent.futures.as_completed(futures)]
    yield error_of(pool.submit, int)

async def main():
    loop, seen = asyncio.get_running_loop(), []
    def other():
        future = asyncio.run_coroutine_threadsafe(asyncio.sleep(STEP, "safe"), loop)
        late = asyncio.run_coroutine_threadsafe(asyncio.sleep(9), loop)
        return future.result(9), error_of(late.result, STEP)[0], asyncio.run(asyncio.sleep(STEP, "own"))
    seen.append(await asyncio.gather(
        asyncio.to_thread(lambda: error_of(asyncio.get_event_loop)[0]), asyncio.to_thread(other),
        loop.run_in_executor(None, time.sleep, STEP),
    ))
    event = asyncio.Event()
    Timer(STEP, loop.call_soon_threadsafe, (event.set,)).start()
    seen.append(await asyncio.wait_for(event.wait(), 9))
    return seen

def loops():
    yield asyncio.run(main())

CASES = dict(
    locks=locks, reentrant_locks=reentrant_locks, conditions=conditions, semaphores=semaphores,
    barriers=barriers, events=events, queues=queues, locals=locals, threads=threads, pools=pools, loops=loops,
)

def run(name):
    return list(CASES[name]())

def forever():
    lock = Lock()
    lock.acquire()
    lock.acquire()

log = []

def works(count, pause):
    for number in range(count):
        time.sleep(pause)
        log.append((threading.current_thread().name, number))

def start(count, pause, daemon):
    Thread(target=works, args=(count, pause), daemon=daemon, name="worker").start()

async def pending():
    async def waits(number):
        try:
            await asyncio.sleep(100)
        finally:
            log.append(number)

    tasks = [asyncio.create_task(waits(number)) for number in range(20)]
    await asyncio.sleep(STEP)

def fails():
    Thread(target=int, args=("x",)).start()
    time.sleep(STEP)
"""
CASES = (
    "locks", "reentrant_locks", "conditions", "semaphores", "barriers", "events", "queues", "locals",
    "threads", "pools", "loops",
)  # fmt: skip


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the package `workers`, which uses threads, importable."""
    (tmp_path / "workers.py").write_text(GUEST)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("workers", None)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine without udevd."""
    with Machine(udev=False) as machine:
        yield machine


@pytest.mark.parametrize("name", CASES)
def test_threads_behave_as_on_the_host(machine: Machine, name: str) -> None:
    def program(app: Blocking) -> None:
        with hosted(app, "workers"):
            import workers  # type: ignore[import-not-found]

            inside.append(workers.run(name))

    inside: list[Any] = []
    machine.spawn(program)
    machine.spawn(program)
    machine.run()
    with hosted(machine, "workers"):
        import workers

        inside.append(workers.run(name))
    expected = inside[0]
    assert inside == [expected] * 3
    run_here = importlib.import_module("workers").run
    # On a loaded host, the threads of CPython can be late, so the result can differ. Five failures in a row
    # are an error.
    assert any(run_here(name) == expected for _ in range(5)), run_here(name)
    assert threading.active_count() <= 2  # Only the main thread is left, and possibly one of pytest.


def test_every_thread_case_is_compared() -> None:
    assert set(CASES) == set(importlib.import_module("workers").CASES)


def test_a_lock_that_is_never_released_is_a_deadlock(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        with hosted(app, "workers"):
            import workers

            workers.forever()

    process = machine.spawn(program)
    machine.run()
    assert process.alive
    with hosted(machine, "workers"):
        import workers

        with pytest.raises(Deadlock, match="futex"):
            workers.forever()


def test_a_free_lock_costs_no_system_call(machine: Machine) -> None:
    with hosted(machine, "workers") as host:
        calls = machine.statistics["system_calls"]
        lock, reentrant = host.threading.Lock(), host.threading.RLock()
        for _ in range(100):
            with lock, reentrant:
                pass
        assert machine.statistics["system_calls"] == calls


def test_two_runs_have_the_same_trace() -> None:
    def run() -> str:
        def program(app: Blocking) -> None:
            with hosted(app, "workers"):
                import workers

                workers.run("pools")
                workers.run("queues")

        digest = Digest()
        with Machine(seed=3) as machine:
            machine.trace.subscribe(digest)
            machine.spawn(program)
            machine.spawn(program)
            machine.run()
        return digest.hexdigest()

    assert run() == run()


def test_tasks_are_cancelled_in_the_order_of_their_creation(machine: Machine) -> None:
    for _ in range(2):
        with hosted(machine, "workers") as host:
            import workers

            host.asyncio.run(workers.pending())
            assert workers.log == list(range(20))


@pytest.mark.parametrize("daemon", [False, True])
def test_a_program_waits_for_its_threads_unless_they_are_daemons(machine: Machine, daemon: bool) -> None:
    def program(app: Blocking) -> None:
        with hosted(app, "workers"):
            import workers

            logs.append(workers.log)
            workers.start(5, 1, daemon)
            app.sleep(2.5)

    logs: list[list[Any]] = []
    machine.spawn(program)
    machine.run()
    assert len(logs[0]) == (2 if daemon else 5)


@pytest.mark.parametrize("end", ["close", "kill"])
def test_threads_end_with_their_process_without_a_message(
    machine: Machine, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def program(app: Blocking) -> None:
        with hosted(app, "workers"):
            import workers

            for _ in range(3):
                workers.start(100, 1, False)
            workers.forever()

    process = machine.spawn(program)
    machine.run(until=seconds(2))
    if end == "close":
        machine.close()
    else:
        process.kill(signal.SIGKILL)
        machine.run()
    assert not process.alive and machine.now < seconds(3)
    assert capsys.readouterr() == ("", "")


def test_an_exception_of_a_thread_is_printed_as_python_does(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    with hosted(machine, "workers"):
        import workers

        workers.fails()
    assert "ValueError: invalid literal for int()" in capsys.readouterr().err


def test_threads_share_their_process(machine: Machine) -> None:
    with hosted(machine, "workers", uid=1000) as host:
        reader, writer = host.os.pipe()
        one, other = host.socket.socketpair()
        found: list[Any] = []

        def talks() -> None:
            found.append((host.os.getpid(), host.os.read(reader, 10), other.recv(10)))
            other.send(b"from the thread")

        thread = host.threading.Thread(target=talks)
        thread.start()
        host.time.sleep(0.1)
        host.os.write(writer, b"pipe")
        one.send(b"socket")
        assert one.recv(100) == b"from the thread"
        thread.join()
        assert found == [(host.os.getpid(), b"pipe", b"socket")]
        assert thread.native_id != host.os.getpid()


def test_a_signal_interrupts_a_wait_for_a_lock(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        def handler(number: int, frame: object) -> None:
            host.time.sleep(1)
            seen.append(number)
            lock.release()

        with hosted(app, "workers") as host:
            lock = host.threading.Lock()
            lock.acquire()
            host.signal.signal(signal.SIGUSR1, handler)
            seen.append(lock.acquire())

    seen: list[int] = []
    process = machine.spawn(program)
    machine.run(until=millis(10))
    process.kill(signal.SIGUSR1)
    machine.run()
    assert seen == [signal.SIGUSR1, True] and process.exit_status == 0


def test_an_unsupported_function_is_refused_by_name(machine: Machine) -> None:
    with hosted(machine, "workers") as host:
        for name, arguments in (
            ("pthread_kill", (1, 2)),
            ("pthread_sigmask", (0, [])),
            ("sigwait", ([],)),
        ):
            with pytest.raises(NotModelled, match=f"signal.{name}"):
                getattr(host.signal, name)(*arguments)
        assert host.queue.SimpleQueue is not queue.SimpleQueue


def test_the_lock_of_a_buffered_file_is_refused_by_name(machine: Machine) -> None:
    with hosted(machine, "workers") as host:
        reader, writer = host.os.pipe()
        file = host.open(reader, "rb")
        thread = host.threading.Thread(target=file.read, args=(1,))
        thread.start()
        host.time.sleep(1)
        with pytest.raises(RuntimeError, match="reentrant call inside <BufferedReader"):
            file.read(1)
        host.os.write(writer, b"a")
        thread.join()


def test_without_greenlet_the_error_names_the_extra(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "greenlet", None)
    with hosted(machine, "workers") as host:
        with pytest.raises(SimulationError, match=r"pip install 'simkernel\[testing\]'"):
            host.threading.Thread(target=int).start()
        lock = host.threading.Lock()
        assert lock.acquire() and not lock.acquire(timeout=1)


def test_the_hosts_handler_of_sigint_stays(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        with hosted(app, "workers") as host:
            host.asyncio.run(host.asyncio.sleep(1))

    before = signal.getsignal(signal.SIGINT)
    machine.spawn(program)
    machine.run(until=millis(500))
    assert signal.getsignal(signal.SIGINT) is before

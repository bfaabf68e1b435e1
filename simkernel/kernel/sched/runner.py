"""The runner: it runs a task's program in user mode and its system calls in the kernel.

    _advance   resume the program with the result of its last call
    _enter     run a system call until it ends or sleeps
    _drive     resume the coroutine of a call that sleeps, after each wake-up
    _resume    handle the end of a sleep
    _complete  end a call that slept: resume its program after the charged time has passed

A call's handler runs to its end at one instant and charges its cost.  A call that does not sleep is at
most one event of the engine.  The task of ordinary code (a blocking socket) has no program: `submit`
enters its call, and the callback `on_result` gets the result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CoroutineType
from typing import Any

from simkernel.engine import LATER, Call, Compute, DeviceError, Engine, InternalError, SimulationError
from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.sched import validation
from simkernel.kernel.sched.calls import Exit, SystemCalls
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.scheduler import Resume, Scheduler
from simkernel.kernel.sched.task import Program, SchedTask
from simkernel.kernel.sched.tracepoints import sys_enter, sys_exit
from simkernel.kernel.sched.wait import Elapse, Sleep, Sleeping, WouldBlock
from simkernel.uapi import signal as uapi_signal
from simkernel.uapi.errno import EAGAIN, EINTR, os_error


class Runner:
    """Runs the programs and the system calls of all tasks of a kernel."""

    def __init__(
        self, engine: Engine, scheduler: Scheduler, system_calls: SystemCalls, preempt: Preempt, on_exit: Exit
    ) -> None:
        self._engine = engine
        self._trace = engine.trace
        self.scheduler = scheduler
        self._handlers = system_calls.handlers
        self._find = system_calls.find
        self._pending = system_calls.pending
        self._preempt = preempt
        self._on_exit = on_exit
        self._entry_cost = scheduler.costs.syscall
        self._completes = scheduler.completes
        self._release = scheduler.release
        self.on_wake = scheduler.waker(self._resume)
        self.current: SchedTask | None = None
        self.closing = False
        """True while GeneratorExit is thrown into a task's coroutine to close it."""
        self.paused: set[SchedTask] = set()  # tasks that a plan has paused between two statements
        self.system_calls = 0
        self._stop: BaseException | None = None
        """An unhandled exception (not OSError or SimulationError) that stopped a system call, or None."""

    # -- starting -----------------------------------------------------------

    def start(self, task: SchedTask, program: Program) -> None:
        """Start `program` as `task`. It runs when the task gets a CPU."""
        task.program = program
        self.scheduler.ready(task, self._advance, None, None)

    def submit(self, task: SchedTask, call: Call[Any]) -> None:
        """Start a system call of a task that runs no program. `task.on_result` gets the outcome."""
        error = validation.take(task, call)
        if error is not None:
            raise error
        if isinstance(call, Compute):
            self.scheduler.begin(task, self._begin_compute, call)
        else:
            self.scheduler.begin(task, self._advance, None, None, call)

    def watch_returns(self, on_return: Callable[[SchedTask], None]) -> None:
        """Call `on_return(task)` at each end of a system call whose result is delivered in a later event."""
        completes, advance = self._completes, self._advance

        def watched(task: Any, function: Resume, value: Any, error: BaseException | None) -> None:
            if function == advance:
                on_return(task)
            completes(task, function, value, error)

        self._completes = watched

    # -- a program and its calls ----------------------------------------------

    def _advance(
        self, task: SchedTask, value: Any, error: BaseException | None, call: Call[Any] | None = None
    ) -> None:
        """Resume the program with the result of its last call and run it until a call blocks.

        An `async` program enters a call where it awaits it (`enter`), and yields only calls that are not
        done yet.  A generator program yields every call.  Ordinary code passes the `call` that it submits.
        """
        self.current = task
        while True:
            if call is None:
                if (ended := task.call) is not None:
                    task.call = None
                    if task.signals.pending:
                        error = self._deliver(task, error)
                        if not task.alive:
                            break
                    if error is None and (convert := ended.convert) is not None:
                        try:
                            value = convert(value)
                        except Exception as raised:  # noqa: BLE001 - code of the program: its buffer or object
                            error = raised
                program = task.program
                if program is None:
                    self._give_result(task, value, error)
                    break
                try:
                    call = program.send(value) if error is None else program.throw(error)
                except BaseException as raised:  # noqa: BLE001 - a program ends, whatever it raises
                    self._program_ended(task, raised)
                    break
                if (entered := task.call) is not None:
                    if call is not entered or task.frame is not None or self._stop is not None:
                        program = None  # drop this reference, so that validation.close() can free the program
                        self._call_pending(task, call)
                    return
                if type(call) is not Call or call.owner is not task:
                    call, error = None, self._other_request(task, call)
                    if error is None:
                        break
                    continue
            else:
                call.owner = task
            try:
                value, error = self.enter(call), None
            except (OSError, SimulationError) as raised:
                value, error = None, raised
            if value is LATER:
                program = None
                self._call_pending(task, call)
                break
            call = None
        self.current = None

    def enter(self, call: Call[Any]) -> Any:
        """Run a system call of the current task.  If it ends at once, return its result or raise its error.

        Otherwise return LATER: the program then yields the call to `_advance`.
        """
        task: SchedTask = self.current  # type: ignore[assignment]  # None owns no call
        if call.owner is not task:
            return LATER
        call.owner = None
        self.system_calls += 1
        trace, engine = self._trace, self._engine
        if trace.emit is not None:
            sys_enter(engine, task, call)
        engine.charged += self._entry_cost
        try:
            try:
                handler = self._handlers[call.name]
            except KeyError:
                handler = self._find(call.name)
            arguments = call.arguments
            count = len(arguments)
            try:
                # unpack the 3 arguments of recv: `handler(task, *arguments)` would take as long as two calls
                if count == 3:
                    one, two, three = arguments
                    value = handler(task, one, two, three)
                elif count == 4:
                    one, two, three, four = arguments
                    value = handler(task, one, two, three, four)
                else:
                    value = handler(task, *arguments)
            except (OSError, SimulationError) as error:
                if self._failed(task, call, error):
                    raise
                return LATER
            if type(value) in self._pending:
                task.call = call
                if type(value) is CoroutineType:
                    task.frame = value
                    task.flow = trace.flow
                else:
                    task.blocked = value
                    self._sleep(task, value)
                self.current = None
                return LATER
            if trace.emit is not None:
                sys_exit(engine, task, call, value, None)
            # INLINE: simkernel.engine.engine.Engine.pass_charged, saves 1.1 % of round-trip
            time = engine.now + engine.charged
            if (time >= engine.next_deadline and not engine.is_next(time)) or task.signals.pending:
                task.call = call
                self._completes(task, self._advance, value, None)
                self.current = None
                return LATER
        except (OSError, SimulationError):
            raise
        except BaseException as stop:  # noqa: BLE001 - `_stopped` handles it, where the stack is shallow
            task.call = call
            self._stop = stop
            self.current = None
            return LATER
        engine.now = time
        engine.charged = 0
        convert = call.convert
        return value if convert is None else convert(value)

    def _failed(self, task: SchedTask, call: Call[Any], error: BaseException) -> bool:
        """Handle the error of a system call. Return False if the program gets the error in a later event."""
        if self._trace.emit is not None:
            sys_exit(self._engine, task, call, None, error)
        if task.signals.pending or not self._engine.pass_charged():
            task.call = call
            self._completes(task, self._advance, None, error)
            self.current = None
            return False
        return True

    def _call_pending(self, task: SchedTask, request: object) -> None:
        """Handle the object that a program yields during a system call. If an exception has stopped the call,
        handle the exception. Otherwise, if the program yields the call itself, run the call's coroutine. If
        it yields any other object, end the task.
        """
        stop, self._stop = self._stop, None
        if stop is not None:
            validation.take(task, request)  # mark the yielded call as used, so that it cannot run later
            self.current = task
            self._stopped(task, stop)
            self.current = None
        elif request is not task.call:
            what = f"{task.comm} awaited {validation.kind(request)} while {task.call!r} was in progress"
            self.end(task, 1 << 8, SimulationError(f"{what}: one call at a time, or app.thread(...)"))
        else:
            self._drive(task, None, None)

    def _stopped(self, task: SchedTask, stop: BaseException) -> None:
        """Handle an exception of kernel code, such as `Exited`, that is not the error of the system call."""
        self.abandon(task)
        if isinstance(stop, validation.Exited):
            self._ended(task, stop.status, None, group=True)
        elif isinstance(stop, KeyboardInterrupt) and task.program is not None:
            self._ended(task, uapi_signal.SIGINT, stop)
        elif isinstance(stop, MemoryError | RecursionError):
            self._complete(task, None, stop)
        elif isinstance(stop, InternalError | DeviceError | KeyboardInterrupt):
            raise stop
        else:
            raise self._internal(task, stop) from stop

    def _program_ended(self, task: SchedTask, raised: BaseException) -> None:
        """End a task whose program returned, exited or raised an exception."""
        task.program = None
        stop, self._stop = self._stop, None
        if stop is not None and not isinstance(stop, MemoryError | RecursionError):
            # kernel code failed in a call that the program ran with `next(call.__await__())`, not with await
            self._stopped(task, stop)
            return
        # a call can be unfinished: the program did not await it, or the kernel raised RecursionError
        self.abandon(task)
        if isinstance(raised, StopIteration):
            self._ended(task, 0, None)
        elif isinstance(raised, SystemExit):
            self._ended(task, validation.exit_status(raised, task), None)
        else:
            self._ended(task, validation.failure_status(raised), raised)

    def _other_request(self, task: SchedTask, request: object) -> SimulationError | None:
        """If a program yielded `compute` or a kernel thread's sleep, handle it. Otherwise return an error."""
        if task.kthread and isinstance(request, Sleep):
            self._sleep(task, request)
        elif task.kthread and isinstance(request, Elapse):
            self._elapse(task)
        elif (mistake := validation.take(task, request)) is not None:
            return mistake
        elif isinstance(request, Compute):
            self._begin_compute(task, request)
        return None

    def _begin_compute(self, task: SchedTask, call: Call[Any]) -> None:
        task.call = call
        self._trace.flow = task.flow
        self._compute(task, *call.arguments)

    def _compute(self, task: SchedTask, ns: int) -> None:
        """Spend time in user mode. Other tasks may run after each time slice."""
        piece = min(ns, self.scheduler.slice_left(task))
        self._engine.spend(piece)
        self._completes(task, self._computed, ns - piece, None)

    def _computed(self, task: SchedTask, left: int, error: BaseException | None) -> None:
        if left and task.alive and not task.signals.pending:
            self._compute(task, left)
        else:
            self._advance(task, None, None)

    def _internal(self, task: SchedTask, bug: BaseException) -> InternalError:
        return InternalError(
            f"{type(bug).__name__} inside {task.call!r} of {task.track}: a bug of simkernel's, please report "
            f"it with the seed {self._engine.rng.seed}"
        )

    def _drive(self, task: SchedTask, woken: bool | None, error: BaseException | None) -> None:
        frame = task.frame
        if frame is None or not task.alive:
            return
        self.current = task
        self._trace.flow = task.flow
        try:
            request = frame.send(woken) if error is None else frame.throw(error)
        except StopIteration as stop:
            task.frame = None
            self._complete(task, stop.value, None)
        except (OSError, SimulationError) as failure:
            task.frame = None
            self._complete(task, None, failure)
        except BaseException as stop:  # noqa: BLE001 - raised again unless it ends the task or its call
            task.frame = None
            self._stopped(task, stop)
        else:
            if isinstance(request, Sleep):
                self._sleep(task, request)
            elif isinstance(request, Elapse):
                self._elapse(task)
            # raise the error at the await: if that is in module code, the error becomes an oops
            else:
                what = f"kernel code of {task.call!r} awaited {validation.kind(request)}, which is no sleep"
                self._drive(task, None, SimulationError(f"{what}: await what simkernel.driverapi has"))
        finally:
            self.current = None

    def _sleep(self, task: SchedTask, sleep: Sleeping) -> None:
        preempt = self._preempt
        if preempt.interrupts or preempt.locks:
            preempt.schedule()
        task.flow = self._trace.flow
        if task.signals.pending and sleep.interruptible:
            self._completes(task, self._resume, None, os_error(EINTR))
            return
        task.sleep = sleep
        sleep.sleeper = task
        # INLINE: simkernel.kernel.sched.wait.Sleeping.enqueue, saves 4.0 % of blocked-100
        queue = sleep.queue
        if queue is not None and queue._first is None:
            queue._first = sleep
        else:
            sleep.enqueue()
        if sleep.deadline is not None:
            at = max(sleep.deadline, self._engine.time())
            sleep.timer = self._engine.call_at(at, sleep.wake, False)
        # INLINE: simkernel.kernel.sched.scheduler.UnlimitedCpus.release, saves 0.7 % of blocked-100
        if task.cpu is None:
            engine = self._engine
            task.busy_until = engine.now + engine.charged
        else:
            self._release(task)

    def _elapse(self, task: SchedTask) -> None:
        task.flow = self._trace.flow
        self._completes(task, self._resume, None, None)

    def _resume(self, task: SchedTask, woken: bool | None, error: BaseException | None) -> None:
        """Handle the end of a sleep.  A blocked call retries its operation, which may block again."""
        blocked = task.blocked
        if blocked is None:
            if task.frame is not None:
                self._drive(task, woken, error)
            else:
                self._advance(task, woken, error)
            return
        trace = self._trace
        self.current = task
        trace.flow = task.flow
        result: Any = None
        if error is None:
            try:
                if not woken:
                    raise os_error(EAGAIN)
                result = blocked.retry(task)
                if result is None:
                    self._sleep(task, blocked)
                    self.current = None
                    return
            except WouldBlock as still:
                blocked.still_blocked(still)
                self._sleep(task, blocked)
                self.current = None
                return
            except (OSError, SimulationError) as failure:
                error = failure
            except BaseException as stop:  # noqa: BLE001 - raised again unless it ends the task or its call
                self._stopped(task, stop)
                self.current = None
                return
        task.blocked = None
        if blocked.held:
            blocked.release()
        if type(result) is CoroutineType:
            task.frame = result
            self._drive(task, None, None)
            return
        if trace.emit is not None:
            sys_exit(self._engine, task, task.call, result, error)
        # INLINE: simkernel.engine.engine.Engine.pass_charged, saves 2.8 % of blocked-100
        engine = self._engine
        time = engine.now + engine.charged
        if (
            time >= engine.run_until
            or ((fifo := engine.fifo) and fifo[0][0] <= time)
            or ((queue := engine.queue) and queue[0][0] <= time)
        ):
            self._completes(task, self._advance, result, error)
            self.current = None
        else:
            engine.now = time
            engine.charged = 0
            self._advance(task, result, error)

    def abandon(self, task: SchedTask) -> None:
        """Cancel the sleep and the unfinished call of a task, and close its coroutine in the kernel."""
        if task.sleep is not None:
            task.sleep.dequeue()
            task.sleep = None
        blocked, task.blocked = task.blocked, None
        if blocked is not None:
            blocked.release()
        if task.frame is not None:
            error = self._close(task, "frame")
            if isinstance(error, KeyboardInterrupt):
                self._engine.interrupt(error)
            elif error is not None and not isinstance(error, OSError | SimulationError):
                raise self._internal(task, error) from error

    def interrupt_sleep(self, task: SchedTask) -> None:
        """End the task's sleep with EINTR if it is interruptible, because a signal is pending."""
        sleep = task.sleep
        if sleep is not None and sleep.interruptible:
            sleep.dequeue()
            task.on_wake(task, False, os_error(EINTR))

    def _complete(self, task: SchedTask, value: Any, error: BaseException | None) -> None:
        if self._trace.emit is not None:
            sys_exit(self._engine, task, task.call, value, error)
        self._completes(task, self._advance, value, error)

    def _give_result(self, task: SchedTask, value: Any, error: BaseException | None) -> None:
        """Pass a call's result to `on_result` of a task without a program, unless the task has ended."""
        if task.alive:
            self._release(task)
            if task.on_result is not None:
                task.on_result(value, error)

    def _deliver(self, task: SchedTask, error: BaseException | None) -> BaseException | None:
        """Deliver the pending signals. Return the exception that a handler raises, otherwise `error`."""
        while (number := task.signals.take()) is not None:
            if (emit := self._trace.emit) is not None:
                emit("signal_deliver", KERNEL, "sched", pid=task.pid, comm=task.comm, signal=number)
            handler = task.signals.handlers.get(number, uapi_signal.SIG_DFL)
            if callable(handler):
                # a plain function runs its signal handlers itself, because they may make blocking calls
                defer = getattr(task.program, "defer", None)
                try:
                    handler(number) if defer is None else defer(partial(handler, number))
                except BaseException as raised:  # noqa: BLE001 - it is thrown into the program, as Python does
                    error = raised
            elif handler == uapi_signal.SIG_DFL:
                status = task.signals.exit_status
                self._ended(task, number if status is None else status, None, group=True)
                return None
        return error

    # -- ending -------------------------------------------------------------

    def end(self, task: SchedTask, status: int, failure: BaseException | None = None) -> None:
        """End a task in any state: cancel its sleep and close its coroutines."""
        self.abandon(task)
        self._ended(task, status, failure)

    def _ended(
        self, task: SchedTask, status: int, failure: BaseException | None, *, group: bool = False
    ) -> None:
        """Close a task's program. Report the end of the task, or of its process if `group` is True."""
        if task.program is not None:
            # the program must not enter a system call while `_close` throws GeneratorExit into it
            current, self.current = self.current, None
            raised = self._close(task, "program")
            failure = raised if failure is None else failure
            self.current = current
        task.call = None
        self._on_exit(task, status, failure, group)
        self._release(task)

    def _close(self, task: SchedTask, part: validation.Part) -> BaseException | None:
        """Close a coroutine of the task. Return the exception with which it failed, or None."""
        closing, self.closing = self.closing, True
        try:
            return validation.close(task, part)
        finally:
            self.closing = closing

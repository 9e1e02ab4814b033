"""The state machine in plain Python: what the SQL does, without how it does it.

Tests hold the SQL to this, row by row. What can be counted is not stored: the `remaining_` numbers
are functions. Runs never touch each other: a batch of reports is, to each run, its own part of it.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final

from core_sql_support.jsonb import NULL, as_json, contains, type_of
from core_sql_support.records import Flow, Report, State, Step, Task

UNMET_CASCADE: Final = "condition_unmet", "skip-cascade"
FAILED_CASCADE: Final = "handler_failed", "skip-cascade"


class Run:
    """One execution of a flow: started, then completed, failed or cancelled."""

    def __init__(self, flow: Flow, flow_input: Any) -> None:
        self.flow, self.input, self.status = flow, flow_input, "started"
        self.output: Any = NULL
        self.error: str | None = None
        self.failed_step: str | None = None
        self.first_attempt = 0
        self.states = {slug: State(step) for slug, step in flow.steps.items()}
        self.tasks: dict[tuple[str, int], Task] = {}
        self.failures: dict[tuple[str, int, int], tuple[str, bool]] = {}  # error, is tried again
        self._carry_on(self._begin(self._ready(self.states)))

    def remaining_steps(self) -> int:
        return sum(not state.is_done for state in self.states.values())

    def remaining_deps(self, slug: str) -> int:
        return sum(not self.states[dep].is_done for dep in self.flow.steps[slug].waits_for)

    def remaining_tasks(self, slug: str) -> int | None:
        status, tasks = self.states[slug].status, self._tasks(slug)
        if status == "skipped" or (not tasks and status != "completed"):
            return None
        return sum(task.status != "completed" for task in tasks)

    # A step is ready when it waits for nothing. Then it is decided, once.

    def _ready(self, slugs: Collection[str]) -> list[State]:
        """Find those that wait for nothing, and how many tasks steps have once that is known."""
        states = [state for slug, state in self.states.items() if slug in slugs]
        for state in states:
            source = self.states.get(state.step.map_over or "")
            if state.initial_tasks is None and source is None:
                state.initial_tasks = len(self.input) if state.step.map_over else 1
            elif state.initial_tasks is None and source and source.is_done:
                state.initial_tasks = len(source.output) if source.status == "completed" else 0
        waiting = [state for state in states if state.status == "created"]
        return [state for state in waiting if not self.remaining_deps(state.step.slug)]

    def _carry_on(self, ended: Collection[State]) -> None:
        """Go on from steps that are completed or skipped, until nothing follows by itself."""
        while ended and self.status == "started":
            children = {c for state in ended for c in self.flow.children(state.step.slug)}
            ended = self._begin(self._ready(children))
        if self.status == "started" and not self.remaining_steps():
            leaves = [slug for slug in self.states if not self.flow.children(slug)]
            self.status, self.output = "completed", self._outputs(leaves)

    def _begin(self, ready: list[State]) -> list[State]:
        """Start steps that have tasks and no condition, then decide the others."""
        plain = [state for state in ready if state.initial_tasks and not state.step.is_conditional]
        for state in plain:
            self._start(state)
        return self._decide([state for state in ready if state not in plain])

    def _decide(self, ready: list[State]) -> list[State]:
        """Fail the run, or start, complete and skip steps; gives those that have ended."""
        unmet = [state for state in ready if not self._is_met(state.step)]
        if failing := [state.step.slug for state in unmet if state.step.when_unmet == "fail"]:
            self._fail(dict.fromkeys(failing, "condition not met"))
            return []
        met = [state for state in ready if state not in unmet]
        for state in met:
            if state.initial_tasks:
                self._start(state)
            else:
                state.status, state.output = "completed", []
        cascading = [state for state in unmet if state.step.when_unmet == "skip-cascade"]
        skipped = self._skip(unmet, "condition_unmet", cascading)
        return [state for state in met if state.is_done] + skipped

    def _is_met(self, step: Step) -> bool:
        """Ask a root step's condition of the flow input, others of outputs by step and "run"."""

        def holds(pattern: dict[str, Any]) -> bool:
            if not step.waits_for:
                return contains(self.input, pattern)
            asked = {"run": self.input, **self._outputs(step.waits_for)}
            # An empty object asks only whether the step completed, whatever its output is.
            return all(
                key in asked and (part == {} or contains(asked[key], part))
                for key, part in pattern.items()
            )

        is_allowed = step.forbidden is None or not holds(step.forbidden)
        return is_allowed and (step.required is None or holds(step.required))

    def _start(self, state: State) -> None:
        state.status = "started"
        for index in range(state.initial_tasks or 0):
            # Attempts begin above all that were ever given out.
            task = Task(self.first_attempt, self.first_attempt)
            task.is_delayed = state.step.start_delay > 0
            self.tasks[state.step.slug, index] = task

    def _skip(self, states: list[State], reason: str, cascading: list[State]) -> list[State]:
        """Skip steps, and with the cascading ones all that depends on them and still waits."""
        for state in states:
            state.status, state.skip_reason = "skipped", reason
            self._end_tasks(state, "skipped")
        below = self.flow.descendants([state.step.slug for state in cascading])
        waiting = [self.states[slug] for slug in below if self.states[slug].status == "created"]
        for state in waiting:
            state.status, state.skip_reason = "skipped", "dependency_skipped"
        return states + waiting

    def _fail(self, errors: dict[str, str]) -> None:
        """Fail the run by the first of these steps, in the order of the flow."""
        cause = next(state for slug, state in self.states.items() if slug in errors)
        cause.status, cause.error = "failed", errors[cause.step.slug]
        self.failed_step = cause.step.slug
        self._end("failed", cause.error)

    def _end(self, status: str, error: str | None) -> None:
        """End the run before it is done: all that waits or is under way is cancelled."""
        self.status, self.error = status, error
        for state in self.states.values():
            self._end_tasks(state, "cancelled")
            if state.status in ("created", "started"):
                state.status = "cancelled"

    def _end_tasks(self, state: State, status: str) -> None:
        for task in self._tasks(state.step.slug):
            if task.status in ("queued", "started"):
                task.status = status

    def _tasks(self, slug: str) -> list[Task]:
        return [task for (step, _), task in sorted(self.tasks.items()) if step == slug]

    def _outputs(self, slugs: Iterable[str]) -> dict[str, Any]:
        """Collect outputs by step. A skipped step has no key; SQL NULL arrives as null."""
        completed = [slug for slug in slugs if self.states[slug].status == "completed"]
        return {slug: as_json(self.states[slug].output) for slug in completed}

    # Workers claim tasks, report how attempts ended, or hand them back.

    def claim(self, slug: str, index: int, worker: Any) -> tuple[int, Any, Any]:
        """Claim a queued task whose time has come; gives attempt, input and flow input."""
        step, task = self.states[slug].step, self.tasks[slug, index]
        task.status, task.worker, task.attempts = "started", worker, task.attempts + 1
        if step.map_over:
            source = self.input if step.map_over == "run" else self.states[step.map_over].output
            return task.attempts, source[index], None
        takes_input = step.takes_flow_input or not step.waits_for
        return task.attempts, self._outputs(step.deps), self.input if takes_input else None

    def shared_input(self, slug: str) -> dict[str, Any]:
        """Give what every element of a map receives beside itself."""
        step = self.flow.steps[slug]
        shared = self._outputs(dep for dep in step.deps if dep != step.map_over)
        return {"run": self.input, **shared} if step.takes_flow_input else shared

    def refusal(self, report: Report) -> str | None:
        """Tell why a report changes nothing, None where its attempt still counts."""
        task = self.tasks.get((report.step, report.index))
        if task is None:
            return "unknown_task"
        if report.attempt not in (None, task.attempts):
            return "stale_attempt"
        return None if task.status == "started" else task.status

    def complete(self, reports: Collection[Report]) -> list[tuple[Report, str]]:
        """Record outputs; gives the refused ones. What a map runs over has to be an array."""
        held = [report for report in reports if not self.refusal(report)]
        broken: dict[str, str] = {}
        for report in held:
            over = self.flow.map_fed_by(report.step)
            if over and not isinstance(report.output, list):
                found, needs = type_of(report.output), f"map {over} runs over it and needs an array"
                broken[report.step] = f"step {report.step} returned {found}, but {needs}"
                self._fail_attempt(report, broken[report.step], is_retried=False)
        if broken:
            self._fail(broken)
        for report in held:
            if not self.refusal(report):
                task = self.tasks[report.step, report.index]
                task.status, task.output = "completed", report.output
        ended = [self.states[slug] for slug in {report.step for report in held}]
        ended = [state for state in ended if self.remaining_tasks(state.step.slug) == 0]
        for state in ended:
            outputs = [task.output for task in self._tasks(state.step.slug)]
            state.status = "completed"
            state.output = list(map(as_json, outputs)) if state.step.map_over else outputs[0]
        self._carry_on(ended)
        reasons = [(report, str(self.refusal(report))) for report in reports]
        return [each for each in reasons if each[1] != "completed"]

    def fail(self, reports: Collection[Report]) -> list[tuple[Report, str]]:
        """Try failed attempts again after a delay, or end steps as their when_exhausted says."""
        errors: dict[str, str] = {}
        for report in sorted(reports, key=lambda each: each.index):
            if self.refusal(report):
                continue
            task, step = self.tasks[report.step, report.index], self.flow.steps[report.step]
            tries = task.attempts - task.free
            delay = min(step.base_delay * 2**tries, step.max_delay)
            is_retried = tries < step.max_attempts and not report.is_final
            task.is_delayed = is_retried and (delay if report.delay is None else report.delay) > 0
            self._fail_attempt(report, report.error, is_retried=is_retried)
            if not is_retried:
                errors.setdefault(step.slug, report.error)
        modes = {slug: self.flow.steps[slug].when_exhausted for slug in errors}
        if failing := {slug: error for slug, error in errors.items() if modes[slug] == "fail"}:
            self._fail(failing)
        elif exhausted := [self.states[slug] for slug in errors]:
            for state in exhausted:
                state.error = errors[state.step.slug]
            cascading = [state for state in exhausted if modes[state.step.slug] == "skip-cascade"]
            self._carry_on(self._skip(exhausted, "handler_failed", cascading))
        reasons = [(report, str(self.refusal(report))) for report in reports]
        return [each for each in reasons if self._attempt(each[0]) not in self.failures]

    def _fail_attempt(self, report: Report, error: str, *, is_retried: bool) -> None:
        task = self.tasks[report.step, report.index]
        task.status, task.error = "queued" if is_retried else "failed", error
        task.output = report.output
        self.failures[self._attempt(report)] = error, is_retried

    def _attempt(self, report: Report) -> tuple[str, int, int]:
        task = self.tasks.get((report.step, report.index), Task())
        return report.step, report.index, report.attempt or task.attempts

    def requeue(self, worker: Any, error: str) -> None:
        """Take what a lost worker held: the attempt has failed, and may be repeated at once."""
        held = {key: task for key, task in self.tasks.items() if task.status == "started"}
        held = {key: task for key, task in held.items() if task.worker == worker}
        for task in held.values():
            task.requeued += 1
        self.fail([Report(*key, task.attempts, error=error, delay=0) for key, task in held.items()])

    def release(self, reports: Iterable[Report]) -> None:
        """Queue tasks again that were handed back, which costs them no attempt."""
        for report in reports:
            if not self.refusal(report):
                task = self.tasks[report.step, report.index]
                task.status, task.free = "queued", task.free + 1

    # People cancel runs, and go on with those that ended.

    def cancel(self, reason: str | None) -> None:
        if self.status == "started":
            self._end("cancelled", reason)

    def retry(self) -> None:
        """Go on with a run that failed or was cancelled; what is completed stays so."""
        if self.status != "started":
            skipped = {slug for slug, state in self.states.items() if state.status == "skipped"}
            unmet = {s for s in skipped if self.states[s].skip_reason == "condition_unmet"}
            self._reopen(skipped - unmet - self._held_back(unmet), repeated=set())

    def restart(self, slug: str) -> None:
        """Repeat a step and all that depends on it, but for what another step's skip took."""
        below = self.flow.descendants([slug]) | {slug}
        others = [s for s in self.states.keys() - below if slug not in self.flow.descendants([s])]
        repeated = below - self._held_back(others)
        if self.states[slug].status != "created":
            self._reopen(repeated, repeated)

    def _held_back(self, causes: Iterable[str]) -> set[str]:
        """Find what is skipped because some of these steps were, with all that depends on them."""
        states = [self.states[slug] for slug in causes]
        unmet = [s for s in states if (s.skip_reason, s.step.when_unmet) == UNMET_CASCADE]
        failed = [s for s in states if (s.skip_reason, s.step.when_exhausted) == FAILED_CASCADE]
        below = self.flow.descendants([state.step.slug for state in unmet + failed])
        return {slug for slug in below if self.states[slug].skip_reason == "dependency_skipped"}

    def _reopen(self, slugs: set[str], repeated: set[str]) -> None:
        """Put steps back, and those that failed or were cancelled, and go on from there."""
        slugs = slugs | {s for s in self.states if self.states[s].status in ("failed", "cancelled")}
        self.first_attempt = max([self.first_attempt, *(t.attempts for t in self.tasks.values())])
        self.status, self.output, self.error, self.failed_step = "started", NULL, None, None
        for slug in slugs:
            self.states[slug] = State(self.flow.steps[slug])
        ready = self._ready(slugs)
        resumed = {state.step.slug for state in ready} - repeated
        for (slug, index), task in list(self.tasks.items()):
            if slug in slugs - resumed:
                del self.tasks[slug, index]
            elif slug in resumed and task.status != "completed":
                self.states[slug].status, task.status = "started", "queued"
                task.free, task.is_delayed, task.output = task.attempts, False, NULL
        self._carry_on(self._decide([state for state in ready if state.status == "created"]))

// A step of a run that was selected: its output, its failures, its tasks, and what it is.

import { read } from "./api.js";
import { useNow } from "./clock.js";
import { clockTime, millis, span } from "./format.js";
import { html, useEffect, useState } from "./html.js";
import { Choices, Panel, ProblemNotice } from "./pieces.js";
import { StepFacts } from "./pages/flow.js";
import { Status } from "./status.js";
import { Stream } from "./stream.js";
import { Value } from "./value.js";

export function StepDetails({ runId, details, state, step, onClose }) {
  const isMap = state.kind === "map";
  const failures = details.failures.filter((failure) => failure.step_slug === state.step_slug);
  const hasStream = details.streams.includes(state.step_slug);
  const views = [["output", "Output"], hasStream && ["stream", "Stream"], isMap && ["tasks", "Tasks"], failures.length && ["failures", `Failed attempts (${failures.length})`], ["about", "About"]].filter(Boolean);
  const [view, setView] = useState(failures.length && state.status === "failed" ? "failures" : hasStream ? "stream" : "output");
  const shown = views.some(([key]) => key === view) ? view : "output";
  const actions = html`<span class="panel-actions"><${Status} status=${state.status} />
    <button class="quiet" aria-label="Close ${state.step_slug}" onClick=${onClose}>✕</button></span>`;
  return html`<${Panel} title=${state.step_slug} actions=${actions} kind="step-panel">
    <${Choices} name="View" options=${views} value=${shown} onChange=${setView} />
    ${state.error_message && shown !== "failures" && html`<p class="is-error pre">${state.error_message}</p>`}
    ${state.skip_reason && html`<p class="hint">${SKIPPED[state.skip_reason] ?? state.skip_reason}</p>`}
    ${shown === "output" && html`<${Value} runId=${runId} kind="step_output" step=${state.step_slug}
      size=${details.sizes.steps[state.step_slug] ?? null} version=${state.ended_at ?? ""} absent=${ABSENT[state.status]} />`}
    ${shown === "stream" && html`<${Stream} runId=${runId} step=${state.step_slug} isMap=${isMap} />`}
    ${shown === "tasks" && html`<${TaskList} runId=${runId} state=${state} />`}
    ${shown === "failures" && html`<${FailureList} failures=${failures} isMap=${isMap} />`}
    ${shown === "about" && step && html`<${StepFacts} step=${step} />`}
  <//>`;
}

const SKIPPED = {
  condition_unmet: "Skipped, since its input did not meet its condition.",
  handler_failed: "Skipped, since its attempts were used up.",
  dependency_skipped: "Skipped, since a step that it depends on was.",
};
const ABSENT = {
  created: "It waits for its dependencies.", started: "It comes when the step completes.",
  completed: "There is none.", failed: "There is none: the step failed.",
  skipped: "There is none: the step was skipped.", cancelled: "There is none: the step was cancelled.",
};
const STATUSES = [["", "all"], ["queued", "queued"], ["started", "running"], ["completed", "completed"], ["failed", "failed"]];
const PAGE = 100;

/** Tasks of a map, page by page. */
function TaskList({ runId, state }) {
  const [status, setStatus] = useState("");
  const [tasks, setTasks] = useState([]);
  const [hasMore, setMore] = useState(false);
  const [problem, setProblem] = useState(null);
  const path = `/api/runs/${encodeURIComponent(runId)}/steps/${encodeURIComponent(state.step_slug)}/tasks`;
  const load = async (before, isCurrent = () => true) => {
    try {
      const page = await read(path, { status, after: before.at(-1)?.task_index });
      if (!isCurrent()) return;
      setTasks([...before, ...page]);
      setMore(page.length === PAGE);
      setProblem(null);
    } catch (error) {
      if (isCurrent()) setProblem(error);
    }
  };
  // Anew as the step goes on, but only while the first page is all that is shown.
  const version = tasks.length > PAGE ? "" : `${state.tasks_done} ${state.failed_attempts} ${state.status}`;
  useEffect(() => {
    let isCurrent = true;
    load([], () => isCurrent);
    return () => {
      isCurrent = false;
    };
  }, [status, version]);
  const now = useNow(tasks.some((task) => task.status === "started"));
  return html`<div class="task-list">
    <${Choices} name="Status" options=${STATUSES} value=${status} onChange=${setStatus} />
    <${ProblemNotice} problem=${problem} />
    ${tasks.map((task) => html`<${Task} key=${task.task_index} runId=${runId} task=${task} now=${now} />`)}
    ${!tasks.length && html`<p class="hint">None.</p>`}
    ${hasMore && html`<button onClick=${() => load(tasks)}>More tasks</button>`}
  </div>`;
}

function Task({ runId, task, now }) {
  const [isOpen, setOpen] = useState(false);
  const took = task.started_at && task.status !== "queued" ? span(((millis(task.ended_at) ?? now) - millis(task.started_at)) / 1000) : "";
  const value = { runId, step: task.step_slug, index: task.task_index };
  return html`<details class="task" open=${isOpen} onToggle=${(event) => setOpen(event.target.open)}>
    <summary><code class="task-index">[${task.task_index}]</code> <${Status} status=${task.status} />
      <span class="steady">${took}</span>${task.attempts > 1 && html`<span>${task.attempts} attempts</span>`}
      ${task.error_message && html`<span class="is-error one-line">${task.error_message}</span>`}</summary>
    ${isOpen && html`<div class="columns is-even"><div><h4>Element</h4><${Value} ...${value} kind="task_input" /></div>
      <div><h4>Output</h4><${Value} ...${value} kind="task_output" version=${task.status} /></div></div>`}
  </details>`;
}

function FailureList({ failures, isMap }) {
  return html`<ol class="failures">${failures.map((failure) => html`<li key="${failure.task_index} ${failure.attempt}">
    <p>${isMap && html`<code>[${failure.task_index}]</code> `}<b>Attempt ${failure.attempt}</b> failed at ${clockTime(failure.failed_at)}
      ${failure.started_at && ` after ${span((millis(failure.failed_at) - millis(failure.started_at)) / 1000)}`}${failure.retry_at ? `, to be tried again at ${clockTime(failure.retry_at)}` : ""}</p>
    <p class="is-error pre">${failure.error_message}</p>
    ${failure.traceback && html`<details><summary>Traceback${failure.error_type && html` of ${failure.error_type}`}</summary><pre class="plain">${failure.traceback}</pre></details>`}
  </li>`)}</ol>`;
}

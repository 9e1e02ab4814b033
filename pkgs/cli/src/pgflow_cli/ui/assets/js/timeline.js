// When steps, tasks and attempts ran: a row each, along one line of time.

import { useNow } from "./clock.js";
import { count, millis, span } from "./format.js";
import { html, useMemo, useState } from "./html.js";
import { StatusIcon, statusWord } from "./status.js";
import { useWidth } from "./width.js";

const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000,
  120000, 300000, 600000, 1800000, 3600000, 7200000, 21600000, 43200000, 86400000, 604800000];

// Steps that are shown at first; of a flow with more, those that tell something follow.
const MOST_ROWS = 60;

/** Draw the timeline of a run. */
export function Timeline({ details, selected, onSelect }) {
  const { progress, tasks, failures } = details;
  const isLive = progress.ended_at === null;
  const now = useNow(isLive, 250);
  const rows = useMemo(() => rowsOf(progress, tasks, failures), [progress, tasks, failures]);
  const [open, setOpen] = useState(() => new Set());
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? rows : rows.filter(({ slug, step }, index) =>
    index < MOST_ROWS || slug === selected || step.status === "failed" || step.status === "started").slice(0, 2 * MOST_ROWS);
  const from = millis(progress.started_at);
  const last = Math.max(...rows.map((row) => row.last ?? 0), millis(progress.ended_at) ?? 0, from);
  const until = Math.max(isLive ? now : last, from + 1);
  const scale = (instant) => `${Math.max(0, Math.min(100, (100 * (instant - from)) / (until - from)))}%`;
  const fold = (slug) => setOpen((before) => {
    const after = new Set(before);
    if (!after.delete(slug)) after.add(slug);
    return after;
  });
  return html`<div class="timeline" role="table" aria-label="Timeline of steps and attempts">
    <${Axis} from=${from} until=${until} />
    ${shown.map((row) => html`<${Row} key=${row.slug} row=${row} scale=${scale} now=${until}
      isOpen=${open.has(row.slug)} isSelected=${selected === row.slug}
      onFold=${() => fold(row.slug)} onSelect=${() => onSelect(row.slug)} />`)}
    ${rows.length > MOST_ROWS && html`<p><button class="quiet" onClick=${() => setWhole(!isWhole)}>
      ${isWhole ? "Fewer steps" : `All ${count(rows.length)} steps`}</button></p>`}
  </div>`;
}

/** Put what is known of each step into a row, with the rows of its tasks in it. */
function rowsOf(progress, tasks, failures) {
  const failed = groupBy(failures, (failure) => `${failure.step_slug} ${failure.task_index}`);
  const byStep = groupBy(tasks, (task) => task.step_slug);
  return progress.steps.map((step) => {
    const own = (byStep.get(step.step_slug) ?? []).map((task) => ({
      task,
      bars: barsOf(task, failed.get(`${task.step_slug} ${task.task_index}`) ?? []),
    }));
    const instants = own.flatMap(({ bars }) => bars.map((bar) => bar.until));
    return {
      slug: step.step_slug,
      step,
      tasks: own,
      isMap: step.kind === "map",
      more: Math.max(0, (step.tasks_total ?? 0) - own.length),
      last: Math.max(millis(step.ended_at) ?? 0, ...instants.filter(Boolean)),
    };
  });
}

/** Cut the life of a task into what it waited for and its attempts; `until` null is now. */
function barsOf(task, failures) {
  const bars = [];
  let from = millis(task.queued_at);
  for (const failure of [...failures].sort((a, b) => a.attempt - b.attempt)) {
    const began = millis(failure.started_at) ?? millis(failure.failed_at);
    const ended = millis(failure.failed_at);
    bars.push({ kind: "waited", from, until: began, what: "waited" });
    bars.push({ kind: "failed", from: began, until: ended, attempt: failure.attempt,
      what: `attempt ${failure.attempt} failed: ${firstLine(failure.error_message)}` });
    from = ended;
  }
  const isUnderWay = task.status === "started";
  const latest = failures.length ? Math.max(...failures.map((failure) => failure.attempt)) : 0;
  if (task.attempts > latest && task.started_at && task.status !== "queued") {
    bars.push({ kind: "waited", from, until: millis(task.started_at), what: "waited" });
    bars.push({ kind: task.status, from: millis(task.started_at), attempt: task.attempts,
      until: isUnderWay ? null : millis(task.ended_at),
      what: `attempt ${task.attempts}: ${statusWord(task.status)}` });
  } else if (task.status === "queued") {
    bars.push({ kind: "waited", from, until: null, what: "waits for a worker" });
  }
  return bars.filter((bar) => bar.until === null || bar.until >= bar.from);
}

function Row({ row, scale, now, isOpen, isSelected, onFold, onSelect }) {
  const { step } = row;
  const from = millis(step.started_at);
  const until = millis(step.ended_at);
  const took = from && span(((until ?? now) - from) / 1000);
  const canFold = row.tasks.length > 1;
  return html`
    <div class="time-row ${isSelected ? "is-selected" : ""}" role="row">
      <div class="time-name" role="rowheader">
        <button class="time-step" onClick=${onSelect} title=${step.step_slug}>
          <${StatusIcon} status=${step.status} /><span>${step.step_slug}</span></button>
        ${canFold && html`<button class="time-fold" aria-expanded=${isOpen} onClick=${onFold}
          aria-label="Tasks of ${step.step_slug}">${isOpen ? "▾" : "▸"}</button>`}
      </div>
      <div class="time-line" role="cell">
        ${row.isMap && from ? html`<${Bar} kind=${step.status} from=${from} until=${until ?? now}
            scale=${scale} what="${step.tasks_done} of ${step.tasks_total} tasks completed"
            part=${step.status === "started" && step.tasks_total ? step.tasks_done / step.tasks_total : 1} />`
          : row.tasks.flatMap(({ task, bars }) => bars.map((bar, index) => html`<${Bar}
              key="${task.task_index} ${index}" ...${bar} until=${bar.until ?? now} scale=${scale} />`))}
      </div>
      <div class="time-took" role="cell">${took ?? ""}</div>
    </div>
    ${isOpen && row.tasks.map(({ task, bars }) => html`<div class="time-row is-task" role="row" key=${task.task_index}>
      <div class="time-name" role="rowheader"><span class="time-task">
        <${StatusIcon} status=${task.status} />[${task.task_index}]</span></div>
      <div class="time-line" role="cell">${bars.map((bar, index) => html`<${Bar} key=${index} ...${bar}
        until=${bar.until ?? now} scale=${scale} />`)}</div>
      <div class="time-took" role="cell">${task.started_at && task.status !== "queued"
        ? span(((millis(task.ended_at) ?? now) - millis(task.started_at)) / 1000) : ""}</div>
    </div>`)}
    ${isOpen && row.more > 0 && html`<div class="time-more">and ${row.more} more tasks: select the step to list them</div>`}`;
}

function Bar({ kind, from, until, what, scale, part }) {
  const title = `${what}, ${span((until - from) / 1000)}`;
  return html`<div class="time-bar is-${kind}" title=${title}
    style=${{ left: scale(from), width: `max(${kind === "waited" ? "1px" : "3px"}, calc(${scale(until)} - ${scale(from)}))` }}>
    ${part < 1 && html`<div class="time-part" style=${{ width: `${100 * part}%` }}></div>`}
  </div>`;
}

const TICK_WIDTH = 74;

function Axis({ from, until }) {
  const [width, ref] = useWidth();
  const total = until - from;
  const most = Math.max(1, Math.floor(width / TICK_WIDTH));
  const step = TICKS.find((each) => total / each <= Math.min(8, most)) ?? total;
  const ticks = [];
  for (let at = 0; at <= total; at += step) ticks.push(at);
  return html`<div class="time-row time-axis" aria-hidden="true"><div></div>
    <div class="time-line" ref=${ref}>${ticks.map((at) => html`<span key=${at} class="time-tick"
      style=${{ left: `${(100 * at) / total}%` }}>${at ? span(at / 1000) : "0"}</span>`)}</div><div></div></div>`;
}

function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}

const firstLine = (text) => text.split("\n", 1)[0];

// One run as it goes: its steps in the flow's picture and over time, its values, events and failures.

import { useLive, useRead } from "../api.js";
import { useNow } from "../clock.js";
import { ago, fullTime, millis, span } from "../format.js";
import { html, useEffect, useMemo, useState } from "../html.js";
import { Dag } from "../dag.js";
import { EventList } from "../events.js";
import { CopyButton, Empty, Panel, ProblemNotice, Tags, Waiting } from "../pieces.js";
import { flowPath } from "../router.js";
import { RunActions } from "../run_actions.js";
import { Status } from "../status.js";
import { StepDetails } from "../step_details.js";
import { Stream } from "../stream.js";
import { Timeline } from "../timeline.js";
import { Value } from "../value.js";

// A browser has few connections to a server, and each stream takes one.
const MOST_STREAMS = 2;
// Characters of an error that come with a run; the step has the whole of it.
const CUT = 500;

export function RunPage({ runId, about }) {
  const details = useLive(`/api/live/runs/${encodeURIComponent(runId)}`);
  const { summary, progress, problem } = details;
  const { value: definition, problem: missing } = useRead(summary ? `/api/flows/${encodeURIComponent(summary.flow_slug)}` : null);
  const [selected, setSelected] = useState(null);
  useEffect(() => {
    document.title = `${summary ? summary.flow_slug : "Run"} ${runId.slice(0, 8)} · pgflow`;
  }, [runId, summary?.flow_slug]);
  const states = useMemo(() => new Map(progress?.steps.map((step) => [step.step_slug, step])), [progress]);
  const toggle = (slug) => setSelected(slug === selected ? null : slug);
  if (problem && !summary) return html`<h1>Run</h1>${problem.kind === "RunNotFound"
    ? html`<${Empty} title="There is no such run."><p>It may have been deleted. <a href="/runs">All runs</a></p><//>`
    : html`<${ProblemNotice} problem=${problem} />`}`;
  // All at once: what comes later would push away what is there.
  if (!summary || !progress || !(definition || missing)) return html`<h1>Run</h1><${Waiting} lines=${8} />`;
  const steps = definition?.steps.filter((step) => states.has(step.step_slug));
  return html`<${Head} runId=${runId} summary=${summary} progress=${progress} about=${about} selected=${selected} />
    <${ProblemNotice} problem=${problem} />
    <${Outcome} summary=${summary} onSelect=${setSelected} />
    <${Panel} title="Steps" kind="dag-panel">${steps
      ? html`<${Dag} steps=${steps} progress=${states} selected=${selected} onSelect=${toggle} />` : html`<${ProblemNotice} problem=${missing} />`}<//>
    ${selected && states.has(selected) && html`<${StepDetails} key=${selected} runId=${runId} details=${details}
      state=${states.get(selected)} step=${definition?.steps.find((step) => step.step_slug === selected)}
      onClose=${() => setSelected(null)} />`}
    <${Panel} title="Timeline"><${Timeline} details=${details} selected=${selected} onSelect=${toggle} /><//>
    <div class="columns is-even">
      <div>
        ${!selected && details.streams.slice(0, MOST_STREAMS).map((slug) => html`<${Panel} key=${slug} title=${`Emitted by ${slug}`}>
          <${Stream} runId=${runId} step=${slug} isMap=${states.get(slug)?.kind === "map"} /><//>`)}
        <${Panel} title="Input"><${Value} runId=${runId} kind="run_input" size=${details.sizes.input} /><//>
        <${Panel} title="Output"><${Value} runId=${runId} kind="run_output" size=${details.sizes.output}
          version=${`${progress.status}${progress.ended_at}`} absent=${absentOutput(progress.status)} /><//>
      </div>
      <div><${Panel} title="Events"><${EventList} events=${details.events} /><//></div>
    </div>`;
}

const absentOutput = (status) => status === "started" ? "It comes when the run completes." : status === "completed" ? "There is none." : `There is none: the run ${status === "failed" ? "failed" : "was cancelled"}.`;

function Head({ runId, summary, progress, about, selected }) {
  const isLive = !progress.is_ended && progress.ended_at === null;
  const now = useNow(true, isLive ? 250 : 1000);
  const took = ((millis(progress.ended_at) ?? now) - millis(progress.started_at)) / 1000;
  return html`<nav class="crumbs" aria-label="You are here"><a href="/runs">Runs</a> / <a href=${flowPath(summary.flow_slug)}>${summary.flow_slug}</a></nav>
    <div class="run-head">
      <h1>${summary.flow_slug} <${Status} status=${progress.status} /></h1>
      <${RunActions} runId=${runId} progress=${progress} about=${about} selected=${selected} />
    </div>
    <p class="run-facts">
      <span><code>${runId}</code> <${CopyButton} text=${() => runId} /></span>
      <span title=${fullTime(progress.started_at)}>started ${ago(progress.started_at, now)}</span>
      <span>${isLive ? "running for" : "took"} <b class="steady">${span(took)}</b></span>
      ${summary.delayed_until && millis(summary.delayed_until) > now && html`<span>delayed until ${fullTime(summary.delayed_until)}</span>`}
      ${summary.priority !== 0 && html`<span>priority ${summary.priority}</span>`}
      <${Tags} tags=${summary.tags} />
    </p>`;
}

function Outcome({ summary, onSelect }) {
  if (!summary.error_message) return null;
  const isFailure = summary.status === "failed";
  return html`<div class="notice ${isFailure ? "is-bad" : ""}" role="alert">
    <p><b>${isFailure ? "Failed" : "Cancelled"}${summary.failed_step_slug && html` at${" "}<button class="as-link" onClick=${() => onSelect(summary.failed_step_slug)}>${summary.failed_step_slug}</button>`}:</b>
      ${" "}<span class="pre">${summary.error_message}${summary.error_message.length === CUT && "…"}</span></p></div>`;
}

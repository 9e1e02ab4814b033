// One flow: its picture, how it fares, its options, and a form to start a run.

import { act, queryOf, useLive } from "../api.js";
import { count, percent, span, whole } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { Dag } from "../dag.js";
import { InputForm } from "../form.js";
import { JsonTree } from "../json.js";
import { Spark } from "../lines.js";
import { Empty, Panel, ProblemNotice, Tile, Waiting } from "../pieces.js";
import { go, runPath } from "../router.js";
import { RunList } from "../run_list.js";

export function FlowPage({ slug, about }) {
  const { definition, statistics, problem } = useLive(`/api/live/flows/${encodeURIComponent(slug)}`);
  const latest = useLive(`/api/live/runs${queryOf({ flow: slug })}`);
  const [selected, setSelected] = useState(null);
  useEffect(() => {
    document.title = `${slug} · pgflow`;
  }, [slug]);
  if (definition === null) return html`<h1>${slug}</h1><${Empty} title="There is no such flow.">
    <p>A worker that serves it defines it. <a href="/flows">All flows</a></p><//>`;
  // All at once: what comes later would push away what is there.
  const isThere = definition && (latest.runs || latest.problem);
  if (!isThere) return html`<h1>${slug}</h1><${ProblemNotice} problem=${problem} />${!problem && html`<${Waiting} lines=${12} />`}`;
  const step = definition.steps.find((each) => each.step_slug === selected);
  return html`<nav class="crumbs" aria-label="You are here"><a href="/flows">Flows</a></nav>
    <h1>${slug}</h1>
    <${ProblemNotice} problem=${problem} />
    <${Figures} statistics=${statistics} />
    <div class="columns">
      <div>
        <${Panel} title="Steps" kind="dag-panel">
          <${Dag} steps=${definition.steps} selected=${selected}
            onSelect=${(each) => setSelected(each === selected ? null : each)} />
          <${Legend} steps=${definition.steps} />
          ${step ? html`<${StepFacts} step=${step} />`
            : definition.steps.length > 0 && html`<p class="hint panel-foot">Select a step to see its options.</p>`}
        <//>
        <${LatestRuns} slug=${slug} latest=${latest} />
      </div>
      <div>
        <${Panel} title="Start a run"><${Start} slug=${slug} definition=${definition} about=${about} /><//>
        <${Panel} title="Options"><${Options} options=${definition.options} /><//>
        ${definition.input_schema && html`<${Panel} title="Input schema"><${JsonTree} value=${definition.input_schema} /><//>`}
      </div>
    </div>`;
}

function Figures({ statistics: flow }) {
  const total = flow ? flow.started + flow.completed + flow.failed + flow.cancelled : 0;
  const window = flow?.is_cut ? "of the newest 2,000 runs" : "last 24 hours";
  return html`<div class="tiles">
    <${Tile} name="Runs" value=${flow ? `${count(total)}${flow.is_cut ? "+" : ""}` : "…"} note=${window} />
    <${Tile} name="Succeeded" value=${flow ? percent(flow.completed, flow.completed + flow.failed) : "…"}
      note=${flow ? `${count(flow.failed)} failed` : " "} />
    <${Tile} name="Median" value=${flow ? span(flow.p50_seconds) : "…"} note="from start to end" />
    <${Tile} name="95th percentile" value=${flow ? span(flow.p95_seconds) : "…"} note="from start to end" />
    <div class="tile tile-spark"><div class="tile-name">Started over time</div>
      ${flow && html`<${Spark} totals=${flow.started_parts} failures=${flow.failed_parts}
        label=${`${count(total)} runs, ${count(flow.failed)} of them failed`} />`}</div>
  </div>`;
}

/** Explain those marks that this picture has. */
function Legend({ steps }) {
  const marks = [
    [steps.some((step) => step.kind === "map"), "stack", "map: one task for each element"],
    [steps.some((step) => step.condition), "if", "runs on a condition"],
    [steps.some((step) => step.when_exhausted !== "fail"), "skip", "is skipped when it fails"],
    [steps.some((step) => step.only_after.length), "dashed", "only waits, receives nothing"],
  ].filter(([isThere]) => isThere);
  if (!marks.length) return null;
  return html`<ul class="legend">${marks.map(([, kind, text]) => html`<li key=${kind}><span class="legend-mark is-${kind}">${kind === "if" ? "if" : kind === "skip" ? "»" : ""}</span>${text}</li>`)}</ul>`;
}

const SKIPS = { fail: "the run fails", skip: "it is skipped", "skip-cascade": "it is skipped, and all that depends on it" };

export function StepFacts({ step }) {
  return html`<div class="step-facts">
    <h3>${step.step_slug}</h3>
    <dl class="pairs">
      <${Pair} name="Kind" value=${step.kind === "map" ? `map: one task for each element of ${step.map_over === "run" ? "the flow input" : step.map_over}` : "single: one task"} />
      <${Pair} name="Waits for" value=${step.dependencies.join(", ") || "nothing"} />
      <${Pair} name="Flow input" value=${step.takes_flow_input ? "is received" : "is not received"} />
      <${Pair} name="Attempts" value=${tries(step.options)} />
      <${Pair} name="Timeout" value=${`${whole(step.options.timeout)} an attempt`} />
      ${step.start_delay && html`<${Pair} name="Start delay" value=${whole(step.start_delay)} />`}
      <${Pair} name="When its attempts are used up" value=${SKIPS[step.when_exhausted]} />
      ${step.condition && html`<${Pair} name="When its condition is not met" value=${SKIPS[step.condition.when_unmet]} />`}
    </dl>
    ${step.condition?.required && html`<h4>Its input has to contain</h4><${JsonTree} value=${step.condition.required} />`}
    ${step.condition?.forbidden && html`<h4>Its input may not contain</h4><${JsonTree} value=${step.condition.forbidden} />`}
    ${step.output_schema && html`<details><summary>Output schema</summary><${JsonTree} value=${step.output_schema} /></details>`}
  </div>`;
}

const tries = (options) => options.max_attempts <= 1 ? "1"
  : options.backoff === "fixed" ? `${options.max_attempts}, after ${whole(options.base_delay)} each`
    : `${options.max_attempts}, after ${whole(options.base_delay)} at first, ${whole(options.max_delay)} at most`;

function Options({ options }) {
  return html`<dl class="pairs">
    <${Pair} name="Attempts" value=${options.max_attempts} />
    <${Pair} name=${options.backoff === "fixed" ? "Delay" : "First delay"} value=${whole(options.base_delay)} />
    ${options.backoff !== "fixed" && html`<${Pair} name="Longest delay" value=${whole(options.max_delay)} />`}
    <${Pair} name="Jitter" value=${options.jitter ? `${Math.round(options.jitter * 100)}%` : "none"} />
    <${Pair} name="Timeout" value=${`${whole(options.timeout)} an attempt`} />
  </dl>`;
}

export const Pair = ({ name, value }) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

function Start({ slug, definition, about }) {
  if (about && !about.may_act)
    return html`<p class="hint">This dashboard only shows. To start runs here: <code>pgflow ui --allow-actions</code>,
      or in a terminal: <code>pgflow start ${slug} '…'</code></p>`;
  const start = async (input) => {
    const started = await act(`/api/flows/${encodeURIComponent(slug)}/runs`, { input });
    go(runPath(started.run_id));
  };
  return html`<${InputForm} key=${JSON.stringify(definition.input_schema)} schema=${definition.input_schema}
    onSubmit=${start} label="Start a run" />`;
}

function LatestRuns({ slug, latest: { runs, problem } }) {
  const more = html`<a href=${`/runs${queryOf({ flow: slug })}`}>All runs</a>`;
  return html`<${Panel} title="Latest runs" actions=${more} kind="is-flush">
    <${ProblemNotice} problem=${problem} />
    ${!runs ? null : !runs.runs.length ? html`<p class="hint panel-foot">None yet.</p>`
      : html`<${RunList} runs=${runs.runs.slice(0, 10)} withFlow=${false} />`}
  <//>`;
}

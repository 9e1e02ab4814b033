// All flows: how many runs, how they ended, how long they took, and what waits.

import { queryOf, useLive } from "../api.js";
import { count, percent, span } from "../format.js";
import { html, useEffect } from "../html.js";
import { Spark } from "../lines.js";
import { Empty, ProblemNotice, Waiting } from "../pieces.js";
import { flowPath } from "../router.js";

const PAGE = 50;

export function FlowsPage({ query }) {
  const after = query.get("after") ?? "";
  const { flows, problem } = useLive(`/api/live/flows${queryOf({ after })}`);
  useEffect(() => {
    document.title = "Flows · pgflow";
  }, []);
  return html`<h1>Flows</h1>
    <${ProblemNotice} problem=${problem} />
    ${!flows ? !problem && html`<${Waiting} lines=${5} />`
      : !flows.length ? html`<${NoFlows} isFirst=${!after} />`
        : html`<div class="flow-list" role="list">${flows.map((each) => html`<${FlowCard} key=${each.flow.flow_slug} ...${each} />`)}</div>`}
    ${flows?.length === PAGE && html`<p class="pager"><a class="button" href=${`/flows${queryOf({ after: flows.at(-1).flow.flow_slug })}`}>More flows</a></p>`}
    ${flows?.length > 0 && html`<p class="hint">Runs of the last 24 hours; of a busy flow, the newest 2,000 of them.</p>`}`;
}

function NoFlows({ isFirst }) {
  if (!isFirst) return html`<${Empty} title="No more flows."><a href="/flows">To the first</a><//>`;
  return html`<${Empty} title="No flows yet.">
    <p>A worker defines the flows that it serves. In a terminal:</p>
    <pre class="plain">pgflow worker my_flows.py</pre><//>`;
}

function FlowCard({ flow, queue }) {
  const total = flow.started + flow.completed + flow.failed + flow.cancelled;
  const ended = flow.completed + flow.failed;
  const label = `${count(total)} runs, ${count(flow.failed)} failed`;
  return html`<div role="listitem"><a class="flow-card" href=${flowPath(flow.flow_slug)}>
    <div class="flow-name">${flow.flow_slug}</div>
    <${Spark} totals=${flow.started_parts} failures=${flow.failed_parts} label=${label} />
    <dl class="facts">
      <${Fact} name="runs" value=${`${count(total)}${flow.is_cut ? "+" : ""}`} />
      <${Fact} name="succeeded" value=${percent(flow.completed, ended)} kind=${flow.failed ? "is-failed" : ""} />
      <${Fact} name="median" value=${span(flow.p50_seconds)} />
      <${Fact} name="p95" value=${span(flow.p95_seconds)} />
      <${Fact} name="running" value=${count(flow.started)} kind=${flow.started ? "is-started" : ""} />
      <${Fact} name="queued tasks" value=${count((queue?.ready ?? 0) + (queue?.delayed ?? 0))} />
    </dl>
  </a></div>`;
}

const Fact = ({ name, value, kind = "" }) =>
  html`<div class="fact ${kind}"><dt>${name}</dt><dd>${value}</dd></div>`;

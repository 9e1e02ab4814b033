// A list of runs: a row each, the newest first.

import { useNow } from "./clock.js";
import { ago, fullTime, millis, shortId, span } from "./format.js";
import { html } from "./html.js";
import { Tags } from "./pieces.js";
import { flowPath, runPath } from "./router.js";
import { Status } from "./status.js";

export function RunList({ runs, withFlow = true }) {
  const now = useNow(runs.length > 0);
  return html`<table class="rows runs ${withFlow ? "with-flow" : ""}">
    <thead><tr><th scope="col">Status</th><th scope="col">Run</th>${withFlow && html`<th scope="col">Flow</th>`}
      <th scope="col">Started</th><th scope="col" class="is-number">Took</th><th scope="col">About</th></tr></thead>
    <tbody>${runs.map((run) => html`<${RunRow} key=${run.run_id} run=${run} now=${now} withFlow=${withFlow} />`)}</tbody>
  </table>`;
}

function RunRow({ run, now, withFlow }) {
  const until = millis(run.ended_at) ?? now;
  const isDelayed = !run.ended_at && run.delayed_until && millis(run.delayed_until) > now;
  return html`<tr class="is-${run.status}">
    <td class="run-status"><${Status} status=${run.status} /></td>
    <td class="run-id"><a class="row-link" href=${runPath(run.run_id)} title=${run.run_id}>
      <code>${shortId(run.run_id)}</code></a></td>
    ${withFlow && html`<td class="run-flow"><a href=${flowPath(run.flow_slug)} title=${run.flow_slug}>${run.flow_slug}</a></td>`}
    <td class="run-started"><time datetime=${run.started_at} title=${fullTime(run.started_at)}>${ago(run.started_at, now)}</time></td>
    <td class="run-took is-number">${isDelayed ? "delayed" : span((until - millis(run.started_at)) / 1000)}</td>
    <td class="run-about">${run.error_message
      ? html`<span class="is-error" title=${run.error_message}>${run.failed_step_slug && html`<b>${run.failed_step_slug}: </b>`}${run.error_message}</span>`
      : html`<${Tags} tags=${run.tags} />`}</td>
  </tr>`;
}

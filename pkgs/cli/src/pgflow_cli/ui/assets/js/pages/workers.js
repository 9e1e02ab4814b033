// Who works on what, what waits, and how the database fares.

import { useLive } from "../api.js";
import { useNow } from "../clock.js";
import { ago, bytes, count, fullTime, millis, percent, shortId, span } from "../format.js";
import { html, useEffect } from "../html.js";
import { LineChart } from "../lines.js";
import { Empty, Panel, ProblemNotice, Tile, Waiting } from "../pieces.js";
import { flowPath, runPath } from "../router.js";

const LINES = [["ready", "is-ready"], ["delayed", "is-delayed"], ["under way", "is-held"]];

export function WorkersPage() {
  const { workers, queues, history, health, problem } = useLive("/api/live/workers");
  useEffect(() => {
    document.title = "Workers · pgflow";
  }, []);
  if (!workers) return html`<h1>Workers</h1><${ProblemNotice} problem=${problem} />${!problem && html`<${Waiting} lines=${12} />`}`;
  return html`<h1>Workers</h1>
    <${ProblemNotice} problem=${problem} />
    <${WorkerList} workers=${workers} />
    <div class="columns is-even">
      <${Panel} title="Queue over time"><${LineChart} points=${history} lines=${LINES} label="Tasks over time" /><//>
      <${Panel} title="Queue by flow" kind="is-flush"><${Queues} queues=${queues} /><//>
    </div>
    <h2 class="section">Database</h2>
    <${Health} health=${health} />`;
}

const STATES = { alive: "alive", deprecated: "draining", lost: "lost" };

function WorkerList({ workers }) {
  const now = useNow();
  if (!workers.length) return html`<${Empty} title="No workers.">
    <p>Nothing runs the handlers of flows now. In a terminal: <code>pgflow worker my_flows.py</code></p><//>`;
  return html`<div class="worker-list">${workers.map(({ worker, load }) => html`<article class="worker is-${worker.state}" key=${worker.worker_id}>
    <header><h2>${worker.place}</h2><span class="worker-state">${STATES[worker.state]}</span></header>
    <p class="hint"><span title=${fullTime(worker.started_at)}>started ${ago(worker.started_at, now)}</span> ·
      ${" "}<span class="steady">last heard of ${ago(worker.last_heartbeat_at, now)}</span></p>
    <p class="worker-flows">${worker.flow_slugs.map((slug) => html`<a key=${slug} class="tag" href=${flowPath(slug)} title=${slug}><span class="tag-text">${slug}</span></a>`)}</p>
    <p><b>${count(load?.count ?? 0)}</b> ${load?.count === 1 ? "task" : "tasks"} under way</p>
    ${load?.tasks.length > 0 && html`<ul class="held">${load.tasks.slice(0, 6).map((task) => html`<li key="${task.run_id} ${task.step_slug} ${task.task_index}">
      <a href=${runPath(task.run_id)}>${task.step_slug}${task.task_index ? `[${task.task_index}]` : ""} <code>${shortId(task.run_id)}</code></a>
      <span class="steady">${span((now - millis(task.started_at)) / 1000)}</span></li>`)}</ul>`}
    ${worker.state === "lost" && html`<p class="is-error">Nothing was heard of it for longer than its lease: others take its tasks over.</p>`}
  </article>`)}</div>`;
}

function Queues({ queues }) {
  const busy = queues.filter((queue) => queue.ready + queue.delayed + queue.held > 0);
  if (!busy.length) return html`<p class="hint panel-foot">Nothing waits, and nothing is under way.</p>`;
  return html`<table class="rows"><thead><tr><th scope="col">Flow</th><th scope="col" class="is-number">Ready</th>
      <th scope="col" class="is-number">Delayed</th><th scope="col" class="is-number">Under way</th></tr></thead>
    <tbody>${busy.map((queue) => html`<tr key=${queue.flow_slug}><td><a href=${flowPath(queue.flow_slug)}>${queue.flow_slug}</a></td>
      <td class="is-number">${count(queue.ready)}</td><td class="is-number">${count(queue.delayed)}</td><td class="is-number">${count(queue.held)}</td></tr>`)}</tbody></table>`;
}

function Health({ health }) {
  const { server, tables, indexes, old_transactions: old } = health;
  const oldest = server.oldest_transaction_seconds;
  const bloated = indexes.filter((index) => index.size > 1e6).map((index) => ({ ...index, wasted: Math.max(0, index.size - index.needed) }));
  return html`<div class="tiles">
      <${Tile} name="Size" value=${bytes(server.size)} note=${`PostgreSQL ${server.version.split(" ")[0]}`} />
      <${Tile} name="Oldest transaction" value=${oldest === null ? "none" : span(oldest)} note=${server.hidden_sessions ? `${server.hidden_sessions} sessions are hidden from this user` : oldest > 60 ? "keeps dead rows from being removed" : "all is well"} />
      <${Tile} name="Connections" value=${count(server.connections)} note=${`of ${count(server.max_connections)}`} />
      <${Tile} name="Notification queue" value=${percent(server.notification_queue, 1)} note=${server.notification_queue > 0.5 ? "a listener does not keep up" : "full"} />
    </div>
    ${old.length > 0 && html`<${Panel} title="Transactions open for over a minute" kind="is-flush"><table class="rows"><thead><tr><th>Process</th><th>Program</th><th>State</th><th class="is-number">Open for</th><th>Latest statement</th></tr></thead>
      <tbody>${old.map((each) => html`<tr key=${each.pid}><td class="is-number">${each.pid}</td><td>${each.application || each.user || ""}</td><td>${each.state ?? ""}</td>
        <td class="is-number">${span(each.seconds)}</td><td><code class="one-line" title=${each.query}>${each.query}</code></td></tr>`)}</tbody></table><//>`}
    <div class="columns is-even">
      <${Panel} title="Tables" kind="is-flush"><table class="rows"><thead><tr><th scope="col">Table</th><th scope="col" class="is-number">Rows</th><th scope="col" class="is-number">Dead</th><th scope="col" class="is-number">Size</th><th scope="col">Vacuumed</th></tr></thead>
        <tbody>${tables.slice(0, 8).map((table) => html`<${Table} key=${table.name} table=${table} />`)}</tbody></table><//>
      <${Panel} title="Indexes of over 1 MB" kind="is-flush">${bloated.length ? html`<table class="rows"><thead><tr><th scope="col">Index</th><th scope="col" class="is-number">Size</th><th scope="col" class="is-number">Bloat</th></tr></thead>
        <tbody>${bloated.slice(0, 8).map((index) => html`<tr key=${index.name}><td class="is-name" title=${index.table}>${index.name}</td><td class="is-number">${bytes(index.size)}</td>
          <td class="is-number ${index.wasted > index.size / 2 ? "is-warned" : ""}">${index.wasted ? `about ${percent(index.wasted, index.size)}` : "none"}</td></tr>`)}</tbody></table>` : html`<p class="hint panel-foot">None has grown that far.</p>`}<//>
    </div>`;
}

function Table({ table }) {
  const now = useNow(true, 10000);
  const isDead = table.dead_rows > 10000 && table.dead_rows > table.live_rows / 2;
  return html`<tr><td class="is-name">${table.name}</td><td class="is-number">${count(table.live_rows)}</td>
    <td class="is-number ${isDead ? "is-warned" : ""}">${count(table.dead_rows)}</td><td class="is-number">${bytes(table.table_bytes + table.index_bytes)}</td>
    <td>${table.vacuumed_at ? ago(table.vacuumed_at, now) : "not yet"}</td></tr>`;
}

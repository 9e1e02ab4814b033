// Runs of all flows, the newest first, with filters; live on the first page.

import { queryOf, read, useLive, useRead } from "../api.js";
import { fullTime, startOf } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { Choices, Empty, ProblemNotice, Waiting } from "../pieces.js";
import { go } from "../router.js";
import { RunList } from "../run_list.js";

const PAGE = 50;
const STATUSES = [["", "all"], ["started", "running"], ["completed", "completed"], ["failed", "failed"], ["cancelled", "cancelled"]];
const SPANS = [["", "any time"], ["15m", "15 min"], ["1h", "hour"], ["24h", "day"], ["7d", "week"]];

export function RunsPage({ query }) {
  const filters = { flow: query.get("flow") ?? "", status: query.get("status") ?? "", since: query.get("since") ?? "", tag: query.getAll("tag") };
  const key = queryOf(filters);
  useEffect(() => {
    document.title = "Runs · pgflow";
  }, []);
  return html`<h1>Runs</h1>
    <${Filters} filters=${filters} />
    <${Found} key=${key} filters=${filters} />`;
}

const change = (filters, part) => go(`/runs${queryOf({ ...filters, ...part })}`);

function Filters({ filters }) {
  const { value: flows } = useRead("/api/flows");
  const options = [...new Set([...(flows ?? []), filters.flow].filter(Boolean))].sort();
  return html`<div class="filters">
    <label class="filter"><span>Flow</span>
      <select value=${filters.flow} onChange=${(event) => change(filters, { flow: event.target.value })}>
        <option value="">all flows</option>${options.map((slug) => html`<option key=${slug} value=${slug}>${slug}</option>`)}
      </select></label>
    <${Choices} name="Status" options=${STATUSES} value=${filters.status} onChange=${(status) => change(filters, { status })} />
    <${Choices} name="Started within" options=${SPANS} value=${filters.since} onChange=${(since) => change(filters, { since })} />
    <${TagFilter} filters=${filters} />
  </div>`;
}

function TagFilter({ filters }) {
  const [text, setText] = useState("");
  const add = (event) => {
    event.preventDefault();
    if (!/^[^=]+=/.test(text)) return;
    setText("");
    change(filters, { tag: [...filters.tag, text] });
  };
  return html`<form class="filter" onSubmit=${add}>
    <label><span>Tag</span><input id="search" placeholder="name=value" title="Press Enter to filter by it" autocomplete="off" spellcheck="false"
      value=${text} onInput=${(event) => setText(event.target.value)} /></label>
    ${filters.tag.map((tag) => html`<button type="button" class="tag" key=${tag} aria-label="Remove ${tag}"
      onClick=${() => change(filters, { tag: filters.tag.filter((each) => each !== tag) })}>${tag} ✕</button>`)}
  </form>`;
}

/** The newest runs, kept up to date, and older ones below them as they are asked for. */
function Found({ filters }) {
  const { runs: page, problem } = useLive(`/api/live/runs${queryOf(filters)}`);
  const [older, setOlder] = useState([]);
  const [anchor, setAnchor] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState(null);
  // Where older ones are shown, the list holds still: a row must not move away from the pointer.
  const first = anchor ?? page;
  const last = older.at(-1) ?? first;
  const fresh = anchor && page ? page.runs.filter((run) => run.run_id > (anchor.runs[0]?.run_id ?? "")).length : 0;
  const known = new Map((page?.runs ?? []).map((run) => [run.run_id, run]));
  const runs = [first, ...older].filter(Boolean).flatMap((each) => each.runs).map((run) => known.get(run.run_id) ?? run);

  const more = async () => {
    setBusy(true);
    setFailure(null);
    try {
      const next = await read("/api/runs", { ...filters, before: last.next });
      setAnchor(first);
      setOlder([...older, next]);
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  };
  const renew = () => {
    setAnchor(null);
    setOlder([]);
    window.scrollTo(0, 0);
  };
  if (!page) return problem ? html`<${ProblemNotice} problem=${problem} />` : html`<${Waiting} lines=${8} />`;
  return html`<${ProblemNotice} problem=${problem ?? failure} />
    ${fresh > 0 && html`<button class="fresh" onClick=${renew}>${fresh >= PAGE ? `${PAGE} or more` : fresh} newer: show them</button>`}
    ${runs.length > 0 ? html`<section class="panel is-flush"><${RunList} runs=${runs} /></section>` : html`<${NoRuns} filters=${filters} next=${last.next} />`}
    ${last.next && html`<p class="pager"><button onClick=${more} disabled=${isBusy}>${isBusy ? "Looking…" : runs.length ? "Older runs" : "Look further back"}</button>
      ${last.runs.length < PAGE && html`<span class="hint">looked back to ${fullTime(startOf(last.next))}</span>`}</p>`}`;
}

function NoRuns({ filters, next }) {
  const isFiltered = filters.flow || filters.status || filters.since || filters.tag.length;
  if (next) return html`<${Empty} title="None since ${fullTime(startOf(next))}."><//>`;
  if (!isFiltered) return html`<${Empty} title="No runs yet."><p>Start one from the page of <a href="/flows">a flow</a>.</p><//>`;
  return html`<${Empty} title="No runs match."><p><a href="/runs">All runs</a></p><//>`;
}

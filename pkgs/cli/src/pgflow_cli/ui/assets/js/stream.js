// What a step emits, as it comes: texts run on as they were written, other values are listed.

import { useLive } from "./api.js";
import { clockTime, count } from "./format.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { JsonTree } from "./json.js";
import { Choices, ProblemNotice, Waiting } from "./pieces.js";

// Pixels from the end within which a reader is taken to follow.
const NEAR_END = 40;

export function Stream({ runId, step, isMap }) {
  const path = `/api/live/runs/${encodeURIComponent(runId)}/steps/${encodeURIComponent(step)}/items`;
  const state = useLive(path);
  const { blocks, before, isEnded, problem } = state;
  const [chosen, setView] = useState(null);
  if (!blocks) return problem ? html`<${ProblemNotice} problem=${problem} />` : html`<${Waiting} />`;
  const items = blocks.flatMap((name) => state[name] ?? []);
  const isText = items.length > 0 && items.slice(0, 20).every((item) => typeof item.value === "string");
  const view = chosen ?? (isText && !isMap ? "text" : "list");
  return html`<div class="stream">
    <div class="stream-head">
      <${Choices} name="As" options=${[["text", "As text"], ["list", "As a list"]]} value=${view} onChange=${setView} />
      <span class="hint">${count(before + items.length)} ${items.length === 1 ? "item" : "items"}${isEnded ? "" : ", more may come"}</span>
    </div>
    <${ProblemNotice} problem=${problem} />
    ${before > 0 && html`<p class="hint">The first ${count(before)} are not shown.</p>`}
    <${Following} key=${view} length=${items.length}>
      ${view === "text" ? html`<pre class="plain stream-text">${items.map(textOf).join("")}</pre>`
        : items.map((item, index) => html`<${Item} key=${before + index} item=${item} isMap=${isMap} />`)}
    <//>
  </div>`;
}

/** Keep the end in sight for whoever is there already. */
function Following({ length, children }) {
  const ref = useRef(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    if (isAtEnd.current) ref.current.scrollTop = ref.current.scrollHeight;
  }, [length]);
  const note = ({ target }) => {
    isAtEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < NEAR_END;
  };
  return html`<div class="stream-items" ref=${ref} onScroll=${note} tabindex="0" role="log" aria-live="off">${children}</div>`;
}

function textOf(item) {
  const restart = item.isRestart ? `\n— attempt ${item.attempt} —\n` : "";
  return restart + (typeof item.value === "string" ? item.value : `${item.cut ?? JSON.stringify(item.value)}\n`);
}

function Item({ item, isMap }) {
  return html`${item.isRestart && html`<p class="hint">Attempt ${item.attempt} begins: what an earlier one emitted is void.</p>`}
    <div class="stream-item"><time class="steady" datetime=${item.at}>${clockTime(item.at)}</time>
      ${isMap && html`<code>[${item.index}]</code>`}
      ${item.cut ? html`<pre class="plain">${item.cut}…</pre>` : html`<${JsonTree} value=${item.value} />`}</div>`;
}

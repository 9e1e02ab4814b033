// The frame around all pages: where to go, what is shown, and the keys that lead there.

import { read, useConnectionLost } from "./api.js";
import { setClock } from "./clock.js";
import { html, render, useEffect, useState } from "./html.js";
import { FlowPage } from "./pages/flow.js";
import { FlowsPage } from "./pages/flows.js";
import { RunPage } from "./pages/run.js";
import { RunsPage } from "./pages/runs.js";
import { WorkersPage } from "./pages/workers.js";
import { Dialog, Empty } from "./pieces.js";
import { go, useRoute } from "./router.js";

const PLACES = [["flows", "Flows", "f"], ["runs", "Runs", "r"], ["workers", "Workers", "w"]];

function App() {
  const route = useRoute();
  const [about, setAbout] = useState(null);
  const [isHelp, setHelp] = useState(false);
  const isLost = useConnectionLost();
  useEffect(() => {
    read("/api/about").then((given) => {
      setClock(given.at);
      setAbout(given);
    }).catch(() => setAbout((before) => before ?? { may_act: false, database: "", version: "" }));
  }, [isLost]);
  useKeys(() => setHelp(true));
  const here = route.segments[0] ?? "flows";
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>To the content</a>
    <header class="top">
      <a class="logo" href="/flows"><img src="/assets/icon.svg" alt="" width="26" height="26" />pgflow</a>
      <nav aria-label="Pages">${PLACES.map(([path, label]) => html`<a key=${path} href="/${path}" aria-current=${here === path ? "page" : undefined}>${label}</a>`)}</nav>
      <div class="top-end">
        ${about && html`<span class="where" title="pgflow ${about.version}">${about.database}${!about.may_act && html` · <b>read-only${about.is_replica && " replica"}</b>`}</span>`}
        <button class="quiet" onClick=${() => setHelp(true)} aria-label="Keys" title="Keys (?)">?</button>
        <${ThemeButton} />
      </div>
    </header>
    <div class="lost ${isLost ? "is-shown" : ""}" role="status">${isLost && "The server does not answer. What is shown may be out of date; it is tried again."}</div>
    <main id="main" tabindex="-1">${about && html`<${Page} route=${route} about=${about} />`}</main>
    <${Dialog} title="Keys" isOpen=${isHelp} onClose=${() => setHelp(false)}><${Keys} /><//>`;
}

function Page({ route: { segments, query }, about }) {
  const [place, name] = segments;
  if (!place || (place === "flows" && !name)) return html`<${FlowsPage} query=${query} />`;
  if (place === "flows") return html`<${FlowPage} key=${name} slug=${name} about=${about} />`;
  if (place === "runs" && !name) return html`<${RunsPage} query=${query} />`;
  if (place === "runs") return html`<${RunPage} key=${name} runId=${name} about=${about} />`;
  if (place === "workers") return html`<${WorkersPage} />`;
  return html`<${Empty} title="There is no such page."><a href="/flows">To the flows</a><//>`;
}

function ThemeButton() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? "system");
  const next = { system: "light", light: "dark", dark: "system" }[theme];
  const turn = () => {
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("pgflow-theme", next);
    } catch {
      // It holds for this visit.
    }
    setTheme(next);
  };
  const mark = { system: "◐", light: "☀", dark: "☾" }[theme];
  return html`<button class="quiet" onClick=${turn} title="Theme: ${theme}" aria-label="Theme: ${theme}, change to ${next}">${mark}</button>`;
}

/** Keys that work wherever nobody types: g then a letter goes to a page, / to the filter, ? to help. */
function useKeys(showHelp) {
  useEffect(() => {
    let isGoing = false;
    const onKey = (event) => {
      const isTyping = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
      if (isTyping || event.metaKey || event.ctrlKey || event.altKey) return;
      const place = isGoing && PLACES.find(([, , key]) => key === event.key);
      isGoing = event.key === "g";
      if (place) go(`/${place[0]}`);
      else if (event.key === "?") showHelp();
      else if (event.key === "/" && document.getElementById("search")) {
        event.preventDefault();
        document.getElementById("search").focus();
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

function Keys() {
  const rows = [...PLACES.map(([, label, key]) => [["g", key], `to ${label.toLowerCase()}`]), [["/"], "filter runs by a tag"], [["Tab"], "to the next link, button or step"], [["Enter"], "open it, or select a step"], [["?"], "these keys"]];
  return html`<dl class="keys">${rows.map(([keys, text]) => html`<div key=${text}><dt>${keys.map((key) => html`<kbd key=${key}>${key}</kbd>`)}</dt><dd>${text}</dd></div>`)}</dl>`;
}

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);

// Which page is shown: the path and the query of the address.

import { useEffect, useState } from "./html.js";

const listeners = new Set();

function tell() {
  for (const listener of listeners) listener();
}

window.addEventListener("popstate", tell);

// Links within the dashboard change the page without loading it anew.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (!link || !isPlain || event.defaultPrevented || link.target || link.hasAttribute("download"))
    return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || url.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(url.pathname + url.search);
});

/** Show another page. */
export function go(path, { replace = false } = {}) {
  const same = path === location.pathname + location.search;
  if (replace) history.replaceState(null, "", path);
  else if (!same) history.pushState(null, "", path);
  tell();
  if (!replace && !same) {
    window.scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }
}

/** Return the segments of the path and its query, anew whenever they change. */
export function useRoute() {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const listener = () => setRoute(read());
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return route;
}

function read() {
  const segments = location.pathname.split("/").filter(Boolean).map(decode);
  return { segments, query: new URLSearchParams(location.search) };
}

function decode(segment) {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export const flowPath = (slug) => `/flows/${encodeURIComponent(slug)}`;
export const runPath = (runId) => `/runs/${encodeURIComponent(runId)}`;

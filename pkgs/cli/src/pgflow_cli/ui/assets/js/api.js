// Reading and acting: JSON over HTTP, and streams of events for what is looked at.

import { useEffect, useState } from "./html.js";

/** What went wrong, as the server tells it. */
export class Problem extends Error {
  constructor(kind, message, status = 0) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

/** Make a query of what has a value. */
export function queryOf(given) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given))
    for (const each of [value].flat()) if (each !== null && each !== undefined && each !== "")
      query.append(name, each);
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** Read once. */
export function read(path, query = {}) {
  return ask(path + queryOf(query), {});
}

/** Do something. */
export function act(path, body = {}) {
  return ask(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-pgflow-action": "1" },
    body: JSON.stringify(body),
  });
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, credentials: "same-origin" });
  } catch {
    throw new Problem("Unreachable", "The dashboard's server does not answer. Is it still running?");
  }
  if (response.status === 401) location.assign("/login");
  const text = await response.text();
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    // What is no JSON comes from something in between.
  }
  if (!response.ok) {
    const error = value?.error ?? { kind: "Failed", message: `The server answered ${response.status}.` };
    throw new Problem(error.kind, error.message, response.status);
  }
  return value;
}

/** Read once, when shown and whenever `key` changes. Returns { value, problem, again }. */
export function useRead(path, query = {}) {
  const key = path && path + queryOf(query);
  const [state, setState] = useState({ key: null, value: null, problem: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (!key) return undefined;
    let isCurrent = true;
    ask(key, {})
      .then((value) => isCurrent && setState({ key, value, problem: null }))
      .catch((problem) => isCurrent && setState({ key, value: null, problem }));
    return () => {
      isCurrent = false;
    };
  }, [key, round]);
  const current = state.key === key ? state : { value: null, problem: null };
  return { ...current, again: () => setRound(round + 1) };
}

const RETRY = 3000;
const connection = { lost: 0, listeners: new Set() };

function noteConnection(change) {
  connection.lost += change;
  for (const listener of connection.listeners) listener(connection.lost > 0);
}

/** Tell whether what is shown may be out of date, since the server does not answer. */
export function useConnectionLost() {
  const [isLost, setLost] = useState(connection.lost > 0);
  useEffect(() => {
    connection.listeners.add(setLost);
    return () => connection.listeners.delete(setLost);
  }, []);
  return isLost;
}

/**
 * Follow a topic for as long as it is shown and the tab is looked at: a browser has few connections
 * to a server, and a tab that nobody sees needs none. Returns the latest value of each section.
 */
export function useLive(path) {
  const [state, setState] = useState({ path: null, sections: {} });
  useEffect(() => {
    if (!path) return undefined;
    const following = new Following(path, (changed) =>
      setState((before) => ({
        path,
        sections: { ...(before.path === path ? before.sections : {}), ...changed },
      })),
    );
    return () => following.end();
  }, [path]);
  return state.path === path ? state.sections : {};
}

class Following {
  constructor(path, take) {
    this.path = path;
    this.take = take;
    this.isLost = false;
    this.onVisibility = () => (document.hidden ? this.close() : this.open());
    document.addEventListener("visibilitychange", this.onVisibility);
    if (!document.hidden) this.open();
  }

  open() {
    if (this.source) return;
    const source = new EventSource(this.path);
    this.source = source;
    source.onopen = () => this.setLost(false);
    source.onerror = () => {
      this.setLost(true);
      // It tries again by itself, unless the answer was an error.
      if (source.readyState === EventSource.CLOSED) {
        this.close();
        this.timer = setTimeout(() => document.hidden || this.open(), RETRY);
        // Says so if the token is missing, and leads to where it is asked for.
        read("/api/about").catch(() => {});
      }
    };
    source.onmessage = (event) => this.take(JSON.parse(event.data));
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  setLost(isLost) {
    if (isLost !== this.isLost) noteConnection(isLost ? 1 : -1);
    this.isLost = isLost;
  }

  end() {
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.close();
    this.setLost(false);
  }
}

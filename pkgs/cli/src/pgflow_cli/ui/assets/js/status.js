// Statuses by word, shape and colour: whoever does not see one of them sees the others.

import { html } from "./html.js";

const SHAPES = {
  created: "M8 3.2a4.8 4.8 0 1 1 0 9.6a4.8 4.8 0 0 1 0-9.6",
  queued: "M8 3.2a4.8 4.8 0 1 1 0 9.6a4.8 4.8 0 0 1 0-9.6M8 5.6V8l1.8 1.2",
  started: "M8 2.6a5.4 5.4 0 0 1 5.4 5.4",
  completed: "M3.4 8.4l3 3l6.2-6.6",
  failed: "M4.2 4.2l7.6 7.6M11.8 4.2l-7.6 7.6",
  skipped: "M3.6 4.4l4 3.6l-4 3.6M8.4 4.4l4 3.6l-4 3.6",
  cancelled: "M3.4 8a4.6 4.6 0 1 1 9.2 0a4.6 4.6 0 0 1-9.2 0M4.8 11.2l6.4-6.4",
};
const WORDS = { created: "waiting", started: "running" };

export const statusWord = (status) => WORDS[status] ?? status;

/** The shape of a status, for a place within an SVG. */
export function statusPath(status) {
  return html`<path class="shape" d=${SHAPES[status] ?? SHAPES.created} />`;
}

export function StatusIcon({ status }) {
  return html`<svg class="icon is-${status}" viewBox="0 0 16 16" width="16" height="16"
    aria-hidden="true">${statusPath(status)}</svg>`;
}

export function Status({ status }) {
  return html`<span class="status is-${status}"><${StatusIcon} status=${status} />
    ${statusWord(status)}</span>`;
}

// What happened to a run, as sentences.

import { clockTime, count } from "./format.js";
import { html, useState } from "./html.js";
import { Waiting } from "./pieces.js";
import { StatusIcon } from "./status.js";

const SHOWN = 12;
// Characters of a sentence. The whole of a message is at the top, and with its attempt.
const LONG = 240;

const SENTENCES = {
  RunStarted: (event) => ["started", `The run of ${event.flow_slug} started`],
  RunReopened: () => ["started", "The run goes on"],
  StepStarted: (event) => ["started", `${event.step_slug} started${event.tasks === 1 ? "" : `, ${count(event.tasks)} tasks`}`],
  AttemptsFailed: (event) => ["failed", `${event.step_slug}: ${event.failed_attempts === 1 ? "an attempt" : `${count(event.failed_attempts)} attempts`} failed so far`],
  MapProgressed: (event) => ["started", `${event.step_slug}: ${count(event.done)} of ${count(event.total)}`],
  StepCompleted: (event) => ["completed", `${event.step_slug} completed`],
  StepFailed: (event) => ["failed", `${event.step_slug} failed: ${event.error_message ?? ""}`],
  StepSkipped: (event) => ["skipped", `${event.step_slug} was skipped (${(event.reason ?? "").replaceAll("_", " ")})`],
  StepCancelled: (event) => ["cancelled", `${event.step_slug} was cancelled`],
  RunEnded: (event) => [event.status, `The run ${event.status === "cancelled" ? "was cancelled" : event.status}${event.error_message ? `: ${event.error_message}` : ""}`],
};

export function EventList({ events }) {
  const [isWhole, setWhole] = useState(false);
  if (!events) return html`<${Waiting} />`;
  if (!events.length) return html`<p class="hint">None are told to this user, who may read but not follow runs.</p>`;
  const latest = [...events].reverse();
  const shown = isWhole ? latest : latest.slice(0, SHOWN);
  return html`<ol class="events">${shown.map((event, index) => {
      const [status, text] = SENTENCES[event.event]?.(event) ?? ["created", event.event];
      return html`<li key=${latest.length - index}><${StatusIcon} status=${status} />
        <span class="event-text pre" title=${text.length > LONG ? text : undefined}>${text.length > LONG ? `${text.slice(0, LONG)}…` : text}</span>${event.at && html`<time class="steady" datetime=${event.at}>${clockTime(event.at)}</time>`}</li>`;
    })}</ol>
    ${latest.length > SHOWN && html`<button class="quiet" onClick=${() => setWhole(!isWhole)}>${isWhole ? "Only the latest" : `${latest.length - SHOWN} earlier`}</button>`}`;
}

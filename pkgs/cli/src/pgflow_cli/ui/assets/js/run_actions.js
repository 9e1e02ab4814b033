// What may be done to a run: cancel it, retry it, or repeat it from a step.

import { act } from "./api.js";
import { html, useState } from "./html.js";
import { Dialog } from "./pieces.js";

export function RunActions({ runId, progress, about, selected }) {
  const [asked, setAsked] = useState(null);
  if (!about?.may_act) return null;
  const isLive = progress.status === "started";
  const canRetry = progress.status === "failed" || progress.status === "cancelled";
  return html`<div class="actions">
    ${canRetry && html`<button class="primary" onClick=${() => setAsked("retry")}>Retry</button>`}
    <button onClick=${() => setAsked("restart")}>Restart from…</button>
    ${isLive && html`<button class="is-dangerous" onClick=${() => setAsked("cancel")}>Cancel</button>`}
    <${Dialog} title=${TITLES[asked] ?? ""} isOpen=${asked !== null} onClose=${() => setAsked(null)}>
      <${Question} asked=${asked} runId=${runId} progress=${progress} selected=${selected} onDone=${() => setAsked(null)} />
    <//>
  </div>`;
}

const TITLES = { retry: "Retry the run", restart: "Restart from a step", cancel: "Cancel the run" };
const WORDS = {
  retry: "Steps that failed or were cancelled start afresh, with all their attempts. What was completed stays.",
  restart: "The step and all that depends on it are repeated; other steps keep their outputs. Work that is under way on them is cancelled.",
  cancel: "What waits ends at once. Handlers that are under way are told to stop, and their results are not taken.",
};

function Question({ asked, runId, progress, selected, onDone }) {
  const slugs = progress.steps.map((step) => step.step_slug);
  const [step, setStep] = useState(selected ?? progress.failed_step_slug ?? slugs[0]);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const body = { restart: { step }, cancel: reason.trim() ? { reason: reason.trim() } : {}, retry: {} }[asked];
      await act(`/api/runs/${encodeURIComponent(runId)}/${asked}`, body);
      onDone();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return html`<form class="form" onSubmit=${submit}>
    <p>${WORDS[asked]}</p>
    ${asked === "restart" && html`<label class="field"><span class="field-name">Step</span>
      <select value=${step} onChange=${(event) => setStep(event.target.value)}>${slugs.map((slug) => html`<option key=${slug} value=${slug}>${slug}</option>`)}</select></label>`}
    ${asked === "cancel" && html`<label class="field"><span class="field-name">Reason, for others to read</span>
      <input value=${reason} maxlength="500" onInput=${(event) => setReason(event.target.value)} /></label>`}
    ${problem && html`<p class="field-problem" role="alert">${problem.message}</p>`}
    <div class="form-end"><button class=${asked === "cancel" ? "primary is-dangerous" : "primary"} disabled=${isBusy} autofocus>${TITLES[asked]}</button></div>
  </form>`;
}

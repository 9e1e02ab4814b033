// A value of a run: its size, and its text when it is asked for, or at once where it is small.

import { queryOf, useRead } from "./api.js";
import { bytes } from "./format.js";
import { html, useState } from "./html.js";
import { JsonText } from "./json.js";
import { CopyButton, ProblemNotice, Waiting } from "./pieces.js";

const AT_ONCE = 20000;

/**
 * Show a value. `size` is what is known of it, in bytes as it is stored: null where there is none,
 * undefined where nobody has measured. `version` changes when the value may have.
 */
export function Value({ runId, kind, step, index, size, version = "", absent = "There is none." }) {
  const [isWanted, setWanted] = useState(false);
  const isShown = size === undefined || (size !== null && size <= AT_ONCE) || isWanted;
  const path = `/api/runs/${encodeURIComponent(runId)}/value`;
  const query = { kind, step, index };
  const { value, problem, again } = useRead(isShown ? path : null, { ...query, v: version });
  if (size === null) return html`<p class="hint">${absent}</p>`;
  if (!isShown)
    return html`<p><button onClick=${() => setWanted(true)}>Show ${bytes(size)}</button></p>`;
  if (problem) return html`<${ProblemNotice} problem=${problem} again=${again} />`;
  if (!value) return html`<${Waiting} lines=${2} />`;
  if (value.size === null) return html`<p class="hint">${absent}</p>`;
  const save = path + queryOf({ ...query, save: "1" });
  if (value.text === null)
    return html`<p class="hint">${bytes(value.size)} are too much for a page. <a href=${save} download>Save it as a file</a></p>`;
  return html`<div class="value">
    <${JsonText} text=${value.text} key=${value.text.length} />
    <div class="value-end"><${CopyButton} text=${() => value.text} /><a class="quiet" href=${save} download>Save</a></div>
  </div>`;
}

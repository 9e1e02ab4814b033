// JSON as a tree that is folded where it is long. Numbers are shown as they were written.

import { html, useMemo, useState } from "./html.js";

const CHUNK = 100;
const LONG_TEXT = 300;
// What is shorter than this, as text, is shown open.
const OPEN_UP_TO = 400;

/** A number that no float holds exactly, kept as its digits. */
class Digits {
  constructor(text) {
    this.text = text;
  }
}

/** Parse JSON, and keep the digits of numbers that would be rounded. */
export function parse(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === "number" && context?.source && String(value) !== context.source &&
    Number(context.source).toString() !== context.source && isRounded(context.source, value)
      ? new Digits(context.source)
      : value,
  );
}

function isRounded(source, value) {
  const digits = (text) => text.replace(/[eE].*$/, "").replace(/[-+.]/g, "").replace(/^0+|0+$/g, "");
  return !Number.isFinite(value) || digits(source) !== digits(String(value));
}

export function JsonText({ text }) {
  const parsed = useMemo(() => {
    try {
      return { value: parse(text) };
    } catch {
      return null;
    }
  }, [text]);
  if (!parsed) return html`<pre class="plain">${text}</pre>`;
  return html`<${JsonTree} value=${parsed.value} />`;
}

export function JsonTree({ value }) {
  return html`<div class="json"><${Node} value=${value} depth=${0} /></div>`;
}

function Node({ name, value, depth }) {
  const label = name === undefined ? null : html`<span class="json-name">${name}</span>`;
  if (value === null || typeof value !== "object" || value instanceof Digits)
    return html`<div class="json-row">${label}<${Leaf} value=${value} /></div>`;
  return html`<${Branch} label=${label} value=${value} depth=${depth} />`;
}

function Branch({ label, value, depth }) {
  const isList = Array.isArray(value);
  const keys = isList ? null : Object.keys(value);
  const size = isList ? value.length : keys.length;
  const [isOpen, setOpen] = useState(depth < 2 && size > 0 && isShort(value));
  const [shown, setShown] = useState(CHUNK);
  const [left, right] = isList ? ["[", "]"] : ["{", "}"];
  if (!size) return html`<div class="json-row">${label}<span class="json-mark">${left}${right}</span></div>`;
  const entries = isList
    ? value.slice(0, shown).map((each, index) => [index, each])
    : keys.slice(0, shown).map((key) => [key, value[key]]);
  return html`<div class="json-branch">
    <button class="json-fold" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
      <span class="json-arrow" aria-hidden="true">${isOpen ? "▾" : "▸"}</span>${label}
      <span class="json-mark">${isOpen ? left : `${left}…${right}`}</span>
      <span class="json-size">${size} ${isList ? "items" : size === 1 ? "key" : "keys"}</span>
    </button>
    ${isOpen && html`<div class="json-children">
      ${entries.map(([key, each]) => html`<${Node} key=${key} name=${key} value=${each} depth=${depth + 1} />`)}
      ${size > shown && html`<button class="quiet" onClick=${() => setShown(shown + CHUNK)}>
        ${size - shown} more</button>`}
    </div>`}
  </div>`;
}

function Leaf({ value }) {
  const [isWhole, setWhole] = useState(false);
  if (value instanceof Digits) return html`<span class="json-number">${value.text}</span>`;
  if (typeof value !== "string") return html`<span class="json-${typeof value}">${String(value)}</span>`;
  const isLong = value.length > LONG_TEXT;
  const shown = isLong && !isWhole ? value.slice(0, LONG_TEXT) : value;
  return html`<span class="json-string">${JSON.stringify(shown).slice(1, -1).replaceAll("\\n", "\n").replaceAll('\\"', '"')}</span>
    ${isLong && html`<button class="quiet" onClick=${() => setWhole(!isWhole)}>
      ${isWhole ? "less" : `… ${value.length - LONG_TEXT} more characters`}</button>`}`;
}

function isShort(value) {
  let left = OPEN_UP_TO;
  const walk = (each) => {
    left -= 1;
    if (left < 0) return;
    if (typeof each === "string") left -= each.length;
    else if (each && typeof each === "object") for (const inner of Object.values(each)) walk(inner);
  };
  walk(value);
  return left > 0;
}

// Small things that every page is made of.

import { html, useEffect, useRef, useState } from "./html.js";

/** A notice of what went wrong, in words. */
export function ProblemNotice({ problem, again }) {
  if (!problem) return null;
  return html`<div class="notice is-bad" role="alert">
    <p>${problem.message}</p>
    ${again && html`<button onClick=${again}>Try again</button>`}
  </div>`;
}

export function Notice({ children, kind = "" }) {
  return html`<div class="notice ${kind}">${children}</div>`;
}

/** What a place is for while there is nothing in it. */
export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children}</div>`;
}

/** A place that is kept for what is still being read. */
export function Waiting({ lines = 3 }) {
  return html`<div class="waiting" aria-label="Loading" role="status">
    ${Array.from({ length: lines }, () => html`<div class="waiting-line"></div>`)}
  </div>`;
}

export function Panel({ title, actions, children, kind = "" }) {
  return html`<section class="panel ${kind}" aria-label=${title}>
    ${title && html`<header class="panel-head"><h2>${title}</h2>${actions}</header>`}
    ${children}
  </section>`;
}

export function Tile({ name, value, note, title }) {
  return html`<div class="tile" title=${title}>
    <div class="tile-name">${name}</div>
    <div class="tile-value">${value}</div>
    <div class="tile-note">${note ?? " "}</div>
  </div>`;
}

/** A button that copies a text, and says that it did. */
export function CopyButton({ text, label = "Copy" }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      // Where the clipboard is not to be had, the text can be selected.
    }
  };
  return html`<button class="quiet" onClick=${copy}>${isCopied ? "Copied" : label}</button>`;
}

/** Choices side by side, of which one is taken. */
export function Choices({ name, options, value, onChange }) {
  return html`<div class="choices" role="group" aria-label=${name}>
    ${options.map(([key, label]) => html`<button key=${key} aria-pressed=${key === value}
      onClick=${() => onChange(key)}>${label}</button>`)}
  </div>`;
}

/** A question before something is done, in the browser's own dialog element. */
export function Dialog({ title, isOpen, onClose, children }) {
  const ref = useRef(null);
  useEffect(() => {
    const dialog = ref.current;
    if (isOpen && !dialog.open) dialog.showModal();
    if (!isOpen && dialog.open) dialog.close();
  }, [isOpen]);
  return html`<dialog ref=${ref} onClose=${onClose} aria-label=${title}
    onClick=${(event) => event.target === ref.current && onClose()}>
    <div class="dialog-body">
      <header class="dialog-head"><h2>${title}</h2>
        <button class="quiet" aria-label="Close" onClick=${onClose}>✕</button></header>
      ${isOpen && children}
    </div>
  </dialog>`;
}

/** Tags as small labels. */
export function Tags({ tags }) {
  return Object.entries(tags ?? {}).map(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return html`<span class="tag" key=${name} title=${`${name}=${text}`}>
      <span class="tag-name">${name}</span><span class="tag-text">${text}</span></span>`;
  });
}

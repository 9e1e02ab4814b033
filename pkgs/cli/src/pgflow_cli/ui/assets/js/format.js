// Numbers, spans and instants, as people read them.

const digits = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const dayTime = new Intl.DateTimeFormat(undefined, {
  month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});

export const LIMIT = 10000;

/** 1,234 or, from 100,000 on, 123.4K; a count that ended at its limit is marked. */
export function count(number) {
  if (number === null || number === undefined) return "–";
  if (number === LIMIT) return "10,000+";
  return number < 100000 ? digits.format(number) : compact.format(number);
}

export function percent(part, total) {
  if (!total) return "–";
  const share = (100 * part) / total;
  if (share > 99 && share < 100) return "> 99%";
  return `${share < 10 && share > 0 ? share.toFixed(1) : Math.round(share)}%`;
}

/** 4 ms, 1.2 s, 34 s, 5 min 3 s, 2 h 10 min, 3 d 4 h. */
export function span(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  const s = Math.max(0, seconds);
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** A span of whole seconds as somebody set it: 5 s, 90 s, 2 min, 1 h, 36 h, 7 d. */
export function whole(seconds) {
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([size]) => seconds >= size && seconds % size === 0) ?? [1, "s"];
  return `${seconds / size} ${unit}`;
}

export function bytes(number) {
  if (number === null || number === undefined) return "–";
  if (number < 1000) return `${number} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = number;
  let unit = "";
  for (unit of units) {
    value /= 1000;
    if (value < 999.5) break;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

export const millis = (text) => (text ? Date.parse(text) : null);
export const clockTime = (text) => time.format(new Date(text));
export const fullTime = (text) => dateTime.format(new Date(text));

/** "12 s ago" while it is fresh, then the day and the time. */
export function ago(text, now) {
  const seconds = (now - Date.parse(text)) / 1000;
  if (seconds < 1) return "just now";
  if (seconds < 3600) return `${span(Math.floor(seconds)).replace(/ \d+ s$/, "").replace(".0", "")} ago`;
  return dayTime.format(new Date(text));
}

/** When a run was started, as its id tells: the first 48 bits of a UUIDv7 are milliseconds. */
export const startOf = (id) => new Date(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toISOString();

/** The beginning, which tells the time of a run, and the end, which tells it from others. */
export const shortId = (id) => `${id.slice(0, 8)}…${id.slice(-4)}`;

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

// Small pictures of numbers over time.

import { html } from "./html.js";

const WIDTH = 120;
const HEIGHT = 28;

/** How many runs were started over time, and which part of them failed. */
export function Spark({ totals, failures, label }) {
  const most = Math.max(1, ...totals);
  const step = WIDTH / totals.length;
  const bar = (value, index, kind) => {
    if (!value) return null;
    const height = Math.max(1.5, (value / most) * (HEIGHT - 2));
    return html`<rect class=${kind} x=${index * step + 0.5} y=${HEIGHT - height} rx="1"
      width=${step - 1} height=${height} />`;
  };
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${label}
    preserveAspectRatio="none">
    <title>${label}</title>
    <line class="spark-base" x1="0" x2=${WIDTH} y1=${HEIGHT - 0.5} y2=${HEIGHT - 0.5} />
    ${totals.map((value, index) => bar(value, index, "spark-total"))}
    ${failures.map((value, index) => bar(value, index, "spark-failed"))}
  </svg>`;
}

/** Lines over time. `points` are [instant, ...numbers]; `lines` are [name, class] of each number. */
export function LineChart({ points, lines, label }) {
  const width = 640;
  const height = 160;
  if (points.length < 2)
    return html`<div class="chart-wait">The line begins as soon as this server has measured twice.</div>`;
  const from = Date.parse(points[0][0]);
  const until = Date.parse(points.at(-1)[0]);
  const most = niceMost(Math.max(1, ...points.flatMap((point) => point.slice(1))));
  const x = (instant) => ((Date.parse(instant) - from) / Math.max(1, until - from)) * width;
  const y = (value) => height - (value / most) * (height - 6);
  const path = (place) =>
    points.map((point, index) => `${index ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[place]).toFixed(1)}`).join("");
  return html`<figure class="chart">
    <div class="chart-most">${most.toLocaleString("en")}</div>
    <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label=${label}>
      <line class="chart-grid" x1="0" x2=${width} y1=${y(most)} y2=${y(most)} />
      <line class="chart-grid" x1="0" x2=${width} y1=${y(most / 2)} y2=${y(most / 2)} />
      <line class="chart-base" x1="0" x2=${width} y1=${height - 0.5} y2=${height - 0.5} />
      ${lines.map(([name, kind], index) => html`<path key=${name} class="chart-line ${kind}" d=${path(index + 1)} />`)}
    </svg>
    <figcaption>
      ${lines.map(([name, kind], index) => html`<span key=${name} class="chart-key ${kind}">
        ${name} <b>${points.at(-1)[index + 1]}</b></span>`)}
      <span class="chart-span">last ${spanOf(until - from)}</span>
    </figcaption>
  </figure>`;
}

function niceMost(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((each) => each * power).find((each) => each >= value);
}

function spanOf(millis) {
  const minutes = Math.round(millis / 60000);
  return minutes < 1 ? "minute" : minutes < 60 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

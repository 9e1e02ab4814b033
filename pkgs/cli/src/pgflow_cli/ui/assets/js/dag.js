// A flow as a picture: steps as boxes, dependencies as arrows. dagre finds the places.

import { Graph, layout } from "../vendor/dagre.js";
import { html, useLayoutEffect, useMemo } from "./html.js";
import { statusPath, statusWord } from "./status.js";
import { useWidth } from "./width.js";

const CHARACTER = 7.9;
// Characters of a name; of a longer one the picture has its beginning and its end.
const LONGEST_NAME = 40;
const HEIGHT = 46;
const PADDING = 44;
// From so many steps on, the tidiest order of ranks takes many seconds, and a good one takes one.
const MANY = 150;
// A picture is made smaller to fit, but not so small that nobody reads it.
const SMALLEST = 0.62;
const LARGEST = 1.2;

/** Find the places of steps and edges. `towards` is "LR" or "TB". */
export function place(steps, towards) {
  const graph = new Graph();
  graph.setGraph({ rankdir: towards, nodesep: 22, ranksep: 54, marginx: 14, marginy: 16,
    ranker: steps.length < MANY ? "network-simplex" : "tight-tree" });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const step of steps) {
    const longest = Math.max(shorten(step.step_slug).length, captionLength(step));
    graph.setNode(step.step_slug, { width: Math.max(112, longest * CHARACTER + PADDING), height: HEIGHT });
  }
  for (const step of steps)
    for (const dependency of step.dependencies) graph.setEdge(dependency, step.step_slug);
  layout(graph);
  const edges = graph.edges().map((edge) => ({ from: edge.v, to: edge.w, points: graph.edge(edge).points }));
  return {
    ...extentOf(graph.graph(), edges),
    nodes: new Map(steps.map((step) => [step.step_slug, graph.node(step.step_slug)])),
    edges,
  };
}

/** How far a picture reaches: an edge around a step may leave what dagre says. */
function extentOf({ width = 0, height = 0 }, edges) {
  const points = edges.flatMap((edge) => edge.points);
  const least = (key) => Math.min(0, ...points.map((point) => point[key] - 4));
  const most = (key, own) => Math.max(Number.isFinite(own) ? own : 0, ...points.map((point) => point[key] + 4));
  const [left, top] = [least("x"), least("y")];
  return { left, top, width: most("x", width) - left, height: most("y", height) - top };
}

const shorten = (name) => name.length <= LONGEST_NAME ? name : `${name.slice(0, 24)}…${name.slice(-15)}`;

/** The line below a step's name. What depends on a run has room for the longest that may come. */
function captionLength(step) {
  return step.kind === "map" ? 17 : 0;
}

/**
 * Draw a flow. `progress` maps slugs to where the steps of a run stand; without it the picture is
 * of the flow itself.
 */
export function Dag({ steps, progress, selected, onSelect }) {
  const [width, ref] = useWidth();
  const isNarrow = width > 0 && width < 560;
  const towards = isNarrow ? "TB" : "LR";
  const key = JSON.stringify(steps.map((step) => [step.step_slug, step.kind, step.dependencies]));
  const placed = useMemo(() => place(steps, towards), [key, towards]);
  const scale = width ? Math.max(SMALLEST, Math.min(LARGEST, width / placed.width)) : 1;
  const isMeasured = width > 0;
  // A picture that is larger than its place begins where something happens, or where the flow does.
  useLayoutEffect(() => {
    const busy = steps.find((step) => ["started", "failed"].includes(progress?.get(step.step_slug)?.status));
    const node = placed.nodes.get((busy ?? steps[0])?.step_slug);
    if (!isMeasured || !node) return;
    ref.current.scrollLeft = (node.x - placed.left) * scale - ref.current.clientWidth / 3;
    ref.current.scrollTop = (node.y - placed.top) * scale - ref.current.clientHeight / 2;
  }, [placed, isMeasured]);
  const bySlug = new Map(steps.map((step) => [step.step_slug, step]));
  return html`<div class="dag" ref=${ref} tabindex="-1">
    <svg viewBox="${placed.left} ${placed.top} ${placed.width} ${placed.height}" width=${placed.width * scale}
      height=${placed.height * scale} role="group" aria-label="The flow's steps">
      <defs>
        <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse"
          orient="auto-start-reverse"><path class="dag-arrow" d="M0.5 0.8L7 4L0.5 7.2z" /></marker>
      </defs>
      ${placed.edges.map((edge) => html`<${Edge} key=${`${edge.from} ${edge.to}`} edge=${edge}
        step=${bySlug.get(edge.to)} isDone=${isDone(progress, edge.from)} />`)}
      ${steps.map((step) => html`<${StepNode} key=${step.step_slug} step=${step}
        box=${placed.nodes.get(step.step_slug)} state=${progress?.get(step.step_slug)}
        isRun=${Boolean(progress)} isSelected=${selected === step.step_slug}
        onSelect=${onSelect} />`)}
    </svg>
  </div>`;
}

const isDone = (progress, slug) =>
  ["completed", "skipped"].includes(progress?.get(slug)?.status);

function Edge({ edge, step, isDone: wasPassed }) {
  const onlyOrders = step.only_after.includes(edge.from);
  const isMapped = step.map_over === edge.from;
  const what = onlyOrders
    ? `${edge.to} runs after ${edge.from}, and does not receive its output`
    : isMapped
      ? `${edge.to} runs once for each element of what ${edge.from} returns`
      : `${edge.to} receives the output of ${edge.from}`;
  const kinds = ["dag-edge", onlyOrders && "only-orders", isMapped && "is-mapped", wasPassed && "is-passed"];
  return html`<path class=${kinds.filter(Boolean).join(" ")} d=${curve(edge.points)} marker-end="url(#arrow)">
    <title>${what}</title></path>`;
}

/** A smooth line through the points that dagre gave. */
function curve(points) {
  if (points.length < 3) return `M${points.map((point) => `${point.x} ${point.y}`).join("L")}`;
  let path = `M${points[0].x} ${points[0].y}`;
  for (let index = 1; index < points.length - 1; index += 1) {
    const { x, y } = points[index];
    const next = points[index + 1];
    const isLast = index === points.length - 2;
    path += `Q${x} ${y} ${isLast ? next.x : (x + next.x) / 2} ${isLast ? next.y : (y + next.y) / 2}`;
  }
  return path;
}

function StepNode({ step, box, state, isRun, isSelected, onSelect }) {
  const left = box.x - box.width / 2;
  const top = box.y - box.height / 2;
  const status = isRun ? (state?.status ?? "created") : "plain";
  const isMap = step.kind === "map";
  const select = () => onSelect?.(step.step_slug);
  const caption = captionOf(step, state);
  return html`<g class="dag-step is-${status} ${isSelected ? "is-selected" : ""}" tabindex=${onSelect ? 0 : undefined}
    role=${onSelect ? "button" : "img"} aria-pressed=${onSelect ? isSelected : undefined}
    aria-label=${describe(step, state)} transform="translate(${left} ${top})" onClick=${select}
    onKeyDown=${(event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), select())}>
    <title>${describe(step, state)}</title>
    ${isMap && html`<rect class="dag-shadow" x="6" y="-6" width=${box.width} height=${box.height} rx="9" />
      <rect class="dag-shadow" x="3" y="-3" width=${box.width} height=${box.height} rx="9" />`}
    <rect class="dag-box" width=${box.width} height=${box.height} rx="9" />
    ${isMap && state && html`<${Progress} state=${state} width=${box.width} height=${box.height} />`}
    <svg class="icon is-${status}" x="10" y=${caption ? 8 : 15} width="16" height="16" viewBox="0 0 16 16">
      ${isRun ? statusPath(status) : isMap ? html`<path class="shape" d="M3 4.5h10M3 8h10M3 11.5h10" />`
        : html`<circle class="shape" cx="8" cy="8" r="2.6" />`}</svg>
    <text class="dag-name" x="32" y=${caption ? 20 : 27}>${shorten(step.step_slug)}</text>
    ${caption && html`<text class="dag-caption" x="32" y="36">${caption}</text>`}
    <${Badges} step=${step} width=${box.width} height=${box.height} />
  </g>`;
}

function Progress({ state, width, height }) {
  const done = state.tasks_total ? state.tasks_done / state.tasks_total : 0;
  return html`<g class="dag-progress"><rect class="dag-track" x="10" y=${height - 6} width=${width - 20} height="3" rx="1.5" />
    <rect class="dag-done" x="10" y=${height - 6} width=${(width - 20) * done} height="3" rx="1.5" /></g>`;
}

/** Marks of what makes a step conditional, at its upper edge, and of what its failure does. */
function Badges({ step, width, height }) {
  const skips = { skip: "skips if it fails", "skip-cascade": "skips on if it fails" };
  const exhausted = skips[step.when_exhausted];
  return html`${step.condition && html`<g class="dag-badge is-condition" transform="translate(${width - 30} -9)">
      <rect width="22" height="17" rx="8.5" /><text x="11" y="12.4">if</text></g>`}
    ${exhausted && html`<g class="dag-badge is-skip" transform="translate(${width - 22} ${height - 10})">
      <rect width="18" height="17" rx="8.5" /><path d="M5.5 5.4l3.4 3.1l-3.4 3.1M9.4 5.4l3.4 3.1l-3.4 3.1" /></g>`}`;
}

function captionOf(step, state) {
  if (step.kind !== "map") return null;
  if (!state || state.tasks_total === null) return "map";
  return `${state.tasks_done.toLocaleString("en")} of ${state.tasks_total.toLocaleString("en")}`;
}

const UNMET = { fail: "otherwise the run fails", skip: "otherwise it is skipped",
  "skip-cascade": "otherwise it is skipped, and all that depends on it" };
const EXHAUSTED = { skip: "is skipped when its attempts are used up",
  "skip-cascade": "is skipped with all that depends on it when its attempts are used up" };

/** Say in a sentence what the picture of a step shows. */
export function describe(step, state) {
  const parts = [step.step_slug];
  if (state) parts.push(statusWord(state.status));
  if (step.kind === "map")
    parts.push(state?.tasks_total === null || !state ? "one task for each element"
      : `${state.tasks_done} of ${state.tasks_total} tasks are completed`);
  if (step.condition) parts.push(`runs on a condition, ${UNMET[step.condition.when_unmet]}`);
  if (EXHAUSTED[step.when_exhausted]) parts.push(EXHAUSTED[step.when_exhausted]);
  return parts.join("; ");
}

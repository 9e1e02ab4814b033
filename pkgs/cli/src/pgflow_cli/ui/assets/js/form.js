// A form made from a JSON Schema.

import { html, useId, useState } from "./html.js";
import { FieldProblem, fieldsOf, fromJson, initial, jsonText, kindOf, resolve, toText, variantsOf } from "./schema.js";

/**
 * A form for the input of a flow. `onSubmit` gets the JSON text; what it throws is shown.
 * A flow without a schema, or whoever prefers it, gets a field for JSON.
 */
export function InputForm({ schema, onSubmit, label }) {
  const hasSchema = Boolean(schema) && Object.keys(schema).length > 0;
  const [isText, setText] = useState(!hasSchema || kindOf(resolve(schema, schema)) === "json");
  const [value, setValue] = useState(() => (hasSchema ? initial(schema, schema) : undefined));
  const [text, setJson] = useState(isText ? "null" : "");
  const [problem, setProblem] = useState(null);
  const [isBusy, setBusy] = useState(false);

  const make = () => (isText ? jsonText(text) : toText(value, schema, schema));
  const turn = () => {
    try {
      const made = make();
      if (isText) setValue(fromJson(JSON.parse(made), schema, schema));
      else setJson(JSON.stringify(JSON.parse(made), null, 2));
    } catch {
      // What is not complete stays behind; the other view begins with what it had.
      if (!isText) setJson("");
    }
    setProblem(null);
    setText(!isText);
  };
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await onSubmit(make());
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  const general = problem && !(problem instanceof FieldProblem && problem.path.length) ? problem.message : null;
  return html`<form class="form" onSubmit=${submit} novalidate>
    ${isText
      ? html`<label class="field"><span class="field-name">Input as JSON</span>
          <textarea rows="8" spellcheck="false" value=${text} onInput=${(event) => setJson(event.target.value)}></textarea></label>`
      : html`<${Field} schema=${schema} root=${schema} value=${value} onChange=${setValue} path=${[]}
          problem=${problem} depth=${0} />`}
    ${general && html`<p class="field-problem" role="alert">${isText || problem instanceof FieldProblem ? `The input ${general}` : general}</p>`}
    <div class="form-end">
      <button class="primary" disabled=${isBusy}>${isBusy ? "Starting…" : label}</button>
      ${hasSchema && html`<button type="button" class="quiet" onClick=${turn}>${isText ? "As a form" : "As JSON"}</button>`}
    </div>
  </form>`;
}

function Field({ schema, root, name, value, onChange, path, problem, isRequired = true, depth }) {
  const found = resolve(schema, root);
  const id = useId();
  const kind = kindOf(found, depth);
  const title = name ?? found.title ?? "Input";
  const own = problem instanceof FieldProblem && problem.path.join(" ") === path.join(" ") && path.length ? problem.message : null;
  if (!isRequired && value === undefined)
    return html`<div class="field is-absent"><span class="field-name">${title}</span>
      <button type="button" class="quiet" onClick=${() => onChange(initial(found, root, depth))}>add</button>
      <${Hint} text=${found.description} /></div>`;
  const drop = !isRequired && html`<button type="button" class="quiet" onClick=${() => onChange(undefined)}>leave out</button>`;
  const inner = { schema: found, root, value, onChange, path, problem, depth, id, own, title };
  if (kind === "object" || kind === "array" || kind === "variants") {
    const Parts = { object: ObjectParts, array: ArrayParts, variants: VariantParts }[kind];
    return html`<fieldset class="field ${path.length ? "" : "is-root"}">
      ${path.length > 0 && html`<legend>${title} ${drop}</legend>`}
      <${Hint} text=${found.description} /><${Parts} ...${inner} />${own && kind !== "variants" && html`<p class="field-problem" role="alert">${own}</p>`}
    </fieldset>`;
  }
  const isSwitch = kind === "boolean";
  return html`<div class="field ${isSwitch ? "is-switch" : ""}">
    <label for=${id} class="field-name">${title}${!isRequired && html` ${drop}`}</label>
    <${Plain} kind=${kind} ...${inner} /><${Hint} text=${found.description} />
    ${own && html`<p class="field-problem" role="alert" id="${id}-problem">${title} ${own}</p>`}
  </div>`;
}

const Hint = ({ text }) => text && html`<p class="hint">${String(text)}</p>`;

const INPUT_TYPES = { date: "date", email: "email", uri: "url", time: "time" };

function Plain({ kind, schema, value, onChange, id, own }) {
  const shared = { id, "aria-invalid": Boolean(own), "aria-describedby": own ? `${id}-problem` : undefined };
  const onInput = (event) => onChange(event.target.value);
  switch (kind) {
    case "enum":
      return html`<select ...${shared} value=${String(schema.enum.indexOf(value))}
        onChange=${(event) => onChange(schema.enum[Number(event.target.value)])}>
        ${schema.enum.map((each, index) => html`<option value=${String(index)}>${typeof each === "string" ? each : JSON.stringify(each)}</option>`)}
      </select>`;
    case "const":
      return html`<input ...${shared} disabled value=${String(value)} />`;
    case "boolean":
      return html`<input ...${shared} type="checkbox" checked=${value} onChange=${(event) => onChange(event.target.checked)} />`;
    case "null":
      return html`<span class="hint">null</span>`;
    case "integer":
    case "number":
      return html`<input ...${shared} inputmode=${kind === "integer" ? "numeric" : "decimal"} autocomplete="off"
        placeholder=${bounds(schema)} value=${value} onInput=${onInput} />`;
    case "json":
      return html`<textarea ...${shared} rows="4" spellcheck="false" value=${value} onInput=${onInput}></textarea>`;
    default:
      return isLongText(schema)
        ? html`<textarea ...${shared} rows="3" value=${value} onInput=${onInput}></textarea>`
        : html`<input ...${shared} type=${INPUT_TYPES[schema.format] ?? "text"} autocomplete="off"
            placeholder=${schema.examples?.[0] ?? ""} value=${value} onInput=${onInput} />`;
  }
}

const isLongText = (schema) => schema.maxLength > 200 || String(schema.default ?? "").includes("\n");

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  const least = minimum ?? exclusiveMinimum;
  const most = maximum ?? exclusiveMaximum;
  if (least !== undefined && most !== undefined) return `${least} to ${most}`;
  if (least !== undefined) return `${minimum === undefined ? "more than" : "at least"} ${least}`;
  return most === undefined ? "" : `at most ${most}`;
}

function ObjectParts({ schema, root, value, onChange, path, problem, depth }) {
  return fieldsOf(schema).map(({ name, schema: inner, isRequired }) => html`<${Field} key=${name} name=${name}
    schema=${inner} root=${root} value=${value[name]} isRequired=${isRequired} path=${[...path, name]}
    problem=${problem} depth=${depth + 1} onChange=${(each) => onChange({ ...value, [name]: each })} />`);
}

function ArrayParts({ schema, root, value, onChange, path, problem, depth }) {
  const replace = (index, each) => onChange(value.map((old, place) => (place === index ? each : old)));
  return html`<div class="items">
    ${value.map((each, index) => html`<div class="item" key=${index}>
      <${Field} name=${String(index)} schema=${schema.items} root=${root} value=${each} path=${[...path, index]}
        problem=${problem} depth=${depth + 1} onChange=${(changed) => replace(index, changed)} />
      <button type="button" class="quiet" aria-label="Remove ${index}"
        onClick=${() => onChange(value.filter((_, place) => place !== index))}>✕</button></div>`)}
    <button type="button" class="quiet" onClick=${() => onChange([...value, initial(schema.items, root, depth + 1)])}>
      ${value.length ? "one more" : "add one"}</button>
  </div>`;
}

function VariantParts({ schema, root, value, onChange, path, problem, depth }) {
  const variants = variantsOf(schema, root);
  const choose = (index) => onChange({ variant: index, value: initial(variants[index], root, depth + 1) });
  const chosen = variants[value.variant];
  return html`<select aria-label="Kind" value=${String(value.variant)} onChange=${(event) => choose(Number(event.target.value))}>
      ${variants.map((each, index) => html`<option value=${String(index)}>${each.title ?? each.type ?? `kind ${index + 1}`}</option>`)}
    </select>
    ${kindOf(chosen, depth) !== "null" && html`<${Field} key=${value.variant} name=${chosen.title ?? chosen.type ?? "value"} schema=${chosen}
      root=${root} value=${value.value} path=${path.length ? path : ["value"]} problem=${problem} depth=${depth + 1}
      onChange=${(each) => onChange({ ...value, value: each })} />`}`;
}

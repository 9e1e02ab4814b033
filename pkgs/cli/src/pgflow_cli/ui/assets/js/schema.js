// JSON Schemas as forms see them: which field a schema asks for, and the JSON text of what was typed.

const PLAIN = ["string", "integer", "number", "boolean", "null"];
const DEEPEST = 6;

/** Follow references within a schema, and merge what stands beside them. */
export function resolve(schema, root, depth = 0) {
  if (!schema || typeof schema !== "object" || depth > 20) return {};
  if (schema.$ref) {
    const path = schema.$ref.replace(/^#\//, "").split("/").map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));
    const target = path.reduce((at, part) => at?.[part], root);
    const { $ref: _, ...beside } = schema;
    return { ...resolve(target, root, depth + 1), ...beside };
  }
  if (schema.allOf?.length === 1) {
    const { allOf, ...beside } = schema;
    return { ...resolve(allOf[0], root, depth + 1), ...beside };
  }
  return schema;
}

/** Tell which kind of field serves a schema; "json" is a text field for whatever there is no other for. */
export function kindOf(schema, depth = 0) {
  if (depth > DEEPEST) return "json";
  if (Array.isArray(schema.enum)) return "enum";
  if ("const" in schema) return "const";
  if (schema.anyOf || schema.oneOf) return "variants";
  const type = Array.isArray(schema.type) ? null : schema.type;
  if (type === "object") return schema.properties && Object.keys(schema.properties).length ? "object" : "json";
  if (type === "array") return schema.items && !schema.prefixItems ? "array" : "json";
  return PLAIN.includes(type) ? type : "json";
}

/** Return the variants of a schema, and whether one of them is null. */
export function variantsOf(schema, root) {
  return (schema.anyOf ?? schema.oneOf).map((each) => resolve(each, root));
}

/** Return the fields of an object: the required ones first, in their order. */
export function fieldsOf(schema) {
  const required = (schema.required ?? []).filter((name) => name in schema.properties);
  const others = Object.keys(schema.properties).filter((name) => !required.includes(name));
  return [...required, ...others].map((name) => ({
    name, schema: schema.properties[name], isRequired: required.includes(name),
  }));
}

/**
 * Return what a form holds at first. What is typed into a field of numbers is kept as a text, so
 * that no digit is lost; `undefined` is a field that is left out.
 */
export function initial(schema, root, depth = 0) {
  const found = resolve(schema, root);
  if ("default" in found) return fromJson(found.default, found, root);
  switch (kindOf(found, depth)) {
    case "const": return found.const;
    case "enum": return found.enum[0];
    case "string": return "";
    case "integer":
    case "number": return "";
    case "boolean": return false;
    case "null": return null;
    case "array": return [];
    case "object": return Object.fromEntries(fieldsOf(found).map(({ name, schema: inner, isRequired }) =>
      [name, isRequired || "default" in resolve(inner, root) ? initial(inner, root, depth + 1) : undefined]));
    case "variants": return { variant: 0, value: initial(variantsOf(found, root)[0], root, depth + 1) };
    default: return "null";
  }
}

/** Turn a JSON value into what the form of a schema holds for it. */
export function fromJson(value, schema, root, depth = 0) {
  const found = resolve(schema, root);
  switch (kindOf(found, depth)) {
    case "integer":
    case "number": return value === null || value === undefined ? "" : String(value);
    case "array": return Array.isArray(value) ? value.map((each) => fromJson(each, found.items, root, depth + 1)) : [];
    case "object": return Object.fromEntries(fieldsOf(found).map(({ name, schema: inner }) =>
      [name, value && name in value ? fromJson(value[name], inner, root, depth + 1) : undefined]));
    case "variants": {
      const variants = variantsOf(found, root);
      const index = Math.max(0, variants.findIndex((each) => fits(value, each)));
      return { variant: index, value: fromJson(value, variants[index], root, depth + 1) };
    }
    case "json": return JSON.stringify(value, null, 2);
    default: return value;
  }
}

function fits(value, schema) {
  if (schema.const !== undefined) return schema.const === value;
  if (schema.enum) return schema.enum.includes(value);
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  return schema.type === type || (type === "number" && schema.type === "integer");
}

/** What keeps a form from being sent: a message, and the path of the field. */
export class FieldProblem extends Error {
  constructor(message, path) {
    super(message);
    this.path = path;
  }
}

/** Return the JSON text of what a form holds. */
export function toText(value, schema, root, path = [], depth = 0) {
  const found = resolve(schema, root);
  switch (kindOf(found, depth)) {
    case "integer": return numberText(value, /^-?(0|[1-9]\d*)$/, "a whole number, such as 42", path);
    case "number": return numberText(value, /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/, "a number, such as 4.2", path);
    case "array": return `[${value.map((each, index) => toText(each, found.items, root, [...path, index], depth + 1)).join(",")}]`;
    case "object": {
      const parts = fieldsOf(found).filter(({ name }) => value[name] !== undefined).map(({ name, schema: inner }) =>
        `${JSON.stringify(name)}:${toText(value[name], inner, root, [...path, name], depth + 1)}`);
      return `{${parts.join(",")}}`;
    }
    case "variants": return toText(value.value, variantsOf(found, root)[value.variant], root, path, depth + 1);
    case "json": return jsonText(value, path);
    case "string": return stringText(value, found, path);
    default: return JSON.stringify(value);
  }
}

function stringText(value, schema, path) {
  if (schema.minLength && value.length < schema.minLength)
    throw new FieldProblem(schema.minLength === 1 ? "may not be empty" : `needs at least ${schema.minLength} characters`, path);
  return JSON.stringify(value);
}

function numberText(value, pattern, wanted, path) {
  const text = String(value).trim();
  if (!pattern.test(text)) throw new FieldProblem(text ? `is not ${wanted}` : `needs ${wanted}`, path);
  return text;
}

export function jsonText(value, path = []) {
  try {
    JSON.parse(value);
  } catch (error) {
    throw new FieldProblem(`is not JSON: ${error.message}`, path);
  }
  return value;
}

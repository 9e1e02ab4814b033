// Elements as tagged templates. Every value becomes text or an attribute, never markup.

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export { render } from "../vendor/preact.js";
export * from "../vendor/hooks.js";
export const html = htm.bind(h);

// A form out of a schema: whatever the schema has appears, a new field needs nothing here.

import { el } from "./dom.js";

const QUANTITY = /^([\d.]+(?:e[+-]?\d+)?)(.*)$/i;
const STEPS = 4; // of a slider in an octave
const OCTAVES = 7; // of a slider to each side of the example
let lists = 0;

// A slider beside a number as people write it: in equal ratios from what stands there, or from 0 to 1 for a share.
export function slider(input, entry, moved, about) {
  const share = entry.exclusiveMaximum !== undefined && entry.exclusiveMaximum <= 1.01;
  const start = () => QUANTITY.exec(String(input.value || entry.default || (entry.examples || [])[0] || ""));
  if (!share && !(Number(start()?.[1]) > 0)) return null;
  const knob = el("input", {
    type: "range", "aria-label": `${about}, slider`, ...(share ? { min: 0, max: 0.95, step: 0.05, value: input.value || 0 }
      : { min: -OCTAVES * STEPS, max: OCTAVES * STEPS, step: 1, value: 0 }),
  });
  let [said, at, base, suffix] = [null, 0, 1, ""];
  const text = () => {
    if (share) return String(Number(knob.value));
    if (input.value !== said || said === null) { // somebody has typed: from there on
      const now = start() || [null, 1, ""];
      [base, suffix] = [Number(now[1]) / 2 ** (at / STEPS), now[2]];
    }
    at = Number(knob.value);
    const found = base * 2 ** (at / STEPS);
    return `${entry.type === "integer" ? Math.max(Math.round(found), 1) : Number(found.toPrecision(found >= 100 && !suffix ? 3 : 2))}${suffix}`;
  };
  const say = (moving) => {
    said = input.value = text();
    knob.setAttribute("aria-valuetext", said);
    moved(moving);
  };
  knob.addEventListener("input", () => say(true));
  knob.addEventListener("change", () => moved(false));
  return knob;
}

function control(name, entry, value, names, changed, prefix) {
  const id = `${prefix}-${name}`;
  const about = `${id}-about`;
  const common = { id, name, "aria-describedby": about };
  if (entry.type === "boolean") {
    const box = el("input", { ...common, type: "checkbox", onchange: () => changed(false) });
    box.checked = value === undefined ? Boolean(entry.default) : String(value) === "true";
    return [box, null];
  }
  if (entry.enum) {
    const box = el("select", { ...common, onchange: () => changed(false) }, entry.enum.map((c) => el("option", { value: c }, c)));
    box.value = value ?? entry.default ?? entry.enum[0];
    return [box, null];
  }
  const known = names[{ systems: "system", on: "system", train_on: "system", against: "system", models: "model", kv_precision: "precision", fill: "traffic", prefill_on: "system" }[name] || name];
  const list = known ? `list-${(lists += 1)}` : null;
  const example = (entry.examples || [])[0];
  const box = el("input", {
    ...common, type: "text", autocomplete: "off", spellcheck: "false", list, value: value ?? "",
    placeholder: entry.default !== undefined ? String(entry.default) : example ? `e.g. ${example}` : "",
    onchange: () => changed(false),
  });
  const options = known && el("datalist", { id: list }, known.map((n) => el("option", { value: n })));
  return [box, options];
}

// What is written on the form, by name; what is at its default is left out.
export function written(form, properties) {
  const found = {};
  for (const [name, entry] of Object.entries(properties)) {
    const box = form.elements.namedItem(name);
    if (!box) continue;
    if (box.type === "checkbox") {
      if (box.checked !== Boolean(entry.default)) found[name] = box.checked;
    } else if (box.value.trim() !== "" && box.value.trim() !== String(entry.default ?? "")) found[name] = box.value.trim();
  }
  return found;
}

// Put an address's values on the form.
export function show(form, properties, values) {
  for (const [name, entry] of Object.entries(properties)) {
    const box = form.elements.namedItem(name);
    if (!box) continue;
    if (box.type === "checkbox") box.checked = name in values ? String(values[name]) === "true" : Boolean(entry.default);
    else box.value = values[name] ?? (box.tagName === "SELECT" ? entry.default ?? "" : "");
  }
}

export function makeForm(properties, values, names, { first, rest = true, changed: tell, about, prefix = "f" }) {
  let last = 0; // Enter in a field is a change and then a submission: one question
  const changed = (moving) => { last = performance.now(); tell(moving); };
  const row = (name) => {
    const entry = properties[name];
    const [box, options] = control(name, entry, values[name], names, changed, prefix);
    const typed = String((entry.examples || [])[0] || "").includes("/"); // its unit is typed with it: 4.49/h
    const title = (entry.title || name.replaceAll("_", " ")) + (entry.unit && !typed ? ` [${entry.unit}]` : "");
    const knob = box.type === "text" && first.includes(name) && (entry.unit || entry.type !== "string") ? slider(box, entry, changed, title) : null;
    return el(box.type === "checkbox" ? "div.field.tick" : "div.field", {},
      el("label", { for: box.id }, title), box, options, knob, el("small", { id: `${box.id}-about` }, entry.description || ""));
  };
  const known = Object.keys(properties).filter((n) => n !== "config" && n !== "why");
  const later = rest ? known.filter((n) => !first.includes(n)) : [];
  const more = el("details", {}, el("summary", {}, `All options (${later.length} more)`), later.map(row));
  more.open = later.some((n) => n in values);
  const form = el("form", { "aria-label": about, onsubmit: (e) => { e.preventDefault(); if (performance.now() - last > 100) changed(false); } },
    first.filter((n) => n in properties).map(row), later.length ? more : null,
    el("button.go", { type: "submit" }, "Answer"));
  return form;
}

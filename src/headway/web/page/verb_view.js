// A view that asks one verb: its form, how far it is, its answer or the refusal; the address is its question.

import { ask, stream } from "./api.js";
import { el, fill } from "./dom.js";
import { makeForm, show, written } from "./form.js";
import { paste, progress, refused } from "./parts.js";
import { given, pasted, remember } from "./state.js";

export const tabs = (here, links) => el("nav.tabs", { "aria-label": "Questions of this view" },
  links.map(([href, text]) => el("a", { href, "data-link": true, "aria-current": href === here ? "page" : null }, text)));

// `results` makes what shows an answer: { box, show(found) }; `own` are keys of the address that are no option of the verb; `explained`: whether
// these values have an answer with --why.
export function verbView(place, schemas, names, { verb, title, lead, start, first, results, own = [], fixed = {}, above = null, beside = null, prefix = "f", ready = () => true, explained = () => true }) {
  const { config, own_chip, cases, ...every } = schemas[verb].properties;
  const properties = Object.fromEntries(Object.entries(every).filter(([k]) => !(k in fixed)));
  const { lane } = schemas[verb];
  const order = [...Object.keys(properties), ...own];
  const trouble = el("div");
  let values = state();
  let stop = null;
  let form = null;
  const bar = progress(() => stop?.abort());
  const typed = (k, v) => (properties[k].type === "boolean" ? String(v) === "true" : v);
  const question = () => ({ ...Object.fromEntries(Object.entries(values).filter(([k]) => k in properties).map(([k, v]) => [k, typed(k, v)])), ...fixed });
  const shown = results({
    csv: schemas[verb].table ? () => [verb, question()] : null,
    at: (name) => values[name],
    keep(name, value) {
      values = { ...values, [name]: value };
      remember(values, order, { replace: true });
    },
  });
  shown.box.hidden = true;

  function state() {
    const found = given();
    return Object.keys(found).some((k) => order.includes(k)) ? found : { ...start };
  }

  async function run() {
    stop?.abort();
    const mine = (stop = new AbortController());
    if (!ready()) return;
    place.setAttribute("aria-busy", "true");
    try {
      const body = { ...question(), ...(properties.why && explained(values) ? { why: true } : {}), ...(cases ? { cases: ready() } : {}) };
      const found = await (lane === "long" ? stream(verb, body, bar.tell, mine.signal) : ask(verb, body, { signal: mine.signal }));
      if (mine !== stop) return;
      fill(trouble);
      shown.box.hidden = false;
      await shown.show(found);
    } catch (error) {
      if (mine !== stop) return;
      if (error.name === "AbortError") { fill(trouble, el("p.quiet", { role: "status" }, "Cancelled.")); return; }
      if (!error.kind) throw error;
      shown.box.hidden = true;
      fill(trouble, refused(error, take));
    } finally {
      if (mine === stop) { bar.hide(); place.removeAttribute("aria-busy"); }
    }
  }

  function changed(moving) {
    values = { ...written(form, properties), ...Object.fromEntries(own.filter((k) => values[k]).map((k) => [k, values[k]])) };
    remember(values, order, { replace: moving });
    if (!moving || lane === "short") run();
  }

  function take(change) {
    for (const [name, value] of Object.entries(change)) {
      const box = form.elements.namedItem(name);
      if (box) box.value = value ?? "";
    }
    changed(false);
  }

  form = makeForm(properties, values, names, { first, about: title, changed, prefix });
  fill(place, el("div.view", {}, el("aside", {}, beside, form, config ? paste(() => take({ model: "pasted" }), pasted) : null),
    el("div", {}, el("h1", {}, title), el("p.lead", {}, lead), above,
      el("button.jump", { type: "button", onclick: () => form.scrollIntoView() }, "Change the question"), bar.box, trouble, shown.box)));
  run();
  return {
    run,
    leave() { stop?.abort(); shown.leave?.(); },
    moved() {
      values = state();
      show(form, properties, values);
      run();
    },
  };
}

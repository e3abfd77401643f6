// Latency and cost against batch: what a pass is made of, where it stops getting cheaper, what memory holds.

import { ask, newest } from "./api.js";
import { Chart, vega } from "./chart.js";
import { el, fill } from "./dom.js";
import { makeForm, show, written } from "./form.js";
import { paste, refused, sameThing } from "./parts.js";
import { lead, results, title } from "./results_curve.js";
import { besides } from "./results_plans.js";
import { given, pasted, remember } from "./state.js";

const FIRST = ["model", "system", "context", "output", "precision", "engine", "layout", "price"];
const OWN = {
  with_model: { type: "string", title: "beside: another model", description: "Another model, side by side." },
  with_system: { type: "string", title: "beside: another system", description: "Another system, side by side." },
};

export function open(place, schemas, names, first) {
  const { against, points, stacked, own_chip, ...asked } = schemas.curve.properties;
  const properties = { ...asked, lines: { type: "boolean", title: "terms as lines", description: "Each resource's own time as lines (log scales) instead of areas that sum to the step." }, ...OWN };
  const order = [...Object.keys(properties)];
  const { points: many, stacked: areas, why, ...start } = first.body;
  const trouble = el("div");
  const other = new Chart("comparison");
  const side = el("section", { "aria-label": "Side by side", hidden: true });
  const question = () => Object.fromEntries(Object.entries(values).filter(([k]) => k in asked && k !== "why"));
  const body = () => ({ ...question(), points: many, stacked: String(values.lines) !== "true", why: true });
  const shown = results({
    at: () => values.at, csv: () => ["curve", { ...question(), points: many }],
    keep(batch) {
      values = { ...values, at: batch };
      remember(values, [...order, "at"], { replace: true });
    },
  });
  const sameBoth = sameThing("comparison", { chart: other });
  let values = state();
  let form = null;

  function state() {
    const found = given();
    return Object.keys(found).some((k) => k in properties || k === "at") ? found : { ...start };
  }

  // The first answer came with the page.
  const alike = (a, b) => Object.keys({ ...a, ...b }).every((k) => String(a[k]) === String(b[k]));
  const answered = async () => (first.found && alike(body(), first.body) ? first.found : ask("curve", body()));

  const paint = newest(async () => {
    shown.chart.figure.setAttribute("aria-busy", "true");
    try {
      const found = await answered();
      fill(trouble);
      await shown.show(found);
    } catch (error) {
      if (!error.kind) throw error;
      shown.hide();
      fill(trouble, refused(error, take));
    } finally {
      shown.chart.figure.removeAttribute("aria-busy");
    }
  });

  const compare = newest(async () => {
    side.hidden = ![values.with_model, values.with_system].some(Boolean);
    if (side.hidden) return;
    const both = (a, b) => [...new Set([a, b].filter(Boolean))].join(",");
    try {
      const found = await ask("plan", { ...question(), model: both(values.model, values.with_model), system: both(values.system, values.with_system) });
      const { plans = [found.answer], refused: left = [] } = found.answer;
      sameBoth.show(found);
      fill(side, el("h2", {}, "Side by side"), other.figure, besides(plans), left.map((l) => el("p.refusal", { role: "alert" }, `${l.what}: ${l.why}`)), sameBoth.box);
      await other.draw(found.figure);
    } catch (error) {
      if (!error.kind) throw error;
      fill(side, el("h2", {}, "Side by side"), refused(error, take));
    }
  });

  const run = () => { compare(); return paint(); };

  function take(change) {
    for (const [name, value] of Object.entries(change)) {
      const box = form.elements.namedItem(name);
      if (box) box.value = value ?? "";
    }
    values = written(form, properties);
    remember(values, [...order, "at"]);
    run();
  }

  function changed(moving) {
    const { at } = values;
    values = { ...written(form, properties), ...(at ? { at } : {}) };
    remember(values, [...order, "at"], { replace: moving });
    run();
  }

  const beside = el("aside");
  fill(place, el("div.view", {}, beside,
    el("div", {}, el("h1", {}, title),
      el("p.lead", {}, lead),
      el("button.jump", { type: "button", onclick: () => form.scrollIntoView() }, "Change the question"), trouble, shown.box, side)));

  function build() { // after the first chart: nobody waits for lists of names
    form = makeForm(properties, values, { ...names, with_model: names.model, with_system: names.system },
      { first: [...FIRST, "with_model", "with_system", "lines"], about: "Model, machine and load", changed });
    fill(beside, form, paste(() => take({ model: "pasted" }), pasted));
  }
  vega();
  const drawing = run();
  if (first.found && alike(body(), first.body)) drawing.then(build, build); else build();
  return {
    moved() {
      values = state();
      if (form) show(form, properties, values);
      run();
    },
  };
}

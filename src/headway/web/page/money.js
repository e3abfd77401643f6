// What speed costs and what tokens cost: tiers on the curve of all layouts, and input, cached input and output apart.

import { ask, newest, stream } from "./api.js";
import { Chart } from "./chart.js";
import { el, fill } from "./dom.js";
import { makeForm, show, written } from "./form.js";
import { shown } from "./numbers.js";
import { facts, grid, paste, progress, refused, sameThing } from "./parts.js";
import { lead, results } from "./results_tiers.js";
import { given, pasted, remember } from "./state.js";
import { tabs } from "./verb_view.js";

export const LINKS = [["/money", "Speed and tokens"], ["/money/self-host", "Rent or an API"], ["/money/infer", "Prices read backwards"]];

const START = { model: "llama-3.1-70b", system: "h200x8" };
const FIRST = ["model", "system", "prompt", "output", "tiers", "standard", "margin", "against", "hits", "precision", "engine", "price"];

export function open(place, schemas, names) {
  const properties = { ...schemas.cost.properties, ...schemas.tiers.properties, against: schemas.cost.properties.against };
  delete properties.points;
  const order = Object.keys(properties);
  let values = state();
  let stop = null;
  const tokens = new Chart("cost");
  const costed = el("div");
  const [trouble, otherTrouble] = [el("div"), el("div")];
  const otherResults = el("div", { hidden: true });
  const bar = progress(() => stop?.abort());

  function state() {
    const found = given();
    return Object.keys(found).some((k) => k in properties) ? found : { ...START };
  }
  const only = (verb) => Object.fromEntries(Object.entries(values).filter(([k]) => k in schemas[verb].properties && k !== "points")
    .map(([k, v]) => [k, schemas[verb].properties[k].type === "boolean" ? String(v) === "true" : v]));
  const { config, own_chip, ...known } = properties;
  const sheet = results({ csv: () => ["tiers", only("tiers")] });
  sheet.box.hidden = true;
  const otherSame = sameThing("cost", { chart: tokens, csv: () => ["cost", only("cost")] });

  async function tiers() {
    stop?.abort();
    const mine = (stop = new AbortController());
    sheet.chart.figure.setAttribute("aria-busy", "true");
    try {
      const found = await stream("tiers", only("tiers"), bar.tell, mine.signal);
      fill(trouble);
      sheet.box.hidden = false;
      await sheet.show(found);
    } catch (error) {
      if (mine !== stop) return;
      if (error.name === "AbortError") { fill(trouble, el("p.quiet", { role: "status" }, "Cancelled.")); return; }
      if (!error.kind) throw error;
      sheet.box.hidden = true;
      fill(trouble, refused(error, take));
    } finally {
      if (mine === stop) { bar.hide(); sheet.chart.figure.removeAttribute("aria-busy"); }
    }
  }

  const costs = newest(async () => {
    try {
      const found = await ask("cost", only("cost"));
      fill(otherTrouble);
      otherResults.hidden = false;
      otherSame.show(found);
      fill(costed, kinds(found.answer));
      await tokens.draw(found.figure);
    } catch (error) {
      if (!error.kind) throw error;
      otherResults.hidden = true;
      fill(otherTrouble, refused(error, take));
    }
  });

  const run = (moving) => { costs(); if (!moving) tiers(); };
  const form = makeForm(known, values, names, {
    first: FIRST, about: "Model, machine, load and tiers",
    changed: (moving) => { values = written(form, known); remember(values, order, { replace: moving }); run(moving); },
  });

  function take(change) {
    for (const [name, value] of Object.entries(change)) {
      const box = form.elements.namedItem(name);
      if (box) box.value = value ?? "";
    }
    values = written(form, known);
    remember(values, order);
    run(false);
  }

  fill(otherResults, tokens.figure, costed, otherSame.box);
  fill(place, el("div.view", {}, el("aside", {}, form, paste(() => take({ model: "pasted" }), pasted)),
    el("div", {}, el("h1", {}, "Money"), tabs("/money", LINKS),
      el("p.lead", {}, `${lead} Below: what a token of input, cached input and output costs where they share passes.`),
      el("button.jump", { type: "button", onclick: () => form.scrollIntoView() }, "Change the question"), el("h2", {}, "Price of speed"), bar.box, trouble, sheet.box, el("h2", {}, "Cost of tokens"), otherTrouble, otherResults)));
  run(false);
  return {
    leave: () => stop?.abort(),
    moved() {
      values = state();
      show(form, known, values);
      run(false);
    },
  };
}

const WHY = {
  average: "Its share of the passes by what they are spent on, over its tokens: the kinds sum to the rent.",
  marginal: "What one more token of that kind adds to the passes.",
};

function kinds(a) {
  return el("div", {}, grid("Where they share passes", ["kind", "average", "marginal", "floor", "share of the rent"], a.kinds.map((k) => [
    k.name, shown(k.average_dollars_per_mtok, "$/Mtok"), shown(k.marginal_dollars_per_mtok, "$/Mtok"), shown(k.floor_dollars_per_mtok, "$/Mtok"), shown(k.rent_share, "share")])),
  facts(`${a.model} on ${a.system} as ${a.layout}`, [
    ["rent", shown(a.rent_dollars_per_s * 3600, "$"), "an hour", WHY.average],
    ["carries", `${shown(a.requests_per_s)} requests/s`, `${shown(a.in_flight)} in flight`, WHY.marginal],
    ["output, all in", shown(a.all_output_dollars_per_mtok, "$/Mtok"), "prompts counted to the output"],
    ["busy", shown(a.busy, "share"), "of the load it carries"],
  ]));
}

// What speed costs and what tokens cost: tiers on the curve of all layouts, and input, cached input and output apart.

import { ask, newest, stream } from "./api.js";
import { Chart } from "./chart.js";
import { el, fill } from "./dom.js";
import { makeForm, show, written } from "./form.js";
import { shown } from "./numbers.js";
import { facts, grid, paste, progress, refused, sameThing } from "./parts.js";
import { given, pasted, remember } from "./state.js";

const START = { model: "llama-3.1-70b", system: "h200x8" };
const FIRST = ["model", "system", "prompt", "output", "tiers", "standard", "margin", "against", "hits", "precision", "engine", "price"];

export function open(place, schemas, names) {
  const properties = { ...schemas.cost.properties, ...schemas.tiers.properties, against: schemas.cost.properties.against };
  delete properties.points;
  const order = Object.keys(properties);
  let values = state();
  let stop = null;
  const speed = new Chart("tiers");
  const tokens = new Chart("cost");
  const [designed, costed] = [el("div"), el("div")];
  const [trouble, otherTrouble] = [el("div"), el("div")];
  const [results, otherResults] = [el("div", { hidden: true }), el("div", { hidden: true })];
  const bar = progress(() => stop?.abort());

  function state() {
    const found = given();
    return Object.keys(found).some((k) => k in properties) ? found : { ...START };
  }
  const only = (verb) => Object.fromEntries(Object.entries(values).filter(([k]) => k in schemas[verb].properties && k !== "points")
    .map(([k, v]) => [k, schemas[verb].properties[k].type === "boolean" ? String(v) === "true" : v]));
  const same = sameThing("tiers", { chart: speed, csv: () => ["tiers", only("tiers")] });
  const otherSame = sameThing("cost", { chart: tokens, csv: () => ["cost", only("cost")] });

  async function tiers() {
    stop?.abort();
    const mine = (stop = new AbortController());
    speed.figure.setAttribute("aria-busy", "true");
    try {
      const found = await stream("tiers", only("tiers"), bar.tell, mine.signal);
      fill(trouble);
      results.hidden = false;
      same.show(found);
      fill(designed, sheet(found.answer), market(found.answer));
      await speed.draw(found.figure);
    } catch (error) {
      if (mine !== stop) return;
      if (error.name === "AbortError") { fill(trouble, el("p.quiet", { role: "status" }, "Cancelled.")); return; }
      if (!error.kind) throw error;
      results.hidden = true;
      fill(trouble, refused(error, take));
    } finally {
      if (mine === stop) { bar.hide(); speed.figure.removeAttribute("aria-busy"); }
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
  const form = makeForm(properties, values, names, {
    first: FIRST, about: "Model, machine, load and tiers",
    changed: (moving) => { values = written(form, properties); remember(values, order, { replace: moving }); run(moving); },
  });

  function take(change) {
    for (const [name, value] of Object.entries(change)) {
      const box = form.elements.namedItem(name);
      if (box) box.value = value ?? "";
    }
    values = written(form, properties);
    remember(values, order);
    run(false);
  }

  fill(results, speed.figure, designed, same.box);
  fill(otherResults, tokens.figure, costed, otherSame.box);
  fill(place, el("div.view", {}, el("aside", {}, form, paste(() => take({ model: "pasted" }), pasted)),
    el("div", {}, el("h1", {}, "Money"),
      el("p.lead", {}, "A faster answer needs a smaller batch, and a smaller batch costs more per token: the line is the cheapest way to every speed, squares are tiers you could sell, diamonds real ones. Below: what a token of input, cached input and output costs where they share passes."),
      el("button.jump", { type: "button", onclick: () => form.scrollIntoView() }, "Change the question"), el("h2", {}, "Price of speed"), bar.box, trouble, results, el("h2", {}, "Cost of tokens"), otherTrouble, otherResults)));
  run(false);
  return {
    leave: () => stop?.abort(),
    moved() {
      values = state();
      show(form, properties, values);
      run(false);
    },
  };
}

const sheet = (a) => grid("Tiers", ["tier", "speed", "cost", "price", "batch", "layout", "TTFT", "loses money below"], a.tiers.map((t) => [
  t.name, shown(t.tokens_per_s, "tok/s"), shown(t.dollars_per_mtok, "$/Mtok"), shown(t.price_dollars_per_mtok, "$/Mtok"), shown(t.batch), t.layout,
  shown(t.ttft_s, "s"), `${shown(t.loses_below, "share")} of full load`]));

const market = (a) => grid("Real tiers, over their provider’s standard tier", ["tier", "price", "speed", "cost of that speed here", "source"], a.market.map((m) => [
  m.name, shown(m.price_times, "x"), m.speed_times === null ? "not said" : shown(m.speed_times, "x"), m.cost_times === null ? (m.speed_times === null ? "" : "no batch is so fast") : shown(m.cost_times, "x"), `${m.source}, ${m.date}`]));

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

// Latency and cost against batch: what a pass is made of, where it stops getting cheaper, what memory holds.

import { ask, newest } from "./api.js";
import { Chart, vega } from "./chart.js";
import { el, fill } from "./dom.js";
import { makeForm, show, written } from "./form.js";
import { between, shown } from "./numbers.js";
import { facts, grid, paste, refused, sameThing, whyOf } from "./parts.js";
import { given, pasted, remember } from "./state.js";

const START = { model: "deepseek-v3", system: "gb200-nvl72", context: "32k" };
const FIRST = ["model", "system", "context", "output", "precision", "engine", "layout", "price"];
const OWN = {
  with_model: { type: "string", title: "beside: another model", description: "Another model, side by side." },
  with_system: { type: "string", title: "beside: another system", description: "Another system, side by side." },
};

export function open(place, schemas, names) {
  const { against, points, stacked, ...asked } = schemas.curve.properties;
  const properties = { ...asked, lines: { type: "boolean", title: "terms as lines", description: "Each resource's own time as lines (log scales) instead of areas that sum to the step." }, ...OWN };
  const order = [...Object.keys(properties)];
  const chart = new Chart("batch");
  const other = new Chart("comparison");
  const headline = el("p.headline", { "aria-live": "polite" });
  const trouble = el("div");
  const readout = el("div");
  const table = el("div");
  const side = el("section", { "aria-label": "Side by side" });
  const batch = el("input", { type: "range", id: "batch-slider", min: "0", step: "1" });
  const at = el("output", { for: "batch-slider" });
  let values = state();
  let answer = null;

  function state() {
    const found = given();
    return Object.keys(found).some((k) => k in properties || k === "at") ? found : { ...START };
  }

  const question = () => Object.fromEntries(Object.entries(values).filter(([k]) => k in asked && k !== "why"));
  const body = () => ({ ...question(), points: 49, stacked: String(values.lines) !== "true", why: true });
  const same = sameThing("batch", { chart, csv: () => ["curve", { ...question(), points: 49 }] });
  const sameBoth = sameThing("comparison", { chart: other });

  const form = makeForm(properties, values, { ...names, with_model: names.model, with_system: names.system }, {
    first: [...FIRST, "with_model", "with_system", "lines"], about: "Model, machine and load",
    changed: (moving) => {
      const batchKept = values.at;
      values = { ...written(form, properties), ...(batchKept ? { at: batchKept } : {}) };
      remember(values, [...order, "at"], { replace: moving });
      run();
    },
  });

  const nearestTo = (wanted) => answer.curve.reduce((best, r, i) => (Math.abs(Math.log(r.batch / wanted)) < Math.abs(Math.log(answer.curve[best].batch / wanted)) ? i : best), 0);

  function stand(index, keep = true) {
    const row = answer.curve[index];
    batch.value = index;
    const text = `batch ${shown(row.batch)}`;
    at.textContent = `${text}: ${shown(row.step_s, "s")}${row.dollars_per_mtok ? `, ${shown(row.dollars_per_mtok, "$/Mtok")}` : ""}`;
    batch.setAttribute("aria-valuetext", at.textContent);
    chart.move(row.batch);
    fill(readout, here(row, answer));
    if (keep) {
      values = { ...values, at: String(row.batch) };
      remember(values, [...order, "at"], { replace: true });
    }
  }
  batch.addEventListener("input", () => answer && stand(Number(batch.value)));

  const paint = newest(async () => {
    chart.figure.setAttribute("aria-busy", "true");
    try {
      const found = await ask("curve", body());
      answer = { ...found.answer, curve: withPoint(found.answer) };
      fill(trouble);
      batch.max = answer.curve.length - 1;
      const index = nearestTo(Number(values.at) || answer.plan.balance_batch.cheap || answer.plan.decode.batch);
      same.show(found);
      results.hidden = false;
      say(answer.plan);
      await chart.draw(found.figure, { rows: answer.curve.map((r) => ({ batch: r.batch })), here: answer.curve[index].batch, picked: (b) => stand(nearestTo(b)) });
      stand(index, false);
    } catch (error) {
      if (!error.kind) throw error;
      answer = null;
      results.hidden = true;
      fill(trouble, refused(error, take));
    } finally {
      chart.figure.removeAttribute("aria-busy");
    }
  });

  const compare = newest(async () => {
    const pair = [values.with_model, values.with_system].some(Boolean);
    side.hidden = !pair;
    if (!pair) return;
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

  const run = () => { paint(); compare(); };

  function take(change) {
    for (const [name, value] of Object.entries(change)) {
      const box = form.elements.namedItem(name);
      if (box) box.value = value ?? "";
    }
    values = written(form, properties);
    remember(values, [...order, "at"]);
    run();
  }

  function say(plan) {
    const { cheap } = plan.balance_batch;
    const most = plan.memory.max_batch;
    const full = most !== null && cheap >= most * 0.999;
    const cost = plan.cost.floor_dollars_per_mtok;
    fill(headline, full ? "Cheaper up to the last sequence that memory holds: " : "Stops getting cheaper at ", el("b", {}, `batch ${shown(Math.round(cheap))}`),
      `${full ? "." : " (within 5 % of its lowest cost)."} Memory holds ${most === null ? "any number" : shown(most)}; no batch is cheaper than ${cost === null ? "… no price is known" : shown(cost, "$/Mtok")}.`);
    fill(table, el("details", {}, el("summary", {}, "The curve as a table"), curveTable(answer.curve)));
    fill(floors, summary(plan, whyOf(answer.why)), plan.warnings.length ? el("ul.warnings", {}, plan.warnings.map((w) => el("li", {}, w))) : null);
  }

  const floors = el("div");
  const results = el("div.results", { hidden: true }, headline,
    chart.figure,
    el("p.batch", {}, el("label", { for: "batch-slider" }, "Batch: drag here or on the chart "), batch, at),
    el("div.columns", {}, readout, floors), table, same.box, side);
  side.hidden = true;
  fill(place, el("div.view", {},
    el("aside", {}, form, paste(() => take({ model: "pasted" }), pasted)),
    el("div", {}, el("h1", {}, "Batch"),
      el("p.lead", {}, "One forward pass serves a whole batch: its weights are read once for all, so a larger batch costs less per token until compute or the KV cache takes over. Left: what the pass's time is spent on; right: what a token costs, with the interval that holds four measurements in five."),
      el("button.jump", { type: "button", onclick: () => form.scrollIntoView() }, "Change the question"), trouble, results)));
  vega();
  run();
  return {
    moved() {
      values = state();
      show(form, properties, values);
      run();
    },
  };
}

// The curve with the point that the plan recommends, or was asked for, in its place.
function withPoint({ plan, curve }) {
  const d = plan.decode;
  const [low, high] = plan.interval_80?.decode_step_s || [null, null];
  const rows = curve.filter((r) => r.batch !== d.batch);
  return [...rows, { ...d, step_low_s: low, step_high_s: high }].sort((a, b) => a.batch - b.batch);
}

function here(row, answer) {
  const why = whyOf(answer.why);
  return facts(`At batch ${shown(row.batch)}`, [
    ["step", shown(row.step_s, "s"), row.bound ? `${row.bound} takes most of it` : "", why("step")],
    ["80 % interval", row.step_low_s === null ? "none" : between([row.step_low_s, row.step_high_s], "s"), "four measurements in five", why("engine")],
    ["compute", shown(row.compute_s, "s"), "each resource alone"],
    ["weights", shown(row.weights_s, "s"), "read once for all", why("weights")],
    ["KV cache", shown(row.kv_s, "s"), "read by each sequence", why("KV cache")],
    ["network", shown(row.network_s, "s")],
    ["overhead", shown(row.overhead_s, "s"), "launches, scheduling"],
    ["per user", shown(1 / row.step_s, "tok/s"), "a token a pass"],
    ["output", row.dollars_per_mtok === null ? "no price" : shown(row.dollars_per_mtok, "$/Mtok"), "decode steps alone", why("cost")],
  ]);
}

function summary(plan, why) {
  const b = plan.balance_batch;
  return facts(`${plan.model.name} on ${plan.system.name}`, [
    ["parameters", `${shown(plan.model.total_parameters, "parameters")}, ${shown(plan.model.active_parameters, "parameters")} active`, "", why("parameters")],
    ["weights", shown(plan.model.weight_bytes, "bytes"), plan.model.weights_format, why("weights")],
    ["KV cache", shown(plan.model.kv_bytes_per_sequence, "bytes"), `per sequence at ${shown(plan.load.context)} tokens`, why("KV cache")],
    ["layout", plan.layout.name, `${plan.layout.replicas} replica${plan.layout.replicas > 1 ? "s" : ""}, ${plan.layout.idle_chips} chips idle`],
    ["price", plan.system.price_dollars_per_chip_hour === null ? "none" : `$${plan.system.price_dollars_per_chip_hour.toFixed(2)}`, "per chip-hour", why("price")],
    ["latency floor", shown(plan.latency_floor.batch_1_s, "s"), "batch 1, ideal machine", why("latency floor")],
    ["all weights once", shown(plan.latency_floor.all_weights_once_s, "s"), "floor of a batch that touches every expert", why("drain time")],
    ["balance batch", shown(b.weights_only), "as laid out: weights and compute take as long", why("balance batch")],
    ["balance, with KV", b.with_kv === null ? "none" : shown(b.with_kv), "", why("balance batch with KV")],
    ["stops getting cheaper", shown(Math.round(b.cheap)), "within 5 % of its lowest cost", why("recommended")],
    ["memory holds", plan.memory.max_batch === null ? "any number" : shown(plan.memory.max_batch), "sequences of a replica", why("memory holds")],
    ["cost floor", plan.cost.floor_dollars_per_mtok === null ? "no price" : shown(plan.cost.floor_dollars_per_mtok, "$/Mtok"), "no batch can lower it", why("cost")],
  ]);
}

const curveTable = (rows) => grid("Curve", ["batch", "step [ms]", "low [ms]", "high [ms]", "$/Mtok", "most of it"],
  rows.map((r) => [shown(r.batch), ...[r.step_s, r.step_low_s, r.step_high_s].map((s) => (s === null ? "" : (1e3 * s).toPrecision(4))), r.dollars_per_mtok === null ? "" : r.dollars_per_mtok.toPrecision(4), r.bound]));

const besides = (plans) => grid("Plans side by side", ["", ...plans.map((p) => `${p.model.name.split("/").at(-1)} on ${p.system.name}`)], [
  ["layout", ...plans.map((p) => p.layout.name)],
  ["stops getting cheaper at batch", ...plans.map((p) => shown(Math.round(p.balance_batch.cheap)))],
  ["memory holds", ...plans.map((p) => shown(p.memory.max_batch))],
  ["step at that batch", ...plans.map((p) => shown(p.decode.step_s, "s"))],
  ["per user", ...plans.map((p) => shown(p.decode.tok_s_per_user, "tok/s"))],
  ["output", ...plans.map((p) => (p.decode.dollars_per_mtok === null ? "no price" : shown(p.decode.dollars_per_mtok, "$/Mtok")))],
  ["cost floor", ...plans.map((p) => (p.cost.floor_dollars_per_mtok === null ? "no price" : shown(p.cost.floor_dollars_per_mtok, "$/Mtok")))],
]);

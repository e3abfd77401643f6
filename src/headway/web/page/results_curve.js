// A pass against its batch: the chart with a batch that one drags along it, what it is made of there, what the plan says.

import { Chart } from "./chart.js";
import { el, fill } from "./dom.js";
import { between, shown } from "./numbers.js";
import { facts, grid, sameThing, whyOf } from "./parts.js";

export const title = "Batch";
export const lead = "One forward pass serves a whole batch: its weights are read once for all, so a larger batch costs less per token until compute or the KV cache takes over. Left: what the pass's time is spent on; right: what a token costs, with the interval that holds four measurements in five.";

export function results({ at = () => null, keep = () => {}, csv = null } = {}) {
  const chart = new Chart("batch");
  const headline = el("p.headline", { "aria-live": "polite" });
  const [readout, table, floors] = [el("div"), el("div"), el("div")];
  const batch = el("input", { type: "range", id: "batch-slider", min: "0", step: "1" });
  const said = el("output", { for: "batch-slider" });
  const same = sameThing("batch", { chart, csv });
  let answer = null;

  const nearestTo = (wanted) => answer.curve.reduce((best, r, i) => (Math.abs(Math.log(r.batch / wanted)) < Math.abs(Math.log(answer.curve[best].batch / wanted)) ? i : best), 0);

  function stand(index, moved = true) {
    const row = answer.curve[index];
    batch.value = index;
    said.textContent = `batch ${shown(row.batch)}: ${shown(row.step_s, "s")}${row.dollars_per_mtok ? `, ${shown(row.dollars_per_mtok, "$/Mtok")}` : ""}`;
    batch.setAttribute("aria-valuetext", said.textContent);
    chart.move(row.batch);
    fill(readout, here(row, answer));
    if (moved) keep(String(row.batch));
  }
  batch.addEventListener("input", () => answer && stand(Number(batch.value)));

  const box = el("div.results", { hidden: true }, headline, chart.figure,
    el("p.batch", {}, el("label", { for: "batch-slider" }, "Batch: drag here or on the chart "), batch, said),
    el("div.columns", {}, readout, floors), table, same.box);

  return {
    box, chart,
    hide() {
      answer = null;
      box.hidden = true;
    },
    async show(found) {
      answer = { ...found.answer, curve: withPoint(found.answer) };
      batch.max = answer.curve.length - 1;
      const { plan } = answer;
      const index = nearestTo(Number(at()) || plan.balance_batch.cheap || plan.decode.batch);
      same.show(found);
      box.hidden = false;
      fill(headline, ...headlineOf(plan));
      await chart.draw(found.figure, { rows: answer.curve.map((r) => ({ batch: r.batch })), here: answer.curve[index].batch, picked: (b) => stand(nearestTo(b)) });
      stand(index, false);
      fill(table, el("details", {}, el("summary", {}, "The curve as a table"), curveTable(answer.curve)));
      fill(floors, summary(plan, whyOf(answer.why)), plan.warnings.length ? el("ul.warnings", {}, plan.warnings.map((w) => el("li", {}, w))) : null);
    },
  };
}

function headlineOf(plan) {
  const { cheap } = plan.balance_batch;
  const most = plan.memory.max_batch;
  const full = most !== null && cheap >= most * 0.999;
  const cost = plan.cost.floor_dollars_per_mtok;
  return [full ? "Cheaper up to the last sequence that memory holds: " : "Stops getting cheaper at ", el("b", {}, `batch ${shown(Math.round(cheap))}`),
    `${full ? "." : " (within 5 % of its lowest cost)."} Memory holds ${most === null ? "any number" : shown(most)}; no batch is cheaper than ${cost === null ? "… no price is known" : shown(cost, "$/Mtok")}.`];
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

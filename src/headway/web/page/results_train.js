// A training run's answer: where a step goes, what a chip holds, the whole run, and why other recipes lost.

import { answerIn } from "./answer.js";
import { el, fill } from "./dom.js";
import { between, shown } from "./numbers.js";
import { facts, grid, whyOf } from "./parts.js";

export const title = "Training";
export const lead = "A step is many passes through the model and one exchange of gradients: the bars say where its time goes and what fills a chip's memory. Below them, of a pipeline, the first micro-batches pass through its stages, forward (blue) and back (red); white is time in which a stage waits.";

export function results({ csv = null } = {}) {
  const { box, chart, headline, same, tables } = answerIn("training", csv);
  return {
    box, chart,
    async show(found) {
      same.show(found);
      const a = found.answer;
      fill(headline, el("b", {}, `${shown(a.run.seconds / 86400)} days`), a.run.dollars === null ? "" : ` and ${shown(a.run.dollars, "$")}`,
        ` on ${shown(a.chips)} chips, at `, el("b", {}, `${shown(a.mfu, "share")} MFU`), ".");
      fill(tables, el("div.columns", {}, summary(a), whole(a)), others(a));
      await chart.draw(found.figure);
    },
  };
}

function summary(a, why = whyOf(a.why)) {
  return facts(`${a.model} on ${a.system}: ${a.replicas} x ${a.layout}`, [
    ["model", `${shown(a.tokens, "parameters")} tokens`, `${shown(a.tokens_per_parameter)} per active parameter`, why("model")],
    ["step", shown(a.step_s, "s"), `${shown(a.global_batch)} sequences of ${shown(a.sequence)} tokens`, why("step")],
    ["80 % interval", between([a.step_low_s, a.step_high_s], "s"), "four measured steps in five", why("80 % interval")],
    ["floor", shown(a.floor_s, "s"), "ideal machine", why("floor")],
    ["MFU", shown(a.mfu, "share"), a.hfu > a.mfu * 1.001 ? `HFU ${shown(a.hfu, "share")}: what is computed again counts` : "", why("MFU")],
    ["bubble", shown(a.bubble, "share"), `of the passes' time; ${a.schedule}`, why("bubble")],
    ["speed", shown(a.tokens_per_s, "tok/s"), a.precision, why("numbers")],
  ]);
}

function whole(a, why = whyOf(a.why)) {
  const { run } = a;
  const parts = { weights: "weights, gradients, optimizer", gradients: "weights, gradients, optimizer", optimizer: "weights, gradients, optimizer" };
  return el("div", {}, facts("The run", [
    ["days", shown(run.seconds / 86400), `${shown(Math.round(run.steps))} steps`, why("days")],
    ["dollars", run.dollars === null ? "no price" : shown(run.dollars, "$"), "", why("dollars")],
    ["goodput", shown(run.goodput, "share"), `${shown(run.failures)} failures`, why("goodput")],
    ["checkpoint", shown(run.checkpoint_bytes, "bytes"), `every ${shown(run.interval_s / 60)} min`, why("goodput")],
  ]), facts("Memory of the fullest chip", [...Object.entries(a.memory_parts_bytes).filter(([, v]) => v).map(([k, v]) => [k, shown(v, "bytes"), "", why(parts[k] || k)]),
    ["in all", shown(a.memory_bytes, "bytes"), `of ${shown(a.usable_bytes, "bytes")} usable`]]));
}

const others = (a) => (a.runners_up.length ? grid("Why the runners-up lost", ["recipe", "schedule", "micro-batch", "recompute", "ZeRO", "step", "times", "memory"], a.runners_up.map((o) => [
  `${o.replicas} x ${o.layout}`, o.schedule, shown(o.micro_batch), o.recompute, shown(o.zero), shown(o.step_s, "s"), shown(o.times, "x"), shown(o.memory_bytes, "bytes")])) : null);

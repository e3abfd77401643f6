// What prices say: intervals before and after, the readings behind them; or, of all open models, inferred against true.

import { answerIn } from "./answer.js";
import { el, fill } from "./dom.js";
import { between, shown } from "./numbers.js";
import { facts, grid, whyOf } from "./parts.js";

const UNITS = { active_parameters: "parameters", total_parameters: "parameters", kv_bytes_per_token: "bytes", batch: "", context_tokens: "", price_over_cost: "x",
  dollars_per_chip_hour: "$", utilisation: "share", decode_mfu_of_prefill: "share", link_bytes_per_s: "bytes" };

export const title = "Prices read backwards";
export const lead = "A price list is a measurement of the model behind it: grey is what is known before, blue what all prices together leave, the dashed line the truth where it is public. Tick “validate” to see every open model inferred with its own shape left out, against the truth.";

export function results({ csv = null } = {}) {
  const { box, chart, headline, same, tables } = answerIn("infer", csv);
  return {
    box, chart,
    async show(found) {
      same.show(found);
      const a = found.answer;
      fill(headline, ...(a.checked ? validated(a) : inferred(a)));
      await chart.draw(found.figure);
      fill(tables, a.checked ? scores(a) : [beliefs(a), readings(a)], (a.warnings || []).length ? el("ul.warnings", {}, a.warnings.map((w) => el("li", {}, w))) : null);
    },
  };
}

function inferred(a) {
  const p = a.posterior.active_parameters;
  return [`Behind ${a.prices.name} are `, el("b", {}, `${between([p.low, p.high], "parameters")} active parameters`), ` (80 %)${a.truth ? `; in truth ${shown(a.truth.active_parameters, "parameters")}` : ""}.`];
}

function validated(a) {
  const s = a.scores.find((x) => x.prices === "models" && x.quantity === "active_parameters");
  return ["Of the open models ", el("b", {}, shown(s.coverage, "share")), ` have their true active parameters inside the 80 % interval, which is ${shown(s.width)} times wide in the median.`];
}

const beliefs = (a, why = whyOf(a.why)) => facts(`Inferred from the prices of ${a.prices.name}`, Object.entries(a.posterior).map(([k, p]) => {
  const before = a.prior[k];
  return [k.replaceAll("_", " "), between([p.low, p.high], UNITS[k]), `median ${shown(p.median, UNITS[k])}${a.truth?.[k] ? `; truth ${shown(a.truth[k], UNITS[k])}` : ""}`,
    before ? `Before the prices: ${between([before.low, before.high], UNITS[k])}, ${shown(before.width / p.width)} times as wide. ${shown(Math.round(a.effective_samples))} effective samples of ${shown(a.samples)}. ${why("after")}` : why("after")];
}));

const readings = (a) => grid("Each price read alone", ["reading", "value", "says", "assumes", "breaks"], a.readings.map((r) => [
  r.name, r.low === r.high || r.low === null ? shown(r.value, r.unit) : between([r.low, r.high], r.unit), r.says, r.assumes, r.breaks]), true);

const scores = (a) => [grid("How well", ["prices of", "quantity", "lists", "inside 80 %", "median factor", "baseline's", "width"], a.scores.map((s) => [
  s.prices, s.quantity.replaceAll("_", " "), shown(s.lists), shown(s.coverage, "share"), shown(s.factor, "x"), shown(s.baseline, "x"), shown(s.width, "x")])),
  grid("Every list", ["prices", "quantity", "truth", "interval", "inside"], a.checked.map((c) => [
    `${c.name} (${c.prices})`, c.quantity.replaceAll("_", " "), shown(c.truth), between([c.low, c.high]), c.inside ? "yes" : "no"]))];

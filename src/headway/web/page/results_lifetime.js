// The cheapest size over a life: the valley, what each law says, and released models beside it.

import { answerIn } from "./answer.js";
import { el, fill } from "./dom.js";
import { between, shown } from "./numbers.js";
import { facts, grid, whyOf } from "./parts.js";

export const title = "How large a model";
export const lead = "A smaller model that is trained for longer is as good, and every token that it serves costs less. The valley is what a model of each size costs over its life, at the quality of the one that you name.";

export function results({ csv = null } = {}) {
  const { box, chart, headline, same, tables } = answerIn("lifetime", csv);
  return {
    box, chart,
    async show(found) {
      same.show(found);
      const a = found.answer;
      const { best, asked } = a.laws[0];
      fill(headline, "As good as this one and cheapest over its life: ", el("b", {}, shown(best.active_parameters, "parameters")), ` active parameters on ${shown(best.tokens, "parameters")} tokens, `,
        el("b", {}, shown(best.total_dollars, "$")), `; the model itself ${asked.total_dollars === null ? "never gets there" : shown(asked.total_dollars, "$")}.`);
      fill(tables, summary(a), sizes(a), released(a.laws[0]));
      await chart.draw(found.figure);
    },
  };
}

const summary = (a, why = whyOf(a.why)) => facts(`${a.model}, trained on ${a.train_system}, served on ${a.system}`, [
  ["training", `${shown(a.dollars_per_flop * 1e18, "$")} per EFLOP`, `MFU ${shown(a.mfu, "share")}, failures included`, why("training")],
  ["serving", `${shown(a.demand_tokens, "parameters")} tokens`, `${shown(a.dollars_per_token_of_caches * 1e6, "$/Mtok")} of it for caches, whatever the size`, why("serving")],
  ["RL", `${shown(a.rl_tokens, "parameters")} tokens`, a.rl_tokens ? `rl_factor ${shown(a.rl_factor)}` : "none", why("RL")],
  ...a.laws.map((l) => [`flat, ${l.law}`, between([l.flat_from_parameters, l.flat_to_parameters], "parameters"), `cost at most ${shown(l.flat_within, "share")} more; over-trained ${shown(l.over_training, "x")}`, why("least over its life")]),
]);

const sizes = (a) => grid("Three sizes of equal quality", ["law", "size", "active", "tokens", "tokens/parameter", "pre-training", "RL", "serving", "together"], a.laws.flatMap((l) => [
  ["the model itself", l.asked], ["least training", l.compute_optimal], ["least over its life", l.best]].map(([name, x]) => [
  l.law, name, shown(x.active_parameters, "parameters"), shown(x.tokens, "parameters"), shown(x.tokens / x.active_parameters), shown(x.pretraining_dollars, "$"),
  shown(x.reinforcement_dollars, "$"), shown(x.serving_dollars, "$"), shown(x.total_dollars, "$")])));

const released = (l) => grid(`Released models by ${l.law}`, ["model", "year", "active", "tokens", "over-trained", "justified by serving"], l.released.map((r) => [
  r.name, r.year, shown(r.active_parameters, "parameters"), shown(r.tokens, "parameters"), shown(r.over_training, "x"), r.justified_by_tokens ? `${shown(r.justified_by_tokens, "parameters")} tokens` : "none"]));

// A loop's answer: where the chips' time goes under each split, how its answers end, and what a generated token costs in training's terms.

import { answerIn } from "./answer.js";
import { el, fill } from "./dom.js";
import { shown } from "./numbers.js";
import { facts, grid, whyOf } from "./parts.js";

export const title = "Reinforcement learning";
export const lead = "Every iteration writes answers and trains on them. Grey is time that chips wait: for the longest answers, which few replicas still write, and for the other pool. Below: how many answers are still written as time goes on.";

const WAYS = { together: "all chips do both by turns", "in turns": "two pools, each waits for the other", ahead: "two pools, answers are one iteration ahead" };

export function results({ csv = null } = {}) {
  const { box, chart, headline, same, tables } = answerIn("rl", csv);
  return {
    box, chart,
    async show(found) {
      same.show(found);
      const a = found.answer;
      fill(headline, el("b", {}, shown(a.best.seconds, "s")), ` an iteration, ${chips(a.best)}, ${WAYS[a.best.way]}: `, el("b", {}, `${shown(a.best.idle, "share")} of their time idle`), ".");
      fill(tables, el("div.columns", {}, summary(a), shares(a.best)), splits(a),
        a.left_out.length ? el("ul.warnings", {}, a.left_out.map((l) => el("li", {}, `Left out: ${l}`))) : null);
      await chart.draw(found.figure);
    },
  };
}

const chips = (x) => (x.way === "together" ? `${shown(x.generating)} chips` : `${shown(x.generating)} chips generate, ${shown(x.training)} train`);

const summary = (a, why = whyOf(a.why)) => facts(`${a.model} on ${a.system}`, [
  ["iteration", shown(a.best.seconds, "s"), `${shown(a.prompts)} prompts x ${shown(a.group)} answers, ${shown(a.generated_tokens)} tokens`, why("iteration")],
  ["answers", shown(a.best.answers, "s"), `${shown(a.rollout_replicas)} x ${a.rollout_layout}: ${shown(a.rollout_tok_s, "tok/s")}`, why("answers")],
  ["training", shown(a.best.steps, "s"), `${shown(a.training_replicas)} x ${a.training_layout}, MFU ${shown(a.mfu, "share")}`, why("training")],
  ["forward passes", shown(a.best.passes, "s"), "log-probabilities over the answers", why("forward passes")],
  ["new weights", shown(a.best.weights, "s"), "to those who generate", why("new weights")],
  ["the run", shown(a.seconds, "s"), `${shown(a.iterations)} iterations${a.dollars === null ? "" : `, ${shown(a.dollars, "$")}`}`, why("dollars") || why("iteration")],
  ["rl_factor", shown(a.rl_factor), "FLOP per parameter and generated token, at training's price", why("rl_factor")],
]);

const shares = (x) => facts("Where the chips' time goes", Object.entries(x.shares).filter(([, v]) => v > 0).map(([k, v]) => [k, shown(v, "share")]));

function splits(a) {
  const first = new Map();
  for (const x of a.splits) if (!first.has(`${x.way} ${x.generating}`)) first.set(`${x.way} ${x.generating}`, x);
  return grid("Every split, each with its fastest layout", ["way", "generate", "as", "train", "iteration", "answers", "training", "idle"], [...first.values()].map((x) => [
    x.way, shown(x.generating), x.layout, shown(x.training), shown(x.seconds, "s"), shown(x.answers, "s"), shown(x.passes + x.steps, "s"), shown(x.idle, "share")]));
}

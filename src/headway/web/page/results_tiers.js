// Tiers that could be sold, on the cheapest way to every speed, beside real ones.

import { answerIn } from "./answer.js";
import { el, fill } from "./dom.js";
import { shown } from "./numbers.js";
import { facts, grid } from "./parts.js";

const WHY = {
  saves: "Beyond the batch of the cheapest point weights are no longer what a pass waits for: the floor of the curve.",
  curve: "Every layout at every batch that memory holds, each as long as step_time says; the line is what none beats.",
};

export const title = "Price of speed";
export const lead = "A faster answer needs a smaller batch, and a smaller batch costs more per token: the line is the cheapest way to every speed, squares are tiers you could sell, diamonds real ones.";

export function results({ csv = null } = {}) {
  const { box, chart, same, tables } = answerIn("tiers", csv);
  return {
    box, chart,
    async show(found) {
      same.show(found);
      fill(tables, sheet(found.answer), beyond(found.answer), ends(found.answer), market(found.answer));
      await chart.draw(found.figure);
    },
  };
}

const beyond = (a) => (a.beyond.length ? el("ul.warnings", {}, a.beyond.map((b) => el("li", {}, `${b.name}: ${shown(b.speed_times, "x")} the standard speed is more than any batch has; at most ${shown(b.at_most_times, "x")}`))) : null);

const ends = (a) => facts(`${a.model} on ${a.system}`, [
  ["fastest", shown(a.fastest.tokens_per_s, "tok/s"), `${shown(a.fastest.dollars_per_mtok, "$/Mtok")}, batch ${shown(a.fastest.batch)} as ${a.fastest.layout}`, WHY.curve],
  ["cheapest", shown(a.cheapest.dollars_per_mtok, "$/Mtok"), `${shown(a.cheapest.tokens_per_s, "tok/s")}, batch ${shown(a.cheapest.batch)} as ${a.cheapest.layout}`, WHY.curve],
  ["slower saves at most", shown(a.saves_at_most, "share"), "of the standard tier's cost", WHY.saves],
]);

const sheet = (a) => grid("Tiers", ["tier", "speed", "cost", "price", "batch", "layout", "TTFT", "loses money below"], a.tiers.map((t) => [
  t.name, shown(t.tokens_per_s, "tok/s"), shown(t.dollars_per_mtok, "$/Mtok"), shown(t.price_dollars_per_mtok, "$/Mtok"), shown(t.batch), t.layout,
  shown(t.ttft_s, "s"), `${shown(t.loses_below, "share")} of full load`]));

const market = (a) => grid("Real tiers, over their provider’s standard tier", ["tier", "price", "speed", "cost of that speed here", "source"], a.market.map((m) => [
  m.name, shown(m.price_times, "x"), m.speed_times === null ? "not said" : shown(m.speed_times, "x"), m.cost_times === null ? (m.speed_times === null ? "" : "no batch is so fast") : shown(m.cost_times, "x"), `${m.source}, ${m.date}`]));

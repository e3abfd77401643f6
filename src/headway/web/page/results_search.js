// A search's answer: its frontier, one option opened, and why the others lost.

import { Chart } from "./chart.js";
import { el, fill } from "./dom.js";
import { between, shown } from "./numbers.js";
import { facts, grid, sameThing } from "./parts.js";

const ROLES = { pool: "pool", replica: "replica", stage: "pipeline stage", data: "data-parallel group", expert: "expert group", tensor: "tensor slice" };

export const title = "Layouts";
export const lead = "Every dot is one way to cut the model over the chips, at its best batch: to the right users are served faster, and on the line nothing else is better at that speed. Below the line one option is opened: what each chip does, what its memory holds and where its time goes, beside the best one's (red).";

export function results({ at = () => null, keep = () => {}, csv = null } = {}) {
  const chart = new Chart("layouts");
  const same = sameThing("layouts", { chart, csv });
  const headline = el("p.headline", { "aria-live": "polite" });
  const [details, losers, fleets] = [el("div", { "aria-live": "polite" }), el("div"), el("div")];
  const option = el("select", { id: "option", onchange: () => choose(option.value) });
  const role = el("select", { id: "role", onchange: () => paintBy(role.value) }, Object.entries(ROLES).map(([v, text]) => el("option", { value: v }, text)));
  let known = {};
  let answer = null;

  function choose(name, moved = true) {
    if (!known[name]) return;
    option.value = name;
    chart.set("shown", name);
    fill(details, opened(known[name], answer));
    if (moved) keep("option", name === answer.best.name ? "" : name);
  }
  function paintBy(value, moved = true) {
    role.value = value;
    chart.set("role", value);
    if (moved) keep("role", value);
  }

  const box = el("div.results", {}, headline, chart.figure,
    el("div.knobs", {}, el("div.field", {}, el("label", { for: "option" }, "Open an option (or click a point of the line)"), option),
      el("div.field", {}, el("label", { for: "role" }, "Colour and number its chips by"), role)),
    details, losers, fleets, same.box);
  return {
    box, chart,
    async show(found) {
      answer = found.answer;
      const every = [answer.best, ...answer.frontier_by_cost, ...answer.frontier, ...answer.runners_up];
      known = Object.fromEntries(every.reverse().map((o) => [o.name, o]));
      const drawn = found.figure.vconcat[1].hconcat[0].data.values.map((v) => v.option).filter((n) => known[n]);
      fill(option, drawn.map((n) => el("option", { value: n }, `${n}${n === answer.best.name ? " (best)" : ""}`)));
      const first = found.figure.params.find((p) => p.name === "role").value;
      same.show(found);
      fill(headline, "Best: ", el("b", {}, answer.best.layout), ` at batch ${shown(answer.best.batch_per_replica)}: ${shown(answer.best.tok_s_per_user, "tok/s")} for a user${answer.best.dollars_per_mtok === null ? "" : `, ${shown(answer.best.dollars_per_mtok, "$/Mtok")}`}. ${shown(answer.evaluated.layouts)} layouts were looked at.`);
      fill(losers, answer.runners_up.length ? grid("Why the runners-up lost", ["option", "against the best"], answer.runners_up.map((o) => [o.name, o.reason]), true) : null,
        answer.warnings.length ? el("ul.warnings", {}, answer.warnings.map((w) => el("li", {}, w))) : null);
      fill(fleets, answer.fleets.length ? grid("Fleets for the rate asked for", ["system", "deployment", "replicas", "chips", "rent", "saturates at"], answer.fleets.map((f) => [
        f.system, f.deployment, shown(f.replicas), shown(f.chips), f.dollars_per_hour === null ? "no price" : `${shown(f.dollars_per_hour, "$")} an hour`, `${shown(f.saturates_at_per_s)} requests/s`])) : null);
      await chart.draw(found.figure, { chosen: (name) => choose(name) });
      paintBy(ROLES[at("role")] ? at("role") : first, false);
      choose(known[at("option")] ? at("option") : answer.best.name, false);
    },
  };
}

const cut = (p) => ["tp", "cp", "dp", "ep", "pp"].filter((k) => p[k] > 1).map((k) => `${k} ${p[k]}`).join(", ") || "one chip";

function opened(o, answer) {
  const why = (name) => { const r = (answer.why || []).find((x) => x.what === name); return r ? `${r.value} (source: ${r.source})` : ""; };
  const total = Object.values(o.chip_seconds_per_token).reduce((a, b) => a + b, 0);
  return el("div.columns", {},
    facts(o.name, [
      ["against the best", o.reason || "it is the best", "", why("passes")],
      ...o.pools.map((p) => [p.of === "all" ? "chips" : `chips for ${p.of}`, `${shown(p.chips)} in ${shown(p.replicas)} replica${p.replicas > 1 ? "s" : ""}`, cut(p), why("chip")]),
      ["paid, idle", `${shown(o.chips)}, ${shown(o.idle_chips)}`, "chips"],
      ["output", o.dollars_per_mtok === null ? "no price" : shown(o.dollars_per_mtok, "$/Mtok"), o.dollars_per_mtok === null ? "" : between([o.dollars_per_mtok_low, o.dollars_per_mtok_high], "$/Mtok"), why("price")],
      ["TPOT", shown(o.tpot_s, "s"), between([o.tpot_low_s, o.tpot_high_s], "s"), why("intervals")],
      ["TTFT", shown(o.ttft_s, "s"), between([o.ttft_low_s, o.ttft_high_s], "s"), why("load")],
      ["a chip makes", shown(o.tok_s_per_chip, "tok/s"), "output tokens"],
      ["memory in use", shown(o.memory_share, "share"), "of what the driver shows, of the fullest chip"],
    ]),
    el("div", {}, grid("Memory of the fullest chip", ["part", "holds"], Object.entries(o.memory_parts_bytes_per_chip).map(([k, v]) => [k, shown(v, "bytes")])),
      grid("Where the time of an output token goes", ["spent on", "chip-time", "share"], Object.entries(o.chip_seconds_per_token).map(([k, v]) => [k, shown(v, "s"), shown(v / total, "share")]))));
}

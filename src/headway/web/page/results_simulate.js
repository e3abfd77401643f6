// A simulation's answer: its trains, its picture, its percentiles.

import { answerIn } from "./answer.js";
import { el, fill } from "./dom.js";
import { between, shown } from "./numbers.js";
import { facts, grid, whyOf } from "./parts.js";
import { Trains } from "./trains.js";

const TIMES = { ttft_s: "TTFT", tpot_s: "TPOT", itl_s: "between two tokens", request_s: "request", queued_s: "in queue" };

export const title = "Traffic";
export const lead = "Every forward pass is a train: it takes along whoever is ready, and the next leaves when it arrives. Squares are requests whose prompt is being read, circles write a token each ride; below, how long all requests took and how full the trains were.";

export function results({ csv = null } = {}) {
  const trains = new Trains();
  const { box, chart, headline, same, tables } = answerIn("traffic", csv, trains.box);
  return {
    box, chart,
    leave: () => trains.stop(),
    async show({ answer, figure, ...found }) {
      same.show({ answer, ...found });
      const p = answer.promise;
      fill(headline, p.kept === null ? [el("b", {}, shown(answer.carried_requests_per_s)), " requests/s carried"] : [el("b", {}, shown(p.kept, "share")), " of the requests were within the limits"],
        answer.saturated ? ": more come than it carries, and the queue grows." : `; one in a hundred waited ${shown(answer.ttft_s.p99.value, "s")} or more for its first token.`);
      trains.show(answer.trains);
      await chart.draw(figure);
      fill(tables, el("div.columns", {}, summary(answer), grid("How long requests took", ["", ...Object.keys(answer.ttft_s)], Object.entries(TIMES).map(([k, name]) => [
        name, ...Object.values(answer[k]).map((q) => `${shown(q.value, "s")}${q.only_the_largest ? " (largest)" : ""}`)]))));
    },
  };
}

function summary(a) {
  const { promise: p } = a;
  const why = whyOf(a.why);
  const limits = [["TTFT", p.ttft_s], ["TPOT", p.tpot_s]].filter(([, v]) => v !== null).map(([n, v]) => `${n} ${shown(v, "s")}`).join(", ");
  return facts(`${a.model} on ${a.system} as ${a.layout} x ${a.replicas}`, [
    ["requests", `${shown(a.ended)} of ${shown(a.requests)}`, `ended; ${a.traffic}`, [why("requests"), why("traffic")].join(" ").trim()],
    ["carried", `${shown(a.carried_requests_per_s)} requests/s`, a.offered_requests_per_s === null ? "" : `of ${shown(a.offered_requests_per_s)} offered`, why("carried")],
    ...(p.kept === null ? [] : [["within the limits", shown(p.kept, "share"), limits, why("within the limits")]]),
    ["output", shown(a.output_tokens_per_s, "tok/s"), `${shown(a.decoding_sequences)} sequences decode in a pass`, why("output")],
    ["cost", a.dollars_per_mtok === null ? "no price" : shown(a.dollars_per_mtok, "$/Mtok"), "of output, the whole rent", why("cost")],
    ["busy", shown(a.busy, "share"), "of the time", why("busy")],
    ["p99 of TTFT", shown(a.ttft_s.p99.value, "s"), between([a.ttft_s.p99.low, a.ttft_s.p99.high], "s"), why("p99 of TTFT")],
    ["given up, turned away", `${shown(a.preemptions)}, ${shown(a.turned_away)}`, "caches computed again; requests", why("given up")],
  ]);
}

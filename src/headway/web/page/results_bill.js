// A bill: what providers ask, and beside a rented system where renting begins to pay.

import { answerIn } from "./answer.js";
import { el, fill } from "./dom.js";
import { shown } from "./numbers.js";
import { facts, grid, whyOf } from "./parts.js";

const each = (dollars) => (dollars === null ? "cannot be billed" : `$${Number(Number(dollars).toPrecision(4))}`);

export const title = "Rent or an API";
export const lead = "An API's bill rises with every request; a rented system costs the same until it is full, and then another is needed. Where the steps are below the line, renting is cheaper: the dots mark where that begins.";

export function results({ csv = null } = {}) {
  const { box, chart, headline, same, tables } = answerIn("self-host", csv);
  return {
    box, chart,
    async show(found) {
      same.show(found);
      chart.figure.hidden = !found.figure;
      if (!found.figure) {
        fill(headline, "What providers ask for one request. Name a system to rent (", el("code", {}, "--against"), ") to see from which load on that is cheaper.");
        fill(tables, found.answer.models.map((m) => quotes(m.model, m.quotes)));
        return;
      }
      fill(headline, ...first(found.answer));
      fill(tables, found.answer.cells.map((c) => cell(found.answer, c)), quotes("Providers", found.answer.cells[0]?.providers || []),
        found.answer.notes.length ? el("ul.warnings", {}, found.answer.notes.map((n) => el("li", {}, n))) : null);
      await chart.draw(found.figure);
    },
  };
}

function first(a) {
  const c = a.cells[0];
  const at = c?.break_even.find((b) => b.against_cheapest.requests_per_s !== null);
  return at ? ["Renting pays from ", el("b", {}, `${shown(at.against_cheapest.requests_per_s)} requests/s`), ` on (${at.rent}, against the cheapest API); a system carries ${shown(c.capacity_requests_per_s)}.`]
    : ["Renting never pays at this load: ", el("b", {}, "the cheapest API"), ` asks ${each(c?.cheapest.dollars_per_request ?? null)} a request.`];
}

const rate = (x) => (x.requests_per_s === null ? "never" : `${shown(x.requests_per_s)} requests/s`);

function cell(a, c) {
  const why = whyOf(a.why);
  const limits = [["TTFT", c.ttft_s], ["TPOT", c.tpot_s]].filter(([, v]) => v !== null).map(([n, v]) => `${n} ${shown(v, "s")}`).join(", ");
  return facts(`${a.model} on ${a.system}: ${limits}, ${shown(c.cache_hit_share, "share")} of the prompt cached`, [
    ["a system carries", `${shown(c.capacity_requests_per_s)} requests/s`, `${shown(c.capacity_low)} to ${shown(c.capacity_high)}; ${c.binds} binds; ${c.layout} x ${c.replicas}`, why("a system carries")],
    ["cheapest API", each(c.cheapest.dollars_per_request), `a request, ${c.cheapest.provider}`, why("cheapest API") || `${c.cheapest.source}, ${c.cheapest.row}`],
    ["median API", each(c.median_dollars_per_request), "a request", why("median API")],
    ...c.break_even.map((b) => [`pays from, ${b.rent}`, rate(b.against_cheapest), `against the median: ${rate(b.against_median)}`, `${why("pays from")} ${why(`rent, ${b.rent}`)}`.trim()]),
  ]);
}

const quotes = (caption, rows) => grid(caption, ["provider", "model", "a request", "looked up", "source"], rows.map((q) => [
  q.provider, q.model, each(q.dollars_per_request), q.looked_up, q.source]));

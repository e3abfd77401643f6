// What an answer stands in: a headline, a chart, tables, the same thing elsewhere.

import { Chart } from "./chart.js";
import { el } from "./dom.js";
import { sameThing } from "./parts.js";

export function answerIn(name, csv = null, first = null) {
  const chart = new Chart(name);
  const same = sameThing(name, { chart, csv });
  const headline = el("p.headline", { "aria-live": "polite" });
  const tables = el("div");
  return { chart, same, headline, tables, box: el("div.results", {}, headline, first, chart.figure, tables, same.box) };
}

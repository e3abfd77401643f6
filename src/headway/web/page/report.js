// A file to mail: one answer as its view shows it, without a server. What it shows stands in the file.

import { Chart } from "./chart.js";
import { el, fill } from "./dom.js";
import { sameThing } from "./parts.js";
import * as curve from "./results_curve.js";
import * as infer from "./results_infer.js";
import { besides } from "./results_plans.js";
import * as search from "./results_search.js";
import * as simulate from "./results_simulate.js";
import * as tiers from "./results_tiers.js";
import { themes } from "./theme.js";

const plans = {
  title: "Side by side", lead: "Plans of several models and systems, each at its own best batch.",
  results() {
    const chart = new Chart("plans");
    const same = sameThing("plans", { chart });
    const table = el("div");
    return { box: el("div.results", {}, chart.figure, table, same.box), async show(found) {
      same.show(found);
      fill(table, besides(found.answer.plans), found.answer.refused.map((l) => el("p.refusal", { role: "alert" }, `${l.what}: ${l.why}`)));
      await chart.draw(found.figure);
    } };
  },
};
const VIEWS = { plan: curve, plans, search, simulate, tiers, infer };

const { view, ...found } = JSON.parse(document.getElementById("report").textContent);
const { title, lead, results } = VIEWS[view];
const shown = results();
themes();
fill(document.getElementById("main"), el("h1", {}, title), el("p.lead", {}, lead), shown.box);
shown.box.hidden = false;
shown.show(found);

// A table with its predictions, over what it measured.

import { answerIn } from "./answer.js";
import { fill } from "./dom.js";
import { grid } from "./parts.js";

const MOST = 200; // rows that are shown
const FIRST = ["predicted_ttft_ms", "predicted_tpot_ms", "predicted_output_tok_s", "tpot_ms_low", "tpot_ms_high", "bound", "profile", "outside_evidence", "refused"];

export function results() {
  const { box, chart, same, tables } = answerIn("log");
  return {
    box, chart,
    async show(found) {
      same.show(found);
      const rows = found.answer;
      const own = Object.keys(rows[0]).filter((k) => !/^(predicted_|tpot_ms_(low|high)|ttft_ms_(low|high)|floor_)/.test(k) && !FIRST.includes(k));
      await chart.draw(found.figure);
      fill(tables, grid(`${Math.min(rows.length, MOST)} of ${rows.length} rows`, [...own, ...FIRST], rows.slice(0, MOST).map((r) => [...own, ...FIRST].map((k) => r[k] ?? ""))));
    },
  };
}

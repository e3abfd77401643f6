// Prices read backwards: what a price list says of the model behind it.

import { lead, results, title } from "./results_infer.js";
import { LINKS } from "./money.js";
import { tabs, verbView } from "./verb_view.js";

export const open = (place, schemas, names) => verbView(place, schemas, names, {
  verb: "infer", title, lead, results, above: tabs("/money/infer", LINKS),
  start: { model: "deepseek-v3" },
  explained: (values) => String(values.validate) !== "true",
  first: ["model", "validate", "input", "output", "cached", "chip", "price", "samples"],
});

// Rent a system or pay an API: from which load on renting is cheaper.

import { lead, results, title } from "./results_bill.js";
import { LINKS } from "./money.js";
import { tabs, verbView } from "./verb_view.js";

export const open = (place, schemas, names) => verbView(place, schemas, names, {
  verb: "bill", title, lead, results, above: tabs("/money/self-host", LINKS),
  start: { models: "llama-3.1-70b", against: "h200x8", prompt: "2000", output: "500", tpot: "50ms", hits: "0" },
  explained: (values) => Boolean(values.against),
  first: ["models", "against", "prompt", "output", "ttft", "tpot", "hits", "hours", "price", "reserved_price"],
});

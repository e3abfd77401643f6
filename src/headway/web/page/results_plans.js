// Plans side by side.

import { shown } from "./numbers.js";
import { grid } from "./parts.js";

export const besides = (plans) => grid("Plans side by side", ["", ...plans.map((p) => `${p.model.name.split("/").at(-1)} on ${p.system.name}`)], [
  ["layout", ...plans.map((p) => p.layout.name)],
  ["stops getting cheaper at batch", ...plans.map((p) => shown(Math.round(p.balance_batch.cheap)))],
  ["memory holds", ...plans.map((p) => shown(p.memory.max_batch))],
  ["step at that batch", ...plans.map((p) => shown(p.decode.step_s, "s"))],
  ["per user", ...plans.map((p) => shown(p.decode.tok_s_per_user, "tok/s"))],
  ["output", ...plans.map((p) => (p.decode.dollars_per_mtok === null ? "no price" : shown(p.decode.dollars_per_mtok, "$/Mtok")))],
  ["cost floor", ...plans.map((p) => (p.cost.floor_dollars_per_mtok === null ? "no price" : shown(p.cost.floor_dollars_per_mtok, "$/Mtok")))],
]);

// The address is the state: a view, its question in the order of the schema, without what is at its default.

export const VIEWS = { "/": "batch", "/lecture": "lecture", "/layouts": "layouts", "/traffic": "traffic", "/money": "money",
  "/money/self-host": "selfhost", "/money/infer": "infer", "/training": "training", "/training/lifetime": "lifetime", "/training/rl": "rl", "/learn": "learn", "/yours": "yours" };

export const view = () => VIEWS[location.pathname] || "batch";

export const given = () => Object.fromEntries(new URLSearchParams(location.search));

export function address(values, order, path = location.pathname, hash = "") {
  const query = new URLSearchParams();
  for (const name of order) {
    const value = values[name];
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  // what the address may hold as it is stays readable
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%2F", "/").replaceAll("%3A", ":");
  return path + (text ? `?${text}` : "") + hash;
}

export function remember(values, order, { replace = false } = {}) {
  const next = address(values, order, location.pathname, location.hash);
  if (next === location.pathname + location.search + location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", next);
}

// What is one's own stays in this tab: a config.json, a chip's facts, a table of cases.
const kept = (name) => ({
  get: () => JSON.parse(sessionStorage.getItem(name) || "null"),
  set: (value) => sessionStorage.setItem(name, JSON.stringify(value)),
});
export const [pasted, chip, cases] = [kept("config"), kept("chip"), kept("cases")];

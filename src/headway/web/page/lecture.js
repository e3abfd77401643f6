// Every equation of the lecture as a card: its own sliders, where it comes from, the lecture's number and ours.

import { ask, newest } from "./api.js";
import { Chart } from "./chart.js";
import { el, fill } from "./dom.js";
import { slider } from "./form.js";
import { shown } from "./numbers.js";
import { facts, grid, refused, sameThing } from "./parts.js";
import { address, given } from "./state.js";

const SAID = { T: "said in the lecture", D: "derived from it", X: "beyond it" };
const MACHINE = ["model", "on"];

export function open(place, schemas, names) {
  const cards = new Map();
  const find = el("input", { type: "text", id: "find", placeholder: "batch, KV, cache, …", autocomplete: "off" });
  const list = el("div");
  const machine = Object.fromEntries(MACHINE.map((name) => {
    const known = names[name === "on" ? "system" : "model"];
    const box = el("input", { type: "text", id: `m-${name}`, list: `m-${name}-list`, autocomplete: "off", value: given()[name] || "", onchange: () => cards.get(opened())?.again(false) });
    return [name, [box, el("datalist", { id: `m-${name}-list` }, known.map((n) => el("option", { value: n })))]];
  }));
  const chosen = () => Object.fromEntries(MACHINE.map((n) => [n, machine[n][0].value.trim()]).filter(([, v]) => v));
  const opened = () => [...cards].find(([id, c]) => c.named(decodeURIComponent(location.hash.slice(1))))?.[0];

  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const card of cards.values()) card.box.hidden = !words.every((w) => card.text.includes(w));
    for (const section of list.querySelectorAll("section")) section.hidden = ![...section.querySelectorAll("details.card")].some((c) => !c.hidden);
  });

  function show() {
    const id = opened();
    if (!id) return;
    const card = cards.get(id);
    card.fill(given());
    card.box.open = true;
    card.box.scrollIntoView({ block: "start" });
  }

  async function load() {
    const [equations, headlines] = await Promise.all([ask("ask", {}, { form: "record" }), ask("lecture", {}, { form: "record" })]);
    for (const e of equations) cards.set(e.id, card(e, headlines.filter((h) => [e.id, ...e.aliases].includes(h.id)), chosen, (id) => { for (const [other, c] of cards) if (other !== id) c.box.open = false; }));
    const sections = [...new Set(equations.map((e) => e.section))];
    fill(list, sections.map((s) => el("section", { "aria-label": s }, el("h2", {}, s), equations.filter((e) => e.section === s).map((e) => cards.get(e.id).box))));
    list.dataset.ready = "true";
    show();
  }

  fill(place, el("h1", {}, "Lecture"),
    el("p.lead", {}, "Every closed form of the blackboard lecture on inference economics, computed by the library’s own functions with your numbers. Open a card and move its sliders; ours stands beside what the lecture says, with what sources disagree about."),
    el("div.knobs", {}, el("div.field", {}, el("label", { for: "find" }, "Find an equation"), find),
      el("div.field", {}, el("label", { for: "m-model" }, "Take numbers of this model"), machine.model),
      el("div.field", {}, el("label", { for: "m-on" }, "Take numbers of this system"), machine.on)),
    list);
  load().catch((error) => fill(list, refused(error.nearest ? error : Object.assign(error, { nearest: [] }), () => {})));
  return { moved: show };
}

function card(e, headlines, chosen, alone) {
  const body = el("div");
  const box = el("details.card", { id: e.id, ontoggle: () => box.open && opens() },
    el("summary", {}, el("span.tag", {}, e.id), el("span", {}, e.title), el("code", {}, e.formula)), body);
  const numbers = el("div.knobs");
  const results = el("div");
  const trouble = el("div");
  const chart = new Chart(e.id);
  const sweep = el("select", { id: `sweep-${e.id}`, onchange: () => again(false) }, el("option", { value: "" }, "nothing"),
    e.parameters.filter((p) => !p.choices.length).map((p) => el("option", { value: p.name }, p.name.replaceAll("_", " "))));
  let built = false;

  const inputs = e.parameters.map((p) => {
    const id = `n-${e.id}-${p.name}`;
    const moved = (moving) => again(moving);
    const input = p.choices.length
      ? el("select", { id, name: p.name, onchange: () => moved(false) }, p.choices.map((c) => el("option", { value: c, selected: c === p.default }, c)))
      : el("input", { id, name: p.name, type: "text", autocomplete: "off", placeholder: p.default === null ? "left out" : String(p.default), onchange: () => moved(false) });
    const title = `${p.name.replaceAll("_", " ")}${p.symbol ? ` (${p.symbol})` : ""}${p.unit ? ` [${p.unit}]` : ""}`;
    const knob = p.choices.length ? null : slider(input, { default: p.default ?? undefined }, moved, title);
    const row = el("div.field", {}, el("label", { for: id }, title), input, knob, el("small", {}, `${p.about}. ${p.default_from ? `Default: ${p.default_from}` : ""}`));
    return { p, input, row };
  });

  const same = sameThing(e.id, { chart: null, csv: () => ["ask", question()] });
  const drawing = sameThing(`${e.id}-sweep`, { chart, csv: () => ["ask", { ...question(), sweep: span() }] });

  const written = () => Object.fromEntries(inputs.filter(({ input, p }) => input.value.trim() && input.value !== String(p.default ?? "")).map(({ input, p }) => [p.name, input.value.trim()]));
  const question = () => ({ equation: e.id, numbers: written(), ...chosen() });
  const span = () => {
    const p = e.parameters.find((x) => x.name === sweep.value);
    const now = Number(/^[\d.]+(e[+-]?\d+)?/i.exec(written()[p.name] || String(p.default ?? 1))?.[0] || 1) || 1;
    const suffix = (written()[p.name] || "").replace(/^[\d.]+(e[+-]?\d+)?/i, "");
    return `${p.name}=${Number((now / 8).toPrecision(3))}${suffix}..${Number((now * 8).toPrecision(3))}${suffix}`;
  };

  const compute = newest(async () => {
    let asked = question();
    try {
      let found;
      try {
        found = await ask("ask", asked);
      } catch (error) {
        if (!/nothing of|takes nothing|neither|no number of/i.test(error.message || "") || !Object.keys(chosen()).length) throw error;
        asked = { equation: e.id, numbers: written() }; // this equation has nothing of a model or a machine
        found = await ask("ask", asked);
      }
      const from = Object.fromEntries(found.answer.parameters.map((p) => [p.name, p.from]));
      for (const { p, row } of inputs) row.title = from[p.name] ? `from: ${from[p.name]}` : "";
      fill(trouble);
      const why = found.answer.derivation.map((d) => `${d.function}: ${d.says}`).join(" ");
      fill(results, facts("Result", found.answer.results.map((r) => [r.name.replaceAll("_", " "), shown(r.value, r.unit), r.about, why])),
        found.answer.table.length ? grid("Table", Object.keys(found.answer.table[0]).map((h) => h.replaceAll("_", " ")), found.answer.table.map((r) => Object.values(r).map((v) => shown(v)))) : null);
      same.show(found);
      same.box.hidden = false;
      drawing.box.hidden = chart.figure.hidden = !sweep.value;
      if (sweep.value) {
        const swept = await ask("ask", { ...asked, numbers: Object.fromEntries(Object.entries(asked.numbers).filter(([k]) => k !== sweep.value)), sweep: span() });
        drawing.show(swept);
        await chart.draw(swept.figure);
      }
    } catch (error) {
      if (!error.kind) throw error;
      same.box.hidden = true;
      fill(results);
      chart.figure.hidden = true;
      fill(trouble, refused(error, () => {}));
    }
  });

  function again(moving) {
    const next = address({ ...chosen(), ...written(), sweep: sweep.value }, ["model", "on", ...e.parameters.map((p) => p.name), "sweep"], "/lecture", `#${e.id}`);
    if (next !== location.pathname + location.search + location.hash) history[moving ? "replaceState" : "pushState"](null, "", next);
    compute();
  }

  function opens() {
    alone(e.id);
    if (!built) {
      built = true;
      fill(numbers, inputs.map((i) => i.row));
      fill(body, el("p", {}, el("span.tag", {}, SAID[e.said]), e.aliases.length ? ` also ${e.aliases.join(", ")}` : "", e.note ? `. ${e.note}` : ""),
        numbers, trouble, results, same.box,
        el("p", {}, el("label", { for: sweep.id }, "Draw it against "), sweep), chart.figure, drawing.box, beside(headlines), derived(e), disputes(e));
      chart.figure.hidden = drawing.box.hidden = true;
    }
    if (decodeURIComponent(location.hash.slice(1)) !== e.id && !e.aliases.includes(decodeURIComponent(location.hash.slice(1)))) {
      history.pushState(null, "", address(chosen(), ["model", "on"], "/lecture", `#${e.id}`));
    }
    compute();
  }

  return {
    box, again, text: [e.id, ...e.aliases, e.title, e.formula, e.section, ...e.parameters.map((p) => p.about)].join(" ").toLowerCase(),
    named: (name) => name === e.id || e.aliases.includes(name),
    fill(values) {
      for (const { p, input } of inputs) input.value = values[p.name] ?? (p.choices.length ? p.default : "");
      sweep.value = values.sweep || "";
      if (box.open) compute();
    },
  };
}

const beside = (rows) => (rows.length ? grid("The lecture’s number and ours", ["what", "lecture", "headway", "is", "note"],
  rows.map((h) => [h.what, shown(h.lecture, h.unit), shown(h.computed, h.unit), SAID[h.said], h.note])) : null);

const derived = (e) => el("details", {}, el("summary", {}, "Derivation"),
  e.derivation.map((d) => [el("p", {}, el("code", {}, d.function), ` ${d.says}`), d.notes ? el("pre.derivation", {}, d.notes) : null]));

const disputes = (e) => (e.disputed.length ? el("section", { "aria-label": "Where sources disagree" }, el("h3", {}, "Where sources disagree"),
  e.disputed.map((d) => el("details", {}, el("summary", {}, `${d.id}: ${d.topic}`), el("p", {}, d.versions), el("p", {}, el("strong", {}, "Used here: "), d.used, " ", d.reason)))) : null);

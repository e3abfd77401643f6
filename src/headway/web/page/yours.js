// Your model, your chip, your log: a config.json, a chip's facts, a table of measurements, each in the place of a catalogue's name.

import { el, fill } from "./dom.js";
import { paste } from "./parts.js";
import { results as curveResults } from "./results_curve.js";
import { results as tableResults } from "./results_predict.js";
import { address, cases, chip, given, pasted } from "./state.js";
import { verbView } from "./verb_view.js";

const CHIP = { memory: "192GB", bandwidth: "8TB/s", compute: "2.2PFLOP/s", link: "900GB/s", price: "3.5/h" };
const MORE = ["domain"];

export function open(place, schemas, names) {
  const [top, bottom] = [el("div"), el("section", { "aria-label": "Your log", id: "log" })];
  fill(place, top, bottom);
  const facts = schemas.curve.properties.own_chip.properties;
  const written = () => Object.fromEntries([...boxes].filter(([, b]) => b.value.trim()).map(([n, b]) => [n, b.value.trim()]));
  const fromAddress = () => Object.fromEntries(Object.keys(facts).filter((n) => given()[`chip_${n}`]).map((n) => [n, given()[`chip_${n}`]]));
  const has = (found) => Object.keys(found).length > 0;
  chip.set(has(fromAddress()) ? fromAddress() : chip.get() || CHIP);
  const boxes = new Map([...Object.keys(CHIP), ...MORE].map((n) => [n, el("input", { type: "text", id: `chip-${n}`, autocomplete: "off", value: chip.get()[n] || "",
    placeholder: `e.g. ${facts[n].examples[0]}`, "aria-describedby": `chip-${n}-about`, onchange: () => use() })]));
  const form = el("form", { "aria-label": "Your chip", onsubmit: (e) => { e.preventDefault(); use(); } }, el("h2", {}, "Your chip"),
    [...boxes].map(([n, box]) => el("div.field", {}, el("label", { for: box.id }, n), box, el("small", { id: `chip-${n}-about` }, facts[n].description))),
    el("p.quiet", {}, "It is called ", el("code", {}, "mychip"), "; eight of it are ", el("code", {}, "mychipx8"), ", in every view of this tab."), el("button.go", { type: "submit" }, "Use this chip"));

  const file = el("p.quiet");
  const machine = verbView(top, schemas, names, {
    verb: "curve", title: "Your model, your chip, your log", beside: form,
    start: { model: pasted.get() ? "pasted" : "llama-3.1-70b", system: "mychipx8" }, fixed: { stacked: true, points: 49, against: "batch" },
    own: ["at", ...[...boxes.keys()].map((n) => `chip_${n}`)],
    first: ["model", "system", "prompt", "output", "precision"],
    lead: "Type a chip's facts, paste a config.json, and the pass is made of them: no catalogue row is needed. Further down a CSV of your own measurements is laid over the prediction.",
    results({ at, keep, csv }) {
      const inner = curveResults({ at: () => at("at"), keep: (b) => keep("at", b), csv });
      return { box: el("div", {}, inner.box, file), async show(found) {
        fill(file, found.files ? ["The chip as a file of your own catalogue, ", el("code", {}, Object.keys(found.files)[0]), ":", el("pre", { tabindex: "0", "aria-label": "chips.csv" }, Object.values(found.files)[0])] : "");
        await inner.show(found);
      } };
    },
  });

  function use() {
    chip.set(written());
    const now = { ...given(), ...Object.fromEntries([...boxes].map(([n, b]) => [`chip_${n}`, b.value.trim()])) };
    const next = address(now, Object.keys(now));
    if (next === location.pathname + location.search) return;
    history.pushState(null, "", next);
    machine.moved();
  }

  const text = el("textarea", { id: "cases", rows: "6", spellcheck: "false", placeholder: "system,model,batch_or_concurrency,isl,osl,mean_tpot_ms\nH100-SXM,llama-3.1-8b,8,1000,200,8.5" });
  text.value = cases.get() || "";
  const picked = el("input", { type: "file", id: "cases-file", accept: ".csv,.tsv,.txt,text/csv", onchange: () => read(picked.files[0]) });
  const drop = el("div.drop", { ondragover: (e) => e.preventDefault(), ondrop: (e) => { e.preventDefault(); read(e.dataTransfer.files[0]); } },
    el("label", { for: "cases" }, "Drop a benchmark's CSV here, or paste it"), text,
    el("p", {}, el("label", { for: "cases-file" }, "or choose a file "), picked), el("button.go", { type: "button", onclick: () => compare() }, "Lay it over the prediction"));
  const log = verbView(bottom, { predict: schemas.predict }, names, {
    verb: "predict", title: "Your log", start: {}, first: ["engine"], results: tableResults, prefix: "log", above: drop, ready: () => cases.get(),
    lead: "Each row of the table is predicted; where it was measured, too, the dot stands on the line if both agree. Bars hold four measurements in five; what the columns may be called is in docs/predict.md.",
  });
  bottom.querySelector("h1").replaceWith(el("h2", {}, "Your log"));

  async function read(one) {
    if (!one) return;
    text.value = await one.text();
    compare();
  }
  function compare() {
    cases.set(text.value.trim() ? `${text.value.trim()}\n` : null);
    log.run();
  }
  return {
    leave() { machine.leave(); log.leave(); },
    moved() {
      const found = fromAddress();
      if (has(found)) {
        chip.set(found);
        for (const [n, b] of boxes) b.value = found[n] || "";
      }
      machine.moved();
    },
  };
}

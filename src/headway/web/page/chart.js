// Charts: the very specifications that `-o FILE.json` writes, fitted to the page and its colours.

import { el } from "./dom.js";

let loaded = null;
export const vega = () => (loaded ||= window.vegaEmbed ? Promise.resolve(window) : import("/page/vega.js").then(() => window));

const DARK = { "#222222": "#e8e8e8", "#222": "#e8e8e8", "#444": "#c4c4c4", "#666": "#b4b4b4", "#777777": "#b0b0b0", "#888": "#a8a8a8", "#888888": "#a8a8a8",
  "#2e86ab": "#5ab4dc", "#d1495b": "#f0788a", "#3a9d5d": "#5fc483", "#b58900": "#dcb030", "#7d5ba6": "#b08ee0" };

export const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

const mapped = (value, change, key) => Array.isArray(value) ? value.map((v) => mapped(v, change))
  : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, k === "values" || k === "datasets" ? v : mapped(v, change, k)]))
    : typeof value === "string" ? change(value, key) : value;

function coloured(spec, room) {
  const [text, line] = dark() ? ["#d8dde2", "#46505a"] : ["#33393f", "#c9d0d6"];
  const found = mapped(spec, (s, key) => (key === "orient" && s === "right" ? "bottom" : dark() ? DARK[s] || s : s)); // legends stand below
  const config = {
    ...found.config, background: "transparent", font: "system-ui, sans-serif",
    axis: { ...found.config?.axis, labelColor: text, titleColor: text, tickColor: line, domainColor: line, gridColor: line, titleFontWeight: 500 },
    legend: { labelColor: text, titleColor: text, orient: "bottom", columns: room < NARROW ? 3 : 6, labelLimit: 260, symbolOpacity: 1,
      layout: { bottom: { direction: room < NARROW ? "vertical" : "horizontal", anchor: "start" } } }, text: { color: text }, title: { color: text },
    rule: { color: text }, view: { stroke: null },
  };
  return { ...found, config };
}

const AXIS = 74; // pixels that an axis and its title take
const NARROW = 620;

// Chips and rows have a size of their own; they shrink where there is no room.
function stepped(unit, room) {
  const count = unit.layer?.[0]?.encoding?.x?.scale?.domain?.length || 1;
  const step = Math.min(unit.width.step, Math.max(Math.floor((room - 8) / count), 14));
  return { ...unit, width: { step }, ...(unit.height?.step ? { height: { step } } : {}) };
}

const sized = (unit, room) => (unit.width?.step ? stepped(unit, room) : typeof unit.width === "number" ? { ...unit, width: Math.max(room - AXIS, 160) } : unit);

// Where there is no room for long names in a chart they stand in the table and under the pointer alone.
const short = (layer) => layer.mark?.type !== "text" || !(layer.data?.values || []).some((v) => [v[layer.encoding?.text?.field]].flat().some((n) => String(n).length > 16));

const wideOf = (unit) => unit.hconcat ? unit.hconcat.reduce((sum, u) => sum + wideOf(u), 0) : unit.vconcat ? Math.max(...unit.vconcat.map(wideOf))
  : unit.width?.step ? 0 : unit.width || 300;
const fixed = (unit) => (unit.width?.step ? unit.width.step * (unit.layer?.[0]?.encoding?.x?.scale?.domain?.length || 1) : 0);

// A panel's own title in lines that are not wider than it.
function titled(unit, room) {
  const said = unit.title?.text ?? unit.title;
  if (typeof said !== "string" || said.length < room / 6.5) return unit;
  const lines = said.split(" ").reduce((all, word) => {
    const last = all.at(-1);
    return last.length + word.length < room / 6.5 ? [...all.slice(0, -1), `${last} ${word}`.trim()] : [...all, word];
  }, [""]);
  return { ...unit, title: { ...(unit.title.text ? unit.title : { anchor: "start" }), text: lines } };
}

function fit(whole, room) {
  const unit = titled(whole, room);
  if (unit.concat) return fit({ ...unit, concat: undefined, columns: undefined, [room < NARROW ? "vconcat" : "hconcat"]: unit.concat }, room);
  if (unit.vconcat) return { ...unit, vconcat: unit.vconcat.map((u) => fit(u, room)) };
  if (!unit.hconcat) return sized(unit, room);
  if (room < NARROW) { // one below the other each has labels of its own
    const labelled = JSON.parse(JSON.stringify(unit.hconcat, (key, value) => (key === "labels" && value === false ? true : value)));
    return { ...unit, hconcat: undefined, bounds: undefined, vconcat: labelled.map((u) => fit(u, fixed(u) ? room - AXIS : room)) };
  }
  const all = wideOf(unit) || 1;
  const taken = unit.hconcat.reduce((sum, u) => sum + fixed(u), 0);
  const free = room - (unit.spacing ?? 20) * (unit.hconcat.length - 1) - taken - (taken ? AXIS + 40 : 0);
  return { ...unit, hconcat: unit.hconcat.map((u) => fit(u, fixed(u) ? fixed(u) + 8 : Math.floor((free * wideOf(u)) / all))) };
}

function fitted(whole, room) {
  const { title, $schema, ...rest } = whole.layer && room < NARROW ? { ...whole, layer: whole.layer.filter(short) } : whole;
  return fit(rest, room); // the title stands above the chart as text
}

const byBatch = (unit) => (unit.layer || [unit]).some((l) => l.encoding?.x?.field === "batch");

// A line where one stands, and a way to take hold of it, in every panel against batch.
function held(spec, rows, colour) {
  let n = 0;
  const one = (unit) => {
    if (!byBatch(unit)) return unit;
    const base = unit.layer ? unit : { ...unit, layer: [{ mark: unit.mark, encoding: unit.encoding }], mark: undefined, encoding: undefined };
    const x = { field: "batch", type: "quantitative" };
    const select = { type: "point", on: "pointerdown, [pointerdown, window:pointerup] > pointermove", nearest: true, fields: ["batch"], clear: false };
    return { ...base, layer: [...base.layer,
      { data: { name: "here", values: rows.slice(0, 1) }, mark: { type: "rule", color: colour, strokeWidth: 2.5 }, encoding: { x } },
      { data: { values: rows }, params: [{ name: `pick${(n += 1)}`, select }], mark: { type: "point", opacity: 0, size: 1 }, encoding: { x } }] };
  };
  const key = ["hconcat", "vconcat"].find((k) => spec[k]);
  return [key ? { ...spec, [key]: spec[key].map(one) } : one(spec), () => n];
}

// A line at a value of what panels lie against.
function marked(spec, field, value, colour) {
  const one = (unit) => {
    if (unit.encoding?.x?.field !== field) return unit;
    const { mark, encoding, ...base } = unit;
    return { ...base, layer: [{ mark, encoding }, { data: { name: "here", values: value === null ? [] : [{ [field]: value }] },
      mark: { type: "rule", color: colour, strokeWidth: 2.5 }, encoding: { x: encoding.x } }] };
  };
  return spec.vconcat ? { ...spec, vconcat: spec.vconcat.map(one) } : one(spec);
}

// `ast`: expressions are interpreted, not compiled, which the page's policy forbids.
const EMBED = { mode: "vega-lite", actions: false, renderer: "svg", ast: true, defaultStyle: false, tooltip: { theme: "custom", disableDefaultStyle: true } };

export class Chart {
  constructor(name) {
    this.name = name;
    this.plot = el("div.plot", { tabindex: "0" });
    this.caption = el("figcaption");
    this.figure = el("figure", {}, this.caption, this.plot);
    this.spec = null;
    this.width = 0;
    new ResizeObserver(() => {
      if (this.found && Math.abs(this.plot.clientWidth - this.width) > 24) this.redraw();
    }).observe(this.plot);
    addEventListener("headway-theme", () => this.found && this.redraw());
  }

  async draw(spec, { rows = null, picked = null, here = null, chosen = null, along = null } = {}) {
    this.spec = spec;
    this.given = { rows, picked, chosen, along };
    this.signals = {};
    this.batch = here;
    await this.redraw();
  }

  async redraw() {
    const w = await vega();
    const turn = (this.turn = (this.turn || 0) + 1);
    this.width = this.plot.clientWidth;
    const { rows, picked, chosen, along } = this.given;
    const colour = dark() ? "#ff9d5c" : "#c2500a";
    let spec = fitted(coloured(structuredClone(this.spec), this.width), this.width);
    let picks = () => 0;
    if (rows) [spec, picks] = held(spec, rows, colour);
    if (along) spec = marked(spec, along, this.batch, colour);
    const place = el("div");
    const found = await w.vegaEmbed(place, spec, EMBED);
    if (turn !== this.turn) return found.finalize();
    this.found?.finalize();
    this.found = found;
    this.plot.replaceChildren(place);
    const { title } = this.spec;
    const said = typeof title === "string" ? { text: title } : title || {};
    this.caption.replaceChildren(el("strong", {}, said.text || ""), " ", el("span", {}, [said.subtitle || []].flat().join("; ")));
    this.plot.querySelector("svg")?.setAttribute("aria-label", `Chart: ${said.text || this.name}. The numbers stand in the table below.`);
    if (rows) {
      this.move(this.batch);
      for (let i = 1; i <= picks(); i += 1) {
        found.view.addSignalListener(`pick${i}`, (_, value) => value.batch && picked(value.batch[0]));
      }
    }
    for (const [name, value] of Object.entries(this.signals)) found.view.signal(name, value);
    if (Object.keys(this.signals).length) await found.view.runAsync();
    if (chosen) found.view.addEventListener("click", (_, item) => item?.datum?.option && chosen(item.datum.option));
    this.drawn = (this.drawn || 0) + 1;
    this.plot.dataset.drawn = this.drawn;
    performance.mark("chart");
    return found;
  }

  // The line stands elsewhere: at a batch, or at a value of what the chart was drawn `along`.
  move(batch) {
    this.batch = batch;
    const field = this.given?.along || (this.given?.rows && "batch");
    if (this.found && field && batch !== null) this.found.view.data("here", [{ [field]: batch }]).runAsync();
  }

  // A parameter of the chart; it stays when the chart is drawn anew.
  set(name, value) {
    this.signals[name] = value;
    if (!this.found) return;
    this.found.view.signal(name, value).runAsync();
    this.plot.dataset[name] = value;
  }

  // As `-o FILE.svg` draws it: light, with its title, at its own size.
  async whole() {
    const w = await vega();
    const { $schema, ...spec } = { background: "white", ...this.spec };
    if (spec.params) spec.params = spec.params.map((p) => (p.name in this.signals ? { ...p, value: this.signals[p.name] } : p)); // as it is shown
    return (await w.vegaEmbed(el("div"), spec, { ...EMBED, renderer: "svg" })).view;
  }

  async svg() { return (await this.whole()).toSVG(); }

  async png() {
    const canvas = await (await this.whole()).toCanvas(2);
    return new Promise((done) => { canvas.toBlob(done, "image/png"); });
  }
}

// Charts: the very specifications that `-o FILE.json` writes, fitted to the page and its colours.

import { el } from "./dom.js";

let loaded = null;
export const vega = () => (loaded ||= import("/page/vega.js").then(() => window));

const DARK = { "#222222": "#e8e8e8", "#222": "#e8e8e8", "#444": "#c4c4c4", "#666": "#b4b4b4", "#777777": "#b0b0b0", "#888": "#a8a8a8", "#888888": "#a8a8a8",
  "#2e86ab": "#5ab4dc", "#d1495b": "#f0788a", "#3a9d5d": "#5fc483", "#b58900": "#dcb030", "#7d5ba6": "#b08ee0" };

export const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

const mapped = (value, change) => Array.isArray(value) ? value.map((v) => mapped(v, change))
  : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, k === "values" ? v : mapped(v, change)]))
    : typeof value === "string" ? change(value) : value;

function coloured(spec, room) {
  const [text, line] = dark() ? ["#d8dde2", "#46505a"] : ["#33393f", "#c9d0d6"];
  const found = dark() ? mapped(spec, (s) => DARK[s] || s) : spec;
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

const sized = (unit, width) => (typeof unit.width === "number" ? { ...unit, width: Math.max(width, 160) } : unit);

// Where there is no room for long names in a chart they stand in the table and under the pointer alone.
const short = (layer) => layer.mark?.type !== "text" || !(layer.data?.values || []).some((v) => [v[layer.encoding?.text?.field]].flat().some((n) => String(n).length > 16));

function fitted(whole, room) {
  const spec = whole.layer && room < NARROW ? { ...whole, layer: whole.layer.filter(short) } : whole;
  const { title, $schema, ...rest } = spec; // the title stands above the chart as text
  if (rest.hconcat) {
    if (room < NARROW) return { ...rest, hconcat: undefined, vconcat: rest.hconcat.map((u) => fitted(sized(u, room - AXIS), room)) };
    const all = rest.hconcat.reduce((sum, u) => sum + (u.width || 300), 0);
    const free = room - AXIS * rest.hconcat.length - 24;
    return { ...rest, hconcat: rest.hconcat.map((u) => sized(u, Math.floor((free * (u.width || 300)) / all))) };
  }
  if (rest.vconcat) return { ...rest, vconcat: rest.vconcat.map((u) => (u.title ? { ...sized(u, room - AXIS), title: u.title } : sized(u, room - AXIS))) };
  return sized(rest, room - AXIS);
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
      if (this.spec && Math.abs(this.plot.clientWidth - this.width) > 24) this.redraw();
    }).observe(this.plot);
    addEventListener("headway-theme", () => this.spec && this.redraw());
  }

  async draw(spec, { rows = null, picked = null, here = null } = {}) {
    this.spec = spec;
    this.given = { rows, picked };
    this.batch = here;
    await this.redraw();
  }

  async redraw() {
    const w = await vega();
    const turn = (this.turn = (this.turn || 0) + 1);
    this.width = this.plot.clientWidth;
    const { rows, picked } = this.given;
    let spec = fitted(coloured(structuredClone(this.spec), this.width), this.width);
    let picks = () => 0;
    if (rows) [spec, picks] = held(spec, rows, dark() ? "#ff9d5c" : "#c2500a");
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
    this.drawn = (this.drawn || 0) + 1;
    this.plot.dataset.drawn = this.drawn;
    return found;
  }

  move(batch) {
    this.batch = batch;
    if (this.found && this.given.rows && batch !== null) this.found.view.data("here", [{ batch }]).runAsync();
  }

  // As `-o FILE.svg` draws it: light, with its title, at its own size.
  async whole() {
    const w = await vega();
    const { $schema, ...spec } = { background: "white", ...this.spec };
    return (await w.vegaEmbed(el("div"), spec, { ...EMBED, renderer: "svg" })).view;
  }

  async svg() { return (await this.whole()).toSVG(); }

  async png() {
    const canvas = await (await this.whole()).toCanvas(2);
    return new Promise((done) => { canvas.toBlob(done, "image/png"); });
  }
}

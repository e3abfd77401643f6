// Numbers as the command line writes them.

const few = (x, digits = 3) => Number(x.toPrecision(digits)).toLocaleString("en", { maximumSignificantDigits: Math.max(digits, 1) });
const scaled = (x, steps) => {
  const [factor, suffix] = steps.find(([f]) => Math.abs(x) >= f) || steps.at(-1);
  return `${few(x / factor)} ${suffix}`;
};

const dollars = (x) => (Math.abs(x) >= 1000 ? `$${Math.round(x).toLocaleString("en")}` : Math.abs(x) >= 1 ? `$${x.toFixed(2)}` : `$${few(x)}`);

const KINDS = {
  s: (x) => scaled(x, [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]]),
  bytes: (x) => scaled(x, [[1e15, "PB"], [1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "bytes"]]),
  "$/Mtok": (x) => `${dollars(x)}/Mtok`,
  $: dollars,
  share: (x) => `${few(100 * x)} %`,
  x: (x) => `${few(x)}x`,
  "tok/s": (x) => `${few(x)} tok/s`,
  parameters: (x) => scaled(x, [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1, ""]]),
};

const plain = (x) => (Math.abs(x) >= 1000 && Math.abs(x) < 1e9 ? Math.round(x).toLocaleString("en")
  : x !== 0 && (Math.abs(x) >= 1e9 || Math.abs(x) < 1e-3) ? x.toExponential(3).replace("e+", "e") : few(x, 4));

export function shown(value, unit = "") {
  if (value === null || value === undefined) return "none";
  if (typeof value !== "number") return String(value);
  const kind = KINDS[unit];
  return kind ? kind(value) : `${plain(value)}${unit ? ` ${unit}` : ""}`;
}

export const between = (pair, unit) => (pair ? `${shown(pair[0], unit)} to ${shown(pair[1], unit)}` : "none");

// Elements, always with text and never with markup: a name that looks like HTML stays text.

export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const found = document.createElement(tag || "div");
  if (classes.length) found.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) found.addEventListener(key.slice(2), value);
    else if (value === true) found.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) found.setAttribute(key, value);
  }
  found.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== ""));
  return found;
}

export const fill = (where, ...children) => where.replaceChildren(...children.flat().filter((c) => c !== null && c !== undefined));

export async function copy(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    button.textContent = "select and copy by hand";
  }
  setTimeout(() => { button.textContent = before; }, 1200);
}

export function save(name, content, type) {
  const link = el("a", { href: URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Light or dark: as the system has it, until somebody says otherwise.

export function themes() {
  const root = document.documentElement;
  const tell = () => dispatchEvent(new Event("headway-theme"));
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  try {
    if (localStorage.getItem("theme")) root.dataset.theme = localStorage.getItem("theme");
  } catch { /* a file may have no storage */ }
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch { /* then it lasts as long as the page */ }
    tell();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
}

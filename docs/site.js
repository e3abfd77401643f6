// Tables that scroll can be reached by the keyboard.
function reachable() {
  for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) wrap.tabIndex = 0;
}
new MutationObserver(reachable).observe(document.documentElement, { childList: true, subtree: true });
reachable();
// Words that are explained under the pointer are explained on a tap, too.
document.addEventListener("pointerup", (event) => {
  const word = event.pointerType !== "mouse" && event.target.closest("abbr");
  if (!word) return;
  word.tabIndex = -1;
  word.focus();
});

// Tables that scroll can be reached by the keyboard.
function reachable() {
  for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) wrap.tabIndex = 0;
}
new MutationObserver(reachable).observe(document.documentElement, { childList: true, subtree: true });
reachable();

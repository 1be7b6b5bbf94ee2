// Fetches the part of the page that changes every two seconds, while somebody looks, and says so when the ELB does not answer.
"use strict";
(() => {
  const live = document.getElementById("live");
  const stale = document.getElementById("stale");
  const staleSince = document.getElementById("stale-since");
  const every = 2000;
  let busy = false;

  async function refresh() {
    if (busy || document.hidden || selecting()) return;
    busy = true;
    try {
      const answer = await fetch("/live", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(String(answer.status));
      live.innerHTML = await answer.text();
      document.title = live.firstElementChild.dataset.title;
      stale.hidden = true;
    } catch {
      if (stale.hidden) {
        staleSince.textContent = live.firstElementChild.dataset.now + " UTC";
        stale.hidden = false;
      }
    } finally {
      busy = false;
    }
  }

  // A text that somebody is about to copy must not vanish under the mouse.
  function selecting() {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && live.contains(selection.anchorNode);
  }

  setInterval(refresh, every);
  document.addEventListener("visibilitychange", refresh);
})();

// What an address leads to inside of a page opens, when it can.
{
  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches("details.op")) {
      target.open = true;
      target.scrollIntoView();
    }
  };
  window.addEventListener("hashchange", open);
  open();
}

// In a picture of dependencies, the box under the pointer or with the focus stands out, with its lines and what they lead to.
for (const graph of document.querySelectorAll(".graph")) {
  const edges = [...graph.querySelectorAll(".edge")];
  const trace = (box) => {
    for (const on of graph.querySelectorAll(".on")) on.classList.remove("on");
    graph.classList.toggle("tracing", Boolean(box));
    if (!box) return;
    const n = box.dataset.box;
    const near = new Set([n]);
    for (const edge of edges) {
      if (edge.dataset.from === n || edge.dataset.to === n) {
        edge.classList.add("on");
        near.add(edge.dataset.from).add(edge.dataset.to);
      }
    }
    for (const other of graph.querySelectorAll(".box")) {
      if (near.has(other.dataset.box)) other.classList.add("on");
    }
  };
  graph.addEventListener("mouseover", (event) => { trace(event.target.closest(".box")); });
  graph.addEventListener("mouseleave", () => { trace(null); });
  graph.addEventListener("focusin", (event) => { trace(event.target.closest(".box")); });
  graph.addEventListener("focusout", () => { trace(null); });
}

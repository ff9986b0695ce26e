// ---- what the reader chose, in the address: it can be kept, sent and gone back to

const state = new URLSearchParams(location.hash.slice(1));

function setState(key, value, { replace = true } = {}) {
  if (value == null || value === "") state.delete(key); else state.set(key, value);
  const hash = "#" + state.toString();
  if (hash !== location.hash) history[replace ? "replaceState" : "pushState"](null, "", hash === "#" ? location.pathname + location.search : hash);
}

const listed = (key) => new Set((state.get(key) ?? "").split(",").filter(Boolean).map(decodeURIComponent));
const setListed = (key, values) => setState(key, [...values].map(encodeURIComponent).join(","));

/* The event stream with its honest state: Updated, Reconnecting after 10 s, a notice and polling after 60 s. */
const SILENCE = 10_000;
const LOST = 60_000;
const POLL = 15_000;

export function connection({ topics, changed, refreshAll, updated }) {
  const mark = document.querySelector("[data-sync]");
  const notice = document.getElementById("lost");
  const state = { source: null, heard: Date.now(), beats: false, timer: 0, polled: 0, wasOpen: false, ended: false };

  function open() {
    if (document.hidden || state.source || state.ended) return;
    const names = topics();
    if (!names.length) return;
    /* What moved between the drawing of the page and now is told first; later openings refresh everything anyway. */
    const since = state.wasOpen ? "" : `&since=${document.documentElement.dataset.drawn}`;
    state.source = new EventSource(`/events/?topics=${encodeURIComponent(names.join(","))}${since}`);
    state.source.onopen = () => {
      hear();
      if (state.wasOpen) refreshAll();
      state.wasOpen = true;
    };
    state.source.onmessage = (event) => {
      hear();
      receive(event.data);
    };
    for (const name of ["beat", "ping"]) state.source.addEventListener(name, () => {
      state.beats = true;
      hear();
      updated();
    });
    state.source.addEventListener("topic", (event) => {
      hear();
      receive(event.data);
    });
    state.source.onerror = () => {
      if (state.source?.readyState === EventSource.CLOSED) retryLater();
    };
    state.timer ||= setInterval(look, 1000);
  }

  function receive(data) {
    try {
      const { topic } = JSON.parse(data);
      if (topic === "*") refreshAll();
      else if (topic) changed(topic);
    } catch {
      /* Not ours. */
    }
  }

  function hear() {
    state.heard = Date.now();
  }

  function retryLater() {
    state.source?.close();
    state.source = null;
    setTimeout(open, 3000 + Math.random() * 2000);
  }

  function look() {
    const lively = state.source?.readyState === EventSource.OPEN && !state.beats;
    const silent = lively ? 0 : Date.now() - state.heard;
    draw(silent > SILENCE);
    if (notice) notice.hidden = silent < LOST;
    if (silent > POLL && Date.now() - state.polled > POLL) {
      state.polled = Date.now();
      refreshAll();
    }
  }

  function draw(lost, word = "Reconnecting, shows") {
    if (!mark || mark.classList.contains("lost") === lost) return;
    mark.classList.toggle("lost", lost);
    mark.querySelector("[data-sync-word]").textContent = lost ? word : "Updated";
  }

  function close() {
    state.source?.close();
    state.source = null;
    clearInterval(state.timer);
    state.timer = 0;
  }

  function reopen() {
    close();
    open();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else {
      state.heard = Date.now();
      open();
      if (!state.ended) refreshAll();
    }
  });
  addEventListener("pagehide", close);
  /* Nothing more will come: the session ended, or the right to look. */
  function end() {
    close();
    state.ended = true;
    draw(true, "Stopped, shows");
    const said = document.getElementById("ended");
    if (!said) return;
    said.querySelector("[data-ended-at]").textContent = document.querySelector("[data-sync-at]")?.textContent || "";
    if (notice) notice.hidden = true;
    said.hidden = false;
  }

  return { open, close, reopen, end };
}

// Draws canvas[data-chart] with Chart.js in the colours of the theme, and again whenever the theme changes.

const drawn = new Map();
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const format = new Intl.NumberFormat(document.documentElement.lang || "en", { notation: "compact", maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat(document.documentElement.lang || "en");

const TONES = { info: 1, wait: 2, ok: 3, bad: 4, off: 6 };

function colours(n, tones = []) {
  return Array.from({ length: n }, (_, i) => css(`--gh-s${TONES[tones[i]] ?? (i % 8) + 1}`));
}

function dataset(series, index, spec) {
  const kind = series.kind ?? spec.type;
  const base = { label: series.name, data: series.data };
  if (kind === "doughnut") return { ...base, backgroundColor: colours(series.data.length, spec.tones), borderColor: css("--gh-sheet"), borderWidth: 2 };
  const tone = colours(index + 1, spec.tones)[index];
  if (kind === "bar" || kind === "hbar") return { ...base, type: "bar", backgroundColor: tone, borderRadius: 3, maxBarThickness: 28, categoryPercentage: 0.7 };
  const filled = kind === "area" || kind === "spark";
  return { ...base, type: "line", borderColor: tone, backgroundColor: filled ? `color-mix(in srgb, ${tone} 16%, transparent)` : tone, fill: filled, borderWidth: 2, tension: 0.3, pointRadius: 0, pointHoverRadius: 4, pointHitRadius: 12 };
}

function options(spec) {
  const round = spec.type === "doughnut";
  const bare = round || spec.type === "spark";
  const soft = css("--gh-soft");
  const line = css("--gh-line");
  const across = spec.type === "hbar";
  const unit = spec.unit ? ` ${spec.unit}` : "";
  const counts = { stacked: !!spec.stacked, beginAtZero: true, border: { display: false }, grid: { color: line }, ticks: { color: soft, maxTicksLimit: 5, callback: (v) => format.format(v) } };
  const names = { stacked: !!spec.stacked, border: { color: line }, grid: { display: false }, ticks: { color: soft, maxRotation: 0, autoSkipPadding: 16, autoSkip: spec.type !== "hbar" } };
  return {
    responsive: true, maintainAspectRatio: false, animation: still ? false : { duration: 250 },
    indexAxis: across ? "y" : "x", cutout: "68%",
    interaction: round ? {} : { mode: "index", intersect: false, axis: across ? "y" : "x" },
    scales: bare ? (round ? {} : { x: { display: false }, y: { display: false } }) : { x: across ? counts : names, y: across ? names : counts },
    plugins: {
      legend: { display: spec.type !== "spark" && (round || spec.series.length > 1), position: round ? "right" : "top", align: round ? "center" : "end", rtl: document.documentElement.dir === "rtl", labels: { color: soft, boxWidth: 8, boxHeight: 8, usePointStyle: true, pointStyle: "circle", padding: 12 } },
      tooltip: { enabled: spec.type !== "spark", backgroundColor: css("--gh-ink"), titleColor: css("--gh-paper"), bodyColor: css("--gh-paper"), padding: 8, cornerRadius: 6, boxPadding: 4, usePointStyle: true, callbacks: { label: (c) => ` ${round ? c.label : c.dataset.label}: ${exact.format(c.raw)}${unit}` } },
    },
  };
}

// Days come as YYYY-MM-DD, and are shown as the reader writes them; with the year where there is more than one.
function told(labels) {
  if (!labels.length || !labels.every((one) => /^\d{4}-\d\d-\d\d$/.test(one))) return labels;
  const year = labels[0].slice(0, 4) === labels.at(-1).slice(0, 4) ? undefined : "numeric";
  const day = new Intl.DateTimeFormat(document.documentElement.lang || "en", { day: "numeric", month: "short", year, timeZone: "UTC" });
  return labels.map((one) => day.format(new Date(`${one}T00:00:00Z`)));
}

function draw(canvas) {
  drawn.get(canvas)?.destroy();
  const spec = JSON.parse(canvas.dataset.chart);
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  drawn.set(canvas, new Chart(canvas, {
    type: { hbar: "bar", area: "line", spark: "line" }[spec.type] ?? spec.type,
    data: { labels: told(spec.labels), datasets: spec.series.map((s, i) => dataset(s, i, spec)) },
    options: options(spec),
  }));
}

export function drawOnce(canvas) {
  if (!drawn.has(canvas)) draw(canvas);
}

document.addEventListener("guildhall:theme", () => {
  for (const canvas of drawn.keys()) {
    if (canvas.isConnected) draw(canvas);
    else { drawn.get(canvas).destroy(); drawn.delete(canvas); }
  }
});

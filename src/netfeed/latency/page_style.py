"""How the page of a report looks, and the few lines of script that sort its tables."""

from typing import Final

from netfeed.latency.plot.palette import css

PAGE: Final = """
:root{color-scheme:light dark;--paper:#f8fafc;--card:#fff;--ink:#0f172a;--pale:#64748b;--edge:#e2e8f0;--mark:#2563eb}
@media(prefers-color-scheme:dark){
:root{--paper:#0b1120;--card:#0f172a;--ink:#e2e8f0;--pale:#94a3b8;--edge:#27344a;--mark:#60a5fa}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 24px 48px}
h1{font-size:26px;line-height:1.25;margin:0;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 12px}
.kind{color:var(--pale);margin:4px 0 24px}
section{background:var(--card);border:1px solid var(--edge);border-radius:12px;padding:20px 22px;margin:0 0 20px}
.wide{overflow-x:auto}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:12px 24px;margin:0}
dl .long{grid-column:1/-1}
dt{color:var(--pale);font-size:12px}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:6px 10px;border-bottom:1px solid var(--edge);white-space:nowrap}
th{color:var(--pale);font-weight:500;font-size:13px;cursor:pointer;user-select:none}
th[aria-sort=ascending]::after{content:" \\2191"}
th[aria-sort=descending]::after{content:" \\2193"}
td.text,th.text{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:8em}
tbody tr:hover{background:var(--paper)}
tbody tr:last-child td{border-bottom:0}
td small{color:var(--pale);display:block;font-size:12px}
td.spark{padding:3px 10px}
td.spark svg{width:150px;min-width:0;height:26px;display:block}
svg{width:100%;min-width:640px;height:auto;display:block;font-family:inherit}
.good,.bad{font-weight:600;padding:2px 9px;border-radius:9px;color:#fff;background:#059669}
.bad{background:#dc2626}
ul.notes{margin:0;padding-left:18px}
ul.notes li::marker{color:var(--mark)}
footer{color:var(--pale);font-size:13px}
.hover:hover{opacity:.12}
.dot{stroke:var(--card);stroke-width:1}
.dot:hover{stroke-width:0;r:5px}
"""

STYLE: Final = PAGE + css()

SCRIPT: Final = """
for (const head of document.querySelectorAll("th")) head.addEventListener("click", () => {
  const table = head.closest("table"), body = table.tBodies[0], at = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const one of table.querySelectorAll("th")) one.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = row => row.cells[at].dataset.value ?? row.cells[at].textContent;
  const order = (a, b) => {
    const [x, y] = [key(a), key(b)], [m, n] = [parseFloat(x), parseFloat(y)];
    return isNaN(m) || isNaN(n) ? x.localeCompare(y) : m - n;
  };
  body.append(...[...body.rows].sort((a, b) => down ? order(b, a) : order(a, b)));
});
"""

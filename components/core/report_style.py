"""The style sheet of all reports: light and dark, narrow and wide, on paper too."""

STYLE = """
:root{--ink:#1d2733;--muted:#5b6875;--line:#dde3e9;--surface:#fff;--raised:#f5f7f9;--accent:#0b6e99;--second:#7a4fa3;
--past:#93a1af;--usual:#9fc5d6;--good:#0b6e4f;--warn:#8a5a00;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e4e9ee;--muted:#9aa7b4;--line:#33404d;--surface:#12181f;
--raised:#1b242d;--accent:#58b4dc;--second:#c3a2f0;--past:#77869a;--usual:#2f6079;--good:#5fcf9f;--warn:#e2b55a;
--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--surface);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:76rem;margin:0 auto;padding:1.5rem 1rem 4rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.3rem 0}
h2{font-size:1.15rem;margin:2.2rem 0 .6rem;padding-bottom:.2rem;border-bottom:1px solid var(--line)}
p{max-width:52rem;margin:.6rem 0}
.lead{color:var(--muted);margin-top:0}
a{color:var(--accent)}
.scroll{overflow-x:auto;margin:.6rem 0;background:linear-gradient(to right,var(--surface) 40%,transparent) 0 0,
linear-gradient(to left,var(--surface) 40%,transparent) 100% 0,linear-gradient(to right,var(--past),transparent) 0 0,
linear-gradient(to left,var(--past),transparent) 100% 0;background-size:2.5rem 100%,2.5rem 100%,.6rem 100%,.6rem 100%;
background-repeat:no-repeat;background-attachment:local,local,scroll,scroll}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem;text-align:start;border-bottom:1px solid var(--line);vertical-align:top}
th{background:var(--raised);font-weight:600;white-space:nowrap}
td{min-width:5rem;max-width:34rem}
td.n{min-width:0}td.short{white-space:nowrap}td.long{min-width:18rem}
td:first-child{min-width:7rem}code{background:var(--raised);padding:0 .25em;border-radius:3px}.banner code{
background:var(--surface)}
td.n{text-align:right;white-space:nowrap}
.good,.warn,.bad{font-weight:600}
.good{color:var(--good)}
.warn{color:var(--warn)}
.bad{color:var(--bad)}
.banner{border-inline-start:5px solid var(--past);background:var(--raised);padding:.7rem 1rem;margin:1rem 0;
border-radius:4px;color:var(--ink);font-weight:400}
.banner strong{display:block;font-size:1.1rem}
.banner p{margin:.2rem 0}
.banner ul{margin:.4rem 0 0;padding-inline-start:1.1rem}
.banner.good{border-color:var(--good)}
.banner.warn{border-color:var(--warn)}
.banner.bad{border-color:var(--bad)}
.banner.good strong{color:var(--good)}
.banner.warn strong{color:var(--warn)}
.banner.bad strong{color:var(--bad)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr));gap:1rem 2rem}
figure{margin:.4rem 0;min-width:0}
figcaption{font-weight:600;margin-bottom:.3rem}
figure.plot{width:fit-content;max-width:100%;background:#fff;border-radius:4px;padding:.3rem}
figure.plot svg{max-width:100%;height:auto}
.key{color:var(--muted);font-size:.9rem;margin:.3rem 0}
.key span{margin-inline-end:1.1rem;white-space:nowrap}
.key i{display:inline-block;width:.9rem;height:.65rem;margin-inline-end:.35rem;border-radius:2px;
background:var(--accent)}
.key .past{background:var(--past)}
.key .second{background:var(--second)}
.key .usual{background:var(--usual)}
.key .good{background:var(--good)}
.key .warn{background:var(--warn)}
.key .bad{background:var(--bad)}
svg.chart{display:block;width:100%;max-width:56rem;height:auto}
.charts svg.chart{max-width:28rem}
svg.strip{width:160px;height:18px;display:block}
.chart text{fill:var(--ink);font-size:12px;unicode-bidi:isolate}
.chart .end{text-anchor:end}
.chart .middle{text-anchor:middle}
.chart .note{fill:var(--muted)}
.chart .strong{font-weight:700;fill:var(--bad)}
.grid,.axis{stroke:var(--line)}
.axis{stroke:var(--past)}
.line{fill:none;stroke:var(--accent);stroke-width:2}
.line.dashed{stroke-dasharray:6 4}
.line.second{stroke:var(--second)}
.line.past{stroke:var(--past)}
.band{fill:var(--accent);opacity:.2}
.band.second{fill:var(--second)}
.whisker{stroke:var(--accent)}
.across{stroke:var(--past);stroke-dasharray:2 3}
.fill,.dot{fill:var(--accent)}
.usual{fill:var(--usual);opacity:.75}
.fill.past,.dot.past{fill:var(--past)}
.fill.second,.dot.second{fill:var(--second)}
.fill.good,.dot.good{fill:var(--good)}
.fill.warn,.dot.warn{fill:var(--warn)}
.fill.bad,.dot.bad{fill:var(--bad)}
.dot{stroke:var(--surface)}
@media (max-width:40rem){.wide text{font-size:15px}body{font-size:14px}main{padding:1rem .75rem 3rem}th,td{
padding:.25rem .45rem}
h1{font-size:1.3rem}}
@media print{main{max-width:none}.scroll{overflow:visible}}
"""

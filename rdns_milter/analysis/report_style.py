"""How the report's page looks: light and dark, on a phone and on a desk.

Text only. Nothing is loaded from elsewhere: fonts are those that are there.
"""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1c2430; --dim: #5d6878; --line: #e1e5eb;
  --accept: #4b9e82; --tag: #dfa52f; --tempfail: #8a72c9; --reject: #c9463d; --quarantine: #56708f;
  --good: #4b9e82; --soft: #dfa52f; --bad: #c9463d; --trouble: #8a72c9; --plain: #a9b2be; --one: #4a7fb5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1b2129; --ink: #e4e8ee; --dim: #98a3b3; --line: #2c343f;
    --accept: #58b294; --tag: #e3b04b; --tempfail: #a18be0; --reject: #e0665c; --quarantine: #7b97b8;
    --good: #58b294; --soft: #e3b04b; --bad: #e0665c; --trouble: #a18be0; --plain: #5a6573; --one: #6ba2d8;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 1.02rem; margin: 0 0 12px; }
h2 small, .dim { color: var(--dim); font-weight: normal; }
h2 small { font-size: .85rem; margin-left: .4em; }
p { margin: 0 0 8px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin-top: 16px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; margin-top: 20px; }
.cards div { background: var(--card); border: 1px solid var(--line); border-top: 4px solid var(--own); border-radius: 10px;
  padding: 10px 14px; }
.cards b { display: block; font-size: 1.5rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); column-gap: 16px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: .87rem; }
i { display: inline-block; width: .75em; height: .75em; border-radius: 2px; margin-right: .4em;
  background: var(--own); }
svg { display: block; width: 100%; }
.few { max-width: 14rem; }
svg.columns { height: 200px; border-bottom: 1px solid var(--line); }
svg.bar { height: 13px; border-radius: 3px; overflow: hidden; min-width: 60px; }
.axis { display: flex; justify-content: space-between; color: var(--dim); font-size: .8rem; padding: 4px 0 10px; gap: 12px; }
.accept { --own: var(--accept); } .tag { --own: var(--tag); } .tempfail { --own: var(--tempfail); }
.reject { --own: var(--reject); } .quarantine { --own: var(--quarantine); }
.good { --own: var(--good); } .soft { --own: var(--soft); } .bad { --own: var(--bad); }
.trouble { --own: var(--trouble); } .plain { --own: var(--plain); } .one { --own: var(--one); }
rect { fill: var(--own); }
svg.bar rect + rect { stroke: var(--card); stroke-width: 1px; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 5px 12px 5px 0; border-top: 1px solid var(--line); font-weight: normal;
  overflow-wrap: anywhere; }
thead th { border-top: 0; color: var(--dim); font-size: .83rem; padding-top: 0; }
td:last-child, th:last-child { padding-right: 0; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; overflow-wrap: normal; width: 1%; }
td.wide { width: 26%; padding-top: 10px; } td.name { min-width: 12.2em; } td.word { white-space: nowrap; }
code { font: .92em ui-monospace, monospace; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 16px 36px; }
.facts b { font-weight: 600; } .facts svg { margin: 4px 0; }
ul { margin: 0; padding-left: 1.2em; }
footer { color: var(--dim); font-size: .85rem; margin-top: 24px; }
@media (max-width: 640px) {
  main { padding: 18px 12px 36px; } section { padding: 14px; }
  td.wide, th.wide, .stack thead { display: none; }
  .stack tr { display: grid; grid-template-columns: 1fr auto; border-top: 1px solid var(--line); }
  .stack td { border-top: 0; padding: 4px 0; } .stack td.n { width: auto; } .stack td.say { grid-column: 1 / -1; }
  svg.columns { height: 150px; }
}
@media print { body { background: none; } section, .cards div { break-inside: avoid; } }
"""

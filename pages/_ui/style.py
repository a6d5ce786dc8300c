"""What the theme in .streamlit/config.toml cannot say."""

CSS = """
<style>
.stMainBlockContainer { padding: 2.2rem 2.6rem 4rem; max-width: 1640px; }
[data-testid="stSidebar"] { width: 236px !important; min-width: 236px !important; }
[data-testid="stSidebarUserContent"] { padding-top: 0; }
[data-testid="stMetricValue"] { font-size: 1.75rem; }
[data-testid="stMain"] .stButton button { min-height: 2.1rem; padding: .2rem .55rem; }
[data-testid="stMain"] .stButton button p { font-size: .9rem; }
[data-testid="stMain"] [data-testid="stPageLink-NavLink"] { background: transparent;
  padding-left: 0; }
[data-testid="stMain"] [data-testid="stPageLink-NavLink"] p { font-weight: 400;
  font-size: .88rem; color: #2f6f62; }
[data-testid="stImage"] img { background: #fff; border: 1px solid #e8e3d9; border-radius: .5rem; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
[data-testid="stTable"] td, .tile { font-variant-numeric: tabular-nums; }
[data-testid="stFileUploaderDropzoneInstructions"] span { white-space: normal; }
.tile { font-size: .82rem; line-height: 1.3; overflow-wrap: anywhere; color: #57534b; }
.tile b { color: #2b2a27; font-weight: 600; }
.tile .clip { display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical;
  overflow: hidden; }
.photo { display: block; width: 100%; object-fit: contain; background: #fff;
  border: 1px solid #e8e3d9; border-radius: .5rem; }
.card .photo { height: 178px; } .card.large .photo { height: 340px; }
.hero .photo { width: auto; max-width: 100%; height: auto; max-height: min(600px, 60vh);
  margin: 0 auto; }
.zoom .photo { width: auto; max-width: 100%; max-height: 82vh; margin: 0 auto .6rem; }
.note { border-left: 3px solid #d9cfbd; padding-left: .6rem; margin: .3rem 0; font-size: .9rem; }
.attributes { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: 0;
  font-size: .85rem; }
.attributes dt { color: #7a7468; } .attributes dd { margin: 0; overflow-wrap: anywhere; }
.twin { width: 148px; }
.changes { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
.changes th { text-align: left; font-weight: 500; color: #7a7468; }
.changes th, .changes td { border: 0; padding: .12rem 1.2rem .12rem 0; overflow-wrap: anywhere; }
.changes td:last-child, .changes th:last-child { text-align: right; padding-right: 0; }
.st-key-review-sheet-bar { position: sticky; top: 3.2rem; z-index: 5; background: #fbfaf7;
  padding: .35rem 0; }
.bar { display: grid; grid-template-columns: 9rem 1fr 3rem; gap: .6rem; align-items: center;
  font-size: .88rem; padding: .12rem 0; }
.bar span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bar a { color: #2f6f62; }
.bar i { display: block; height: .55rem; border-radius: .3rem; background: #9fbfb4; }
.bar b { text-align: right; font-weight: 500; font-variant-numeric: tabular-nums; }
.agree { color: #22694f; font-weight: 600; } .disagree { color: #a8402f; font-weight: 600; }
.verdict { font-size: 1.35rem; font-weight: 600; overflow-wrap: anywhere; }
.verdict .was { color: #8a8478; } .verdict .arrow { color: #8a8478; padding: 0 .35rem; }
.muted { color: #7a7468; font-size: .85rem; overflow-wrap: anywhere; }
.alikes { display: grid; grid-template-columns: repeat(8, 1fr); gap: .5rem; }
.alikes .photo { height: 108px; }
[data-testid="stApp"][data-saving]::after { content: "Saving…"; position: fixed; top: .9rem;
  right: 1.4rem; z-index: 999999; padding: .3rem .8rem; border-radius: .6rem; background: #2f6f62;
  color: #fff; font-size: .9rem; opacity: 0; animation: saving 0s .4s forwards; }
@keyframes saving { to { opacity: 1; } }
@media (max-width: 1400px) { .alikes { grid-template-columns: repeat(4, 1fr); } }
</style>
"""

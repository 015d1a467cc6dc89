//! The report as one page that needs nothing else: no script, no picture, nothing to be fetched.

use core::fmt::Write as _;

use crate::finding::Verdict;
use crate::report::{Published, Report, Tree};

/// How the page looks.
const STYLE: &str = "body{font:16px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;\
padding:0 1rem;color:#1b1b1b;background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;\
margin-top:2rem}.verdict{padding:.6rem 1rem;border-left:.5rem solid}.pass{border-color:#1a7f37;\
background:#eaf6ec}.cannot_tell{border-color:#9a6700;background:#fff6dd}.findings{border-color:\
#b42318;background:#fdecea}table{border-collapse:collapse;width:100%}td,th{text-align:left;\
vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ddd}details{margin-left:1.2rem}\
summary{cursor:pointer;padding:.1rem 0}.leaf{margin-left:2.2rem;padding:.1rem 0}.sum{\
font-variant-numeric:tabular-nums;font-weight:600}.dim{color:#555}code{font-size:.8rem;\
word-break:break-all}@media (prefers-color-scheme:dark){body{background:#161616;color:#e6e6e6}\
.pass{background:#12301a}.cannot_tell{background:#332700}.findings{background:#3a1512}td,th{\
border-color:#444}.dim{color:#aaa}}";

impl Report {
    /// The report as a page.
    #[must_use]
    pub fn html(&self) -> String {
        let mut page = String::new();
        let class = match self.verdict {
            Verdict::Pass => "pass",
            Verdict::CannotTell => "cannot_tell",
            Verdict::Findings => "findings",
        };
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\"><title>Audit: {verdict}</title>\
             <style>{STYLE}</style></head><body><h1>Audit of a proof bundle</h1>\
             <p class=\"verdict {class}\"><strong>{verdict}</strong>: {meaning}.</p>",
            verdict = self.verdict,
            meaning = escape(&self.meaning()),
        );
        let counted = &self.counted;
        let _ = write!(
            page,
            "<p>{} of {} statements are genuine; {} figures were checked; {} are shown to be in their \
             issuers' ledgers, {} of them in what witnesses cosigned.</p>",
            counted.verified,
            counted.statements,
            counted.sums,
            counted.in_ledger,
            counted.witnessed
        );
        if let Some(federation) = &self.federation {
            let _ = write!(page, "<p>Federation <code>{}</code></p>", escape(federation));
        }
        self.findings_table(&mut page);
        for bulletin in &self.bulletins {
            publication(&mut page, bulletin);
        }
        if !self.figures.is_empty() || self.bulletins.is_empty() {
            page.push_str("<h2>Figures</h2>");
        }
        for figure in &self.figures {
            branch(&mut page, figure, true);
        }
        page.push_str("</body></html>\n");
        page
    }

    fn findings_table(&self, page: &mut String) {
        if self.findings.is_empty() {
            return;
        }
        page.push_str(
            "<h2>What was found</h2><table><tr><th>What</th><th>Of whom</th><th>In words</th></tr>",
        );
        for found in &self.findings {
            let kind = match found.code.verdict() {
                Verdict::Findings => "wrong",
                Verdict::CannotTell => "open",
                Verdict::Pass => "note",
            };
            let _ = write!(
                page,
                "<tr><td>{kind}: {}</td><td>{}</td><td>{}</td></tr>",
                found.code,
                escape(&found.about.to_string()),
                escape(&found.text)
            );
        }
        page.push_str("</table>");
    }
}

fn publication(page: &mut String, bulletin: &Published) {
    let _ = write!(
        page,
        "<h2>Bulletin: {}</h2><p>{}, for {}, signed {}<br><code>{}</code></p><ul>",
        escape(&bulletin.title),
        escape(&bulletin.unit),
        escape(&bulletin.class),
        escape(&bulletin.issued_at),
        escape(&bulletin.statement)
    );
    for figure in &bulletin.figures {
        let line = escape(&figure.line());
        let _ = write!(page, "<li>{line}<br><code>{}</code></li>", escape(&figure.statement));
    }
    page.push_str("</ul>");
}

fn branch(page: &mut String, tree: &Tree, open: bool) {
    let line = format!(
        "{} <span class=\"dim\">{} {}</span> <span class=\"sum\">{}</span> <span class=\"dim\">({}; \
         edition {}, term {}, signed {})</span>",
        escape(&tree.unit),
        escape(&tree.indicator),
        escape(tree.period.as_deref().unwrap_or("every period")),
        escape(tree.total.as_deref().unwrap_or("no figure")),
        escape(&tree.state),
        tree.edition,
        tree.term,
        escape(&tree.issued_at)
    );
    if tree.parts.is_empty() {
        let _ = write!(page, "<div class=\"leaf\">{line}<br><code>{}</code></div>", tree.statement);
        return;
    }
    let open = if open { " open" } else { "" };
    let _ = write!(page, "<details{open}><summary>{line}</summary><code>{}</code>", tree.statement);
    for part in &tree.parts {
        branch(page, part, false);
    }
    page.push_str("</details>");
}

/// Text from statements and files never becomes markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

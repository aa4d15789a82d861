//! What a command came to, and the one place that prints it and turns it into an exit code.

use std::io;

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::json::{BlockDocument, NetworkDocument, SubnetDocument};
use crate::cli::output::Output;
use crate::cli::table;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::network::Network;
use crate::domain::snapshot::SubnetSnapshot;
use crate::domain::untrusted::sanitize_lines;

/// Characters of one line of an error: room for any message of ours around one quoted text.
const LINE: usize = 2_000;

/// What a command came to, or why it came to nothing.
pub type CommandResult = Result<Report, Diagnostic>;

/// Where the answer was read; what was not read is null.
#[derive(Debug, Default, Serialize)]
pub struct Place {
    /// Through which node of which network.
    pub network: Option<NetworkDocument>,
    /// On which subnet.
    pub subnet: Option<SubnetDocument>,
    /// In which block.
    pub block: Option<BlockDocument>,
}

impl Place {
    /// Of a snapshot.
    pub fn of(snapshot: &SubnetSnapshot) -> Self {
        Self {
            network: Some(NetworkDocument::of(&snapshot.chain)),
            subnet: Some(SubnetDocument::of(snapshot)),
            block: Some(BlockDocument::of(snapshot)),
        }
    }

    /// Of a network that was not asked.
    pub fn unread(network: &Network, netuid: u16) -> Self {
        let (name, genesis) = (network.name.clone(), network.genesis);
        Self {
            network: Some(NetworkDocument { name, endpoint: None, genesis, spec_version: None }),
            subnet: Some(SubnetDocument::numbered(netuid)),
            block: None,
        }
    }
}

/// What a command came to.
#[derive(Debug, Default)]
pub struct Report {
    place: Place,
    /// What decides the exit code, where something does: the first is the reason.
    deciding: Vec<Diagnostic>,
    findings: Vec<Diagnostic>,
    /// Whether it is the end of what was told line by line.
    is_last: bool,
    /// Whether people were told of the findings while it ran.
    are_told: bool,
    /// The command's own fields, or its text.
    body: String,
}

impl Report {
    /// Of a command's own fields for scripts, or its text for people. Errors: fields that are no JSON object.
    pub fn of<D: Serialize>(
        output: Output,
        document: impl FnOnce() -> D,
        text: impl FnOnce() -> String,
    ) -> Result<Self, Diagnostic> {
        let body = if output.is_json() { pretty(&document()).map_err(|error| unwritten(&error))? } else { text() };
        Ok(Self { body, ..Self::default() })
    }

    /// The same, read there.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// The same with what must not be overlooked beside it.
    #[must_use]
    pub fn with(self, findings: Vec<Diagnostic>) -> Self {
        Self { findings, ..self }
    }

    /// The same with what people were told of while it ran.
    #[must_use]
    pub fn with_told(self, findings: Vec<Diagnostic>) -> Self {
        Self { findings, are_told: true, ..self }
    }

    /// The same with what decides how it ended; the first is the reason. Without any it went well.
    #[must_use]
    pub fn decided_by(self, deciding: impl IntoIterator<Item = Diagnostic>) -> Self {
        Self { deciding: deciding.into_iter().collect(), ..self }
    }

    /// The end of what was told line by line, for this reason.
    pub fn last(why: Option<Diagnostic>) -> Self {
        Self { is_last: true, deciding: why.into_iter().collect(), ..Self::default() }
    }

    /// What goes before many lines: the document in one, or the text, and what must not be overlooked. `false` where the reader
    /// has seen enough.
    pub fn first(&self, command: &str, output: Output) -> io::Result<bool> {
        if output.is_json() {
            // Written out, no line of a document begins or ends within a text.
            let document = document(command, self, self.exit())?;
            return output.line(&document.lines().map(str::trim_start).collect::<String>());
        }
        self.findings.iter().for_each(|finding| output.remark(table::finding(finding).trim_end()));
        output.line(self.body.trim_end())
    }

    fn exit(&self) -> Exit {
        self.deciding.first().map_or(Exit::Healthy, |decides| Exit::of(decides.class))
    }
}

/// What stands in every document.
#[derive(Serialize)]
struct Envelope<'a> {
    schema: String,
    #[serde(flatten)]
    place: &'a Place,
    exit: u8,
    findings: Vec<&'a Diagnostic>,
}

/// Prints what a command came to: one document for scripts, text for people with what they must not overlook on stderr.
pub fn print(command: &str, outcome: CommandResult, output: Output) -> Exit {
    let failed = |why: Diagnostic| {
        let why = cleaned(why);
        if !output.is_json() {
            output.error(&why);
        }
        (Report { are_told: true, deciding: vec![why], ..Report::default() }, false)
    };
    let (report, has_text) = outcome.map_or_else(failed, |report| (report, true));
    let exit = report.exit();
    let printed = if report.is_last && output.is_json() {
        output.line(&format!("{{\"exit\":{}}}", exit.code())).map(drop)
    } else if output.is_json() {
        document(command, &report, exit).and_then(|document| Output::document(&document))
    } else {
        if !report.are_told {
            report.findings.iter().for_each(|finding| output.remark(table::finding(finding).trim_end()));
        }
        if has_text { output.text(&report.body) } else { Ok(()) }
    };
    match printed {
        Ok(()) => exit,
        // Where stdout leads nowhere stderr may still reach somebody.
        Err(error) => {
            output.error(&unwritten(&error));
            Exit::Usage
        }
    }
}

/// What failed may repeat what was given, which may have come from anywhere and may be a key in the wrong place.
fn cleaned(why: Diagnostic) -> Diagnostic {
    let clean = |text: String| crate::logs::redacted(&sanitize_lines(&text, LINE));
    Diagnostic { summary: clean(why.summary), cause: clean(why.cause), help: clean(why.help), ..why }
}

fn document(command: &str, report: &Report, exit: Exit) -> io::Result<String> {
    let mut findings: Vec<&Diagnostic> = report.deciding.iter().collect();
    let is_new = |finding: &&Diagnostic| {
        !report.deciding.iter().any(|known| (known.code, &known.summary) == (finding.code, &finding.summary))
    };
    findings.extend(report.findings.iter().filter(is_new));
    let schema = format!("grail-console/{command}/2");
    let envelope = pretty(&Envelope { schema, place: &report.place, exit: exit.code(), findings })?;
    Ok(joined(&envelope, &report.body))
}

fn pretty(document: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(document)?)
}

/// One object with the fields of two, in that order.
fn joined(envelope: &str, body: &str) -> String {
    match (envelope.strip_suffix("\n}"), body.strip_prefix("{\n")) {
        (Some(before), Some(after)) => [before, ",\n", after].concat(),
        _ => envelope.to_owned(),
    }
}

/// What was to be told did not get out.
pub(super) fn unwritten(error: &io::Error) -> Diagnostic {
    let text = format!("cannot write to stdout: {error}; check where it leads");
    Diagnostic::of_text("stdout", Class::Usage, &text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_document_has_the_envelope_first_and_then_its_own_fields() {
        let findings = vec![Diagnostic::of_text("odd", Class::Finding, "odd; look"); 2];
        let body = pretty(&json!({ "netuid": 81 })).unwrap();
        let report = Report { body, ..Report::default() }.with(findings.clone()).decided_by([findings[0].clone()]);
        let text = document("status", &report, report.exit()).unwrap();
        let told: Value = serde_json::from_str(&text).unwrap();
        let odd = json!({ "code": "odd", "severity": "warning", "about": null, "summary": "odd", "cause": "", "help": "look" });
        let whole = json!({
            "schema": "grail-console/status/2", "network": null, "subnet": null, "block": null, "exit": 1,
            "findings": [odd], "netuid": 81,
        });
        assert_eq!(told, whole);
        assert!(text.find("findings") < text.find("netuid"), "{text}");
        assert_eq!(joined("{\n  \"a\": 1\n}", "{}"), "{\n  \"a\": 1\n}");
    }
}

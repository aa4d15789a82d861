//! What scripts rely on in a command's JSON: its exit code, the path and type of each field, and the words that they compare.
//! What varies from run to run is left out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::house::{House, Ran};

/// Fields whose words are part of the contract, by the end of their path.
const WORDS: [&str; 42] = [
    "code",
    "severity",
    "state",
    "reason",
    "outcome",
    "verdict",
    "layer",
    "standing",
    "check",
    "step",
    "risk",
    "kind",
    "level",
    "phase",
    "direction",
    "mode",
    "role",
    "shape",
    "case",
    "proven_wrong",
    "action",
    "origin",
    "backend",
    "place",
    "grail_takes",
    "key_test",
    "canary",
    "next_step",
    "trouble",
    "lock",
    "env",
    "variable",
    "blocked_by[]",
    "used_by[]",
    "settings[].name",
    "paths[].what",
    "fields.locator",
    "fields.read_key_id",
    "fields.read_secret",
    "network.name",
    "changed[]",
    "chain.own",
];

/// Fields whose yes or no is part of the contract.
const TRUTHS: [&str; 7] = ["visible", "healthy", "finalized", "read_back", "kept", "committed", "reachable"];

/// A document's paths, each with the types and the words that stand there.
type Shape = BTreeMap<String, String>;

/// Command lines with what each of them printed.
type Alike = (Vec<String>, String);

/// What commands of one house printed, each in its situation.
pub struct Shapes<'a> {
    house: &'a House,
    flags: Vec<String>,
    situations: Vec<(String, Vec<Alike>)>,
    /// The first shape of each schema, in full; of later ones only the difference is shown.
    first: BTreeMap<String, Shape>,
}

impl<'a> Shapes<'a> {
    pub fn of(house: &'a House, flags: Vec<String>) -> Self {
        Self { house, flags, situations: Vec::new(), first: BTreeMap::new() }
    }

    /// From now on it is so.
    pub fn when(&mut self, situation: &str) -> &mut Self {
        self.situations.push((situation.to_owned(), Vec::new()));
        self
    }

    /// From now on the commands have other flags.
    pub fn flags(&mut self, flags: Vec<String>) -> &mut Self {
        self.flags = flags;
        self
    }

    /// A command line of this house. The flags stand first, since `exec` takes everything behind its own.
    pub fn line(&self, words: &[&str]) -> Vec<String> {
        let words = words.iter().map(|word| (*word).to_owned());
        ["--json".to_owned()].into_iter().chain(self.flags.iter().cloned()).chain(words).collect()
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(&mut self, words: &[&str]) -> &mut Self {
        let ran = self.house.run(self.line(words));
        self.add(words, &ran)
    }

    /// Runs each of these.
    #[track_caller]
    pub fn each(&mut self, commands: &[&[&str]]) -> &mut Self {
        for words in commands {
            self.run(words);
        }
        self
    }

    /// Takes in what a command printed. Commands with one shape in one situation stand together.
    #[track_caller]
    pub fn add(&mut self, words: &[&str], ran: &Ran) -> &mut Self {
        let text = format!("    exit {}\n{}", ran.code.expect("it ended by itself"), self.told(ran));
        let (_, shapes) = self.situations.last_mut().expect("a situation");
        match shapes.iter_mut().find(|(_, known)| *known == text) {
            Some((titles, _)) => titles.push(title(words)),
            None => shapes.push((vec![title(words)], text)),
        }
        self
    }

    #[track_caller]
    fn told(&mut self, ran: &Ran) -> String {
        if ran.stdout.is_empty() && ran.stderr.is_empty() {
            return "    no document\n".to_owned();
        }
        let document = ran.json();
        let (schema, mut shape) = (document["schema"].as_str().unwrap().to_owned(), shape(&document));
        shape.remove("schema");
        let (told, first) = match self.first.get(&schema) {
            None => (lines("", &shape), String::new()),
            Some(first) => (difference(first, &shape), "as the first ".to_owned()),
        };
        self.first.entry(schema.clone()).or_insert(shape);
        format!("    {first}{schema}\n{told}")
    }

    pub fn text(&self) -> String {
        let alike = |(titles, text): &Alike| format!("\n{}\n{text}", titles.join("\n"));
        let told = |(situation, shapes): &(String, Vec<Alike>)| {
            let shapes: Vec<_> = shapes.iter().map(alike).collect();
            format!("== {situation} ==\n{}\n", shapes.concat())
        };
        self.situations.iter().map(told).collect::<Vec<_>>().concat()
    }
}

fn lines(mark: &str, shape: &Shape) -> String {
    let lines: Vec<_> = shape.iter().map(|(path, kinds)| format!("    {mark}{path}: {kinds}\n")).collect();
    lines.concat()
}

/// What is new, other, or gone.
fn difference(first: &Shape, shape: &Shape) -> String {
    let other = shape.iter().filter(|(path, kinds)| first.get(*path) != Some(*kinds));
    let other = other.map(|(path, kinds)| (path.clone(), kinds.clone())).collect();
    // What another line of the difference implies is not repeated.
    let below = |path: &str, above: &str| {
        path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with("[]"))
    };
    let stands = |path: &str| shape.keys().any(|known| below(path, known) || below(known, path));
    let gone = first.keys().filter(|path| !stands(path));
    let gone: Vec<_> = gone.map(|path| format!("    - {path}\n")).collect();
    lines("+ ", &other) + &gone.concat()
}

/// The words of a command line without what differs from run to run.
fn title(words: &[&str]) -> String {
    let plain = |word: &&str| match *word {
        word if word.starts_with("ws://") => "URL".to_owned(),
        word if word.starts_with('/') => "FILE".to_owned(),
        word if word.len() == 48 && word.starts_with('5') => "HOTKEY".to_owned(),
        word => word.to_owned(),
    };
    words.iter().map(plain).collect::<Vec<_>>().join(" ")
}

fn shape(document: &Value) -> Shape {
    let mut found = BTreeMap::new();
    walk("", document, &mut found);
    found.into_iter().map(|(path, kinds)| (path, kinds.into_iter().collect::<Vec<_>>().join(" | "))).collect()
}

fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&path, value, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                walk(&format!("{path}[]"), item, found);
            }
        }
        leaf => {
            found.entry(path.to_owned()).or_default().insert(word(path, leaf));
        }
    }
}

fn word(path: &str, leaf: &Value) -> String {
    let is_in = |names: &[&str]| {
        let ends = |name: &&str| path.strip_suffix(*name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        names.iter().any(ends)
    };
    match leaf {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) if is_in(&TRUTHS) => truth.to_string(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(number) if number.is_f64() => "float".to_owned(),
        Value::Number(_) => "integer".to_owned(),
        // A host and the port of this very run.
        Value::String(text) if text.contains(':') => "string".to_owned(),
        Value::String(text) if is_in(&WORDS) => format!("{text:?}"),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "empty list".to_owned(),
        Value::Object(_) => "empty object".to_owned(),
    }
}

//! Completions: the script that a shell loads, and what this program answers when the shell asks while a line is typed.
//!
//! Names are looked up on this machine alone, in folders and the configuration: no network, no `.env`, no key file. What looks
//! like a secret is never offered.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, complete};
use clap_complete::env::Shells;

use crate::cli::args::Arguments;
use crate::cli::below_home;
use crate::config::DEFAULT_WALLETS;
use crate::config::file::ConfigFile;
use crate::domain::environment::Environment;
use crate::domain::filter::Filter;
use crate::domain::given;
use crate::domain::network::NETWORKS;
use crate::domain::vault_index::Backend;
use crate::sandbox::Scenario;
use crate::state::Paths;
use crate::wallet;

/// The variable that names the shell which asks.
pub(super) const SHELL_ASKS: &str = "GRAIL_CONSOLE_COMPLETE";
const BINARY: &str = "grail-console";

/// Bash breaks words at `=` and `:` too, and replaces only what stands behind the last of them; the answer is given for that
/// part. What is no option of ours is completed as bash would.
const BASH: &str = r#"_grail_console() {
    local line current=${COMP_WORDS[COMP_CWORD]}
    local -a words=("${COMP_WORDS[@]:0:COMP_CWORD}")
    if [[ $current == [=:]* ]]; then words+=("$current" ""); else words+=("$2"); fi
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == *' '* && $current != [\"\']* ]]; then printf -v line '%q' "$line"; fi
        COMPREPLY+=("$line")
    done < <(GRAIL_CONSOLE_COMPLETE=bash grail-console -- "${words[@]}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:/] ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o bashdefault -o default -F _grail_console grail-console
"#;

/// The script for a shell. Errors: the shell is none of those that are known.
pub(super) fn script(shell: clap_complete::Shell) -> io::Result<String> {
    if shell == clap_complete::Shell::Bash {
        return Ok(BASH.to_owned());
    }
    let mut script = Vec::new();
    let known = Shells::builtins();
    let shell = known.completer(&shell.to_string()).ok_or_else(|| io::Error::other("this shell is not known"))?;
    shell.write_registration(SHELL_ASKS, BINARY, BINARY, BINARY, &mut script)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// What a shell is told that asks what may stand on a line: `grail-console -- WORDS…`. Errors: the shell is not known.
pub(super) fn answer(shell: &str, given: &[OsString], environment: &Environment) -> io::Result<String> {
    let words = given.iter().skip_while(|word| *word != "--").skip(1).cloned().collect::<Vec<_>>();
    if words.is_empty() {
        return Ok(String::new());
    }
    let mut command = with_names(&words, environment);
    if shell == "bash" {
        return Ok(bash(&mut command, words));
    }
    let known = Shells::builtins();
    let shell = known.completer(shell).ok_or_else(|| io::Error::other("this shell is not known"))?;
    let mut told = Vec::new();
    // A line that means nothing has no completions.
    let _ = shell.write_complete(&mut command, words, None, &mut told);
    Ok(String::from_utf8_lossy(&told).into_owned())
}

fn bash(command: &mut Command, words: Vec<OsString>) -> String {
    let (words, kept) = joined(words);
    let last = words.len().saturating_sub(1);
    let found = complete(command, words, last, None).unwrap_or_default();
    let values = found.iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned());
    values.filter_map(|value| value.get(kept..).map(|rest| format!("{rest}\n"))).collect()
}

/// The words with what bash broke apart put together, and how many bytes of the last one bash keeps.
fn joined(parts: Vec<OsString>) -> (Vec<OsString>, usize) {
    let mut words: Vec<OsString> = Vec::new();
    let (mut glued, mut kept) = (false, 0);
    for part in parts {
        let is_break = !part.is_empty() && part.to_str().is_some_and(|part| part.chars().all(|c| c == '=' || c == ':'));
        match words.last_mut() {
            Some(word) if is_break || glued => {
                kept = word.len();
                word.push(&part);
            }
            _ => {
                kept = 0;
                words.push(part);
            }
        }
        glued = is_break;
    }
    (words, kept)
}

/// The command line with what can be named on this machine.
fn with_names(words: &[OsString], environment: &Environment) -> Command {
    let names = Names::of(words, environment);
    let (profiles, wallets, hotkeys) = (names.profiles, names.wallets, names.hotkeys);
    let of =
        |values: Vec<String>| ArgValueCandidates::new(move || values.iter().map(CompletionCandidate::new).collect());
    let filtered = |command: Command| {
        command
            .mut_arg("filter", |argument| argument.add(ArgValueCompleter::new(|typed: &std::ffi::OsStr| filter(typed))))
    };
    Arguments::command()
        .mut_arg("network", |argument| {
            argument.add(of(NETWORKS.iter().map(|network| network.name.to_owned()).collect()))
        })
        .mut_arg("vault", |argument| argument.add(of(Backend::NAMED.map(|backend| backend.word().to_owned()).to_vec())))
        .mut_arg("profile", |argument| argument.add(of(profiles)))
        .mut_arg("wallet", |argument| argument.add(of(wallets)))
        .mut_arg("hotkey", |argument| argument.add(of(hotkeys)))
        .mut_subcommand("sandbox", |command| {
            let scenarios = Scenario::names().map(str::to_owned).collect();
            command.mut_arg("scenario", |argument| argument.add(of(scenarios)))
        })
        .mut_subcommand("status", filtered)
        .mut_subcommand("probe", filtered)
        .mut_subcommand("verify", filtered)
}

/// The last term of a filter, of which a quoted word may hold several.
fn filter(typed: &std::ffi::OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let typed = typed.trim_start_matches(['\'', '"']);
    let (before, begun) = typed.split_at(typed.rfind(' ').map_or(0, |space| space + 1));
    let begun = begun.to_lowercase();
    let terms = Filter::terms_of_rows().filter(|term| term.starts_with(&begun));
    terms.map(|term| CompletionCandidate::new(format!("{before}{term}"))).collect()
}

/// What has a name on this machine.
#[derive(Default)]
struct Names {
    profiles: Vec<String>,
    wallets: Vec<String>,
    hotkeys: Vec<String>,
}

impl Names {
    /// As the flags that stand on the line, the environment and the configuration say.
    fn of(words: &[OsString], environment: &Environment) -> Self {
        let home = environment.filled("HOME").map(Path::new);
        let file = Paths::resolve(environment).ok().and_then(|paths| ConfigFile::read(&paths.config_file()).ok());
        let file = file.unwrap_or_default();
        let profile = file.profile(said(words, "--profile")).ok().flatten().map(|(_, profile)| profile);
        let folder = said(words, "--wallet-path").map(|path| below_home(PathBuf::from(path), environment));
        let folder = folder.or_else(|| profile?.wallet_path.as_ref()?.expand(home));
        let folder = folder.or_else(|| home.map(|home| home.join(DEFAULT_WALLETS)));
        let wallet = said(words, "--wallet").or_else(|| environment.filled("BT_WALLET_COLD"));
        let wallet = wallet.or_else(|| profile?.wallet.as_deref());
        let (mut wallets, mut hotkeys) = (Vec::new(), Vec::new());
        for (name, of_wallet) in folder.map(|folder| wallet::names(&folder)).unwrap_or_default() {
            if wallet.is_none_or(|wallet| wallet == name.as_str()) {
                hotkeys.extend(of_wallet.iter().map(|hotkey| hotkey.as_str().to_owned()));
            }
            wallets.push(name.as_str().to_owned());
        }
        hotkeys.sort();
        hotkeys.dedup();
        // A key may have been pasted where a name belongs.
        let names = |all: Vec<String>| all.into_iter().filter(|name| given::shown(name) == *name).collect();
        Self {
            profiles: names(file.profiles.keys().cloned().collect()),
            wallets: names(wallets),
            hotkeys: names(hotkeys),
        }
    }
}

/// The value of a flag that stands on the line, put together as bash breaks it apart.
fn said<'w>(words: &'w [OsString], flag: &str) -> Option<&'w str> {
    let mut words = words.iter().rev().skip(1).rev().filter_map(|word| word.to_str());
    let mut said = None;
    while let Some(word) = words.next() {
        match word.strip_prefix(flag) {
            Some("") => said = words.next().and_then(|value| if value == "=" { words.next() } else { Some(value) }),
            Some(rest) => said = rest.strip_prefix('=').or(said),
            None => {}
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(parts: &[&str]) -> Vec<OsString> {
        parts.iter().map(OsString::from).collect()
    }

    #[test]
    fn what_bash_breaks_apart_is_put_together_and_bash_keeps_what_stands_before_the_break() {
        let (whole, kept) = joined(words(&["grail-console", "status", "--filter", "=", "state", ":", "re"]));
        assert_eq!((whole, kept), (words(&["grail-console", "status", "--filter=state:re"]), "--filter=state:".len()));
        assert_eq!(joined(words(&["grail-console", "--network", "=", ""])).1, "--network=".len());
        assert_eq!(joined(words(&["grail-console", "--network", "fin"])).1, 0);
    }

    #[test]
    fn a_flag_on_the_line_is_read_in_every_way_in_which_shells_tell_it() {
        for line in [&["x", "--wallet", "a", ""][..], &["x", "--wallet=a", ""], &["x", "--wallet", "=", "a", ""]] {
            assert_eq!(said(&words(line), "--wallet"), Some("a"), "{line:?}");
        }
        assert_eq!(said(&words(&["x", "--wallet-path", "p", "--wallet", "a"]), "--wallet"), None, "still being typed");
    }
}

//! Command lines as documentation shows them: in code blocks of README and docs, in code spans of their text, and in
//! the examples of `--help`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::CommandFactory;

use auscult::cli::Cli;

/// A command line of `auscult` in the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentedCommand {
    /// File and line, or whose help.
    pub place: String,
    /// The words after `auscult`, as a shell would split them.
    pub words: Vec<String>,
    /// Whether it is written out whole: in a code block or an example, rather than named in the middle of a sentence.
    pub is_whole: bool,
}

/// Every command line in README.md, docs/ and helm/.
///
/// # Errors
/// When a file cannot be read.
pub fn of_documents(root: &Path) -> Result<Vec<DocumentedCommand>> {
    let mut files = vec![root.join("README.md")];
    for folder in ["docs", "helm"] {
        markdown(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        found.extend(of_text(&name, &text));
    }
    Ok(found)
}

/// Every command line in the examples of `--help`, of all commands.
#[must_use]
pub fn of_help() -> Vec<DocumentedCommand> {
    let cli = Cli::command();
    let mut found = Vec::new();
    let mut commands = vec![("auscult --help".to_owned(), cli)];
    while let Some((place, command)) = commands.pop() {
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in examples.lines() {
            // What an example is for stands behind it, some spaces away.
            let line = line.trim().split("   ").next().unwrap_or_default();
            found.extend(of_line(&place, line));
        }
        for sub in command.get_subcommands() {
            commands.push((format!("{} {} --help", place.trim_end_matches(" --help"), sub.get_name()), sub.clone()));
        }
    }
    found
}

fn markdown(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            markdown(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(())
}

fn of_text(name: &str, text: &str) -> Vec<DocumentedCommand> {
    let mut found = Vec::new();
    let mut is_code = false;
    // A picture or a program's output, not commands.
    let mut is_text = false;
    let mut continued = String::new();
    let mut prose = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            is_text = is_code && line.trim_start() == "```text";
            continue;
        }
        if is_text {
            continue;
        }
        if !is_code {
            prose.push_str(line);
            prose.push('\n');
            continue;
        }
        continued.push_str(line.trim_end_matches('\\'));
        if !line.ends_with('\\') {
            found.extend(of_line(&format!("{name}:{number}"), &continued));
            continued.clear();
        }
    }
    // Code spans; one may go on in the next line.
    let spans = prose.split('`').skip(1).step_by(2).filter(|span| span.starts_with("auscult "));
    for span in spans {
        let commands = of_line(name, &span.replace('\n', " "));
        found.extend(commands.into_iter().map(|command| DocumentedCommand { is_whole: false, ..command }));
    }
    found
}

/// The commands in a line: behind a prompt, in a pipe, started by `kubectl exec` or by cargo.
fn of_line(place: &str, line: &str) -> Vec<DocumentedCommand> {
    const STARTS: [&[&str]; 2] = [&["auscult"], &["cargo", "run", "--release", "--"]];
    let mut found = Vec::new();
    for words in split(line) {
        let begins = (0..words.len()).find_map(|position| {
            let is_binary = words[position].ends_with("/auscult");
            let started = STARTS.iter().find(|start| {
                let rest = &words[position..];
                rest.len() >= start.len() && rest.iter().zip(start.iter()).all(|(word, part)| word == part)
            });
            started.map(|start| position + start.len()).or_else(|| is_binary.then_some(position + 1))
        });
        let Some(begin) = begins else { continue };
        // A path that ends so and is no command: `helm install plant helm/auscult --namespace …`.
        let is_chart = words[..begin].iter().any(|word| word == "helm" || word == "docker");
        if begin < words.len() && !is_chart {
            found.push(DocumentedCommand { place: place.to_owned(), words: words[begin..].to_vec(), is_whole: true });
        }
    }
    found
}

/// The simple commands of a line in a POSIX shell, split into words: quotation marks, comments, pipes and redirections
/// are understood, which is all that the documentation uses.
fn split(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut is_target = false;
    let end = |word: &mut Option<String>, commands: &mut Vec<Vec<String>>, is_target: &mut bool| {
        if let Some(word) = word.take()
            && !std::mem::take(is_target)
        {
            commands.last_mut().expect("there is always one").push(word);
        }
    };
    for character in line.trim().trim_start_matches("$ ").chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, '|' | '&' | ';') => {
                end(&mut word, &mut commands, &mut is_target);
                commands.push(Vec::new());
            }
            (None, '>' | '<') => {
                end(&mut word, &mut commands, &mut is_target);
                is_target = true;
            }
            (None, _) if character.is_whitespace() => end(&mut word, &mut commands, &mut is_target),
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    end(&mut word, &mut commands, &mut is_target);
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        of_line("here", line).into_iter().map(|command| command.words).collect()
    }

    #[test]
    fn commands_are_found_as_a_shell_would_find_them() {
        assert_eq!(
            words("auscult send today/ --machine fan-07  # the gateway"),
            [["send", "today/", "--machine", "fan-07"]]
        );
        assert_eq!(
            words("$ auscult doctor --json | jq '.checks[] | select(.outcome != \"ok\")' > out"),
            [["doctor", "--json"]]
        );
        assert_eq!(words("auscult feature-worker &"), [["feature-worker"]]);
        assert_eq!(words("kubectl exec pod -- /usr/local/bin/auscult log-level debug"), [["log-level", "debug"]]);
        assert_eq!(words("cargo run --release -- demo"), [["demo"]]);
        assert_eq!(
            words("auscult control a retire --by \"night shift\""),
            [["control", "a", "retire", "--by", "night shift"]]
        );
        assert!(words("helm install plant helm/auscult --namespace x").is_empty());
        assert!(words("# auscult is a program").is_empty());
    }

    #[test]
    fn blocks_spans_and_lines_that_go_on_are_read() {
        let text = "Run `auscult topics\ncheck` first.\n```sh\nauscult send a.wav \\\n  --machine m\n```\n`auscult`";
        let found = of_text("a.md", text);
        let words: Vec<(String, bool)> = found.iter().map(|one| (one.words.join(" "), one.is_whole)).collect();
        assert_eq!(words, [("send a.wav --machine m".to_owned(), true), ("topics check".to_owned(), false)]);
    }
}

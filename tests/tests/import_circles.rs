//! The top modules of a crate do not import each other in a circle: what is beneath can be read without what is above
//! it.
//!
//! Imports are read from the sources: `use` declarations and paths that begin with `crate`, `super` or `self`, each
//! followed through re-exports to the module that has the item. Code that is only compiled for tests is left out.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Names from the crate's root down.
type ModulePath = Vec<String>;
/// Which top module imports which, and by what path.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

#[test]
fn top_modules_of_no_crate_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    let mut found = 0;
    for sources in crates() {
        let imports = imports(&modules(&sources));
        found += imports.values().map(BTreeMap::len).sum::<usize>();
        for circle in circles_of(&imports) {
            let among = |from: &String| {
                let to = imports[from].iter().filter(|(to, _)| circle.contains(*to));
                to.map(|(to, path)| format!("    {from} imports {to}: {path}\n")).collect::<String>()
            };
            let lines: String = circle.iter().map(among).collect();
            circles.push(format!("{}:\n{lines}", sources.display()));
        }
    }
    assert!(found > 100, "{found} imports in the whole workspace: the parser finds none");
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_through_re_exports_and_inline_paths_is_found_and_tests_are_left_out() {
    let source = |text: &str| Module::of(&tokens(text));
    let module = |name: &str, text: &str| (vec![name.to_owned()], source(text));
    let root = "mod a; mod b; mod c; mod d; pub use a::{Alpha, other::Beta as Gamma};";
    let mut all = BTreeMap::from([
        (Vec::new(), source(root)),
        module(
            "a",
            "//! use crate::d::D;\nuse crate::b::{self, One}; const C: char = '\"'; const S: &str = \"crate::d::D\";",
        ),
        module("b", "fn f<'a>(x: &'a crate::c::X) { let _ = r#\"\" crate::d \"#; }"),
        module("c", "use super::Gamma; #[cfg(test)] mod tests { use crate::d::D; }"),
        module("d", "#[cfg(test)] use crate::a::Alpha; use crate::a::Alpha as _;"),
    ]);
    let circle = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(circles_of(&imports(&all)), [circle(&["a", "b", "c"])]);
    all.insert(vec!["c".to_owned()], source("#[cfg(test)] mod tests { use super::Gamma; }"));
    assert!(circles_of(&imports(&all)).is_empty());
}

/// The source folders of the workspace's crates.
fn crates() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    let members = members.split(',').map(|member| member.trim().trim_matches('"')).filter(|member| !member.is_empty());
    members.map(|member| root.join(member).join("src")).collect()
}

/// The modules of a crate by their paths, those of `tests.rs` and of `bin` left out.
fn modules(sources: &Path) -> BTreeMap<ModulePath, Module> {
    let mut modules = BTreeMap::new();
    let mut folders = vec![(sources.to_owned(), ModulePath::new())];
    while let Some((folder, path)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let is_root = matches!(name.as_str(), "lib" | "main" | "mod");
            let module = if is_root { path.clone() } else { [path.as_slice(), std::slice::from_ref(&name)].concat() };
            if matches!(name.as_str(), "tests" | "bin") {
                continue;
            }
            if file.is_dir() {
                folders.push((file, module));
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&file).unwrap();
                modules.insert(module, Module::of(&tokens(&text)));
            }
        }
    }
    modules
}

/// What a module names: paths as they are written, and the names that `use` gives to some of them.
#[derive(Debug, Default)]
struct Module {
    paths: Vec<ModulePath>,
    names: BTreeMap<String, ModulePath>,
}

impl Module {
    fn of(tokens: &[String]) -> Self {
        let mut module = Self::default();
        let mut rest = tokens;
        while let Some(token) = rest.first() {
            if rest.iter().map(String::as_str).take(7).eq(["#", "[", "cfg", "(", "test", ")", "]"]) {
                rest = behind_item(&rest[7..]);
            } else if token == "use" {
                let end = rest.iter().position(|token| token == ";").unwrap_or(rest.len());
                module.take_tree(&rest[1..end], &[]);
                rest = &rest[end..];
            } else if matches!(token.as_str(), "crate" | "super" | "self")
                && rest.get(1).is_some_and(|next| next == "::")
            {
                let path = path(rest);
                rest = &rest[2 * path.len() - 1..];
                module.paths.push(path);
            } else {
                rest = &rest[1..];
            }
        }
        module
    }

    fn take_tree(&mut self, tree: &[String], before: &[String]) {
        let own = if tree.first().is_some_and(|token| token == "{") { Vec::new() } else { path(tree) };
        let mut whole = [before, own.as_slice()].concat();
        let behind = (2 * own.len()).saturating_sub(1);
        let behind = behind + usize::from(tree.get(behind).is_some_and(|token| token == "::"));
        let rest = tree.get(behind..).unwrap_or_default();
        if rest.first().is_some_and(|token| token == "{") {
            let mut depth = 0;
            let mut start = 1;
            for (position, token) in rest.iter().enumerate() {
                match token.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                if (token == "," && depth == 1) || depth == 0 {
                    if start < position {
                        self.take_tree(&rest[start..position], &whole);
                    }
                    start = position + 1;
                }
            }
            return;
        }
        if whole.last().is_some_and(|last| last == "self") && whole.len() > 1 {
            whole.pop();
        }
        let is_renamed = rest.first().is_some_and(|token| token == "as");
        let name = if is_renamed { rest.get(1).cloned() } else { whole.last().cloned() };
        self.names.extend(name.map(|name| (name, whole.clone())));
        self.paths.push(whole);
    }
}

/// The names at the beginning that `::` connects.
fn path(tokens: &[String]) -> ModulePath {
    let mut names = Vec::new();
    for pair in tokens.chunks(2) {
        if !pair[0].starts_with(|first: char| first.is_alphabetic() || first == '_') {
            break;
        }
        names.push(pair[0].clone());
        if pair.get(1).is_none_or(|next| next != "::") {
            break;
        }
    }
    names
}

/// What comes behind one item: behind its `;` or its closing brace.
fn behind_item(tokens: &[String]) -> &[String] {
    let mut depth = 0;
    let is_use = tokens.iter().take_while(|token| *token != "{").any(|token| token == "use");
    for (position, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 && (token == ";" || (token == "}" && !is_use)) {
            return &tokens[position + 1..];
        }
    }
    &[]
}

/// Names, `::` and single characters; comments and literals are left out.
fn tokens(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let at = |position: usize| characters.get(position).copied().unwrap_or('\0');
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let (mut tokens, mut position) = (Vec::new(), 0);
    while position < characters.len() {
        let raw = if at(position) == 'b' { position + 1 } else { position };
        let hashes = (raw + 1..).take_while(|position| at(*position) == '#').count();
        match at(position) {
            '/' if at(position + 1) == '/' => {
                while position < characters.len() && at(position) != '\n' {
                    position += 1;
                }
            }
            '/' if at(position + 1) == '*' => {
                while position < characters.len() && !(at(position) == '*' && at(position + 1) == '/') {
                    position += 1;
                }
                position += 2;
            }
            'r' | 'b' if at(raw) == 'r' && at(raw + 1 + hashes) == '"' => {
                position = raw + 2 + hashes;
                let is_end =
                    |position: usize| at(position) == '"' && (0..hashes).all(|hash| at(position + 1 + hash) == '#');
                while position < characters.len() && !is_end(position) {
                    position += 1;
                }
                position += 1 + hashes;
            }
            '"' => {
                position += 1;
                while position < characters.len() && at(position) != '"' {
                    position += if at(position) == '\\' { 2 } else { 1 };
                }
                position += 1;
            }
            '\'' if at(position + 1) == '\\' => {
                position += 3;
                while position < characters.len() && at(position) != '\'' {
                    position += 1;
                }
                position += 1;
            }
            '\'' if at(position + 2) == '\'' => position += 3,
            ':' if at(position + 1) == ':' => {
                tokens.push("::".to_owned());
                position += 2;
            }
            first if is_name(first) => {
                let start = position;
                while is_name(at(position)) {
                    position += 1;
                }
                tokens.push(characters[start..position].iter().collect());
            }
            other => {
                if !other.is_whitespace() {
                    tokens.push(other.to_string());
                }
                position += 1;
            }
        }
    }
    tokens
}

fn imports(modules: &BTreeMap<ModulePath, Module>) -> Imports {
    let mut imports = Imports::new();
    for (module, Module { paths, .. }) in modules {
        let Some(from) = module.first() else { continue };
        for path in paths {
            let Some(path) = absolute(module, path, modules) else { continue };
            let target = home(path.clone(), modules);
            if let Some(to) = target.first().filter(|to| *to != from) {
                imports.entry(from.clone()).or_default().entry(to.clone()).or_insert_with(|| path.join("::"));
            }
        }
    }
    imports
}

/// A path from the crate's root; `None` where it leads out of the crate.
fn absolute(module: &[String], path: &[String], modules: &BTreeMap<ModulePath, Module>) -> Option<ModulePath> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => {
            let ups = path.iter().take_while(|name| *name == "super").count();
            Some([&module[..module.len().checked_sub(ups)?], &path[ups..]].concat())
        }
        first => {
            let child = [module, &[first.to_owned()]].concat();
            modules.contains_key(&child).then(|| [module, path].concat())
        }
    }
}

/// The module that has the item of a path, found through re-exports.
fn home(mut path: ModulePath, modules: &BTreeMap<ModulePath, Module>) -> ModulePath {
    let mut seen = BTreeSet::new();
    'followed: loop {
        for end in 1..=path.len() {
            if modules.contains_key(&path[..end]) {
                continue;
            }
            let parent = &path[..end - 1];
            let named = modules.get(parent).and_then(|module| module.names.get(&path[end - 1]));
            let renamed = named.and_then(|named| absolute(parent, named, modules));
            match renamed.filter(|renamed| seen.insert(renamed.clone())) {
                Some(renamed) => {
                    path = [renamed.as_slice(), &path[end..]].concat();
                    continue 'followed;
                }
                None => return parent.to_vec(),
            }
        }
        return path;
    }
}

/// Groups of modules each of which reaches every other one.
fn circles_of(imports: &Imports) -> Vec<BTreeSet<String>> {
    let reached = |from: &String| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from.clone()]);
        while let Some(module) = open.pop() {
            for to in imports.get(&module).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        reached
    };
    let reach: BTreeMap<&String, BTreeSet<String>> = imports.keys().map(|module| (module, reached(module))).collect();
    let mut circles: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (module, others) in &reach {
        if others.contains(*module) {
            let back = others.iter().filter(|other| reach.get(other).is_some_and(|reach| reach.contains(*module)));
            circles.insert(back.cloned().collect());
        }
    }
    circles.into_iter().collect()
}

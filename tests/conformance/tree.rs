//! What lies where.

use std::fs;
use std::path::Path;

/// The services, the optional console last: folder, package and binary.
pub(crate) const SERVICES: [&str; 6] = [
    "ingress",
    "context-builder",
    "webhook-caller",
    "attachment-fetcher",
    "egress",
    CONSOLE,
];
/// It stands beside the pipeline: no message passes through it, so it has no stage.
const CONSOLE: &str = "console";
/// What each has inside.
const SERVICE_FILES: [&str; 4] = ["main.rs", "lib.rs", "config.rs", "metrics.rs"];
/// And what those that messages pass through have besides.
const STAGE_FILE: &str = "stage.rs";
/// The folders at the top, besides those that start with a dot.
const FOLDERS: [&str; 5] = ["services", "proto-schemas", "deploy", "k8s", "tests"];
/// Where developers' machines keep things. Written in two halves, or this file would be found.
const MACHINE_PLACES: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
];
/// What stands where work is left. Written in two halves for the same reason.
const LEFT_WORK: [&str; 2] = [concat!("to", "do!("), concat!("unimple", "mented!(")];

/// A file of ours, its path from the root with forward slashes.
pub(crate) struct Text {
    pub(crate) path: String,
    pub(crate) content: String,
}

/// The paths of all files that are ours: all but what `.gitignore` names, and git's own.
pub(crate) fn files(root: &Path) -> Vec<String> {
    let ignored = fs::read_to_string(root.join(".gitignore")).expect(".gitignore is there");
    let mut ignored: Vec<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    ignored.push(".git");
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(root.join(&folder))
            .expect("the tree can be read")
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            match entry.file_type() {
                _ if ignored.contains(&path.as_str()) => {}
                Ok(kind) if kind.is_dir() => open.push(path),
                Ok(_) | Err(_) => found.push(path),
            }
        }
    }
    found.sort();
    found
}

/// Those of them that are text.
pub(crate) fn texts(root: &Path) -> Vec<Text> {
    let read = |path: String| {
        fs::read_to_string(root.join(&path))
            .ok()
            .map(|content| Text { path, content })
    };
    files(root).into_iter().filter_map(read).collect()
}

/// Folders at the top that have no business there.
pub(crate) fn unknown_folders(files: &[String]) -> Vec<String> {
    let mut folders: Vec<&str> = files
        .iter()
        .filter_map(|path| Some(path.split_once('/')?.0))
        .collect();
    folders.dedup();
    folders
        .into_iter()
        .filter(|folder| !folder.starts_with('.') && !FOLDERS.contains(folder))
        .map(|folder| format!("{folder}/ is no folder of the design"))
        .collect()
}

/// Lines that name a place on somebody's machine. A place is found where a path begins, not in the middle of
/// a longer one.
pub(crate) fn machine_paths(texts: &[Text]) -> Vec<String> {
    lines(texts, |line| {
        MACHINE_PLACES.iter().any(|place| {
            line.match_indices(place).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || "._-}".contains(c))
            })
        })
    })
}

/// Lines of Rust that leave work to be done.
pub(crate) fn unfinished(texts: &[Text]) -> Vec<String> {
    let mut found = lines(texts, |line| LEFT_WORK.iter().any(|mark| line.contains(mark)));
    found.retain(|line| line.split(':').next().is_some_and(|path| path.ends_with(".rs")));
    found
}

/// Files that a service lacks.
pub(crate) fn missing_in_services(files: &[String]) -> Vec<String> {
    wanted_in_services()
        .filter(|path| !files.contains(path))
        .map(|path| format!("{path} is missing"))
        .collect()
}

fn wanted_in_services() -> impl Iterator<Item = String> {
    SERVICES.iter().flat_map(|service| {
        let stage = (*service != CONSOLE).then_some(STAGE_FILE);
        let files = SERVICE_FILES.into_iter().chain(stage);
        files.map(move |file| format!("services/{service}/src/{file}"))
    })
}

fn lines(texts: &[Text], wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for text in texts {
        for (number, line) in text.content.lines().enumerate().filter(|(_, line)| wanted(line)) {
            found.push(format!("{}:{}: {}", text.path, number + 1, line.trim()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, content: &str) -> Text {
        Text {
            path: path.to_owned(),
            content: content.to_owned(),
        }
    }

    #[test]
    fn a_folder_of_no_design_is_found() {
        let files = [
            "Makefile",
            ".ci/run",
            "k8s/a.yaml",
            "scripts/a.sh",
            "scripts/b.sh",
            "tests/src/lib.rs",
        ];
        assert_eq!(
            unknown_folders(&files.map(str::to_owned)),
            ["scripts/ is no folder of the design"]
        );
    }

    #[test]
    fn a_place_on_a_machine_is_found_and_a_longer_path_is_not() {
        let place = MACHINE_PLACES[0];
        let planted = format!("fine\nlet path = \"{place}main\";\nhttps://example.com{place}page\n");
        let found = machine_paths(&[text("a.md", &planted)]);
        assert_eq!(found, [format!("a.md:2: let path = \"{place}main\";")]);
    }

    #[test]
    fn work_left_in_a_source_is_found() {
        let mark = format!("fn f() {{ {}) }}", LEFT_WORK[0]);
        assert_eq!(
            unfinished(&[text("a.rs", &mark), text("notes.md", &mark)]),
            [format!("a.rs:1: {mark}")]
        );
    }

    #[test]
    fn a_service_without_its_story_is_found() {
        let mut files: Vec<String> = wanted_in_services().collect();
        assert_eq!(missing_in_services(&files), [""; 0]);
        files.retain(|path| path != "services/egress/src/stage.rs");
        assert_eq!(
            missing_in_services(&files),
            ["services/egress/src/stage.rs is missing"]
        );
    }

    #[test]
    fn the_tree_is_walked_without_what_is_ignored() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let files = files(root);
        assert!(files.contains(&"tests/conformance/tree.rs".to_owned()));
        assert!(
            !files
                .iter()
                .any(|path| path.starts_with("target/") || path.starts_with(".git/"))
        );
    }
}

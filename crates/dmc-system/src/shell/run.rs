//! Commands to statements, in the order in which they would run.

use super::expand::Value;
use super::{Chain, Command, Joint, List, Pipeline, Simple, condition, read};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Longest script that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// Most commands that are walked through.
const MOST: usize = 50_000;
/// Most bytes of words for each of these; a command with more counts as several.
const BYTES_A_STEP: usize = 2048;
/// Deepest calls and branches.
const DEEPEST: usize = 120;
/// Most variables that are known at once.
const VARIABLES: usize = 256;
/// Most rounds of a loop.
const ROUNDS: usize = 64;

/// What a script finds when it runs.
pub(crate) struct Scene<'a> {
    /// `$1`, `$2` and so on.
    pub(crate) arguments: Vec<String>,
    /// Variables with their values.
    pub(crate) variables: Vec<(String, String)>,
    /// Variables that are not set.
    pub(crate) empty: &'a [String],
    /// Whether nothing can be at this path.
    pub(crate) absent: &'a dyn Fn(&str) -> bool,
}

/// A simple command that was come upon, once for each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// Line of its first word, from 1.
    pub(crate) line: usize,
    /// As it stands in the script.
    pub(crate) text: Rc<str>,
    /// Its words, as far as they are known; none for an assignment.
    pub(crate) words: Vec<Option<Rc<str>>>,
    /// Whether it can be reached at a first installation.
    pub(crate) reached: bool,
    /// Whether it calls a function of the script.
    pub(crate) call: bool,
}

/// Walks through a script. The second value is the line from which on it cannot be followed.
pub(crate) fn follow(script: &[u8], scene: &Scene<'_>) -> (Vec<Run>, Option<usize>) {
    if script.len() > LONGEST {
        return (Vec::new(), Some(1));
    }
    let text = String::from_utf8_lossy(script);
    let (list, broken) = read::script(&text);
    let variables = scene
        .variables
        .iter()
        .map(|(name, value)| (Rc::from(name.as_str()), Some(Rc::from(value.as_str()))));
    let mut walker = Walker {
        scene,
        arguments: scene.arguments.iter().map(|it| Some(it.as_str().into())).collect(),
        variables: variables.collect(),
        functions: BTreeMap::new(),
        called: BTreeSet::new(),
        calls: Vec::new(),
        runs: Vec::new(),
        steps: 0,
        depth: 0,
        reached: true,
    };
    walker.list(&list);
    let functions = walker.functions.clone();
    for (name, body) in functions {
        if !walker.called.contains(&name) {
            walker.unreached(|walker| _ = walker.list(&body));
        }
    }
    let exhausted = walker.steps >= MOST;
    let reached = walker.runs.last().map_or(1, |run| run.line);
    (walker.runs, broken.or(exhausted.then_some(reached)))
}

/// How a list came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The next command follows.
    Open,
    /// The round of a loop is over.
    Round,
    /// The function is over.
    Return,
    /// The script is over.
    Exit,
}

/// Status and end of a command.
type Outcome = (Option<bool>, End);

pub(super) type Variables = BTreeMap<Rc<str>, Value>;

pub(super) struct Walker<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) arguments: Vec<Value>,
    pub(super) variables: Variables,
    functions: BTreeMap<String, Rc<List>>,
    called: BTreeSet<String>,
    /// Calls under way.
    calls: Vec<String>,
    runs: Vec<Run>,
    steps: usize,
    depth: usize,
    reached: bool,
}

impl Walker<'_> {
    fn list(&mut self, list: &List) -> Outcome {
        let mut status = Some(true);
        for (at, chain) in list.0.iter().enumerate() {
            let (now, end) = self.chain(chain);
            status = now;
            if end != End::Open {
                for chain in &list.0[at + 1..] {
                    self.unreached(|walker| _ = walker.chain(chain));
                }
                return (status, end);
            }
        }
        (status, End::Open)
    }

    fn chain(&mut self, chain: &Chain) -> Outcome {
        let mut status = None;
        for (at, (joint, pipeline)) in chain.iter().enumerate() {
            let runs = match joint {
                Joint::First => Some(true),
                Joint::And => status,
                Joint::Or => status.map(|it: bool| !it),
            };
            match runs {
                Some(true) => {
                    let (now, end) = self.pipeline(pipeline);
                    status = now;
                    if end != End::Open {
                        for (_, pipeline) in &chain[at + 1..] {
                            self.unreached(|walker| _ = walker.pipeline(pipeline));
                        }
                        return (status, end);
                    }
                }
                Some(false) => self.unreached(|walker| _ = walker.pipeline(pipeline)),
                None => {
                    let other = self.maybe(|walker| walker.pipeline(pipeline));
                    // `a && false` is false, `a || true` is true, whatever `a` is.
                    status = match (joint, other.0) {
                        (Joint::And, Some(false)) => Some(false),
                        (Joint::Or, Some(true)) => Some(true),
                        _ => None,
                    };
                }
            }
        }
        (status, End::Open)
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Outcome {
        let (status, end) = match &*pipeline.commands {
            [one] => self.command(one),
            several => {
                for command in several {
                    self.command(command);
                }
                (None, End::Open)
            }
        };
        (if pipeline.negated { status.map(|it| !it) } else { status }, end)
    }

    fn command(&mut self, command: &Command) -> Outcome {
        if self.steps >= MOST || self.depth >= DEEPEST {
            self.steps = MOST;
            return (None, End::Open);
        }
        self.steps += 1;
        self.depth += 1;
        let outcome = match command {
            Command::Simple(simple) => self.simple(simple),
            Command::If(branches, otherwise) => self.branches(branches, otherwise),
            Command::Loop(condition, body) => {
                let (status, _) = self.list(condition);
                match status {
                    Some(false) => self.unreached(|walker| _ = walker.list(body)),
                    _ => _ = self.maybe(|walker| walker.list(body)),
                }
                (None, End::Open)
            }
            Command::For { name, words, body } => self.each(name, words, body),
            Command::Case(word, arms) => self.case(word, arms),
            Command::Function { name, body } => {
                self.functions.insert(name.clone(), Rc::clone(body));
                (Some(true), End::Open)
            }
            Command::Group { body, subshell: false } => self.list(body),
            Command::Group { body, subshell: true } => {
                let before = self.variables.clone();
                let (status, end) = self.list(body);
                self.variables = before;
                (status.filter(|_| end == End::Open), End::Open)
            }
        };
        self.depth -= 1;
        outcome
    }

    fn unreached(&mut self, walk: impl FnOnce(&mut Self)) {
        let reached = std::mem::replace(&mut self.reached, false);
        let before = self.variables.clone();
        walk(self);
        self.variables = before;
        self.reached = reached;
    }

    /// Commands that may run or not: afterwards nothing is known of what they set.
    fn maybe(&mut self, walk: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        let before = self.variables.clone();
        let (status, end) = walk(self);
        if end == End::Open {
            merge(&mut self.variables, &before);
        } else {
            self.variables = before;
        }
        (status, end)
    }

    /// A substitution: runs in a shell of its own.
    pub(super) fn aside(&mut self, list: &List) {
        let before = self.variables.clone();
        self.depth += 1;
        if self.depth < DEEPEST {
            self.list(list);
        }
        self.depth -= 1;
        self.variables = before;
    }

    fn branches(&mut self, branches: &[(List, List)], otherwise: &List) -> Outcome {
        let mut ways: Vec<(Variables, Outcome)> = Vec::new();
        let mut open = Some(true);
        for (condition, body) in branches {
            if open == Some(false) {
                self.unreached(|walker| {
                    walker.list(condition);
                    walker.list(body);
                });
                continue;
            }
            let status = self.list(condition).0;
            if status == Some(false) {
                self.unreached(|walker| _ = walker.list(body));
                continue;
            }
            let before = self.variables.clone();
            let outcome = self.list(body);
            ways.push((std::mem::replace(&mut self.variables, before), outcome));
            open = if status == Some(true) { Some(false) } else { None };
        }
        if open == Some(false) {
            self.unreached(|walker| _ = walker.list(otherwise));
        } else {
            let outcome = self.list(otherwise);
            ways.push((std::mem::take(&mut self.variables), outcome));
        }
        self.join(ways)
    }

    /// Goes on after several ways, of which it is not known which was taken.
    fn join(&mut self, ways: Vec<(Variables, Outcome)>) -> Outcome {
        let alike = |one: Outcome, other: Outcome| {
            let end = if one.1 == other.1 { one.1 } else { End::Open };
            (one.0.filter(|_| one.0 == other.0), end)
        };
        let outcome = ways.iter().map(|(_, outcome)| *outcome).reduce(alike);
        let all_end = ways.iter().all(|(_, (_, end))| *end != End::Open);
        let mut left = ways.into_iter().filter(|(_, (_, end))| all_end || *end == End::Open);
        if let Some((variables, _)) = left.next() {
            self.variables = variables;
        }
        for (variables, _) in left {
            merge(&mut self.variables, &variables);
        }
        outcome.unwrap_or((Some(true), End::Open))
    }

    fn each(&mut self, name: &str, words: &[super::Word], body: &List) -> Outcome {
        let values = self.expand(words);
        if values.iter().any(Option::is_none) || values.len() > ROUNDS {
            self.set(name, None);
            self.maybe(|walker| walker.list(body));
            return (None, End::Open);
        }
        for value in values {
            self.set(name, value);
            let (_, end) = self.list(body);
            if matches!(end, End::Return | End::Exit) {
                return (None, end);
            }
        }
        (None, End::Open)
    }

    fn case(&mut self, word: &super::Word, arms: &[(Vec<super::Word>, List)]) -> Outcome {
        let word = self.value(word);
        let mut ways: Vec<(Variables, Outcome)> = Vec::new();
        let mut open = true;
        for (patterns, body) in arms {
            let matches = if open { self.matches(word.as_deref(), patterns) } else { Some(false) };
            if matches == Some(false) {
                self.unreached(|walker| _ = walker.list(body));
                continue;
            }
            let before = self.variables.clone();
            let outcome = self.list(body);
            ways.push((std::mem::replace(&mut self.variables, before), outcome));
            open = matches.is_none();
        }
        if open {
            ways.push((std::mem::take(&mut self.variables), (Some(true), End::Open)));
        }
        self.join(ways)
    }

    fn matches(&mut self, word: Option<&str>, patterns: &[super::Word]) -> Option<bool> {
        let mut any = Some(false);
        for pattern in patterns {
            let text = self.joined(pattern);
            let one = match (word, text.as_deref()) {
                (_, Some("*")) if pattern.pattern => Some(true),
                (Some(word), Some(text)) if !pattern.pattern => Some(word == text),
                // Of a pattern's plain beginning alone can be told that it does not match.
                (Some(word), Some(text)) => {
                    let plain = text.split(['*', '?', '[']).next().unwrap_or_default();
                    if word.starts_with(plain) { None } else { Some(false) }
                }
                _ => None,
            };
            any = condition::and(any.map(|it| !it), one.map(|it| !it)).map(|it| !it);
        }
        any
    }

    fn set(&mut self, name: &str, value: Value) {
        if self.variables.len() < VARIABLES || self.variables.contains_key(name) {
            self.variables.insert(name.into(), value);
        }
    }

    fn simple(&mut self, simple: &Simple) -> Outcome {
        let words = self.expand(&simple.words);
        self.steps += words.iter().map(size).sum::<usize>() / BYTES_A_STEP;
        let mut status = condition::status(&words, self.scene.absent);
        for (name, word) in &simple.assignments {
            let value = self.value(word);
            if words.is_empty() {
                status = value.as_ref().map(|_| true);
                self.set(name, value);
            }
        }
        let body = words
            .first()
            .and_then(|name| self.functions.get_key_value(&**name.as_ref()?))
            .map(|(name, body)| (name.clone(), Rc::clone(body)));
        self.runs.push(Run {
            line: simple.line,
            text: simple.text.as_str().into(),
            words: words.clone(),
            reached: self.reached,
            call: body.is_some(),
        });
        // A call where nothing is reached, or of itself, would only say the same again.
        match body.filter(|(name, _)| self.reached && !self.calls.contains(name)) {
            Some((name, body)) => self.call(name, &body, words),
            None => (status, self.builtin(&words)),
        }
    }

    fn call(&mut self, name: String, body: &List, words: Vec<Value>) -> Outcome {
        self.called.insert(name.clone());
        self.calls.push(name);
        let arguments = words.into_iter().skip(1).collect();
        let before = std::mem::replace(&mut self.arguments, arguments);
        let (status, end) = self.list(body);
        self.arguments = before;
        self.calls.pop();
        (status, if end == End::Exit { End::Exit } else { End::Open })
    }

    /// What the shell's own commands do to what is known, and whether they end something.
    fn builtin(&mut self, words: &[Value]) -> End {
        let Some((Some(first), rest)) = words.split_first() else { return End::Open };
        match &**first {
            "exit" => return End::Exit,
            "return" => return End::Return,
            "break" | "continue" => return End::Round,
            "export" | "local" | "readonly" | "declare" => {
                for word in rest.iter().flatten() {
                    match word.split_once('=') {
                        Some((name, value)) => self.set(name, Some(value.into())),
                        None if &**first == "local" => self.set(word, None),
                        None => {}
                    }
                }
            }
            "read" => rest.iter().flatten().for_each(|name| self.set(name, None)),
            "unset" => rest.iter().flatten().for_each(|name| self.set(name, Some("".into()))),
            "set" if rest.first().is_some_and(|word| word.as_deref() == Some("--")) => {
                self.arguments = rest[1..].to_vec();
            }
            "shift" if !self.arguments.is_empty() => drop(self.arguments.remove(0)),
            _ => {}
        }
        End::Open
    }
}

/// Forgets what differs.
fn merge(variables: &mut Variables, other: &Variables) {
    for (name, value) in other {
        if variables.get(name) != Some(value) {
            variables.insert(Rc::clone(name), None);
        }
    }
    for (name, value) in variables.iter_mut() {
        if !other.contains_key(name) {
            *value = None;
        }
    }
}

/// What a value takes in memory, in bytes.
fn size(value: &Value) -> usize {
    64 + value.as_ref().map_or(0, |text| text.len())
}

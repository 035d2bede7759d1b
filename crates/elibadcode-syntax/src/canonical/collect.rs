//! One walk over the tree: scopes, occurrences of names, and comments.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::scopes::{Action, Alias, Facts, Occurrence, Scope, ScopeKind, Space};
use super::{c, java, python};
use crate::Language;
use crate::comments::{Docstrings, Edit};
use crate::scan;
use crate::tree::{Parsed, Step, walk};

/// Scopes in each other; each name is looked for in all that are around it, and text that is nested more
/// deeply is not written by people. C asks compilers for 127 blocks.
const MAX_DEPTH: usize = 256;

/// The scope that holds for a node and what is below it.
struct Frame {
    depth: usize,
    scope: usize,
    /// The scope of some of the node's children.
    inner: Option<usize>,
}

/// The state of the walk.
pub(super) struct Collector<'s> {
    pub(super) facts: Facts<'s>,
    frames: Vec<Frame>,
    /// Where the text begins in the source; before it is what was added to make it parse.
    pub(super) text_start: usize,
    /// Whether a function has been seen; the first one is what the text is about.
    pub(super) seen_function: bool,
}

/// What the walk finds: ranges refer to the parsed source.
pub(super) fn collect<'s>(parsed: &'s Parsed<'_>, language: Language) -> (Facts<'s>, Vec<Edit>) {
    let source = parsed.source.as_ref();
    let mut collector = Collector {
        facts: Facts {
            source,
            language,
            scopes: vec![Scope { parent: 0, kind: ScopeKind::Root, depth: 0 }],
            occurrences: Vec::new(),
            aliases: HashMap::new(),
            callables: Vec::new(),
            foreign_members: HashSet::new(),
            is_too_deep: false,
        },
        frames: Vec::new(),
        text_start: parsed.shift,
        seen_function: false,
    };
    let mut edits: Vec<Edit> = Vec::new();
    let mut docstrings = Docstrings::default();
    let mut previous = "";
    walk(&parsed.tree, |path| {
        let Some(step) = path.last() else { return false };
        edits.extend(scan::comment_edit(path, source, language, &mut docstrings));
        if scan::is_comment(step.kind) {
            return false;
        }
        collector.leave(path.len());
        match language {
            Language::C => c::open(&mut collector, path),
            Language::Java => java::open(&mut collector, path),
            Language::Python => python::open(&mut collector, path),
        }
        if scan::is_literal(step.kind) && (language == Language::C || step.node.child_count() == 0)
        {
            previous = "";
            return false;
        }
        if step.kind != "identifier" && step.node.child_count() > 0 {
            return true;
        }
        if step.kind == "preproc_arg" {
            c::macro_body(&mut collector, path);
        } else if step.kind.ends_with("identifier") && !step.node.byte_range().is_empty() {
            match language {
                Language::C => {
                    if !matches!(previous, "." | "->") {
                        c::name(&mut collector, path);
                    }
                }
                Language::Java => java::name(&mut collector, path),
                Language::Python => {
                    if previous != "." {
                        python::name(&mut collector, path);
                    }
                }
            }
        }
        // `q.\` and a name on the next line are one attribute.
        if step.kind != "line_continuation" {
            previous = step.kind;
        }
        false
    });
    collector.facts.occurrences.sort_by_key(|occurrence| occurrence.range.start);
    (collector.facts, edits)
}

impl<'s> Collector<'s> {
    fn leave(&mut self, depth: usize) {
        while self.frames.pop_if(|frame| frame.depth >= depth).is_some() {}
    }

    /// The scope of the node that is being visited.
    pub(super) fn scope(&self) -> usize {
        self.frames.last().map_or(0, |frame| frame.scope)
    }

    pub(super) fn kind(&self, scope: usize) -> ScopeKind {
        self.facts.scopes[scope].kind
    }

    pub(super) fn parent(&self, scope: usize) -> usize {
        self.facts.scopes[scope].parent
    }

    /// The nearest scope, from `scope` outwards, that is of one of these kinds, or the outermost.
    pub(super) fn nearest(&self, mut scope: usize, kinds: &[ScopeKind]) -> usize {
        while scope != 0 && !kinds.contains(&self.kind(scope)) {
            scope = self.parent(scope);
        }
        scope
    }

    /// A scope within the current one, or that one itself if it is too deep.
    fn create(&mut self, kind: ScopeKind) -> usize {
        let parent = self.scope();
        let depth = self.facts.scopes[parent].depth + 1;
        if depth > MAX_DEPTH {
            self.facts.is_too_deep = true;
            return parent;
        }
        self.facts.scopes.push(Scope { parent, kind, depth });
        self.facts.scopes.len() - 1
    }

    /// Opens a scope for the node at the end of `path` and all below it.
    pub(super) fn enter(&mut self, path: &[Step<'_>], kind: ScopeKind) {
        let scope = self.create(kind);
        self.frames.push(Frame { depth: path.len(), scope, inner: None });
    }

    /// Makes a scope for some children of the node at the end of `path`.
    pub(super) fn prepare(&mut self, path: &[Step<'_>], kind: ScopeKind) -> usize {
        let inner = self.create(kind);
        self.frames.push(Frame { depth: path.len(), scope: self.scope(), inner: Some(inner) });
        inner
    }

    /// Puts the node into the scope that its parent has prepared.
    pub(super) fn enter_prepared(&mut self, path: &[Step<'_>]) {
        if let Some(inner) = self.prepared(path) {
            self.enter_scope(path, inner);
        }
    }

    /// The scope that the parent of the node has prepared.
    pub(super) fn prepared(&self, path: &[Step<'_>]) -> Option<usize> {
        self.frames.last().filter(|frame| frame.depth + 1 == path.len())?.inner
    }

    /// Puts the node into an existing scope.
    pub(super) fn enter_scope(&mut self, path: &[Step<'_>], scope: usize) {
        self.frames.push(Frame { depth: path.len(), scope, inner: None });
    }

    pub(super) fn text(&self, step: &Step<'_>) -> &'s str {
        self.facts.source.get(step.node.byte_range()).unwrap_or("")
    }

    /// Notes an occurrence in the current scope.
    pub(super) fn note(&mut self, step: &Step<'_>, space: Space, action: Action) {
        self.note_in(self.scope(), step.node.byte_range(), space, action);
    }

    /// Notes an occurrence; keywords and the like are no names.
    pub(super) fn note_in(
        &mut self,
        scope: usize,
        range: Range<usize>,
        space: Space,
        action: Action,
    ) {
        let Some(name) = self.facts.source.get(range.clone()) else { return };
        if !name.is_empty() && !self.facts.language.is_reserved(name) {
            self.facts.occurrences.push(Occurrence { range, scope, space, action });
        }
    }

    pub(super) fn note_alias(&mut self, step: &Step<'_>, alias: Alias) {
        let scope = self.nearest(self.scope(), &[ScopeKind::Function, ScopeKind::Class]);
        let name = self.text(step);
        self.facts.aliases.insert((scope, name), alias);
    }
}

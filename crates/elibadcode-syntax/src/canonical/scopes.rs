//! Scopes, the occurrences of names in them, and what each occurrence refers to.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::NameKind;
use crate::Language;

/// The names that do not get in each other's way.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Space {
    /// Variables; in C also functions, enumerators and typedefs, in Python everything.
    Ordinary,
    /// Methods of Java.
    Method,
    /// Types of Java, tags of C.
    Type,
    /// Labels.
    Label,
}

/// What opens a scope.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeKind {
    /// The whole text.
    Root,
    /// A function with its parameters, or a Python lambda.
    Function,
    /// A block, and whatever else ends a name's life.
    Block,
    /// The parameters of a function without a body.
    Prototype,
    /// A comprehension.
    Comprehension,
    /// The body of a class, whose names are members.
    Class,
}

pub(super) struct Scope {
    pub(super) parent: usize,
    pub(super) kind: ScopeKind,
    /// Scopes around it.
    pub(super) depth: usize,
}

/// A declaration of a name.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Declaration {
    pub(super) kind: NameKind,
    /// Seen in all of its scope, not only from `from` on.
    pub(super) hoisted: bool,
    /// The first byte that the name is seen at.
    pub(super) from: usize,
    /// Begins a new name even where the scope has one of that name (pattern variables).
    pub(super) fresh: bool,
    /// Must keep its name, because something outside of the text may mean it.
    pub(super) kept: bool,
    /// Must keep its name if the text has an access to a member of that name in an unknown object.
    pub(super) is_member: bool,
    /// No declaration at all if the name that starts here is a variable (`a * b;` in C).
    pub(super) type_at: Option<usize>,
}

impl Declaration {
    pub(super) fn new(kind: NameKind) -> Self {
        Self {
            kind,
            hoisted: false,
            from: 0,
            fresh: false,
            kept: false,
            is_member: false,
            type_at: None,
        }
    }

    pub(super) fn hoisted(kind: NameKind) -> Self {
        Self { hoisted: true, ..Self::new(kind) }
    }
}

/// What a name does at one place.
pub(super) enum Action {
    Declare(Declaration),
    /// Declares a function where no other declaration of one is found.
    Candidate,
    Refer,
    /// A name of the file scope if the text defines one, else one from outside.
    Link,
    /// A member of this very scope.
    Member,
    /// The name of an argument in the call of what is named at this byte.
    Keyword(usize),
    /// A word in the body of a macro, which is read wherever the macro is used.
    Macro,
}

/// One occurrence of a name.
pub(super) struct Occurrence {
    pub(super) range: Range<usize>,
    pub(super) scope: usize,
    pub(super) space: Space,
    pub(super) action: Action,
}

/// How Python looks up a name that a scope does not own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alias {
    Global,
    Nonlocal,
}

/// One declared name and everything that refers to it.
pub(super) struct Binding {
    pub(super) kind: NameKind,
    pub(super) kept: bool,
    pub(super) occurrences: Vec<Range<usize>>,
    /// The byte at which it is declared first.
    pub(super) declared_at: usize,
    from: usize,
}

/// Everything that one walk over the tree finds.
pub(super) struct Facts<'s> {
    pub(super) source: &'s str,
    pub(super) language: Language,
    pub(super) scopes: Vec<Scope>,
    pub(super) occurrences: Vec<Occurrence>,
    pub(super) aliases: HashMap<(usize, &'s str), Alias>,
    /// The scopes of functions, by the byte at which their name is declared.
    pub(super) callables: Vec<(usize, usize)>,
    /// Members that are taken from objects of unknown type.
    pub(super) foreign_members: HashSet<&'s str>,
    /// Whether scopes were nested so deeply that inner ones were taken for one.
    pub(super) is_too_deep: bool,
}

/// The names that the text declares, in order of first occurrence.
pub(super) fn resolve(facts: &Facts<'_>) -> Vec<Binding> {
    let mut resolver =
        Resolver { facts, bindings: Vec::new(), visible: HashMap::new(), found: Vec::new() };
    resolver.found.resize(facts.occurrences.len(), None);
    resolver.hoist();
    resolver.refer();
    resolver.keywords();
    let same = resolver.macros();
    resolver.gather(&same)
}

struct Resolver<'f, 's> {
    facts: &'f Facts<'s>,
    bindings: Vec<Binding>,
    visible: HashMap<(usize, Space, &'s str), usize>,
    /// The binding of each occurrence.
    found: Vec<Option<usize>>,
}

impl<'s> Resolver<'_, 's> {
    fn name(&self, index: usize) -> &'s str {
        &self.facts.source[self.facts.occurrences[index].range.clone()]
    }

    /// The declarations that do not depend on what stands before them.
    fn hoist(&mut self) {
        let mut has_function = false;
        for (index, occurrence) in self.facts.occurrences.iter().enumerate() {
            if let Action::Declare(declaration) = &occurrence.action {
                has_function |= declaration.kind == NameKind::Function;
                if declaration.hoisted {
                    self.declare(index, declaration);
                }
            }
        }
        let mut occurrences = self.facts.occurrences.iter();
        if !has_function
            && let Some(index) = occurrences.position(|it| matches!(it.action, Action::Candidate))
        {
            self.declare(index, &Declaration::hoisted(NameKind::Function));
        }
    }

    fn refer(&mut self) {
        for (index, occurrence) in self.facts.occurrences.iter().enumerate() {
            if self.found[index].is_some() {
                continue;
            }
            let name = self.name(index);
            let Occurrence { range, scope, space, action } = occurrence;
            match action {
                Action::Declare(declaration) if !declaration.hoisted => {
                    if declaration.type_at.is_some_and(|at| self.is_variable(at)) {
                        self.found[index] = self.look_up(*scope, *space, name, range.start);
                    } else {
                        self.declare(index, declaration);
                    }
                }
                Action::Declare(_) => {
                    self.found[index] = self.look_up(*scope, *space, name, usize::MAX);
                }
                Action::Candidate | Action::Refer => {
                    self.found[index] = self.look_up(*scope, *space, name, range.start);
                }
                Action::Keyword(_) | Action::Macro => {}
                Action::Link => {
                    self.found[index] = self.visible.get(&(0, *space, name)).copied();
                    if self.found[index].is_none() {
                        let outside = Declaration::new(NameKind::Variable);
                        self.declare(index, &Declaration { kept: true, ..outside });
                    }
                }
                Action::Member => {
                    self.found[index] = self.visible.get(&(*scope, *space, name)).copied();
                }
            }
        }
    }

    fn declare(&mut self, index: usize, declaration: &Declaration) {
        let &Occurrence { ref range, scope, space, .. } = &self.facts.occurrences[index];
        let name = self.name(index);
        // `global x` and `nonlocal x`: the name belongs to another scope.
        if self.facts.aliases.contains_key(&(scope, name)) {
            return;
        }
        let key = (scope, space, name);
        let from = if declaration.hoisted { 0 } else { declaration.from };
        let binding = match self.visible.get(&key) {
            Some(&binding) if !declaration.fresh => binding,
            _ => {
                self.bindings.push(Binding {
                    kind: declaration.kind,
                    kept: false,
                    from,
                    declared_at: usize::MAX,
                    occurrences: Vec::new(),
                });
                self.visible.insert(key, self.bindings.len() - 1);
                self.bindings.len() - 1
            }
        };
        let entry = &mut self.bindings[binding];
        entry.kept |= declaration.kept
            || (declaration.is_member && self.facts.foreign_members.contains(name));
        entry.from = entry.from.min(from);
        entry.declared_at = entry.declared_at.min(range.start);
        self.found[index] = Some(binding);
    }

    /// The binding that a name at `at` in `scope` means.
    fn look_up(&self, scope: usize, space: Space, name: &str, at: usize) -> Option<usize> {
        let climb = |space| {
            let mut inner = scope;
            loop {
                let alias = self.facts.aliases.get(&(inner, name));
                if alias == Some(&Alias::Global) {
                    return self.visible.get(&(0, space, name)).copied();
                }
                let own = self.visible.get(&(inner, space, name)).copied();
                // The names of a Python class are not seen in its methods.
                let is_seen = inner == scope
                    || self.facts.language != Language::Python
                    || self.facts.scopes[inner].kind != ScopeKind::Class;
                if let Some(binding) = own
                    && alias.is_none()
                    && is_seen
                    && self.bindings[binding].from <= at
                {
                    return Some(binding);
                }
                if inner == 0 {
                    return None;
                }
                inner = self.facts.scopes[inner].parent;
            }
        };
        let found = climb(space);
        // `Local.member` in Java: a type by its place only if no variable has that name.
        if found.is_none() && self.facts.language == Language::Java && space == Space::Ordinary {
            return climb(Space::Type);
        }
        found
    }

    /// The occurrence that starts at this byte.
    fn occurrence_at(&self, start: usize) -> Option<usize> {
        self.facts.occurrences.binary_search_by_key(&start, |it| it.range.start).ok()
    }

    fn is_variable(&self, start: usize) -> bool {
        let binding = self.occurrence_at(start).and_then(|index| self.found[index]);
        binding.is_some_and(|binding| self.bindings[binding].kind != NameKind::Type)
    }

    /// Argument names of calls of functions that the text defines.
    #[expect(
        clippy::iter_over_hash_type,
        reason = "the first of each does not depend on the order"
    )]
    fn keywords(&mut self) {
        // Of each callable's scope what is called, and its number among the callables.
        let mut called: HashMap<usize, (usize, usize)> = HashMap::new();
        for (number, &(start, scope)) in self.facts.callables.iter().enumerate() {
            if let Some(binding) = self.occurrence_at(start).and_then(|index| self.found[index]) {
                called.insert(scope, (binding, number));
            }
        }
        let callees: HashSet<usize> = called.values().map(|&(binding, _)| binding).collect();
        // Of what is called and a name the first parameter of that name.
        let mut parameters: HashMap<(usize, &str), (usize, usize)> = HashMap::new();
        for (&(scope, space, name), &binding) in &self.visible {
            if space == Space::Ordinary
                && self.bindings[binding].kind == NameKind::Parameter
                && let Some(&(callee, number)) = called.get(&scope)
            {
                let first = parameters.entry((callee, name)).or_insert((number, binding));
                *first = (*first).min((number, binding));
            }
        }
        for (index, occurrence) in self.facts.occurrences.iter().enumerate() {
            let Action::Keyword(callee) = occurrence.action else { continue };
            let callee = self.occurrence_at(callee).and_then(|index| self.found[index]);
            let Some(callee) = callee.filter(|it| callees.contains(it)) else { continue };
            let parameter = parameters.get(&(callee, self.name(index)));
            self.found[index] = parameter.map(|&(_, binding)| binding);
        }
    }

    /// The words of macro bodies; gives for each binding the one that it must share its name with.
    fn macros(&mut self) -> Vec<usize> {
        let mut same: Vec<usize> = (0..self.bindings.len()).collect();
        let mut by_name: HashMap<(Space, &str), usize> = HashMap::new();
        let occurrences = || self.facts.occurrences.iter().enumerate();
        for (index, occurrence) in occurrences() {
            if matches!(occurrence.action, Action::Macro) {
                by_name.insert((occurrence.space, self.name(index)), usize::MAX);
            }
        }
        if by_name.is_empty() {
            return same;
        }
        for (index, occurrence) in occurrences() {
            // No code can refer to the parameters of a prototype.
            if self.facts.scopes[occurrence.scope].kind != ScopeKind::Prototype
                && let Some(binding) = self.found[index]
                && let Some(first) = by_name.get_mut(&(occurrence.space, self.name(index)))
            {
                if *first == usize::MAX {
                    *first = binding;
                }
                same[binding] = *first;
            }
        }
        for (index, occurrence) in occurrences() {
            if matches!(occurrence.action, Action::Macro) {
                let first = by_name.get(&(occurrence.space, self.name(index))).copied();
                self.found[index] = first.filter(|&first| first != usize::MAX);
            }
        }
        same
    }

    fn gather(mut self, same: &[usize]) -> Vec<Binding> {
        for (index, occurrence) in self.facts.occurrences.iter().enumerate() {
            if let Some(binding) = self.found[index] {
                self.bindings[same[binding]].occurrences.push(occurrence.range.clone());
            }
        }
        for (binding, &shared) in same.iter().enumerate() {
            let kept = self.bindings[binding].kept;
            self.bindings[shared].kept |= kept;
        }
        let mut bindings = self.bindings;
        bindings.retain(|binding| !binding.occurrences.is_empty());
        bindings.sort_by_key(|binding| binding.occurrences[0].start);
        bindings
    }
}

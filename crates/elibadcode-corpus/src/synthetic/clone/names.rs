//! Names of Java variables by role, and method names that fit anything.

/// Method names that say little about what a method does.
pub(super) const GENERAL_METHODS: &str = "process compute calculate execute apply evaluate solve \
    transform handle perform getResult doWork run determine convert find check build make \
    obtain helper operate calc resolve derive produce prepare update";

/// Words of log messages and unused labels.
const WORDS: &str = "start done step begin entering checked ready loop result debug trace info \
    phase here processing working value state";

/// The words that a variable's role draws from.
pub(super) fn pool(role: &str) -> &'static str {
    match role {
        "arr" => "arr array values numbers nums data input elements a source items v",
        "brr" => "b other second right target weights rhs",
        "out" => "result output res ret out copy answer dest",
        "mat" => "matrix grid m mat table cells board",
        "n" => "n len length size",
        "m" => "m cols width columns",
        "k" => "k window limit width period span",
        "i" => "i idx index pos k p",
        "j" => "j k q inner next jj",
        "l" => "l t k step w",
        "it" => "at cursor offset ptr where idx",
        "sum" => "sum total acc result s accumulator running",
        "count" => "count cnt counter found hits n",
        "best" => "best max result top current extreme",
        "cur" => "cur current now here running",
        "val" => "value val x e element number item each",
        "key" => "key wanted target needle query k",
        "tmp" => "tmp temp t swap hold aux",
        "lo" => "lo low left start first from",
        "hi" => "hi high right end last to",
        "mid" => "mid middle center half pivot m",
        "a" => "a x first u p one",
        "b" => "b y second z w two",
        "num" => "n num number value x input arg",
        "base" => "base b radix value root",
        "exp" => "exp exponent power e degree times",
        "s" => "s str text input string word line source",
        "r" => "other t second right s2 candidate",
        "c" => "c ch letter symbol character next",
        "d" => "d piece unit glyph other",
        "sb" => "sb builder buffer buf output joined",
        "flag" => "flag ok same changed swapped valid seen",
        "list" => "list items values entries elements names words all",
        "list2" => "others second more right rest words2",
        "map" => "map counts table result index lookup freq",
        "set" => "set seen unique distinct visited known",
        "word" => "word item entry token part name piece",
        "stack" => "stack open pending deque opened",
        "file" => "file path source input fileName location",
        "dest" => "dest target output destination copy",
        "in" => "in reader input stream br source",
        "os" => "out writer os sink bw",
        "ln" => "line row record text current str",
        "bytes" => "bytes data buffer chunk raw block",
        "size" => "read got amount size available n",
        "unused" => "marker started tag level mode attempts",
        "say" => WORDS,
        _ => unreachable!("a variant uses the unknown role `{role}`"),
    }
}

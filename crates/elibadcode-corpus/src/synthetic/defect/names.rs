//! Identifier pools by role, and the declarations that make every generated function legal C.

use rand::{Rng, RngExt};

use crate::synthetic::markup::pick;

/// C declarations to put before generated functions so that they compile.
pub const PREAMBLE: &str = r"#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define COMMON_FIELDS(self)                                                  \
    self *next;                                                              \
    unsigned char *data, *buf, *payload;                                     \
    size_t len, size, used, head;                                            \
    int state, mode, level, busy, closed, frozen;                            \
    unsigned int refs, users, pins;                                          \
    pthread_mutex_t lock
struct packet { COMMON_FIELDS(struct packet); };
struct stream { COMMON_FIELDS(struct stream); };
struct device { COMMON_FIELDS(struct device); };
struct session { COMMON_FIELDS(struct session); };
typedef struct FrameContext { COMMON_FIELDS(struct FrameContext); } FrameContext;
typedef struct QueueState { COMMON_FIELDS(struct QueueState); } QueueState;

extern unsigned long stat_calls, stat_bytes, stat_small, debug_level;
void *mem_alloc(size_t size);
void mem_free(void *block);
void spin_enter(pthread_mutex_t *lock);
void spin_leave(pthread_mutex_t *lock);
void object_put(void *object);
void object_unref(void *object);
int parse_payload(const void *data, size_t len);
int decode_unit(const void *data, size_t len);
int check_bytes(const void *data, size_t len);
int verify_data(const void *data, size_t len);
void trace_event(const char *name);
void log_value(int level, unsigned long value);
";

/// Where the functions pretend to come from.
pub(super) const PROJECTS: &[&str] = &["avkit", "netbox", "vmcore", "fsd"];

const PREFIXES: &[&str] = &[
    "av", "vm", "net", "blk", "dec", "enc", "hdr", "io", "pkt", "ring", "tcp", "usb", "vfs", "pci",
];
const VERBS: &[&str] = &[
    "read", "write", "parse", "update", "init", "load", "store", "get", "set", "scan", "fill",
    "handle", "process", "copy", "push", "find", "check", "flush", "build", "make", "sync",
    "prepare",
];
const NOUNS: &[&str] = &[
    "block",
    "buffer",
    "chunk",
    "config",
    "descriptor",
    "entry",
    "event",
    "frame",
    "header",
    "index",
    "item",
    "key",
    "map",
    "message",
    "option",
    "packet",
    "page",
    "palette",
    "queue",
    "record",
    "region",
    "request",
    "sample",
    "sector",
    "segment",
    "slot",
    "table",
    "tag",
    "token",
    "vector",
];

/// The names of one function: every role of a template is bound once.
pub(super) struct Names {
    bound: Vec<(String, String)>,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { bound: Vec::new() }
    }

    /// The text for `role`, such as `len` or, for a second length, `len2`.
    pub(super) fn bind(&mut self, role: &str, rng: &mut impl Rng) -> String {
        if let Some((_, name)) = self.bound.iter().find(|(bound, _)| bound == role) {
            return name.clone();
        }
        if let Some((partner, pairs)) = pairs(role) {
            let (first, second) = *pick(pairs, rng);
            self.bound.push((partner.0.to_owned(), first.to_owned()));
            self.bound.push((partner.1.to_owned(), second.to_owned()));
            return self.bind(role, rng);
        }
        let name = loop {
            let name = draw(role, rng);
            if !self.bound.iter().any(|(_, taken)| *taken == name) {
                break name;
            }
        };
        self.bound.push((role.to_owned(), name.clone()));
        name
    }
}

type Pairs = ((&'static str, &'static str), &'static [(&'static str, &'static str)]);

/// Roles that must come from the same family.
fn pairs(role: &str) -> Option<Pairs> {
    match role {
        "alloc" | "free" => {
            Some((("alloc", "free"), &[("malloc", "free"), ("mem_alloc", "mem_free")]))
        }
        "lock" | "unlock" => Some((
            ("lock", "unlock"),
            &[("pthread_mutex_lock", "pthread_mutex_unlock"), ("spin_enter", "spin_leave")],
        )),
        _ => None,
    }
}

fn draw(role: &str, rng: &mut impl Rng) -> String {
    if role == "fn" {
        return function_name(rng);
    }
    (*pick(pool(role.trim_end_matches(|c: char| c.is_ascii_digit())), rng)).to_owned()
}

fn function_name(rng: &mut impl Rng) -> String {
    let (prefix, verb, noun) = (pick(PREFIXES, rng), pick(VERBS, rng), pick(NOUNS, rng));
    match rng.random_range(0..4) {
        0 => format!("{verb}_{noun}"),
        1 => format!("{prefix}_{noun}_{verb}"),
        _ => format!("{prefix}_{verb}_{noun}"),
    }
}

fn pool(role: &str) -> &'static [&'static str] {
    match role {
        "ptr" => &["p", "block", "tmp"],
        "dst" => &["dst", "out", "dest"],
        "src" => &["src", "in", "text"],
        "arr" => &["arr", "table", "vals"],
        "obj" => &["dev", "ctx", "s"],
        "nxt" => &["following", "succ", "rest"],
        "file" => &["f", "fp", "file"],
        "fd" => &["fd", "handle"],
        "len" => &["len", "n", "size"],
        "max" => &["max", "limit", "cap"],
        "idx" => &["i", "j", "k"],
        "pos" => &["idx", "pos", "slot"],
        "ret" => &["ret", "rc", "err"],
        "val" => &["val", "value", "v"],
        "sum" => &["sum", "total", "acc"],
        "num" => &["num", "got", "done"],
        "flags" => &["flags", "mask", "bits"],
        "chr" => &["c", "ch", "sep"],
        "type" => &[
            "struct packet",
            "struct stream",
            "struct device",
            "struct session",
            "FrameContext",
            "QueueState",
        ],
        "elem" => &["int", "short", "long", "uint8_t", "uint32_t", "uint16_t"],
        "int" => &["int", "long", "ssize_t"],
        "uint" => &["size_t", "unsigned int", "uint32_t"],
        "datafield" => &["data", "buf", "payload"],
        "lenfield" => &["len", "size", "used"],
        "intfield" => &["state", "mode", "level"],
        "busyfield" => &["busy", "closed", "frozen"],
        "reffield" => &["refs", "users", "pins"],
        "work" => &["parse_payload", "decode_unit", "check_bytes", "verify_data"],
        "put" => &["object_put", "object_unref"],
        "error" => &["-1", "-EINVAL", "-EIO", "-ENOMEM"],
        "const" => &["4", "8", "16", "32", "64", "128"],
        "align" => &["7", "15", "31", "63"],
        "noun" => NOUNS,
        _ => unreachable!("a shape uses the unknown role `{role}`"),
    }
}

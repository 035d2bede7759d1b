//! Functions on strings.

use super::super::DefectKind::{
    IntegerUnderflow, MissingBoundsCheck, MissingNullCheck, MissingTerminator, OffByOne,
    UncheckedReturn,
};
use super::{Template, moved, swapped};

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        name: "duplicate-string",
        head: "char *$fn(const char *$src)",
        cases: &[
            swapped(
                MissingTerminator,
                "char *$ptr; size_t $len = strlen($src); $ptr = $alloc($len#{ + 1#|#}); if
                (!$ptr) return NULL; memcpy($ptr, $src, $len); $ptr[$len] = 0; #N return
                $ptr;",
            ),
            moved(
                MissingNullCheck,
                "if (`!$ptr~$ptr == NULL`) return NULL;",
                "char *$ptr; size_t $len = strlen($src); $ptr = $alloc($len + 1); #S
                memcpy($ptr, $src, $len); #D $ptr[$len] = 0; #N return $ptr;",
            ),
            moved(
                MissingNullCheck,
                "if (`!$src~$src == NULL`) return NULL;",
                "char *$ptr; size_t $len; #S $len = strlen($src); #D $ptr = $alloc($len +
                1); if (!$ptr) return NULL; memcpy($ptr, $src, $len + 1); #N return $ptr;",
            ),
        ],
    },
    Template {
        name: "bounded-string-copy",
        head: "char *$fn(char *$dst, const char *$src, size_t $len)",
        cases: &[
            moved(
                MissingTerminator,
                "$dst[$len - 1] = `0~'\\0'`;",
                "if ($len == 0) return $dst; #D strncpy($dst, $src, $len); #S stat_bytes +=
                $len; #N return $dst;",
            ),
            moved(
                IntegerUnderflow,
                "if (`$len == 0~!$len`) return $dst;",
                "#S strncpy($dst, $src, $len - 1); $dst[$len - 1] = `0~'\\0'`; #D stat_bytes
                += $len; #N return $dst;",
            ),
        ],
    },
    Template {
        name: "pad-string",
        head: "size_t $fn(char *$dst, size_t $len)",
        cases: &[swapped(
            OffByOne,
            "if (`$len == 0~!$len`) return 0; memset($dst, ' ', $len); $dst[$len#{ -
                1#|#}] = `0~'\\0'`; stat_bytes += $len; #N return $len;",
        )],
    },
    Template {
        name: "read-string",
        head: "int $fn(int $fd, char *$dst, size_t $len)",
        cases: &[
            swapped(
                MissingTerminator,
                "ssize_t $ret; if ($len == 0) return $error; $ret = read($fd, $dst, $len#{ -
                1#|#}); if ($ret < 0) return $error; $dst[$ret] = `0~'\\0'`; #N return 0;",
            ),
            moved(
                UncheckedReturn,
                "if ($ret < 0) return $error;",
                "ssize_t $ret; if ($len == 0) return $error; $ret = read($fd, $dst, $len -
                1); #S $dst[$ret] = `0~'\\0'`; #D #N return 0;",
            ),
        ],
    },
    Template {
        name: "append-string",
        head: "int $fn(char *$dst, size_t $max, const char *$src)",
        cases: &[
            swapped(
                OffByOne,
                "size_t $len; $len = strlen($dst); strncat($dst, $src, $max - $len#{ -
                1#|#}); stat_bytes += $len; #N return 0;",
            ),
            moved(
                MissingBoundsCheck,
                "if (strlen($src) >= $max) return $error;",
                "#S strcpy($dst, $src); #D stat_bytes += $max; #N return 0;",
            ),
        ],
    },
    Template {
        name: "split-option",
        head: "char *$fn(char *$src)",
        cases: &[
            moved(
                MissingNullCheck,
                "if (`!$ptr~$ptr == NULL`) return NULL;",
                "char *$ptr; $ptr = `strchr($src, '=')~strchr($src, ':')~strrchr($src,
                '/')`; #S *$ptr++ = 0; #D stat_bytes += strlen($src); #N return $ptr;",
            ),
            moved(
                MissingNullCheck,
                "if (`!$src~$src == NULL`) return NULL;",
                "char *$ptr; #S stat_bytes += strlen($src); #D $ptr = strchr($src, '='); if
                ($ptr) *$ptr++ = 0; #N return $ptr;",
            ),
        ],
    },
    Template {
        name: "skip-blanks",
        head: "size_t $fn(const char *$src, size_t $len)",
        cases: &[
            swapped(
                MissingBoundsCheck,
                "size_t $pos = 0; while (#{$pos < $len &&
                isspace($src[$pos])#|`isspace($src[$pos]) && $pos <
                $len~isspace($src[$pos])`#}) $pos++; stat_bytes += $pos; #N return $pos;",
            ),
            swapped(
                IntegerUnderflow,
                "while (#{$len > 0 && isspace($src[$len - 1])#|`isspace($src[$len - 1]) &&
                $len > 0~isspace($src[$len - 1])`#}) $len--; stat_bytes += $len; #N return
                $len;",
            ),
        ],
    },
    Template {
        name: "environment-copy",
        head: "int $fn(const char *$src, char *$dst, size_t $max)",
        cases: &[
            moved(
                MissingNullCheck,
                "if (`!$ptr~$ptr == NULL`) return $error;",
                "char *$ptr; size_t $len; $ptr = getenv($src); #S $len = strlen($ptr); #D if
                ($len >= $max) return $error; memcpy($dst, $ptr, $len + 1); #N return 0;",
            ),
            moved(
                MissingBoundsCheck,
                "if (`$len >= $max~$max <= $len`) return $error;",
                "char *$ptr; size_t $len; $ptr = getenv($src); if (!$ptr) return $error;
                $len = strlen($ptr); #S memcpy($dst, $ptr, $len + 1); #D #N return 0;",
            ),
        ],
    },
];
